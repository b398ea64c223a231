//! Scenarios as data: who takes part, what is attacked, what fails, what people do, and what must come of it.
//!
//! One format for live drills and for simulated ones (`runs`). Files are at most 256 KiB. An unknown key is an error:
//! a misspelt expectation must not pass.

use std::collections::BTreeSet;

use alloy_primitives::U256;
use serde::{Deserialize, Serialize};
use watchfire_types::body::Cause;
use watchfire_types::control::CanPause;
use watchfire_types::{MemberId, OperatorId, OrganisationId};

mod fault;
mod library;
mod parse;
mod wave;
mod way;
mod words;
mod world;

pub use fault::{Fault, FaultKind, Part, Who};
pub use library::{DEFAULT, NAMES, find, names};
pub use parse::{ScenarioError, load, parse};
pub(crate) use parse::{read, text_of};
pub use wave::AttackStep;
pub(crate) use wave::Wave;
pub use way::Way;
pub(crate) use words::words;
use world::ether;
pub use world::{Adversary, AdversaryKind, ChainPart, Chaos, DiskLeft, Lies, Links, Voter};

/// One scenario.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// Name, as on the command line.
    pub name: String,
    /// One line for people.
    pub title: String,
    /// Where it can be played.
    pub runs: BTreeSet<Stage>,
    /// The play ends at the latest after this many seconds; what is missing then, failed.
    pub seconds_max: u64,
    /// Whether it costs more than many others together: with the whole library its first seed alone is played.
    #[serde(default)]
    pub costly: bool,
    /// So many organisations with names of their own making, instead of naming them.
    pub guardians: Option<u16>,
    /// Who takes part; the usual five unless given.
    #[serde(default = "library::five", rename = "organisation")]
    pub organisations: Vec<Organisation>,
    /// Further nodes of these organisations, which vote and hold no key of the Safe; simulated only.
    #[serde(default, rename = "voter")]
    pub voters: Vec<Voter>,
    /// Members that run twice: a copy of the node, keys and all, was started elsewhere; simulated only.
    #[serde(default)]
    pub clones: BTreeSet<MemberId>,
    /// Whether nodes cosign each other's checkpoints; simulated only, a drill's always do.
    #[serde(default)]
    pub witnesses: bool,
    /// Rules of the network.
    #[serde(default)]
    pub governance: Governance,
    /// What is guarded.
    #[serde(default)]
    pub vault: Vault,
    /// What happens to it.
    pub attack: Attack,
    /// What fails, and when.
    #[serde(default, rename = "fault")]
    pub faults: Vec<Fault>,
    /// What people do, and when.
    #[serde(default, rename = "human")]
    pub humans: Vec<HumanPart>,
    /// Links between the nodes; simulated only, a drill's are those of its machine.
    #[serde(default)]
    pub links: Links,
    /// Directions of links that are other than that; simulated only.
    #[serde(default, rename = "link")]
    pub ways: Vec<Way>,
    /// The chain; simulated only, a drill's has one second a block.
    #[serde(default)]
    pub chain: ChainPart,
    /// Members that do not follow the protocol; simulated only.
    #[serde(default, rename = "adversary")]
    pub adversaries: Vec<Adversary>,
    /// Faults drawn from the seed; simulated only.
    #[serde(default)]
    pub chaos: Chaos,
    /// What must come of it.
    pub expect: Expect,
}

/// Where a scenario can be played.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// Real processes on a real chain.
    Drill,
    /// Virtual time.
    Simulate,
}

/// One organisation with one node and one operator.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Organisation {
    /// Id.
    pub id: OrganisationId,
    /// Name for people.
    pub name: String,
    /// Roles of the charter.
    #[serde(default)]
    pub roles: BTreeSet<String>,
    /// Its node.
    pub member: MemberId,
    /// Who runs its RPC endpoint; several organisations may share one where it is simulated only.
    pub operator: OperatorId,
    /// Whose endpoints it asks besides, in all that it decides.
    #[serde(default)]
    pub also_asks: BTreeSet<OperatorId>,
}

