//! What a node still has to do. Level-triggered: the whole set is recomputed after every change, so there is no crossing
//! to fire on. The executor starts what is new, keeps what stays and stops what is gone.

use std::collections::BTreeSet;

use alloy_primitives::{Address, B256};
use bytes::Bytes;

use crate::block::{BlockRef, Read};
use crate::id::{AssetId, ChainId, Epoch, MemberKey, Severity};
use crate::safe_transaction::SafeTransaction;

/// One thing owed now.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Duty {
    /// Simulate; answered by `Input::Preflighted`. Failure means `Unknown`.
    Preflight(Preflight),
    /// Send and bump until it is no longer owed; each send is announced by `SubmissionReport::Sending` and released by the
    /// driver before it leaves. Failure is reported and tried again at the next block.
    Submit(Submission),
    /// Ask an author for the events of one of its chains after what this node holds of it without gaps; done when they arrived.
    CatchUp {
        /// Author, of which later events are held.
        from: MemberKey,
        /// Its chain.
        epoch: Epoch,
    },
}

/// One simulation of a whole `execTransaction`, guard in place.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Preflight {
    /// Chain.
    pub chain: ChainId,
    /// Safe.
    pub safe: Address,
    /// Transaction.
    pub transaction: SafeTransaction,
    /// Its hash.
    pub safe_tx_hash: B256,
    /// Packed signatures once the threshold stands; before that the simulation overrides threshold := 1 and `owner` approves.
    pub signatures: Option<Bytes>,
    /// An owner of the Safe for the v = 1 signature.
    pub owner: Address,
    /// Origin of the simulated transaction.
    pub submitter: Address,
    /// Must all hold after it, in the same call.
    pub postconditions: BTreeSet<Postcondition>,
    /// Block to run at.
    pub at: BlockRef,
}

/// A read and what its answer must be.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Postcondition {
    /// Chain that is read.
    pub chain: ChainId,
    /// The read.
    pub read: Read,
    /// The answer that makes it hold, byte for byte.
    pub equals: Bytes,
}

/// One threshold-signed Safe transaction that should be on chain.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Submission {
    /// Chain.
    pub chain: ChainId,
    /// Safe.
    pub safe: Address,
    /// Transaction.
    pub transaction: SafeTransaction,
    /// Its hash.
    pub safe_tx_hash: B256,
    /// Exactly threshold signatures, 65 bytes each, ascending by owner address.
    pub signatures: Bytes,
    /// What the step is for at this Safe; none of a rejection. Where all of it holds, a revert is no failure.
    pub postconditions: BTreeSet<Postcondition>,
    /// This node's rank among the submitters, 0 first; the submission is owed from its turn on, so nobody waits again.
    pub rank: u16,
    /// Severity decides the fee budget: SEV1 has no cap below the balance.
    pub severity: Severity,
}

/// A message for the humans of this node's organisation.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Page {
    /// Asset concerned, if any.
    pub asset: Option<AssetId>,
    /// Severity.
    pub severity: Severity,
    /// Constant kind, such as `approval-wanted`, `mute-ends`, `identity-in-use-twice`.
    pub kind: &'static str,
    /// One line.
    pub text: String,
}
