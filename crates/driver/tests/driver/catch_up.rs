//! Catch-up between two logs, whatever happened to them: late, parted, forked, lied to, cut off and crashed.

use std::collections::{BTreeMap, VecDeque};

use watchfire_driver::{CaughtUp, Door, Driver, Keys, Line, Output, Part, ReadAnswer, Refusal};
use watchfire_journal::storage::CrashState;
use watchfire_journal::{FaultyStorage, JournalError, MemoryStorage, Storage};
use watchfire_types::duty::Duty;
use watchfire_types::input::Input;
use watchfire_types::{Body, Bytes, Event, EventHash, MemberKey, Seq, Timestamp, Verified, VerifyError};
use watchfire_wire::bounds::{MAX_CATCH_UP_REQUEST, MAX_CATCH_UP_RESPONSE, MAX_RESPONSE_EVENTS};
use watchfire_wire::{CatchUpRequest, CatchUpResponse};

use crate::forge::{Author, note, started};
use crate::world::{TestKeys, charter, open};

pub(crate) const NOW: Timestamp = Timestamp::from_millis(1_700_000_098_000);
const AN_HOUR_AGO: Timestamp = Timestamp::from_millis(1_699_996_498_000);

/// A member that speaks every 600 ms since an hour ago: within its quota.
pub(crate) fn author(index: usize, epoch: u8) -> Author {
    Author { step_ms: 600, ..Author::new(index, [epoch; 16], AN_HOUR_AGO) }
}

pub(crate) fn node<S: Storage>(index: usize, storage: S) -> Driver<S, TestKeys> {
    open(&charter(), index, storage, 0x70 + u8::try_from(index).unwrap(), NOW).0
}

/// `Started` and notes that fill a kilobyte each: this many events of one author.
pub(crate) fn history(author: &mut Author, events: usize) -> Vec<Bytes> {
    let first = author.next == Seq::new(0);
    let body = |n: usize| {
        if first && n == 0 { started(Vec::new()) } else { note(&format!("{n:1000}")) }
    };
    (0..events).map(|n| author.say(body(n)).outer().clone()).collect()
}

/// Gives a node events as if they had come by gossip long ago.
pub(crate) fn give<S: Storage>(driver: &mut Driver<S, TestKeys>, events: &[Bytes]) {
    let from = TestKeys::of(4).author();
    let output = driver.handle(NOW, vec![Door::CaughtUp { from, events: events.to_vec() }]).unwrap();
    assert_eq!(output.caught_up[0].refused, 0, "{:?}", output.caught_up[0].reason);
}

/// One question and its answer, over the wire's own encoding and within its bounds.
fn ask<S: Storage, P: Storage>(asking: &mut Driver<S, TestKeys>, peer: &Driver<P, TestKeys>) -> CatchUpResponse {
    let request = asking.catch_up_request().encode();
    assert!(request.len() <= MAX_CATCH_UP_REQUEST);
    let response = peer.answer_catch_up(&CatchUpRequest::decode(request).unwrap(), |error| panic!("{error}"));
    let encoded = response.encode();
    assert!(encoded.len() <= MAX_CATCH_UP_RESPONSE && response.events.len() <= MAX_RESPONSE_EVENTS);
    assert_eq!(CatchUpResponse::decode(encoded).unwrap(), response);
    response
}

fn take<S: Storage>(driver: &mut Driver<S, TestKeys>, from: MemberKey, events: Vec<Bytes>) -> (CaughtUp, Output) {
    let mut output = driver.handle(NOW, vec![Door::CaughtUp { from, events }]).unwrap();
    (output.caught_up.remove(0), output)
}

/// Asks until nothing further comes; every answer with what it led to.
fn pull<S: Storage, P: Storage>(asking: &mut Driver<S, TestKeys>, peer: &Driver<P, TestKeys>) -> Vec<CaughtUp> {
    let mut answers = Vec::new();
    loop {
        let response = ask(asking, peer);
        let (caught_up, _) = take(asking, TestKeys::of(1).author(), response.events);
        let over = caught_up.taken == 0;
        answers.push(caught_up);
        if over {
            return answers;
        }
        assert!(answers.len() < 200, "no end");
    }
}

