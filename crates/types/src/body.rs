//! What an event can say. Adding a variant is adding a field number in proto/; an unknown one is stored, chained and inert.

use std::collections::BTreeMap;

use alloy_primitives::{Address, B256};
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::block::BlockRef;
use crate::id::{
    AssetId, ChainId, CharterDigest, CharterVersion, DetectorId, Epoch, EventHash, IncidentId, MemberId, PlaybookId,
    Seq, Severity, StepIndex,
};
use crate::signed::Unverified;

mod change;
mod checkpoint;
mod decision;
mod evidence;
mod promotion;
mod sealed;
mod snooze;

pub use change::{Announced, Change, ChangeCall, ChangeCounted, ChangeSupported, ChangeWithdrawn, Known, Selector};
pub use checkpoint::{Checkpoint, CheckpointFault, Inconsistency};
pub use decision::{Authority, Basis, Certificate, CoSignature, Decision, Purpose, Veto, Vote};
pub use evidence::{
    AccessAction, Custodian, Custody, EvidenceAccessed, EvidenceCheck, EvidenceCollected, EvidenceItem, EvidenceKind,
    EvidenceMissed, EvidenceStatement, MissCause,
};
pub use promotion::{Outcome, PromotionSupported};
pub use sealed::{SEALED_TEXT_MAX, Sealed, SealedAbout, SealedKey};
pub use snooze::{SNOOZE_MAX_S, Snoozed};

/// The body of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// First event of an epoch.
    Started(Started),
    /// A detector's rule began to stand, or its severity rose.
    Finding(Finding),
    /// Support for every step up to one.
    Vote(Vote),
    /// A vote for `cancel` by a human.
    Veto(Veto),
    /// A certificate with its votes verbatim.
    Certificate(Certificate),
    /// A guardian's signature over a Safe transaction.
    CoSignature(CoSignature),
    /// A transaction was handed to a chain. A statement by its author.
    Submitted(Submitted),
    /// A Safe transaction was seen executed. A statement by its author.
    Executed(Executed),
    /// A step's postcondition was seen to change. A statement by its author.
    PostconditionChecked(PostconditionChecked),
    /// A reorg took an own block-bound observation.
    Retracted(Retracted),
    /// A human set an incident's severity.
    Classified(Classified),
    /// A human took notice of an incident.
    Acknowledged(HumanStatement),
    /// A human declined to support containment; binds nobody.
    Rejected(HumanStatement),
    /// Free text of a human.
    Note(HumanStatement),
    /// Support for closing an incident.
    CloseVote(CloseVote),
    /// A pause did not happen: exactly one named cause.
    NotContained(NotContained),
    /// What this node can do for an asset: on change and at most hourly.
    Attested(Attested),
    /// Two events that no honest author makes.
    FaultProof(FaultProof),
    /// Size and root of the author's tree over its own events of this epoch.
    Checkpoint(Checkpoint),
    /// A signed checkpoint that its author's log, or another of its checkpoints, contradicts.
    CheckpointFault(CheckpointFault),
    /// Raw chain evidence was taken into the author's store.
    EvidenceCollected(EvidenceCollected),
    /// Evidence objects were copied, read, exported or disposed of at the author.
    EvidenceAccessed(EvidenceAccessed),
    /// Evidence that should be there could not be had.
    EvidenceMissed(EvidenceMissed),
    /// Words that only named members can read; their digest is public.
    Sealed(Sealed),
    /// A human expects a planned change.
    ChangeSupported(ChangeSupported),
    /// A human no longer expects it.
    ChangeWithdrawn(ChangeWithdrawn),
    /// From when on the author's own rules are quiet about a change, or are no longer. A statement by its author.
    ChangeCounted(ChangeCounted),
    /// A human wants a rule to vote by itself again.
    PromotionSupported(PromotionSupported),
    /// A human's organisation need not be told of something for a while.
    Snoozed(Snoozed),
    /// A body this version does not know: its field number and bytes, kept and inert.
    Unknown(u32, Bytes),
}

impl Body {
    /// The kind of a body that this version does not know.
    pub const UNKNOWN: &str = "unknown";

