//! What fails in a scenario, and when.

use std::collections::BTreeSet;

use alloy_primitives::U256;
use serde::{Deserialize, Serialize};
use watchfire_types::{MemberId, OperatorId};

use super::Moment;
use super::world::{DiskLeft, Lies};

/// Something that fails at a moment.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Fault {
    /// When.
    pub at: Moment,
    /// Milliseconds after that.
    #[serde(default)]
    pub delay_ms: u64,
    /// What.
    #[serde(flatten)]
    pub what: FaultKind,
}

/// What fails.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind", deny_unknown_fields)]
pub enum FaultKind {
    /// A node's process is killed.
    Kill {
        /// Which.
        member: Who,
    },
    /// It is started again on its directory.
    Restart {
        /// Which.
        member: Who,
    },
    /// A node loses every peer.
    Cut {
        /// Which.
        member: Who,
    },
    /// It can reach its peers again.
    Heal {
        /// Which.
        member: Who,
    },
    /// Operators make up a drain.
    Lie {
        /// Which.
        operators: BTreeSet<OperatorId>,
        /// Wei that seem to leave in each block.
        wei_per_block: U256,
        /// Blocks that it goes on for.
        blocks: u64,
    },
    /// Operators answer late.
    Lag {
        /// Which.
        operators: BTreeSet<OperatorId>,
        /// How late; a fault's own `delay_ms` is when it begins.
        #[serde(rename = "late_ms")]
        delay_ms: u64,
    },
    /// Operators answer with errors.
    Fail {
        /// Which.
        operators: BTreeSet<OperatorId>,
    },
    /// Operators do not answer.
    Silence {
        /// Which.
        operators: BTreeSet<OperatorId>,
    },
    /// Operators answer "too many requests".
    Throttle {
        /// Which.
        operators: BTreeSet<OperatorId>,
    },
    /// Operators answer "too many requests" to what exceeds a ration; a drill's alone.
    Ration {
        /// Which.
        operators: BTreeSet<OperatorId>,
        /// Requests that each answers in a second.
        per_second: u32,
    },
    /// Operators no longer know the state of old blocks; a drill's alone.
    Prune {
        /// Which.
        operators: BTreeSet<OperatorId>,
        /// Blocks below the head whose state they still know.
        keep: u64,
    },
    /// Operators serve honestly and at once again.
    Recover {
        /// Which.
        operators: BTreeSet<OperatorId>,
    },
    /// Every operator keeps transactions to itself.
    HoldTransactions {},
    /// They pass on what they kept.
    ReleaseTransactions {},
    /// One node's operator keeps its transactions to itself.
    HoldTransactionsOf {
        /// Which node.
        member: Who,
    },
    /// That operator passes on what it kept.
    ReleaseTransactionsOf {
        /// Which node.
        member: Who,
    },
    /// Three owners execute an unrelated transaction from the Safe.
    StealNonce {},
    /// Three owners set a guard on the Safe that lets nothing pass.
    SetGuard {},
    /// Owners put an account that is nobody's in the place of a guardian's; simulated only, as is the next.
    ReplaceOwner {
        /// Whose account owns the Safe no more.
        member: Who,
    },
    /// Owners change how many signatures the Safe asks for.
    ChangeThreshold {
        /// To this; at least 1, at most as many as there are owners.
        threshold: u64,
    },
    /// The base fee of the next block is multiplied.
    BaseFee {
        /// By this.
        factor: u64,
    },
    /// A node's process dies; what its disk then holds. Simulated only, as are the following.
    Crash {
        /// Which.
        member: Who,
        /// What a restart finds.
        disk: DiskLeft,
    },
    /// A node's process dies within the next sync of its log: nothing of that turn leaves it. If it has synced nothing until it is started again, it
    /// dies then.
    CrashInSync {
        /// Which.
        member: Who,
        /// What a restart finds.
        disk: DiskLeft,
    },
    /// No message passes between members of different sides.
    Split {
        /// Members of one side; all others are the other side.
        side: BTreeSet<MemberId>,
    },
    /// Links between members of different sides are cut and work again in turn, as often as is said, else until every link is healed. Each time
    /// all links across work again, whatever else cut them.
    Flap {
        /// Members of one side; all others are the other side.
        side: BTreeSet<MemberId>,
        /// From one cut to the next; the links are cut for half of it.
        period_ms: u64,
        /// How often they are cut.
        #[serde(skip_serializing_if = "Option::is_none")]
        times: Option<u64>,
    },
    /// A node hears and reaches nobody but one other.
    Eclipse {
        /// Which.
        member: Who,
        /// Whom it has left.
        by: MemberId,
    },
    /// Messages of one member reach nobody, while it hears everyone.
    Mute {
        /// Which.
        member: Who,
    },
    /// Every link works again.
    HealAll {},
    /// A node's clock jumps.
    Clock {
        /// Which.
        member: Who,
        /// Milliseconds ahead of the true time; behind, if negative.
        ahead_ms: i64,
    },
    /// A node's clock goes wrong from now on, ever further.
    Drift {
        /// Which.
        member: Who,
        /// Microseconds that it gains in a second; loses, if negative.
        ppm: i64,
    },
    /// The newest blocks are replaced.
    Reorg {
        /// How many.
        depth: u64,
        /// Whether their transactions are lost instead of waiting to be included again.
        drops: bool,
    },
    /// No block is made for a while.
    Stall {
        /// How long.
        ms: u64,
    },
    /// A node's disk is full.
    DiskFull {
        /// Which.
        member: Who,
    },
    /// A node's disk has room again.
    DiskFreed {
        /// Which.
        member: Who,
    },
    /// A node's disk fails its next sync.
    SyncFails {
        /// Which.
        member: Who,
    },
    /// A node's guardian key is locked: it gives no signature.
    LockKey {
        /// Which.
        member: Who,
    },
    /// It gives signatures again.
    UnlockKey {
        /// Which.
        member: Who,
    },
    /// Somebody else with the right to it pauses the vault, past the Safe.
    StrangerPauses {},
    /// Somebody else with the right to it resumes the vault, past the Safe.
    StrangerResumes {},
    /// Somebody else with the right to it clears the flag.
    StrangerClearsFlag {},
    /// Somebody else with the right to it sets the flag.
    StrangerSetsFlag {},
    /// Somebody else with the right to it sets and clears the flag in turn, at every block.
    StrangerFlips {
        /// For so many blocks.
        blocks: u64,
    },
    /// The base fee rises and does not come down again.
    FeeFloor {
        /// So many times what it was.
        factor: u64,
    },
    /// Operators tell an untruth about state.
    Deny {
        /// Which.
        operators: BTreeSet<OperatorId>,
        /// Which untruth.
        lie: Lies,
    },
    /// The attacker begins again with its whole script.
    AttackAgain {},
}

