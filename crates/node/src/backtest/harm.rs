//! What left an asset after it would have been contained, as far as its outflow detectors could see it.

use std::collections::BTreeMap;

use serde::Serialize;
use watchfire_detect::Holding;
use watchfire_types::{Address, AssetId, BlockRef, DetectorId, U256};

/// What a pause in the block after the first vote would have kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Saved {
    /// The asset.
    pub asset: AssetId,
    /// The detector that watched what it held.
    pub detector: DetectorId,
    /// ERC-20 contract, or `None` for the native coin.
    pub token: Option<Address>,
    /// The block after the vote: the earliest that a pause can be in. What it moved itself counts as lost.
    pub from_block: u64,
    /// The last block replayed.
    pub to_block: u64,
    /// What left between these two, base units, decimal; 0 where the asset held no less in the end.
    pub amount: String,
}

#[derive(Debug)]
struct Held {
    asset: AssetId,
    token: Option<Address>,
    /// At the first block after the vote.
    then: (u64, U256),
    now: (u64, U256),
}

/// Balances from the first vote of each asset on.
#[derive(Debug, Default)]
pub(super) struct Harm {
    contained: BTreeMap<AssetId, BlockRef>,
    held: BTreeMap<DetectorId, Held>,
}

impl Harm {
    /// A step for this asset was voted at this block.
    pub(super) fn contained(&mut self, asset: &AssetId, block: BlockRef) {
        self.contained.entry(asset.clone()).or_insert(block);
    }

    /// What is held at the next block.
    pub(super) fn at(&mut self, block: BlockRef, holdings: impl Iterator<Item = Holding>) {
        if self.contained.is_empty() {
            return;
        }
        for Holding { detector, asset, token, amount } in holdings {
            let at = (block.number, amount);
            if self.contained.get(&asset).is_some_and(|vote| vote.number < block.number) {
                self.held.entry(detector).or_insert(Held { asset, token, then: at, now: at }).now = at;
            }
        }
    }

    /// What is known of it; nothing where no block after the vote was read.
    pub(super) fn saved(&self) -> Vec<Saved> {
        let saved = self.held.iter().map(|(detector, held)| Saved {
            asset: held.asset.clone(),
            detector: detector.clone(),
            token: held.token,
            from_block: held.then.0,
            to_block: held.now.0,
            amount: held.then.1.saturating_sub(held.now.1).to_string(),
        });
        saved.collect()
    }
}
