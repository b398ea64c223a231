//! What a running node and the person (or drill launcher) beside it say to each other over the node's control socket:
//! one JSON [`Request`] a line in, one JSON [`Reply`] a line out; `follow` answers with [`Record`] lines until hang-up.

mod incidents;

use std::collections::{BTreeMap, BTreeSet};

use alloy_primitives::{Address, B256};
use serde::{Deserialize, Serialize};

use crate::block::BlockRef;
use crate::body::{AccessAction, Change, Custodian, EvidenceKind, Human, Known, SealedAbout};
use crate::id::{
    AssetId, ChainId, ChangeId, DetectorId, Epoch, EventHash, IncidentId, MemberId, MemberKey, OrganisationId,
    PlaybookId, Seq, StepIndex,
};
use crate::input::HumanAct;
use crate::time::BlockTime;

pub use incidents::{Firings, Incident, IntakeStatus, LookoutStatus, OpenIncident, ReportCount, Snooze};

/// One request line, at most 64 KiB.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "request")]
pub enum Request {
    /// The node's whole status.
    Status,
    /// All incidents.
    Incidents,
    /// Sealed words, opened where this member can.
    Sealed {
        /// Of this incident; of all vulnerability reports without one.
        incident: Option<IncidentId>,
    },
    /// All planned changes.
    Changes,
    /// What the log says of every detector rule.
    Rules,
    /// A human's act.
    Act {
        /// The act.
        act: HumanAct,
    },
    /// A checkpoint of the own log now, if its newest one does not cover everything; answered by its event, or none.
    Checkpoint,
    /// The checkpoints of the own log of this process with what witnesses signed, as far as they are kept.
    Notes,
    /// Every evidence object that the log names.
    Evidence,
    /// An access to evidence objects: answered once its event is durable, and only then may they be read from the store.
    AccessEvidence {
        /// One to 256 objects.
        objects: BTreeSet<B256>,
        /// `read`, `exported` or `disposed`.
        action: AccessAction,
        /// Who and why.
        by: Custodian,
        /// Where to.
        detail: String,
    },
    /// Where events stand in the log: what the node's index says, which it alone may open.
    Locate {
        /// Which events.
        what: Locate,
    },
    /// Every record from the start of this process on, then live.
    Follow,
}

/// A place in the journal: number of its segment, and offset in it.
pub type LogPlace = (u32, u32);

/// Events to be found in the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "of")]
pub enum Locate {
    /// Where the next ones may stand that fit; whoever reads them there compares them. What is absent does not matter.
    Fitting {
        /// Author.
        author: Option<MemberKey>,
        /// Epoch.
        epoch: Option<Epoch>,
        /// First and last seq.
        seqs: Option<(Seq, Seq)>,
        /// Kind of the body.
        kind: Option<String>,
        /// First and last time, ms, that the author claims.
        times_ms: Option<(u64, u64)>,
        /// Chain, first and last block.
        blocks: Option<(u64, u64, u64)>,
        /// Looked through from here on, this place left out.
        from: LogPlace,
        /// Backwards.
        backwards: bool,
    },
    /// These; at most [`Locate::EVENTS_MAX`] of them count.
    Named {
        /// Their hashes.
        events: Vec<EventHash>,
    },
}

impl Locate {
    /// Events named at once: a request line takes no more.
    pub const EVENTS_MAX: usize = 512;
}

/// One reply line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "reply")]
pub enum Reply {
    /// Answer to `status`.
    Status(Box<Status>),
    /// Answer to `incidents`.
    Incidents {
        /// Newest first.
        incidents: Vec<Incident>,
    },
    /// Answer to `changes`.
    Changes {
        /// Those that enough organisations expect first, then those that end last; at most 256.
        changes: Vec<PlannedChange>,
    },
    /// Answer to `rules`.
    Rules {
        /// By asset and name.
        rules: Vec<RuleStats>,
    },
    /// Answer to `notes`.
    Notes {
        /// Signed notes, largest first.
        notes: Vec<String>,
    },
    /// Answer to `sealed`.
    Sealed {
        /// Newest first, at most 64.
        words: Vec<SealedWords>,
    },
    /// The act became these events.
    Done {
        /// Their hashes.
        events: Vec<EventHash>,
    },
    /// Answer to `evidence`.
    Evidence {
        /// By incident, block and kind.
        objects: Vec<EvidenceObject>,
    },
    /// Answer to `locate`.
    Located {
        /// In the order in which they are looked through, at most 16,384; none when there are no more.
        places: Vec<LogPlace>,
        /// Where the index ends: what stands from here on is not in it yet.
        indexed: LogPlace,
    },
    /// Refused; says what was wrong and what to do.
    Error {
        /// One line.
        error: String,
    },
}

