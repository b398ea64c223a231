//! What an author says of the tree over its own events, and what convicts it of saying two things.

use alloy_primitives::B256;

use crate::id::{Epoch, MemberId, MemberKey};

/// Size and root of the author's RFC 6962 tree over its events of one epoch, checkpoints left out, with the signature that makes
/// a transferable note of it (c2sp.org/tlog-checkpoint). As an event it covers exactly the events below it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// Author's name in the charter: part of the note's origin.
    pub member: MemberId,
    /// Leaves, at least 1.
    pub size: u64,
    /// Root.
    pub root: B256,
    /// Ed25519 by the author's node key over the note's text.
    pub signature: [u8; 64],
}

/// A checkpoint that its author signed, carried into the log by whoever met it outside: held against the author's own events, or
/// against another checkpoint of the same epoch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckpointFault {
    /// Who signed it.
    pub author: MemberKey,
    /// Of which epoch.
    pub epoch: Epoch,
    /// What was signed.
    pub checkpoint: Checkpoint,
    /// Another one that contradicts it by itself; without one, the author's events decide.
    pub against: Option<Inconsistency>,
}

/// A checkpoint of the same author and epoch, at least as large, whose tree begins with another one than was signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inconsistency {
    /// What was signed as well.
    pub checkpoint: Checkpoint,
    /// Root of its first leaves, as many as the smaller checkpoint has: not the smaller one's root.
    pub prefix_root: B256,
    /// Consistency proof (RFC 9162) from `prefix_root` to the larger root; empty at equal sizes. At most 128 hashes.
    pub path: Vec<B256>,
}
