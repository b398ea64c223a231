//! Witnesses' lines that a node missed, and a witness that lost its state.

use watchfire_driver::{read_witness_messages, repair_witness};
use watchfire_journal::JournalError;
use watchfire_types::body::EpochHead;
use watchfire_types::{Epoch, EventHash};
use watchfire_wire::bounds::MAX_CATCH_UP_RESPONSE;
use watchfire_wire::{CatchUpRequest, CatchUpResponse, WitnessWanted};

use super::*;
use crate::catch_up::{author, give, history};

/// What one asks another, over the wire's own bytes.
pub(super) fn carry(
    asking: &mut Driver<MemoryStorage, TestKeys>,
    answering: &Driver<MemoryStorage, TestKeys>,
    ms: u64,
) -> (CatchUpRequest, CatchUpResponse, Output) {
    let request = CatchUpRequest::decode(asking.catch_up_request().encode()).unwrap();
    let answer =
        CatchUpResponse::decode(answering.answer_catch_up(&request, |error| panic!("{error}")).encode()).unwrap();
    let from = answering.machine().charter().members[answering.machine().member()].node_key;
    let door = vec![
        Door::CaughtUp { from, events: answer.events.clone() },
        Door::Witnesses { from, messages: answer.witnesses.clone() },
    ];
    let mut output = asking.handle(at(ms), door).unwrap();
    output.publish.extend(tick(asking, ms + 20).publish);
    (request, answer, output)
}

fn lines_of(driver: &Driver<MemoryStorage, TestKeys>, origin: &Origin) -> usize {
    let notes = driver.witness().unwrap().checkpoints(origin);
    notes.map(|note| note.signatures().len() - 1).max().unwrap_or(0)
}

/// A node that was away learns of every witness's line by one question to a member that heard them, for others' checkpoints and for its
/// own; what it holds is not sent again, and what is asked for and answered is no more than the bounds.
#[test]
fn lines_that_were_missed_come_by_catch_up() {
    let mut nodes: Vec<_> = (0..4).map(|index| driver(index, u8::try_from(index).unwrap() + 1)).collect();
    let authors: Vec<_> = nodes.iter().map(|node| (driver_key(node), node.machine().epoch())).collect();
    // Everyone hears every start; 3 hears no line of anybody, nor anybody its own checkpoint but 0.
    for index in 0..4 {
        let made = nodes[index].checkpoint(at(1_000)).unwrap().1;
        let own = nodes[index].machine().chained(authors[index].0, authors[index].1);
        let own: Vec<_> = own.map(|event| Verified::clone(event)).collect();
        assert_eq!(checkpoints(&made).len(), 1);
        let mut said = Vec::new();
        for other in (0..4).filter(|other| *other != index) {
            said.push((other, hear(&mut nodes[other], 2_000, &messages(&own)).publish));
        }
        for (by, lines) in said {
            for other in (0..3).filter(|other| *other != by) {
                hear(&mut nodes[other], 3_000, &lines);
            }
        }
    }
    let origin = |index: usize| Origin { network: network(), member: name(index), epoch: authors[index].1 };
    assert_eq!(lines_of(&nodes[0], &origin(3)), 3, "the others heard them");
    let mut away = nodes.pop().unwrap();
    for index in 0..3 {
        assert_eq!(lines_of(&away, &origin(index)), 1, "only its own");
    }
    assert_eq!(lines_of(&away, &origin(3)), 0);
    let (request, answer, output) = carry(&mut away, &nodes[0], 4_000);
    assert_eq!(request.wanted.len(), 4);
    assert_eq!(answer.witnesses.len(), 3 * 2 + 3, "nothing that is held");
    assert_eq!(output.caught_up[1].taken, 9, "{:?}", output.caught_up);
    for index in 0..4 {
        assert_eq!(lines_of(&away, &origin(index)), 3);
    }
    let (request, answer, _) = carry(&mut away, &nodes[1], 5_000);
    assert!(answer.witnesses.is_empty(), "all lines are held, the fifth member never spoke: {:?}", request.wanted);
}

