//! Answers of one member between the wire and the log, in the order in which they came.
//!
//! An answer is taken in parts, so that none holds up its taker for long, and the next part is checked meanwhile. What an answer claims is enough to
//! ask its own giver on before anything is checked; nothing of it is believed before.
//!
//! An answer of which more than half says again what its question said is held, or what it said itself, leads nowhere, whatever else it brings.
//! What shows where a chain parts from the question's is none of that: an honest member answers it.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use watchfire_journal::Storage;
use watchfire_protocol::Rejection;
use watchfire_types::{Bytes, Event, EventHash, MemberKey, Seq, Unverified};
use watchfire_wire::CatchUpRequest;
use watchfire_wire::bounds::MAX_RESPONSE_EVENTS;

use crate::catch_up::is_sample;
use crate::door::Refusal;
use crate::driver::Driver;
use crate::index::ChainKey;
use crate::keys::Keys;
use crate::verifier::{JUDGED_MIN, ReadAnswer, Said};

/// Events of a part: some milliseconds of its taker's time.
const PART_EVENTS: usize = 512;

/// Parts that wait at the most when the member is asked on: a whole answer's.
const WAITING_MAX: usize = MAX_RESPONSE_EVENTS / PART_EVENTS;

/// Some of an answer's events, decoded.
#[derive(Debug, Clone)]
pub struct Part {
    answer: Arc<ReadAnswer>,
    /// Nothing follows of its answer.
    last: bool,
}

impl Part {
    /// Decodes an answer, a part at a time.
    pub fn read(from: MemberKey, events: &[Bytes]) -> impl Iterator<Item = Self> {
        let parts = events.len().div_ceil(PART_EVENTS);
        let mut said = Said::new(events.len());
        let parted = events.chunks(PART_EVENTS);
        let answers = parted.map(move |events| Arc::new(ReadAnswer::read_part(from, events, &mut said)));
        (1..).zip(answers).map(move |(part, answer)| Self { answer, last: part == parts })
    }

    /// What it says.
    #[must_use]
    pub fn answer(&self) -> &ReadAnswer {
        &self.answer
    }
}

/// One member's answers under way. It goes on as long as they bring something.
#[derive(Debug, Default)]
pub struct Line {
    /// Decoded and not checked yet.
    read: VecDeque<Part>,
    /// What is taken next.
    taking: Option<Part>,
    /// Something more of an answer is being decoded.
    reading: bool,
    /// A question past all of them is with the member.
    asked: bool,
    /// The member had more than its last answer has room for.
    more: bool,
    /// Whether anything of the answer that is being taken was new.
    fruitful: bool,
    /// An answer brought nothing, or little but repeats: asked on, the same would come again and again.
    ended: bool,
    /// What the last question said is held.
    asked_past: BTreeMap<ChainKey, (Seq, EventHash)>,
    /// Events of the answer that is being decoded, and how many of them say nothing new.
    heard: usize,
    repeated: usize,
}

impl Line {
    /// The question of before has its answer, or will have none.
    pub fn arrived(&mut self) {
        self.asked = false;
    }

    /// An answer is being decoded; `complete` when the member had nothing further for its question.
    pub fn reading(&mut self, complete: bool) {
        self.reading = true;
        self.more = !complete;
        (self.heard, self.repeated) = (0, 0);
    }

    /// The next part is decoded, and on its way to be checked.
    pub fn read(&mut self, part: Part) {
        self.reading = !part.last;
        self.heard += part.answer.events.len();
        self.repeated += part.answer.events.iter().filter(|event| self.is_repeat(event)).count();
        self.ended |= part.last && self.heard >= JUDGED_MIN && self.repeated > self.heard / 2;
        self.read.push_back(part);
    }

    /// Whether the question said that this is held, or the answer says it again.
    fn is_repeat(&self, event: &Result<Unverified, Refusal>) -> bool {
        let event = match event {
            Ok(event) => event,
            Err(refusal) => return matches!(refusal, Refusal::Repeats | Refusal::Protocol(Rejection::Duplicate)),
        };
        let Event { author, epoch, seq, .. } = event.event();
        self.asked_past
            .get(&(*author, *epoch))
            .is_some_and(|(held, hash)| event.hash() == *hash || (seq < held && !is_sample(*held, *seq)))
    }

    /// The first part is checked and taken next.
    pub fn checked(&mut self) {
        self.taking = self.read.pop_front();
    }

    /// The checked part is taken; `fruitful` when it brought anything.
    pub fn taken(&mut self, fruitful: bool) {
        self.fruitful |= fruitful;
        if self.taking.take().is_some_and(|part| part.last) {
            self.ended |= !std::mem::take(&mut self.fruitful);
        }
    }

    /// The member is not asked on.
    pub fn end(&mut self) {
        self.ended = true;
    }

    /// Nothing is under way any more.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.read.is_empty() && self.taking.is_none() && !self.reading && !self.asked
    }

    /// What to ask the member next, past all that is under way: nothing while more than an answer waits for its check, nor where it leads nowhere.
    pub fn ask_on<S: Storage, K: Keys>(&mut self, driver: &mut Driver<S, K>) -> Option<CatchUpRequest> {
        if !self.more || self.ended || self.reading || self.asked || self.read.len() > WAITING_MAX {
            return None;
        }
        self.more = false;
        let underway: Vec<&ReadAnswer> = self.taking.iter().chain(&self.read).map(Part::answer).collect();
        let request = driver.catch_up_request_ahead(&underway)?;
        let said = request.vector.iter().map(|at| ((at.author, at.epoch), (at.seq, at.hash)));
        self.asked_past = said.collect();
        self.asked = true;
        Some(request)
    }
}