/// Words that were sealed to named members.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealedWords {
    /// The event.
    pub event: EventHash,
    /// Who keeps the node that said it.
    pub author: MemberId,
    /// Author's clock, ms.
    pub at_ms: u64,
    /// What they are about.
    pub about: SealedAbout,
    /// Who wrote them: a pseudonym and what is public.
    pub human: Human,
    /// Who can open them.
    pub to: Vec<MemberId>,
    /// SHA-256 of salt and words.
    pub commitment: B256,
    /// The words, where this member can open them.
    pub opened: Option<OpenedWords>,
    /// Why they cannot be opened though this member is named.
    pub fault: Option<String>,
}

/// Words that were opened; never put into a log or a debug text.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenedWords {
    /// The words.
    pub words: String,
    /// With it, they hash to the commitment: disclose both to prove what was sealed.
    pub salt: B256,
}

impl std::fmt::Debug for OpenedWords {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("OpenedWords(..)")
    }
}

/// What a person wants to know first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CanPause {
    /// Yes.
    Yes,
    /// Yes, with no spare: one more loss and it cannot.
    AtRisk,
    /// No.
    No,
}

/// Status of a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// This member.
    pub member: MemberId,
    /// Its organisation.
    pub organisation: OrganisationId,
    /// Whether the node runs now (a kept directory can be looked at too).
    pub running: bool,
    /// Ready: store open, chain backfilled.
    pub ready: bool,
    /// Events held.
    pub events: u64,
    /// Digest of the shared state.
    pub state_digest: B256,
    /// RFC 6962 root over this member's own events of its newest epoch.
    pub log_root: B256,
    /// Own epoch.
    pub epoch: Option<Epoch>,
    /// Records appended that the sled index does not hold yet.
    pub index_lag: u64,
    /// One per asset with a containment playbook.
    pub assets: Vec<AssetStatus>,
    /// Every other member.
    pub peers: Vec<PeerStatus>,
    /// Every chain.
    pub chains: Vec<ChainStatus>,
    /// What no longer holds, a line each.
    pub alarms: Vec<String>,
    /// Duties still owed, a line each.
    pub owed: Vec<String>,
    /// Incidents that nobody closed, as `watchfire incident list` has them.
    pub incidents: Vec<OpenIncident>,
    /// What this organisation does not want to be told now.
    pub snoozes: Vec<Snooze>,
    /// Reports from outside the chain; `None` where none are taken and nothing is asked for.
    pub intake: Option<IntakeStatus>,
}

/// Can this network pause this asset now?
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AssetStatus {
    /// Asset.
    pub asset: AssetId,
    /// Verdict.
    pub can_pause: CanPause,
    /// The line a person reads.
    pub line: String,
    /// Whether a containment postcondition holds now.
    pub contained: bool,
    /// Widest step owed now, if any.
    pub owed_step: Option<u8>,
    /// Named cause, when a pause was wanted and did not happen.
    pub cause: Option<String>,
    /// One line on the cause, when there is one.
    pub cause_detail: Option<String>,
    /// What it means that rules of the asset ask people instead of voting, if any do.
    pub asks: Option<String>,
}

/// One other member.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeerStatus {
    /// Member.
    pub member: MemberId,
    /// Connected now.
    pub connected: bool,
    /// Milliseconds since its newest heartbeat.
    pub heartbeat_age_ms: Option<u64>,
    /// Digest it stated.
    pub state_digest: Option<B256>,
    /// Shown as restored.
    pub restored: bool,
    /// Cut by a fault proof.
    pub faulty: bool,
}

