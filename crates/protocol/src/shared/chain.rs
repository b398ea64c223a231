//! One (author, epoch): its events by position, and the cut where its author contradicted itself.
//!
//! The cut is the lowest position over all contradicting pairs seen, loose or embedded. Below it every position has one event; at it up to
//! two are remembered, with different predecessors, so that whichever event the position before turns out to hold, one of them convicts;
//! above it nothing is. That makes the cut a function of the set of events, whatever their order.

use std::collections::BTreeMap;
use std::sync::Arc;

use sha2::{Digest, Sha256};
use watchfire_types::{Event, EventHash, Seq, Timestamp, Unverified, Verified};

use super::{in_digest, is_decision};

/// Position of `Started`.
pub(crate) const FIRST: Seq = Seq::new(0);

/// Most positions remembered at the cut.
const AT_CUT_MAX: usize = 2;

/// One event at one position.
#[derive(Debug, Clone)]
pub(crate) struct Position {
    hash: EventHash,
    prev: EventHash,
    seq: Seq,
    source: Source,
}

/// How it came here. Only loose events are members of the set.
#[derive(Debug, Clone)]
enum Source {
    Loose(Arc<Verified<Event>>),
    Embedded(Arc<Unverified>),
}

impl Position {
    pub(crate) fn loose(event: &Arc<Verified<Event>>) -> Self {
        Self { hash: event.hash(), prev: event.prev, seq: event.seq, source: Source::Loose(Arc::clone(event)) }
    }

    pub(crate) fn embedded(event: &Unverified) -> Self {
        let inner = event.event();
        Self { hash: event.hash(), prev: inner.prev, seq: inner.seq, source: Source::Embedded(Arc::new(event.clone())) }
    }

    fn as_loose(&self) -> Option<&Arc<Verified<Event>>> {
        match &self.source {
            Source::Loose(event) => Some(event),
            Source::Embedded(_) => None,
        }
    }

    fn evidence(&self) -> Unverified {
        match &self.source {
            Source::Loose(event) => event.to_unverified(),
            Source::Embedded(event) => Unverified::clone(event),
        }
    }
}

/// What noting a position did.
#[derive(Debug)]
pub(crate) enum Noted {
    /// Nothing new.
    Known,
    /// New below the cut; with the events that are chained to the beginning only now, in order.
    Taken(Vec<Arc<Verified<Event>>>),
    /// The cut fell.
    Fell,
}

/// One hash chain of one author.
#[derive(Debug, Clone)]
pub(crate) struct AuthorChain {
    positions: BTreeMap<Seq, Vec<Position>>,
    cut: Option<Seq>,
    proof: Option<Box<(Unverified, Unverified)>>,
    /// First position not chained to the beginning without a gap.
    next: Seq,
    head: Option<EventHash>,
    /// SHA-256 chain over the digested events below `next`, and how many.
    accumulated: ([u8; 32], u64),
}

impl Default for AuthorChain {
    fn default() -> Self {
        Self { positions: BTreeMap::new(), cut: None, proof: None, next: FIRST, head: None, accumulated: ([0; 32], 0) }
    }
}

impl AuthorChain {
    pub(crate) fn note(&mut self, position: Position) -> Noted {
        let seq = position.seq;
        if self.cut.is_some_and(|cut| seq > cut) {
            return Noted::Known;
        }
        let at = self.positions.entry(seq).or_default();
        if let Some(known) = at.iter_mut().find(|known| known.hash == position.hash) {
            let upgrades = known.as_loose().is_none() && position.as_loose().is_some();
            if !upgrades {
                return Noted::Known;
            }
            *known = position;
            return if self.cut.is_some_and(|cut| seq >= cut) { Noted::Known } else { Noted::Taken(self.advance()) };
        }
        let conflict = self.conflict(&position);
        let at = self.positions.entry(seq).or_default();
        if at.iter().all(|known| known.prev != position.prev) && at.len() < AT_CUT_MAX {
            at.push(position);
        }
        match conflict {
            Some((cut, proof)) if self.cut.is_none_or(|known| cut < known) => {
                self.fall(cut, proof);
                Noted::Fell
            }
            _ if self.cut.is_some_and(|cut| seq >= cut) => Noted::Known,
            _ => Noted::Taken(self.advance()),
        }
    }

    /// The lowest position that contradicts `new`, with the pair.
    fn conflict(&self, new: &Position) -> Option<(Seq, (Unverified, Unverified))> {
        let seq = new.seq;
        let before = seq.get().checked_sub(1).map(Seq::new).and_then(|before| self.positions.get(&before));
        if let Some(before) = before.and_then(|at| at.iter().find(|known| known.hash != new.prev)) {
            return Some((before.seq, (before.evidence(), new.evidence())));
        }
        if let Some(other) = self.positions.get(&seq).and_then(|at| at.first()) {
            let (a, b) = if other.hash < new.hash { (other, new) } else { (new, other) };
            return Some((seq, (a.evidence(), b.evidence())));
        }
        let after = self.positions.get(&seq.next()).and_then(|at| at.iter().find(|known| known.prev != new.hash));
        after.map(|after| (seq, (new.evidence(), after.evidence())))
    }

