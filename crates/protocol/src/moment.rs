//! A time that remembers how long what was asked of it stays true.

use std::cell::Cell;

use watchfire_types::Timestamp;

/// Whoever compares times asks this one, so that what was worked out is good until [`Moment::until`], if nothing but time changes.
#[derive(Debug)]
pub(crate) struct Moment {
    now: Timestamp,
    until: Cell<Option<Timestamp>>,
}

impl Moment {
    pub(crate) fn of(now: Timestamp) -> Self {
        Self { now, until: Cell::new(None) }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.now
    }

    /// Whether it is `at` or later.
    pub(crate) fn reached(&self, at: Timestamp) -> bool {
        let reached = at <= self.now;
        if !reached {
            self.until.set(Some(self.until.get().map_or(at, |until| until.min(at))));
        }
        reached
    }

    /// Something was worked out that the next millisecond may change.
    pub(crate) fn fleeting(&self) {
        self.reached(self.now.plus_millis(1));
    }

    /// The first time at which any answer may be another; `None` when none ever is.
    pub(crate) fn until(&self) -> Option<Timestamp> {
        self.until.get()
    }
}