/// One chain as this node sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChainStatus {
    /// Chain.
    pub chain: ChainId,
    /// Agreed head.
    pub head: Option<BlockRef>,
    /// Milliseconds since that head arrived.
    pub head_age_ms: Option<u64>,
    /// Newest block that its operators agree is final, by the charter's `finality`.
    pub finalized: Option<BlockRef>,
    /// Blocks of this process whose logs their receipts root does not prove, as where a receipt is of a type that is not known: their logs are what
    /// as many operators state alike as have to agree.
    #[serde(default)]
    pub unproved_blocks: u64,
    /// Height of the first of them.
    #[serde(default)]
    pub first_unproved_block: Option<u64>,
    /// A line per endpoint: operator, health, why.
    pub endpoints: Vec<String>,
    /// Wei of this node's submitter.
    pub submitter_balance: Option<String>,
}

/// A planned change as this node knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedChange {
    /// Its name.
    pub id: ChangeId,
    /// The change.
    pub change: Change,
    /// Organisations that expect it.
    pub supported: Vec<OrganisationId>,
    /// Organisations that withdrew.
    pub withdrawn: Vec<OrganisationId>,
    /// What is still missing before it counts; nothing where enough organisations expect it.
    pub missing: Option<String>,
    /// Since when this node's own rules are quiet about it.
    pub since: Option<Known>,
    /// Until when they were.
    pub until: Option<Known>,
    /// Whether its window is over.
    pub over: bool,
}

/// What the log says of one detector rule. An incident counts where as many organisations as can contain found by the rule in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleStats {
    /// Asset.
    pub asset: AssetId,
    /// The rule.
    pub rule: DetectorId,
    /// Kind of detector.
    pub kind: String,
    /// `decisive` or `context`.
    pub class: String,
    /// Incidents in which it fired: the sum of the next four.
    pub fired: u32,
    /// Of these, certified as confirmed.
    pub confirmed: u32,
    /// Certified as false alarms.
    #[serde(rename = "false")]
    pub wrong: u32,
    /// Closed without a word on what they were.
    pub unjudged: u32,
    /// Open.
    pub open: u32,
    /// Incidents in which fewer organisations found by it: they count for nothing else here.
    pub alone: u32,
    /// Block time since which it stood in the newest incident in which it fired.
    pub last_fired: Option<BlockTime>,
    /// Why it does not vote by itself, if it does not.
    pub demoted: Option<RuleDemoted>,
}

/// Why a rule does not vote by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleDemoted {
    /// The newest incident that was a false alarm and in which a step was carried out on its findings.
    pub incident: IncidentId,
    /// Close of that incident.
    pub closed_at: BlockTime,
    /// Widest step that was carried out on its findings, by playbook: wider ones of these are not held back.
    pub steps: BTreeMap<PlaybookId, StepIndex>,
    /// Organisations that want it promoted.
    pub promoted_by: Vec<OrganisationId>,
    /// What a promotion still needs.
    pub missing: String,
}

/// One thing that happened at this node, in its local order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// This node's clock when it happened here, ms since the Unix epoch.
    pub at_ms: u64,
    /// `block`, `orphaned`, an event body's kind (`finding`, `vote`, ...), or `threshold-signed`, `peer-connected`,
    /// `peer-disconnected`, `ready`, `page`, `alarm`.
    pub kind: String,
    /// One line.
    pub text: String,
    /// Author, for events.
    pub author: Option<MemberKey>,
    /// Author's organisation, for events.
    pub organisation: Option<OrganisationId>,
    /// Position, for events.
    pub seq: Option<Seq>,
    /// Hash, for events.
    pub event: Option<EventHash>,
    /// Asset concerned, if any.
    pub asset: Option<AssetId>,
    /// Block concerned, if any.
    pub block: Option<BlockRef>,
    /// Step concerned, if any.
    pub step: Option<u8>,
    /// Safe concerned, if any.
    pub safe: Option<Address>,
    /// Safe transaction hash concerned, if any.
    pub safe_tx_hash: Option<B256>,
    /// Outer transaction hash concerned, if any.
    pub transaction: Option<B256>,
}

/// One evidence object as a node knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EvidenceObject {
    /// SHA-256 of its bytes.
    pub object: B256,
    /// Incident.
    pub incident: IncidentId,
    /// Asset.
    pub asset: AssetId,
    /// What it shows.
    pub kind: EvidenceKind,
    /// Of which block.
    pub block: BlockRef,
    /// Bytes.
    pub size: u64,
    /// Whether this node holds it.
    pub here: bool,
    /// Organisations that say they hold it.
    pub organisations: Vec<OrganisationId>,
}
