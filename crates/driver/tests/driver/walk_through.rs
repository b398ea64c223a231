//! The incident every reader is told first, over bytes: a ladder of two steps, one liar, a pause, a backup, a newcomer.

use watchfire_driver::Door;
use watchfire_journal::MemoryStorage;
use watchfire_types::body::{Basis, Body, Decision, Executed, Started, Vote};
use watchfire_types::{B256, Epoch, Event, EventHash, Seq, StepIndex, Timestamp, Unverified};

use crate::chain::Chain;
use crate::world::{Node, TestKeys, World, gossip, open};

const LIAR: usize = 4;

fn world() -> World<MemoryStorage> {
    World::new((0..5).map(|_| MemoryStorage::new()).collect(), 1_000, false)
}

/// An event of the liar's second life, which has no driver.
fn forged(world: &World<MemoryStorage>, seq: u64, prev: EventHash, body: Body) -> Unverified {
    use watchfire_driver::Keys;
    let keys = TestKeys::of(LIAR);
    let event = Event {
        network: world.charter.network_id(),
        author: keys.author(),
        epoch: Epoch::from_bytes([0x99; 16]),
        seq: Seq::new(seq),
        prev,
        time: Timestamp::from_millis(world.now().as_millis() + seq),
        body,
    };
    watchfire_wire::seal(&event, |input| keys.sign(input)).unwrap()
}

/// The first event of that life, told to the four others.
fn second_life(world: &mut World<MemoryStorage>) -> EventHash {
    let started = Started {
        earlier: Vec::new(),
        charter_version: world.charter.version,
        charter_digest: world.charter.digest(),
        software: "liar".into(),
    };
    let started = forged(world, 0, EventHash::from_bytes([0; 32]), Body::Started(started));
    for index in 0..4 {
        tell(world, index, &started);
    }
    started.hash()
}

fn vote(world: &World<MemoryStorage>, step: u8) -> Body {
    Body::Vote(Vote {
        decision: Decision {
            version: world.charter.version,
            asset: "vault-core".parse().unwrap(),
            playbook: "contain-vault".parse().unwrap(),
        },
        step: StepIndex::new(step),
        basis: Basis::Finding(EventHash::from_bytes([9; 32])),
        operator: "op-elm".parse().unwrap(),
        evidence: world.chain.head().at,
    })
}

fn tell(world: &mut World<MemoryStorage>, index: usize, event: &Unverified) {
    let door = Door::Gossip { id: 0, bytes: gossip(event.outer()) };
    world.schedule(world.now_us, index, door);
}

fn kinds(node: &Node<MemoryStorage>, kind: impl Fn(&Body) -> bool) -> usize {
    node.log.iter().filter(|event| kind(&event.body)).count()
}

/// Up to block 101 and its pause: four honest nodes, and a liar that says one thing to X and another to Y.
fn paused() -> World<MemoryStorage> {
    let mut world = world();
    world.mine(&[], &[]);
    world.chain.mine(&[]);
    world.now_us += 1_000_000;
    for index in 0..5 {
        let early: &[&str] = if index < 2 { &["vault-outflow-early"] } else { &[] };
        world.show(world.now_us, index, early);
    }
    world.settle();
    assert!(world.submissions().is_empty(), "two of three");

    world.silent.insert(LIAR);
    world.chain.mine(&[]);
    world.now_us += 1_000_000;
    for index in 0..4 {
        let found: &[&str] = if index < 2 { &["vault-outflow-early"] } else { &["vault-outflow"] };
        world.show(world.now_us, index, found);
    }
    let first = second_life(&mut world);
    let (one, two) = (forged(&world, 1, first, vote(&world, 1)), forged(&world, 1, first, vote(&world, 2)));
    // Y hears its lie first: a fork that is known before anybody certified would only cost the liar its vote.
    tell(&mut world, 1, &two);
    let late = Door::Gossip { id: 0, bytes: gossip(one.outer()) };
    world.schedule(world.now_us + 10_000, 0, late);
    world.settle();
    for index in 0..4 {
        assert!(kinds(&world.nodes[index], |body| matches!(body, Body::FaultProof(_))) > 0, "proof at {index}");
    }
    // The flag may go first at the common nonce; the pause then follows one block later.
    for _ in 0..2 {
        if !world.chain.head().paused {
            world.now_us += 1_500_000;
            world.settle();
            let submissions = world.submissions();
            world.mine(&submissions, &[]);
        }
    }
    world
}

