//! Bids only rise, by at least an eighth on both fields, and never above what may be spent.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use proptest::prelude::*;
use watchfire_types::Severity;

use super::{Bid, TIP_WEI_MIN, gas_limit};

proptest! {
    /// Goal: geth takes a replacement only at +10 % on both fields; ours are at least +12.5 %, also on a tip of 1 wei.
    #[test]
    fn a_bump_raises_both_fields(base in 0u128..1 << 60, tip in 0u128..1 << 60, later in 0u128..1 << 60) {
        let first = Bid::first(base, tip);
        prop_assert!(first.tip >= TIP_WEI_MIN && first.max_fee >= base * 3 + first.tip);
        let next = first.bumped(later, tip);
        prop_assert!(next.max_fee * 8 >= first.max_fee * 9 && next.tip * 8 >= first.tip * 9);
        prop_assert!(next.max_fee >= next.tip);
        prop_assert!(next.suffices(later) && next.replaces(first) && !first.replaces(next));
    }

    /// Goal: what is bid is affordable, and a SEV1 bid is cut by the balance alone.
    #[test]
    fn a_bid_is_within_the_balance(base in 1u128..1 << 50, gas in 21_000u64..1 << 24, balance in 0u128..1 << 90) {
        let wanted = Bid { max_fee: base * 1_000_000, tip: base };
        match wanted.within(gas, balance, base, Severity::Sev1) {
            Some(bid) => {
                prop_assert!(bid.max_fee * u128::from(gas) <= balance && bid.max_fee > base && bid.tip <= bid.max_fee);
                prop_assert_eq!(bid.max_fee, wanted.max_fee.min(balance / u128::from(gas)));
            }
            None => prop_assert!(balance / u128::from(gas) <= base),
        }
    }
}

/// Goal: what a balance cuts to less than an eighth more is no bump.
#[test]
fn an_eighth_is_the_least() {
    let before = Bid { max_fee: 80_000, tip: 8_000 };
    assert!(Bid { max_fee: 90_000, tip: 9_000 }.replaces(before));
    assert!(!Bid { max_fee: 89_999, tip: 9_000 }.replaces(before));
    assert!(!Bid { max_fee: 90_000, tip: 8_999 }.replaces(before));
}

/// Goal: extremes neither wrap nor panic.
#[test]
fn extremes_saturate() {
    let bid = Bid { max_fee: u128::MAX, tip: u128::MAX }.bumped(u128::MAX, u128::MAX);
    assert_eq!(bid.max_fee, u128::MAX);
    assert_eq!(bid.within(0, u128::MAX, 0, Severity::Sev1), Some(bid));
    assert_eq!(gas_limit(u64::MAX, 16_777_216), 16_777_216);
    assert_eq!(gas_limit(100_000, 16_777_216), 150_000);
}
