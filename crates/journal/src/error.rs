//! What can go wrong with the log, named.

use std::fmt;
use std::io;
use std::path::PathBuf;

use thiserror::Error;

use crate::position::Position;

/// What is wrong with a segment's bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum DamageKind {
    /// The file's own header does not check, or names another segment.
    SegmentHeader,
    /// A segment between the first and the last is not there.
    MissingSegment,
    /// A segment's header does not continue where the segment before it ends.
    BrokenSequence,
    /// No frame where the log says that one must be.
    MissingFrame,
    /// A frame's header does not check.
    FrameHeader,
    /// A frame's content does not match its CRC32C.
    FrameContent,
    /// The base, which stands for what was pruned, is not whole.
    Base,
}

impl fmt::Display for DamageKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::SegmentHeader => "the segment header does not check",
            Self::MissingSegment => "the segment is missing",
            Self::BrokenSequence => "the segment does not continue the one before it",
            Self::MissingFrame => "a record is missing",
            Self::FrameHeader => "a record's header does not check",
            Self::FrameContent => "a record does not match its checksum",
            Self::Base => "the base of what was pruned is not whole (no repair brings it back: `watchfire log import` of every archive that it was pruned into does)",
        })
    }
}

/// An error of the log. After [`JournalError::Io`], [`JournalError::DiskFull`] with `poisoned`, or
/// [`JournalError::Poisoned`] out of a write or sync, the journal is finished and the node must stop.
#[derive(Debug, Error)]
pub enum JournalError {
    /// Another process holds the directory.
    #[error("directory {} is in use by another process; stop it, or give this one its own directory", path.display())]
    InUse {
        /// The directory.
        path: PathBuf,
    },
    /// Bytes that were acknowledged are not what was written. They are not served.
    #[error(
        "journal segment {segment} is damaged at offset {offset}: {kind}; stop the node and run `watchfire log repair`: it keeps every sound record, sets the damaged file aside, and peers give again what is lost"
    )]
    Damaged {
        /// File name.
        segment: String,
        /// Byte offset in it.
        offset: u64,
        /// What does not hold.
        kind: DamageKind,
    },
    /// So many segments are missing in a row that the one after them is rather none of this log.
    #[error(
        "{missing} journal segments are missing from {from} to the one before {next}; nothing was repaired: if {next} is no file of this log, move it out of the journal directory and repair again, else restore the missing ones from a backup"
    )]
    SegmentsMissing {
        /// Name of the first that is missing.
        from: String,
        /// How many there are.
        missing: u32,
        /// Name of the segment after them.
        next: String,
    },
    /// The index followed records, durable ones only, that the journal no longer holds: they were lost after they were acknowledged.
    #[error(
        "the journal ends in segment {segment} at offset {offset}, and {records} records that were acknowledged after that place are gone: the index of this log knows them; restore the journal if there is a newer copy, or run `watchfire log repair`: it notes the loss in the log, which then goes on, and peers give again what they hold"
    )]
    TailLost {
        /// Name of the last segment.
        segment: String,
        /// Where its records end.
        offset: u64,
        /// Records that are gone, at least.
        records: u64,
    },
    /// No room for the record; nothing was written or lost. Works again once there is room, unless `poisoned`.
    #[error("disk full: journal segment {segment} cannot grow by {needed} bytes; free space on that disk")]
    DiskFull {
        /// File name.
        segment: String,
        /// Bytes that were asked for.
        needed: u64,
        /// Whether a commit was being written, which ends the journal.
        poisoned: bool,
    },
    /// A write or sync failed before; nothing is accepted any more.
    #[error("the journal stopped after a failed write ({cause}); restart the node once the disk is sound")]
    Poisoned {
        /// The first failure.
        cause: String,
    },
    /// The operating system refused.
    #[error(
        "cannot {doing} {file}: {source}; see that this user may read and write the node directory, and that its disk is sound"
    )]
    Io {
        /// What was attempted, as a verb.
        doing: &'static str,
        /// File name inside the directory, or the directory.
        file: String,
        /// The cause.
        source: io::Error,
    },
    /// A record of no or too many bytes.
    #[error("record of {length} bytes; the journal takes 1 to {max}")]
    RecordSize {
        /// Its length.
        length: usize,
        /// The bound.
        max: usize,
    },
    /// More bytes than one commit may hold; sync first.
    #[error("a commit may hold {max} bytes; sync before appending more")]
    CommitSize {
        /// The bound.
        max: usize,
    },
    /// Every number for segments is used.
    #[error("the journal has no further segment numbers; export the log, and import it into a new directory")]
    NoMoreSegments,
    /// Pruning would go beyond what may go.
    #[error("segment {segment} cannot be pruned: {why}; see `watchfire log verify`")]
    NotPrunable {
        /// File name.
        segment: String,
        /// Why not.
        why: &'static str,
    },
    /// No record begins there.
    #[error("no record at journal position {position}; see `watchfire log verify`")]
    NoSuchRecord {
        /// The position asked for.
        position: Position,
    },
    /// The index store failed. The journal is not affected.
    #[error("index: cannot {doing}: {source}; the log is not touched: `watchfire log rebuild` makes the index anew")]
    Index {
        /// What was attempted.
        doing: &'static str,
        /// The cause.
        source: sled::Error,
    },
    /// The thread that fills the index is gone; `cause` says why.
    #[error(
        "the index stopped: {cause}; `watchfire log verify` tells whether the log itself holds, `watchfire log rebuild` makes the index anew"
    )]
    IndexStopped {
        /// The first failure.
        cause: String,
    },
}

impl JournalError {
    pub(crate) fn io(doing: &'static str, file: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let file = file.into();
        move |source| Self::Io { doing, file, source }
    }

    pub(crate) fn index(doing: &'static str) -> impl FnOnce(sled::Error) -> Self {
        move |source| Self::Index { doing, source }
    }
}

/// Whether the operating system said that there is no room (ENOSPC, EDQUOT or EFBIG).
pub(crate) fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge)
}