    /// The kebab-case name of its kind, as in records, indexes and logs.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Started(_) => "started",
            Self::Finding(_) => "finding",
            Self::Vote(_) => "vote",
            Self::Veto(_) => "veto",
            Self::Certificate(_) => "certificate",
            Self::CoSignature(_) => "co-signature",
            Self::Submitted(_) => "submitted",
            Self::Executed(_) => "executed",
            Self::PostconditionChecked(_) => "postcondition-checked",
            Self::Retracted(_) => "retracted",
            Self::Classified(_) => "classified",
            Self::Acknowledged(_) => "acknowledged",
            Self::Rejected(_) => "rejected",
            Self::Note(_) => "note",
            Self::CloseVote(_) => "close-vote",
            Self::NotContained(_) => "not-contained",
            Self::Attested(_) => "attested",
            Self::FaultProof(_) => "fault-proof",
            Self::Checkpoint(_) => "checkpoint",
            Self::CheckpointFault(_) => "checkpoint-fault",
            Self::EvidenceCollected(_) => "evidence-collected",
            Self::EvidenceAccessed(_) => "evidence-accessed",
            Self::EvidenceMissed(_) => "evidence-missed",
            Self::Sealed(_) => "sealed",
            Self::ChangeSupported(_) => "change-supported",
            Self::ChangeWithdrawn(_) => "change-withdrawn",
            Self::ChangeCounted(_) => "change-counted",
            Self::PromotionSupported(_) => "promotion-supported",
            Self::Snoozed(_) => "snoozed",
            Self::Unknown(..) => Self::UNKNOWN,
        }
    }
}

/// A person, known to the log by a pseudonym only.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Human {
    /// Pseudonym, at most 64 bytes.
    pub person: String,
    /// Role, at most 64 bytes.
    pub role: String,
    /// Reason in the person's words, at most 1,024 bytes.
    pub reason: String,
}

/// First event of an epoch: what its author still knew of its earlier ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Started {
    /// Last event held of each earlier epoch of the author, in epoch order; at most 64, newest kept.
    pub earlier: Vec<EpochHead>,
    /// Charter version adopted at start.
    pub charter_version: CharterVersion,
    /// Its digest.
    pub charter_digest: CharterDigest,
    /// Version of the software.
    pub software: String,
}

/// The last event of one epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct EpochHead {
    /// Epoch.
    pub epoch: Epoch,
    /// Last position.
    pub seq: Seq,
    /// Its hash.
    pub hash: EventHash,
    /// Its last checkpoint, where it made one. For readers of the log: what `hash` names covers it already.
    pub checkpoint: Option<EpochCheckpoint>,
}

/// What a checkpoint is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct EpochCheckpoint {
    /// Leaves; at least 1.
    pub size: u64,
    /// Root over them.
    pub root: B256,
}

/// What a detector found, with the figures that fired.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// Asset concerned.
    pub asset: AssetId,
    /// Rule of the charter.
    pub detector: DetectorId,
    /// Kind of detector: `outflow`, `event`, `state`, `containment-failed`, ...
    pub kind: String,
    /// Severity.
    pub severity: Severity,
    /// First block at which it stood.
    pub first: BlockRef,
    /// Block of this evaluation.
    pub block: BlockRef,
    /// One line that explains itself, with figures; at most 512 bytes.
    pub explanation: String,
    /// Named figures as decimal or hex text; at most 32.
    pub figures: BTreeMap<String, String>,
}

/// A transaction handed to a chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submitted {
    /// Chain.
    pub chain: ChainId,
    /// Safe.
    pub safe: Address,
    /// Safe transaction hash.
    pub safe_transaction: B256,
    /// Hash of the outer transaction.
    pub transaction: B256,
    /// Who pays.
    pub submitter: Address,
    /// EIP-1559 fee cap, wei per gas.
    pub max_fee_per_gas: u128,
    /// EIP-1559 tip, wei per gas.
    pub max_priority_fee_per_gas: u128,
    /// 0 for the first bid, then one more for each bump.
    pub attempt: u32,
}

/// A Safe transaction seen on chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Executed {
    /// Chain, height, hash and time of the including block.
    pub block: BlockRef,
    /// Safe.
    pub safe: Address,
    /// Safe transaction hash.
    pub safe_transaction: B256,
    /// Hash of the outer transaction.
    pub transaction: B256,
}

