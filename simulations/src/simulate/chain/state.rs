//! The contracts of the model chain: a Safe 1.5.0 and a vault, by what their Solidity says, as plain state.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use alloy_primitives::{Address, B256, Signature, U256, keccak256};
use watchfire_types::{Bytes, Log, Operation, Read, ReadOutcome, SafeTransaction};

use crate::simulate::cast::{CHAIN, Cast, SAFE_VERSION};

/// What a call reverts with, as a person reads it.
pub(crate) type Reason = &'static str;

/// The vault is paused.
pub(crate) const ENFORCED_PAUSE: Reason = "EnforcedPause()";
/// It is not paused, so it cannot be resumed.
pub(super) const EXPECTED_PAUSE: Reason = "ExpectedPause()";
/// Withdrawals are capped.
pub(super) const LIMITED: Reason = "WithdrawalsAreLimited(uint256,uint256)";
/// The guard lets nothing pass.
pub(crate) const GUARD_BLOCKS: Reason = "Blocked()";
/// The vault does not let the Safe do this.
pub(super) const NOT_ALLOWED: Reason = "AccessControlUnauthorizedAccount(address,bytes32)";
/// Too few signatures.
pub(crate) const TOO_FEW: Reason = "GS020";
/// A signature is not the next owner's.
pub(crate) const BAD_OWNER: Reason = "GS026";
/// The Safe takes no threshold that its owners cannot reach.
const NO_THRESHOLD: Reason = "GS201";
/// Who owns it already, or nobody, cannot become an owner.
const NO_NEW_OWNER: Reason = "GS204";
/// Who is no owner cannot be replaced.
const NO_OWNER: Reason = "GS205";

/// Everything that a block changes.
#[derive(Debug, Clone)]
pub(crate) struct State {
    pub(crate) nonce: u64,
    pub(crate) owners: Rc<BTreeSet<Address>>,
    pub(crate) threshold: usize,
    pub(crate) guard: Address,
    pub(crate) paused: bool,
    pub(crate) limited: bool,
    pause_reverts: bool,
    pub(crate) wei: U256,
    /// The second vault, where there is one.
    twin: Option<Twin>,
    pub(crate) owner: Address,
    pub(crate) implementation: Address,
    pub(crate) price: U256,
    pub(crate) supply: U256,
    /// Answers of the contracts of a charter that is played as it is.
    pub(super) answers: Rc<BTreeMap<Read, Bytes>>,
}

/// What changes of the second vault.
#[derive(Debug, Clone, Copy)]
struct Twin {
    paused: bool,
    wei: U256,
}

/// What an attacker's or a stranger's transaction does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Touch {
    /// Takes this much through payments of `each`, and as much from a second vault; while either pays, it goes through.
    Drain { wei: U256, each: U256 },
    /// Becomes the vault's owner.
    TakeOwnership,
    /// Replaces its code.
    Upgrade,
    /// Moves the price.
    MovePrice,
    /// Makes shares.
    Mint,
    /// Releases this much for a message that nobody sent.
    Release { wei: U256 },
    /// Pauses, past the Safe.
    Pause,
    /// Resumes, past the Safe.
    Resume,
    /// Sets or clears the flag, past the Safe.
    Flag(bool),
}

/// Recovered signers: recovery costs more than everything else a block does, and many blocks see the same bytes.
#[derive(Debug, Default)]
pub(crate) struct Signers(BTreeMap<(B256, [u8; 65]), Option<Address>>);

impl Signers {
    pub(crate) fn recover(&mut self, hash: B256, signature: &[u8; 65]) -> Option<Address> {
        *self.0.entry((hash, *signature)).or_insert_with(|| {
            let parsed = Signature::from_raw_array(signature).ok()?;
            parsed.recover_address_from_prehash(&hash).ok()
        })
    }
}

fn selector(signature: &str) -> [u8; 4] {
    let hash = keccak256(signature);
    [hash[0], hash[1], hash[2], hash[3]]
}

