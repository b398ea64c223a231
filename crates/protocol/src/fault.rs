//! Fault proofs: what an author signed and no honest author signs. Two events of one (key, epoch) that contradict each other, or a
//! checkpoint that contradicts another one or the author's own events.

use watchfire_transparency::{Checkpoint, ConsistencyProof, verify};
use watchfire_types::body::{self, CheckpointFault, FaultProof};
use watchfire_types::{Epoch, MemberKey, NetworkId, Unverified};

/// Whether the pair convicts its author: equal seq and different bytes, or consecutive seq and `prev` not matching, both strictly signed.
/// A pure function of the bytes. Never true of an honest author's events.
#[must_use]
pub fn is_fault(proof: &FaultProof, network: NetworkId) -> bool {
    contradict(&proof.first, &proof.second) && proof.first.check(network).is_ok() && proof.second.check(network).is_ok()
}

/// The same without the signatures: whether the two, if both genuine, contradict.
pub(crate) fn contradict(first: &Unverified, second: &Unverified) -> bool {
    let (a, b) = (first.event(), second.event());
    if a.author != b.author || a.epoch != b.epoch {
        return false;
    }
    if a.seq == b.seq {
        return first.hash() < second.hash();
    }
    a.seq.get().checked_add(1) == Some(b.seq.get()) && b.prev != first.hash()
}

/// What a carried checkpoint says against its author.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CheckpointClaim {
    /// Two checkpoints that cannot both be of one growing tree: convicts by itself.
    Inconsistent,
    /// One checkpoint: the author's events up to its size convict, or do not.
    Single,
}

/// What a [`CheckpointFault`] says, or `None` when it says nothing: a signature that does not hold, or two checkpoints that agree.
/// A pure function of the bytes; never [`CheckpointClaim::Inconsistent`] of an honest author.
#[must_use]
pub fn checkpoint_claim(fault: &CheckpointFault, network: NetworkId) -> Option<CheckpointClaim> {
    let CheckpointFault { author, epoch, checkpoint, against } = fault;
    if !signed(network, *author, *epoch, checkpoint) {
        return None;
    }
    let Some(against) = against else { return Some(CheckpointClaim::Single) };
    let path = against.path.iter().map(|hash| hash.0).collect();
    let proof = ConsistencyProof { from: checkpoint.size, to: against.checkpoint.size, path };
    let convicts = against.checkpoint.member == checkpoint.member
        && against.prefix_root != checkpoint.root
        && proof.verify(&against.prefix_root.0, &against.checkpoint.root.0).is_ok()
        && signed(network, *author, *epoch, &against.checkpoint);
    convicts.then_some(CheckpointClaim::Inconsistent)
}

/// Whether the note that a checkpoint's body carries is its author's.
#[must_use]
pub(crate) fn signed(network: NetworkId, author: MemberKey, epoch: Epoch, checkpoint: &body::Checkpoint) -> bool {
    verify::signed(&Checkpoint::stated(network, epoch, checkpoint), &author, &checkpoint.signature)
}
