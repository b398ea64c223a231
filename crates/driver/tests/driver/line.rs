//! When one member is asked on, and when it is not: each condition by itself.

use watchfire_driver::{Door, Driver, Keys, Line, Part};
use watchfire_journal::MemoryStorage;
use watchfire_types::{Bytes, Seq, Timestamp};
use watchfire_wire::CatchUpRequest;

use crate::forge::{Author, note, started};
use crate::world::{TestKeys, charter, open};

const NOW: Timestamp = Timestamp::from_millis(1_700_000_098_000);

/// A line to a member, the node that asks, and what that member has to say.
struct Asking {
    node: Driver<MemoryStorage, TestKeys>,
    line: Line,
    events: std::vec::IntoIter<Bytes>,
    /// Not taken yet.
    heard: Vec<Bytes>,
}

impl Asking {
    fn new(count: usize) -> Self {
        let mut author = Author::new(3, [7; 16], NOW);
        let body = |n: usize| if n == 0 { started(Vec::new()) } else { note("a word") };
        let events: Vec<Bytes> = (0..count).map(|n| author.say(body(n)).outer().clone()).collect();
        let node = open(&charter(), 0, MemoryStorage::new(), 0x70, NOW).0;
        Self { node, line: Line::default(), events: events.into_iter(), heard: Vec::new() }
    }

    /// An answer of so many events comes and is decoded; `complete` when the member has no more.
    fn hear(&mut self, events: usize, complete: bool) {
        let events: Vec<Bytes> = self.events.by_ref().take(events).collect();
        self.line.arrived();
        self.line.reading(complete);
        Part::read(TestKeys::of(1).author(), &events).for_each(|part| self.line.read(part));
        self.heard.extend(events);
    }

    fn ask_on(&mut self) -> Option<CatchUpRequest> {
        self.line.ask_on(&mut self.node)
    }

    /// The position that is asked past.
    fn asked_past(&mut self) -> Option<Seq> {
        let author = TestKeys::of(3).author();
        self.ask_on().map(|request| request.vector.iter().find(|at| at.author == author).unwrap().seq)
    }

    /// A part is taken; the node has all that was heard by then, from here or from somebody else.
    fn take(&mut self, fruitful: bool) {
        self.line.checked();
        let (from, events) = (TestKeys::of(1).author(), std::mem::take(&mut self.heard));
        let output = self.node.handle(NOW, vec![Door::CaughtUp { from, events }]).unwrap();
        assert_eq!(output.caught_up[0].refused, 0);
        self.line.taken(fruitful);
    }
}

/// As much as a whole answer may wait for its check, and what is being taken beside it; no more.
#[test]
fn no_more_waits_than_an_answer() {
    let mut asking = Asking::new(9);
    (0..8).for_each(|_| asking.hear(1, false));
    assert_eq!(asking.asked_past(), Some(Seq::new(7)));
    asking.hear(1, false);
    assert_eq!(asking.ask_on(), None);
    asking.line.checked();
    assert_eq!(asking.asked_past(), Some(Seq::new(8)), "past what is being taken too");
}

/// Nothing is asked of a member that has no more, and a question without an answer is not repeated.
#[test]
fn a_question_where_there_is_more() {
    let mut complete = Asking::new(1);
    complete.hear(1, true);
    assert_eq!(complete.ask_on(), None);
    let mut asking = Asking::new(2);
    asking.hear(1, false);
    assert_eq!(asking.asked_past(), Some(Seq::new(0)));
    asking.line.arrived();
    assert_eq!(asking.ask_on(), None, "there was no answer to it");
    asking.hear(1, false);
    assert_eq!(asking.asked_past(), Some(Seq::new(1)));
}

/// An answer counts as a whole: it leads on where any part of it was new, whatever the answer before brought.
#[test]
fn each_answer_is_judged_by_itself() {
    for fruitful in [[true, false], [false, true], [false, false]] {
        let mut asking = Asking::new(514);
        asking.hear(513, false);
        fruitful.into_iter().for_each(|part| asking.take(part));
        asking.hear(1, false);
        assert_eq!(asking.ask_on().is_some(), fruitful.contains(&true), "{fruitful:?}");
    }
    let mut asking = Asking::new(3);
    for fruitful in [true, false] {
        asking.hear(1, false);
        asking.take(fruitful);
    }
    asking.hear(1, false);
    assert_eq!(asking.ask_on(), None, "what the first one brought is not the second one's");
}

/// A member that is not asked on stays so, whatever its answers that were on their way bring.
#[test]
fn an_end_is_for_good() {
    let mut asking = Asking::new(2);
    asking.hear(1, false);
    asking.line.end();
    asking.take(true);
    asking.hear(1, false);
    assert_eq!(asking.ask_on(), None);
}
