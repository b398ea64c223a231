//! Signed events without a driver behind them: a member's own chain, honest or not.

use std::sync::{Arc, OnceLock};

use watchfire_charter::Charter;
use watchfire_driver::Keys;
use watchfire_types::body::{Body, EpochHead, Human, HumanStatement, Started};
use watchfire_types::{
    CharterDigest, Epoch, Event, EventHash, IncidentId, MemberKey, NetworkId, Seq, Timestamp, Verified,
};
use watchfire_wire::seal;

use crate::world::TestKeys;

/// The drill charter, parsed once: thousands of events are made of it.
pub(crate) fn charter() -> &'static Charter {
    static CHARTER: OnceLock<Arc<Charter>> = OnceLock::new();
    CHARTER.get_or_init(crate::world::charter)
}

pub(crate) fn network() -> NetworkId {
    static NETWORK: OnceLock<NetworkId> = OnceLock::new();
    *NETWORK.get_or_init(|| charter().network_id())
}

fn digest() -> CharterDigest {
    static DIGEST: OnceLock<CharterDigest> = OnceLock::new();
    *DIGEST.get_or_init(|| charter().digest())
}

/// One epoch of one author, growing.
#[derive(Debug, Clone)]
pub(crate) struct Author {
    pub(crate) keys: TestKeys,
    pub(crate) epoch: Epoch,
    pub(crate) next: Seq,
    pub(crate) prev: EventHash,
    pub(crate) time: Timestamp,
    /// Between two events.
    pub(crate) step_ms: u64,
}

impl Author {
    /// The member at this index, before its first event.
    pub(crate) fn new(index: usize, epoch: [u8; 16], time: Timestamp) -> Self {
        let (next, prev) = (Seq::new(0), EventHash::from_bytes([0; 32]));
        Self { keys: TestKeys::of(index), epoch: Epoch::from_bytes(epoch), next, prev, time, step_ms: 1 }
    }

    pub(crate) fn key(&self) -> MemberKey {
        self.keys.author()
    }

    /// The next event.
    pub(crate) fn say(&mut self, body: Body) -> Verified<Event> {
        let event = self.at(self.next, self.prev, self.time, body);
        self.next = self.next.next();
        self.prev = event.hash();
        self.time = self.time.plus_millis(self.step_ms);
        event
    }

    /// An event anywhere; the chain does not move on.
    pub(crate) fn at(&self, seq: Seq, prev: EventHash, time: Timestamp, body: Body) -> Verified<Event> {
        let network = network();
        let event = Event { network, author: self.key(), epoch: self.epoch, seq, prev, time, body };
        let sealed = seal(&event, |input| self.keys.sign(input)).unwrap();
        sealed.verify(network).unwrap()
    }
}

/// `Started` that names these epochs.
pub(crate) fn started(mut earlier: Vec<EpochHead>) -> Body {
    earlier.sort();
    Body::Started(Started {
        earlier,
        charter_version: charter().version,
        charter_digest: digest(),
        software: "test".into(),
    })
}

/// A person's word.
pub(crate) fn note(reason: &str) -> Body {
    let human = Human { person: "p1".into(), role: "lead".into(), reason: reason.into() };
    Body::Note(HumanStatement { incident: IncidentId::from_bytes([1; 32]), human })
}
