//! Two numbers whose comparison must hold: solvency, supply against backing, one oracle against another.
//!
//! Judged from one block alone, so that it remembers nothing. A recovery does not excuse it: what is broken stands until it holds.

use std::collections::{BTreeMap, BTreeSet};

use alloy_primitives::U256;
use alloy_primitives::aliases::I512;
use watchfire_charter::Comparison;
use watchfire_types::{BlockView, Read};

use crate::detectors::Evaluation;
use crate::measure::{BPS, Measure, times};

/// One side of the comparison.
pub(crate) struct Side {
    pub(crate) measure: Measure,
    pub(crate) scale: U256,
}

/// One invariant rule.
pub(crate) struct InvariantWatch {
    left: Side,
    compare: Comparison,
    right: Side,
    tolerance_bps: u16,
}

impl InvariantWatch {
    pub(crate) fn new(left: Side, compare: Comparison, right: Side, tolerance_bps: u16) -> Self {
        Self { left, compare, right, tolerance_bps }
    }

    pub(crate) fn reads(&self) -> BTreeSet<Read> {
        self.left_reads().chain(self.right_reads()).cloned().collect()
    }

    pub(crate) fn left_reads(&self) -> impl Iterator<Item = &Read> {
        self.left.measure.reads()
    }

    pub(crate) fn right_reads(&self) -> impl Iterator<Item = &Read> {
        self.right.measure.reads()
    }

    pub(crate) fn left_value(&self, view: &BlockView) -> Option<I512> {
        self.left.measure.value(view)
    }

    pub(crate) fn right_value(&self, view: &BlockView) -> Option<I512> {
        self.right.measure.value(view)
    }

    pub(crate) fn answered(&self, view: &BlockView) -> bool {
        self.left_value(view).is_some() && self.right_value(view).is_some()
    }

    pub(crate) fn observe(&self, view: &BlockView) -> Evaluation {
        let (Some(left), Some(right)) = (self.left_value(view), self.right_value(view)) else {
            return Evaluation::Unknown;
        };
        if self.holds(left, right) {
            return Evaluation::Quiet;
        }
        let (explanation, figures) = self.broken(left, right);
        Evaluation::Fires { explanation, figures }
    }

    /// 10000 x left against 10000 x right, give or take |right| x tolerance.
    pub(crate) fn holds(&self, left: I512, right: I512) -> bool {
        let (left, right) = (times(left, self.left.scale), times(right, self.right.scale));
        let magnitude = if right.is_negative() { right.saturating_neg() } else { right };
        let slack = times(magnitude, U256::from(self.tolerance_bps));
        let whole = U256::from(BPS);
        let (left, right) = (times(left, whole), times(right, whole));
        let at_least = left.saturating_add(slack) >= right;
        let at_most = left.saturating_sub(slack) <= right;
        match self.compare {
            Comparison::AtLeast => at_least,
            Comparison::AtMost => at_most,
            Comparison::Equal => at_least && at_most,
        }
    }

    /// What is said of two numbers of which it does not hold: one line, and its figures.
    pub(crate) fn broken(&self, left: I512, right: I512) -> (String, BTreeMap<String, String>) {
        let scaled = |side: &Side| {
            if side.scale == U256::from(1) { String::new() } else { format!(" x {}", side.scale) }
        };
        let sign = self.compare.sign();
        let tolerance = match self.tolerance_bps {
            0 => String::new(),
            bps => format!(", even with {bps} bps of tolerance"),
        };
        let mut figures = BTreeMap::from([
            ("left".to_owned(), left.to_string()),
            ("right".to_owned(), right.to_string()),
            ("compare".to_owned(), sign.to_owned()),
            ("tolerance_bps".to_owned(), self.tolerance_bps.to_string()),
        ]);
        for (name, side) in [("scale_left", &self.left), ("scale_right", &self.right)] {
            if side.scale != U256::from(1) {
                figures.insert(name.to_owned(), side.scale.to_string());
            }
        }
        let explanation = format!(
            "{} {left}{} is not {sign} {} {right}{}{tolerance}",
            self.left.measure.name(),
            scaled(&self.left),
            self.right.measure.name(),
            scaled(&self.right),
        );
        (explanation, figures)
    }
}

#[cfg(test)]
mod tests;
