//! The record stream: everything that happened at this node since the process started, in local order.

use std::collections::VecDeque;
use std::sync::{Arc, PoisonError, RwLock};

use tokio::sync::watch;
use watchfire_types::control::Record;

/// Records kept; when there are more the oldest are let go (a follower that came late then starts with the oldest kept).
pub const RECORDS_MAX: usize = 65_536;

#[derive(Debug, Default)]
struct Kept {
    /// Index of the first kept record since the process started.
    first: u64,
    records: VecDeque<Arc<Record>>,
}

/// The records; one writer, many followers. A clone is another handle.
#[derive(Debug, Clone)]
pub struct Records {
    kept: Arc<RwLock<Kept>>,
    end: Arc<watch::Sender<u64>>,
}

impl Default for Records {
    fn default() -> Self {
        Self { kept: Arc::default(), end: Arc::new(watch::Sender::new(0)) }
    }
}

impl Records {
    /// Appends a record and wakes the followers.
    pub fn push(&self, record: Record) {
        let mut kept = self.kept.write().unwrap_or_else(PoisonError::into_inner);
        kept.records.push_back(Arc::new(record));
        if kept.records.len() > RECORDS_MAX {
            kept.records.pop_front();
            kept.first += 1;
        }
        let end = kept.first + kept.records.len() as u64;
        drop(kept);
        self.end.send_replace(end);
    }

    /// Tells when there are more records: the value is the index after the last one.
    #[must_use]
    pub fn end(&self) -> watch::Receiver<u64> {
        self.end.subscribe()
    }

    /// Up to 256 records from `index` on, and the index after them.
    #[must_use]
    pub fn from(&self, index: u64) -> (Vec<Arc<Record>>, u64) {
        let kept = self.kept.read().unwrap_or_else(PoisonError::into_inner);
        let start = index.max(kept.first);
        let skip = usize::try_from(start - kept.first).unwrap_or(usize::MAX);
        let records: Vec<_> = kept.records.iter().skip(skip).take(256).cloned().collect();
        let next = start + records.len() as u64;
        (records, next)
    }

    /// Every kept record, oldest first.
    #[must_use]
    pub fn all(&self) -> Vec<Arc<Record>> {
        self.kept.read().unwrap_or_else(PoisonError::into_inner).records.iter().cloned().collect()
    }
}
