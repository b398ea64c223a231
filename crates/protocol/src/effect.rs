//! SafeTx = f(charter version, asset, playbook, step, chain, Safe, nonce, omitted): every node computes the same bytes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use alloy_primitives::{Address, B256, U256};
use thiserror::Error;
use watchfire_charter::{Action, Charter, Condition, Safe, Step};
use watchfire_types::duty::Postcondition;
use watchfire_types::planted::{Mutation, planted};
use watchfire_types::{ChainId, SafeId, SafeTransaction, SafeVersion};

/// One Safe transaction of a step.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Effect {
    /// Chain.
    pub chain: ChainId,
    /// Safe.
    pub safe: SafeId,
    /// Its address.
    pub address: Address,
    /// Transaction.
    pub transaction: SafeTransaction,
    /// Its hash under the Safe's version.
    pub safe_tx_hash: B256,
    /// Indexes of this Safe's calls of the step that are left out.
    pub omitted: BTreeSet<u16>,
}

/// Why a step has no transaction at a Safe.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum EffectFault {
    /// Every call's postcondition already holds, or the step has none there.
    #[error("nothing is left to call")]
    NothingLeft,
    /// More than one call is left and the chain pins no MultiSendCallOnly.
    #[error("chain {chain} pins no MultiSendCallOnly for {calls} calls")]
    NoMultiSend {
        /// Chain.
        chain: ChainId,
        /// Calls left.
        calls: usize,
    },
    /// What packs the calls is not what the charter pins.
    #[error("the code at {address} on chain {chain} is not the MultiSendCallOnly that the charter pins")]
    OtherCode {
        /// Chain.
        chain: ChainId,
        /// Where.
        address: Address,
    },
    /// The charter has no such Safe.
    #[error("charter has no safe {safe}")]
    UnknownSafe {
        /// Safe.
        safe: SafeId,
    },
}

/// What a Safe transaction's hash is made of.
type Preimage = (ChainId, Address, SafeVersion, SafeTransaction);

/// Hashes worked out before. The same few transactions are asked for after every event, at a dozen Keccak permutations each; what is
/// answered depends on the question alone, so that a machine with a memo decides as one without.
#[derive(Debug, Default)]
pub(crate) struct Hashes {
    held: Mutex<BTreeMap<Preimage, B256>>,
    /// This node's places among those who send a transaction, by Safe and the transaction's hash: a SHA-256 for each of them.
    ranks: Mutex<BTreeMap<(SafeId, B256), Option<u16>>>,
}

impl Clone for Hashes {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl Hashes {
    /// Held at once: far above the steps and Safes of one charter. Nonces move on, so old ones are dropped together.
    const MAX: usize = 1_024;

    fn of(&self, preimage: Preimage) -> B256 {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(hash) = held.get(&preimage) {
            return *hash;
        }
        let (chain, address, version, transaction) = &preimage;
        let hash = transaction.hashes(*version, chain.get(), *address).safe_tx_hash;
        if held.len() >= Self::MAX {
            held.clear();
        }
        held.insert(preimage, hash);
        hash
    }

    /// This node's place among those who send a transaction of a Safe, as `rank` works it out from the charter.
    pub(crate) fn rank(&self, safe: &SafeId, hash: B256, rank: impl FnOnce() -> Option<u16>) -> Option<u16> {
        let mut ranks = self.ranks.lock().unwrap_or_else(PoisonError::into_inner);
        if ranks.len() >= Self::MAX {
            ranks.clear();
        }
        *ranks.entry((safe.clone(), hash)).or_insert_with(rank)
    }
}

/// The Safes that a step's calls go through.
pub(crate) fn safes(step: &Step) -> BTreeSet<SafeId> {
    step.actions.iter().map(|action| action.safe.clone()).collect()
}

/// Calls of a step at one Safe, each with its index in the step.
pub(crate) fn calls<'a>(step: &'a Step, safe: &'a SafeId) -> impl Iterator<Item = (u16, &'a Action)> {
    (0u16..).zip(&step.actions).filter(move |(_, action)| action.safe == *safe)
}

/// A condition as whoever simulates and submits is told it.
pub(crate) fn postcondition(chain: ChainId, condition: &Condition) -> Postcondition {
    Postcondition { chain, read: condition.read.clone(), equals: condition.equals.clone() }
}

/// The transaction of `step` at `safe` and `nonce` without the calls in `omitted`: one left is a plain call, more go through the
/// chain's pinned MultiSendCallOnly in charter order. No value, no refund, `safeTxGas` 0.
///
/// # Errors
/// [`EffectFault`] when nothing is left to call or it cannot be packed.
pub(crate) fn transaction(
    charter: &Charter,
    step: &Step,
    safe: &SafeId,
    nonce: U256,
    omitted: &BTreeSet<u16>,
) -> Result<SafeTransaction, EffectFault> {
    let entry = safe_of(charter, safe)?;
    let left: Vec<&Action> =
        calls(step, safe).filter(|(index, _)| !omitted.contains(index)).map(|(_, action)| action).collect();
    match left.as_slice() {
        [] => Err(EffectFault::NothingLeft),
        [only] if planted(Mutation::CallsMore) => {
            Ok(SafeTransaction::call(only.target, [&only.calldata[..], &[0]].concat().into(), nonce))
        }
        [only] => Ok(SafeTransaction::call(only.target, only.calldata.clone(), nonce)),
        several => {
            let pinned = charter.chains.get(&entry.chain).and_then(|chain| chain.multi_send_call_only);
            let pinned = pinned.ok_or(EffectFault::NoMultiSend { chain: entry.chain, calls: several.len() })?;
            let calls = several.iter().map(|call| (call.target, &*call.calldata));
            Ok(SafeTransaction::packed(pinned.address, calls, nonce))
        }
    }
}

/// A step's [`transaction`] with its hash, and which of the calls in `omitted` are this Safe's.
///
/// # Errors
/// As [`transaction`].
pub(crate) fn build(
    charter: &Charter,
    hashes: &Hashes,
    step: &Step,
    safe: &SafeId,
    nonce: U256,
    omitted: &BTreeSet<u16>,
) -> Result<Effect, EffectFault> {
    let transaction = transaction(charter, step, safe, nonce, omitted)?;
    let here: BTreeSet<u16> = calls(step, safe).map(|(index, _)| index).collect();
    let omitted = omitted.intersection(&here).copied().collect();
    Ok(finish(hashes, safe, safe_of(charter, safe)?, transaction, omitted))
}

/// The rejection of `nonce`: the one effect outside playbooks, which can only consume it.
pub(crate) fn rejection(charter: &Charter, hashes: &Hashes, safe: &SafeId, nonce: U256) -> Option<Effect> {
    let entry = charter.safes.get(safe)?;
    Some(finish(hashes, safe, entry, SafeTransaction::rejection(entry.address, nonce), BTreeSet::new()))
}

fn safe_of<'a>(charter: &'a Charter, safe: &SafeId) -> Result<&'a Safe, EffectFault> {
    charter.safes.get(safe).ok_or_else(|| EffectFault::UnknownSafe { safe: safe.clone() })
}

fn finish(
    hashes: &Hashes,
    safe: &SafeId,
    entry: &Safe,
    transaction: SafeTransaction,
    omitted: BTreeSet<u16>,
) -> Effect {
    let safe_tx_hash = hashes.of((entry.chain, entry.address, entry.version, transaction.clone()));
    Effect { chain: entry.chain, safe: safe.clone(), address: entry.address, transaction, safe_tx_hash, omitted }
}

#[cfg(test)]
mod tests;
