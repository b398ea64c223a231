//! Hash chains: strict about neighbours, tolerant of holes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use proptest::prelude::*;
use watchfire_types::{Epoch, EventHash, MemberKey, Seq};

use super::{ChainFaultKind, ChainLink, HashChains};

fn hash(byte: u8) -> EventHash {
    EventHash::from_bytes([byte; 32])
}

fn link(seq: u64, prev: u8, own: u8) -> ChainLink {
    ChainLink {
        author: MemberKey::from_bytes([7; 32]),
        epoch: Epoch::from_bytes([9; 16]),
        seq: Seq::new(seq),
        prev: hash(prev),
        hash: hash(own),
    }
}

fn check(links: &[ChainLink], expected: &[(u64, ChainFaultKind)]) {
    let mut chains = HashChains::new();
    links.iter().for_each(|link| chains.push(*link));
    let faults: Vec<_> = chains.faults().into_iter().map(|fault| (fault.link.seq.get(), fault.kind)).collect();
    assert_eq!(faults, expected);
}

/// A whole chain, and one with holes, hold.
#[test]
fn holes_are_allowed() {
    check(&[link(0, 0, 1), link(1, 1, 2), link(2, 2, 3)], &[]);
    check(&[link(0, 0, 1), link(2, 2, 3), link(7, 50, 51)], &[]);
    check(&[], &[]);
}

/// Each thing that may not be has its name.
#[test]
fn faults_are_named() {
    check(&[link(0, 5, 1)], &[(0, ChainFaultKind::FirstHasPredecessor)]);
    check(&[link(0, 0, 1), link(1, 9, 2)], &[(1, ChainFaultKind::Unlinked { held: hash(1) })]);
    check(&[link(0, 0, 1), link(1, 1, 2), link(1, 1, 3)], &[(1, ChainFaultKind::Conflict { with: hash(2) })]);
    check(&[link(4, 3, 4), link(4, 3, 4)], &[(4, ChainFaultKind::Duplicate)]);
}

/// What follows either side of a fork is linked; what follows neither is not.
#[test]
fn both_sides_of_a_fork_can_go_on() {
    let fork = [link(0, 0, 1), link(1, 1, 2), link(1, 1, 3)];
    let conflict = (1, ChainFaultKind::Conflict { with: hash(2) });
    for side in [2, 3] {
        check(&[&fork[..], &[link(2, side, 4)]].concat(), &[conflict]);
    }
    check(&[&fork[..], &[link(2, 8, 4)]].concat(), &[conflict, (2, ChainFaultKind::Unlinked { held: hash(2) })]);
}

proptest! {
    /// The order in which links are given changes nothing, and a chain with any part left out holds.
    #[test]
    fn any_order_any_holes(held in prop::collection::vec(any::<bool>(), 1..40), seed in any::<u64>()) {
        let mut links: Vec<_> = (0u8..).zip(&held).filter(|(_, held)| **held)
            .map(|(seq, _)| link(u64::from(seq), seq, seq + 1)).collect();
        let turn = usize::try_from(seed % 41).unwrap() % links.len().max(1);
        links.rotate_left(turn);
        let mut chains = HashChains::new();
        links.iter().for_each(|link| chains.push(*link));
        prop_assert_eq!(chains.faults(), vec![]);
    }
}
