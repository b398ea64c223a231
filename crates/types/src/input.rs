//! What reaches the protocol from outside, each already reduced to data.

use std::collections::BTreeMap;

use alloy_primitives::B256;
use serde::{Deserialize, Serialize};

use crate::block::{BlockRef, BlockView};
use crate::body::{Change, EvidenceStatement, Finding, Human, Outcome, Sealed, Submitted};
use crate::event::Event;
use crate::id::{AssetId, ChainId, ChangeId, DetectorId, IncidentId, MemberKey, PlaybookId, Severity, StepIndex};
use crate::signed::Verified;
use crate::time::Timestamp;

/// One door in.
#[derive(Debug, Clone)]
pub enum Input {
    /// Another member's event, signature checked; answers a verdict.
    Received(Box<Verified<Event>>),
    /// The next canonical block of a chain, in order, starting with the backfill after a start.
    Block(Box<BlockView>),
    /// Blocks of a chain that a reorg took, highest first; the new branch's blocks follow as `Block`.
    Orphaned {
        /// Chain.
        chain: ChainId,
        /// Blocks dropped.
        blocks: Vec<BlockRef>,
    },
    /// Every finding that stands at a block, whether it stood before or not.
    Detected {
        /// The block that was evaluated.
        block: BlockRef,
        /// All standing findings on that chain; `Finding::block` equals `block`.
        standing: Vec<Finding>,
    },
    /// The chain cannot be read since `since_ms` of this node's clock.
    ChainSilent {
        /// Chain.
        chain: ChainId,
        /// One line that says why.
        cause: String,
    },
    /// Answer to a preflight duty.
    Preflighted {
        /// Safe transaction hash.
        safe_tx_hash: B256,
        /// Block it ran at.
        block: BlockRef,
        /// Outcome.
        outcome: PreflightOutcome,
    },
    /// What became of a submission of this node.
    Submission(SubmissionReport),
    /// A human's act at this node.
    Human(HumanAct),
    /// A member's connection state changed; shown, never counted.
    Peer {
        /// Member.
        member: MemberKey,
        /// Connected now.
        connected: bool,
    },
    /// What this node's evidence keeper did or could not do: becomes an event as it stands.
    Evidence(Box<EvidenceStatement>),
    /// What somebody outside the chain says, once it is known who says it.
    Reported(Box<Report>),
    /// Time passed.
    Tick,
}

/// What is said of an asset from outside the chain. It was checked that the source said it, not that it is so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Asset.
    pub asset: AssetId,
    /// Who says it, by the name that this node's configuration gives it.
    pub source: DetectorId,
    /// How it came here.
    pub channel: Channel,
    /// The source's own name for this message, 1 to [`REPORT_ID_MAX`] bytes: what was said once is not said again.
    pub id: String,
    /// When it was sent, by the source's clock; where this node asked, when it was answered, by its own.
    pub sent: Timestamp,
    /// What it says; the first [`REPORT_MAX`] bytes of one line stand in the log.
    pub summary: String,
    /// SHA-256 of the message as it came.
    pub digest: B256,
    /// What else is to be shown of it, at most [`REPORT_FIGURES_MAX`]; the first 128 bytes of a line of each stand in the log.
    pub figures: BTreeMap<&'static str, String>,
}

/// How a report came here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Channel {
    /// Its source posted and signed it.
    Webhook,
    /// This node asked a Prometheus.
    Prometheus,
    /// This node looked at what waits in a Safe's queue.
    SafeQueue,
    /// This node fetched a front end.
    FrontEnd,
    /// This node asked a registry about a domain.
    Registration,
    /// This node asked which certificates were issued.
    Certificates,
    /// This node does not hear what it should.
    Silence,
}

impl Channel {
    /// Its name, the figure `source` of the finding.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Webhook => "webhook",
            Self::Prometheus => "prometheus",
            Self::SafeQueue => "safe-queue",
            Self::FrontEnd => "front-end",
            Self::Registration => "registration",
            Self::Certificates => "certificates",
            Self::Silence => "node",
        }
    }

    /// What the finding's words begin with.
    #[must_use]
    pub const fn verb(self) -> &'static str {
        match self {
            Self::Webhook => "reported",
            Self::Prometheus => "measured",
            Self::SafeQueue => "queued",
            Self::FrontEnd => "served",
            Self::Registration => "registered",
            Self::Certificates => "issued",
            Self::Silence => "missed",
        }
    }
}

/// Longest name of a message, bytes.
pub const REPORT_ID_MAX: usize = 128;
/// Longest words of a report in the log, bytes.
pub const REPORT_MAX: usize = 320;
/// The source of what a node itself misses: blocks, answers, heartbeats.
pub const SILENCE: &str = "silence";
/// Most figures of a report beside those that every one has.
pub const REPORT_FIGURES_MAX: usize = 24;
/// The source of what people report.
pub const PERSON: &str = "person";

