//! Why bytes are no message of this protocol, or a value has no encoding.

use thiserror::Error;
use watchfire_types::id::IdError;

/// Every honest node of this version refuses the same bytes with the same error: they deserve `Reject`.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum WireError {
    /// The whole message is over its bound.
    #[error("{message} of {found} bytes is over its bound of {limit}")]
    TooLarge {
        /// Message.
        message: &'static str,
        /// Bytes found.
        found: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// No protobuf of this message.
    #[error("{message} does not decode: {source}")]
    Malformed {
        /// Message.
        message: &'static str,
        /// What prost says.
        source: prost::DecodeError,
    },
    /// The top level of an event is no sequence of protobuf fields.
    #[error("event has a broken field at byte {offset}")]
    BrokenField {
        /// Where its key begins.
        offset: usize,
    },
    /// Decodes, but is not the one encoding of its value.
    #[error("{message} is not in canonical form")]
    NotCanonical {
        /// Message.
        message: &'static str,
    },
    /// A field that must be present is not.
    #[error("{field} is missing")]
    Missing {
        /// Field.
        field: &'static str,
    },
    /// Not the length that the field has.
    #[error("{field} has {found} bytes instead of {expected}")]
    Length {
        /// Field.
        field: &'static str,
        /// Bytes expected.
        expected: usize,
        /// Bytes found.
        found: usize,
    },
    /// Longer than the field's bound.
    #[error("{field} of {found} bytes is over its bound of {limit}")]
    TooLong {
        /// Field.
        field: &'static str,
        /// Bytes found.
        found: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// More entries than the field's bound, or none where one is wanted.
    #[error("{field} has {found} entries instead of {least} to {limit}")]
    Count {
        /// Field.
        field: &'static str,
        /// Entries found.
        found: usize,
        /// Least number of entries.
        least: usize,
        /// Most entries.
        limit: usize,
    },
    /// Not a name.
    #[error("{field}: {source}")]
    Name {
        /// Field.
        field: &'static str,
        /// Why.
        source: IdError,
    },
    /// A number outside the field's range, or no value of its enum.
    #[error("{field} is out of range: {found}")]
    Range {
        /// Field.
        field: &'static str,
        /// Number found.
        found: u64,
    },
    /// Entries that must be strictly ascending are not.
    #[error("{field} is not strictly ascending")]
    NotAscending {
        /// Field.
        field: &'static str,
    },
    /// An event without a body, or with more than one.
    #[error("event has {found} bodies instead of one")]
    Bodies {
        /// Bodies found; counting stops at two.
        found: usize,
    },
    /// A body inside a certificate that can never be there.
    #[error("certificate holds an event that is no vote")]
    NotAVote,
    /// An own unknown body uses a field number that has a meaning.
    #[error("body number {number} cannot be sealed as an unknown body")]
    NotUnknown {
        /// Field number.
        number: u32,
    },
}
