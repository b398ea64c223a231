//! Durable before visible: what left a node survives the power cut at that very moment, and a failing disk releases nothing.

use std::collections::BTreeSet;

use watchfire_driver::{Door, DriverError, Keys, Notice, Output};
use watchfire_journal::storage::CrashState;
use watchfire_journal::{FaultyStorage, Journal, JournalError, JournalOptions, MemoryStorage};
use watchfire_types::duty::Duty;
use watchfire_types::input::{Input, PreflightOutcome};
use watchfire_types::{Body, Bytes, Epoch, Timestamp};
use watchfire_wire::{Envelope, decode_signed};

use crate::chain::{Chain, finding};
use crate::world::{TestKeys, World, charter, member, open};

/// Outer bytes of everything that a disk holds.
fn held(storage: MemoryStorage) -> BTreeSet<Bytes> {
    let journal = Journal::open(storage, JournalOptions::default()).unwrap();
    journal.replay().unwrap().map(|record| record.unwrap().bytes).collect()
}

pub(crate) fn published(output: &Output) -> Vec<Bytes> {
    let outer = |bytes| match Envelope::decode(bytes).unwrap() {
        Envelope::Event(outer) => outer,
        Envelope::Heartbeat(_) | Envelope::Witness(_) => panic!("published by no such turn"),
    };
    output.publish.iter().map(outer).collect()
}

pub(crate) fn inputs(chain: &Chain, detectors: &[&str]) -> Vec<Door> {
    let view = chain.view(&charter());
    let block = view.block;
    let standing = detectors.iter().map(|detector| finding(detector, block)).collect();
    vec![Door::Input(Input::Block(Box::new(view))), Door::Input(Input::Detected { block, standing })]
}

/// What everyone but the first member said in a world where all five decided.
pub(crate) fn events_of_others(world: &World<MemoryStorage>) -> Vec<Bytes> {
    let own = TestKeys::of(0).author();
    world.nodes[1].log.iter().filter(|event| event.author != own).map(|event| event.outer().clone()).collect()
}

/// Votes, certificates and signatures of a whole decision: at each release, a power cut loses none of what was released.
#[test]
fn nothing_leaves_before_its_sync() {
    let charter = charter();
    let chain = Chain::new(98);
    let now = Timestamp::from_millis(chain.head().at.time.as_secs() * 1_000);
    let mut others = World::new((0..5).map(|_| MemoryStorage::new()).collect::<Vec<_>>(), 1_000, false);
    others.mine(&[], &[]);
    let calm = others.chain.clone();
    others.mine(&[], &["vault-outflow"]);
    let theirs = events_of_others(&others);

    let disk = FaultyStorage::new();
    let (mut driver, started) = open(&charter, 0, disk.clone(), 0x77, now);
    let mut seen = vec![started];
    let mut turn = |door: Vec<Door>| {
        let before = disk.file_syncs();
        let output = driver.handle(Timestamp::from_millis(now.as_millis() + 3_000), door).unwrap();
        let survives = held(disk.crash(&CrashState::LoseAll));
        for outer in published(&output).iter().chain(output.appended.iter().map(|event| event.outer())) {
            assert!(survives.contains(outer), "released before it was durable");
        }
        let syncs = disk.file_syncs() - before;
        let answers = output.duties.iter().filter_map(|duty| match duty {
            Duty::Preflight(preflight) => Some(Door::Input(Input::Preflighted {
                safe_tx_hash: preflight.safe_tx_hash,
                block: preflight.at,
                outcome: PreflightOutcome::Passes,
            })),
            Duty::Submit(_) | Duty::CatchUp { .. } => None,
        });
        let answers: Vec<Door> = answers.collect();
        seen.push(output);
        (syncs, answers)
    };
    turn(inputs(&calm, &[]));
    let (syncs, answers) = turn(inputs(&others.chain, &["vault-outflow"]));
    assert_eq!(syncs, 1, "finding and vote share one commit");
    turn(answers);
    let gossip =
        |(id, outer): (usize, &Bytes)| Door::Gossip { id: id as u64, bytes: Envelope::Event(outer.clone()).encode() };
    let (syncs, answers) = turn(theirs.iter().enumerate().map(gossip).collect());
    assert!(syncs <= 2, "at most two syncs on the decision path, not {syncs}");
    turn(answers);
    let all: Vec<Body> =
        seen.iter().flat_map(published).map(|outer| decode_signed(outer).unwrap().event().body.clone()).collect();
    assert!(all.iter().any(|body| matches!(body, Body::Finding(_))));
    assert!(all.iter().any(|body| matches!(body, Body::Vote(_))));
    assert!(all.iter().any(|body| matches!(body, Body::CoSignature(_))), "the decision was carried to the signature");
}

