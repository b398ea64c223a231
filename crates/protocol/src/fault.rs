//! Fault proofs: two strictly signed events of one (key, epoch) that no honest author makes.

use watchfire_types::body::FaultProof;
use watchfire_types::{NetworkId, Unverified};

/// Whether the pair convicts its author: equal seq and different bytes, or consecutive seq and `prev` not matching, both strictly signed.
/// A pure function of the bytes. Never true of an honest author's events.
#[must_use]
pub fn is_fault(proof: &FaultProof, network: NetworkId) -> bool {
    contradict(&proof.first, &proof.second) && proof.first.check(network).is_ok() && proof.second.check(network).is_ok()
}

/// The same without the signatures: whether the two, if both genuine, contradict.
fn contradict(first: &Unverified, second: &Unverified) -> bool {
    let (a, b) = (first.event(), second.event());
    if a.author != b.author || a.epoch != b.epoch {
        return false;
    }
    if a.seq == b.seq {
        return first.hash() < second.hash();
    }
    a.seq.get().checked_add(1) == Some(b.seq.get()) && b.prev != first.hash()
}
