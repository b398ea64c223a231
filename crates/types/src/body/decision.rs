//! What members decide together: votes, vetoes, certificates, and the signatures that these make owed.

use std::collections::BTreeSet;

use alloy_primitives::{Address, B256};
use serde::{Deserialize, Serialize};

use super::Human;
use crate::block::BlockRef;
use crate::id::{AssetId, ChainId, CharterVersion, EventHash, OperatorId, PlaybookId, StepIndex};
use crate::safe_transaction::SafeTransaction;
use crate::signed::Unverified;
use crate::time::BlockTime;

/// (network id, charter version, asset, playbook): the network id is in every signing input.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Decision {
    /// Charter version.
    pub version: CharterVersion,
    /// Asset.
    pub asset: AssetId,
    /// Playbook.
    pub playbook: PlaybookId,
}

/// On what a vote rests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Basis {
    /// The author's own finding.
    Finding(EventHash),
    /// A human's judgement.
    Human(Human),
}

/// Support for every step <= `step` of a decision (R1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vote {
    /// Decision.
    pub decision: Decision,
    /// Widest step supported.
    pub step: StepIndex,
    /// Basis.
    pub basis: Basis,
    /// Operator label: whose endpoint gave the evidence.
    pub operator: OperatorId,
    /// Evidence: the block of the last re-evaluation, or the head that a human judged at.
    pub evidence: BlockRef,
}

/// A vote for `cancel` of a decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Veto {
    /// Decision.
    pub decision: Decision,
    /// Author's head: evidence at or before it is to be stopped.
    pub head: BlockRef,
    /// Head at the human's act; equal to `head` on the first issue, kept by re-issues, which prolong nothing.
    pub act: BlockRef,
    /// Who vetoed and why.
    pub human: Human,
}

/// What a certificate certifies.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Purpose {
    /// The step of a playbook (containment or recovery, as the charter's playbook says).
    Step(StepIndex),
    /// Cancel of a decision: the embedded events are Vetoes.
    Cancel,
    /// Close of the asset's current incident at this block time: the embedded events are CloseVotes.
    Close(BlockTime),
}

/// Votes verbatim: valid from its bytes and the charter version it names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// Decision.
    pub decision: Decision,
    /// Purpose.
    pub purpose: Purpose,
    /// One signed event per organisation, in organisation order (byte order of the organisation id).
    pub votes: Vec<Unverified>,
}

/// For what a Safe transaction was signed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Authority {
    /// A step of a decision, under the certificate with this content digest.
    Step {
        /// Decision.
        decision: Decision,
        /// Step.
        step: StepIndex,
        /// Content digest of the certificate.
        certificate: B256,
    },
    /// Rejection under a cancel certificate.
    RejectionCancelled {
        /// Decision that was cancelled.
        decision: Decision,
        /// Content digest of the cancel certificate.
        certificate: B256,
    },
    /// Rejection ahead of a recovery through another Safe or authority.
    RejectionBeforeRecovery {
        /// Recovery decision.
        decision: Decision,
        /// Content digest of the recovery certificate.
        certificate: B256,
    },
    /// Rejection because the own view shows a recovery that did not consume the nonce.
    RejectionAfterForeignRecovery {
        /// Asset that was recovered.
        asset: AssetId,
        /// Block of that recovery.
        recovered: BlockRef,
    },
}

/// A guardian's signature over one Safe transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CoSignature {
    /// Charter version under which it was signed.
    pub version: CharterVersion,
    /// What makes it owed.
    pub authority: Authority,
    /// Chain.
    pub chain: ChainId,
    /// Safe.
    pub safe: Address,
    /// The whole transaction that was hashed; signature owners are recovered against its hash.
    pub transaction: SafeTransaction,
    /// Indexes of the step's calls left out because their postcondition held.
    pub omitted: BTreeSet<u16>,
    /// Block at which nonce, owners and postconditions were read; expiry was decided at its time (S14).
    pub agreed: BlockRef,
    /// r (32) || s (32) || v (27 or 28); low s.
    pub signature: [u8; 65],
}
