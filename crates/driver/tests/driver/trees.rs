//! Checkpoints, witnesses and convictions: when a checkpoint is made and what it is, that others cosign it, that no crash lets a witness
//! sign two histories, that every lie about a tree convicts its author everywhere, and that no honest author can be convicted.

use std::collections::{BTreeMap, BTreeSet};

use watchfire_driver::{Door, Driver, Keys, Notice, Output, Witness};
use watchfire_journal::storage::CrashState;
use watchfire_journal::{FaultyStorage, MemoryStorage, Storage};
use watchfire_protocol::judge;
use watchfire_transparency::{Checkpoint, Origin, SignedCheckpoint, Statement, Witnessed, merkle_root};
use watchfire_types::input::Input;
use watchfire_types::{B256, Body, Bytes, Event, MemberId, MemberKey, Seq, Timestamp, Verdict, Verified, body};
use watchfire_wire::{Envelope, decode_fault, encode_fault};

use crate::forge::{Author, charter, network, note, started};
use crate::world::{TestKeys, gossip, member, open};

mod carried;
mod convicted;
mod forgotten;
mod full;
mod honest;
mod pace;
mod pruned;
mod unjudged;

const START: u64 = 1_700_000_000_000;
const MINUTE: u64 = 60_000;

fn at(ms: u64) -> Timestamp {
    Timestamp::from_millis(START + ms)
}

fn name(index: usize) -> MemberId {
    member(charter(), &TestKeys::of(index))
}

fn witness<S: Storage>(storages: [S; 2], index: usize) -> Witness<S> {
    Witness::open(storages, charter(), &name(index)).unwrap()
}

/// A driver with a witness memory over fresh storage.
fn driver(index: usize, epoch: u8) -> Driver<MemoryStorage, TestKeys> {
    let (mut driver, _) = open(&crate::world::charter(), index, MemoryStorage::new(), epoch, at(0));
    driver.set_witness(witness([MemoryStorage::new(), MemoryStorage::new()], index));
    driver
}

fn tick<S: Storage>(driver: &mut Driver<S, TestKeys>, ms: u64) -> Output {
    driver.handle(at(ms), vec![Door::Input(Input::Tick)]).unwrap()
}

fn hear<S: Storage>(driver: &mut Driver<S, TestKeys>, ms: u64, messages: &[Bytes]) -> Output {
    let door = messages.iter().enumerate().map(|(id, bytes)| Door::Gossip { id: id as u64, bytes: bytes.clone() });
    let mut output = driver.handle(at(ms), door.collect()).unwrap();
    // Others' events are durable a moment later, and are witnessed then.
    let later = tick(driver, ms + 20);
    output.publish.extend(later.publish);
    output.appended.extend(later.appended);
    output.notices.extend(later.notices);
    output
}

fn checkpoints(output: &Output) -> Vec<(Verified<Event>, body::Checkpoint)> {
    let stated = output.appended.iter().filter_map(|event| match &event.body {
        Body::Checkpoint(stated) => Some((event.clone(), stated.clone())),
        _ => None,
    });
    stated.collect()
}

fn witness_lines(output: &Output) -> Vec<SignedCheckpoint> {
    let messages = output.publish.iter().filter_map(|bytes| match Envelope::decode(bytes).unwrap() {
        Envelope::Witness(text) => Some(SignedCheckpoint::parse(std::str::from_utf8(&text).unwrap()).unwrap()),
        Envelope::Event(_) | Envelope::Heartbeat(_) => None,
    });
    messages.collect()
}

impl Author {
    /// Its next event: a checkpoint that says this.
    fn checkpoint(&mut self, size: u64, root: [u8; 32]) -> Verified<Event> {
        let stated = self.state(size, root);
        self.say(Body::Checkpoint(stated))
    }

    /// What it would state of its tree.
    fn state(&self, size: u64, root: [u8; 32]) -> body::Checkpoint {
        let index = (0..5).find(|index| TestKeys::of(*index).author() == self.key()).unwrap();
        let origin = Origin { network: network(), member: name(index), epoch: self.epoch };
        let checkpoint = Checkpoint { origin, size, root };
        let signature = self.keys.sign_statement(Statement::Checkpoint(&checkpoint));
        body::Checkpoint { member: name(index), size, root: B256::new(root), signature }
    }
}

