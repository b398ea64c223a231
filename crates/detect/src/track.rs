//! A value that a chain has, by block time, so that rules of another chain can ask what it was.
//!
//! Kept are the blocks at which it changed, and the newest seen; after a gap it begins anew, for nobody knows what it was in between. Memory: the newest
//! [`CHANGES_MAX`] changes.

use std::collections::VecDeque;

use watchfire_types::{BlockRef, BlockTime};

/// Changes that are remembered.
pub(crate) const CHANGES_MAX: usize = 4_096;

/// One value.
pub(crate) struct Track<T> {
    head: Option<BlockRef>,
    /// In the order of their blocks, no two in a row the same.
    changes: VecDeque<(BlockRef, T)>,
}

impl<T: PartialEq> Track<T> {
    pub(crate) const fn new() -> Self {
        Self { head: None, changes: VecDeque::new() }
    }

    /// Takes the next block with the value that it has there.
    pub(crate) fn take(&mut self, block: &BlockRef, value: T) {
        if self.head.is_some_and(|head| head.number.checked_add(1) != Some(block.number)) {
            self.changes.clear();
        }
        self.head = Some(*block);
        if self.changes.back().is_none_or(|(_, last)| *last != value) {
            self.changes.push_back((*block, value));
        }
        if self.changes.len() > CHANGES_MAX {
            self.changes.pop_front();
        }
    }

    /// The value at the block before this one of the same chain.
    pub(crate) fn newest_before(&self, block: &BlockRef) -> Option<&T> {
        self.head.filter(|head| head.number.checked_add(1) == Some(block.number))?;
        self.changes.back().map(|(_, value)| value)
    }

    /// Every value that it had from a time to another, both included, the newest last and never none; `None` where the chain has not passed the later
    /// one yet, or where what it was at the earlier one is not known.
    pub(crate) fn over(&self, from: BlockTime, to: BlockTime) -> Option<impl DoubleEndedIterator<Item = &T>> {
        self.head.filter(|head| head.time > to)?;
        // Blocks of one chain never go back in time: the last of several of one second is what held at its end.
        let first = self.changes.partition_point(|(block, _)| block.time <= from).checked_sub(1)?;
        let end = self.changes.partition_point(|(block, _)| block.time <= to);
        Some(self.changes.range(first..end.max(first)).map(|(_, value)| value))
    }

    /// Forgets every block above `to`.
    pub(crate) fn rollback(&mut self, to: &BlockRef) {
        if self.head.is_none_or(|head| head.number <= to.number) {
            return;
        }
        while self.changes.back().is_some_and(|(block, _)| block.number > to.number) {
            self.changes.pop_back();
        }
        self.head = Some(*to).filter(|_| !self.changes.is_empty());
    }
}

#[cfg(test)]
mod tests;
