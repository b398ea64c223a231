//! How many epochs of one author a node takes, and how soon.

use std::collections::BTreeSet;

use watchfire_driver::{Door, Driver, Keys};
use watchfire_journal::MemoryStorage;
use watchfire_types::body::{EpochHead, Heartbeat};
use watchfire_types::{B256, Bytes, Epoch, EventHash, MemberKey, Seq, Timestamp};
use watchfire_wire::{CatchUpResponse, Envelope, SignedHeartbeat};

use crate::forge::{self, Author, started};
use crate::world::{TestKeys, charter, gossip, member, open};

const NOW: Timestamp = Timestamp::from_millis(1_700_000_098_000);

/// What the node may hold of one author after one look at the clock: the bursts of named and of unnamed epochs.
const AT_ONCE_MAX: usize = 2_048 + 5;

/// Asks and takes until an answer brings nothing; how many answers brought something.
fn rounds(
    newcomer: &mut Driver<MemoryStorage, TestKeys>,
    peer: &Driver<MemoryStorage, TestKeys>,
    now: Timestamp,
) -> usize {
    for round in 0.. {
        let request = newcomer.catch_up_request();
        let CatchUpResponse { events, .. } = peer.answer_catch_up(&request, |error| panic!("{error}"));
        let from = peer.machine().heads().into_keys().next().unwrap().0;
        let output = newcomer.handle(now, vec![Door::CaughtUp { from, events }]).unwrap();
        if output.caught_up[0].taken == 0 {
            return round;
        }
    }
    unreachable!()
}

fn epochs_of(driver: &Driver<MemoryStorage, TestKeys>, author: MemberKey) -> usize {
    driver.machine().heads().into_keys().filter(|(key, _)| *key == author).count()
}

/// A member that restarted a hundred times and is down now: a newcomer that only others can tell holds all of it within a few
/// round trips and no time.
#[test]
fn a_hundred_restarts_are_complete_at_a_newcomer_at_once() {
    let storage = MemoryStorage::new();
    let mut peer = None;
    for restart in 0..100_u8 {
        // Epochs are random: their order says nothing of their age.
        let epoch = restart.wrapping_mul(37);
        let now = NOW.plus_millis(u64::from(restart) * 1_000);
        peer = Some(open(&charter(), 1, storage.clone(), epoch, now).0);
    }
    let peer = peer.unwrap();
    let (mut newcomer, _) = open(&charter(), 0, MemoryStorage::new(), 0xfe, NOW.plus_millis(200_000));
    let rounds = rounds(&mut newcomer, &peer, NOW.plus_millis(200_000));
    assert_eq!(epochs_of(&newcomer, TestKeys::of(1).author()), 100);
    assert!(rounds <= 3, "{rounds} round trips");
    for (chain, head) in peer.machine().heads() {
        assert_eq!(newcomer.machine().heads().get(&chain), Some(&head));
    }
}

fn numbered(n: u32) -> [u8; 16] {
    let mut epoch = [0xaa; 16];
    epoch[..4].copy_from_slice(&n.wrapping_mul(2_654_435_761).to_be_bytes());
    epoch
}

