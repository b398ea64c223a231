//! Checkpoints (c2sp.org/tlog-checkpoint): the size and root of one tree under its origin, and the texts that are signed.

use std::fmt;
use std::str::FromStr;

use watchfire_types::{Epoch, MemberId, NetworkId, body};

use crate::error::NoteError;
use crate::note::{base64_in, base64_out, check_length, decimal};
use crate::tree::Hash;

/// Longest text of a checkpoint, bytes.
const TEXT_MAX: usize = 1_024;
/// First words of a cosigned text: no origin begins like this, so that neither signature is ever the other.
const COSIGNATURE: &str = "cosignature/v1";

/// Whose tree: prints as `watchfire/<network hex>/<member id>/<epoch hex>`, which is also the name of the key that signs its
/// checkpoints.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Origin {
    /// Network.
    pub network: NetworkId,
    /// Author.
    pub member: MemberId,
    /// The author's process start.
    pub epoch: Epoch,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "watchfire/{}/{}/{}", self.network, self.member, self.epoch)
    }
}

impl FromStr for Origin {
    type Err = NoteError;
    fn from_str(text: &str) -> Result<Self, NoteError> {
        let parts: Vec<&str> = text.split('/').take(5).collect();
        let origin = match parts.as_slice() {
            ["watchfire", network, member, epoch] => match (network.parse(), member.parse(), epoch.parse()) {
                (Ok(network), Ok(member), Ok(epoch)) => Some(Self { network, member, epoch }),
                _ => None,
            },
            _ => None,
        };
        // One form only: hex in lower case, without a prefix.
        origin.filter(|origin| origin.to_string() == text).ok_or(NoteError::Malformed {
            line: 1,
            why: "an origin, watchfire/<network, 64 hex>/<member>/<epoch, 32 hex>",
        })
    }
}

/// The name under which a member cosigns: `watchfire/<network hex>/<member id>`.
#[must_use]
pub fn witness_name(network: &NetworkId, member: &MemberId) -> String {
    format!("watchfire/{network}/{member}")
}

/// What one tree was at one size.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Checkpoint {
    /// Whose tree.
    pub origin: Origin,
    /// Leaves.
    pub size: u64,
    /// MTH over them.
    pub root: Hash,
}

impl Checkpoint {
    /// The note that an event's body carries; its epoch and network are the event's.
    #[must_use]
    pub fn stated(network: NetworkId, epoch: Epoch, body: &body::Checkpoint) -> Self {
        Self { origin: Origin { network, member: body.member.clone(), epoch }, size: body.size, root: body.root.0 }
    }

    /// The text that the author signs: origin, size and root, a line each.
    #[must_use]
    pub fn text(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.size, base64_out(&self.root))
    }

    /// The text that a witness signs who saw it at this POSIX time.
    #[must_use]
    pub fn cosigned_text(&self, time_s: u64) -> String {
        format!("{COSIGNATURE}\ntime {time_s}\n{}", self.text())
    }

    /// Reads a checkpoint's text. Extension lines are refused: no member writes any.
    ///
    /// # Errors
    /// [`NoteError`], with the line.
    pub fn parse(text: &str) -> Result<Self, NoteError> {
        check_length("checkpoint", text.len(), TEXT_MAX)?;
        let malformed = |line, why| NoteError::Malformed { line, why };
        let lines: Vec<&str> = text.strip_suffix('\n').unwrap_or_default().split('\n').take(4).collect();
        let [origin, size, root] = lines.as_slice() else {
            return Err(malformed(lines.len(), "a checkpoint has three lines: origin, size and root"));
        };
        let root = base64_in(root).and_then(|root| root.try_into().ok());
        Ok(Self {
            origin: origin.parse()?,
            size: decimal(size).ok_or(malformed(2, "a size in decimal digits without leading zeros"))?,
            root: root.ok_or(malformed(3, "a root of 32 bytes in base64"))?,
        })
    }
}

/// What a node key signs about a tree. The owner of the key makes the text itself: it is never handed other bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Statement<'a> {
    /// The author's own checkpoint.
    Checkpoint(&'a Checkpoint),
    /// A witness's: it saw this one of another member at this POSIX time, seconds, and it extends all it signed of that origin.
    Witnessed(&'a Checkpoint, u64),
}

impl Statement<'_> {
    /// The exact text to sign.
    #[must_use]
    pub fn text(&self) -> String {
        match self {
            Self::Checkpoint(checkpoint) => checkpoint.text(),
            Self::Witnessed(checkpoint, time_s) => checkpoint.cosigned_text(*time_s),
        }
    }
}

#[cfg(test)]
mod tests;