fn same<S: Storage, P: Storage>(one: &Driver<S, TestKeys>, other: &Driver<P, TestKeys>) {
    assert_eq!(one.machine().heads(), other.machine().heads());
    assert_eq!(one.machine().state_digest(), other.machine().state_digest());
}

/// Whoever comes late holds everything after as many bounded pages as it takes, each author served in turn; nothing is served twice.
#[test]
fn a_late_joiner_is_complete_in_bounded_pages() {
    let mut peer = node(1, MemoryStorage::new());
    let mut authors: Vec<Author> = (2..5).map(|index| author(index, 5)).collect();
    // One author said far more than the others.
    for (author, events) in authors.iter_mut().zip([2_000, 300, 300]) {
        give(&mut peer, &history(author, events));
    }
    let mut late = node(0, MemoryStorage::new());
    let first = ask(&mut late, &peer);
    assert!(!first.complete);
    let of = |author: &Author| {
        let mine =
            |outer: &&Bytes| watchfire_wire::decode_signed((*outer).clone()).unwrap().event().author == author.key();
        first.events.iter().filter(mine).count()
    };
    assert!(authors.iter().all(|author| of(author) >= 250), "a fair share of each author");
    let answers = pull(&mut late, &peer);
    assert_eq!(answers.iter().map(|answer| answer.taken).sum::<usize>(), 2_601);
    assert_eq!(answers.iter().map(|answer| answer.held + answer.refused).sum::<usize>(), 0);
    assert_eq!(answers.len(), 5, "four pages of up to a megabyte, and one that is empty");
    pull(&mut peer, &late);
    same(&late, &peer);
}

/// The vector names each chain by author, epoch, position and hash, as far as it is held without a gap.
#[test]
fn the_vector_names_what_is_held_without_gaps() {
    let mut here = node(0, MemoryStorage::new());
    let mut other = author(2, 5);
    let events = history(&mut other, 10);
    give(&mut here, &events[..4]);
    give(&mut here, &events[6..]);
    let request = here.catch_up_request();
    let at = request.vector.iter().find(|at| at.author == other.key()).unwrap();
    let hash = watchfire_wire::decode_signed(events[3].clone()).unwrap().hash();
    assert_eq!((at.epoch, at.seq, at.hash), (other.epoch, Seq::new(3), hash));
    let mut peer = node(1, MemoryStorage::new());
    give(&mut peer, &events);
    let response = ask(&mut here, &peer);
    assert!(response.complete && events[4..].iter().all(|event| response.events.contains(event)));
    let (caught_up, _) = take(&mut here, peer.machine().heads().into_keys().next().unwrap().0, response.events);
    assert_eq!(
        (caught_up.taken, caught_up.held, caught_up.refused),
        (3, 4, 0),
        "the gap, and the peer's own beginning"
    );
}

/// An event that overtook another one has its author asked for that chain, and the answer holds nothing else, however much is missing.
#[test]
fn a_gap_is_asked_for_alone() {
    for epoch in [5, 0xff] {
        let (mut here, mut peer) = (node(0, MemoryStorage::new()), node(1, MemoryStorage::new()));
        let mut said = author(2, epoch);
        let events = history(&mut said, 10);
        give(&mut peer, &events);
        // Chains before it and after it in their order.
        give(&mut peer, &history(&mut author(2, 4), 20));
        give(&mut peer, &history(&mut author(2, 6), 20));
        give(&mut peer, &history(&mut author(3, epoch), 20));
        give(&mut here, &events[..4]);
        let input = Input::Peer { member: said.key(), connected: true };
        here.handle(NOW, vec![Door::Input(input)]).unwrap();
        let (_, output) = take(&mut here, said.key(), events[6..7].to_vec());
        let owed = Duty::CatchUp { from: said.key(), epoch: said.epoch };
        assert!(output.duties.contains(&owed), "{:?}", output.duties);

        let request = here.catch_up_request_of(said.key(), said.epoch);
        let request = CatchUpRequest::decode(request.encode()).unwrap();
        let response = peer.answer_catch_up(&request, |error| panic!("{error}"));
        // After the last of all epochs no chain begins at which the stretch could end.
        let others = response.events.iter().filter(|event| !events.contains(event)).count();
        assert!(response.complete && (others == 0 || epoch == 0xff), "{others} of others");
        let (caught_up, output) = take(&mut here, said.key(), response.events);
        assert_eq!((caught_up.taken >= 5, caught_up.refused), (true, 0));
        assert!(!output.duties.contains(&owed), "the gap is closed");
    }
}

