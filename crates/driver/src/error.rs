//! What ends a driver.

use thiserror::Error;
use watchfire_journal::{JournalError, Position};
use watchfire_protocol::UnknownMember;
use watchfire_types::{Address, Epoch, MemberId, MemberKey, VerifyError};
use watchfire_wire::WireError;

/// The log could not be written. Nothing of that turn was released; the node must stop, and a restart replays what is on disk.
#[derive(Debug, Error)]
#[error("the log cannot be written, the node stops: {cause}")]
pub struct Halted {
    /// What failed.
    pub cause: String,
    /// The journal's error; `None` when a turn is asked of a driver that had already halted.
    #[source]
    pub source: Option<JournalError>,
}

impl From<JournalError> for Halted {
    fn from(source: JournalError) -> Self {
        Self { cause: source.to_string(), source: Some(source) }
    }
}

/// Why a driver cannot start.
#[derive(Debug, Error)]
pub enum DriverError {
    /// The charter has no such member.
    #[error(transparent)]
    UnknownMember(#[from] UnknownMember),
    /// The node key is not the one that the charter gives this member.
    #[error(
        "node key {found} is not the key of member {member} in the charter, {expected}; check `member` in config.toml"
    )]
    NodeKey {
        /// Member.
        member: MemberId,
        /// The charter's key.
        expected: MemberKey,
        /// The key at hand.
        found: MemberKey,
    },
    /// The guardian key is not the one that the charter gives this member.
    #[error("guardian key {found} is not the guardian of member {member} in the charter; check keys/guardian.json")]
    GuardianKey {
        /// Member.
        member: MemberId,
        /// The key at hand.
        found: Address,
    },
    /// The drawn epoch is in the log already: the source of randomness repeats itself.
    #[error(
        "epoch {epoch} is in the log already: the machine's randomness repeats itself; do not run a node there before its entropy source is mended"
    )]
    EpochUsed {
        /// Epoch.
        epoch: Epoch,
    },
    /// A record of the journal is no signed event.
    #[error(
        "journal record at {position} is no event: {source}; restore the directory from a backup or start an empty one"
    )]
    Record {
        /// Where.
        position: Position,
        /// Why.
        source: WireError,
    },
    /// A record of the journal is of another network or its signature does not hold.
    #[error("journal record at {position}: {source}; is this the directory of another network?")]
    Signature {
        /// Where.
        position: Position,
        /// Why.
        source: VerifyError,
    },
    /// The journal's base says nothing that can be read.
    #[error(
        "the base of what was pruned from the journal cannot be read: {source}; import the archive (`watchfire log import`)"
    )]
    Base {
        /// Why.
        source: WireError,
    },
    /// The journal's base states what no chain can be.
    #[error(
        "the base of what was pruned from the journal is wrong about epoch {epoch} of {author}; import the archive (`watchfire log import`)"
    )]
    BaseChain {
        /// Author.
        author: MemberKey,
        /// Epoch.
        epoch: Epoch,
    },
    /// The journal cannot be read.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The first commit failed.
    #[error(transparent)]
    Halted(#[from] Halted),
}
