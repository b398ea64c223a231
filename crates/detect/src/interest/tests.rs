//! What is left out concerns nobody, by the bloom and by the log itself.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use alloy_primitives::Bloom;
use proptest::prelude::*;
use watchfire_charter::privileged::TRANSFER;

use super::*;

fn keys() -> impl Iterator<Item = (Address, B256)> {
    [(1, 1), (1, 2), (3, 1)].into_iter().map(|(contract, event)| (address(contract), topic(event)))
}

fn interest() -> Interest {
    Interest::new(keys(), Strangers::Ignored)
}

fn address(nth: u8) -> Address {
    Address::repeat_byte(nth)
}

fn topic(nth: u8) -> B256 {
    B256::repeat_byte(nth)
}

proptest! {
    /// A log concerns a rule by its contract and first topic, or anybody by its contract; and the bloom never denies a block that holds one.
    #[test]
    fn nothing_that_concerns_is_left_out(logs in prop::collection::vec((0_u8..5, prop::collection::vec(0_u8..4, 0..5)), 0..12)) {
        let interest = interest().with_contracts([address(4)].iter());
        let (mut bloom, mut any) = (Bloom::ZERO, false);
        for (contract, topics) in logs {
            let expected = matches!((contract, topics.first()), (1, Some(1 | 2)) | (3, Some(1)) | (4, _));
            let topics: Vec<B256> = topics.into_iter().map(topic).collect();
            prop_assert_eq!(interest.concerns(&address(contract), &topics), expected);
            bloom.accrue_raw_log(address(contract), &topics);
            any |= expected;
        }
        prop_assert!(!any || interest.may_concern(bloom.data()));
    }
}

/// A bloom without the contract, or without any of its events, concerns nobody.
#[test]
fn blooms_deny() {
    let bloom = |contract: u8, event: u8| {
        let mut bloom = Bloom::ZERO;
        bloom.accrue_raw_log(address(contract), &[topic(event)]);
        interest().may_concern(bloom.data())
    };
    assert_eq!([(1, 1), (1, 2), (3, 1)].map(|(contract, event)| bloom(contract, event)), [true; 3]);
    assert_eq!([(2, 1), (1, 3), (3, 2)].map(|(contract, event)| bloom(contract, event)), [false; 3]);
    assert!(!interest().may_concern(Bloom::ZERO.data()));
    let mut any = Bloom::ZERO;
    any.accrue_raw_log(address(2), &[]);
    assert!(interest().with_contracts([address(2)].iter()).may_concern(any.data()));
}

/// Where every log is looked at each concerns somebody, and so does every block that has one.
#[test]
fn all_is_all() {
    let interest = Interest::new(keys(), Strangers::All);
    assert!(interest.concerns(&address(9), &[]));
    let mut bloom = Bloom::ZERO;
    bloom.accrue_raw_log(address(9), &[]);
    assert_eq!([bloom, Bloom::ZERO].map(|bloom| interest.may_concern(bloom.data())), [true, false]);
}

/// Where supplies are looked at, those of every token concern somebody, and no block does by them alone.
#[test]
fn supplies_are_those_of_any_token() {
    let interest = Interest::new(keys(), Strangers::Supplies);
    let (from, to) = (address(7).into_word(), B256::ZERO);
    let topics = [TRANSFER, from, to];
    assert!(interest.concerns(&address(9), &topics), "to nobody");
    assert!(interest.concerns(&address(7), &[TRANSFER, from, address(8).into_word()]), "from itself");
    assert!(!interest.concerns(&address(7), &topics), "from itself to nobody");
    assert!(!interest.concerns(&address(9), &[TRANSFER, from, from]), "from one to another");
    let mut bloom = Bloom::ZERO;
    bloom.accrue_raw_log(address(9), &topics);
    assert!(!interest.may_concern(bloom.data()));
}