/// A step's postcondition seen at a block, when it changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PostconditionChecked {
    /// Asset.
    pub asset: AssetId,
    /// Playbook.
    pub playbook: PlaybookId,
    /// Step.
    pub step: StepIndex,
    /// Whether every postcondition of the step holds.
    pub holds: bool,
    /// Where.
    pub block: BlockRef,
}

/// An own observation that a reorg took.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retracted {
    /// The own event that no longer stands.
    pub event: EventHash,
    /// The orphaned block it was bound to.
    pub orphaned: BlockRef,
}

/// A human set an incident's severity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Classified {
    /// Incident.
    pub incident: IncidentId,
    /// Severity.
    pub severity: Severity,
    /// Who and why.
    pub human: Human,
}

/// A human's words about an incident.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HumanStatement {
    /// Incident.
    pub incident: IncidentId,
    /// Who and why.
    pub human: Human,
}

/// Support for closing the asset's current incident.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CloseVote {
    /// Decision whose asset's incident is closed; the playbook names the contain rule that counts.
    pub decision: Decision,
    /// Block on the asset's chain whose time is `closed_at`.
    pub closed_at: BlockRef,
    /// What the incident turned out to be, if that is said.
    pub outcome: Option<Outcome>,
    /// Who and why.
    pub human: Human,
}

/// Why a pause did not happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    /// Nobody found anything.
    NoFinding,
    /// Fewer organisations than the rule wants support the step.
    QuorumNotReached,
    /// A playbook in mode `observe` or `propose` without enough humans.
    AwaitingHumans,
    /// Cancelled by a cancel certificate.
    Cancelled,
    /// Votes expired before a certificate stood, or the certificate before an execution.
    Expired,
    /// The preflight refutes every step that is owed: a module guard or guard blocks.
    GuardBlocks,
    /// The preflight refutes every step that is owed for another reason.
    PreflightRefuted,
    /// Fewer co-signatures than the Safe's threshold.
    ThresholdNotReached,
    /// Enough signatures, but no submitter's transaction was included.
    NotIncluded,
    /// No submitter can pay.
    SubmitterUnfunded,
    /// The Safe's nonce was taken by another transaction each time.
    NonceTaken,
    /// The path only schedules; the delay still runs.
    Delayed,
    /// The chain cannot be read.
    ChainUnavailable,
    /// The wider state contradicts: executed, and the postcondition does not hold.
    PostconditionFailed,
}

/// The one named cause for a decision that was wanted and did not happen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotContained {
    /// Decision.
    pub decision: Decision,
    /// Widest step wanted.
    pub step: StepIndex,
    /// Cause.
    pub cause: Cause,
    /// One line with figures; at most 512 bytes.
    pub detail: String,
    /// Head at which it was stated.
    pub head: BlockRef,
}

/// Whether the author could pause an asset now, and which blocks of its chain it judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attested {
    /// Asset.
    pub asset: AssetId,
    /// Own verdict.
    pub can_pause: bool,
    /// One line that says why not, or `simulated ok at block N`.
    pub detail: String,
    /// Head at which it was simulated.
    pub head: BlockRef,
    /// First block of the unbroken run of blocks that ends at `head` and that the author's process judged one by one. What lies between the
    /// head of one statement and this number in the next was not scanned by it. 0 where a run is not stated.
    pub scanned_from: u64,
}

/// Two strictly signed events of one (key, epoch) with equal seq and different bytes, or with consecutive seq and `prev` not matching.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FaultProof {
    /// The event with the lower position (or, at equal seq, the lower hash).
    pub first: Box<Unverified>,
    /// The other.
    pub second: Box<Unverified>,
}

/// A signed message outside the log: newest kept per author, never counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heartbeat {
    /// Member that sends it.
    pub member: MemberId,
    /// Its newest epoch.
    pub epoch: Epoch,
    /// Its newest event there.
    pub seq: Seq,
    /// Author's clock, ms.
    pub time_ms: u64,
    /// Digest of its shared state.
    pub state_digest: B256,
    /// Agreed head per chain.
    pub heads: Vec<BlockRef>,
    /// Per asset: can this node pause now, with one line.
    pub pausable: Vec<Attested>,
    /// Everything that no longer holds, a line each; at most 32 of at most 256 bytes.
    pub alarms: Vec<String>,
    /// Wei of the submitter per chain.
    pub submitter_balance: Vec<(ChainId, u128)>,
}
