//! The own chain of this epoch: what the next own event looks like.

use watchfire_types::planted::{Mutation, planted};
use watchfire_types::{Body, Epoch, Event, EventHash, MemberKey, NetworkId, Seq, Timestamp, Verified};

#[derive(Debug, Clone)]
pub(crate) struct OwnChain {
    network: NetworkId,
    author: MemberKey,
    epoch: Epoch,
    next: Seq,
    prev: EventHash,
    last: Option<Timestamp>,
}

impl OwnChain {
    pub(crate) fn new(network: NetworkId, author: MemberKey, epoch: Epoch) -> Self {
        Self { network, author, epoch, next: Seq::new(0), prev: EventHash::from_bytes([0; 32]), last: None }
    }

    /// The next event, at `now` or one millisecond after the last one, whichever is later.
    pub(crate) fn next(&self, now: Timestamp, body: Body) -> Event {
        Event {
            network: self.network,
            author: self.author,
            epoch: self.epoch,
            seq: self.next,
            prev: self.prev,
            time: self
                .last
                .filter(|_| !planted(Mutation::ClockAsItIs))
                .map_or(now, |last| now.max(last.plus_millis(1))),
            body,
        }
    }

    /// By how many milliseconds the clock is behind the newest own event; `None` when it is not. What is authored then follows that event a
    /// millisecond apart: an author's time never falls.
    pub(crate) fn behind(&self, now: Timestamp) -> Option<u64> {
        self.last.map(|last| last.millis_since(now)).filter(|ms| *ms > 0)
    }

    /// Moves on over an appended own event.
    pub(crate) fn took(&mut self, event: &Verified<Event>) {
        self.next = event.seq.next();
        self.prev = event.hash();
        self.last = Some(event.time);
    }

    pub(crate) fn network(&self) -> NetworkId {
        self.network
    }

    pub(crate) fn author(&self) -> MemberKey {
        self.author
    }

    pub(crate) fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// Whether the epoch's first event stands in the log.
    pub(crate) fn has_begun(&self) -> bool {
        self.last.is_some()
    }

    /// Newest own position, 0 before the first event.
    pub(crate) fn newest(&self) -> Seq {
        Seq::new(self.next.get().saturating_sub(1))
    }
}