/// Rules of the network.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Governance {
    /// Organisations that contain.
    pub contain: u16,
    /// The Safe's threshold.
    pub safe_threshold: u16,
    /// Mode of the playbook.
    pub mode: Mode,
    /// Life of a vote, seconds.
    pub expiry_s: u64,
    /// Window of the outflow detectors, seconds.
    pub window_s: u64,
    /// Net outflow above which the narrow step is wanted, wei.
    pub flag_above_wei: U256,
    /// Net outflow above which the pause is wanted, wei.
    pub pause_above_wei: U256,
    /// Seconds after a containment in which a node asks its people before it votes again.
    pub cooldown_s: u64,
    /// Most decisions that a node votes for by itself, and within how many seconds; simulated only.
    pub budget: Option<(u32, u64)>,
    /// Whether there is a playbook for recovery.
    pub recovery: bool,
    /// Whether the pause caps withdrawals too, in one transaction of two calls; simulated only.
    pub pause_limits: bool,
    /// Equal answers of different operators that a node believes; at most as many as every node asks.
    pub agree: usize,
}

/// What a node does by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// Votes.
    Auto,
    /// Asks its people.
    Propose,
}

/// What is guarded.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Vault {
    /// Native coin in it.
    pub wei: U256,
    /// What one withdrawal may pay while the flag is set.
    pub flagged_limit_wei: U256,
    /// Whether its pause reverts, whoever calls it; simulated only.
    pub pause_reverts: bool,
    /// Whether there is a second vault with as much in it: an asset of its own, paused through the same Safe, from which every drain takes the
    /// same again; simulated only.
    pub twin: bool,
}

/// What happens to the vault.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Attack {
    /// How.
    pub kind: AttackKind,
    /// When the first transaction is sent.
    pub after: AttackStart,
    /// Most transactions, one for each block.
    pub transactions: u64,
    /// Deposit of each transaction; for a withdrawal, what is taken out.
    pub wei: U256,
    /// Payments of each reentrant transaction.
    #[serde(default = "one")]
    pub times: u64,
    /// Further waves; simulated only.
    #[serde(default, rename = "step")]
    pub steps: Vec<AttackStep>,
}

/// How the vault loses coin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AttackKind {
    /// Through the hole.
    Reentrancy,
    /// A depositor takes out what is his: no loss.
    Withdrawal,
    /// The price that the vault lends by is moved, then it is emptied; simulated only, as are the following.
    OracleManipulation,
    /// Shares are made from nothing, then redeemed.
    InfiniteMint,
    /// The vault's owner changes (a governance vote won on borrowed coins), then the new one takes out.
    OwnerStolen,
    /// The vault's code is replaced with a stolen key, then emptied.
    UpgradeStolen,
    /// A bridge message that nobody sent releases coin.
    ForgedMessage,
    /// Nothing happens on the chain.
    None,
}

/// What the attacker waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AttackStart {
    /// Every node is ready and connected.
    Ready,
    /// Every node's status says that it can pause.
    CanPause,
    /// Every node's status says that it cannot pause.
    CannotPause,
    /// One block after every node's link state settled on the faults at `ready`.
    Faults,
}

/// A moment in the play; each comes at most once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Moment {
    /// Every node is ready and connected; before the attack.
    Ready,
    /// The first attack transaction is in a block.
    Attacked,
    /// The first finding.
    Finding,
    /// Every organisation has a finding.
    AllFound,
    /// The first vote.
    Vote,
    /// As many organisations as contain have voted.
    ContainVotes,
    /// The first certificate.
    Certificate,
    /// The first threshold-signed transaction.
    ThresholdSigned,
    /// Every organisation has made a bid for the pause.
    AllSubmitted,
    /// The nonce was taken by the owners' unrelated transaction.
    NonceTaken,
    /// The pause holds on chain.
    Contained,
    /// The attacker has sent all it will send.
    AttackOver,
    /// The vault was paused and no longer is.
    Recovered,
}

