//! The validated charter. Values of these types come from [`crate::parse`] only; every reference in them resolves.

use std::collections::{BTreeMap, BTreeSet};

use alloy_primitives::{Address, B256};
use serde::Serialize;
use watchfire_types::{
    AssetId, Bytes, ChainId, CharterDigest, CharterVersion, DetectorId, MemberId, MemberKey, NetworkId, OperatorId,
    OrganisationId, PlaybookId, Read, SafeId, SafeVersion, Severity, StepIndex,
};

pub use crate::context::{Calls, Ewma, FreshCode, Pattern, Rate, Rated};
pub use crate::elsewhere::{CrossChain, Release, Sister};
pub use crate::expectation::StateExpectation;
pub use crate::governance::{BorrowedVotes, Governance, ThinMarket};
pub use crate::severity::{ByFunds, SeverityRow};
pub use crate::watch::{Class, Comparison, Detector, Quantity, Watch};

/// The kind of the finding that a contained asset still loses.
pub const CONTAINMENT_FAILED: &str = "containment-failed";

/// The kind of the finding that somebody outside the chain said something: a monitor, or a person. It gives context whoever says it, and no
/// trigger can name it.
pub const REPORT: &str = "report";

/// One version of the governance document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Charter {
    /// Human name of the network.
    pub name: String,
    /// Version; the first is 1.
    pub version: CharterVersion,
    /// A drill charter names drill chains only, a production charter none of them.
    pub drill: bool,
    /// Organisations.
    pub organisations: BTreeMap<OrganisationId, Organisation>,
    /// Members.
    pub members: BTreeMap<MemberId, Member>,
    /// Chains.
    pub chains: BTreeMap<ChainId, Chain>,
    /// Safes.
    pub safes: BTreeMap<SafeId, Safe>,
    /// Assets.
    pub assets: BTreeMap<AssetId, Asset>,
    /// Network-wide rules; a playbook may carry its own.
    pub rules: Rules,
    /// Playbooks.
    pub playbooks: BTreeMap<PlaybookId, Playbook>,
    /// Detector rules.
    pub detectors: BTreeMap<DetectorId, Detector>,
    /// The severity matrix, in charter order; absent from the canonical form where there is none, as in charters from before.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub severities: Vec<SeverityRow>,
    /// The network, which every version after the first must name; the first one's digest is the network.
    pub network: Option<NetworkId>,
    /// Digest of all of the above, computed once when the charter was parsed.
    #[serde(skip)]
    pub(crate) digest: CharterDigest,
    /// Members by node key: asked of every message.
    #[serde(skip)]
    pub(crate) by_key: BTreeMap<MemberKey, MemberId>,
}

/// A partner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Organisation {
    /// Name for people.
    pub name: String,
    /// Roles that the charter gives it (`security`, ...).
    pub roles: BTreeSet<String>,
}

/// What a member may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum MemberKind {
    /// Votes and co-signs.
    Guardian,
    /// Votes.
    Voter,
    /// Reports only.
    Watcher,
}

/// One node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Member {
    /// Its organisation.
    pub organisation: OrganisationId,
    /// Kind.
    pub kind: MemberKind,
    /// Node key (ed25519); never weak.
    pub node_key: MemberKey,
    /// Safe owner, for guardians.
    pub guardian: Option<Address>,
    /// Gas payer, for guardians.
    pub submitter: Option<Address>,
    /// Operator labels that its votes may carry.
    pub operators: BTreeSet<OperatorId>,
    /// libp2p multiaddresses at which it can be dialled; a node's config may override them.
    pub addresses: Vec<String>,
}

/// How transactions reach a chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Route {
    /// Private builders first, the public mempool one block later.
    PrivateFirst,
    /// Public mempool.
    Public,
    /// The rollup's sequencer.
    Sequencer,
}

/// Facts of one chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Chain {
    /// Name for people.
    pub name: String,
    /// Expected time between blocks, ms.
    pub block_time_ms: u64,
    /// Block tag taken as final: `finalized`, `safe`, or a depth in blocks.
    pub finality: Finality,
    /// Most gas one transaction may use.
    pub gas_cap: u64,
    /// Route.
    pub route: Route,
    /// Least delay between submitter ranks, ms.
    pub stagger_ms_min: u64,
    /// The pinned MultiSendCallOnly, where playbooks have steps of several calls.
    pub multi_send_call_only: Option<PinnedCode>,
}

/// When a block is final.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Finality {
    /// The node's `finalized` tag.
    Finalized,
    /// The node's `safe` tag.
    Safe,
    /// This many blocks deep.
    Depth(u64),
}

/// A contract pinned by its code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct PinnedCode {
    /// Address.
    pub address: Address,
    /// keccak-256 of its code.
    pub code_hash: B256,
}

/// A Safe whose owners are guardians.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Safe {
    /// Chain.
    pub chain: ChainId,
    /// Proxy address.
    pub address: Address,
    /// Contract version, at least 1.3.0.
    #[serde(serialize_with = "display")]
    pub version: SafeVersion,
    /// Signatures that execution takes, as the charter expects it on chain.
    pub threshold: u16,
    /// Members whose guardian keys own it, at most one of each organisation; all guardians unless the charter names them.
    pub guardians: BTreeSet<MemberId>,
    /// Modules that may be enabled.
    pub modules: BTreeSet<Address>,
    /// Guard that may be set.
    pub guard: Option<Address>,
    /// Owners beyond the charter's guardians, if any.
    pub other_owners: BTreeSet<Address>,
}