    fn fall(&mut self, cut: Seq, proof: (Unverified, Unverified)) {
        self.cut = Some(cut);
        self.proof = Some(Box::new(proof));
        drop(self.positions.split_off(&cut.next()));
        if self.next > cut {
            self.next = FIRST;
            self.head = None;
            self.accumulated = ([0; 32], 0);
        }
        self.advance();
    }

    /// Moves `next` over what is now chained, and answers those events.
    fn advance(&mut self) -> Vec<Arc<Verified<Event>>> {
        let mut chained = Vec::new();
        while self.cut.is_none_or(|cut| self.next < cut) {
            let at = self.positions.get(&self.next).and_then(|at| at.first());
            let Some(event) = at.and_then(Position::as_loose) else { break };
            if in_digest(&event.body) {
                let chained = Sha256::new().chain_update(self.accumulated.0).chain_update(event.hash().as_bytes());
                self.accumulated = (chained.finalize().into(), self.accumulated.1 + 1);
            }
            self.head = Some(event.hash());
            chained.push(Arc::clone(event));
            self.next = self.next.next();
        }
        chained
    }

    /// Loose events below the cut, in order.
    pub(crate) fn held(&self) -> impl DoubleEndedIterator<Item = &Arc<Verified<Event>>> {
        let below = self.positions.iter().filter(|(seq, _)| self.cut.is_none_or(|cut| **seq < cut));
        below.flat_map(|(_, at)| at).filter_map(Position::as_loose)
    }

    /// Those of [`Self::held`] that count: chained, or decision bodies.
    pub(crate) fn counting(&self) -> impl Iterator<Item = &Arc<Verified<Event>>> {
        self.held().filter(|event| event.seq < self.next || is_decision(&event.body))
    }

    /// Whether this event is held, or remembered at the cut.
    pub(crate) fn holds(&self, seq: Seq, hash: EventHash) -> bool {
        self.at(seq).iter().any(|known| known.hash == hash && known.as_loose().is_some())
    }

    /// Whether this event's signature was checked, loose or embedded.
    pub(crate) fn knows(&self, seq: Seq, hash: EventHash) -> bool {
        self.at(seq).iter().any(|known| known.hash == hash)
    }

    fn at(&self, seq: Seq) -> &[Position] {
        self.positions.get(&seq).map_or(&[], Vec::as_slice)
    }

    /// Whether an event at or above the cut would make it fall further.
    pub(crate) fn would_fall(&self, event: &Arc<Verified<Event>>) -> bool {
        let new = Position::loose(event);
        let fresh = self.cut.is_none_or(|cut| new.seq <= cut) && !self.knows(new.seq, new.hash);
        fresh && self.conflict(&new).is_some_and(|(at, _)| self.cut.is_none_or(|cut| at < cut))
    }

    pub(crate) fn cut(&self) -> Option<Seq> {
        self.cut
    }

    pub(crate) fn proof(&self) -> Option<&(Unverified, Unverified)> {
        self.proof.as_deref()
    }

    pub(crate) fn next(&self) -> Seq {
        self.next
    }

    pub(crate) fn head(&self) -> Option<(Seq, EventHash)> {
        Some((Seq::new(self.next.get().checked_sub(1)?), self.head?))
    }

    /// Events that wait for a predecessor.
    pub(crate) fn waiting(&self) -> usize {
        self.positions.range(self.next..).filter(|(_, at)| at.iter().any(|known| known.as_loose().is_some())).count()
    }

    /// Author's clock at the first event of the epoch.
    pub(crate) fn started(&self) -> Option<Timestamp> {
        self.at(FIRST).first().and_then(Position::as_loose).map(|event| event.time)
    }

    /// What the state digest holds of this chain: the cut and the digested events below it. `None` when that is nothing.
    pub(crate) fn digest_part(&self) -> Option<[u8; 32]> {
        let waiting = self.positions.range(self.next..).filter(|(seq, _)| self.cut.is_none_or(|cut| **seq < cut));
        let waiting = waiting.flat_map(|(_, at)| at).filter_map(Position::as_loose);
        let waiting: Vec<EventHash> =
            waiting.filter(|event| in_digest(&event.body)).map(|event| event.hash()).collect();
        if self.accumulated.1 == 0 && waiting.is_empty() && self.cut.is_none() {
            return None;
        }
        let mut hash = Sha256::new().chain_update(self.accumulated.0).chain_update(self.accumulated.1.to_be_bytes());
        hash.update(self.cut.map_or(u64::MAX, Seq::get).to_be_bytes());
        for event in &waiting {
            hash.update(event.as_bytes());
        }
        Some(hash.finalize().into())
    }
}
