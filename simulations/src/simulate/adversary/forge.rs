//! A second life of an adversary's key: an epoch of its own whose events no driver makes.

use watchfire_types::body::Basis;
use watchfire_types::body::{Decision, Human, Started, Vote};
use watchfire_types::{
    BlockRef, Body, Bytes, Epoch, Event, EventHash, MemberKey, NetworkId, OperatorId, Seq, StepIndex, Timestamp,
    Unverified,
};
use watchfire_wire::{Envelope, seal};

use super::Scene;
use crate::simulate::cast::Cast;
use crate::simulate::keys::Secrets;

/// Makes and chains events of one epoch.
#[derive(Debug, Clone)]
pub(crate) struct Forge {
    secrets: Secrets,
    author: MemberKey,
    epoch: Epoch,
    next: Seq,
    prev: EventHash,
    operator: Option<OperatorId>,
    began: bool,
}

impl Forge {
    pub(crate) fn new(cast: &Cast, place: usize) -> Self {
        let player = &cast.players[place];
        Self {
            secrets: player.secrets.clone(),
            author: player.author,
            epoch: Epoch::from_bytes([0xad; 16]),
            next: Seq::new(0),
            prev: EventHash::from_bytes([0; 32]),
            operator: player.asks.first().and_then(|one| cast.operators.get(*one)).cloned(),
            began: false,
        }
    }

    /// The same hand under another's name, in an epoch that nobody opened.
    pub(crate) fn named(mut self, cast: &Cast, place: usize, epoch: [u8; 16]) -> Self {
        let player = &cast.players[place];
        self.author = player.author;
        self.epoch = Epoch::from_bytes(epoch);
        self.operator = player.asks.first().and_then(|one| cast.operators.get(*one)).cloned();
        self
    }

    /// A vote for the widest step in this member's name, which no log leads to.
    pub(crate) fn signed_vote(&self, scene: &Scene<'_>, place: usize, evidence: BlockRef) -> Option<Unverified> {
        let mut one = self.clone().named(scene.cast, place, [0xaf; 16]);
        one.next = Seq::new(1 + evidence.number);
        let vote = one.vote(scene.cast, 2, evidence)?;
        one.at(scene.cast, scene.clock, vote)
    }

    /// The newest event.
    pub(crate) fn last(&self) -> EventHash {
        self.prev
    }

    fn at(&self, cast: &Cast, time: Timestamp, body: Body) -> Option<Unverified> {
        self.of_network(cast.network, time, body)
    }

    /// An event of another network, in a message.
    pub(crate) fn elsewhere(&mut self, time: Timestamp, body: Body) -> Option<Bytes> {
        let sealed = self.of_network(NetworkId::from_bytes([0xe1; 32]), time, body)?;
        self.next = self.next.next();
        Some(Envelope::Event(sealed.outer().clone()).encode())
    }

    fn of_network(&self, network: NetworkId, time: Timestamp, body: Body) -> Option<Unverified> {
        let event =
            Event { network, author: self.author, epoch: self.epoch, seq: self.next, prev: self.prev, time, body };
        seal(&event, |input| self.secrets.sign(input)).ok()
    }

    /// The next event and, before the first, the `Started` that opens the epoch.
    pub(crate) fn make(&mut self, cast: &Cast, time: Timestamp, body: Body) -> Vec<Bytes> {
        let mut made = Vec::new();
        if !self.began {
            self.began = true;
            let started = Started {
                earlier: Vec::new(),
                charter_version: cast.charter.version,
                charter_digest: cast.charter.digest(),
                software: "adversary".to_owned(),
            };
            made.extend(self.chain(cast, time, Body::Started(started)));
        }
        made.extend(self.chain(cast, time.plus_millis(self.next.get()), body));
        made
    }

    fn chain(&mut self, cast: &Cast, time: Timestamp, body: Body) -> Option<Bytes> {
        let sealed = self.at(cast, time, body)?;
        self.next = self.next.next();
        self.prev = sealed.hash();
        Some(Envelope::Event(sealed.outer().clone()).encode())
    }

    /// An event at a position that its chain has not come to, in a message.
    pub(crate) fn beyond(&self, cast: &Cast, time: Timestamp, seq: u64, body: Body) -> Option<Bytes> {
        let mut one = self.clone();
        one.next = Seq::new(seq);
        Some(Envelope::Event(one.at(cast, time, body)?.outer().clone()).encode())
    }

    /// Two events at the same position; the chain goes on from neither.
    pub(crate) fn fork(&mut self, cast: &Cast, time: Timestamp, one: Body, other: Body) -> (Vec<Bytes>, Vec<Bytes>) {
        let mut twin = self.clone();
        let first = self.make(cast, time, one);
        let second = twin.make(cast, time, other);
        (first, second)
    }

    /// A vote for a step of the containment playbook; a human basis needs no finding.
    pub(crate) fn vote(&self, cast: &Cast, step: u8, evidence: BlockRef) -> Option<Body> {
        Some(Body::Vote(Vote {
            decision: decision(cast)?,
            step: StepIndex::new(step).min(cast.widest),
            basis: Basis::Human(person()),
            operator: self.operator.clone()?,
            evidence,
        }))
    }
}

/// The containment decision.
pub(crate) fn decision(cast: &Cast) -> Option<Decision> {
    let (asset, playbook) = (cast.asset.clone(), cast.playbook.clone());
    Some(Decision { version: cast.charter.version, asset, playbook })
}

/// Whom the adversary names.
pub(crate) fn person() -> Human {
    Human { person: "nobody".to_owned(), role: "none".to_owned(), reason: "because".to_owned() }
}
