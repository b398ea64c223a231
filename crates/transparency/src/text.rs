//! Proofs as text, each with the checkpoints it rests on, so that one file verifies by itself.
//!
//! Inclusion is c2sp.org/tlog-proof; its `extra` is the leaf. Consistency has no format there: the text's hash lines and
//! the note after the empty line are what c2sp.org/tlog-witness takes; above them stands the smaller checkpoint.

use std::fmt;

use crate::checkpoint::Checkpoint;
use crate::error::NoteError;
use crate::note::{NOTE_MAX, base64_in, base64_out, check_length, decimal};
use crate::proof::{ConsistencyProof, InclusionProof};
use crate::tree::Hash;
use crate::verify::SignedCheckpoint;

/// First line of an inclusion proof.
pub const INCLUSION: &str = "c2sp.org/tlog-proof@v1";
/// First line of a consistency proof.
pub const CONSISTENCY: &str = "watchfire/tlog-consistency@v1";
/// Begins the optional line of the smaller checkpoint's signature.
const SIGNATURE: &str = "signature ";
/// Longest proof text that is read, bytes: a leaf of 60 KiB in base64, the path and the note.
const TEXT_MAX: usize = 96 * 1024 + NOTE_MAX;

/// That a leaf stands in a checkpoint's tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InclusionText {
    /// The leaf itself, a signed event's outer bytes. Nothing vouches for it but the proof.
    pub leaf: Vec<u8>,
    /// Where it stands. Its size is the checkpoint's.
    pub proof: InclusionProof,
    /// The checkpoint.
    pub checkpoint: SignedCheckpoint,
}

/// That a checkpoint's tree is the beginning of another's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsistencyText {
    /// Root of the smaller tree.
    pub old_root: Hash,
    /// The author's signature over the smaller checkpoint, where it made one of that size.
    pub old_signature: Option<[u8; 64]>,
    /// From the smaller to the larger tree. `to` is the checkpoint's size.
    pub proof: ConsistencyProof,
    /// The larger checkpoint.
    pub checkpoint: SignedCheckpoint,
}

impl fmt::Display for InclusionText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{INCLUSION}\nextra {}\nindex {}", base64_out(&self.leaf), self.proof.index)?;
        write_path(f, &self.proof.path)?;
        write!(f, "\n{}", self.checkpoint)
    }
}

impl fmt::Display for ConsistencyText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{CONSISTENCY}\nold {}\nroot {}", self.proof.from, base64_out(&self.old_root))?;
        if let Some(signature) = &self.old_signature {
            writeln!(f, "signature {}", base64_out(signature))?;
        }
        write_path(f, &self.proof.path)?;
        write!(f, "\n{}", self.checkpoint)
    }
}

fn write_path(f: &mut fmt::Formatter<'_>, path: &[Hash]) -> fmt::Result {
    path.iter().try_for_each(|hash| writeln!(f, "{}", base64_out(hash)))
}

impl InclusionText {
    /// Reads the text. What is read prints the same bytes again.
    ///
    /// # Errors
    /// [`NoteError`], with the line.
    pub fn parse(text: &str) -> Result<Self, NoteError> {
        let (mut head, checkpoint) = parts(text, INCLUSION)?;
        let leaf = head.field("extra ", "`extra ` and the leaf in base64", base64_in)?;
        let index = head.field("index ", "`index ` and a decimal number", decimal)?;
        let path = head.path()?;
        let proof = InclusionProof { index, size: checkpoint.checkpoint().size, path };
        Ok(Self { leaf, proof, checkpoint })
    }
}

impl ConsistencyText {
    /// Reads the text. What is read prints the same bytes again.
    ///
    /// # Errors
    /// [`NoteError`], with the line.
    pub fn parse(text: &str) -> Result<Self, NoteError> {
        let (mut head, checkpoint) = parts(text, CONSISTENCY)?;
        let from = head.field("old ", "`old ` and a decimal number", decimal)?;
        let old_root = head.field("root ", "`root ` and 32 bytes in base64", hash)?;
        let signature = |text: &str| base64_in(text).and_then(|bytes| bytes.try_into().ok());
        let old_signature = if head.next_is(SIGNATURE) {
            Some(head.field(SIGNATURE, "`signature ` and 64 bytes in base64", signature)?)
        } else {
            None
        };
        let path = head.path()?;
        let proof = ConsistencyProof { from, to: checkpoint.checkpoint().size, path };
        Ok(Self { old_root, old_signature, proof, checkpoint })
    }

    /// The smaller checkpoint, of the same origin.
    #[must_use]
    pub fn old_checkpoint(&self) -> Checkpoint {
        let origin = self.checkpoint.checkpoint().origin.clone();
        Checkpoint { origin, size: self.proof.from, root: self.old_root }
    }
}

/// The lines above the note, read one after the other.
struct Head<'a> {
    lines: Vec<&'a str>,
    at: usize,
}

/// First line checked, the rest of the head, and the note below the first empty line.
fn parts<'a>(text: &'a str, first: &str) -> Result<(Head<'a>, SignedCheckpoint), NoteError> {
    check_length("proof", text.len(), TEXT_MAX)?;
    let Some((head, note)) = text.split_once("\n\n") else {
        return Err(NoteError::Malformed { line: 1, why: "an empty line parts the proof from its checkpoint" });
    };
    let lines: Vec<&str> = head.split('\n').collect();
    if lines.first() != Some(&first) {
        return Err(NoteError::Malformed { line: 1, why: "not the first line of this kind of proof" });
    }
    let below = lines.len() + 1;
    let checkpoint = SignedCheckpoint::parse(note).map_err(|error| match error {
        NoteError::Malformed { line, why } => NoteError::Malformed { line: below + line, why },
        other => other,
    })?;
    Ok((Head { lines, at: 1 }, checkpoint))
}

impl Head<'_> {
    fn next_is(&self, word: &str) -> bool {
        self.lines.get(self.at).is_some_and(|line| line.starts_with(word))
    }

    /// What stands on the next line after this word.
    fn field<T>(
        &mut self,
        word: &str,
        why: &'static str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Result<T, NoteError> {
        let value = self.lines.get(self.at).and_then(|line| line.strip_prefix(word)).and_then(read);
        self.at += 1;
        value.ok_or(NoteError::Malformed { line: self.at, why })
    }

    fn path(&self) -> Result<Vec<Hash>, NoteError> {
        let lines = self.lines.iter().enumerate().skip(self.at);
        let malformed = |line| NoteError::Malformed { line: line + 1, why: "a hash of 32 bytes in base64" };
        lines.map(|(at, line)| hash(line).ok_or(malformed(at))).collect()
    }
}

fn hash(text: &str) -> Option<Hash> {
    base64_in(text).and_then(|bytes| bytes.try_into().ok())
}

#[cfg(test)]
mod tests;