/// What a person of each of these organisations does at a moment, through the command line.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HumanPart {
    /// When.
    pub at: Moment,
    /// Seconds after that.
    #[serde(default)]
    pub delay_s: u64,
    /// Milliseconds besides.
    #[serde(default)]
    pub delay_ms: u64,
    /// Whose people.
    pub organisations: Vec<OrganisationId>,
    /// What they do.
    pub act: Act,
    /// Their words.
    pub reason: String,
}

impl HumanPart {
    /// How long after its moment, ms.
    pub(crate) fn after_ms(&self) -> u64 {
        self.delay_s.saturating_mul(1_000).saturating_add(self.delay_ms)
    }
}

/// A human's act.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Act {
    /// Supports the pause.
    Approve,
    /// Vetoes it.
    Veto,
    /// Supports the recovery; simulated only.
    Recover,
    /// Closes the incident as a false alarm; simulated only.
    CloseFalse,
    /// Promotes every rule that is demoted; simulated only.
    Promote,
    /// Declines to support anything against the open incident, and says so to everybody. It is on the record and takes nobody's vote away.
    Reject,
    /// Nobody there answers from now on: what the scenario has for these people later does not happen.
    Asleep,
}

impl Act {
    /// Whether people of a live drill can do it.
    pub(crate) fn is_live(self) -> bool {
        matches!(self, Self::Approve | Self::Veto | Self::Reject | Self::Asleep)
    }
}

/// What must come of it; what is not named is not judged.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expect {
    /// Whether the vault becomes paused at some time.
    pub paused: bool,
    /// Whether it is paused when the play is over.
    pub ends_paused: Option<bool>,
    /// Most wei lost.
    pub loss_wei_max: Option<U256>,
    /// What the attacker's last transaction reverts with.
    pub attacker_reverts: Option<String>,
    /// The one named cause why there was no pause.
    pub cause: Option<Cause>,
    /// Organisations with a finding.
    pub found_by: Option<u16>,
    /// Whether any certificate for a step was made.
    pub certificate: Option<bool>,
    /// Whether votes for it were cancelled by certificate.
    pub cancelled: Option<bool>,
    /// Safe transactions executed in the play.
    pub nonces: Option<u64>,
    /// Most Safe transactions that a threshold signed at one nonce.
    pub signed_at_one_nonce: Option<u64>,
    /// Whether somebody else than the first submitter sent the pause that was included.
    pub other_submitter: Option<bool>,
    /// Whether the included pause replaced a bid of the same account and nonce, and each of its bids topped the one before by at least
    /// 12.5 % on both fee fields.
    pub bumped: Option<bool>,
    /// Every node's status just before the attack.
    pub status_before: Option<CanPause>,
    /// Most milliseconds from the first attack block to the pause's block.
    pub included_ms_max: Option<u64>,
    /// Whether every node's evidence is complete: each block of the attack and the pause from two operators, each object with two
    /// other organisations. A drill's alone.
    pub evidence_complete: Option<bool>,
    /// How often the vault became paused.
    pub pauses: Option<u64>,
    /// Organisations whose people declined, on the record.
    pub rejected_by: Option<u16>,
}

impl Default for Governance {
    fn default() -> Self {
        Self {
            contain: 3,
            safe_threshold: 3,
            mode: Mode::Auto,
            expiry_s: 120,
            window_s: 60,
            flag_above_wei: ether(2),
            pause_above_wei: ether(5),
            cooldown_s: 0,
            budget: None,
            recovery: false,
            pause_limits: false,
            agree: 1,
        }
    }
}

impl Default for Vault {
    fn default() -> Self {
        Self { wei: ether(100), flagged_limit_wei: ether(1) / U256::from(10), pause_reverts: false, twin: false }
    }
}

fn one() -> u64 {
    1
}

#[cfg(test)]
mod tests;
