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

impl TermKind {
    pub(super) const fn index(self) -> Index {
        match self {
            Self::BodyKind => Index::BodyKind,
            Self::Incident => Index::Incident,
            Self::Time => Index::Time,
            Self::Block => Index::Block,
        }
    }
}

/// Every index of the store. Its number is the first byte of its keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Index {
    BodyKind = 1,
    Incident = 2,
    Time = 3,
    Block = 4,
    Author = 5,
    Hash = 6,
}

impl Index {
    /// Bytes of a hash that are indexed.
    pub(crate) const HASH_BYTES: usize = 16;

    /// Bytes at the end of a value that its bucket leaves out.
    const fn cut(self) -> usize {
        match self {
            Self::BodyKind | Self::Incident => 0,
            // About a minute.
            Self::Time => 2,
            Self::Block | Self::Author => 1,
            Self::Hash => Self::HASH_BYTES,
        }
    }

    /// The bucket of a value.
    pub(super) fn bucket(self, value: &[u8]) -> Vec<u8> {
        match self {
            Self::Hash => vec![value.first().copied().unwrap_or(0) >> 2],
            _ => value[..value.len().saturating_sub(self.cut())].to_vec(),
        }
    }

    /// Bytes of an entry beside its position, in a bucket of this length; `None` where none can be.
    pub(super) fn rest(self, bucket: usize) -> Option<usize> {
        match self {
            Self::Hash => (bucket == 1).then_some(Self::HASH_BYTES),
            Self::BodyKind | Self::Incident | Self::Time | Self::Block | Self::Author => Some(self.cut()),
        }
    }
}

/// Values that are indexed for every record.
pub(super) mod indexed {
    use watchfire_types::{Epoch, MemberKey, Seq};

    /// First bytes of author and epoch, and the seq.
    pub(crate) fn author(author: MemberKey, epoch: Epoch, seq: Seq) -> Vec<u8> {
        [&author.as_bytes()[..8], &epoch.as_bytes()[..8], &seq.get().to_be_bytes()].concat()
    }
}

/// One value by which a record is found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Term {
    /// Which index.
    pub kind: TermKind,
    /// The value: numbers big-endian, so that order is kept; at most 200 bytes count.
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