fn root(events: &[Verified<Event>]) -> [u8; 32] {
    merkle_root(events.iter().filter(|event| !matches!(event.body, Body::Checkpoint(_))).map(|event| event.outer()))
}

fn messages(events: &[Verified<Event>]) -> Vec<Bytes> {
    events.iter().map(|event| gossip(event.outer())).collect()
}

/// A checkpoint as a witness's message carries it.
fn line(author: &Author, stated: &body::Checkpoint, by: usize, ms: u64) -> Bytes {
    let checkpoint = Checkpoint::stated(network(), author.epoch, stated);
    let keys = TestKeys::of(by);
    let time_s = at(ms).as_millis() / 1_000;
    let signature = keys.sign_statement(Statement::Witnessed(&checkpoint, time_s));
    let mut note = SignedCheckpoint::new(checkpoint, &author.key(), &stated.signature);
    note.witnessed(&Witnessed { witness: name(by), time_s, signature }, &keys.author());
    Envelope::Witness(note.to_string().into()).encode()
}

/// One is made ten minutes after the start over everything said, none after it alone; it is a note of the author over exactly the events
/// below it, and the shared digest does not know it.
#[test]
fn checkpoints_are_due_and_true() {
    let mut driver = driver(0, 1);
    assert!(checkpoints(&tick(&mut driver, 10 * MINUTE - 1)).is_empty());
    let digest = driver.machine().state_digest();
    let made = checkpoints(&tick(&mut driver, 10 * MINUTE));
    let [(event, stated)] = made.as_slice() else { panic!("one checkpoint") };
    assert_eq!((stated.size, event.seq), (1, Seq::new(1)));
    let first = driver.machine().chained(driver_key(&driver), driver.machine().epoch()).next().unwrap().clone();
    assert_eq!(stated.root.0, merkle_root([first.outer()]));
    let checkpoint = Checkpoint::stated(network(), event.epoch, stated);
    assert!(watchfire_transparency::verify::signed(&checkpoint, &event.author, &stated.signature));
    assert_eq!(driver.machine().state_digest(), digest);
    for minute in 11..60 {
        assert!(checkpoints(&tick(&mut driver, minute * MINUTE)).is_empty(), "a checkpoint alone needs no other");
    }
    assert_eq!(driver.checkpoint(at(61 * MINUTE)).unwrap().0, None, "nor on demand");
}

fn driver_key<S: Storage>(driver: &Driver<S, TestKeys>) -> MemberKey {
    driver.machine().charter().members[driver.machine().member()].node_key
}

/// A person's word is part of an incident: covered half a minute later; the next one not before a minute is over. On demand at once.
#[test]
fn incidents_are_covered_soon() {
    use watchfire_types::input::HumanAct;
    let mut driver = driver(0, 1);
    let chain = crate::chain::Chain::new(98);
    let view = chain.view(charter());
    let said = |driver: &mut Driver<MemoryStorage, TestKeys>, ms| {
        let vote = HumanAct::Approve {
            asset: "vault-core".parse().unwrap(),
            playbook: "contain-vault".parse().unwrap(),
            step: watchfire_types::StepIndex::new(1),
            human: body::Human { person: "p1".into(), role: "lead".into(), reason: format!("at {ms}") },
        };
        let output = driver.handle(at(ms), vec![Door::Input(Input::Human(vote))]).unwrap();
        assert!(output.answers[0].result.is_ok(), "{:?}", output.answers);
    };
    driver.handle(at(0), vec![Door::Input(Input::Block(Box::new(view)))]).unwrap();
    said(&mut driver, 1_000);
    assert!(checkpoints(&tick(&mut driver, 30_999)).is_empty());
    assert_eq!(checkpoints(&tick(&mut driver, 31_000)).len(), 1);
    said(&mut driver, 32_000);
    assert!(checkpoints(&tick(&mut driver, 90_999)).is_empty());
    assert_eq!(checkpoints(&tick(&mut driver, 91_000)).len(), 1);
    said(&mut driver, 92_000);
    let (made, output) = driver.checkpoint(at(92_001)).unwrap();
    assert!(made.is_some());
    assert_eq!(checkpoints(&output).len(), 1);
}

