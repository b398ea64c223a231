//! What the charter's conditions answered at every block: postconditions, what must stay true with them, and the code of what packs calls.

use std::collections::BTreeMap;

use watchfire_charter::{Charter, Condition, PinnedCode};
use watchfire_types::{BlockView, Bytes, ChainId, Read, ReadOutcome};

use super::track::Track;

/// Answers that make one read's conditions hold, each with when they did.
type Answers = BTreeMap<Bytes, Track<bool>>;

/// By chain and read. As many entries as the charter names.
#[derive(Debug, Clone, Default)]
pub(crate) struct Conditions(BTreeMap<ChainId, BTreeMap<Read, Answers>>);

impl Conditions {
    pub(crate) fn new(charter: &Charter) -> Self {
        let mut conditions = Self::default();
        let actions = charter.playbooks.values().flat_map(|playbook| playbook.actions());
        for action in actions {
            for Condition { read, equals, .. } in action.conditions() {
                conditions.follow(action.chain, read.clone(), equals.clone());
            }
        }
        for (chain, entry) in &charter.chains {
            if let Some(pinned) = &entry.multi_send_call_only {
                conditions.follow(*chain, code(pinned), Bytes::copy_from_slice(pinned.code_hash.as_slice()));
            }
        }
        conditions
    }

    fn follow(&mut self, chain: ChainId, read: Read, equals: Bytes) {
        self.0.entry(chain).or_default().entry(read).or_default().insert(equals, Track::default());
    }

    /// Whether a condition of an action on this chain held.
    pub(crate) fn get(&self, chain: ChainId, condition: &Condition) -> Option<&Track<bool>> {
        self.0.get(&chain)?.get(&condition.read)?.get(&condition.equals)
    }

    /// Whether a contract's code was the pinned one.
    pub(crate) fn pinned(&self, chain: ChainId, pinned: &PinnedCode) -> Option<&Track<bool>> {
        self.0.get(&chain)?.get(&code(pinned))?.get(pinned.code_hash.as_slice())
    }

    /// Takes a block's answers; a read without one changes nothing.
    pub(super) fn observe(&mut self, view: &BlockView) {
        for (read, answers) in self.0.get_mut(&view.block.chain).into_iter().flatten() {
            let answer = match view.reads.get(read) {
                Some(ReadOutcome::Value(answer)) => Some(answer),
                Some(ReadOutcome::Reverted(_)) => None,
                Some(ReadOutcome::Unavailable(_)) | None => continue,
            };
            for (equals, track) in answers {
                track.push(view.block, answer == Some(equals));
            }
        }
    }

    /// Forgets everything read at or above a height.
    pub(super) fn rollback(&mut self, chain: ChainId, number: u64) {
        let reads = self.0.get_mut(&chain).into_iter().flat_map(BTreeMap::values_mut);
        reads.flat_map(BTreeMap::values_mut).for_each(|track| track.rollback(number));
    }
}

fn code(pinned: &PinnedCode) -> Read {
    Read::CodeHash { account: pinned.address }
}
