//! What a rule saw happen, each for as long as it stands.

use std::collections::VecDeque;

use watchfire_types::BlockRef;

use crate::is_settled;

struct Sighting<T> {
    block: BlockRef,
    what: T,
}

/// Things seen, the newest last; of those that no reorg takes back only the last is kept.
pub(crate) struct Sightings<T> {
    stands_s: u64,
    seen: VecDeque<Sighting<T>>,
}

impl<T> Sightings<T> {
    /// Each stands for so many seconds of block time.
    pub(crate) fn new(stands_s: u64) -> Self {
        Self { stands_s, seen: VecDeque::new() }
    }

    pub(crate) fn stands_s(&self) -> u64 {
        self.stands_s
    }

    /// Takes the next block, with what was seen at it.
    pub(crate) fn take(&mut self, block: &BlockRef, what: Option<T>) {
        self.seen.extend(what.map(|what| Sighting { block: *block, what }));
        // Only the newest is ever told: of those that no reorg takes back, the last is enough.
        while self.seen.get(1).is_some_and(|second| is_settled(&second.block, block)) {
            self.seen.pop_front();
        }
    }

    /// Adds what turned out of a block, whether that is the next one or was taken before.
    pub(crate) fn add(&mut self, block: &BlockRef, what: T) {
        let at = self.seen.partition_point(|seen| seen.block.number <= block.number);
        self.seen.insert(at, Sighting { block: *block, what });
    }

    /// The newest that stands at a block and that no recovery came after.
    pub(crate) fn standing(&self, at: &BlockRef, floor: Option<&BlockRef>) -> Option<(&BlockRef, &T)> {
        let counts = |seen: &&Sighting<T>| {
            !self.has_ended(seen, at) && floor.is_none_or(|floor| seen.block.number > floor.number)
        };
        self.seen.iter().rev().find(counts).map(|seen| (&seen.block, &seen.what))
    }

    /// Whether it may stand at a block after this one at which nothing is seen: what was seen last has not ended yet, and so may stand again
    /// where the recovery that excused it is orphaned.
    pub(crate) fn may_stand_after(&self, at: &BlockRef) -> bool {
        self.seen.back().is_some_and(|seen| !self.has_ended(seen, at))
    }

    fn has_ended(&self, seen: &Sighting<T>, at: &BlockRef) -> bool {
        at.time.secs_since(seen.block.time) > self.stands_s
    }

    /// Forgets every block above `to`.
    pub(crate) fn rollback(&mut self, to: &BlockRef) {
        while self.seen.back().is_some_and(|seen| seen.block.number > to.number) {
            self.seen.pop_back();
        }
    }
}
