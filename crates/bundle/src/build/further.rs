//! Single events that checks rest on and no segment has: one of those that say the same.

use std::collections::{BTreeMap, BTreeSet};

use alloy_primitives::B256;
use watchfire_protocol::{check_certificate, content_digest};
use watchfire_types::body::{Authority, CoSignature, Purpose};
use watchfire_types::{BlockTime, Body, Bytes, Epoch, Event, EventHash, MemberKey, Verified};
use watchfire_wire::bundle::{MAX_BUNDLE_CHAINS, Segment};

use super::{Held, Parts, ROOM};
use crate::belong::{Known, Subject, closes};
use crate::room::{shares, take};

/// What each takes at least, bytes, so that there are never more than the format has room for.
const LEAST: u64 = ROOM / 16 / MAX_BUNDLE_CHAINS as u64;

/// Which sort of fault an event proves, against which chain, and who says it.
type Accusation = (MemberKey, Epoch, u8, MemberKey);

/// The events beside the segments.
pub(super) struct Further<'a> {
    taken: BTreeMap<EventHash, &'a Verified<Event>>,
    /// By author, what the segments do not hold and there was no room for.
    no_room: BTreeMap<MemberKey, u64>,
    room: u64,
}

impl<'a> Further<'a> {
    /// The closes that make the incident's generation, and the one that ends it: without them other events belong. Only a quorum makes
    /// them, and they come first; then the first event of each segment's epoch.
    pub(super) fn of_segments(
        parts: &Parts<'a>,
        subject: &Subject<'_>,
        held: &Held<'a>,
        segments: &[Segment],
        room: u64,
    ) -> Self {
        let inside: BTreeSet<EventHash> =
            segments.iter().flat_map(|segment| &segment.events).map(|outer| EventHash::of(outer)).collect();
        let mut further = Self { taken: BTreeMap::new(), no_room: BTreeMap::new(), room };
        let times = closes(subject, &held.known).into_iter().take(subject.generation as usize + 1);
        let mut wanted: BTreeSet<BlockTime> = times.collect();
        let closing = |event: &Event| match &event.body {
            Body::Certificate(certificate) if certificate.decision.asset == *subject.asset => {
                let Purpose::Close(at) = certificate.purpose else { return None };
                let charter = subject.charters.get(&certificate.decision.version)?;
                check_certificate(charter, subject.network, certificate).is_ok().then_some(at)
            }
            _ => None,
        };
        let mut closing: Vec<(BlockTime, &'a Verified<Event>)> =
            parts.events.iter().filter_map(|event| Some((closing(event)?, *event))).collect();
        closing.sort_by_key(|(_, event)| (!inside.contains(&event.hash()), event.hash()));
        for (at, event) in closing {
            if wanted.remove(&at) && !inside.contains(&event.hash()) {
                further.room = further.room.saturating_sub(cost(event));
                further.taken.insert(event.hash(), event);
            }
        }
        for segment in segments {
            let first = held.chains.get(&(segment.author, segment.epoch)).and_then(|chain| chain.first().copied());
            let first = first.filter(|event| matches!(event.body, Body::Started(_)) && !inside.contains(&event.hash()));
            let Some(first) = first else { continue };
            if take(Some(&mut further.room), cost(first)) {
                further.taken.insert(first.hash(), first);
            }
        }
        further
    }

    /// Their hashes.
    pub(super) fn hashes(&self) -> impl Iterator<Item = EventHash> {
        self.taken.keys().copied()
    }

    /// Adds what the events that belong name: certificates of their co-signatures, and faults of their authors. `here` are the events that
    /// are in the bundle already.
    pub(super) fn name(
        &mut self,
        parts: &Parts<'a>,
        known: &[Known<'_>],
        told: &BTreeSet<EventHash>,
        here: &BTreeSet<EventHash>,
    ) {
        let of_told = || known.iter().filter(|known| told.contains(&known.hash)).map(|known| known.event);
        let authors: BTreeSet<MemberKey> = of_told().map(|event| event.author).collect();
        let mut named: BTreeSet<B256> = of_told().filter_map(authority_of).collect();
        let mut faults: BTreeSet<Accusation> = BTreeSet::new();
        let mut by_hash: Vec<&'a Verified<Event>> = parts.events.clone();
        by_hash.sort_by_key(|event| (!here.contains(&event.hash()), event.hash()));
        let wanted = by_hash.into_iter().filter(|event| match &event.body {
            Body::Certificate(certificate) => named.remove(&content_digest(certificate, parts.network)),
            _ => {
                accusation(event).is_some_and(|accusation| authors.contains(&accusation.0) && faults.insert(accusation))
            }
        });
        let wanted: Vec<_> = wanted.filter(|event| !here.contains(&event.hash())).collect();
        let mut asked: BTreeMap<MemberKey, u64> = BTreeMap::new();
        for event in &wanted {
            *asked.entry(event.author).or_default() += cost(event);
        }
        let mut rooms = shares(self.room, &asked);
        for event in wanted {
            if take(rooms.get_mut(&event.author), cost(event)) {
                self.taken.insert(event.hash(), event);
            } else {
                *self.no_room.entry(event.author).or_default() += 1;
            }
        }
    }

    /// By author, how many had no room.
    pub(super) const fn no_room(&self) -> &BTreeMap<MemberKey, u64> {
        &self.no_room
    }

    /// In the order of the format.
    pub(super) fn into_outers(self) -> Vec<Bytes> {
        self.taken.into_values().map(|event| event.outer().clone()).collect()
    }
}

fn cost(event: &Verified<Event>) -> u64 {
    (event.outer().len() as u64 + 16).max(LEAST)
}

fn authority_of(event: &Event) -> Option<B256> {
    let Body::CoSignature(CoSignature { authority, .. }) = &event.body else { return None };
    match authority {
        Authority::Step { certificate, .. }
        | Authority::RejectionCancelled { certificate, .. }
        | Authority::RejectionBeforeRecovery { certificate, .. } => Some(*certificate),
        Authority::RejectionAfterForeignRecovery { .. } => None,
    }
}

fn accusation(event: &Event) -> Option<Accusation> {
    match &event.body {
        Body::FaultProof(proof) => {
            let accused = proof.first.event();
            Some((accused.author, accused.epoch, 0, event.author))
        }
        Body::CheckpointFault(fault) => {
            let sort = if fault.against.is_some() { 1 } else { 2 };
            Some((fault.author, fault.epoch, sort, event.author))
        }
        _ => None,
    }
}
