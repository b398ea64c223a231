//! The blocks that were emitted, newest last: what a reorg is measured against. Pure.

use std::collections::VecDeque;

use alloy_primitives::B256;
use watchfire_types::BlockRef;

#[cfg(test)]
mod tests;

/// Blocks kept; a reorg that reaches below them orphans all of them.
const KEPT_MAX: usize = 4_096;

#[derive(Debug, Default)]
pub(crate) struct Canonical {
    blocks: VecDeque<BlockRef>,
}

impl Canonical {
    pub(crate) fn tip(&self) -> Option<&BlockRef> {
        self.blocks.back()
    }

    pub(crate) fn oldest(&self) -> Option<&BlockRef> {
        self.blocks.front()
    }

    pub(crate) fn at(&self, number: u64) -> Option<&BlockRef> {
        let first = self.blocks.front()?.number;
        self.blocks.get(usize::try_from(number.checked_sub(first)?).ok()?)
    }

    pub(crate) fn holds(&self, number: u64, hash: B256) -> bool {
        self.at(number).is_some_and(|block| block.hash == hash)
    }

    /// Appends a child of the tip; says whether it is one.
    pub(crate) fn push(&mut self, block: BlockRef, parent: B256) -> Linked {
        let follows =
            self.tip().is_none_or(|tip| tip.hash == parent && tip.number.checked_add(1) == Some(block.number));
        if !follows {
            return Linked::No;
        }
        if self.blocks.len() == KEPT_MAX {
            self.blocks.pop_front();
        }
        self.blocks.push_back(block);
        Linked::Yes
    }

    /// Drops every block above `number`, highest first.
    pub(crate) fn orphan_above(&mut self, number: u64) -> Vec<BlockRef> {
        let mut dropped = Vec::new();
        while self.tip().is_some_and(|tip| tip.number > number) {
            dropped.extend(self.blocks.pop_back());
        }
        dropped
    }

    /// Drops everything, highest first.
    pub(crate) fn orphan_all(&mut self) -> Vec<BlockRef> {
        self.blocks.drain(..).rev().collect()
    }
}

/// Whether a block is its predecessor's child.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Linked {
    Yes,
    No,
}