/// Others' events alone are counted at once and wait for a sync of their own: it comes with the next own event, or by the
/// driver's own timeout. Until then they are not in the record stream, and a power cut may take them.
#[test]
fn others_events_wait_for_a_sync_and_not_for_long() {
    let mut others = World::new((0..5).map(|_| MemoryStorage::new()).collect::<Vec<_>>(), 1_000, false);
    others.mine(&[], &[]);
    others.mine(&[], &["vault-outflow"]);
    let theirs = events_of_others(&others);
    let door = |at: usize| Door::Gossip { id: 0, bytes: Envelope::Event(theirs[at].clone()).encode() };
    let now = others.now();
    let disk = FaultyStorage::new();
    let (mut driver, _) = open(&charter(), 0, disk.clone(), 0x77, now);
    let before = disk.file_syncs();
    let output = driver.handle(now, vec![door(0)]).unwrap();
    assert!(output.appended.is_empty() && output.publish.is_empty());
    assert_eq!((disk.file_syncs(), driver.events()), (before, 2), "counted, and no sync");
    assert!(!held(disk.crash(&CrashState::LoseAll)).contains(&theirs[0]));
    let due = driver.next_timeout().expect("a sync is due");
    assert!(due > now && due <= now.plus_millis(10));
    let output = driver.handle(due, vec![Door::Input(Input::Tick)]).unwrap();
    assert_eq!(output.appended.iter().map(|event| event.outer()).collect::<Vec<_>>(), [&theirs[0]]);
    assert!(held(disk.crash(&CrashState::LoseAll)).contains(&theirs[0]));
    assert_eq!(disk.file_syncs(), before + 1);

    let mut chain = Chain::new(98);
    driver.handle(due, inputs(&chain, &[])).unwrap();
    let before = disk.file_syncs();
    driver.handle(due, vec![door(1)]).unwrap();
    assert_eq!(disk.file_syncs(), before, "nothing own yet");
    chain.mine(&[]);
    let output = driver.handle(due, inputs(&chain, &["vault-outflow"])).unwrap();
    assert!(!output.publish.is_empty());
    assert_eq!(disk.file_syncs(), before + 1, "one sync for both");
    assert_eq!(output.appended[0].outer(), &theirs[1], "in log order");
    assert!(held(disk.crash(&CrashState::LoseAll)).contains(&theirs[1]));
}

/// A sync that fails ends the driver: the turn releases nothing, and no later turn runs though the disk is sound again.
#[test]
fn a_failed_sync_halts() {
    let chain = Chain::new(98);
    let now = Timestamp::from_millis(chain.head().at.time.as_secs() * 1_000);
    let disk = FaultyStorage::new();
    let (mut driver, _) = open(&charter(), 0, disk.clone(), 0x77, now);
    driver.handle(now, inputs(&chain, &[])).unwrap();
    disk.fail_sync_after(0);
    let mut next = chain.clone();
    next.mine(&[]);
    let halted = driver.handle(now, inputs(&next, &["vault-outflow"])).unwrap_err();
    assert!(matches!(halted.source, Some(JournalError::Io { .. })), "{halted}");
    let again = driver.handle(now, Vec::new()).unwrap_err();
    assert_eq!(again.cause, halted.cause);
    assert!(again.source.is_none());
}

