//! Messages whose verdict is awaited, under the numbers that the node knows them by.

use std::collections::BTreeMap;

use crate::config::limits::VERDICTS_MAX;

/// Number to message, at most [`VERDICTS_MAX`]. Numbers rise, so the first entry is the oldest.
#[derive(Debug)]
pub(crate) struct Verdicts<T> {
    awaited: BTreeMap<u64, T>,
    next: u64,
}

impl<T> Default for Verdicts<T> {
    fn default() -> Self {
        Self { awaited: BTreeMap::new(), next: 1 }
    }
}

impl<T> Verdicts<T> {
    /// Numbers a message; also answers the oldest one if it had to make room.
    pub(crate) fn add(&mut self, message: T) -> (u64, Option<T>) {
        let evicted =
            if self.awaited.len() >= VERDICTS_MAX { self.awaited.pop_first().map(|(_, oldest)| oldest) } else { None };
        let id = self.next;
        self.next += 1;
        self.awaited.insert(id, message);
        (id, evicted)
    }

    /// The message of this number, once.
    pub(crate) fn take(&mut self, id: u64) -> Option<T> {
        self.awaited.remove(&id)
    }
}

#[cfg(test)]
#[path = "verdicts_tests.rs"]
mod tests;
