//! Watched state: it must not change, must equal a value, or must stay within bounds.

use std::collections::{BTreeMap, VecDeque};

use alloy_primitives::{Address, hex, keccak256};
use watchfire_charter::StateExpectation;
use watchfire_types::{BlockRef, BlockView, Bytes, Read, ReadOutcome};

use crate::detectors::Evaluation;
use crate::is_settled;

/// Most characters of a figure's value, as the wire takes it.
const FIGURE_MAX: usize = 128;

struct Sample {
    block: BlockRef,
    /// What was read; a revert is an answer too, told apart by the flag.
    answer: (bool, Bytes),
}

struct Change {
    block: BlockRef,
    before: String,
    after: String,
}

/// One state rule.
pub(crate) struct StateWatch {
    what: String,
    read: Read,
    expect: StateExpectation,
    stands_s: u64,
    /// Newest answers, at most [`crate::REORG_DEPTH`] + 1 blocks.
    samples: VecDeque<Sample>,
    changes: VecDeque<Change>,
}

impl StateWatch {
    pub(crate) fn new(what: String, read: Read, expect: StateExpectation, stands_s: u64) -> Self {
        Self { what, read, expect, stands_s, samples: VecDeque::new(), changes: VecDeque::new() }
    }

    pub(crate) fn read(&self) -> &Read {
        &self.read
    }

    /// The contract whose state it is.
    pub(crate) fn contract(&self) -> &Address {
        match &self.read {
            Read::Call { to, .. } => to,
            Read::Balance { account }
            | Read::Storage { account, .. }
            | Read::CodeHash { account }
            | Read::Delegation { account } => account,
        }
    }

    pub(crate) fn stands_s(&self) -> u64 {
        self.stands_s
    }

    /// Takes a block. A change that is excused is none, where the block before it was read too: else it may be older than its excuse.
    pub(crate) fn observe(&mut self, view: &BlockView, floor: Option<&BlockRef>, excused: bool) -> Evaluation {
        let answer = match view.reads.get(&self.read) {
            Some(ReadOutcome::Value(bytes)) => (true, bytes.clone()),
            Some(ReadOutcome::Reverted(bytes)) => (false, bytes.clone()),
            Some(ReadOutcome::Unavailable(_)) | None => return Evaluation::Unknown,
        };
        match &self.expect {
            StateExpectation::Unchanged => {
                self.note_change(view, answer, excused);
                self.standing_change(view, floor)
            }
            StateExpectation::Equals(expected) => {
                let holds = answer.0 && answer.1 == *expected;
                self.broken(holds, shown(&answer), &format!("expected {}", shown(&(true, expected.clone()))))
            }
            StateExpectation::Within { min, max } | StateExpectation::Number { min, max, .. } => {
                let number = answer.0.then(|| self.expect.number(&answer.1)).flatten();
                let holds = number.is_some_and(|number| self.expect.bounds(number));
                let bound =
                    |bound: &Option<_>| bound.map_or_else(|| "-".to_owned(), |bound| self.expect.decimal(bound));
                let allowed = format!("allowed {} to {}", bound(min), bound(max));
                // One word of several is told as what it is; the whole answer would not show it.
                match number.filter(|_| matches!(self.expect, StateExpectation::Number { .. })) {
                    Some(number) => self.broken(holds, self.expect.decimal(number), &allowed),
                    None => self.broken(holds, shown(&answer), &allowed),
                }
            }
        }
    }

    pub(crate) fn rollback(&mut self, to: &BlockRef) {
        while self.samples.back().is_some_and(|sample| sample.block.number > to.number) {
            self.samples.pop_back();
        }
        while self.changes.back().is_some_and(|change| change.block.number > to.number) {
            self.changes.pop_back();
        }
    }

    fn note_change(&mut self, view: &BlockView, answer: (bool, Bytes), excused: bool) {
        if let Some(before) = self.samples.back()
            && before.answer != answer
            && !(excused && before.block.number.saturating_add(1) == view.block.number)
        {
            let change = Change { block: view.block, before: shown(&before.answer), after: shown(&answer) };
            self.changes.push_back(change);
        }
        self.samples.push_back(Sample { block: view.block, answer });
        while self.samples.get(1).is_some_and(|second| is_settled(&second.block, &view.block)) {
            self.samples.pop_front();
        }
    }

    fn standing_change(&mut self, view: &BlockView, floor: Option<&BlockRef>) -> Evaluation {
        let stands_s = self.stands_s;
        let ended = |change: &Change| view.block.time.secs_since(change.block.time) > stands_s;
        // Only the newest is ever told: of those that no reorg takes back, the last is enough.
        while self.changes.get(1).is_some_and(|second| is_settled(&second.block, &view.block)) {
            self.changes.pop_front();
        }
        let newest = self
            .changes
            .iter()
            .rev()
            .find(|change| !ended(change) && floor.is_none_or(|floor| change.block.number > floor.number));
        let Some(change) = newest else {
            return Evaluation::Quiet;
        };
        Evaluation::Fires {
            explanation: format!(
                "{} changed at block {} from {} to {}",
                self.what, change.block.number, change.before, change.after
            ),
            figures: BTreeMap::from([
                ("changed_block".to_owned(), change.block.number.to_string()),
                ("before".to_owned(), change.before.clone()),
                ("after".to_owned(), change.after.clone()),
            ]),
        }
    }

    fn broken(&self, holds: bool, found: String, expectation: &str) -> Evaluation {
        if holds {
            return Evaluation::Quiet;
        }
        Evaluation::Fires {
            explanation: format!("{} is {found}, {expectation}", self.what),
            figures: BTreeMap::from([
                ("found".to_owned(), found),
                // Two bounds of 78 digits each are more than a figure carries; the line has them whole.
                ("expected".to_owned(), expectation.chars().take(FIGURE_MAX).collect()),
            ]),
        }
    }
}

/// At most 32 bytes of an answer as hex; of a longer one length and hash tell it from others that begin alike, a revert is named.
fn shown((value, bytes): &(bool, Bytes)) -> String {
    let cut = &bytes[..bytes.len().min(32)];
    let hash = || hex::encode_prefixed(&keccak256(bytes)[..4]);
    let more = if bytes.len() > 32 { format!("... ({} bytes, hash {})", bytes.len(), hash()) } else { String::new() };
    let prefix = if *value { "" } else { "revert " };
    format!("{prefix}{}{more}", hex::encode_prefixed(cut))
}