pub(super) fn word(value: U256) -> Bytes {
    Bytes::copy_from_slice(&value.to_be_bytes::<32>())
}

fn of_address(address: Address) -> U256 {
    U256::from_be_slice(address.as_slice())
}

fn log(address: Address, event: &str, topics: &[B256], data: Bytes) -> Log {
    let topics = std::iter::once(keccak256(event)).chain(topics.iter().copied()).collect();
    Log { address, topics, data, transaction: B256::ZERO, index: 0 }
}

impl State {
    /// Before anything happened.
    pub(crate) fn genesis(cast: &Cast) -> Self {
        Self {
            nonce: 0,
            owners: Rc::new(
                cast.guardians().map(|player| player.guardian).chain(cast.other_owners.iter().copied()).collect(),
            ),
            threshold: usize::from(cast.scenario.governance.safe_threshold),
            guard: cast.own_guard,
            paused: false,
            limited: false,
            pause_reverts: cast.scenario.vault.pause_reverts,
            wei: cast.scenario.vault.wei,
            twin: cast.twin.map(|_| Twin { paused: false, wei: cast.scenario.vault.wei }),
            owner: Address::repeat_byte(0x0a),
            implementation: Address::repeat_byte(0x0b),
            price: U256::from(1_000),
            supply: U256::from(1_000_000),
            answers: cast.contracts.as_ref().map(|contracts| Rc::new(contracts.first().clone())).unwrap_or_default(),
        }
    }

    /// What is in the vault, and in the second one where there is one.
    pub(crate) fn left(&self) -> U256 {
        self.twin.map_or(self.wei, |twin| self.wei.saturating_add(twin.wei))
    }

    /// Answers one question, as an honest archive node does.
    pub(crate) fn read(&self, cast: &Cast, read: &Read) -> ReadOutcome {
        let value = match read {
            Read::Balance { account } if *account == cast.vault => Some(word(self.wei)),
            Read::Balance { account } if Some(*account) == cast.twin => self.twin.map(|twin| word(twin.wei)),
            Read::Balance { .. } => Some(word(U256::ZERO)),
            Read::Storage { account, slot }
                if *account == cast.safe && *slot == watchfire_charter::live::GUARD_SLOT =>
            {
                Some(word(of_address(self.guard)))
            }
            Read::Storage { .. } | Read::Delegation { .. } => Some(word(U256::ZERO)),
            Read::CodeHash { account } => Some(Bytes::copy_from_slice(cast.code_hash(*account).as_slice())),
            Read::Call { to, data } if *to == cast.safe => self.safe_view(data),
            Read::Call { to, data } if *to == cast.vault => self.vault_view(data),
            Read::Call { to, data } if Some(*to) == cast.twin && data.starts_with(&selector("paused()")) => {
                self.twin.map(|twin| word(U256::from(u8::from(twin.paused))))
            }
            Read::Call { .. } => None,
        };
        let value = self.answers.get(read).cloned().or(value);
        value.map_or_else(|| ReadOutcome::Reverted(Bytes::new()), ReadOutcome::Value)
    }

    fn safe_view(&self, data: &[u8]) -> Option<Bytes> {
        let called = |signature| data.starts_with(&selector(signature));
        if called("nonce()") {
            return Some(word(U256::from(self.nonce)));
        }
        if called("getThreshold()") {
            return Some(word(U256::from(self.threshold)));
        }
        if called("getOwners()") {
            let head = [U256::from(32), U256::from(self.owners.len())];
            let words = head.into_iter().chain(self.owners.iter().map(|owner| of_address(*owner)));
            return Some(words.flat_map(|word| word.to_be_bytes::<32>()).collect::<Vec<u8>>().into());
        }
        None
    }

