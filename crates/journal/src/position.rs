//! Where a record stands in the journal.

use std::fmt;

/// Address of a record (or of the end of the log): segment number and byte offset of its frame. Ordered as the log is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    segment: u32,
    offset: u32,
}

impl Position {
    /// Before every record.
    pub const START: Self = Self { segment: 0, offset: 0 };

    pub(crate) const fn new(segment: u32, offset: u32) -> Self {
        Self { segment, offset }
    }

    /// Number of the segment file, counted from 0.
    #[must_use]
    pub const fn segment(self) -> u32 {
        self.segment
    }

    /// Byte offset of the frame in its segment file.
    #[must_use]
    pub const fn offset(self) -> u32 {
        self.offset
    }

    /// Eight bytes, big-endian, that order as positions do.
    #[must_use]
    pub fn to_bytes(self) -> [u8; 8] {
        ((u64::from(self.segment) << 32) | u64::from(self.offset)).to_be_bytes()
    }

    /// The inverse of [`Position::to_bytes`].
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 8]) -> Self {
        let [s0, s1, s2, s3, o0, o1, o2, o3] = bytes;
        Self { segment: u32::from_be_bytes([s0, s1, s2, s3]), offset: u32::from_be_bytes([o0, o1, o2, o3]) }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.segment, self.offset)
    }
}