/// After a long partition each side holds what only the other side heard, of the same authors and of others.
#[test]
fn a_long_partition_heals_both_ways() {
    let (mut left, mut right) = (node(0, MemoryStorage::new()), node(1, MemoryStorage::new()));
    let mut both = author(2, 5);
    let before = history(&mut both, 50);
    give(&mut left, &before);
    give(&mut right, &before);
    // The one side heard the author go on; the other heard it after a restart, and somebody else.
    give(&mut left, &history(&mut both, 900));
    let mut again = author(2, 6);
    give(&mut right, &history(&mut again, 800));
    give(&mut right, &history(&mut author(3, 5), 700));
    give(&mut left, &history(&mut author(4, 5), 600));
    pull(&mut left, &right);
    pull(&mut right, &left);
    same(&left, &right);
    assert_eq!(left.events(), 2 + 50 + 900 + 800 + 700 + 600);
    assert_eq!(pull(&mut left, &right).len(), 1, "nothing is served again");
}

/// An author that tells one side one story and the other side another, of one length or of two: within a few answers both sides hold
/// both stories at the place where they part, the proof, and the same state.
#[test]
fn both_sides_of_a_fork_end_with_both_and_the_proof() {
    for (parted, lengths) in [(7, [40, 40]), (1, [40, 33]), (150, [400, 151]), (398, [400, 400])] {
        let (mut left, mut right) = (node(0, MemoryStorage::new()), node(1, MemoryStorage::new()));
        let mut liar = author(2, 5);
        let before = history(&mut liar, parted);
        let mut twin = liar.clone();
        twin.time = twin.time.plus_millis(7);
        let stories = [history(&mut liar, lengths[0] - parted), history(&mut twin, lengths[1] - parted)];
        give(&mut left, &[before.clone(), stories[0].clone()].concat());
        give(&mut right, &[before, stories[1].clone()].concat());
        let mut answers = 0;
        for _ in 0..3 {
            answers += pull(&mut left, &right).len();
            answers += pull(&mut right, &left).len();
        }
        assert!(answers <= 2 * 12 + 6, "{answers} answers to find where {lengths:?} part at {parted}");
        same(&left, &right);
        let place = Seq::new(parted as u64);
        for side in [&left, &right] {
            assert_eq!(side.machine().cut(liar.key(), liar.epoch), Some(place));
            let faulty = side.machine().members().into_iter().find(|member| member.faulty).unwrap();
            assert_eq!(faulty.key, liar.key());
            let both = |event: &Verified<Event>| match &event.body {
                Body::FaultProof(proof) => {
                    let told =
                        |at: usize| [&proof.first, &proof.second].iter().any(|part| stories[at].contains(part.outer()));
                    told(0) && told(1)
                }
                _ => false,
            };
            assert!(side.machine().events().any(both), "the log holds both stories as proof for anyone");
        }
        // Nothing above the cut is served again for ever.
        assert!(ask(&mut left, &right).events.len() <= 2);
    }
}