/// Contracts contained together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Asset {
    /// Name for people.
    pub name: String,
    /// Chain.
    pub chain: ChainId,
    /// Contracts watched and contained.
    pub contracts: BTreeSet<Address>,
    /// Addresses among which movement is no outflow.
    pub internal: BTreeSet<Address>,
    /// Who owns the contracts, if named.
    pub owner: Option<Address>,
    /// Assets it depends on.
    pub dependencies: BTreeSet<AssetId>,
    /// Criticality: `low`, `medium`, `high`, `critical`.
    pub criticality: Criticality,
    /// Recovery time objective, seconds.
    pub rto_s: u64,
    /// Recovery point objective, seconds.
    pub rpo_s: u64,
}

/// How bad the loss of an asset is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Criticality {
    /// Below $100k.
    Low,
    /// To $1M.
    Medium,
    /// To $10M.
    High,
    /// Above.
    Critical,
}

/// `organisations >= k and operators >= j and roles {role >= n}`: only `>=` terms, organisations counted, never nodes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Rule {
    /// Least number of distinct organisations.
    pub organisations: u16,
    /// Least number of distinct operator labels.
    pub operators: u16,
    /// Least number of distinct organisations that hold each role.
    pub roles: BTreeMap<String, u16>,
}

/// The nested rules; contain <= extend <= recover <= amend <= n-1.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Rules {
    /// Containment, cancel and close.
    pub contain: Rule,
    /// Extending a containment.
    pub extend: Rule,
    /// Recovery.
    pub recover: Rule,
    /// Charter amendment.
    pub amend: Rule,
    /// Detector rule packs.
    pub tune: Rule,
}

/// What a playbook is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum PlaybookPurpose {
    /// Containment: pause-direction calls, idempotent, one way.
    Contain,
    /// Recovery: votes have a human basis only.
    Recover,
}

/// What a node does by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Records only.
    Observe,
    /// Asks its humans.
    Propose,
    /// Votes.
    Auto,
}

/// A ladder of steps for one asset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Playbook {
    /// Asset.
    pub asset: AssetId,
    /// Purpose.
    pub purpose: PlaybookPurpose,
    /// Mode.
    pub mode: Mode,
    /// Rule that its certificates meet (contain or recover of the charter unless it names its own).
    pub rule: Rule,
    /// Life of a vote and of a certificate, seconds of block time.
    pub expiry_s: u64,
    /// After an execution, no automatic vote for this long, seconds of block time; 0 = none.
    pub cooldown_s: u64,
    /// At most this many automatic decisions...
    pub budget_count: u32,
    /// ...within this many seconds of block time; 0 = no budget.
    pub budget_window_s: u64,
    /// Blocks that a finding may stand after a step before the next wider one is voted; `None` = never.
    pub escalate_after_blocks: Option<u64>,
    /// Which findings vote for which step, in charter order.
    pub triggers: Vec<Trigger>,
    /// Steps; index 0 is step 1.
    pub steps: Vec<Step>,
}

/// A finding of one of these kinds and at least this severity votes for a step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Trigger {
    /// Finding kinds; empty = any.
    pub kinds: BTreeSet<String>,
    /// Only findings of these detectors; empty = any.
    pub detectors: BTreeSet<DetectorId>,
    /// Least severity.
    pub severity: Severity,
    /// Step.
    pub step: StepIndex,
    /// Several kinds of finding that have to stand together; one is enough where it is absent, as in the canonical form of charters from before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub together: Option<Together>,
}

/// Findings that have to stand at once: what one rule sees wrongly, or somebody causes with money, another kind of rule need not see.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Together {
    /// Least number of different kinds among the asset's findings that the trigger takes; at least 2. `containment-failed` is none: it is said
    /// of a finding that counts already.
    pub kinds: u16,
    /// They began within so many seconds of block time.
    pub within_s: u64,
}

/// One rung.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Step {
    /// Name for people: `flag`, `pause`.
    pub name: String,
    /// Calls in charter order; at least one.
    pub actions: Vec<Action>,
}

/// One call with constant arguments.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Action {
    /// Chain of the call.
    pub chain: ChainId,
    /// Safe that makes it.
    pub safe: SafeId,
    /// Called contract.
    pub target: Address,
    /// Human-readable function, canonical: `pause()`.
    pub function: String,
    /// Encoded call.
    pub calldata: Bytes,
    /// Entry of the containment catalogue that allows it, or `custom` / `recovery`.
    pub catalogue: String,
    /// Whether its path only schedules: never counts as containment.
    pub delayed_s: u64,
    /// What holds once it took effect.
    pub postcondition: Condition,
    /// What must stay true after.
    pub stays: Vec<Condition>,
}

/// A read at a block and the answer that makes it hold.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Condition {
    /// Human-readable call: `paused() returns (bool)`.
    pub text: String,
    /// The read on the action's chain.
    pub read: Read,
    /// The answer that makes it hold, ABI-encoded.
    pub equals: Bytes,
}

fn display<T: std::fmt::Display, S: serde::Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}
