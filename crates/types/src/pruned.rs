//! What a node knows of events that it pruned: enough to go on, and who holds them.

use alloy_primitives::B256;

use crate::id::{Epoch, EventHash, MemberKey, Seq};
use crate::time::Timestamp;

/// Everything that was pruned from one log.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PrunedLog {
    /// One for each (author, epoch) of which something was pruned, ascending by author and epoch.
    pub chains: Vec<ChainBase>,
    /// The archives that hold what was pruned, oldest pruning first.
    pub archives: Vec<PrunedInto>,
}

/// One archive and the pruning that it covered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrunedInto {
    /// SHA-256 of the archive's whole file.
    pub sha256: B256,
    /// Events that the archive holds.
    pub events: u64,
    /// Events that the pruning removed; the same for every archive of one pruning.
    pub pruned: u64,
    /// The newest time that any of them claims.
    pub through: Timestamp,
    /// When it was pruned.
    pub at: Timestamp,
}

/// Where an author's chain goes on though its beginning is not held any more: what folding that beginning had led to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChainBase {
    /// Author.
    pub author: MemberKey,
    /// Epoch.
    pub epoch: Epoch,
    /// The first position after what was folded; at least 1.
    pub next: Seq,
    /// Hash of the event before it.
    pub head: EventHash,
    /// Author's clock at that event.
    pub clock: Timestamp,
    /// Whether its clock ever stood still or fell before.
    pub slipped: bool,
    /// Hash chain over the digested events, and how many.
    pub digest: [u8; 32],
    /// How many.
    pub digested: u64,
    /// Leaves of the author's tree.
    pub leaves: u64,
    /// Its complete subtrees, largest first; as many as `leaves` has one bits.
    pub subtrees: Vec<[u8; 32]>,
}
