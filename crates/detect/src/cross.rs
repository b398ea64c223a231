//! Numbers of two chains whose comparison must hold at one time: released against locked, minted against burned.
//!
//! A block of time t is judged by what both sides were at t less the lag, and not at all before the other chain's final block has passed that time: what no
//! reorg there takes back is the same on every node. The clocks of two chains may differ by the skew: it is enough that the comparison holds with one of the
//! values that the right side had so long before or after. A recovery does not excuse it: what is broken stands until it holds.
//!
//! Memory: two [`Track`]s.

use std::collections::BTreeSet;

use alloy_primitives::aliases::I512;
use watchfire_charter::CrossChain;
use watchfire_types::{BlockRef, BlockTime, BlockView, ChainId, Read};

use crate::detectors::Evaluation;
use crate::invariant::InvariantWatch;
use crate::track::Track;

/// One rule about two chains.
pub(crate) struct CrossWatch {
    rule: CrossChain,
    comparison: InvariantWatch,
    own: ChainId,
    elsewhere: ChainId,
    /// Each side's number; none at blocks where it was not answered.
    left: Track<Option<I512>>,
    right: Track<Option<I512>>,
    /// Time of the other chain's newest final block.
    passed: Option<BlockTime>,
}

impl CrossWatch {
    /// `comparison` is the rule's own, of its left and right side.
    pub(crate) fn new(rule: CrossChain, comparison: InvariantWatch, own: ChainId, elsewhere: ChainId) -> Self {
        Self { rule, comparison, own, elsewhere, left: Track::new(), right: Track::new(), passed: None }
    }

    /// What is read on its own chain.
    pub(crate) fn reads(&self) -> BTreeSet<Read> {
        self.comparison.left_reads().cloned().collect()
    }

    /// How far it looks back, seconds of block time.
    pub(crate) fn span_s(&self) -> u64 {
        self.rule.span_s()
    }

    /// Takes a block of any chain. Where both assets are on one, as only in a trial, there is nothing to compare.
    pub(crate) fn hear(&mut self, view: &BlockView) {
        if view.block.chain == self.elsewhere && self.own != self.elsewhere {
            self.right.take(&view.block, self.comparison.right_value(view));
        }
    }

    /// Takes that a block of any chain is final.
    pub(crate) fn hear_final(&mut self, block: &BlockRef) {
        if block.chain == self.elsewhere {
            self.passed = self.passed.max(Some(block.time));
        }
    }

    /// Takes and judges a block of its own chain.
    pub(crate) fn observe(&mut self, view: &BlockView) -> Evaluation {
        self.left.take(&view.block, self.comparison.left_value(view));
        let at = BlockTime::from_secs(view.block.time.as_secs().saturating_sub(self.rule.lag_s));
        self.judge(at).unwrap_or(Evaluation::Unknown)
    }

    /// What holds at a time that is past on both chains; `None` where that is not known.
    fn judge(&self, at: BlockTime) -> Option<Evaluation> {
        let skew_s = self.rule.skew_s;
        let from = BlockTime::from_secs(at.as_secs().saturating_sub(skew_s));
        let to = at.plus_secs(skew_s);
        self.passed.filter(|passed| *passed > to)?;
        let left = (*self.left.over(at, at)?.next_back()?)?;
        let (mut nearest, mut unread) = (None, false);
        for right in self.right.over(from, to)?.rev() {
            match *right {
                Some(right) if self.comparison.holds(left, right) => return Some(Evaluation::Quiet),
                Some(right) => nearest = nearest.or(Some(right)),
                None => unread = true,
            }
        }
        let right = nearest.filter(|_| !unread)?;
        let (mut explanation, mut figures) = self.comparison.broken(left, right);
        explanation.push_str(&format!(", {} s ago", self.rule.lag_s));
        figures.extend([
            ("elsewhere".to_owned(), self.rule.elsewhere.to_string()),
            ("elsewhere_chain".to_owned(), self.elsewhere.to_string()),
            ("at_s".to_owned(), at.as_secs().to_string()),
        ]);
        Some(Evaluation::Fires { explanation, figures })
    }

    /// Forgets every block above `to` of that chain.
    pub(crate) fn rollback(&mut self, to: &BlockRef) {
        if to.chain == self.own {
            self.left.rollback(to);
        }
        if to.chain == self.elsewhere {
            self.right.rollback(to);
        }
    }
}

#[cfg(test)]
mod tests;
