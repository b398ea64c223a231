//! Checkpoints with their signature lines: made from given signatures, verified with given keys.

use std::collections::BTreeMap;
use std::fmt;

use watchfire_types::memory::holds_strictly;
use watchfire_types::signed::verifying_key;
use watchfire_types::{MemberId, MemberKey};

use crate::checkpoint::{Checkpoint, witness_name};
use crate::error::NoteError;
use crate::note::{Note, NoteSignature, cosigner_key_id, log_key_id};

/// Latest time of a cosignature (c2sp.org/tlog-cosignature).
const TIME_MAX: u64 = i64::MAX as u64;

/// A checkpoint and the lines under it. What the lines say is not checked until [`SignedCheckpoint::verify`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedCheckpoint {
    checkpoint: Checkpoint,
    signatures: Vec<NoteSignature>,
}

/// A witness's line that verified.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Witnessed {
    /// Witness.
    pub witness: MemberId,
    /// POSIX time at which it says it saw the checkpoint, seconds.
    pub time_s: u64,
    /// Its Ed25519 signature over [`Checkpoint::cosigned_text`].
    pub signature: [u8; 64],
}

impl SignedCheckpoint {
    /// A checkpoint with its author's signature over [`Checkpoint::text`].
    #[must_use]
    pub fn new(checkpoint: Checkpoint, author: &MemberKey, signature: &[u8; 64]) -> Self {
        let name = checkpoint.origin.to_string();
        let key_id = log_key_id(&name, author);
        Self { checkpoint, signatures: vec![NoteSignature { name, key_id, signature: signature.to_vec() }] }
    }

    /// Adds a witness's line; `key` is the witness's.
    pub fn witnessed(&mut self, witnessed: &Witnessed, key: &MemberKey) {
        let name = witness_name(&self.checkpoint.origin.network, &witnessed.witness);
        let key_id = cosigner_key_id(&name, key);
        let signature = [&witnessed.time_s.to_be_bytes()[..], &witnessed.signature].concat();
        self.signatures.push(NoteSignature { name, key_id, signature });
    }

    /// Reads a signed checkpoint. What is read prints the same bytes again.
    ///
    /// # Errors
    /// [`NoteError`], with the line.
    pub fn parse(text: &str) -> Result<Self, NoteError> {
        let Note { text, signatures } = Note::parse(text)?;
        Ok(Self { checkpoint: Checkpoint::parse(&text)?, signatures })
    }

    /// What is claimed.
    #[must_use]
    pub fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// The signature lines, as they stand.
    #[must_use]
    pub fn signatures(&self) -> &[NoteSignature] {
        &self.signatures
    }

    /// The author's signature over [`Checkpoint::text`], checked strictly.
    ///
    /// # Errors
    /// [`NoteError::NotSigned`] without a line of that key, [`NoteError::BadSignature`] when it does not verify.
    pub fn author(&self, author: &MemberKey) -> Result<[u8; 64], NoteError> {
        let name = self.checkpoint.origin.to_string();
        let key_id = log_key_id(&name, author);
        let text = self.checkpoint.text();
        let Some(line) = self.lines(&name, key_id).next() else {
            return Err(NoteError::NotSigned { name, key: *author });
        };
        let signature = <[u8; 64]>::try_from(line.signature.as_slice()).ok();
        let signature = signature.filter(|signature| strict(author, text.as_bytes(), signature));
        signature.ok_or(NoteError::BadSignature { name })
    }

    /// Checks the author's line and every line of a known witness, strictly. Lines of unknown keys say nothing and are passed over;
    /// the author's own line as a witness does not count. At most one line of a witness, its latest, is answered.
    ///
    /// # Errors
    /// [`NoteError`] when the author's line is missing, or a line of a known key does not verify.
    pub fn verify(
        &self,
        author: &MemberKey,
        witnesses: &BTreeMap<MemberId, MemberKey>,
    ) -> Result<Vec<Witnessed>, NoteError> {
        self.author(author)?;
        let mut found: BTreeMap<&MemberId, Witnessed> = BTreeMap::new();
        for (member, key) in witnesses.iter().filter(|(_, key)| *key != author) {
            let name = witness_name(&self.checkpoint.origin.network, member);
            for line in self.lines(&name, cosigner_key_id(&name, key)) {
                let bad = || NoteError::BadSignature { name: name.clone() };
                let witnessed = cosignature(member, &line.signature).ok_or_else(bad)?;
                if !cosigned(&self.checkpoint, key, witnessed.time_s, &witnessed.signature) {
                    return Err(bad());
                }
                if found.get(member).is_none_or(|held| held.time_s < witnessed.time_s) {
                    found.insert(member, witnessed);
                }
            }
        }
        Ok(found.into_values().collect())
    }

    fn lines<'a>(&'a self, name: &'a str, key_id: [u8; 4]) -> impl Iterator<Item = &'a NoteSignature> {
        self.signatures.iter().filter(move |line| line.name == name && line.key_id == key_id)
    }
}

impl fmt::Display for SignedCheckpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Note { text: self.checkpoint.text(), signatures: self.signatures.clone() }.fmt(f)
    }
}

/// Whether this is the author's signature over [`Checkpoint::text`].
#[must_use]
pub fn signed(checkpoint: &Checkpoint, author: &MemberKey, signature: &[u8; 64]) -> bool {
    strict(author, checkpoint.text().as_bytes(), signature)
}

/// Whether this is a witness's signature over [`Checkpoint::cosigned_text`].
#[must_use]
pub fn cosigned(checkpoint: &Checkpoint, witness: &MemberKey, time_s: u64, signature: &[u8; 64]) -> bool {
    time_s <= TIME_MAX && strict(witness, checkpoint.cosigned_text(time_s).as_bytes(), signature)
}

fn cosignature(witness: &MemberId, bytes: &[u8]) -> Option<Witnessed> {
    let (time, signature) = bytes.split_first_chunk::<8>()?;
    let signature = signature.try_into().ok()?;
    Some(Witnessed { witness: witness.clone(), time_s: u64::from_be_bytes(*time), signature })
}

fn strict(key: &MemberKey, message: &[u8], signature: &[u8; 64]) -> bool {
    verifying_key(*key).is_some_and(|key| holds_strictly(&key, message, signature))
}

#[cfg(test)]
mod tests;