/// A write that fails part way ends the driver, and the next start finds what was acknowledged and nothing else.
#[test]
fn a_failed_write_halts_and_loses_nothing() {
    let chain = Chain::new(98);
    let now = Timestamp::from_millis(chain.head().at.time.as_secs() * 1_000);
    let disk = FaultyStorage::new();
    let (mut driver, output) = open(&charter(), 0, disk.clone(), 0x77, now);
    let mut acknowledged: BTreeSet<Bytes> = published(&output).into_iter().collect();
    acknowledged.extend(published(&driver.handle(now, inputs(&chain, &[])).unwrap()));
    disk.fail_write_after(0, 100);
    let mut next = chain.clone();
    next.mine(&[]);
    driver.handle(now, inputs(&next, &["vault-outflow"])).unwrap_err();
    for state in [CrashState::LoseAll, CrashState::KeepAll] {
        assert_eq!(held(disk.crash(&state)), acknowledged, "{state:?}");
    }
}

/// A locked guardian key is said, and asked again at the next change.
#[test]
fn a_locked_key_is_a_notice() {
    let mut others = World::new((0..5).map(|_| MemoryStorage::new()).collect::<Vec<_>>(), 1_000, false);
    others.mine(&[], &[]);
    let calm = others.chain.clone();
    others.mine(&[], &["vault-outflow"]);
    let charter = charter();
    let keys = TestKeys { locked: true, ..TestKeys::of(0) };
    let journal = Journal::open(MemoryStorage::new(), JournalOptions::default()).unwrap();
    let (network, member) = (charter.network_id(), member(&charter, &keys));
    let epoch = Epoch::from_bytes([1; 16]);
    let now = others.now();
    let (mut driver, _) = watchfire_driver::Driver::open(journal, keys, charter, network, member, epoch, now).unwrap();
    let theirs = events_of_others(&others);
    let from = others.nodes[1].log[0].author;
    // The view begins before the evidence: what happened earlier is not known to it.
    driver.handle(now, inputs(&calm, &[])).unwrap();
    let mut door = inputs(&others.chain, &["vault-outflow"]);
    door.push(Door::CaughtUp { from, events: theirs });
    let now = now.plus_millis(1_000);
    let output = driver.handle(now, door).unwrap();
    let later = driver.handle(now.plus_millis(1_000), vec![Door::Input(Input::Tick)]).unwrap();
    let refused = |output: &Output| output.notices.iter().any(|notice| matches!(notice, Notice::KeyRefused { .. }));
    assert!(refused(&output) || refused(&later), "{:?} {:?}", output.notices, later.notices);
    assert!(driver.signing_stopped().is_none());
}

/// Keys that are not the member's, an epoch used before, and another network's directory do not start.
#[test]
fn wrong_starts_are_named() {
    let charter = charter();
    let now = Timestamp::from_millis(1_700_000_098_000);
    let storage = MemoryStorage::new();
    let (driver, _) = open(&charter, 0, storage.clone(), 0x77, now);
    drop(driver);
    let try_open = |index: usize, name: usize, epoch: u8, network| {
        let journal = Journal::open(storage.clone(), JournalOptions::default()).unwrap();
        let member = member(&charter, &TestKeys::of(name));
        let epoch = Epoch::from_bytes([epoch; 16]);
        watchfire_driver::Driver::open(journal, TestKeys::of(index), charter.clone(), network, member, epoch, now).err()
    };
    let network = charter.network_id();
    assert!(matches!(try_open(1, 0, 0x78, network), Some(DriverError::NodeKey { .. })));
    assert!(matches!(try_open(0, 0, 0x77, network), Some(DriverError::EpochUsed { .. })));
    let foreign = watchfire_types::NetworkId::from_bytes([1; 32]);
    assert!(matches!(try_open(0, 0, 0x78, foreign), Some(DriverError::Signature { .. })));
    assert!(try_open(0, 0, 0x78, network).is_none());
}