    fn vault_view(&self, data: &[u8]) -> Option<Bytes> {
        let called = |signature| data.starts_with(&selector(signature));
        let answer = match () {
            () if called("paused()") => U256::from(u8::from(self.paused)),
            () if called("withdrawalsLimited()") => U256::from(u8::from(self.limited)),
            () if called("owner()") => of_address(self.owner),
            () if called("implementation()") => of_address(self.implementation),
            () if called("price()") => self.price,
            () if called("totalSupply()") => self.supply,
            () => return None,
        };
        Some(word(answer))
    }

    /// A call to the vault from somebody with the right to it.
    fn vault_call(&mut self, data: &[u8]) -> Result<(), Reason> {
        let called = |signature| data.starts_with(&selector(signature));
        if called("pause()") {
            return if self.pause_reverts { Err(NOT_ALLOWED) } else { self.pause() };
        }
        if called("unpause()") {
            return self.resume();
        }
        if called("setWithdrawalsLimited(bool)") && data.len() == 36 {
            self.limited = data[35] == 1;
            return Ok(());
        }
        Err("no such function")
    }

    fn pause(&mut self) -> Result<(), Reason> {
        if self.paused {
            return Err(ENFORCED_PAUSE);
        }
        self.paused = true;
        Ok(())
    }

    fn resume(&mut self) -> Result<(), Reason> {
        if !self.paused {
            return Err(EXPECTED_PAUSE);
        }
        self.paused = false;
        Ok(())
    }

    /// What an attacker or a stranger does to the vault.
    pub(crate) fn touch(&mut self, cast: &Cast, touch: Touch) -> Result<Vec<Log>, Reason> {
        let attacker = Address::repeat_byte(0xee);
        if let Some(contracts) = &cast.contracts {
            return self.own_touch(cast, contracts, touch);
        }
        match touch {
            Touch::Drain { wei, each } => {
                let twin = self.twin.as_mut().filter(|twin| !twin.paused);
                if self.paused && twin.is_none() {
                    return Err(ENFORCED_PAUSE);
                }
                if let Some(twin) = twin {
                    twin.wei = twin.wei.saturating_sub(wei);
                }
                if self.paused {
                    return Ok(Vec::new());
                }
                if self.limited && each > cast.scenario.vault.flagged_limit_wei {
                    return Err(LIMITED);
                }
                self.wei = self.wei.saturating_sub(wei);
            }
            Touch::TakeOwnership => self.owner = attacker,
            Touch::Upgrade => self.implementation = attacker,
            Touch::MovePrice => self.price = U256::from(2_000),
            Touch::Mint if self.paused => return Err(ENFORCED_PAUSE),
            Touch::Mint => self.supply += U256::from(1_000_000),
            Touch::Release { .. } if self.paused => return Err(ENFORCED_PAUSE),
            Touch::Release { wei } => {
                self.wei = self.wei.saturating_sub(wei);
                return Ok(vec![log(cast.vault, "Released(bytes32)", &[], Bytes::from_static(&[7; 32]))]);
            }
            Touch::Pause => self.pause()?,
            Touch::Resume => self.resume()?,
            Touch::Flag(on) => self.limited = on,
        }
        Ok(Vec::new())
    }

    /// `execTransaction`: the hash is made with the nonce in storage, signatures must be of owners in ascending order, the guard is
    /// asked, and without `safeTxGas` a failing inner call reverts the whole.
    pub(crate) fn execute(
        &mut self,
        cast: &Cast,
        signers: &mut Signers,
        transaction: &SafeTransaction,
        signatures: &[u8],
    ) -> Result<Vec<Log>, Reason> {
        let at_nonce = SafeTransaction { nonce: U256::from(self.nonce), ..transaction.clone() };
        let hash = at_nonce.hashes(SAFE_VERSION, CHAIN.get(), cast.safe).safe_tx_hash;
        if signatures.len() < self.threshold * 65 {
            return Err(TOO_FEW);
        }
        let mut last = Address::ZERO;
        for signature in signatures.chunks_exact(65).take(self.threshold) {
            let signature: &[u8; 65] = signature.try_into().map_err(|_| TOO_FEW)?;
            let owner = signers.recover(hash, signature).ok_or(BAD_OWNER)?;
            if owner <= last || !self.owners.contains(&owner) {
                return Err(BAD_OWNER);
            }
            last = owner;
        }
        self.run(cast, &at_nonce)?;
        let data = Bytes::from_static(&[0; 32]);
        Ok(vec![log(cast.safe, "ExecutionSuccess(bytes32,uint256)", &[hash], data)])
    }