/// Five nodes end up with four witnesses' lines under each of the five checkpoints, and know them all after a restart.
#[test]
fn everyone_witnesses_everyone() {
    let mut drivers: Vec<_> = (0..5).map(|index| driver(index, 0x10 + u8::try_from(index).unwrap())).collect();
    let mut post: Vec<(usize, Bytes)> = Vec::new();
    for (index, driver) in drivers.iter_mut().enumerate() {
        // The first event came before anyone listened.
        let key = driver_key(driver);
        let first: Vec<_> = driver.machine().chained(key, driver.machine().epoch()).cloned().collect();
        post.extend(first.iter().map(|event| (index, gossip(event.outer()))));
        post.extend(tick(driver, 10 * MINUTE).publish.into_iter().map(|bytes| (index, bytes)));
    }
    for round in 0..8 {
        let sent = std::mem::take(&mut post);
        for (index, driver) in drivers.iter_mut().enumerate() {
            let theirs: Vec<Bytes> = sent.iter().filter(|(from, _)| *from != index).map(|(_, m)| m.clone()).collect();
            let output = hear(driver, 10 * MINUTE + 1_000 * (round + 1), &theirs);
            assert!(output.notices.is_empty(), "{:?}", output.notices);
            post.extend(output.publish.into_iter().map(|bytes| (index, bytes)));
        }
    }
    assert!(post.is_empty(), "it ends");
    let keys: BTreeMap<_, _> = charter().members.iter().map(|(id, member)| (id.clone(), member.node_key)).collect();
    for driver in &drivers {
        for author in &drivers {
            let (member, epoch) = (author.machine().member().clone(), author.machine().epoch());
            let origin = Origin { network: network(), member, epoch };
            let kept: Vec<_> = driver.witness().unwrap().checkpoints(&origin).collect();
            let [note] = kept.as_slice() else { panic!("{} checkpoints", kept.len()) };
            assert_eq!(note.verify(&driver_key(author), &keys).unwrap().len(), 4);
        }
    }
}

/// A new checkpoint is cosigned only if it extends what was cosigned; a smaller or an unknown one never is.
#[test]
fn only_growth_is_witnessed() {
    let mut b = driver(1, 2);
    let mut a = Author::new(0, [1; 16], at(0));
    let mut events = vec![a.say(started(Vec::new())), a.say(note("one"))];
    events.push(a.checkpoint(2, root(&events)));
    let output = hear(&mut b, 1_000, &messages(&events));
    let lines = witness_lines(&output);
    assert_eq!(lines.len(), 1);
    assert_eq!(lines[0].checkpoint().size, 2);
    assert!(witness_lines(&hear(&mut b, 2_000, &messages(&events))).is_empty(), "once");
    events.push(a.say(note("two")));
    let held_back = events.len() - 1;
    events.push(a.checkpoint(3, root(&events)));
    let gap = witness_lines(&hear(&mut b, 3_000, &messages(&events[held_back + 1..])));
    assert!(gap.is_empty(), "its events are not here");
    let bytes = messages(&events[held_back..=held_back]).remove(0);
    let at_once = b.handle(at(4_000), vec![Door::Gossip { id: 0, bytes }]).unwrap();
    assert!(witness_lines(&at_once).is_empty(), "nothing is cosigned before its events are durable");
    let lines = witness_lines(&tick(&mut b, 4_020));
    assert_eq!(lines[0].checkpoint().size, 3);
}

