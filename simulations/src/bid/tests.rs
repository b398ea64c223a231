//! A bump is an eighth more on both fields, and the included bid is one.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;

fn bids(fees: &[(u128, u128)]) -> Vec<Bid> {
    (0..)
        .zip(fees)
        .map(|(at, (max_fee, tip))| Bid { hash: B256::repeat_byte(at), max_fee: *max_fee, tip: *tip })
        .collect()
}

/// A first bid is none, an unknown one neither; each field counts, and so does every bid on the way.
#[test]
fn an_eighth_on_both_fields() {
    let last = |fees: &[(u128, u128)]| bumped(&bids(fees), B256::repeat_byte(u8::try_from(fees.len() - 1).unwrap()));
    assert!(!last(&[(800, 80)]));
    assert!(last(&[(800, 80), (900, 90)]) && last(&[(800, 80), (900, 90), (5_000, 102)]));
    assert!(!last(&[(800, 80), (899, 90)]) && !last(&[(800, 80), (900, 89)]));
    assert!(!last(&[(800, 80), (810, 81), (2_000, 200)]));
    assert!(!bumped(&bids(&[(800, 80), (900, 90)]), B256::repeat_byte(0)), "the first one was included");
    assert!(!bumped(&bids(&[(800, 80), (900, 90)]), B256::repeat_byte(9)));
}
