//! What the view forgets, it does not vouch for.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::Arc;

use watchfire_types::{BlockTime, Epoch};

use super::*;

fn block(number: u64) -> BlockRef {
    let time = BlockTime::from_secs(1_700_000_000 + number);
    BlockRef { chain: ChainId::new(31_337), number, hash: U256::from(number + 1).into(), time }
}

/// Evidence below the blocks remembered does not stand once they are full: nobody could say that it is canonical.
#[test]
fn forgotten_blocks_are_no_evidence() {
    let text = include_str!("../../../charter/tests-data/drill.charter.toml");
    let charter = Arc::new(watchfire_charter::parse(text).expect("parses").0);
    let member = charter.members.keys().next().expect("a member").clone();
    let epoch = Epoch::from_bytes([7; 16]);
    let mut machine = Machine::new(Arc::clone(&charter), charter.network_id(), member, epoch).expect("a member");
    let newest = BLOCKS_MAX as u64 + 10;
    let chain = machine.view.chains.get_mut(&ChainId::new(31_337)).expect("a chain");
    for number in 0..=newest {
        chain.extend(block(number));
    }
    let oldest = newest + 1 - BLOCKS_MAX as u64;
    assert!(machine.evidence_stands(&block(newest)) && machine.evidence_stands(&block(oldest)));
    assert!(!machine.evidence_stands(&block(oldest - 1)), "canonical, and forgotten");
    assert!(!machine.evidence_stands(&BlockRef { hash: B256::ZERO, ..block(3) }), "never canonical");
}
