//! Names of changes, and the blocks that one excuses.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeSet;

use super::*;

const NETWORK: NetworkId = NetworkId::from_bytes([7; 32]);

fn change() -> Change {
    Change {
        version: CharterVersion::new(1),
        asset: "vault-core".parse().unwrap(),
        chain: ChainId::new(31_337),
        target: Address::repeat_byte(0xaa),
        call: ChangeCall::Selector(Selector([1, 2, 3, 4])),
        opens: BlockTime::from_secs(1_000),
        closes: BlockTime::from_secs(2_000),
        edition: 0,
    }
}

fn block(number: u64, time: u64) -> BlockRef {
    BlockRef { chain: ChainId::new(31_337), number, hash: B256::ZERO, time: BlockTime::from_secs(time) }
}

fn known(number: u64, at: u64) -> Known {
    Known { number, at: Timestamp::from_millis(at) }
}

/// Every part of a change is in its name, and nothing else is: two changes are one only where all is equal.
#[test]
fn every_part_is_in_the_name() {
    let base = change();
    let all = [
        base.clone(),
        Change { version: CharterVersion::new(2), ..base.clone() },
        Change { asset: "vault-cor".parse().unwrap(), ..base.clone() },
        Change { chain: ChainId::new(1), ..base.clone() },
        Change { target: Address::repeat_byte(0xab), ..base.clone() },
        Change { call: ChangeCall::Selector(Selector([1, 2, 3, 5])), ..base.clone() },
        Change { call: ChangeCall::Data(B256::repeat_byte(1)), ..base.clone() },
        Change { opens: BlockTime::from_secs(1_001), ..base.clone() },
        Change { closes: BlockTime::from_secs(2_001), ..base.clone() },
        Change { edition: 1, ..base.clone() },
    ];
    let names: BTreeSet<_> = all.iter().map(|change| change.id(NETWORK)).collect();
    assert_eq!(names.len(), all.len());
    assert_ne!(base.id(NETWORK), base.id(NetworkId::from_bytes([8; 32])));
    assert_eq!(base.id(NETWORK), change().id(NETWORK));
}

/// A block is excused in the window, by what was known before it by height and by clock, until it was taken back.
#[test]
fn only_blocks_after_it_was_known_are_covered() {
    let announced = Announced { id: change().id(NETWORK), change: change(), since: known(10, 1_100_500), until: None };
    assert!(announced.covers(&block(11, 1_101)));
    assert!(!announced.covers(&block(10, 1_101)), "the head when it became known");
    assert!(!announced.covers(&block(11, 1_100)), "made before it was known, as a node that catches up sees");
    assert!(announced.covers(&block(11, 2_000)) && !announced.covers(&block(11, 2_001)), "the window's end");
    let elsewhere = BlockRef { chain: ChainId::new(1), ..block(11, 1_101) };
    assert!(!announced.covers(&elsewhere));
    let early = Announced { since: known(0, 0), ..announced.clone() };
    assert!(early.covers(&block(11, 1_000)) && !early.covers(&block(11, 999)), "the window's beginning");
    let taken_back = Announced { until: Some(known(20, 1_500_000)), ..announced };
    assert!(taken_back.covers(&block(20, 1_501)) && taken_back.covers(&block(21, 1_500)));
    assert!(!taken_back.covers(&block(21, 1_501)));
}

/// A selector is eight hex digits, with or without `0x`.
#[test]
fn a_selector_is_read_as_it_is_shown() {
    let selector = Selector([0x84, 0x56, 0xcb, 0x59]);
    assert_eq!(selector.to_string(), "0x8456cb59");
    assert_eq!("0x8456cb59".parse::<Selector>().unwrap(), selector);
    assert_eq!("8456cb59".parse::<Selector>().unwrap(), selector);
    assert!("0x8456cb".parse::<Selector>().is_err() && "0x8456cb5900".parse::<Selector>().is_err());
}