/// A line that does not verify is garbage of whoever served it; of the others nothing is lost.
#[test]
fn carried_lines_are_checked() {
    let mut a = Author::new(0, [1; 16], at(0));
    let events = vec![a.say(started(Vec::new())), a.say(note("one"))];
    let stated = a.state(2, root(&events));
    let text = |line: Bytes| match Envelope::decode(&line).unwrap() {
        Envelope::Witness(text) => text,
        _ => panic!("a line"),
    };
    let good = text(line(&a, &stated, 3, 500));
    let mut bad = good.to_vec();
    let last = bad.len() - 10;
    bad[last] = if bad[last] == b'A' { b'B' } else { b'A' };
    let mut b = driver(1, 2);
    let from = TestKeys::of(4).author();
    let door = Door::Witnesses { from, messages: vec![bad.into(), good] };
    let output = b.handle(at(1_000), vec![door]).unwrap();
    let [caught_up] = output.caught_up.as_slice() else { panic!("{:?}", output.caught_up) };
    assert!(caught_up.is_garbage() && caught_up.from == from);
    assert_eq!((caught_up.taken, caught_up.refused), (1, 1));
}

/// The first event of an epoch names the last checkpoint of each earlier one.
#[test]
fn an_epoch_names_earlier_checkpoints() {
    let disk = MemoryStorage::new();
    let (mut first, _) = open(&crate::world::charter(), 0, disk.clone(), 1, at(0));
    let made = checkpoints(&first.checkpoint(at(1_000)).unwrap().1);
    drop(first);
    let (second, _) = open(&crate::world::charter(), 0, disk.clone(), 2, at(2_000));
    drop(second);
    let (third, output) = open(&crate::world::charter(), 0, disk, 3, at(3_000));
    let Body::Started(started) = &output.appended[0].body else { panic!("{:?}", output.appended) };
    let named: Vec<_> =
        started.earlier.iter().map(|head| head.checkpoint.map(|known| (known.size, known.root))).collect();
    assert_eq!(named, [Some((made[0].1.size, made[0].1.root)), None]);
    drop(third);
}

/// A part of the second history with a checkpoint of its own, smaller than that of the first.
fn shorter_history() -> Vec<Verified<Event>> {
    let mut a = Author::new(0, [1; 16], at(0));
    let mut events = vec![a.say(started(Vec::new())), a.say(note("other"))];
    events.push(a.checkpoint(2, root(&events)));
    events
}

/// A witness that lost its state and its log has back a line of its own over more than what it hears now: it signs nothing smaller of another history and
/// accuses nobody of it; that history it signs again once it holds the events.
#[test]
fn nothing_smaller_is_signed_than_what_came_back() {
    let [first, _] = two_histories();
    let signed = hear(&mut driver(1, 2), 1_000, &messages(&first)).publish;
    let mut again = driver(1, 3);
    hear(&mut again, 2_000, &signed);
    let output = hear(&mut again, 2_100, &messages(&shorter_history()));
    assert!(witness_lines(&output).is_empty());
    assert!(!output.notices.iter().any(|notice| matches!(notice, Notice::NotWitnessed { .. })), "{:?}", output.notices);
    let mut honest = driver(1, 4);
    hear(&mut honest, 2_000, &signed);
    assert_eq!(witness_lines(&hear(&mut honest, 2_100, &messages(&first))).len(), 1);
}

