//! Events that wait for their sync. The only way from here into an [`Output`] is the journal's `Durable` token.

use watchfire_journal::{Durable, Position};
use watchfire_types::{Body, Event, Verified};
use watchfire_wire::Envelope;

use crate::output::Output;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    Own,
    Received,
}

#[derive(Debug, Default)]
pub(crate) struct Outbox {
    waiting: Vec<(Position, Origin, Verified<Event>)>,
}

impl Outbox {
    pub(crate) fn push(&mut self, position: Position, origin: Origin, event: Verified<Event>) {
        self.waiting.push((position, origin, event));
    }

    pub(crate) fn has_own(&self) -> bool {
        self.waiting.iter().any(|(_, origin, _)| *origin == Origin::Own)
    }

    /// Moves what `durable` covers into the output: own events to be published, everything to the record stream.
    pub(crate) fn release(&mut self, durable: Durable, output: &mut Output) {
        let covered = self.waiting.iter().take_while(|(position, ..)| durable.covers(*position)).count();
        for (_, origin, event) in self.waiting.drain(..covered) {
            if origin == Origin::Own {
                output.publish.push(Envelope::Event(event.outer().clone()).encode());
                if let Body::Submitted(submitted) = &event.body {
                    output.released.push(submitted.clone());
                }
            }
            output.appended.push(event);
        }
    }
}