/// One liar's two votes pause nothing alone and stop nothing; the fork is proven everywhere and the digests are equal.
#[test]
fn one_liar_cannot_stop_the_pause() {
    let mut world = paused();
    assert!(world.chain.head().paused, "paused within a block and one more for the flag");
    assert_eq!(world.digests().len(), 1, "equal sets, equal digests");
    for index in 0..4 {
        assert!(world.signatures(index) >= 3, "node {index} holds the threshold-signed transaction");
    }
    let head = world.chain.head().clone();
    world.mine(&[], &[]);
    assert!(world.submissions().is_empty(), "nothing is owed after the pause");
    assert_eq!(world.chain.head().nonce, head.nonce);
}

/// A liar's `Executed` is shown and changes nothing that is owed.
#[test]
fn a_false_executed_changes_nothing() {
    let mut world = world();
    world.mine(&[], &[]);
    world.mine(&[], &["vault-outflow"]);
    world.now_us += 1_500_000;
    world.settle();
    let before = world.submissions();
    assert!(!before.is_empty());
    let lie = Body::Executed(Executed {
        block: world.chain.head().at,
        safe: before[0].safe,
        safe_transaction: before[0].safe_tx_hash,
        transaction: B256::repeat_byte(1),
    });
    let first = second_life(&mut world);
    let lie = forged(&world, 1, first, lie);
    for index in 0..4 {
        tell(&mut world, index, &lie);
    }
    world.settle();
    assert_eq!(world.submissions(), before);
}

/// A node that comes back from an old backup has a new epoch, catches up, and is complete; so is one with an empty disk.
#[test]
fn backups_and_newcomers_catch_up() {
    let mut world = paused();
    for (index, storage) in [(1, backup(&world.nodes[1])), (2, MemoryStorage::new())] {
        let epoch = 0xb0 + u8::try_from(index).unwrap();
        let (driver, _) = open(&world.charter, index, storage.clone(), epoch, world.now());
        world.nodes[index].driver = driver;
        world.nodes[index].storage = storage;
        world.catch_up(index, 0);
        world.catch_up(0, index);
    }
    for index in [1, 2, 3] {
        world.catch_up(index, 0);
    }
    assert_eq!(world.digests().len(), 1);
    let request = world.nodes[2].driver.catch_up_request();
    let again = world.nodes[3].driver.answer_catch_up(&request, |error| panic!("{error}"));
    assert!(again.complete);
}

/// The node's journal as it was long ago: its first record only.
fn backup(node: &Node<MemoryStorage>) -> MemoryStorage {
    use watchfire_journal::{Journal, JournalOptions};
    let storage = MemoryStorage::new();
    let mut journal = Journal::open(storage.clone(), JournalOptions::default()).unwrap();
    journal.append(node.log[0].outer()).unwrap();
    journal.sync().unwrap();
    storage
}

/// Replay through the same apply gives the same shared state, on every honest node.
#[test]
fn replay_equals_live_state() {
    let world = paused();
    for index in 0..4 {
        let live = world.nodes[index].driver.machine().state_digest();
        let (again, output) = open(&world.charter, index, world.nodes[index].storage.clone(), 0xc0, world.now());
        assert_eq!(again.machine().state_digest(), live, "node {index}");
        assert_eq!(again.events(), world.nodes[index].driver.events() + 1, "and its Started");
        let Body::Started(started) = &output.appended[0].body else { panic!("starts with Started") };
        assert_eq!(started.earlier.len(), 1, "the earlier epoch is named");
        let last = world.nodes[index].log.iter().rev().find(|event| event.author == output.appended[0].author);
        assert_eq!(started.earlier[0].hash, last.unwrap().hash());
    }
}

/// A fresh chain: what the fixture shows is what the test means.
#[test]
fn the_model_chain_starts_unpaused() {
    assert!(!Chain::new(98).head().paused);
}