/// A witness message is refused for what it is.
#[test]
fn witness_messages_are_checked() {
    let mut b = driver(1, 2);
    let mut a = Author::new(0, [1; 16], at(0));
    let events = vec![a.say(started(Vec::new()))];
    let stated = a.state(1, root(&events));
    let say = |b: &mut Driver<MemoryStorage, TestKeys>, bytes: Bytes| {
        b.handle(at(5_000), vec![Door::Gossip { id: 1, bytes }]).unwrap().verdicts.remove(0)
    };
    let good = line(&a, &stated, 2, 1_000);
    assert_eq!(say(&mut b, good.clone()).1, Verdict::Accept);
    assert_eq!(say(&mut b, good).1, Verdict::Ignore, "held");
    assert_eq!(say(&mut b, line(&a, &stated, 3, 100_000)).1, Verdict::Ignore, "ahead");
    assert_eq!(say(&mut b, line(&a, &stated, 0, 1_000)).1, Verdict::Reject, "nobody witnesses itself");
    let mut forged = stated.clone();
    forged.signature[3] ^= 1;
    assert_eq!(say(&mut b, line(&a, &forged, 3, 1_000)).1, Verdict::Reject, "not the author's");
    let text = |bytes: &str| Envelope::Witness(bytes.to_owned().into()).encode();
    assert_eq!(say(&mut b, text("no note")).1, Verdict::Reject);
    let bare = SignedCheckpoint::new(Checkpoint::stated(network(), a.epoch, &stated), &a.key(), &stated.signature);
    assert_eq!(say(&mut b, text(&bare.to_string())).1, Verdict::Reject, "without a witness");
    let mut none = driver(1, 3);
    none = without_witness(none);
    assert_eq!(say(&mut none, line(&a, &stated, 2, 1_000)).1, Verdict::Ignore);
}

fn without_witness(driver: Driver<MemoryStorage, TestKeys>) -> Driver<MemoryStorage, TestKeys> {
    drop(driver);
    open(&crate::world::charter(), 1, MemoryStorage::new(), 9, at(0)).0
}

/// Two histories of one epoch, one checkpoint of each.
fn two_histories() -> [Vec<Verified<Event>>; 2] {
    two_histories_of(0)
}

fn two_histories_of(index: usize) -> [Vec<Verified<Event>>; 2] {
    ["one", "other"].map(|word| {
        let mut a = Author::new(index, [1; 16], at(0));
        let mut events = vec![a.say(started(Vec::new())), a.say(note(word)), a.say(note("more"))];
        events.push(a.checkpoint(3, root(&events)));
        events
    })
}

/// Which of so many unsynced sectors reached the disk: every choice of a few, of many what an ordered and a reversed disk leave.
fn kept_sectors(count: usize) -> Vec<Vec<bool>> {
    if count <= 8 {
        return (0..1_u32 << count).map(|mask| (0..count).map(|sector| mask >> sector & 1 == 1).collect()).collect();
    }
    let edges = (0..=count).step_by(8).chain([1, count]);
    edges.flat_map(|edge| [true, false].map(|first| (0..count).map(|at| (at < edge) == first).collect())).collect()
}

/// Whatever a crash leaves of the witness's disk, and though the log itself is gone: no second history is cosigned once the first was.
#[test]
fn no_crash_lets_a_witness_sign_two_histories() {
    let [first, second] = two_histories();
    let disks = [FaultyStorage::new(), FaultyStorage::new()];
    disks[0].record();
    disks[1].record();
    let (mut b, _) = open(&crate::world::charter(), 1, FaultyStorage::new(), 2, at(0));
    b.set_witness(witness(disks.clone(), 1));
    let before = disks.each_ref().map(FaultyStorage::recorded);
    let published = witness_lines(&hear(&mut b, 1_000, &messages(&first)));
    assert_eq!(published.len(), 1);
    // What was recorded stood before the message left; the disk as it is now stands behind it.
    let during = disks.each_ref().map(FaultyStorage::recorded);
    let mut states = 0;
    let mut look = |disk: &FaultyStorage, left_node: bool| {
        for names in 0..=disk.pending_names() {
            for flags in kept_sectors(disk.pending_sectors()) {
                let left = disk.crash(&CrashState::Chosen { sectors: flags, names });
                let (mut again, _) = open(&crate::world::charter(), 1, MemoryStorage::new(), 3, at(0));
                again.set_witness(witness([left, MemoryStorage::new()], 1));
                let lines = witness_lines(&hear(&mut again, 9_000, &messages(&second)));
                assert!(!left_node || lines.is_empty(), "two histories");
                states += 1;
            }
        }
    };
    for disk in before[0].iter().chain(&during[0]) {
        look(disk, false);
    }
    look(&disks[0], true);
    assert!(states > 4, "{states}");
}