/// A peer that serves a forged event and bytes that are nothing in the middle of a good page is named; what holds of its page is taken, and
/// another peer serves the rest.
#[test]
fn garbage_in_the_middle_is_named_and_another_peer_goes_on() {
    let (mut liar, mut honest) = (node(1, MemoryStorage::new()), node(2, MemoryStorage::new()));
    let mut other = author(3, 5);
    let events = history(&mut other, 500);
    give(&mut liar, &events);
    give(&mut honest, &events);
    let mut here = node(0, MemoryStorage::new());
    let mut page = ask(&mut here, &liar).events;
    let mut forged = page[200].to_vec();
    *forged.last_mut().unwrap() ^= 1;
    page[200] = forged.into();
    page[300] = Bytes::from_static(b"garbage");
    let from = TestKeys::of(1).author();
    let (caught_up, output) = take(&mut here, from, page);
    assert_eq!((caught_up.from, caught_up.refused), (from, 2));
    assert!(caught_up.is_garbage());
    let signature = Refusal::Signature(VerifyError::BadSignature { author: other.key() });
    assert_eq!(caught_up.reason, Some(signature), "the first reason against the peer");
    assert!(output.notices.is_empty() && here.signing_stopped().is_none());
    let reached = here.machine().heads()[&(other.key(), other.epoch)].0;
    assert_eq!(reached, Seq::new(198), "up to what was forged: the peer's own beginning stood before it");
    let answers = pull(&mut here, &honest);
    assert!(answers.iter().all(|answer| !answer.is_garbage()));
    pull(&mut honest, &here);
    same(&here, &honest);
}

/// An answer that is cut off anywhere leaves what came of it, and the next question goes on from there.
#[test]
fn a_cut_in_mid_page_resumes_where_it_was() {
    let mut peer = node(1, MemoryStorage::new());
    give(&mut peer, &history(&mut author(2, 5), 120));
    give(&mut peer, &history(&mut author(3, 5), 77));
    let mut here = node(0, MemoryStorage::new());
    let mut served = 0;
    for cut in [1, 0, 50, 3, 17] {
        let mut events = ask(&mut here, &peer).events;
        events.truncate(cut);
        served += events.len();
        let (caught_up, _) = take(&mut here, TestKeys::of(1).author(), events);
        assert_eq!((caught_up.taken, caught_up.held, caught_up.refused), (cut, 0, 0));
    }
    served += pull(&mut here, &peer).iter().map(|answer| answer.taken + answer.held).sum::<usize>();
    assert_eq!(served, 120 + 77 + 1, "no event twice");
    pull(&mut peer, &here);
    same(&here, &peer);
}

/// A newcomer whose machine loses power in the middle goes on after its restart from what its disk kept, and ends complete.
#[test]
fn a_crash_in_the_middle_resumes() {
    let mut peer = node(1, MemoryStorage::new());
    give(&mut peer, &history(&mut author(2, 5), 1_500));
    for state in [CrashState::LoseAll, CrashState::KeepAll, CrashState::Sectors(vec![true, false, true])] {
        let disk = FaultyStorage::new();
        let mut here = node(0, disk.clone());
        let response = ask(&mut here, &peer);
        let taken = response.events.len();
        assert!(taken > 500 && !response.complete);
        take(&mut here, TestKeys::of(1).author(), response.events);
        let left = disk.crash(&state);
        drop(here);
        let (mut here, _) = open(&charter(), 0, left, 0x80, NOW.plus_millis(1_000));
        let kept = here.events();
        assert!(kept > 256 && kept <= taken + 2, "whole commits are kept: {kept} of {taken}");
        let more: usize = pull(&mut here, &peer).iter().map(|answer| answer.taken).sum();
        assert!(more >= 1_501 - taken);
        let head = here.machine().heads()[&(TestKeys::of(2).author(), author(2, 5).epoch)].0;
        assert_eq!(head, Seq::new(1_499));
    }
}

/// Checked beside the driver on many threads, in it, or one event at a time: the same events in the same order, the same log.
#[test]
fn checking_beside_the_driver_changes_nothing() {
    let mut events = history(&mut author(2, 5), 300);
    events.extend(history(&mut author(3, 5), 300));
    events[450] = Bytes::from_static(b"garbage");
    events[100] = events[99].clone();
    let from = TestKeys::of(1).author();
    let log = |output: Vec<Output>| -> Vec<EventHash> {
        output.iter().flat_map(|output| &output.appended).map(|event| event.hash()).collect()
    };
    let flush = |driver: &mut Driver<MemoryStorage, TestKeys>| {
        driver.handle(NOW.plus_millis(1_000), vec![Door::Input(Input::Tick)]).unwrap()
    };
    let mut beside = node(0, MemoryStorage::new());
    let checked = beside.verifier().check(&ReadAnswer::read(from, &events));
    assert_eq!((checked.len(), checked.from()), (600, from));
    let one = vec![beside.handle(NOW, vec![Door::Checked(checked)]).unwrap(), flush(&mut beside)];
    let mut inside = node(0, MemoryStorage::new());
    let door = vec![Door::CaughtUp { from, events: events.clone() }];
    let two = vec![inside.handle(NOW, door).unwrap(), flush(&mut inside)];
    assert_eq!(one[0].caught_up, two[0].caught_up);
    let mut single = node(0, MemoryStorage::new());
    let doors = events.into_iter().map(|event| Door::CaughtUp { from, events: vec![event] });
    let three = vec![single.handle(NOW, doors.collect()).unwrap(), flush(&mut single)];
    let logs = [log(one), log(two), log(three)];
    assert!(logs[0] == logs[1] && logs[1] == logs[2] && logs[0].len() > 590);
    same(&beside, &inside);
    same(&beside, &single);
}

