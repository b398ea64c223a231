//! A value read at every block, kept as its changes so that a reorg can take the newest ones back.

use std::collections::VecDeque;

use watchfire_types::BlockRef;

use crate::authority::later;

/// Most changes kept; the oldest go first. Only the newest ones are ever asked for.
const CHANGES_MAX: usize = 512;

/// Changes of one value, oldest first, and the newest block at which it was readable.
#[derive(Debug, Clone)]
pub(crate) struct Track<T> {
    changes: VecDeque<(BlockRef, T)>,
    fresh: Option<BlockRef>,
}

impl<T> Default for Track<T> {
    fn default() -> Self {
        Self { changes: VecDeque::new(), fresh: None }
    }
}

impl<T: PartialEq> Track<T> {
    pub(crate) fn push(&mut self, block: BlockRef, value: T) {
        self.fresh = Some(block);
        if self.changes.back().is_none_or(|(_, last)| *last != value) {
            self.changes.push_back((block, value));
            if self.changes.len() > CHANGES_MAX {
                self.changes.pop_front();
            }
        }
    }

    /// Forgets everything read at or above a height.
    pub(crate) fn rollback(&mut self, number: u64) {
        while self.changes.back().is_some_and(|(block, _)| block.number >= number) {
            self.changes.pop_back();
        }
        self.fresh = self.fresh.filter(|block| block.number < number);
    }

    /// The newest value, whenever it was read.
    pub(crate) fn last(&self) -> Option<&T> {
        self.changes.back().map(|(_, value)| value)
    }

    /// The newest value if it was read at exactly this block.
    pub(crate) fn at(&self, head: &BlockRef) -> Option<&T> {
        self.last().filter(|_| self.fresh.is_some_and(|block| block.hash == head.hash))
    }

    /// The block of the newest change, the first reading included.
    pub(crate) fn since(&self) -> Option<BlockRef> {
        self.changes.back().map(|(block, _)| *block)
    }

    /// The newest block at which the value *became* this one from another. A first reading became nothing.
    pub(crate) fn became(&self, value: &T) -> Option<BlockRef> {
        self.turns(value).next()
    }

    /// Every block known at which it did, newest first.
    pub(crate) fn turns(&self, value: &T) -> impl Iterator<Item = BlockRef> {
        let turns = self.changes.iter().rev().take(self.changes.len().saturating_sub(1));
        turns.filter(move |(_, turned)| turned == value).map(|(block, _)| *block)
    }

    /// The value before a block, of this chain or of another by its time; `None` where that is not known any more.
    pub(crate) fn before(&self, at: &BlockRef) -> Option<&T> {
        let count = self.changes.partition_point(|(block, _)| later(at, block));
        Some(&self.changes.get(count.checked_sub(1)?)?.1)
    }

    /// As [`Self::became`], or the first reading if it already was this value.
    pub(crate) fn became_or_began(&self, value: &T) -> Option<BlockRef> {
        self.changes.iter().rev().find(|(_, turned)| turned == value).map(|(block, _)| *block)
    }
}
