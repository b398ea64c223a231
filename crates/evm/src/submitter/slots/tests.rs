//! Which transactions of a nonce are watched, and which one stands.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use alloy_primitives::{B256, U256};

use super::{ASKED_MAX, SENT_MAX, Sent, Slots};
use crate::fees::Bid;

const NONCE: u64 = 7;

fn hash(index: usize) -> B256 {
    B256::from(U256::from(index + 1))
}

fn sent(index: usize, of: B256) -> Sent {
    let fee = 1_000 + index as u128;
    let raw = vec![u8::try_from(index % 256).unwrap()].into();
    Sent { safe_tx_hash: of, hash: hash(index), raw, bid: Bid { max_fee: fee, tip: fee }, at_head: 0, void: false }
}

fn watched(slots: &mut Slots) -> Vec<B256> {
    let (newest, older) = slots.get_mut(NONCE).unwrap().watched();
    assert!(newest.len() <= ASKED_MAX);
    newest.into_iter().chain(older).collect()
}

/// Goal: the first transaction of a nonce is watched however many replaced it, for it may be the one that a block holds.
#[test]
fn the_first_is_watched_after_many_bumps() {
    let mut slots = Slots::default();
    for index in 0..200 {
        slots.record(NONCE, sent(index, hash(1_000)));
    }
    let expected: Vec<B256> = (0..200).rev().map(hash).collect();
    assert_eq!(watched(&mut slots), expected);
}

/// Goal: the number is bounded, and what everybody refused makes room first.
#[test]
fn what_was_refused_is_forgotten_first() {
    let mut slots = Slots::default();
    for index in 0..SENT_MAX {
        slots.record(NONCE, sent(index, hash(1_000)));
    }
    slots.void(NONCE, hash(3));
    slots.record(NONCE, sent(SENT_MAX, hash(1_000)));
    let known = watched(&mut slots);
    assert!(known.len() == SENT_MAX && known.contains(&hash(0)) && !known.contains(&hash(3)));
    slots.record(NONCE, sent(SENT_MAX + 1, hash(1_000)));
    let known = watched(&mut slots);
    assert!(known.len() == SENT_MAX && !known.contains(&hash(0)) && known.contains(&hash(SENT_MAX)));
}

/// Goal: what stands for a submission is its own newest that somebody took, and nothing where another's bid is above it.
#[test]
fn anothers_bid_is_not_handed_out_again() {
    let mut slots = Slots::default();
    let (mine, other) = (hash(1_000), hash(1_001));
    assert_eq!(slots.standing(NONCE, &mine), None);
    slots.record(NONCE, sent(0, mine));
    slots.record(NONCE, sent(1, mine));
    assert_eq!(slots.standing(NONCE, &mine), Some(vec![1].into()));
    slots.void(NONCE, hash(1));
    assert_eq!(slots.standing(NONCE, &mine), Some(vec![0].into()));
    slots.record(NONCE, sent(2, other));
    assert_eq!(slots.standing(NONCE, &mine), None);
}
