//! What waits in a Safe's queue, looked at before anybody signs or executes it: hashed anew from its fields, its calls read, its signatures recovered.
//!
//! Nothing is asked of anybody: the transaction is what a service or a file says, the Safe is what its people know of it. A *concern* is what an owner
//! has to look at before signing; no concern is no proof that a transaction does what it is meant to.
//!
//! Sources: Safe `Safe.sol` (`checkNSignatures`, `execTransaction`), `SignatureDecoder.sol`, `MultiSend.sol`; the hashes are those of
//! [`watchfire_types::safe_transaction`].

#[cfg(test)]
#[allow(clippy::unwrap_used)]
pub(crate) mod fixture;
pub mod service;

use std::collections::{BTreeMap, BTreeSet};

use alloy::primitives::{Signature, address, eip191_hash_message};
use serde::{Serialize, Serializer};
use watchfire_charter::privileged::{Privilege, functions, selector_of};
use watchfire_types::body::Selector;
use watchfire_types::multi_send::{self, Part};
use watchfire_types::{Address, B256, Bytes, Operation, SafeTransaction, SafeVersion, U256};

/// MultiSendCallOnly as Safe deploys it: 1.3.0 (canonical and EIP-155), 1.4.1, 1.5.0. It can only call.
const CALL_ONLY: [Address; 4] = [
    address!("40A2aCCbd92BCA938b02010E17A5b8929b49130D"),
    address!("A1dabEF33b3B82c7814B6D82A79e50F4AC44102B"),
    address!("9641d764fc13c8B624c04430C7356C1C7C8102e2"),
    address!("A83c336B20401Af773B6219BA5027174338D1836"),
];
/// Most calls of a batch that are looked at one by one.
const CALLS_MAX: usize = 256;
/// Most signatures of a transaction that are recovered.
const SIGNATURES_MAX: usize = 64;

/// A Safe, as those who watch it know it.
#[derive(Debug, Clone)]
pub struct WatchedSafe {
    /// EIP-155 id of its chain.
    pub chain_id: u64,
    /// The Safe.
    pub safe: Address,
    /// Its version: which domain it hashes with.
    pub version: SafeVersion,
    /// Its owners; where none are given, whose a signature is is said and not judged.
    pub owners: BTreeSet<Address>,
    /// Contracts over which authority is watched.
    pub watched: BTreeSet<Address>,
    /// Further codes that can only call, beside Safe's own MultiSendCallOnly.
    pub call_only: BTreeSet<Address>,
}

/// A transaction that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proposal {
    /// The Safe that it is said to be of.
    pub safe: Address,
    /// What it is.
    pub transaction: SafeTransaction,
    /// The hash that it is said to have.
    pub claimed: B256,
    /// The signatures that it is said to have.
    pub signatures: Vec<Claimed>,
}

/// A signature with whose it is said to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claimed {
    /// Who.
    pub owner: Address,
    /// r, s and v of 65 bytes, as the Safe takes it, with what may follow.
    pub signature: Bytes,
}

/// What is to be looked at before signing.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Concern {
    /// Stable name in kebab-case: `hash-differs`.
    pub kind: &'static str,
    /// A line.
    pub text: String,
}

/// One call that a transaction makes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Call {
    /// Target.
    pub to: Address,
    /// Wei.
    #[serde(serialize_with = "decimal")]
    pub value: U256,
    /// `delegate call ..`, and the function by its signature, or its selector.
    pub what: String,
}

/// A transaction that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reviewed {
    /// Its hash as its fields give it: what an owner's device must show.
    pub safe_tx_hash: B256,
    /// The hash that it is said to have.
    pub claimed: B256,
    /// Its nonce.
    #[serde(serialize_with = "decimal")]
    pub nonce: U256,
    /// Its calls, those of a batch one by one; at most 256.
    pub calls: Vec<Call>,
    /// Owners whose signature over this very hash it has.
    pub signed: BTreeSet<Address>,
    /// What is to be looked at; sorted, none twice.
    pub concerns: BTreeSet<Concern>,
}

