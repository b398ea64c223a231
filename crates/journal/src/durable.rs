//! The proof that bytes are on disk, and the mark that others follow.

use std::sync::{Arc, Mutex, PoisonError};

use crate::position::Position;

/// Proof that every record before [`Durable::through`] is on disk. Only the journal makes one, out of a completed
/// fdatasync (or, at open, out of the recovery's).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Durable {
    through: Position,
    records: u64,
}

impl Durable {
    pub(crate) const fn new(through: Position, records: u64) -> Self {
        Self { through, records }
    }

    /// End of the durable log: the first position that is *not* covered.
    #[must_use]
    pub const fn through(&self) -> Position {
        self.through
    }

    /// Records before that end, since the first segment ever written.
    #[must_use]
    pub const fn records(&self) -> u64 {
        self.records
    }

    /// Whether the record at `position` is covered.
    #[must_use]
    pub fn covers(&self, position: Position) -> bool {
        position < self.through
    }
}

/// A shared view of how far the journal is durable, for followers on other threads. Monotone.
#[derive(Debug, Clone)]
pub struct Watermark(Arc<Mutex<Durable>>);

impl Watermark {
    pub(crate) fn new(durable: Durable) -> Self {
        Self(Arc::new(Mutex::new(durable)))
    }

    pub(crate) fn set(&self, durable: Durable) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = durable;
    }

    /// How far the log is durable now.
    #[must_use]
    pub fn get(&self) -> Durable {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
