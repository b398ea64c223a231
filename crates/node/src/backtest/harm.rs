//! What left an asset after it would have been contained, as far as its outflow detectors could see it.

use std::collections::BTreeMap;

use serde::Serialize;
use watchfire_detect::Holding;
use watchfire_types::{Address, AssetId, BlockRef, U256};

/// What a pause in the block after the first vote would have kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Saved {
    /// The asset.
    pub asset: AssetId,
    /// ERC-20 contract, or `None` for the native coin.
    pub token: Option<Address>,
    /// The block after the vote: the earliest that a pause can be in. What it moved itself counts as lost.
    pub from_block: u64,
    /// The last block replayed.
    pub to_block: u64,
    /// What left between these two, base units, decimal: by how much less was held than a block before, added up, and at most what was held at the first.
    pub amount: String,
}

#[derive(Debug)]
struct Held {
    /// At the first block after the vote.
    then: (u64, U256),
    now: (u64, U256),
    /// What left in between.
    left: U256,
}

/// Balances from the first vote of each asset on.
#[derive(Debug, Default)]
pub(super) struct Harm {
    contained: BTreeMap<AssetId, BlockRef>,
    /// By asset and coin, however many rules watch it.
    held: BTreeMap<(AssetId, Option<Address>), Held>,
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
        for Holding { asset, token, amount, .. } in holdings {
            let at = (block.number, amount);
            if self.contained.get(&asset).is_some_and(|vote| vote.number < block.number) {
                let held = self.held.entry((asset, token)).or_insert(Held { then: at, now: at, left: U256::ZERO });
                held.left = held.left.saturating_add(held.now.1.saturating_sub(amount));
                held.now = at;
            }
        }
    }

    /// What is known of it; nothing where no block after the vote was read.
    pub(super) fn saved(&self) -> Vec<Saved> {
        let saved = self.held.iter().map(|((asset, token), held)| Saved {
            asset: asset.clone(),
            token: *token,
            from_block: held.then.0,
            to_block: held.now.0,
            amount: held.left.min(held.then.1).to_string(),
        });
        saved.collect()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use watchfire_types::{B256, BlockTime, ChainId};

    use super::*;

    fn block(number: u64) -> BlockRef {
        BlockRef { chain: ChainId::new(1), number, hash: B256::ZERO, time: BlockTime::from_secs(number) }
    }

    /// What is said to be saved of these amounts, from block 2 on, each seen by these rules.
    fn saved(rules: &[&str], amounts: &[u64]) -> Vec<(Option<Address>, u64, u64, String)> {
        let mut harm = Harm::default();
        let asset: AssetId = "vault".parse().unwrap();
        harm.contained(&asset, block(1));
        for (number, amount) in (2..).zip(amounts) {
            let holding = |rule: &&str| Holding {
                detector: rule.parse().unwrap(),
                asset: asset.clone(),
                token: None,
                amount: U256::from(*amount),
            };
            harm.at(block(number), rules.iter().map(holding));
        }
        let saved = harm.saved().into_iter();
        saved.map(|saved| (saved.token, saved.from_block, saved.to_block, saved.amount)).collect()
    }

    /// A coin that two rules watch is told of once.
    #[test]
    fn a_coin_is_counted_once() {
        assert_eq!(saved(&["early", "late"], &[100, 40]), [(None, 2, 3, "60".to_owned())]);
    }

    /// What comes in later takes nothing off what left, and no more can be kept than was there.
    #[test]
    fn what_left_is_counted() {
        for (amounts, kept) in [
            (&[100, 40, 90][..], "60"),
            (&[100, 150, 90], "60"),
            (&[100, 40, 100, 70], "90"),
            (&[100, 0, 100, 0], "100"),
            (&[100, 120], "0"),
            (&[100], "0"),
        ] {
            assert_eq!(saved(&["one"], amounts)[0].3, kept, "{amounts:?}");
        }
    }
}
