//! Whose turn it is to be held against the log.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeSet;

use watchfire_journal::MemoryStorage;
use watchfire_types::{Epoch, NetworkId};

use super::*;

/// With more kept checkpoints than are judged at once each has its turn, in as few turns as there can be, again and again.
#[test]
fn each_has_its_turn() {
    let text = include_str!("../../../../charter/tests-data/drill.charter.toml");
    let charter = watchfire_charter::parse(text).unwrap().0;
    let own = charter.members.keys().next().unwrap().clone();
    let mut witness = Witness::open([MemoryStorage::new(), MemoryStorage::new()], &charter, &own).unwrap();
    let origin = |number: usize| Origin {
        network: NetworkId::from_bytes([1; 32]),
        member: own.clone(),
        epoch: Epoch::from_bytes((number as u128).to_be_bytes()),
    };
    for count in [JUDGED_AT_ONCE + 1, 2 * JUDGED_AT_ONCE + 1] {
        witness.unjudged = (0..count).map(|number| (origin(number), 3)).collect();
        for _ in 0..2 {
            let mut judged = BTreeSet::new();
            for _ in 0..count.div_ceil(JUDGED_AT_ONCE) {
                let next = witness.next_unjudged();
                assert!(next.len() <= JUDGED_AT_ONCE);
                judged.extend(next);
            }
            assert_eq!(judged, witness.unjudged);
        }
    }
}
