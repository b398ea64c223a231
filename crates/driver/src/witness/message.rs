//! Witness messages from anyone: their form, their signatures, and why one is turned away.

use thiserror::Error;
use watchfire_charter::Charter;
use watchfire_transparency::{NoteError, SignedCheckpoint, Witnessed, cosigner_key_id, verify, witness_name};
use watchfire_types::{MemberId, NetworkId, Verdict};

use super::store::Line;

/// Why a witness message changes nothing.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum WitnessRefusal {
    /// No note, or a line that does not verify.
    #[error("witness message: {0}")]
    Note(#[from] NoteError),
    /// Not UTF-8, or other lines than the author's and one witness's.
    #[error("witness message has not exactly an author's line and a witness's")]
    Shape,
    /// Another network's.
    #[error("witness message of network {found}")]
    ForeignNetwork {
        /// Its network.
        found: NetworkId,
    },
    /// A member that the charter does not have, or not under that key.
    #[error("witness message of {member}, whom the charter does not have under that key")]
    UnknownMember {
        /// Name.
        member: String,
    },
    /// The witness's clock is more than 60 s ahead.
    #[error("witness message is {ahead_s} s ahead of this node's clock")]
    Future {
        /// Seconds ahead.
        ahead_s: u64,
    },
    /// As much, or something newer, is held.
    #[error("witness message is held, or a newer one is")]
    Held,
    /// More of one witness than it can have to say about one author.
    #[error("witness {witness} says more than 4 lines a second about {author}")]
    OverQuota {
        /// Witness.
        witness: MemberId,
        /// Author of the checkpoints.
        author: MemberId,
    },
    /// This node keeps no witness state.
    #[error("this node keeps no witness messages")]
    NotKept,
    /// The disk is full: nothing of others is kept until it has room again. They hold it, and catch-up asks for it.
    #[error("this node's disk has no room for witness messages")]
    NoRoom,
}

impl WitnessRefusal {
    /// What it means for the peer that forwarded the message.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        match self {
            Self::Note(NoteError::NotSigned { .. }) => Verdict::Ignore,
            Self::Note(_) | Self::Shape | Self::ForeignNetwork { .. } => Verdict::Reject,
            Self::UnknownMember { .. }
            | Self::Future { .. }
            | Self::Held
            | Self::OverQuota { .. }
            | Self::NotKept
            | Self::NoRoom => Verdict::Ignore,
        }
    }
}

/// A witness message's content; no signature is checked.
pub(crate) fn parse(charter: &Charter, text: &str) -> Result<Line, WitnessRefusal> {
    let note = SignedCheckpoint::parse(text)?;
    let checkpoint = note.checkpoint().clone();
    let [author_line, witness_line] = note.signatures() else { return Err(WitnessRefusal::Shape) };
    if checkpoint.origin.network != charter.network_id() {
        return Err(WitnessRefusal::ForeignNetwork { found: checkpoint.origin.network });
    }
    let unknown = |member: &str| WitnessRefusal::UnknownMember { member: member.to_owned() };
    let author = &checkpoint.origin.member;
    let author_key = charter.members.get(author).ok_or_else(|| unknown(author.as_str()))?.node_key;
    let own = SignedCheckpoint::new(checkpoint.clone(), &author_key, &[0; 64]);
    let expected = own.signatures().first().ok_or(WitnessRefusal::Shape)?;
    if (&author_line.name, author_line.key_id) != (&expected.name, expected.key_id) {
        return Err(WitnessRefusal::Shape);
    }
    let signature = author_line.signature.as_slice().try_into().map_err(|_| WitnessRefusal::Shape)?;
    let network = charter.network_id();
    let named = charter.members.iter().find(|(id, _)| witness_name(&network, id) == witness_line.name);
    let (witness, member) = named.ok_or_else(|| unknown(&witness_line.name))?;
    if witness_line.key_id != cosigner_key_id(&witness_line.name, &member.node_key) {
        return Err(unknown(witness.as_str()));
    }
    let (time, by) = witness_line.signature.split_first_chunk::<8>().ok_or(WitnessRefusal::Shape)?;
    let by = by.try_into().map_err(|_| WitnessRefusal::Shape)?;
    if member.node_key == author_key {
        return Err(WitnessRefusal::Shape);
    }
    let witnessed = Witnessed { witness: witness.clone(), time_s: u64::from_be_bytes(*time), signature: by };
    Ok(Line { checkpoint, author: author_key, signature, witness: member.node_key, witnessed })
}

pub(crate) fn check_signatures(line: &Line) -> Result<(), NoteError> {
    let Line { checkpoint, author, signature, witness, witnessed } = line;
    if !verify::signed(checkpoint, author, signature) {
        return Err(NoteError::BadSignature { name: checkpoint.origin.to_string() });
    }
    if !verify::cosigned(checkpoint, witness, witnessed.time_s, &witnessed.signature) {
        let name = witness_name(&checkpoint.origin.network, &witnessed.witness);
        return Err(NoteError::BadSignature { name });
    }
    Ok(())
}
