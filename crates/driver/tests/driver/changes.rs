//! Planned changes through the driver: what a node's rules are quiet about is durable before it is said, and known again by the next process.

use alloy_primitives::{Address, B256};
use watchfire_driver::Door;
use watchfire_journal::MemoryStorage;
use watchfire_types::Body;
use watchfire_types::body::{Announced, Change, ChangeCall, ChangeCounted, Human};
use watchfire_types::input::{HumanAct, Input};

use crate::world::{World, open};

fn change(world: &World<MemoryStorage>) -> Change {
    let head = world.chain.head().at;
    Change {
        version: world.charter.version,
        asset: "vault-core".parse().unwrap(),
        chain: head.chain,
        target: Address::repeat_byte(0x10),
        call: ChangeCall::Data(B256::repeat_byte(0xca)),
        opens: head.time.plus_secs(1),
        closes: head.time.plus_secs(3_600),
        edition: 0,
    }
}

fn support(world: &mut World<MemoryStorage>, index: usize, change: &Change) {
    let human = Human { person: "p1".into(), role: "lead".into(), reason: "planned".into() };
    let act = HumanAct::SupportChange { change: Box::new(change.clone()), human };
    world.schedule(world.now_us, index, Door::Input(Input::Human(act)));
    world.settle();
}

/// Three organisations announce a change over a network with delays; each node then says what it knew, and another process over the same files
/// knows the same before it hears anybody.
#[test]
fn what_counts_outlives_the_process() {
    let storages = (0..5).map(|_| MemoryStorage::new()).collect();
    let mut world = World::new(storages, 20_000, false);
    world.mine(&[], &[]);
    let planned = change(&world);
    for index in 0..3 {
        assert!(world.nodes.iter().all(|node| node.driver.machine().announced().is_empty()), "{index}");
        support(&mut world, index, &planned);
    }
    assert_eq!(world.digests().len(), 1);
    for index in 0..5 {
        let known: Vec<Announced> = world.nodes[index].driver.machine().announced();
        assert_eq!(known.len(), 1, "{index}");
        assert_eq!(known[0].change, planned);
        // It is among what a sync made durable: what the detectors are told rests on it.
        let said = |body: &Body| matches!(body, Body::ChangeCounted(ChangeCounted { counts: true, .. }));
        assert!(world.nodes[index].log.iter().any(|event| said(&event.body)), "{index}");
        let kept = MemoryStorage::with_files(world.nodes[index].storage.files());
        let epoch = 0x80 + u8::try_from(index).unwrap();
        let (again, output) = open(&world.charter, index, kept, epoch, world.now().plus_millis(86_400_000));
        assert_eq!(output.announced, known, "{index}");
        assert_eq!(again.machine().announced(), known);
    }
}
