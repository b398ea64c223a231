//! Numbers are compared as what they stand for, wherever they stand in the answer.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use alloy_primitives::{I256, U256};
use proptest::prelude::*;

use super::StateExpectation;

fn signed(min: i64, max: i64) -> StateExpectation {
    let raw = |number: i64| Some(I256::try_from(number).unwrap().into_raw());
    StateExpectation::Number { word: 1, signed: true, min: raw(min), max: raw(max) }
}

#[test]
fn the_word_that_was_chosen_is_measured() {
    let answer: Vec<u8> = (1..=3_u64).flat_map(|n| U256::from(n).to_be_bytes::<32>()).collect();
    assert_eq!(signed(0, 0).number(&answer), Some(U256::from(2)));
    assert_eq!(signed(0, 0).number(&answer[..63]), None, "too short an answer");
    let one = StateExpectation::Within { min: None, max: None };
    assert_eq!((one.number(&answer), one.number(&answer[..32])), (None, Some(U256::from(1))));
    assert_eq!(StateExpectation::Unchanged.number(&answer[..32]), None);
}

proptest! {
    #[test]
    fn signed_bounds_are_those_of_the_numbers(number: i64, min: i64, max: i64) {
        let expectation = signed(min, max);
        let word = I256::try_from(number).unwrap().into_raw();
        prop_assert_eq!(expectation.bounds(word), (min..=max).contains(&number));
        prop_assert_eq!(expectation.decimal(word), number.to_string());
    }
}
