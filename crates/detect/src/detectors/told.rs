//! What rules say of themselves beside findings: what they could not see, and what they saw held.

use alloy_primitives::{Address, U256};
use watchfire_charter::expression::NoAnswer;
use watchfire_types::{AssetId, BlockRef, DetectorId};

use super::{Detectors, Watching};

/// A detector that sees nothing of what it watches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blind {
    /// Which.
    pub detector: DetectorId,
    /// What it is for.
    pub asset: AssetId,
    /// Newest blocks in a row that it could not read.
    pub blocks: u64,
}

/// How often an expression had no answer, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unanswered {
    /// Which detector.
    pub detector: DetectorId,
    /// What it is for.
    pub asset: AssetId,
    /// Why.
    pub cause: NoAnswer,
    /// Logs or transactions.
    pub count: u64,
}

/// What an outflow detector saw its group hold at the newest block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holding {
    /// Which detector.
    pub detector: DetectorId,
    /// What it is for.
    pub asset: AssetId,
    /// ERC-20 contract, or `None` for the native coin.
    pub token: Option<Address>,
    /// Sum over the group, base units.
    pub amount: U256,
}

impl Detectors {
    /// How often expressions had no answer so far: such a log or transaction is no finding, and nobody else would notice. In the order of the
    /// detectors; blocks that a reorg took back count as well.
    pub fn unanswered(&self) -> impl Iterator<Item = Unanswered> {
        self.rules.iter().flat_map(|rule| {
            let causes = match &rule.watching {
                Watching::Expression(watch) => Some(watch.unanswered()),
                _ => None,
            };
            causes.into_iter().flatten().map(|(cause, count)| Unanswered {
                detector: rule.id.clone(),
                asset: rule.asset.clone(),
                cause,
                count,
            })
        })
    }

    /// Detectors to which at least `blocks` blocks in a row, up to the newest, gave no answer: a call that reverts where a balance should
    /// be, or a read on which too few operators agree. They find nothing meanwhile, which nobody else would notice.
    pub fn blind(&self, blocks: u64) -> impl Iterator<Item = Blind> {
        let blind = self.rules.iter().filter(move |rule| rule.unread >= blocks);
        blind.map(|rule| Blind { detector: rule.id.clone(), asset: rule.asset.clone(), blocks: rule.unread })
    }

    /// What each outflow detector that could read its group's balances at `block` saw there.
    pub fn holdings(&self, block: &BlockRef) -> impl Iterator<Item = Holding> {
        self.rules.iter().filter_map(move |rule| {
            let Watching::Outflow(watch) = &rule.watching else { return None };
            let amount = watch.held(block)?;
            Some(Holding { detector: rule.id.clone(), asset: rule.asset.clone(), token: watch.token(), amount })
        })
    }
}