/// Outcome of simulating the whole `execTransaction`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum PreflightOutcome {
    /// It executes and the postcondition holds after it.
    Passes,
    /// Same negative at one agreed block from k operators.
    Refuted {
        /// Named reason: `GS013: ...`, `Pausable: paused`, `already contained: EnforcedPause()`, `guard: ...`,
        /// `postcondition does not hold after`, `needs more gas than the chain's cap of ...`.
        reason: String,
        /// Whether a guard or module guard of the Safe caused it.
        by_guard: bool,
    },
    /// No method to simulate with, no answer within 500 ms, or answers that differ.
    Unknown {
        /// One line.
        reason: String,
    },
}

/// What a submitter saw.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SubmissionReport {
    /// A transaction is about to be sent: logged before it leaves.
    Sending(Submitted),
    /// It reverted on chain; the nonce of the Safe survives.
    Reverted {
        /// Safe transaction hash.
        safe_tx_hash: B256,
        /// Where.
        block: BlockRef,
        /// Named reason.
        reason: SubmissionFailure,
    },
    /// Two blocks passed without inclusion while its fees sufficed.
    NotIncluded {
        /// Safe transaction hash.
        safe_tx_hash: B256,
        /// Head when it was said.
        block: BlockRef,
    },
    /// It cannot be sent.
    Failed {
        /// Safe transaction hash.
        safe_tx_hash: B256,
        /// Named reason.
        reason: SubmissionFailure,
    },
}

/// Why a submission cannot be sent, or reverted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SubmissionFailure {
    /// The submitter's balance does not cover gas x fee.
    Unfunded,
    /// GS026 and the Safe's nonce moved on.
    NonceTaken,
    /// GS026 at the current nonce: a signature is bad.
    BadSignatures,
    /// GS020: fewer signatures than the threshold.
    TooFewSignatures,
    /// Its call reverts, and every postcondition of the step on this chain was read and holds at that block. A reason such as
    /// `EnforcedPause()` alone is never this.
    AlreadyContained {
        /// What it reverts with: `EnforcedPause()`, or after `GS013: ` where the Safe hides it.
        reason: String,
    },
    /// Its call reverts, and what it is for does not hold.
    InnerReverted {
        /// As above.
        reason: String,
    },
    /// A guard of the Safe refuses it: without the guard it executes.
    GuardRefuses {
        /// What the guard reverts with.
        reason: String,
    },
    /// It executes, and no operator sees it fit under the gas that the charter allows a transaction on this chain.
    AboveGasCap {
        /// Gas cap of the chain.
        cap: u64,
    },
    /// What was sent stands and is not in a block, and neither the balance nor the cap of its severity allows the tenth more that nodes ask
    /// of a replacement.
    Capped,
    /// The endpoint refuses; one line.
    Refused(String),
}

/// A human's act, given through the node's own control socket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "act")]
pub enum HumanAct {
    /// Vote for a step (containment or recovery).
    Approve {
        /// Asset.
        asset: AssetId,
        /// Playbook.
        playbook: PlaybookId,
        /// Widest step approved.
        step: StepIndex,
        /// Who and why.
        human: Human,
    },
    /// Veto of a decision.
    Veto {
        /// Asset.
        asset: AssetId,
        /// Playbook.
        playbook: PlaybookId,
        /// Who and why.
        human: Human,
    },
    /// Support for closing the asset's incident at the current head.
    Close {
        /// Asset.
        asset: AssetId,
        /// Playbook whose contain rule counts.
        playbook: PlaybookId,
        /// The incident that is meant, so that one that is closed can still be judged; the asset's current one where none is named.
        #[serde(default)]
        incident: Option<IncidentId>,
        /// What it turned out to be, if that is said.
        #[serde(default)]
        outcome: Option<Outcome>,
        /// Who and why.
        human: Human,
    },
    /// Notice taken.
    Acknowledge {
        /// Incident.
        incident: IncidentId,
        /// Who and why.
        human: Human,
    },
    /// Support declined.
    Reject {
        /// Incident.
        incident: IncidentId,
        /// Who and why.
        human: Human,
    },
    /// Severity set.
    Classify {
        /// Incident.
        incident: IncidentId,
        /// Severity.
        severity: Severity,
        /// Who and why.
        human: Human,
    },
    /// Words for named members only, sealed before they come here.
    Seal {
        /// The body whole.
        sealed: Box<Sealed>,
    },
    /// A planned change is expected: announced, or supported where others announced it.
    SupportChange {
        /// The change.
        change: Box<Change>,
        /// Who and why.
        human: Human,
    },
    /// It is no longer expected.
    WithdrawChange {
        /// The change.
        change: ChangeId,
        /// Who and why.
        human: Human,
    },
    /// A rule that carried a false pause may vote by itself again.
    Promote {
        /// The rule.
        detector: DetectorId,
        /// Who and why.
        human: Human,
    },
    /// Nothing is to be said for a while of what only gives context.
    Snooze {
        /// Asset.
        asset: AssetId,
        /// The rule; `None` for every rule of the asset that only gives context.
        detector: Option<DetectorId>,
        /// For how long, seconds of block time; 0 ends it.
        lasts_s: u64,
        /// Who and why.
        human: Human,
    },
    /// A person says something of an asset that no rule found: the human's reason is what they say.
    Report {
        /// Asset.
        asset: AssetId,
        /// Who, and what.
        human: Human,
    },
    /// Free text.
    Note {
        /// Incident.
        incident: IncidentId,
        /// Who and what.
        human: Human,
    },
}