/// Damage in the witness's files keeps the node from starting, by name, wherever it is and whatever the other directory holds; the repair
/// keeps what is sound. A witness that lost what it signed signs no other history: its log forbids it, and so does what others kept.
#[test]
fn a_witness_that_lost_its_state() {
    let [first, second] = two_histories();
    let disks = [MemoryStorage::new(), MemoryStorage::new()];
    let (mut b, _) = open(&crate::world::charter(), 1, MemoryStorage::new(), 2, at(0));
    b.set_witness(witness(disks.clone(), 1));
    let signed = hear(&mut b, 1_000, &messages(&first)).publish;
    assert_eq!(signed.iter().filter(|bytes| matches!(Envelope::decode(bytes), Ok(Envelope::Witness(_)))).count(), 1);
    drop(b);
    let files = disks[0].files();
    let segment = files.keys().find(|name| name.ends_with(".log")).unwrap().clone();
    let end = files[&segment].iter().rposition(|byte| *byte != 0).unwrap();
    let (mut lost, mut read) = (0, 0);
    for byte in (64..end).step_by(7) {
        let mut files = files.clone();
        files.get_mut(&segment).unwrap()[byte] ^= 4;
        let damaged = MemoryStorage::with_files(files);
        let opened = Witness::open([damaged.clone(), MemoryStorage::new()], charter(), &name(1));
        let Err(JournalError::Damaged { segment, .. }) = opened else { panic!("byte {byte}: {opened:?}") };
        assert!(segment.starts_with("witness/0/"), "{segment}");
        let done = repair_witness(&damaged).unwrap();
        lost += done.iter().map(|segment| segment.lost).sum::<u64>();
        // Also by those who only look, and also where the record is lost that the state begins with.
        read += read_witness_messages(&[damaged.clone(), MemoryStorage::new()]).unwrap().len();
        // It has nothing but a line that another member kept of it.
        let (mut again, _) = open(&crate::world::charter(), 1, MemoryStorage::new(), 3, at(0));
        again.set_witness(witness([damaged, MemoryStorage::new()], 1));
        hear(&mut again, 2_000, &signed);
        // Before that line has its next turn against the log: nothing but itself stands in the way.
        assert!(witness_lines(&hear(&mut again, 2_100, &messages(&second))).is_empty(), "byte {byte}");
    }
    assert!(lost > 10 && read > 0, "{lost} {read}");
}

/// What witnesses said leaves the events of an answer that much less room.
#[test]
fn lines_and_events_share_an_answer() {
    let mut b = driver(1, 2);
    let authors: Vec<_> = (1..=10).map(|epoch| Author::new(0, [epoch; 16], at(0))).collect();
    let witnessed = |author: &Author| [2, 3, 4].map(|by| line(author, &author.state(3, [7; 32]), by, 1_000));
    hear(&mut b, 1_000, &authors.iter().flat_map(witnessed).collect::<Vec<_>>());
    give(&mut b, &history(&mut author(3, 5), 1_100));
    let wanted = |author: &Author| WitnessWanted { author: author.key(), epoch: author.epoch, size: 3, held: vec![] };
    let request = CatchUpRequest { wanted: authors.iter().map(wanted).collect(), ..Default::default() };
    let encoded = b.answer_catch_up(&request, |error| panic!("{error}")).encode();
    assert!(encoded.len() <= MAX_CATCH_UP_RESPONSE, "{} bytes", encoded.len());
    let answer = CatchUpResponse::decode(encoded).unwrap();
    assert_eq!((answer.witnesses.len(), answer.complete), (30, false));
}

/// However many newer epochs of one author lack lines, every question names the newest epoch of each other member.
#[test]
fn no_author_crowds_others_out_of_the_questions() {
    let mut b = driver(1, 2);
    let mut ask_about = |author: &mut Author, earlier: Vec<EpochHead>| {
        let mut events = vec![author.say(started(earlier))];
        events.push(author.checkpoint(1, root(&events)));
        hear(&mut b, 300_000, &messages(&events));
    };
    let mut honest = [2, 3].map(|index| Author::new(index, [0xf0; 16], at(1_000)));
    honest.iter_mut().for_each(|author| ask_about(author, Vec::new()));
    let mut newest = Author::new(0, [61; 16], at(200_000));
    let epochs = (1..=60_u8).map(|number| Epoch::from_bytes([number; 16]));
    let (seq, hash) = (Seq::new(1), EventHash::from_bytes([7; 32]));
    ask_about(&mut newest, epochs.clone().map(|epoch| EpochHead { epoch, seq, hash, checkpoint: None }).collect());
    for (epoch, ms) in epochs.zip(100_000..) {
        ask_about(&mut Author::new(0, *epoch.as_bytes(), at(ms)), Vec::new());
    }
    for question in 0..4 {
        let wanted = b.catch_up_request().wanted;
        assert_eq!(wanted.len(), 32);
        for author in honest.iter().chain([&newest]) {
            let named = wanted.iter().any(|wanted| (wanted.author, wanted.epoch) == (author.key(), author.epoch));
            assert!(named, "question {question}: {:?}", author.key());
        }
    }
}