/// Looks at everything that waits in one queue.
#[must_use]
pub fn review(safe: &WatchedSafe, queue: &[Proposal]) -> Vec<Reviewed> {
    let reader = Reader { safe, functions: known() };
    let mut all: Vec<Reviewed> = queue.iter().map(|proposal| reader.review(proposal)).collect();
    // What only consumes a nonce is how people reject what else has it: that is no conflict.
    let mut rivals: BTreeMap<U256, BTreeSet<B256>> = BTreeMap::new();
    for (proposal, reviewed) in queue.iter().zip(&all) {
        if !is_rejection(safe.safe, &proposal.transaction) {
            rivals.entry(reviewed.nonce).or_default().insert(reviewed.safe_tx_hash);
        }
    }
    for reviewed in &mut all {
        let at = rivals.get(&reviewed.nonce).filter(|at| at.contains(&reviewed.safe_tx_hash));
        let other = at.into_iter().flatten().find(|hash| **hash != reviewed.safe_tx_hash);
        if let Some(other) = other {
            let text = format!("nonce {} is that of {other} too: only one of them can be executed", reviewed.nonce);
            reviewed.concerns.insert(Concern { kind: "nonce-conflict", text });
        }
    }
    all
}

/// Whether it does nothing but consume its nonce.
fn is_rejection(safe: Address, transaction: &SafeTransaction) -> bool {
    let SafeTransaction { to, value, data, operation, gas_price, .. } = transaction;
    (*to, *operation) == (safe, Operation::Call) && value.is_zero() && data.is_empty() && gas_price.is_zero()
}

/// Functions of authority, and those of a Safe that change it.
fn known() -> BTreeMap<Selector, (Privilege, &'static str)> {
    let mut all = functions::by_selector();
    // Since Safe 1.5.0, which no list of authority has yet.
    const MODULE_GUARD: &str = "setModuleGuard(address)";
    all.extend(selector_of(MODULE_GUARD).map(|(selector, _)| (selector, (Privilege::Admin, MODULE_GUARD))));
    all
}

/// What transactions of one Safe are read with.
struct Reader<'a> {
    safe: &'a WatchedSafe,
    functions: BTreeMap<Selector, (Privilege, &'static str)>,
}

