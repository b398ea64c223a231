//! Where each event of the journal is: by hash, and by (author, epoch, position).

use std::collections::BTreeMap;

use alloy_primitives::B256;
use alloy_primitives::map::B256Map;
use watchfire_journal::Position;
use watchfire_types::{Epoch, Event, EventHash, MemberKey, Seq, Verified};

/// One author's one epoch.
pub(crate) type ChainKey = (MemberKey, Epoch);

/// An in-memory index over the whole journal, about 150 bytes an event.
#[derive(Debug, Default)]
pub(crate) struct Index {
    /// Never walked over: the order of a map by hashes is nobody's.
    positions: B256Map<Position>,
    chains: BTreeMap<ChainKey, BTreeMap<Seq, Vec<EventHash>>>,
}

impl Index {
    pub(crate) fn insert(&mut self, event: &Verified<Event>, position: Position) {
        if self.positions.insert(key(&event.hash()), position).is_none() {
            let chain = self.chains.entry((event.author, event.epoch)).or_default();
            chain.entry(event.seq).or_default().push(event.hash());
        }
    }

    pub(crate) fn contains(&self, hash: &EventHash) -> bool {
        self.positions.contains_key(&key(hash))
    }

    pub(crate) fn position(&self, hash: &EventHash) -> Option<Position> {
        self.positions.get(&key(hash)).copied()
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

fn key(hash: &EventHash) -> B256 {
    B256::new(*hash.as_bytes())
}
