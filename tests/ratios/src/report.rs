//! The result: one line for each setting, as JSON or as a table.

use std::fmt::Write;

use serde::Serialize;

/// On which side of the floor a median must be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Bound {
    /// At most this.
    Most(f64),
    /// At least this.
    Least(f64),
}

/// A ratio over its rounds.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Report {
    /// Which ratio.
    pub(crate) ratio: &'static str,
    /// Which setting of it.
    pub(crate) setting: String,
    /// Median of the rounds: the figure to quote.
    pub(crate) median: f64,
    /// First quartile.
    pub(crate) q1: f64,
    /// Third quartile.
    pub(crate) q3: f64,
    /// Rounds measured.
    pub(crate) rounds: usize,
    /// The bound that the median is held to: `at most` for `decision`, `at least` for `ingest`.
    pub(crate) floor: f64,
    /// Whether it holds.
    pub(crate) passed: bool,
    #[serde(skip)]
    bound: Bound,
}

impl Report {
    /// Sums up the rounds of one setting; there is at least one.
    pub(crate) fn new(ratio: &'static str, setting: String, mut rounds: Vec<f64>, bound: Bound) -> Self {
        rounds.sort_by(f64::total_cmp);
        let at = |share: usize| rounds[(rounds.len() - 1) * share / 4];
        let median = at(2);
        let (floor, passed) = match bound {
            Bound::Most(most) => (most, median <= most),
            Bound::Least(least) => (least, median >= least),
        };
        Self { ratio, setting, median, q1: at(1), q3: at(3), rounds: rounds.len(), floor, passed, bound }
    }
}

/// The reports for a person.
pub(crate) fn table(reports: &[Report]) -> String {
    let mut table = format!(
        "{:<9} {:<28} {:>6} {:>6} {:>6} {:>6}  {:<13} {}\n",
        "ratio", "setting", "median", "q1", "q3", "rounds", "bound", "verdict"
    );
    for report in reports {
        let Report { ratio, setting, median, q1, q3, rounds, floor, .. } = report;
        let side = match report.bound {
            Bound::Most(_) => "at most",
            Bound::Least(_) => "at least",
        };
        let bound = format!("{side} {floor:.2}");
        let verdict = if report.passed { "ok" } else { "MISSED" };
        let line = writeln!(
            table,
            "{ratio:<9} {setting:<28} {median:>6.3} {q1:>6.3} {q3:>6.3} {rounds:>6}  {bound:<13} {verdict}"
        );
        line.expect("a string takes everything");
    }
    table
}
