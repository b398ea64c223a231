//! A feed that stopped: the time that a call answers is too far behind the block's.
//!
//! Judged from one block alone, so that it remembers nothing. A time in the future has no age; a time of zero, which feeds answer before
//! their first round, is as old as it says.

use std::collections::{BTreeMap, BTreeSet};

use alloy_primitives::aliases::I512;
use watchfire_types::{BlockView, Read};

use crate::detectors::Evaluation;
use crate::measure::Measure;

/// One staleness rule.
pub(crate) struct StaleWatch {
    measure: Measure,
    age_s: u64,
}

impl StaleWatch {
    pub(crate) fn new(measure: Measure, age_s: u64) -> Self {
        Self { measure, age_s }
    }

    pub(crate) fn reads(&self) -> BTreeSet<Read> {
        self.measure.reads().cloned().collect()
    }

    pub(crate) fn answered(&self, view: &BlockView) -> bool {
        self.measure.value(view).is_some()
    }

    pub(crate) fn observe(&self, view: &BlockView) -> Evaluation {
        let Some(updated) = self.measure.value(view) else { return Evaluation::Unknown };
        let now = view.block.time.as_secs();
        // A time before 1970 is as old as one of zero.
        let updated = u64::try_from(updated.max(I512::ZERO)).unwrap_or(u64::MAX);
        let age = now.saturating_sub(updated);
        if age <= self.age_s {
            return Evaluation::Quiet;
        }
        Evaluation::Fires {
            explanation: format!(
                "{} answers {updated}, {age} s before its block; {} s are allowed",
                self.measure.name(),
                self.age_s
            ),
            figures: BTreeMap::from([
                ("updated".to_owned(), updated.to_string()),
                ("block_time".to_owned(), now.to_string()),
                ("age_s".to_owned(), age.to_string()),
                ("allowed_s".to_owned(), self.age_s.to_string()),
            ]),
        }
    }
}

#[cfg(test)]
mod tests;
