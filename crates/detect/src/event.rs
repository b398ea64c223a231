//! An event of a contract: it fires at its block and stands for a stated time.

use std::collections::BTreeMap;

use alloy_primitives::{Address, B256};
use watchfire_charter::privileged::by_topic;
use watchfire_types::{BlockRef, BlockView, Log};

use crate::detectors::Evaluation;
use crate::sightings::Sightings;

struct Seen {
    transaction: B256,
    count: u64,
}

/// One event rule.
pub(crate) struct EventWatch {
    address: Address,
    event: String,
    topic: B256,
    topics: BTreeMap<u8, B256>,
    seen: Sightings<Seen>,
}

impl EventWatch {
    pub(crate) fn new(address: Address, event: String, topic: B256, topics: BTreeMap<u8, B256>, stands_s: u64) -> Self {
        Self { address, event, topic, topics, seen: Sightings::new(stands_s) }
    }

    pub(crate) fn stands_s(&self) -> u64 {
        self.seen.stands_s()
    }

    /// The contract, and the event's first topic: what fires it has both.
    pub(crate) fn key(&self) -> (Address, B256) {
        (self.address, self.topic)
    }

    /// Whether only authority causes it: then it may be announced.
    pub(crate) fn is_privileged(&self) -> bool {
        by_topic(&self.topic).is_some()
    }

    /// Whether it may stand at a block after this one that has nothing for it.
    pub(crate) fn may_stand_after(&self, at: &BlockRef) -> bool {
        self.seen.may_stand_after(at)
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
        let first = matching.next();
        let seen =
            first.map(|first| Seen { transaction: first.transaction, count: 1 + matching.map(|_| 1).sum::<u64>() });
        self.seen.take(&view.block, seen);
        let Some((block, seen)) = self.seen.standing(&view.block, floor) else {
            return Evaluation::Quiet;
        };
        Evaluation::Fires {
            explanation: format!(
                "{} of {} seen {} time(s) at block {} in transaction {}",
                self.event, self.address, seen.count, block.number, seen.transaction
            ),
            figures: BTreeMap::from([
                ("event_block".to_owned(), block.number.to_string()),
                ("count".to_owned(), seen.count.to_string()),
                ("transaction".to_owned(), seen.transaction.to_string()),
            ]),
        }
    }

    pub(crate) fn rollback(&mut self, to: &BlockRef) {
        self.seen.rollback(to);
    }
}