impl Reader<'_> {
    fn review(&self, Proposal { safe, transaction, claimed, signatures }: &Proposal) -> Reviewed {
        let hash = transaction.hashes(self.safe.version, self.safe.chain_id, self.safe.safe).safe_tx_hash;
        let mut concerns = BTreeSet::new();
        let mut concern = |kind, text| {
            concerns.insert(Concern { kind, text });
        };
        if *safe != self.safe.safe {
            concern("other-safe", format!("it is said to be of Safe {safe}"));
        }
        if *claimed != hash {
            concern("hash-differs", format!("it is said to have hash {claimed}: what is signed is not what is shown"));
        }
        if !transaction.gas_price.is_zero() {
            let receiver = transaction.refund_receiver;
            let receiver = if receiver.is_zero() { "whoever executes it".to_owned() } else { receiver.to_string() };
            let text = format!(
                "it pays {receiver} {} of {} for each gas",
                transaction.gas_price,
                token(transaction.gas_token)
            );
            concern("refund", text);
        }
        let parts = self.parts(transaction, &mut concern);
        parts.iter().for_each(|part| self.judge(part, &mut concern));
        let signed = self.signed(hash, signatures, &mut concern);
        let calls = parts.iter().map(|part| self.tell(part)).collect();
        Reviewed { safe_tx_hash: hash, claimed: *claimed, nonce: transaction.nonce, calls, signed, concerns }
    }

    /// The calls that are made: of a batch all in it, else the transaction itself.
    fn parts(&self, transaction: &SafeTransaction, concern: &mut impl FnMut(&'static str, String)) -> Vec<Part> {
        let SafeTransaction { to, value, data, operation, .. } = transaction;
        let whole = |operation| vec![Part { operation, to: *to, value: *value, data: data.clone() }];
        if *operation == Operation::Call {
            return whole(0);
        }
        let is_call_only = CALL_ONLY.contains(to) || self.safe.call_only.contains(to);
        match (multi_send::parts(data), is_call_only) {
            (Some(mut parts), _) => {
                if !is_call_only {
                    let text = format!("it runs the code of {to} as the Safe itself, which is no MultiSendCallOnly");
                    concern("delegate-call", text);
                }
                if parts.len() > CALLS_MAX {
                    let text = format!("it packs {} calls; the first {CALLS_MAX} were looked at", parts.len());
                    concern("too-long", text);
                    parts.truncate(CALLS_MAX);
                }
                parts
            }
            (None, true) => {
                concern("not-packed", format!("it calls {to} with what is no batch of calls"));
                Vec::new()
            }
            (None, false) => whole(1),
        }
    }

    /// What one of its calls gives reason to look at.
    fn judge(&self, part: &Part, concern: &mut impl FnMut(&'static str, String)) {
        let Part { operation, to, data, .. } = part;
        let call = split(data);
        let known = call.and_then(|(selector, _)| self.functions.get(&selector));
        if *operation != 0 {
            concern("delegate-call", format!("it runs the code of {to} as the Safe itself: {}", self.name(data)));
        }
        if *to == self.safe.safe && !data.is_empty() {
            concern("changes-safe", format!("it changes the Safe itself: {}", self.name(data)));
        } else if let (Some((privilege, signature)), Some((_, arguments))) = (known, call)
            && let Some(contract) = functions::concerned(&self.safe.watched, *to, true, arguments)
        {
            let text = format!("it would change the {} of {contract}: {signature}, called at {to}", privilege.name());
            concern("authority", text);
        }
    }

    fn tell(&self, part: &Part) -> Call {
        let how = if part.operation == 0 { "" } else { "delegate call, " };
        Call { to: part.to, value: part.value, what: format!("{how}{}", self.name(&part.data)) }
    }

    fn name(&self, data: &[u8]) -> String {
        match split(data) {
            Some((selector, _)) => match self.functions.get(&selector) {
                Some((_, signature)) => (*signature).to_owned(),
                None => format!("function {selector}"),
            },
            None if data.is_empty() => "a transfer of value".to_owned(),
            None => "data without a function".to_owned(),
        }
    }

    /// Owners who signed this hash; every other signature is named.
    fn signed(
        &self,
        hash: B256,
        signatures: &[Claimed],
        concern: &mut impl FnMut(&'static str, String),
    ) -> BTreeSet<Address> {
        let mut signed = BTreeSet::new();
        if signatures.len() > SIGNATURES_MAX {
            concern(
                "too-long",
                format!("it has {} signatures; the first {SIGNATURES_MAX} were looked at", signatures.len()),
            );
        }
        for Claimed { owner, signature } in signatures.iter().take(SIGNATURES_MAX) {
            let mut decoy =
                |why: String| concern("decoy-signature", format!("the signature said to be of {owner} {why}"));
            if !self.safe.owners.is_empty() && !self.safe.owners.contains(owner) {
                decoy("counts for nothing: that is no owner".to_owned());
                continue;
            }
            match signer(hash, signature) {
                Signer::Recovered(found) if found == *owner => {
                    if !signed.insert(*owner) {
                        decoy("is there twice".to_owned());
                    }
                }
                Signer::Recovered(found) => decoy(format!("is by {found}, or over something else")),
                Signer::OnChain(found) if found == *owner => {
                    let text = format!(
                        "{owner} is said to approve on the chain or by a contract; look there, it is not seen here"
                    );
                    concern("unseen-approval", text);
                }
                Signer::OnChain(found) => decoy(format!("stands for {found}")),
                Signer::Nobody => decoy("is no signature".to_owned()),
            }
        }
        signed
    }
}

/// Whose a signature is.
enum Signer {
    /// Of this key, over the hash or over its EIP-191 message.
    Recovered(Address),
    /// An approved hash, or a contract's word (EIP-1271).
    OnChain(Address),
    Nobody,
}

/// As `checkNSignatures` reads 65 bytes: v 0 contract, 1 approved hash, above 30 `eth_sign` with v - 4, else ECDSA.
fn signer(hash: B256, signature: &[u8]) -> Signer {
    let Some(([r, s], v)) = signature.split_at_checked(64).and_then(|(words, rest)| {
        let (r, s) = words.split_at_checked(32)?;
        Some(([U256::from_be_slice(r), U256::from_be_slice(s)], *rest.first()?))
    }) else {
        return Signer::Nobody;
    };
    let (v, hash) = match v {
        0 | 1 => return Signer::OnChain(Address::from_word(r.into())),
        31.. => (v - 4, eip191_hash_message(hash)),
        _ => (v, hash),
    };
    let parity = match v {
        27 => false,
        28 => true,
        _ => return Signer::Nobody,
    };
    let recovered = Signature::new(r, s, parity).recover_address_from_prehash(&hash);
    recovered.map_or(Signer::Nobody, Signer::Recovered)
}

/// A call's function and what follows it.
fn split(data: &[u8]) -> Option<(Selector, &[u8])> {
    data.split_first_chunk().map(|(selector, arguments)| (Selector(*selector), arguments))
}

fn decimal<S: Serializer>(number: &U256, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(number)
}

fn token(token: Address) -> String {
    if token.is_zero() { "wei".to_owned() } else { token.to_string() }
}

#[cfg(test)]
mod tests;
