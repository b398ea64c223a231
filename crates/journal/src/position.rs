//! Where a record stands in the journal.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// Address of a record (or of the end of the log): segment number and byte offset of its frame. Ordered as the log is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    segment: u32,
    offset: u32,
}

impl Position {
    /// Before every record.
    pub const START: Self = Self { segment: 0, offset: 0 };

    /// After every record.
    pub const END: Self = Self { segment: u32::MAX, offset: u32::MAX };

    /// This place, whether or not a record stands there.
    #[must_use]
    pub const fn new(segment: u32, offset: u32) -> Self {
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

/// What was given is no position.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("not a position of the log: {found:?}; two numbers such as 0:64, as `log query` gives them")]
pub struct NotAPosition {
    /// The text, cut.
    pub found: String,
}

impl FromStr for Position {
    type Err = NotAPosition;
    fn from_str(text: &str) -> Result<Self, NotAPosition> {
        let read = |(segment, offset): (&str, &str)| Some(Self::new(segment.parse().ok()?, offset.parse().ok()?));
        // One form only: no signs, no leading zeros.
        let position = text.split_once(':').and_then(read).filter(|position| position.to_string() == text);
        position.ok_or_else(|| NotAPosition { found: text.chars().take(40).collect() })
    }
}

/// A part of the log that is looked through from one place on, that place left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Page {
    /// What comes next.
    After(Position),
    /// What came last.
    Before(Position),
}

impl Page {
    /// Whether a record there is of this part.
    #[must_use]
    pub fn holds(self, position: Position) -> bool {
        match self {
            Self::After(place) => position > place,
            Self::Before(place) => position < place,
        }
    }

    /// The part that is left once everything up to here was looked at.
    #[must_use]
    pub const fn from(self, position: Position) -> Self {
        match self {
            Self::After(_) => Self::After(position),
            Self::Before(_) => Self::Before(position),
        }
    }

    /// Puts places in the order in which this part is looked through.
    pub fn order(self, positions: &mut [Position]) {
        positions.sort_unstable();
        if let Self::Before(_) = self {
            positions.reverse();
        }
    }
}
