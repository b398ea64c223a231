//! Answers that repeat what is held, or themselves: they cost no signature check, and lead nowhere.

use watchfire_driver::{CaughtUp, Door, Driver, Keys, Line, Part, ReadAnswer};
use watchfire_journal::MemoryStorage;
use watchfire_types::Bytes;
use watchfire_wire::CatchUpRequest;

use crate::catch_up::{NOW, author, give, history, node};
use crate::world::TestKeys;

/// What becomes of an answer that comes in parts.
fn take(driver: &mut Driver<MemoryStorage, TestKeys>, events: &[Bytes]) -> Vec<CaughtUp> {
    let verifier = driver.verifier();
    let parts = Part::read(TestKeys::of(1).author(), events).map(|part| Door::Checked(verifier.check(part.answer())));
    driver.handle(NOW, parts.collect()).unwrap().caught_up
}

/// What the log holds is not checked: without the log's own word nobody would take it. What the log does not hold is.
#[test]
fn what_is_held_is_not_checked() {
    let (mut holding, mut other) = (node(0, MemoryStorage::new()), node(2, MemoryStorage::new()));
    let events = history(&mut author(3, 5), 20);
    let verifier = holding.verifier();
    give(&mut holding, &events[..12]);
    let checked = verifier.check(&ReadAnswer::read(TestKeys::of(1).author(), &events));
    let caught_up = other.handle(NOW, vec![Door::Checked(checked)]).unwrap().caught_up.remove(0);
    assert_eq!((caught_up.held, caught_up.taken, caught_up.refused), (12, 8, 0));
}

/// Of what an answer repeats the first alone is checked, whichever part of it the others come in.
#[test]
fn a_repeat_is_not_checked() {
    let mut here = node(0, MemoryStorage::new());
    let mut events = history(&mut author(3, 5), 600);
    let mut forged = events[10].to_vec();
    *forged.last_mut().unwrap() ^= 1;
    for place in [20, 30, 550] {
        events[place] = forged.clone().into();
    }
    let caught_up = take(&mut here, &events);
    assert_eq!(caught_up.iter().map(|part| (part.refused, part.held)).collect::<Vec<_>>(), [(1, 1), (0, 1)]);
}

/// An answer of which more than half is repeats is garbage of whoever gave it; a short one, or half of one, is not. What is new in it is taken.
#[test]
fn an_answer_of_repeats_is_garbage() {
    for (fresh, length, garbage) in [(1, 4_096, true), (31, 64, true), (32, 64, false), (1, 63, false)] {
        let mut here = node(0, MemoryStorage::new());
        let events = history(&mut author(3, 5), fresh);
        let repeated = vec![events[0].clone(); length - fresh];
        let caught_up = take(&mut here, &[repeated, events].concat());
        assert_eq!(caught_up.iter().any(CaughtUp::is_garbage), garbage, "{fresh} of {length}");
        assert_eq!(caught_up.iter().map(|part| part.taken).sum::<usize>(), fresh);
    }
}

/// A line that asked past the first events, and the answer to that.
fn asked_past(events: &[Bytes], answer: &[Bytes]) -> Option<CatchUpRequest> {
    let mut here = node(0, MemoryStorage::new());
    let mut line = Line::default();
    let mut hear = |events: &[Bytes]| {
        line.arrived();
        line.reading(false);
        Part::read(TestKeys::of(1).author(), events).for_each(|part| line.read(part));
        line.ask_on(&mut here)
    };
    hear(events).unwrap();
    hear(answer)
}

/// An answer of which more than half is what the question said is held ends the line, before anything of it is checked, though it brings
/// something too.
#[test]
fn what_the_question_said_leads_nowhere() {
    let events = history(&mut author(3, 5), 300);
    let answer = |said: usize, fresh: usize| [&events[1..=said], &events[200..200 + fresh]].concat();
    for (said, fresh, goes_on) in [(33, 31, false), (32, 32, true), (62, 1, true), (150, 60, false)] {
        let next = asked_past(&events[..200], &answer(said, fresh));
        assert_eq!(next.is_some(), goes_on, "{said} said and {fresh} new");
    }
}

/// Of chains that part from what the question said an honest member answers what shows where: that is no repeat, however many such chains.
#[test]
fn what_shows_where_chains_part_is_no_repeat() {
    let (mut peer, mut first, mut stories) = (node(1, MemoryStorage::new()), Vec::new(), Vec::new());
    for (index, epoch) in [2, 4].into_iter().flat_map(|index| (1..=4).map(move |epoch| (index, epoch))) {
        let mut liar = author(index, epoch);
        let common = history(&mut liar, 120);
        let mut twin = liar.clone();
        twin.time = twin.time.plus_millis(7);
        first.extend([common.clone(), history(&mut liar, 1)].concat());
        stories.extend([common, history(&mut twin, 1)].concat());
    }
    give(&mut peer, &stories);
    give(&mut peer, &history(&mut author(3, 5), 2));
    let mut here = node(0, MemoryStorage::new());
    let mut line = Line::default();
    let mut hear = |events: &[Bytes]| {
        line.arrived();
        line.reading(false);
        Part::read(TestKeys::of(1).author(), events).for_each(|part| line.read(part));
        line.ask_on(&mut here)
    };
    let asked = hear(&first).unwrap();
    let answer = peer.answer_catch_up(&asked, |error| panic!("{error}")).events;
    assert!(answer.len() >= 64 && answer.iter().filter(|event| first.contains(event)).count() > answer.len() / 2);
    assert!(hear(&answer).is_some());
}