/// What others cosigned is durable five seconds after it came, and at once when the node closes.
#[test]
fn others_lines_become_durable() {
    let a = Author::new(0, [1; 16], at(0));
    let heard = |size| line(&a, &a.state(size, [7; 32]), 2, 1_000);
    let disks = [FaultyStorage::new(), FaultyStorage::new()];
    let known =
        || watchfire_driver::read_witness_messages(&disks.each_ref().map(|disk| disk.crash(&CrashState::LoseAll)));
    let (mut b, _) = open(&crate::world::charter(), 1, FaultyStorage::new(), 2, at(0));
    b.set_witness(witness(disks.clone(), 1));
    hear(&mut b, 1_000, &[heard(3)]);
    assert_eq!(known().unwrap().len(), 0);
    tick(&mut b, 6_000);
    assert_eq!(known().unwrap().len(), 1);
    hear(&mut b, 7_000, &[heard(4)]);
    b.close(at(7_500)).unwrap();
    assert_eq!(known().unwrap().len(), 2);
}

/// The state is rewritten into the other directory; whatever a crash leaves of that, what was signed is known.
#[test]
fn a_rewrite_never_forgets() {
    let [first, second] = two_histories();
    let disks = [FaultyStorage::new(), FaultyStorage::new()];
    let (mut b, _) = open(&crate::world::charter(), 1, FaultyStorage::new(), 2, at(0));
    b.set_witness(witness(disks.clone(), 1));
    assert_eq!(witness_lines(&hear(&mut b, 1_000, &messages(&first))).len(), 1);
    // Others witness the same again and again: four lines stay, the rest is dropped at the next start.
    let a = Author::new(0, [1; 16], at(0));
    let stated = a.state(3, root(&first));
    for seconds in 0..1_100 {
        b.handle(
            at(2_000 + 1_000 * seconds),
            vec![Door::Gossip { id: 0, bytes: line(&a, &stated, 2, 1_000 * seconds) }],
        )
        .unwrap();
    }
    b.close(at(2_000_000)).unwrap();
    drop(b);
    let kept = disks[0].crash(&CrashState::KeepAll).files();
    let other = FaultyStorage::new();
    other.record();
    let whole = FaultyStorage::with_files(kept, 0, watchfire_journal::storage::FaultRates::default());
    drop(witness([whole.clone(), other.clone()], 1));
    let recorded = other.recorded();
    assert!(recorded.len() > 2, "it was rewritten");
    let knows = |storages: [MemoryStorage; 2]| {
        let (mut again, _) = open(&crate::world::charter(), 1, MemoryStorage::new(), 3, at(0));
        again.set_witness(witness(storages, 1));
        witness_lines(&hear(&mut again, 3_000_000, &messages(&second))).is_empty()
    };
    let old = || disks[0].crash(&CrashState::KeepAll);
    for disk in &recorded {
        for state in [CrashState::LoseAll, CrashState::KeepAll] {
            assert!(knows([old(), disk.crash(&state)]), "while it is written");
        }
    }
    assert!(knows([whole.crash(&CrashState::KeepAll), other.crash(&CrashState::LoseAll)]), "when it is done");
    assert!(other.crash(&CrashState::LoseAll).files().values().map(Vec::len).sum::<usize>() > 0);
}

/// Everyone who holds the same events convicts the same author at the same position, with a file that anyone accepts.
fn convicted(b: &Driver<MemoryStorage, TestKeys>, author: &Author, cut: u64) {
    assert_eq!(b.machine().cut(author.key(), author.epoch), Some(Seq::new(cut)));
    assert!(b.machine().members().iter().any(|member| member.key == author.key() && member.faulty));
    let objects = b.machine().convictions();
    let [object] = objects.as_slice() else { panic!("{} objects", objects.len()) };
    let read = decode_fault(&encode_fault(object)).unwrap();
    let conviction = judge(&read, charter()).unwrap();
    assert_eq!((conviction.author, conviction.epoch, conviction.cut), (author.key(), author.epoch, Seq::new(cut)));
}

/// Delivers the same messages to two drivers in two orders; both must agree on everything.
fn both_ways(messages: &[Bytes]) -> [Driver<MemoryStorage, TestKeys>; 2] {
    let (mut b, mut c) = (driver(1, 2), driver(2, 3));
    let mut said: BTreeSet<Bytes> = messages.iter().cloned().collect();
    let backwards: Vec<Bytes> = messages.iter().rev().cloned().collect();
    let mut from_b = hear(&mut b, 1_000, messages).publish;
    let mut from_c = hear(&mut c, 1_000, &backwards).publish;
    for round in 0..4 {
        said.extend(from_b.iter().chain(&from_c).cloned());
        let next = hear(&mut c, 2_000 + 1_000 * round, &from_b).publish;
        from_b = hear(&mut b, 2_000 + 1_000 * round, &from_c).publish;
        from_c = next;
    }
    [b, c]
}

