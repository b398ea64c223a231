//! What others say: gossip messages and catch-up answers, down to the one place where an event is appended and applied.

use std::collections::BTreeMap;

use watchfire_journal::{JournalError, Storage};
use watchfire_protocol::Rejection;
use watchfire_types::input::Input;
use watchfire_types::planted::{Mutation, planted};
use watchfire_types::{Bytes, Event, Seq, Timestamp, Verdict, Verified};
use watchfire_wire::{Envelope, decode_signed};

use crate::door::Refusal;
use crate::driver::Driver;
use crate::index::ChainKey;
use crate::keys::Keys;
use crate::outbox::Origin;
use crate::output::{CaughtUp, Output};
use crate::verifier::CheckedAnswer;

impl<S: Storage, K: Keys> Driver<S, K> {
    pub(crate) fn gossip(
        &mut self,
        now: Timestamp,
        bytes: &Bytes,
        output: &mut Output,
    ) -> Result<(Verdict, Option<Refusal>), JournalError> {
        let taken = match Envelope::decode(bytes) {
            Ok(Envelope::Event(outer)) => match self.check(outer) {
                Ok(event) => self.event(now, event)?,
                Err(refusal) => Err(refusal),
            },
            Ok(Envelope::Heartbeat(bytes)) => {
                let taken = self.heartbeats.take(now, &mut self.machine, &mut self.clocks, &self.verifier, bytes);
                taken.map(|heartbeat| {
                    output.heartbeats.push(heartbeat);
                    Verdict::Accept
                })
            }
            Ok(Envelope::Witness(text)) => self.witness_message(now, &text, output)?.map_err(Refusal::from),
            Err(error) => Err(error.into()),
        };
        Ok(match taken {
            Ok(verdict) => (verdict, None),
            Err(refusal) => (refusal.verdict(), Some(refusal)),
        })
    }

    pub(crate) fn caught_up(&mut self, now: Timestamp, answer: CheckedAnswer) -> Result<CaughtUp, JournalError> {
        let CheckedAnswer { from, mut events } = answer;
        self.newest_epochs_first(&mut events);
        let mut result = CaughtUp { from, taken: 0, held: 0, refused: 0, reason: None };
        for event in events {
            let taken = match event {
                Ok(event) => self.event(now, event)?,
                Err(refusal) => Err(refusal),
            };
            match taken {
                Ok(_) => result.taken += 1,
                Err(Refusal::Protocol(Rejection::Duplicate)) => result.held += 1,
                Err(refusal) => {
                    result.refused += 1;
                    result.note(refusal);
                }
            }
        }
        Ok(result)
    }

    /// Puts the epochs that are not held yet behind what continues held ones, the newest of them first by its author's clock: it names the
    /// others as its past, and named epochs are taken at once. Chains keep their order; across chains it means nothing.
    fn newest_epochs_first(&self, events: &mut [Result<Verified<Event>, Refusal>]) {
        let held = |key: &ChainKey| self.log.index().chain(key).is_some();
        let mut new: BTreeMap<ChainKey, Timestamp> = BTreeMap::new();
        for event in events.iter().flatten().filter(|event| event.seq == Seq::new(0)) {
            let key = (event.author, event.epoch);
            if !held(&key) {
                new.insert(key, event.time);
            }
        }
        if new.len() > 1 {
            events.sort_by_key(|event| {
                let started = event.as_ref().ok().and_then(|event| new.get(&(event.author, event.epoch)));
                started.map(|time| std::cmp::Reverse(*time))
            });
        }
    }

    /// One checked event of another member, from wherever.
    fn event(&mut self, now: Timestamp, event: Verified<Event>) -> Result<Result<Verdict, Refusal>, JournalError> {
        if self.log.index().contains(&event.hash()) && !planted(Mutation::TakesTwice) {
            return Ok(Err(Rejection::Duplicate.into()));
        }
        if !self.log.has_room(Origin::Received) {
            return Ok(Err(Refusal::NoRoom));
        }
        let input = Input::Received(Box::new(event));
        self.machine.observe(now, &input);
        let step = match self.machine.decide(now, &input) {
            Ok(step) => step,
            Err(rejection) => {
                self.epoch_claimed |= matches!(rejection, Rejection::OwnEpoch { .. });
                if let (Rejection::Future { .. }, Input::Received(event)) = (&rejection, &input) {
                    self.clocks.ahead(event.author, event.time);
                }
                return Ok(Err(rejection.into()));
            }
        };
        if let Input::Received(event) = input {
            self.take(now, *event, Origin::Received)?;
        }
        Ok(Ok(step.verdict))
    }

    fn check(&self, outer: Bytes) -> Result<Verified<Event>, Refusal> {
        self.verifier.verify_new(decode_signed(outer)?)
    }

    /// Appends and applies: the one place where either happens.
    pub(crate) fn take(&mut self, now: Timestamp, event: Verified<Event>, origin: Origin) -> Result<(), JournalError> {
        let position = self.log.append(now, &event)?;
        self.machine.apply(&event);
        self.guard.saw(&event);
        self.outbox.push(position, origin, event);
        Ok(())
    }
}
