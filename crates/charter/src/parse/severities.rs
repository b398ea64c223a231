//! The severity matrix, and what it makes of each detector.

use std::collections::{BTreeMap, BTreeSet};

use watchfire_types::{AssetId, DetectorId, Severity};

use super::detectors::{Detectors, class};
use super::playbooks::{FINDING_KINDS, Playbooks, severity};
use super::references::{Declared, refer};
use crate::model::{Asset, CONTAINMENT_FAILED, Criticality, Detector, REPORT};
use crate::reader::{Log, Place, Section};
use crate::severity::{ByFunds, Case, SeverityRow, by_rows, usual};

const ROWS_MAX: usize = 64;

/// Rows, each with its place.
#[derive(Debug, Default)]
pub(crate) struct Matrix {
    rows: Vec<SeverityRow>,
    places: Vec<Place>,
}

/// Reads `[[severity]]`.
pub(crate) fn read(root: &mut Section<'_>, declared: &Declared) -> Matrix {
    let mut matrix = Matrix::default();
    for mut section in root.sections("severity", ROWS_MAX) {
        let row = row(&mut section, declared);
        section.finish();
        let Some(row) = row else { continue };
        if let Some(before) = matrix.rows.iter().position(|before| before.covers(&row)) {
            let line = matrix.places.get(before).map_or(0, |at| at.line);
            let message = format!("never used: the row at line {line} is about all of it, and the first row holds");
            section.log.warn(&section.at, "unreachable-row", message, "put the narrower row before the wider one");
        }
        matrix.rows.push(row);
        matrix.places.push(section.at.clone());
    }
    matrix
}

fn row(section: &mut Section<'_>, declared: &Declared) -> Option<SeverityRow> {
    let mut kinds = BTreeSet::new();
    for value in section.values("kinds", FINDING_KINDS.len() + 1) {
        let Some(kind) = value.text() else { continue };
        if kind == CONTAINMENT_FAILED {
            let message = "an asset that still loses after its containment is always SEV1";
            value.fault("out-of-bounds", message, "remove it");
        } else if kind != REPORT && !FINDING_KINDS.contains(&kind.as_str()) {
            let rules = FINDING_KINDS.iter().copied().filter(|kind| *kind != CONTAINMENT_FAILED);
            let known: Vec<&str> = rules.chain([REPORT]).collect();
            value.fault("unknown-kind", format!("{kind:?} is no kind of finding"), format!("use {}", known.join(", ")));
        }
        kinds.insert(kind);
    }
    let named = section.values("detectors", 256);
    let detectors = named.iter().filter_map(|value| refer(value, &declared.detectors, "detector")).collect();
    let class = class(section);
    let pausable = section.get("pausable").map_or(Some(None), |value| value.flag().map(Some));
    let mut level = |key| section.need(key, "SEV1 to SEV5").and_then(|value| severity(&value));
    let (low, medium, high, critical) = (level("low"), level("medium"), level("high"), level("critical"));
    let severities = ByFunds { low: low?, medium: medium?, high: high?, critical: critical? };
    let columns = [("low", low?), ("medium", medium?), ("high", high?), ("critical", critical?)];
    for ((less, before), (more, after)) in columns.iter().zip(columns.iter().skip(1)) {
        if after < before {
            let message = format!("{after} where more is at stake is milder than {before} of `{less}`");
            section.log.fault(&section.place_of(more), "not-monotone", message, format!("write {before} or worse"));
        }
    }
    Some(SeverityRow { kinds, detectors, class: class?, pausable: pausable?, severities })
}

impl Matrix {
    /// The detectors with the severity that holds for each: what a row says, else what is written at the detector, else what is usual. A detector
    /// whose asset is not known is judged as if everything were at stake and nothing could stop it.
    pub(crate) fn settle(
        &self,
        log: &Log,
        read: &Detectors,
        assets: &BTreeMap<AssetId, Asset>,
        playbooks: &Playbooks,
    ) -> BTreeMap<DetectorId, Detector> {
        let settled = read.detectors.iter().map(|(id, detector)| {
            let pausable = playbooks.playbooks.values().any(|playbook| playbook.pauses(&detector.asset));
            let criticality = assets.get(&detector.asset).map_or(Criticality::Critical, |asset| asset.criticality);
            let (kind, class) = (detector.watch.kind(), detector.class);
            let case = Case { detector: id, kind, class, criticality, pausable };
            let (by_row, written) = (by_rows(&self.rows, &case), read.written.get(id));
            if let (Some(by_row), Some((written, at))) = (by_row, written) {
                self.overridden(log, &case, by_row, *written, at);
            }
            let severity = by_row.or(written.map(|(written, _)| *written)).unwrap_or_else(|| usual(&case));
            (id.clone(), Detector { severity, ..detector.clone() })
        });
        settled.collect()
    }

    /// Says where what is written at a detector is not what holds.
    fn overridden(&self, log: &Log, case: &Case<'_>, by_row: Severity, written: Severity, at: &Place) {
        let place = self.rows.iter().zip(&self.places).find(|(row, _)| row.is_about(case)).map(|(_, at)| at);
        if let Some(place) = place.filter(|_| by_row != written) {
            let message = format!("not used: the severity row at line {} says {by_row} of it", place.line);
            let remedy = format!("remove it, or put a row before that one with detectors = [\"{}\"]", case.detector);
            log.warn(at, "severity-not-used", message, remedy);
        }
    }

    /// The rows alone.
    pub(crate) fn into_rows(self) -> Vec<SeverityRow> {
        self.rows
    }
}

#[cfg(test)]
#[path = "severities_tests.rs"]
mod tests;
