//! Answers of one member between the wire and the log, in the order in which they came.
//!
//! An answer is taken in parts, so that none holds up its taker for long, and the next part is checked meanwhile. What an answer claims is enough to
//! ask its own giver on before anything is checked; nothing of it is believed before.

use std::collections::VecDeque;
use std::sync::Arc;

use watchfire_journal::Storage;
use watchfire_types::{Bytes, MemberKey};
use watchfire_wire::CatchUpRequest;
use watchfire_wire::bounds::MAX_RESPONSE_EVENTS;

use crate::driver::Driver;
use crate::keys::Keys;
use crate::verifier::ReadAnswer;

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
        let answers = events.chunks(PART_EVENTS).map(move |events| Arc::new(ReadAnswer::read(from, events)));
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
    /// An answer brought nothing: asked on, the same would come again and again.
    ended: bool,
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
    }

    /// The next part is decoded, and on its way to be checked.
    pub fn read(&mut self, part: Part) {
        self.reading = !part.last;
        self.read.push_back(part);
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
        self.asked = true;
        Some(request)
    }
}
