//! The result: one line for each setting, as JSON or as a table.

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

    /// For a person, under [`heading`].
    pub(crate) fn line(&self) -> String {
        let Self { ratio, setting, median, q1, q3, rounds, floor, .. } = self;
        let side = match self.bound {
            Bound::Most(_) => "at most",
            Bound::Least(_) => "at least",
        };
        let bound = format!("{side} {floor:.2}");
        let verdict = if self.passed { "ok" } else { "MISSED" };
        format!("{ratio:<18} {setting:<34} {median:>8.3} {q1:>8.3} {q3:>8.3} {rounds:>6}  {bound:<15} {verdict}\n")
    }
}

/// What the columns of [`Report::line`] are.
pub(crate) fn heading() -> String {
    format!(
        "{:<18} {:<34} {:>8} {:>8} {:>8} {:>6}  {:<15} {}\n",
        "ratio", "setting", "median", "q1", "q3", "rounds", "bound", "verdict"
    )
}