/// A checkpoint in the log that is not of the events below it: wrong root, wrong size, an old one again.
#[test]
fn a_false_checkpoint_convicts() {
    for lie in 0..3 {
        let mut a = Author::new(0, [1; 16], at(0));
        let mut events = vec![a.say(started(Vec::new())), a.say(note("one"))];
        events.push(a.checkpoint(2, root(&events)));
        events.push(a.say(note("two")));
        let (size, stated) = [(3, [7; 32]), (2, root(&events[..2])), (4, root(&events))][lie];
        events.push(a.checkpoint(size, stated));
        events.push(a.say(note("three")));
        for driver in both_ways(&messages(&events)) {
            convicted(&driver, &a, 4);
        }
    }
}

/// Two checkpoints of one size, met in the messages of two witnesses: no event of the author is needed.
#[test]
fn two_checkpoints_convict() {
    let a = Author::new(0, [1; 16], at(0));
    let lines = [line(&a, &a.state(5, [1; 32]), 3, 500), line(&a, &a.state(5, [2; 32]), 4, 500)];
    for driver in both_ways(&lines) {
        convicted(&driver, &a, 0);
    }
}

/// The own key at work elsewhere is told, and no object of one's own is made against it: partners judge that.
#[test]
fn the_own_key_is_not_accused() {
    let mut b = driver(1, 2);
    let own = Author::new(1, [7; 16], at(0));
    assert_eq!(own.key(), driver_key(&b));
    let lines = [line(&own, &own.state(5, [1; 32]), 3, 500), line(&own, &own.state(5, [2; 32]), 4, 500)];
    let output = hear(&mut b, 1_000, &lines);
    assert!(output.notices.contains(&Notice::OwnKeyElsewhere { size: 5 }), "{:?}", output.notices);
    assert!(b.machine().convictions().is_empty() && b.machine().cut(own.key(), own.epoch).is_none());
}

/// A checkpoint that others witnessed, and events that are of another tree: whichever came first, the events up to it stay and the rest
/// goes.
#[test]
fn serving_another_history_convicts() {
    let mut a = Author::new(0, [1; 16], at(0));
    let mut events = vec![a.say(started(Vec::new())), a.say(note("one")), a.say(note("two"))];
    let stray = line(&a, &a.state(2, [9; 32]), 3, 500);
    events.push(a.checkpoint(3, root(&events)));
    let sent = [messages(&events), vec![stray]].concat();
    for driver in both_ways(&sent) {
        convicted(&driver, &a, 2);
    }
}

/// No object convicts whom the evidence does not: a true checkpoint, a foreign network, a stranger, a changed byte.
#[test]
fn objects_are_judged() {
    let mut a = Author::new(0, [1; 16], at(0));
    let mut events = vec![a.say(started(Vec::new())), a.say(note("one"))];
    events.push(a.checkpoint(2, [7; 32]));
    let [b, _] = both_ways(&messages(&events));
    let object = b.machine().convictions().remove(0);
    let file = encode_fault(&object);
    for byte in 0..file.len() {
        let mut changed = file.to_vec();
        changed[byte] ^= 4;
        let judged = decode_fault(&changed.into()).ok().and_then(|object| judge(&object, charter()).ok());
        assert_eq!(judged, None, "byte {byte}");
    }
    let mut honest = object;
    let watchfire_types::fault::FaultKind::History(history) = &mut honest.kind else { panic!("a history") };
    let mut again = Author::new(0, [1; 16], at(0));
    let mut truth = vec![again.say(started(Vec::new())), again.say(note("one"))];
    truth.push(again.checkpoint(2, root(&truth)));
    history.events = truth.iter().map(Verified::to_unverified).collect();
    assert_eq!(judge(&honest, charter()), Err(watchfire_protocol::Acquittal::Agrees));
}
