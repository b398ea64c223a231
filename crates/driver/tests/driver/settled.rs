//! What a driver remembers to be owed is what follows from its machine, whatever came and in turns however small.

use std::collections::BTreeSet;

use watchfire_driver::{Door, Driver};
use watchfire_journal::MemoryStorage;
use watchfire_protocol::Draft;
use watchfire_types::Timestamp;
use watchfire_types::duty::Duty;
use watchfire_types::input::{Input, PreflightOutcome};
use watchfire_wire::decode_signed;

use crate::durability::{events_of_others, inputs, published};
use crate::world::{TestKeys, World, charter, gossip, open};

/// What a look at everything finds owed.
fn anew(driver: &Driver<MemoryStorage, TestKeys>, now: Timestamp) -> (Vec<Draft>, BTreeSet<Duty>) {
    let mut machine = driver.machine().clone();
    // A change, so that nothing that was worked out before counts.
    machine.begin(&[]).unwrap();
    machine.observe(now, &Input::Tick);
    let owed = machine.owed(now);
    (owed.drafts, owed.duties)
}

/// A whole decision with everything in a turn of its own, others' events from the last to the first.
#[test]
fn a_turn_leaves_nothing_owed_that_it_does_not_say() {
    let mut others = World::new((0..5).map(|_| MemoryStorage::new()).collect::<Vec<_>>(), 1_000, false);
    others.mine(&[], &[]);
    let calm = inputs(&others.chain, &[]);
    others.mine(&[], &["vault-outflow"]);
    let attack = inputs(&others.chain, &["vault-outflow"]);
    let theirs = events_of_others(&others);
    let gossip = theirs.iter().rev().zip(0..).map(|(outer, id)| Door::Gossip { id, bytes: gossip(outer) });
    let now = Timestamp::from_millis(others.now().as_millis() + 3_000);

    let (mut driver, _) = open(&charter(), 0, MemoryStorage::new(), 0x77, now);
    let mut said = Vec::new();
    for door in calm.into_iter().chain(attack).chain(gossip) {
        let mut doors = vec![door];
        while let Some(door) = doors.pop() {
            let output = driver.handle(now, vec![door]).unwrap();
            assert_eq!(anew(&driver, now), (Vec::new(), output.duties.clone()));
            said.extend(
                published(&output).iter().map(|outer| decode_signed(outer.clone()).unwrap().event().body.kind()),
            );
            for duty in output.duties {
                if let Duty::Preflight(asked) = duty {
                    let (safe_tx_hash, block, outcome) = (asked.safe_tx_hash, asked.at, PreflightOutcome::Passes);
                    doors.push(Door::Input(Input::Preflighted { safe_tx_hash, block, outcome }));
                }
            }
        }
    }
    // Then nothing but time, around every wait that there is: an answer, a turn to send, an idle simulation, an attestation.
    for after_ms in [1, 499, 500, 501, 999, 1_000, 1_999, 2_000, 2_001, 5_999, 6_000, 11_999, 12_000, 12_001, 30_000] {
        let at = now.plus_millis(after_ms);
        let output = driver.handle(at, vec![Door::Input(Input::Tick)]).unwrap();
        assert_eq!(anew(&driver, at), (Vec::new(), output.duties), "after {after_ms} ms");
    }
    for hour in [1, 2, 23, 24, 25, 48] {
        let at = now.plus_millis(hour * 3_600_000 + 60_000);
        let output = driver.handle(at, vec![Door::Input(Input::Tick)]).unwrap();
        assert_eq!(anew(&driver, at), (Vec::new(), output.duties), "after {hour} h");
    }
    assert!(said.contains(&"co-signature"), "the decision was carried to the signature, not only to {said:?}");
}
