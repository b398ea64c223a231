//! Signed notes (c2sp.org/signed-note): a text, and lines of signatures over it.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use watchfire_types::{MemberKey, sha256};

use crate::error::NoteError;

/// Longest note that is read, bytes.
pub const NOTE_MAX: usize = 64 * 1024;
/// Most signature lines that are read.
pub const SIGNATURES_MAX: usize = 128;
/// Longest key name, bytes: an origin has at most 174.
pub const NAME_MAX: usize = 256;
/// Longest signature that is read, bytes; those of other schemes are kept and not looked into.
const SIGNATURE_MAX: usize = 6 * 1024;
/// What a signature line begins with.
const DASH: &str = "\u{2014} ";

/// The first bytes of the hash of a key's name, kind and bytes: an identifier, no proof.
pub type KeyId = [u8; 4];

/// Key id of an Ed25519 key that signs the note's text (kind 1).
#[must_use]
pub fn log_key_id(name: &str, key: &MemberKey) -> KeyId {
    key_id(name, 0x01, key)
}

/// Key id of an Ed25519 key that cosigns checkpoints with a time (kind 4).
#[must_use]
pub fn cosigner_key_id(name: &str, key: &MemberKey) -> KeyId {
    key_id(name, 0x04, key)
}

fn key_id(name: &str, kind: u8, key: &MemberKey) -> KeyId {
    let hash = sha256(&[name.as_bytes(), &[b'\n', kind], key.as_bytes()]);
    [hash[0], hash[1], hash[2], hash[3]]
}

/// The key of [`log_key_id`] as C2SP tools take it: `<name>+<key id>+<kind and key in base64>`.
#[must_use]
pub fn log_verifier_key(name: &str, key: &MemberKey) -> String {
    verifier_key(name, 0x01, key)
}

/// The key of [`cosigner_key_id`] in the same form.
#[must_use]
pub fn cosigner_verifier_key(name: &str, key: &MemberKey) -> String {
    verifier_key(name, 0x04, key)
}

fn verifier_key(name: &str, kind: u8, key: &MemberKey) -> String {
    let id = u32::from_be_bytes(key_id(name, kind, key));
    format!("{name}+{id:08x}+{}", STANDARD.encode([&[kind], key.as_bytes().as_slice()].concat()))
}

/// One signature line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoteSignature {
    /// Key name: not empty, without white space and `+`, at most [`NAME_MAX`] bytes.
    pub name: String,
    /// Key id.
    pub key_id: KeyId,
    /// The signature in its scheme's form.
    pub signature: Vec<u8>,
}

impl fmt::Display for NoteSignature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{DASH}{} {}", self.name, STANDARD.encode([&self.key_id[..], &self.signature].concat()))
    }
}

/// A text and its signature lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// The signed text: ends in a newline.
    pub text: String,
    /// At least one line.
    pub signatures: Vec<NoteSignature>,
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        self.signatures.iter().try_for_each(|signature| signature.fmt(f))
    }
}

impl Note {
    /// Reads a note. What is read prints the same bytes again.
    ///
    /// # Errors
    /// [`NoteError`], with the line.
    pub fn parse(note: &str) -> Result<Self, NoteError> {
        check_length("note", note.len(), NOTE_MAX)?;
        let control = |line: &str| line.chars().any(|c| c < ' ');
        if let Some(at) = note.split('\n').position(control) {
            return Err(NoteError::Malformed { line: at + 1, why: "control characters have no place in a note" });
        }
        // The last empty line parts text and signatures.
        let Some((text, lines)) = note.rsplit_once("\n\n") else {
            let line = note.lines().count();
            return Err(NoteError::Malformed { line, why: "an empty line parts the text from its signatures" });
        };
        let first = text.split('\n').count() + 2;
        let Some(lines) = lines.strip_suffix('\n').filter(|lines| !lines.is_empty()) else {
            return Err(NoteError::Malformed { line: first, why: "signature lines, each ending in a newline" });
        };
        if lines.split('\n').count() > SIGNATURES_MAX {
            return Err(NoteError::Malformed { line: first, why: "at most 128 signature lines are read" });
        }
        let line = |(at, line): (usize, &str)| {
            signature_line(line).map_err(|why| NoteError::Malformed { line: first + at, why })
        };
        let signatures = lines.split('\n').enumerate().map(line).collect::<Result<_, _>>()?;
        Ok(Self { text: format!("{text}\n"), signatures })
    }

    /// The signature lines of this name and key id.
    pub fn signatures_of<'a>(&'a self, name: &'a str, key_id: KeyId) -> impl Iterator<Item = &'a NoteSignature> {
        self.signatures.iter().filter(move |line| line.name == name && line.key_id == key_id)
    }
}

fn signature_line(line: &str) -> Result<NoteSignature, &'static str> {
    let form = "a signature line: an em dash, the key's name and its signature in base64";
    let (name, encoded) = line.strip_prefix(DASH).and_then(|rest| rest.split_once(' ')).ok_or(form)?;
    if name.is_empty() || name.len() > NAME_MAX || name.contains(|c: char| c == '+' || c.is_whitespace()) {
        return Err("a key name has 1 to 256 bytes, and neither white space nor `+`");
    }
    let bytes = base64_in(encoded).ok_or(form)?;
    let (key_id, signature) = bytes.split_first_chunk::<4>().ok_or("a signature begins with a key id of 4 bytes")?;
    if signature.is_empty() || signature.len() > SIGNATURE_MAX {
        return Err("a signature has 1 to 6,144 bytes");
    }
    Ok(NoteSignature { name: name.to_owned(), key_id: *key_id, signature: signature.to_vec() })
}

/// Standard base64 with padding, in its one canonical form.
pub(crate) fn base64_in(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text).ok()
}

pub(crate) fn base64_out(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

pub(crate) fn check_length(what: &'static str, found: usize, limit: usize) -> Result<(), NoteError> {
    if found <= limit { Ok(()) } else { Err(NoteError::TooLong { what, found, limit }) }
}

/// A decimal number without leading zeros.
pub(crate) fn decimal(text: &str) -> Option<u64> {
    let plain = text == "0" || (!text.starts_with('0') && text.bytes().all(|byte| byte.is_ascii_digit()));
    if plain { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests;
