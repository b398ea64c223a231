//! Hash chains: whether each author's events link up, given as plain tuples.
//!
//! Holes are allowed: a node may hold a decision's events without their predecessors. What may never be is two events at one
//! seq, or neighbours of which the later does not name the earlier.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use watchfire_types::{Epoch, EventHash, MemberKey, Seq};

/// One event's place in its author's chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ChainLink {
    /// Author.
    pub author: MemberKey,
    /// Epoch.
    pub epoch: Epoch,
    /// Seq.
    pub seq: Seq,
    /// What it names as its predecessor; zero at seq 0.
    pub prev: EventHash,
    /// Its own hash.
    pub hash: EventHash,
}

/// What does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ChainFaultKind {
    /// The first event of an epoch names a predecessor.
    FirstHasPredecessor,
    /// Another event stands at the same seq.
    Conflict {
        /// The other's hash.
        with: EventHash,
    },
    /// The neighbour before it is held, and is not the one that it names.
    Unlinked {
        /// The neighbour's hash; the lowest where that seq is forked.
        held: EventHash,
    },
    /// The same event is stored twice.
    Duplicate,
}

impl fmt::Display for ChainFaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FirstHasPredecessor => f.write_str("the first of its epoch names a predecessor"),
            Self::Conflict { with } => write!(f, "event {} stands at the same place", with.short()),
            Self::Unlinked { held } => write!(f, "it does not name event {}, which stands before it", held.short()),
            Self::Duplicate => f.write_str("it is stored twice"),
        }
    }
}

impl ChainFaultKind {
    /// Whether it takes two signed histories of the author: a conviction, where the signatures hold, and no damage.
    #[must_use]
    pub fn is_fork(&self) -> bool {
        match self {
            Self::Conflict { .. } | Self::Unlinked { .. } => true,
            Self::FirstHasPredecessor | Self::Duplicate => false,
        }
    }
}

/// One event that does not fit its author's chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ChainFault {
    /// The event.
    pub link: ChainLink,
    /// What does not hold.
    pub kind: ChainFaultKind,
}

/// Collects links in any order, then judges them. Takes 72 bytes per event.
#[derive(Debug, Clone, Default)]
pub struct HashChains(BTreeMap<(MemberKey, Epoch), Vec<Entry>>);

/// Seq, own hash, predecessor's hash: in this order, so that sorting groups forks and duplicates.
type Entry = (Seq, EventHash, EventHash);

impl HashChains {
    /// No link yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds one event.
    pub fn push(&mut self, link: ChainLink) {
        self.0.entry((link.author, link.epoch)).or_default().push((link.seq, link.hash, link.prev));
    }

    /// Number of (author, epoch) chains.
    #[must_use]
    pub fn chains(&self) -> usize {
        self.0.len()
    }

    /// The first position before `next` of a chain at which nothing links up to the event `head` just before `next`; `None` where all do.
    #[must_use]
    pub fn broken_before(&self, author: MemberKey, epoch: Epoch, next: Seq, head: EventHash) -> Option<Seq> {
        let links: BTreeMap<(Seq, EventHash), EventHash> = self
            .0
            .get(&(author, epoch))
            .into_iter()
            .flatten()
            .map(|(seq, hash, prev)| ((*seq, *hash), *prev))
            .collect();
        let mut wanted = head;
        for seq in (0..next.get()).rev().map(Seq::new) {
            match links.get(&(seq, wanted)) {
                Some(prev) => wanted = *prev,
                None => return Some(seq),
            }
        }
        None
    }

    /// Positions of all chains that no event stands at, up to the last one of each.
    #[must_use]
    pub fn missing(&self) -> u64 {
        let of_chain = |links: &Vec<Entry>| {
            let held: BTreeSet<Seq> = links.iter().map(|(seq, ..)| *seq).collect();
            held.last().map_or(0, |last| last.get().saturating_add(1).saturating_sub(held.len() as u64))
        };
        self.0.values().map(of_chain).fold(0, u64::saturating_add)
    }

    /// Every fault, in order of author, epoch and seq.
    #[must_use]
    pub fn faults(mut self) -> Vec<ChainFault> {
        let mut faults = Vec::new();
        for ((author, epoch), links) in &mut self.0 {
            links.sort_unstable();
            let link = |&(seq, hash, prev): &Entry| ChainLink { author: *author, epoch: *epoch, seq, prev, hash };
            let mut before: Option<&[Entry]> = None;
            for group in links.chunk_by(|a, b| a.0 == b.0) {
                faults.extend(group.windows(2).map(|pair| ChainFault {
                    link: link(&pair[1]),
                    kind: if pair[0].1 == pair[1].1 {
                        ChainFaultKind::Duplicate
                    } else {
                        ChainFaultKind::Conflict { with: pair[0].1 }
                    },
                }));
                let neighbours = before.filter(|before| before[0].0.next() == group[0].0);
                faults.extend(
                    group.iter().filter_map(|entry| {
                        judge(entry, neighbours).map(|kind| ChainFault { link: link(entry), kind })
                    }),
                );
                before = Some(group);
            }
        }
        faults
    }
}

/// Whether the entry's predecessor is as it names it, where that can be said.
fn judge(entry: &Entry, neighbours: Option<&[Entry]>) -> Option<ChainFaultKind> {
    let (seq, _, prev) = entry;
    if seq.get() == 0 {
        return (*prev != EventHash::from_bytes([0; 32])).then_some(ChainFaultKind::FirstHasPredecessor);
    }
    let held = neighbours?;
    let linked = held.iter().any(|(_, hash, _)| hash == prev);
    (!linked).then_some(ChainFaultKind::Unlinked { held: held[0].1 })
}

#[cfg(test)]
mod tests;
