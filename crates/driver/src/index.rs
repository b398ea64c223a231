//! Where each event of the journal is: by hash, and by (author, epoch, position).

use std::collections::BTreeMap;

use watchfire_journal::Position;
use watchfire_types::{Epoch, Event, EventHash, MemberKey, Seq, Verified};

/// One author's one epoch.
pub(crate) type ChainKey = (MemberKey, Epoch);

/// An in-memory index over the whole journal, about 150 bytes an event.
#[derive(Debug, Default)]
pub(crate) struct Index {
    positions: BTreeMap<EventHash, Position>,
    chains: BTreeMap<ChainKey, BTreeMap<Seq, Vec<EventHash>>>,
}

impl Index {
    pub(crate) fn insert(&mut self, event: &Verified<Event>, position: Position) {
        if self.positions.insert(event.hash(), position).is_none() {
            let chain = self.chains.entry((event.author, event.epoch)).or_default();
            chain.entry(event.seq).or_default().push(event.hash());
        }
    }

    pub(crate) fn contains(&self, hash: &EventHash) -> bool {
        self.positions.contains_key(hash)
    }

    pub(crate) fn position(&self, hash: &EventHash) -> Option<Position> {
        self.positions.get(hash).copied()
    }

    pub(crate) fn len(&self) -> usize {
        self.positions.len()
    }

    pub(crate) fn chain(&self, key: &ChainKey) -> Option<&BTreeMap<Seq, Vec<EventHash>>> {
        self.chains.get(key)
    }

    pub(crate) fn chains(&self) -> impl Iterator<Item = (&ChainKey, &BTreeMap<Seq, Vec<EventHash>>)> {
        self.chains.iter()
    }
}
