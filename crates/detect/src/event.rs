//! An event of a contract: it fires at its block and stands for a stated time.

use std::collections::{BTreeMap, VecDeque};

use alloy_primitives::{Address, B256};
use watchfire_types::{BlockRef, BlockView, Log};

use crate::detectors::Evaluation;
use crate::is_settled;

struct Seen {
    block: BlockRef,
    transaction: B256,
    count: u64,
}

/// One event rule.
pub(crate) struct EventWatch {
    address: Address,
    event: String,
    topic: B256,
    topics: BTreeMap<u8, B256>,
    stands_s: u64,
    seen: VecDeque<Seen>,
}

impl EventWatch {
    pub(crate) fn new(address: Address, event: String, topic: B256, topics: BTreeMap<u8, B256>, stands_s: u64) -> Self {
        Self { address, event, topic, topics, stands_s, seen: VecDeque::new() }
    }

    pub(crate) fn stands_s(&self) -> u64 {
        self.stands_s
    }

    /// The contract, and the event's first topic: what fires it has both.
    pub(crate) fn key(&self) -> (Address, B256) {
        (self.address, self.topic)
    }

    /// Whether it may stand at a block after this one that has nothing for it: what was seen last has not ended yet, and so may stand again
    /// where the recovery that excused it is orphaned.
    pub(crate) fn may_stand_after(&self, at: &BlockRef) -> bool {
        self.seen.back().is_some_and(|seen| !self.has_ended(seen, at))
    }

    fn has_ended(&self, seen: &Seen, at: &BlockRef) -> bool {
        at.time.secs_since(seen.block.time) > self.stands_s
    }

    /// Takes a block with those of its logs that have [`Self::key`], in order; others among them do no harm.
    pub(crate) fn observe<'a>(
        &mut self,
        view: &BlockView,
        logs: impl Iterator<Item = &'a Log>,
        floor: Option<&BlockRef>,
    ) -> Evaluation {
        let mut matching = logs.filter(|log| {
            log.address == self.address
                && log.topics.first() == Some(&self.topic)
                && self.topics.iter().all(|(position, value)| log.topics.get(usize::from(*position)) == Some(value))
        });
        if let Some(first) = matching.next() {
            let count = 1 + matching.map(|_| 1).sum::<u64>();
            self.seen.push_back(Seen { block: view.block, transaction: first.transaction, count });
        }
        // Only the newest is ever told: of those that no reorg takes back, the last is enough.
        while self.seen.get(1).is_some_and(|second| is_settled(&second.block, &view.block)) {
            self.seen.pop_front();
        }
        let counts = |seen: &&Seen| {
            !self.has_ended(seen, &view.block) && floor.is_none_or(|floor| seen.block.number > floor.number)
        };
        let newest = self.seen.iter().rev().find(counts);
        let Some(seen) = newest else {
            return Evaluation::Quiet;
        };
        Evaluation::Fires {
            explanation: format!(
                "{} of {} seen {} time(s) at block {} in transaction {}",
                self.event, self.address, seen.count, seen.block.number, seen.transaction
            ),
            figures: BTreeMap::from([
                ("event_block".to_owned(), seen.block.number.to_string()),
                ("count".to_owned(), seen.count.to_string()),
                ("transaction".to_owned(), seen.transaction.to_string()),
            ]),
        }
    }

    pub(crate) fn rollback(&mut self, to: &BlockRef) {
        while self.seen.back().is_some_and(|seen| seen.block.number > to.number) {
            self.seen.pop_back();
        }
    }
}
