//! What comes back to the loop from the tasks that serve evidence.

use std::collections::BTreeSet;

use tokio::sync::oneshot;
use watchfire_types::body::{AccessAction, Custodian, EvidenceCollected, EvidenceMissed};
use watchfire_types::control::Reply;
use watchfire_types::{B256, BlockRef, ChainId, IncidentId, MemberKey};

use super::store::StoreError;

/// One message.
#[derive(Debug)]
pub enum Told {
    /// Items that are in the store, to be said.
    Items(Box<EvidenceCollected>),
    /// Something that is not there, to be said.
    Missed(Box<EvidenceMissed>),
    /// A job is over; everything it had to say came before.
    Ended(Ended),
    /// A copy came whole.
    Copied(Copied),
    /// Objects were looked at before they are handed out.
    Looked(Box<Look>),
    /// An object that a member asked for is not in the store as it should be.
    Lost {
        /// Object.
        object: B256,
        /// Why.
        error: StoreError,
    },
    /// Blocks of an attack that an earlier process saw.
    Blocks {
        /// Chain.
        chain: ChainId,
        /// As the operators agree on them now; those that they did not agree on are missing.
        blocks: Vec<BlockRef>,
        /// Those that were asked for and are missing.
        absent: BTreeSet<u64>,
    },
}

/// What became of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// Incident.
    pub incident: IncidentId,
    /// Block.
    pub block: BlockRef,
    /// Whether everything is there from two operators.
    pub complete: bool,
}

/// A copy with as many bytes as it should have.
#[derive(Debug)]
pub struct Copied {
    /// From whom.
    pub from: MemberKey,
    /// Object.
    pub object: B256,
    /// Whether it is kept; else why not.
    pub kept: Result<(), NotKept>,
}

/// Why a copy is not kept.
#[derive(Debug)]
pub enum NotKept {
    /// Its bytes have another digest.
    Wrong,
    /// The own store does not take it.
    Store(String),
}

/// An access that somebody wants.
#[derive(Debug)]
pub struct Look {
    /// Objects.
    pub objects: BTreeSet<B256>,
    /// What is to be done with them.
    pub action: AccessAction,
    /// Who and why.
    pub by: Custodian,
    /// Where to.
    pub detail: String,
    /// Where the reply goes.
    pub reply: oneshot::Sender<Reply>,
    /// Those that are not there or not whole.
    pub faults: Vec<(B256, StoreError)>,
}