/// A question past answers whose signatures nobody has checked yet is answered with what comes after them, never with them again.
#[test]
fn questions_run_ahead_of_answers() {
    let mut peer = node(1, MemoryStorage::new());
    give(&mut peer, &history(&mut author(2, 5), 2_500));
    let mut here = node(0, MemoryStorage::new());
    let verifier = here.verifier();
    let mut underway = Vec::new();
    let mut served: BTreeMap<Bytes, usize> = BTreeMap::new();
    let mut request = here.catch_up_request();
    loop {
        let events = peer.answer_catch_up(&request, |error| panic!("{error}")).events;
        if events.is_empty() {
            break;
        }
        for event in &events {
            *served.entry(event.clone()).or_default() += 1;
        }
        underway.push(ReadAnswer::read(TestKeys::of(1).author(), &events));
        let claimed: Vec<&ReadAnswer> = underway.iter().collect();
        request = here.catch_up_request_ahead(&claimed).expect("it leads on");
        let twice: Vec<&ReadAnswer> = underway.iter().chain(underway.last()).collect();
        assert_eq!(here.catch_up_request_ahead(&twice), None, "the same again leads nowhere");
    }
    assert!(underway.len() >= 3 && served.values().all(|times| *times == 1));
    let checked = underway.iter().map(|answer| Door::Checked(verifier.check(answer)));
    here.handle(NOW, checked.collect()).unwrap();
    assert!(ask(&mut here, &peer).events.is_empty());
    assert_eq!(here.events(), 2 + 2_500);
}

/// A newcomer's line to a peer that serves it and to a checker, one step of any of the three at a time: everything comes once and in order, never is
/// more under way than the bounds say, and the line ends by itself.
#[test]
fn a_line_goes_on_until_it_has_everything() {
    let mut peer = node(1, MemoryStorage::new());
    give(&mut peer, &history(&mut author(2, 5), 3_000));
    for pace in 0..16_u32 {
        let mut here = node(0, MemoryStorage::new());
        let (verifier, from) = (here.verifier(), TestKeys::of(1).author());
        let (mut line, mut asked) = (Line::default(), Some(here.catch_up_request()));
        let (mut decoding, mut to_check, mut to_take) = (VecDeque::new(), VecDeque::new(), VecDeque::new());
        let (mut questions, mut served, mut most) = (0, 0, 0);
        for step in 0.. {
            // Which of them is slow differs from pace to pace.
            let turn = (step + pace * (step / 7)) % 4;
            match turn {
                0 if decoding.is_empty() => {
                    if let Some(request) = asked.take() {
                        let response = peer.answer_catch_up(&request, |error| panic!("{error}"));
                        questions += 1;
                        served += response.events.len();
                        line.arrived();
                        if !response.events.is_empty() {
                            line.reading(response.complete);
                            decoding.extend(Part::read(from, &response.events));
                        }
                    }
                }
                1 => {
                    if let Some(part) = decoding.pop_front() {
                        line.read(part.clone());
                        to_check.push_back(part);
                    }
                }
                2 => to_take.extend(to_check.pop_front().map(|part| verifier.check(part.answer()))),
                _ => {
                    if let Some(answer) = to_take.pop_front() {
                        line.checked();
                        let turned = here.handle(NOW, vec![Door::Checked(answer)]).unwrap();
                        assert_eq!((turned.caught_up[0].held, turned.caught_up[0].refused), (0, 0));
                        line.taken(turned.caught_up[0].taken > 0);
                    }
                }
            }
            if let Some(request) = line.ask_on(&mut here) {
                assert_eq!(asked.replace(request), None, "one question at a time");
            }
            most = most.max(decoding.len() + to_check.len() + to_take.len());
            if line.is_over() && asked.is_none() {
                break;
            }
        }
        assert_eq!((here.events(), served), (2 + 3_000, 1 + 3_000), "pace {pace}: everything, once");
        assert!(questions >= 3 && most <= 3 * 4_096 / 512, "pace {pace}: {questions} questions, {most} parts");
    }
}

