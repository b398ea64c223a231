//! Why a note or a proof does not hold.

use thiserror::Error;
use watchfire_types::MemberKey;

/// Why a text is no note, checkpoint or proof text, or why its signatures do not hold.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NoteError {
    /// Longer than its bound.
    #[error("{what} has {found} bytes, at most {limit} are read")]
    TooLong {
        /// Which text.
        what: &'static str,
        /// Bytes found.
        found: usize,
        /// Bytes read at most.
        limit: usize,
    },
    /// The text breaks the format on this line.
    #[error("line {line}: {why}")]
    Malformed {
        /// Line, 1 the first.
        line: usize,
        /// What was expected.
        why: &'static str,
    },
    /// No signature line of the log's key.
    #[error("no signature line of {name} by key {key}")]
    NotSigned {
        /// Key name.
        name: String,
        /// The key looked for.
        key: MemberKey,
    },
    /// A line of a known key that does not verify.
    #[error("the signature line of {name} does not verify")]
    BadSignature {
        /// Key name.
        name: String,
    },
}

/// Why a proof proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ProofError {
    /// No such leaf, or no such smaller tree; or one before the frontier that the tree goes on from.
    #[error("{wanted} is outside a tree of {size} leaves, or before what is held of it")]
    Outside {
        /// Index or size wanted.
        wanted: u64,
        /// Leaves of the tree.
        size: u64,
    },
    /// Not as many hashes as the proof for these numbers has.
    #[error("proof has {found} hashes instead of {expected}")]
    Length {
        /// Hashes that it should have.
        expected: usize,
        /// Hashes found.
        found: usize,
    },
    /// Not the binary form of a proof.
    #[error("{found} bytes are no proof")]
    Bytes {
        /// Bytes found.
        found: usize,
    },
    /// The hashes lead to another root.
    #[error("the proof leads to another root")]
    OtherRoot,
    /// The hashes lead from another root of the smaller tree.
    #[error("the proof leads from another root of the smaller tree")]
    OtherOldRoot,
}
