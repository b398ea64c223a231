//! One line of the result.

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
    pub(crate) name: &'static str,
    /// Which setting of it.
    pub(crate) setting: String,
    /// The median again: the figure to quote.
    pub(crate) ratio: f64,
    /// Median of the rounds.
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
}

impl Report {
    /// Sums up the rounds of one setting; there is at least one.
    pub(crate) fn new(name: &'static str, setting: String, mut rounds: Vec<f64>, bound: Bound) -> Self {
        rounds.sort_by(f64::total_cmp);
        let at = |share: usize| rounds[(rounds.len() - 1) * share / 4];
        let median = at(2);
        let (floor, passed) = match bound {
            Bound::Most(most) => (most, median <= most),
            Bound::Least(least) => (least, median >= least),
        };
        Self { name, setting, ratio: median, median, q1: at(1), q3: at(3), rounds: rounds.len(), floor, passed }
    }
}
