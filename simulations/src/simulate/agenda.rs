//! What happens next: a queue ordered by virtual time, then by when it was written down. No two entries are equal, so the order is total.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

/// Microseconds since the play began.
pub(crate) type Micros = u64;

/// A millisecond in [`Micros`].
pub(crate) const MILLI: Micros = 1_000;
/// A second in [`Micros`].
pub(crate) const SECOND: Micros = 1_000_000;

#[derive(Debug)]
struct Entry<T> {
    at: Micros,
    number: u64,
    what: T,
}

impl<T> PartialEq for Entry<T> {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number
    }
}

impl<T> Eq for Entry<T> {}

impl<T> PartialOrd for Entry<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> Ord for Entry<T> {
    /// Earliest first on a heap that pops its greatest.
    fn cmp(&self, other: &Self) -> Ordering {
        (other.at, other.number).cmp(&(self.at, self.number))
    }
}

/// The queue.
#[derive(Debug)]
pub(crate) struct Agenda<T> {
    entries: BinaryHeap<Entry<T>>,
    written: u64,
}

impl<T> Agenda<T> {
    pub(crate) fn new() -> Self {
        Self { entries: BinaryHeap::new(), written: 0 }
    }

    /// Writes down what happens at `at`.
    pub(crate) fn at(&mut self, at: Micros, what: T) {
        self.entries.push(Entry { at, number: self.written, what });
        self.written += 1;
    }

    /// Takes what happens first.
    pub(crate) fn next(&mut self) -> Option<(Micros, T)> {
        self.entries.pop().map(|entry| (entry.at, entry.what))
    }
}
