//! A Safe as this node reads it: nonce, owners, threshold, guards, and what it executed.

use std::collections::{BTreeSet, VecDeque};

use alloy_primitives::{Address, B256, U256};
use watchfire_charter::{Charter, Safe};
use watchfire_types::safe_execution::executed;
use watchfire_types::{BlockRef, BlockView, Read, ReadOutcome, SafeTransaction, Timestamp};

use super::track::Track;
use crate::reads;

/// Most executions kept for one Safe; the oldest go first.
const EXECUTIONS_MAX: usize = 256;
/// Most owners decoded: a Safe with more is unreadable to us (a charter has at most 64 guardians).
const OWNERS_MAX: usize = 128;
/// Most nonces of one block for which a rejection is recognised.
const NONCES_MAX: u64 = 64;

/// One `ExecutionSuccess` or `ExecutionFailure` log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Execution {
    pub(crate) block: BlockRef,
    pub(crate) safe_tx_hash: B256,
    pub(crate) transaction: B256,
    pub(crate) succeeded: bool,
    /// Whether it is the rejection of a nonce that this block consumed.
    pub(crate) rejection: bool,
}

/// View of one Safe.
#[derive(Debug, Clone, Default)]
pub(crate) struct SafeView {
    pub(crate) nonce: Track<U256>,
    pub(crate) owners: Track<BTreeSet<Address>>,
    /// How many of them are guardians of the charter: asked after every event.
    pub(crate) guardians: Track<usize>,
    pub(crate) threshold: Track<u64>,
    pub(crate) guards: Track<(U256, U256)>,
    pub(crate) executions: VecDeque<Execution>,
    /// Own clock when the nonce last changed, a reorg included: nobody's turn to send began before it.
    pub(crate) moved: Timestamp,
}

impl SafeView {
    pub(crate) fn observe(&mut self, charter: &Charter, safe: &Safe, view: &BlockView, now: Timestamp) {
        let block = view.block;
        let before = self.nonce.last().copied();
        let word = |read: &Read| view.reads.get(read).and_then(ReadOutcome::word);
        if let Some(nonce) = word(&reads::nonce(safe)) {
            if before != Some(nonce) {
                self.moved = now;
            }
            self.nonce.push(block, nonce);
        }
        if let Some(threshold) = word(&reads::threshold(safe)).and_then(|word| u64::try_from(word).ok()) {
            self.threshold.push(block, threshold);
        }
        if let Some(ReadOutcome::Value(bytes)) = view.reads.get(&reads::owners(safe))
            && let Some(owners) = addresses(bytes)
        {
            let guardians = charter.guardians_of(safe).into_keys().filter(|guardian| owners.contains(guardian)).count();
            self.owners.push(block, owners);
            self.guardians.push(block, guardians);
        }
        if let Some(guard) = word(&reads::guard(safe)) {
            let module_guard = word(&reads::module_guard(safe)).unwrap_or_default();
            self.guards.push(block, (guard, module_guard));
        }
        let rejections = self.rejections(safe, before);
        for log in view.logs.iter().filter(|log| log.address == safe.address) {
            if let Some((safe_tx_hash, succeeded)) = executed(&log.topics, &log.data) {
                let rejection = succeeded && rejections.contains(&safe_tx_hash);
                let transaction = log.transaction;
                self.executions.push_back(Execution { block, safe_tx_hash, transaction, succeeded, rejection });
            }
        }
        while self.executions.len() > EXECUTIONS_MAX {
            self.executions.pop_front();
        }
    }

    /// Hashes of the rejections of the nonces that this block consumed.
    fn rejections(&self, safe: &Safe, before: Option<U256>) -> BTreeSet<B256> {
        let (Some(before), Some(after)) = (before, self.nonce.last().copied()) else { return BTreeSet::new() };
        let consumed = u64::try_from(after.saturating_sub(before)).unwrap_or(NONCES_MAX).min(NONCES_MAX);
        let hash = |offset| {
            let rejection = SafeTransaction::rejection(safe.address, before.saturating_add(U256::from(offset)));
            rejection.hashes(safe.version, safe.chain.get(), safe.address).safe_tx_hash
        };
        (0..consumed).map(hash).collect()
    }

    pub(crate) fn rollback(&mut self, number: u64, now: Timestamp) {
        self.nonce.rollback(number);
        self.owners.rollback(number);
        self.guardians.rollback(number);
        self.threshold.rollback(number);
        self.guards.rollback(number);
        while self.executions.back().is_some_and(|execution| execution.block.number >= number) {
            self.executions.pop_back();
        }
        self.moved = now;
    }
}

/// ABI `address[]`.
fn addresses(bytes: &[u8]) -> Option<BTreeSet<Address>> {
    let word = |at: usize| Some(U256::from_be_slice(bytes.get(at..at.checked_add(32)?)?));
    let start = usize::try_from(word(0)?).ok()?;
    let count = usize::try_from(word(start)?).ok().filter(|count| *count <= OWNERS_MAX)?;
    let first = start.checked_add(32)?;
    (0..count).map(|index| Some(Address::from_word(word(first.checked_add(index * 32)?)?.into()))).collect()
}
