//! Where each event of the journal is: by hash, and by (author, epoch, position).

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use alloy_primitives::B256;
use alloy_primitives::map::B256Map;
use watchfire_journal::Position;
use watchfire_types::{Epoch, Event, EventHash, MemberKey, Seq, Verified};

/// One author's one epoch.
pub(crate) type ChainKey = (MemberKey, Epoch);

/// Where each event is. Shared with those who check answers beside the single writer, which alone changes it; never walked over: the order of
/// a map by hashes is nobody's.
#[derive(Debug, Clone, Default)]
pub(crate) struct Positions(Arc<RwLock<B256Map<Position>>>);

impl Positions {
    pub(crate) fn contains(&self, hash: &EventHash) -> bool {
        self.read().contains_key(&key(hash))
    }

    /// No panic leaves a map half changed.
    fn read(&self) -> RwLockReadGuard<'_, B256Map<Position>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it was not there.
    fn insert(&self, hash: &EventHash, position: Position) -> bool {
        self.0.write().unwrap_or_else(PoisonError::into_inner).insert(key(hash), position).is_none()
    }
}

/// An in-memory index over the whole journal, about 150 bytes an event.
#[derive(Debug, Default)]
pub(crate) struct Index {
    positions: Positions,
    chains: BTreeMap<ChainKey, BTreeMap<Seq, Vec<EventHash>>>,
}

impl Index {
    pub(crate) fn insert(&mut self, event: &Verified<Event>, position: Position) {
        if self.positions.insert(&event.hash(), position) {
            let chain = self.chains.entry((event.author, event.epoch)).or_default();
            chain.entry(event.seq).or_default().push(event.hash());
        }
    }

    pub(crate) fn contains(&self, hash: &EventHash) -> bool {
        self.positions.contains(hash)
    }

    /// What is held, for those who check answers beside the writer.
    pub(crate) fn positions(&self) -> Positions {
        self.positions.clone()
    }

    pub(crate) fn position(&self, hash: &EventHash) -> Option<Position> {
        self.positions.read().get(&key(hash)).copied()
    }

    pub(crate) fn len(&self) -> usize {
        self.positions.read().len()
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