impl FaultKind {
    /// Whether a live drill can make it happen.
    #[must_use]
    pub fn is_live(&self) -> bool {
        match self {
            Self::Kill { .. }
            | Self::Restart { .. }
            | Self::Cut { .. }
            | Self::Heal { .. }
            | Self::Lie { .. }
            | Self::Lag { .. }
            | Self::Fail { .. }
            | Self::Silence { .. }
            | Self::Throttle { .. }
            | Self::Ration { .. }
            | Self::Prune { .. }
            | Self::Recover { .. }
            | Self::HoldTransactions {}
            | Self::ReleaseTransactions {}
            | Self::HoldTransactionsOf { .. }
            | Self::ReleaseTransactionsOf { .. }
            | Self::StealNonce {}
            | Self::SetGuard {}
            | Self::Deny { lie: Lies::NoLoss, .. }
            | Self::BaseFee { .. } => true,
            Self::Crash { .. }
            | Self::CrashInSync { .. }
            | Self::ReplaceOwner { .. }
            | Self::ChangeThreshold { .. }
            | Self::Split { .. }
            | Self::Flap { .. }
            | Self::Eclipse { .. }
            | Self::Mute { .. }
            | Self::HealAll {}
            | Self::Clock { .. }
            | Self::Drift { .. }
            | Self::Reorg { .. }
            | Self::Stall { .. }
            | Self::DiskFull { .. }
            | Self::DiskFreed { .. }
            | Self::SyncFails { .. }
            | Self::LockKey { .. }
            | Self::UnlockKey { .. }
            | Self::StrangerPauses {}
            | Self::StrangerResumes {}
            | Self::StrangerClearsFlag {}
            | Self::StrangerSetsFlag {}
            | Self::StrangerFlips { .. }
            | Self::FeeFloor { .. }
            | Self::Deny { .. }
            | Self::AttackAgain {} => false,
        }
    }
}

/// A node, by name or by its part in the play.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Who {
    /// By its part.
    Part(Part),
    /// By name.
    Member(MemberId),
}

/// A part in the play.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    /// The node whose submission of the pause comes first.
    FirstSubmitter,
}
