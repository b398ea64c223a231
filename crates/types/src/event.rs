//! The event: one step of one author, before and after its bytes are signed.

use crate::body::Body;
use crate::id::{Epoch, EventHash, MemberKey, NetworkId, Seq};
use crate::time::Timestamp;

/// One entry of an author's hash chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Network that it belongs to.
    pub network: NetworkId,
    /// Author's node key.
    pub author: MemberKey,
    /// Author's process start.
    pub epoch: Epoch,
    /// Position in (author, epoch).
    pub seq: Seq,
    /// Hash of the preceding signed event of the same (author, epoch); zero at seq 0.
    pub prev: EventHash,
    /// Author's clock: a claim, at least its previous event's + 1.
    pub time: Timestamp,
    /// What happened.
    pub body: Body,
}
