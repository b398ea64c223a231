//! The kept chain is always linked, and a reorg gives back exactly what it dropped.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use alloy_primitives::{B256, U256};
use proptest::prelude::*;
use watchfire_types::{BlockRef, BlockTime, ChainId};

use super::{Canonical, KEPT_MAX, Linked};

fn block(number: u64, branch: u64) -> BlockRef {
    let hash = B256::from(U256::from(number) << 64 | U256::from(branch));
    BlockRef { chain: ChainId::new(1), number, hash, time: BlockTime::from_secs(number) }
}

/// Goal: only a child of the tip is taken, and the length is bounded.
#[test]
fn only_children_are_taken() {
    let mut chain = Canonical::default();
    assert_eq!(chain.push(block(5, 0), B256::ZERO), Linked::Yes);
    assert_eq!(chain.push(block(6, 0), B256::ZERO), Linked::No, "wrong parent");
    assert_eq!(chain.push(block(7, 0), block(5, 0).hash), Linked::No, "a gap");
    for number in 6..6 + KEPT_MAX as u64 {
        assert_eq!(chain.push(block(number, 0), block(number - 1, 0).hash), Linked::Yes);
    }
    assert_eq!(chain.oldest(), Some(&block(6, 0)));
    assert_eq!(chain.at(5), None);
    assert!(chain.holds(6, block(6, 0).hash) && !chain.holds(6, block(6, 1).hash));
}

proptest! {
    /// Goal: whatever the depths of the reorgs, dropped blocks come highest first and the rest stays linked.
    #[test]
    fn reorgs_of_any_depth(depths in proptest::collection::vec(0u64..40, 1..20)) {
        let mut chain = Canonical::default();
        chain.push(block(0, 0), B256::ZERO);
        for (branch, depth) in (1u64..).zip(depths) {
            let tip = chain.tip().unwrap().number;
            let keep = tip.saturating_sub(depth);
            let dropped = chain.orphan_above(keep);
            prop_assert_eq!(dropped.len() as u64, tip - keep);
            prop_assert!(dropped.windows(2).all(|pair| pair[0].number == pair[1].number + 1));
            prop_assert_eq!(chain.tip().unwrap().number, keep);
            for number in keep + 1..keep + 20 {
                let parent = chain.tip().unwrap().hash;
                prop_assert_eq!(chain.push(block(number, branch), parent), Linked::Yes);
            }
        }
    }
}