/// Ten thousand invented epochs, each of which names others as its past: no more than the bursts are taken, live or by
/// catch-up, and afterwards what time allows.
#[test]
fn ten_thousand_invented_epochs_are_held_to_the_bound() {
    let liar = TestKeys::of(1).author();
    let all: Vec<Epoch> = (0..10_000).map(|n| Epoch::from_bytes(numbered(n))).collect();
    let head = |epoch: &Epoch| EpochHead {
        epoch: *epoch,
        seq: Seq::new(0),
        hash: EventHash::from_bytes([7; 32]),
        checkpoint: None,
    };
    let events: Vec<Bytes> = (0..10_000_u32)
        .map(|n| {
            let named = all.iter().cycle().skip(n as usize * 4 % all.len()).take(4).map(head).collect();
            Author::new(1, numbered(n), NOW).say(started(named)).outer().clone()
        })
        .collect();
    let (mut victim, _) = open(&charter(), 0, MemoryStorage::new(), 0xfe, NOW);
    for (at, page) in events.chunks(1_000).enumerate() {
        let door = if at % 2 == 0 {
            vec![Door::CaughtUp { from: liar, events: page.to_vec() }]
        } else {
            (0..).zip(page).map(|(id, outer)| Door::Gossip { id, bytes: gossip(outer) }).collect()
        };
        victim.handle(NOW, door).unwrap();
    }
    let held = epochs_of(&victim, liar);
    assert!(held <= AT_ONCE_MAX, "{held} epochs at once");
    assert!(held > 2_000, "{held} epochs: named ones are taken");
    let later = NOW.plus_millis(3_600_000);
    victim.handle(later, vec![Door::CaughtUp { from: liar, events }]).unwrap();
    let grown = epochs_of(&victim, liar) - held;
    assert!(grown <= 360 + 5, "{grown} more within an hour");
}

/// Epochs that nothing names trickle in, whatever way they come.
#[test]
fn unnamed_epochs_are_taken_slowly() {
    let liar = TestKeys::of(1).author();
    let events = (0..200).map(|n| Author::new(1, numbered(n), NOW).say(started(Vec::new())).outer().clone());
    let events: Vec<Bytes> = events.collect();
    let (mut victim, _) = open(&charter(), 0, MemoryStorage::new(), 0xfe, NOW);
    victim.handle(NOW, vec![Door::CaughtUp { from: liar, events: events.clone() }]).unwrap();
    assert_eq!(epochs_of(&victim, liar), 5);
    victim.handle(NOW.plus_millis(600_001), vec![Door::CaughtUp { from: liar, events }]).unwrap();
    assert_eq!(epochs_of(&victim, liar), 10);
}

fn heartbeat(index: usize, epoch: Epoch, time: Timestamp) -> Bytes {
    let keys = TestKeys::of(index);
    let heartbeat = Heartbeat {
        member: member(forge::charter(), &keys),
        epoch,
        seq: Seq::new(0),
        time_ms: time.as_millis(),
        state_digest: B256::ZERO,
        heads: Vec::new(),
        pausable: Vec::new(),
        alarms: Vec::new(),
        submitter_balance: Vec::new(),
    };
    let sealed = SignedHeartbeat::seal(keys.author(), forge::network(), &heartbeat, |input| keys.sign(input));
    Envelope::Heartbeat(sealed.unwrap().bytes().clone()).encode()
}

/// After five unnamed epochs the running one still comes in at once, since the member's heartbeat names it; a liar that names a
/// new one with every heartbeat is held to the same bound.
#[test]
fn the_epoch_that_a_heartbeat_names_is_taken_at_once() {
    let liar = TestKeys::of(1).author();
    let (mut victim, _) = open(&charter(), 0, MemoryStorage::new(), 0xfe, NOW);
    let fresh = |n: u32, named: bool| {
        let beat = heartbeat(1, Epoch::from_bytes(numbered(n)), NOW.plus_millis(u64::from(n)));
        let outer = Author::new(1, numbered(n), NOW).say(started(Vec::new())).outer().clone();
        let event = Door::Gossip { id: 2, bytes: gossip(&outer) };
        if named { vec![Door::Gossip { id: 1, bytes: beat }, event] } else { vec![event] }
    };
    victim.handle(NOW, (0..6).flat_map(|n| fresh(n, false)).collect()).unwrap();
    assert_eq!(epochs_of(&victim, liar), 5, "the sixth waits");
    victim.handle(NOW, fresh(7, true)).unwrap();
    let held: BTreeSet<Epoch> = victim.machine().heads().into_keys().map(|(_, epoch)| epoch).collect();
    assert!(held.contains(&Epoch::from_bytes(numbered(7))));
    victim.handle(NOW, (8..3_000).flat_map(|n| fresh(n, true)).collect()).unwrap();
    assert!(epochs_of(&victim, liar) <= AT_ONCE_MAX);
}
