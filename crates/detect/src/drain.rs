//! A token that leaves many accounts for one recipient within a window: what drained allowances look like in logs.
//!
//! From `Transfer` logs (EIP-20) alone, which do not tell who moved the token: a run of deposits to one contract looks the same, so that
//! the rule excludes the asset's own addresses and the charter's list, and is of class context unless the charter says otherwise.
//! Mints, burns and amounts below the least do not count: anybody can log a transfer of nothing in another's name.
//!
//! Memory: at most [`BLOCK_PAIRS_MAX`] transfers of one block count, and of the window the newest blocks that hold [`PAIRS_MAX`]
//! together; with what a reorg may need below, at most 33,024 entries of about 120 bytes a rule.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use alloy_primitives::{Address, B256, U256};
use watchfire_charter::privileged::TRANSFER;
use watchfire_types::{BlockRef, BlockView, Log};

use crate::detectors::Evaluation;
use crate::is_settled;

/// Transfers of one block that count, the first in block order.
const BLOCK_PAIRS_MAX: usize = 256;
/// Transfers of a window that count, the newest.
const PAIRS_MAX: usize = 16_384;
/// Most transfers that are kept, with what a reorg may need.
pub(crate) const ENTRIES_MAX: u64 = PAIRS_MAX as u64 + 65 * BLOCK_PAIRS_MAX as u64;

struct Moved {
    from: Address,
    to: Address,
    amount: U256,
}

struct Block {
    block: BlockRef,
    moved: Vec<Moved>,
}

/// What fires, as in `watchfire_charter::Watch::ApprovalDrain`.
pub(crate) struct Bounds {
    pub(crate) token: Address,
    pub(crate) victims: u16,
    pub(crate) window_s: u64,
    pub(crate) least: U256,
    /// Recipients that do not count, the asset's own among them.
    pub(crate) exclude: BTreeSet<Address>,
}

/// One approval-drain rule.
pub(crate) struct DrainWatch {
    bounds: Bounds,
    /// Blocks of the window with a transfer that counts.
    blocks: VecDeque<Block>,
}

impl DrainWatch {
    pub(crate) fn new(bounds: Bounds) -> Self {
        Self { bounds, blocks: VecDeque::new() }
    }

    pub(crate) fn window_s(&self) -> u64 {
        self.bounds.window_s
    }

    /// The token, and the first topic of its transfers.
    pub(crate) fn key(&self) -> (Address, B256) {
        (self.bounds.token, TRANSFER)
    }

    /// Takes a block with those of its logs that have [`Self::key`], in order; others among them do no harm.
    pub(crate) fn observe<'a>(
        &mut self,
        view: &BlockView,
        logs: impl Iterator<Item = &'a Log>,
        floor: Option<&BlockRef>,
    ) -> Evaluation {
        self.take(&view.block, logs);
        self.evaluate(&view.block, floor)
    }

    pub(crate) fn rollback(&mut self, to: &BlockRef) {
        while self.blocks.back().is_some_and(|block| block.block.number > to.number) {
            self.blocks.pop_back();
        }
    }

    fn counting<'a>(&self, logs: impl Iterator<Item = &'a Log>) -> impl Iterator<Item = Moved> {
        logs.filter(|log| log.address == self.bounds.token && log.data.len() == 32).filter_map(|log| {
            let [TRANSFER, from, to] = log.topics[..] else { return None };
            let (from, to) = (Address::from_word(from), Address::from_word(to));
            let amount = U256::from_be_slice(&log.data);
            let nobody = from.is_zero() || to.is_zero() || from == to || self.bounds.exclude.contains(&to);
            (!nobody && amount >= self.bounds.least).then_some(Moved { from, to, amount })
        })
    }

    fn take<'a>(&mut self, block: &BlockRef, logs: impl Iterator<Item = &'a Log>) {
        let moved: Vec<_> = self.counting(logs).take(BLOCK_PAIRS_MAX).collect();
        if !moved.is_empty() {
            self.blocks.push_back(Block { block: *block, moved });
        }
        self.forget(block);
    }

    /// Forgets what is in the window of no head that a reorg may leave, and what is beyond what counts at each of them.
    fn forget(&mut self, head: &BlockRef) {
        let settled = || self.blocks.iter().filter(|block| is_settled(&block.block, head));
        let Some(newest) = settled().next_back().map(|block| block.block.time.as_secs()) else { return };
        let starts = newest.saturating_sub(self.bounds.window_s);
        let mut pairs: usize = settled().map(|block| block.moved.len()).sum();
        while let Some(oldest) = self.blocks.front().filter(|block| is_settled(&block.block, head)) {
            pairs -= oldest.moved.len();
            if oldest.block.time.as_secs() > starts && pairs < PAIRS_MAX {
                break;
            }
            self.blocks.pop_front();
        }
    }

    fn evaluate(&self, head: &BlockRef, floor: Option<&BlockRef>) -> Evaluation {
        let starts = head.time.as_secs().saturating_sub(self.bounds.window_s);
        let mut counted = 0_usize;
        let mut recipients: BTreeMap<Address, (BTreeSet<Address>, U256)> = BTreeMap::new();
        for block in self.blocks.iter().rev() {
            let over = floor.is_some_and(|floor| block.block.number <= floor.number);
            if over || block.block.time.as_secs() <= starts || counted >= PAIRS_MAX {
                break;
            }
            counted += block.moved.len();
            for Moved { from, to, amount } in &block.moved {
                let (victims, taken) = recipients.entry(*to).or_default();
                victims.insert(*from);
                *taken = taken.saturating_add(*amount);
            }
        }
        // Of several, the one with the most victims, then the lowest address.
        let most = recipients.iter().max_by_key(|(to, (victims, _))| (victims.len(), std::cmp::Reverse(**to)));
        match most.filter(|(_, (victims, _))| victims.len() >= usize::from(self.bounds.victims)) {
            Some((to, (victims, taken))) => self.fires(*to, victims.len(), *taken),
            None => Evaluation::Quiet,
        }
    }

    fn fires(&self, to: Address, victims: usize, taken: U256) -> Evaluation {
        let Bounds { token, window_s, .. } = &self.bounds;
        Evaluation::Fires {
            explanation: format!(
                "{taken} base units of {token} went from {victims} accounts to {to} within {window_s} s; {} are a drain",
                self.bounds.victims
            ),
            figures: BTreeMap::from([
                ("token".to_owned(), token.to_string()),
                ("recipient".to_owned(), to.to_string()),
                ("victims".to_owned(), victims.to_string()),
                ("victims_allowed".to_owned(), self.bounds.victims.saturating_sub(1).to_string()),
                ("amount".to_owned(), taken.to_string()),
                ("window_s".to_owned(), window_s.to_string()),
            ]),
        }
    }
}

#[cfg(test)]
mod tests;
