//! What a driver remembers to be owed is what follows from its machine, whatever came and in turns however small.

use watchfire_driver::Door;
use watchfire_journal::MemoryStorage;
use watchfire_types::Timestamp;
use watchfire_types::duty::Duty;
use watchfire_types::input::{Input, PreflightOutcome};
use watchfire_wire::decode_signed;

use crate::durability::{events_of_others, inputs, published};
use crate::world::{World, charter, gossip, open};

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
            let mut anew = driver.machine().clone();
            anew.observe(now, &Input::Tick);
            let owed = anew.owed(now);
            assert_eq!((owed.drafts, owed.duties), (Vec::new(), output.duties.clone()));
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
    assert!(said.contains(&"co-signature"), "the decision was carried to the signature, not only to {said:?}");
}
