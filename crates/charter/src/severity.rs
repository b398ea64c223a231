//! How bad a finding is: a matrix over its kind and class, what the asset is worth, and whether this network can pause it.
//!
//! All of it stands in the charter, so that every node says the same of the same finding; what an operator or a node sees of the moment has no
//! part in it. It is settled when the charter is read: [`crate::Detector::severity`] is what the matrix says.

use std::collections::BTreeSet;

use serde::Serialize;
use watchfire_types::{DetectorId, Severity};

use crate::model::{Class, Criticality};

/// One row: the findings that it is about, and how bad they are. Of several that are about a finding the first holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SeverityRow {
    /// Kinds of finding; empty = any.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub kinds: BTreeSet<String>,
    /// Detectors; empty = any.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub detectors: BTreeSet<DetectorId>,
    /// Class; `None` = either.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class: Option<Class>,
    /// Whether the asset can be paused ([`crate::Charter::can_be_paused`]); `None` = either.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pausable: Option<bool>,
    /// How bad, by what the asset is worth.
    pub severities: ByFunds,
}

/// A severity for each criticality; none is milder than the one before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct ByFunds {
    /// Of assets of low criticality.
    pub low: Severity,
    /// Of medium.
    pub medium: Severity,
    /// Of high.
    pub high: Severity,
    /// Of critical.
    pub critical: Severity,
}

impl ByFunds {
    /// What it says of assets of this criticality.
    #[must_use]
    pub fn of(&self, criticality: Criticality) -> Severity {
        match criticality {
            Criticality::Low => self.low,
            Criticality::Medium => self.medium,
            Criticality::High => self.high,
            Criticality::Critical => self.critical,
        }
    }
}

/// What the matrix is asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Case<'a> {
    /// The detector.
    pub detector: &'a DetectorId,
    /// Kind of its findings.
    pub kind: &'a str,
    /// Their class.
    pub class: Class,
    /// What the asset is worth.
    pub criticality: Criticality,
    /// Whether it can be paused.
    pub pausable: bool,
}

impl SeverityRow {
    /// Whether it is about this.
    #[must_use]
    pub fn is_about(&self, case: &Case<'_>) -> bool {
        (self.kinds.is_empty() || self.kinds.contains(case.kind))
            && (self.detectors.is_empty() || self.detectors.contains(case.detector))
            && self.class.is_none_or(|class| class == case.class)
            && self.pausable.is_none_or(|pausable| pausable == case.pausable)
    }

    /// Whether it is about everything that another row is about.
    pub(crate) fn covers(&self, other: &Self) -> bool {
        fn wider<T: Ord>(own: &BTreeSet<T>, other: &BTreeSet<T>) -> bool {
            own.is_empty() || (!other.is_empty() && other.is_subset(own))
        }
        wider(&self.kinds, &other.kinds)
            && wider(&self.detectors, &other.detectors)
            && (self.class.is_none() || self.class == other.class)
            && (self.pausable.is_none() || self.pausable == other.pausable)
    }
}

/// What the charter's own rows say, if one is about it.
#[must_use]
pub fn by_rows(rows: &[SeverityRow], case: &Case<'_>) -> Option<Severity> {
    rows.iter().find(|row| row.is_about(case)).map(|row| row.severities.of(case.criticality))
}

/// What holds where no row is about it and the detector names none: money that leaves or a broken sum is the worst, then authority and what a rule
/// watches, then what is late; what only gives context is two levels milder; one level worse where this network cannot pause the asset.
#[must_use]
pub fn usual(case: &Case<'_>) -> Severity {
    let [low, medium, high, critical] = match case.kind {
        "outflow" | "invariant" | "approval-drain" | "calls" | "cross-chain" | "release" => [3, 2, 1, 1],
        "stale" => [4, 3, 3, 2],
        _ => [3, 2, 2, 1],
    };
    let level = match case.criticality {
        Criticality::Low => low,
        Criticality::Medium => medium,
        Criticality::High => high,
        Criticality::Critical => critical,
    };
    let milder = if case.class == Class::Context { 2 } else { 0 };
    match level + milder - i32::from(!case.pausable) {
        ..=1 => Severity::Sev1,
        2 => Severity::Sev2,
        3 => Severity::Sev3,
        4 => Severity::Sev4,
        5.. => Severity::Sev5,
    }
}

#[cfg(test)]
#[path = "severity_tests.rs"]
mod tests;