/// A member is asked on where any part of its answer was new, and not where none was, whatever more it says that it has.
#[test]
fn a_line_ends_with_an_answer_that_brings_nothing() {
    let mut peer = node(1, MemoryStorage::new());
    give(&mut peer, &history(&mut author(2, 5), 3_000));
    for known in [512, usize::MAX] {
        let mut here = node(0, MemoryStorage::new());
        let (verifier, from) = (here.verifier(), TestKeys::of(1).author());
        let response = ask(&mut here, &peer);
        let (length, parts) = (response.events.len(), response.events.len().div_ceil(512));
        assert!(!response.complete && parts > 1);
        let mut line = Line::default();
        line.reading(false);
        let parts: Vec<Part> = Part::read(from, &response.events).inspect(|part| line.read(part.clone())).collect();
        let ahead = line.ask_on(&mut here).unwrap();
        assert!(line.ask_on(&mut here).is_none(), "one question at a time");
        // Somebody else's answer was faster.
        take(&mut here, from, response.events[..known.min(length)].to_vec());
        for part in parts {
            line.checked();
            let turned = here.handle(NOW, vec![Door::Checked(verifier.check(part.answer()))]).unwrap();
            line.taken(turned.caught_up[0].taken > 0);
        }
        assert!(!line.is_over(), "an answer is still to come");
        let next = peer.answer_catch_up(&ahead, |error| panic!("{error}"));
        line.arrived();
        assert!(line.is_over());
        line.reading(next.complete);
        Part::read(from, &next.events).for_each(|part| line.read(part));
        assert_eq!(line.ask_on(&mut here).is_some(), known < length, "after {known} of {length} were held");
    }
}

/// Where two histories part at the newest event that is held, the other event there is answered: nothing else shows the fork.
#[test]
fn a_fork_at_the_last_event_is_served() {
    let (mut peer, mut asking) = (node(1, MemoryStorage::new()), node(0, MemoryStorage::new()));
    let mut author = author(3, 7);
    let common = history(&mut author, 5);
    let mut other = author.clone();
    give(&mut asking, &[common.clone(), history(&mut author, 1)].concat());
    let first = other.say(note("another word")).outer().clone();
    give(&mut peer, &[common, vec![first.clone()], history(&mut other, 3)].concat());
    let answer = ask(&mut asking, &peer);
    assert!(answer.events.contains(&first));
}

/// A record that rotted on the disk is left out of the answer and told; everything else is served, and the node goes on.
#[test]
fn a_rotten_record_is_told_and_left_out() {
    let disk = FaultyStorage::new();
    let mut peer = node(1, disk.clone());
    let mut author = author(3, 7);
    let events = history(&mut author, 20);
    give(&mut peer, &events);
    let mut asking = node(2, MemoryStorage::new());
    let whole = ask(&mut asking, &peer).events;
    assert!(events.iter().all(|event| whole.contains(event)));
    // What is not synced yet is served from memory.
    peer.handle(NOW.plus_millis(1_000), vec![Door::Input(Input::Tick)]).unwrap();
    // Well inside one of twenty notes of a kilobyte each.
    disk.rot("00000000.log", 8 * 14_000);
    let request = asking.catch_up_request();
    let mut told = Vec::new();
    let answer = peer.answer_catch_up(&request, |error| told.push(error));
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(matches!(&told[0], JournalError::Damaged { .. }), "{}", told[0]);
    assert_eq!(answer.events.len() + 1, whole.len());
    give(&mut peer, &history(&mut author, 1));
}
