//! What convicts an author before anyone: two things that it signed and that no honest author signs both.

use crate::body::{CheckpointFault, FaultProof};
use crate::id::NetworkId;
use crate::signed::Unverified;

/// What convicts, with the network it happened in. Well formed; whether it convicts is for the rules to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FaultObject {
    /// Network.
    pub network: NetworkId,
    /// What the author signed.
    pub kind: FaultKind,
}

/// What no honest author signs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FaultKind {
    /// Two events that contradict each other.
    Events(FaultProof),
    /// Two checkpoints that contradict each other.
    Checkpoints(CheckpointFault),
    /// A checkpoint that the author's own events contradict.
    History(FalseHistory),
}

/// A run of one author's events and a checkpoint that they contradict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FalseHistory {
    /// The Checkpoint event that the run follows; without one it begins at the epoch's first event.
    pub base: Option<Box<Unverified>>,
    /// Complete subtrees of the base's tree, largest first; at most 64.
    pub subtrees: Vec<[u8; 32]>,
    /// The run, each event following the one before; 1 to 65,536.
    pub events: Vec<Unverified>,
    /// The checkpoint, where it is not the run's last event.
    pub note: Option<CheckpointFault>,
}
