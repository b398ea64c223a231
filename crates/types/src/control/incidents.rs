//! Incidents as people are shown them, what they need not be told of, and how reports from outside the chain are answered.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::Record;
use crate::block::BlockRef;
use crate::body::{Human, Outcome};
use crate::id::{AssetId, DetectorId, IncidentId, OrganisationId, Severity};
use crate::time::BlockTime;

/// One incident: events grouped for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Incident {
    /// Id.
    pub id: IncidentId,
    /// Asset.
    pub asset: AssetId,
    /// Worst severity found or set.
    pub severity: Severity,
    /// `detection`, `containment`, `recovery`, `closed`.
    pub phase: String,
    /// What people certified a closed one to be.
    pub outcome: Option<Outcome>,
    /// One line per finding, vote, certificate, signature, submission, execution, human word, in local order.
    pub records: Vec<Record>,
    /// The findings among them folded, a line a rule, by when the first came.
    pub firings: Vec<Firings>,
}

/// A rule that fired in an incident: all its findings, whoever said them, in a line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Firings {
    /// The rule.
    pub rule: DetectorId,
    /// Kind of its findings.
    pub kind: String,
    /// The worst of them.
    pub severity: Severity,
    /// How many.
    pub count: u64,
    /// Who said them.
    pub organisations: BTreeSet<OrganisationId>,
    /// The first block at which one stood.
    pub first: BlockRef,
    /// The last block at which one was evaluated.
    pub last: BlockRef,
    /// When the first came here, ms since the Unix epoch.
    pub at_ms: u64,
    /// What the last of them says.
    pub text: String,
}

/// An incident that nobody closed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenIncident {
    /// Id.
    pub id: IncidentId,
    /// Asset.
    pub asset: AssetId,
    /// Worst severity found or set.
    pub severity: Severity,
    /// `detection`, `containment` or `recovery`.
    pub phase: String,
}

/// What an organisation does not want to be told for a while.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snooze {
    /// Asset.
    pub asset: AssetId,
    /// The rule; `None` for every rule of the asset that only gives context.
    pub detector: Option<DetectorId>,
    /// Until when, block time of the asset's chain.
    pub until: BlockTime,
    /// Who said so, and why.
    pub human: Human,
}

/// What a running node is told, and asks for, of what lies outside the chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IntakeStatus {
    /// Address that reports are taken at; `None` where none are.
    pub listen: Option<String>,
    /// What became of reports since the process started, by source and outcome.
    pub counts: Vec<ReportCount>,
    /// What the node asks by itself.
    pub lookouts: Vec<LookoutStatus>,
}

/// What a node asks by itself, again and again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LookoutStatus {
    /// Its name, and the source of what it reports.
    pub source: DetectorId,
    /// What is asked: `prometheus`, `safe-queue`, `front-end`, `registration`, `certificates`.
    pub asks: String,
    /// Looks since the process started that saw what they were to see.
    pub seen: u64,
    /// Looks that did not.
    pub failed: u64,
    /// How many of them since the last that did.
    pub blind: u64,
    /// Why the last look saw nothing, if it did not.
    pub fault: Option<String>,
}

/// How often a source was answered so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportCount {
    /// The source; `None` for what named none that there is.
    pub source: Option<DetectorId>,
    /// `accepted`, or the name of what was wrong.
    pub outcome: String,
    /// How often.
    pub count: u64,
}
