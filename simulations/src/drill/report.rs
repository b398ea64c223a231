//! What came of a drill: the object that `drill --json` prints.

use alloy_primitives::{Address, B256};
use serde::Serialize;
use watchfire_types::{MemberId, OrganisationId};

use crate::record::DrillRecord;

/// The whole result.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DrillReport {
    /// Name of the scenario.
    pub scenario: String,
    /// Whether every expectation holds.
    pub passed: bool,
    /// Every expectation.
    pub expectations: Vec<Expectation>,
    /// Milliseconds from the arrival of the first attack block at the first node.
    pub timeline_ms: Timeline,
    /// Heights.
    pub blocks: Blocks,
    /// Wei, as decimal text.
    pub loss: Loss,
    /// The Safe.
    pub safe: SafeReport,
    /// Transaction that paused the vault.
    pub pause_tx: Option<B256>,
    /// Why there was no pause; absent when there was one.
    pub cause: Option<String>,
    /// Every node.
    pub nodes: Vec<NodeReport>,
    /// The record for auditors, which `--record` writes.
    #[serde(skip)]
    pub record: Option<DrillRecord>,
}

/// One expectation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Expectation {
    /// Name.
    pub name: String,
    /// What had to come.
    pub expected: String,
    /// What came.
    pub actual: String,
    /// Whether it holds.
    pub passed: bool,
    /// Whether a slower machine could miss it with everything else as it should be.
    #[serde(skip)]
    pub speed: bool,
}

/// Milliseconds from the arrival of the first attack block; absent for what did not happen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Timeline {
    /// Always 0, when there was an attack.
    pub first_attack_block: Option<i64>,
    /// First finding of any node.
    pub first_finding: Option<i64>,
    /// First certificate for a step.
    pub quorum: Option<i64>,
    /// First threshold-signed Safe transaction.
    pub threshold_signed: Option<i64>,
    /// First transaction handed to the chain.
    pub submitted: Option<i64>,
    /// Arrival of the block that holds the pause.
    pub included: Option<i64>,
    /// First node that saw the vault paused.
    pub postcondition: Option<i64>,
}

/// Heights of the two blocks that matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Blocks {
    /// First block with an attack transaction.
    pub first_attack: Option<u64>,
    /// Block with the pause.
    pub included: Option<u64>,
}

/// Wei of the vault's depositors.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Loss {
    /// Before the attack.
    pub before: String,
    /// Lost to the attacker.
    pub taken: String,
    /// Left.
    pub saved: String,
}

/// The Safe before and after.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SafeReport {
    /// Address.
    pub address: Address,
    /// Chain.
    pub chain_id: u64,
    /// Nonce when the nodes were ready.
    pub nonce_before: u64,
    /// Nonce at the end.
    pub nonce_after: u64,
    /// Threshold at the end.
    pub threshold: u64,
    /// Owners at the end.
    pub owners: Vec<Address>,
}

/// One node at the end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NodeReport {
    /// Member.
    pub id: MemberId,
    /// Organisation.
    pub organisation: OrganisationId,
    /// Events in its log, after it stopped.
    pub events: u64,
    /// Digest of the shared state; absent for a node that did not run at the end.
    pub state_digest: Option<B256>,
    /// RFC 6962 root over its own newest epoch, after it stopped; absent where `watchfire log verify` does not accept its log.
    pub log_root: Option<B256>,
    /// Whether `watchfire log verify` accepts its log.
    pub log_verified: bool,
}

impl DrillReport {
    /// Exit code of the process: [`super::EXIT_PASSED`] or [`super::EXIT_FAILED`].
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        if self.passed { super::EXIT_PASSED } else { super::EXIT_FAILED }
    }

    /// Timeline, loss and verdict for people.
    #[must_use]
    pub fn summary(&self) -> String {
        let mut lines = vec![format!("scenario {}", self.scenario)];
        let timeline = &self.timeline_ms;
        let stations = [
            ("first attack block", timeline.first_attack_block),
            ("first finding", timeline.first_finding),
            ("quorum", timeline.quorum),
            ("threshold signed", timeline.threshold_signed),
            ("submitted", timeline.submitted),
            ("included", timeline.included),
            ("postcondition", timeline.postcondition),
        ];
        lines.extend(stations.iter().filter_map(|(name, ms)| ms.map(|ms| format!("  {ms:>7} ms  {name}"))));
        lines.push(format!(
            "  loss: {} of {} taken, {} saved",
            ether(&self.loss.taken),
            ether(&self.loss.before),
            ether(&self.loss.saved)
        ));
        if let Some(cause) = &self.cause {
            lines.push(format!("  not paused: {cause}"));
        }
        for one in &self.expectations {
            let mark = if one.passed { "ok    " } else { "FAILED" };
            lines.push(format!("  {mark} {}: expected {}, was {}", one.name, one.expected, one.actual));
        }
        lines.push(if self.passed { "PASSED".to_owned() } else { "FAILED".to_owned() });
        lines.join("\n")
    }
}

/// Decimal wei as ether with up to four decimals, cut.
pub(crate) fn ether(wei: &str) -> String {
    let padded = format!("{wei:0>19}");
    let (whole, rest) = padded.split_at(padded.len() - 18);
    let decimals = rest[..4].trim_end_matches('0');
    if decimals.is_empty() { format!("{whole} ETH") } else { format!("{whole}.{decimals} ETH") }
}
