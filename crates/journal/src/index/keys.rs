//! By what a record is found.

use watchfire_types::{Epoch, MemberKey, Seq};

/// A secondary index. Its number is part of what is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum TermKind {
    /// Kind of the body, such as the name or number of its variant.
    BodyKind = 1,
    /// Incident id.
    Incident = 2,
    /// The author's time, big-endian milliseconds.
    Time = 3,
    /// Chain id and block number, both big-endian.
    Block = 4,
}

/// One value by which a record is found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Term {
    /// Which index.
    pub kind: TermKind,
    /// The value: numbers big-endian, so that order is kept; at most 255 bytes count.
    pub value: Vec<u8>,
}

/// Everything by which one record is found, beside its hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordKeys {
    /// Author.
    pub author: MemberKey,
    /// Epoch.
    pub epoch: Epoch,
    /// Seq.
    pub seq: Seq,
    /// Further values, any number per kind.
    pub terms: Vec<Term>,
}

/// Reads a record's keys out of its bytes. The log knows nothing of what a record holds.
pub trait Indexer: Send + 'static {
    /// The keys of `record`, or `None` for one that cannot be read: it is then found by its hash alone.
    fn keys(&self, record: &[u8]) -> Option<RecordKeys>;
}

impl<F: Fn(&[u8]) -> Option<RecordKeys> + Send + 'static> Indexer for F {
    fn keys(&self, record: &[u8]) -> Option<RecordKeys> {
        self(record)
    }
}