    /// What follows the signature check; a preflight without signatures starts here.
    pub(crate) fn run(&mut self, cast: &Cast, transaction: &SafeTransaction) -> Result<(), Reason> {
        if self.guard == cast.guard {
            return Err(GUARD_BLOCKS);
        }
        match transaction.operation {
            Operation::DelegateCall if transaction.to == cast.multi_send => {
                for (to, data) in unpack(&transaction.data).ok_or("malformed multiSend")? {
                    self.inner(cast, to, &data)?;
                }
            }
            Operation::DelegateCall => return Err("delegate call to a stranger"),
            Operation::Call => self.inner(cast, transaction.to, &transaction.data)?,
        }
        self.nonce += 1;
        Ok(())
    }

    fn inner(&mut self, cast: &Cast, to: Address, data: &[u8]) -> Result<(), Reason> {
        if to != cast.safe && cast.contracts.is_some() {
            return self.own_call(cast, to, data);
        }
        if to == cast.vault {
            return self.vault_call(data);
        }
        if Some(to) == cast.twin && data.starts_with(&selector("pause()")) {
            return match &mut self.twin {
                Some(twin) if !twin.paused => {
                    twin.paused = true;
                    Ok(())
                }
                Some(_) | None => Err(ENFORCED_PAUSE),
            };
        }
        if to == cast.safe {
            return self.own_setting(data);
        }
        // Anything else is an account without code: it succeeds.
        Ok(())
    }

    /// A call of the Safe to itself; with nothing, or of what is not here, it succeeds.
    fn own_setting(&mut self, data: &[u8]) -> Result<(), Reason> {
        let called = |signature| data.starts_with(&selector(signature));
        let address =
            |word: usize| data.get(16 + 32 * word..36 + 32 * word).map(Address::from_slice).unwrap_or_default();
        if called("setGuard(address)") {
            self.guard = address(0);
        }
        if called("swapOwner(address,address,address)") {
            let (old, new) = (address(1), address(2));
            if new == Address::ZERO || self.owners.contains(&new) {
                return Err(NO_NEW_OWNER);
            }
            if !Rc::make_mut(&mut self.owners).remove(&old) {
                return Err(NO_OWNER);
            }
            Rc::make_mut(&mut self.owners).insert(new);
        }
        if called("changeThreshold(uint256)") {
            let wanted = data.get(4..36).map(U256::from_be_slice).unwrap_or_default();
            let possible = usize::try_from(wanted).ok().filter(|wanted| (1..=self.owners.len()).contains(wanted));
            self.threshold = possible.ok_or(NO_THRESHOLD)?;
        }
        Ok(())
    }
}

/// Calls of `multiSend(bytes)`: `operation || to || value || length || data` each.
pub(crate) fn unpack(data: &[u8]) -> Option<Vec<(Address, Vec<u8>)>> {
    let number = |bytes: &[u8]| usize::try_from(U256::from_be_slice(bytes)).ok();
    let length = number(data.get(36..68)?)?;
    let mut rest = data.get(68..68usize.checked_add(length)?)?;
    let mut calls = Vec::new();
    while !rest.is_empty() {
        let to = Address::from_slice(rest.get(1..21)?);
        let length = number(rest.get(53..85)?)?;
        let end = 85usize.checked_add(length)?;
        calls.push((to, rest.get(85..end)?.to_vec()));
        rest = rest.get(end..)?;
    }
    Some(calls)
}
