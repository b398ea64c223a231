//! What only a simulated world has: links, a chain, adversaries and chance, as data.

use serde::{Deserialize, Serialize};
use watchfire_types::{MemberId, OperatorId, OrganisationId, U256};

/// Every link between two nodes, unless a fault says otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Links {
    /// One-way delay in milliseconds, drawn evenly for each message.
    pub delay_ms: (u64, u64),
    /// Messages lost of 1,000; at most 500.
    pub loss_permille: u64,
    /// Messages that arrive twice of 1,000.
    pub duplicate_permille: u64,
    /// Messages that take ten times as long of 1,000.
    pub straggle_permille: u64,
}

/// The chain and the way to it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ChainPart {
    /// Between two blocks, ms.
    pub block_time_ms: u64,
    /// Until an operator answers, or shows a new block, in milliseconds, drawn evenly.
    pub rpc_ms: (u64, u64),
    /// Operators serve what every client has and nothing else: no WebSocket, no batches, no `eth_getBlockReceipts`, no simulation of blocks, no
    /// traces, no block hash in place of a number (EIP-1898); a drill's alone.
    pub plain: bool,
}

/// A further node of an organisation: it votes.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Voter {
    /// Its name.
    pub member: MemberId,
    /// Whose it is.
    pub organisation: OrganisationId,
    /// Whose endpoint it asks.
    pub operator: OperatorId,
}

/// A member that does not follow the protocol.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Adversary {
    /// Which.
    pub member: MemberId,
    /// How.
    pub kind: AdversaryKind,
}

/// What an adversary does. Each is a type of its own in `simulations/src/simulate/adversary/`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AdversaryKind {
    /// Says one thing to some and another to the rest, at the same position of its log.
    Equivocator,
    /// Says everything to some and nothing to the rest.
    SelectiveSender,
    /// Signs and keeps it; completes what others signed when it suits it.
    Withholder,
    /// Sends what it heard again and again, at once and later.
    Replayer,
    /// Fills every log as fast as its quota allows.
    Spammer,
    /// Vetoes every containment at every block.
    Vetoer,
    /// Claims executions that never were, of pauses and of recoveries.
    FalseExecutor,
    /// Both an equivocator and one who claims executions that never were.
    TwoTonguedExecutor,
    /// Votes for the widest step on evidence that does not exist or comes later than anything.
    ForgedEvidence,
    /// Sends what a threshold signed ahead of everybody else.
    FrontRunner,
    /// Spends nonces on whatever is signed at them beside the pause.
    NonceThief,
    /// Makes certificates that are none.
    CertificateForger,
    /// Speaks in the name of others.
    Impersonator,
    /// Passes on what it heard in other bytes.
    Rewriter,
    /// Certifies what is right and then takes its own word back.
    Turncoat,
    /// Keeps two logs under one name.
    LogForker,
    /// Votes under charters that are not adopted.
    StaleCharter,
    /// Votes for a pause that nothing calls for, at every block.
    Colluder,
    /// Signs at wrong times.
    ClockLiar,
    /// Finds something at every block.
    BudgetBurner,
    /// Says nothing.
    Silent,
    /// Says everything late.
    Sluggard,
    /// Passes nothing on to whom it surrounds.
    Eclipser,
    /// Has a key for which anybody can sign: no charter takes it.
    WeakKey,
}

/// An untruth of an operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Lies {
    /// The vault is paused.
    Paused,
    /// The vault is not paused.
    Unpaused,
    /// The Safe's nonce is one higher.
    NonceTaken,
    /// Nothing left the vault: its balance is what it was.
    NoLoss,
    /// Blocks have no logs.
    NoLogs,
    /// The Safe's transactions revert, whichever are simulated.
    Reverts,
    /// The Safe's transactions pass, whichever are simulated.
    Passes,
    /// Its other untruths are told every second time that it is asked about a block, and not in between.
    Flips,
}

/// What a disk holds after a crash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DiskLeft {
    /// All that was written: the process was killed.
    Kept,
    /// What was synced: the power failed.
    Lost,
    /// What was synced and some sectors of the rest.
    Torn,
    /// A copy from the node's first second: a backup.
    Old,
    /// Nothing.
    None,
}

/// Faults drawn from the seed: how many of each, at times within the first `within_s` seconds after `ready`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Chaos {
    /// Crashes, each followed by a restart after 1 to 8 s; the disk's state is drawn too.
    pub crashes: u64,
    /// Nodes cut off for 1 to 8 s.
    pub cuts: u64,
    /// Operators that fail, lag or are silent for 1 to 8 s.
    pub operators: u64,
    /// Reorgs 1 to 3 blocks deep.
    pub reorgs: u64,
    /// Clocks that jump by up to 20 s either way.
    pub clocks: u64,
    /// The time they fall into, s; 20 if 0.
    pub within_s: u64,
}

impl Default for Links {
    fn default() -> Self {
        Self { delay_ms: (20, 60), loss_permille: 0, duplicate_permille: 0, straggle_permille: 0 }
    }
}

impl Default for ChainPart {
    fn default() -> Self {
        Self { block_time_ms: 1_000, rpc_ms: (5, 40), plain: false }
    }
}

/// Wei of so many ether.
#[must_use]
pub(super) fn ether(count: u64) -> U256 {
    U256::from(count) * U256::from(1_000_000_000_000_000_000_u64)
}
