//! What a front end is made of, signed by the organisation that released it: every file that is served, with its hash.
//!
//! A release is a signed note (c2sp.org/signed-note), kind 1, of this text, each line ending in a newline:
//!
//! ```text
//! watchfire release 1
//! NAME OF THE RELEASE
//! SHA-256 IN 64 HEX DIGITS, A SPACE, A PATH
//! ...
//! ```
//!
//! Paths are relative, with `/` between their parts, sorted, none twice; `index.html` is what its directory is served as. A page is pinned whole, bytes
//! of the HTML included: what it loads, and every line of script in it, is then pinned without anybody having to understand HTML.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signature, Signer as _, SigningKey};
use sha2::{Digest as _, Sha256};
use thiserror::Error;
use watchfire_transparency::{NAME_MAX, Note, NoteError, NoteSignature, log_key_id, log_verifier_key};
use watchfire_types::signed::verifying_key;
use watchfire_types::{B256, MemberKey};

/// First line of every release.
const HEAD: &str = "watchfire release 1";
/// Most files.
pub const FILES_MAX: usize = 512;
/// Longest file that is hashed, or fetched to be held against a release, bytes.
pub const FILE_BYTES_MAX: usize = 32 << 20;
/// Longest path, and longest name of a release, bytes.
const PATH_MAX: usize = 256;
/// What a directory is served as.
const INDEX: &str = "index.html";

/// Why there is no release.
#[derive(Debug, Error)]
pub enum ReleaseError {
    /// The file system refuses.
    #[error("cannot read {}: {source}; {}", path.display(), crate::config::unreadable(source))]
    Read {
        /// What.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Something in the directory cannot be in a release.
    #[error("{}: {why}; take it out of the directory", path.display())]
    Unfit {
        /// What.
        path: PathBuf,
        /// Why.
        why: &'static str,
    },
    /// No signed note.
    #[error("it is no signed note: {0}; make it with `watchfire release sign`")]
    Note(#[from] NoteError),
    /// Not as a release is written.
    #[error("line {line}: {why}; make it with `watchfire release sign`")]
    Malformed {
        /// Line, from 1.
        line: usize,
        /// What should be there.
        why: &'static str,
    },
    /// No name for a key.
    #[error("a key's name has no blanks and no `+`, such as app.alder.example; give it another")]
    Key(#[from] NoReleaseKey),
    /// Nobody known signed it.
    #[error("no key that is named signed it; name its key, or have it signed")]
    Unsigned,
}

/// A key that signs releases, in public: `NAME+ID+KEY` (c2sp.org/signed-note), the id in 8 hex digits, kind and key in base64.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReleaseKey {
    name: String,
    key: MemberKey,
}

/// Why a text is no such key.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("it is no NAME+ID+KEY with an Ed25519 key, as `watchfire release key` prints it")]
pub struct NoReleaseKey;

impl ReleaseKey {
    /// The public part of a key under a name without blanks and `+`.
    ///
    /// # Errors
    /// [`NoReleaseKey`].
    pub fn of(name: &str, key: &SigningKey) -> Result<Self, NoReleaseKey> {
        Self::new(name, MemberKey::from_bytes(key.verifying_key().to_bytes()))
    }

    fn new(name: &str, key: MemberKey) -> Result<Self, NoReleaseKey> {
        let odd = |c: char| c == '+' || c.is_whitespace() || c.is_control();
        let sound = !name.is_empty() && name.len() <= NAME_MAX && !name.contains(odd) && verifying_key(key).is_some();
        sound.then(|| Self { name: name.to_owned(), key }).ok_or(NoReleaseKey)
    }

    fn signed(&self, note: &Note) -> bool {
        let Some(key) = verifying_key(self.key) else { return false };
        let mut own = note.signatures_of(&self.name, log_key_id(&self.name, &self.key));
        own.any(|line| {
            let signature = Signature::from_slice(&line.signature);
            signature.is_ok_and(|signature| key.verify_strict(note.text.as_bytes(), &signature).is_ok())
        })
    }
}

impl fmt::Display for ReleaseKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&log_verifier_key(&self.name, &self.key))
    }
}

impl FromStr for ReleaseKey {
    type Err = NoReleaseKey;

    fn from_str(text: &str) -> Result<Self, NoReleaseKey> {
        let (name, rest) = text.split_once('+').ok_or(NoReleaseKey)?;
        let (_, key) = rest.split_once('+').ok_or(NoReleaseKey)?;
        let bytes = STANDARD.decode(key).map_err(|_| NoReleaseKey)?;
        let key: [u8; 32] = bytes.strip_prefix(&[1]).and_then(|key| key.try_into().ok()).ok_or(NoReleaseKey)?;
        let key = Self::new(name, MemberKey::from_bytes(key))?;
        // The id in the middle is what the others make it.
        if key.to_string() == text { Ok(key) } else { Err(NoReleaseKey) }
    }
}

/// What is served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Release {
    /// Its name for people, such as `app 1.4.2`.
    pub name: String,
    /// SHA-256 by path; at least one, at most [`FILES_MAX`].
    pub files: BTreeMap<String, B256>,
}

impl Release {
    /// Hashes everything below a directory.
    ///
    /// # Errors
    /// [`ReleaseError`] with the path.
    pub fn of_directory(directory: &Path, name: &str) -> Result<Self, ReleaseError> {
        let mut files = BTreeMap::new();
        let mut open = vec![(directory.to_owned(), String::new())];
        while let Some((directory, prefix)) = open.pop() {
            let failed = |source| ReleaseError::Read { path: directory.clone(), source };
            for entry in fs::read_dir(&directory).map_err(failed)? {
                let entry = entry.map_err(failed)?;
                let path = entry.path();
                let unfit = |why| ReleaseError::Unfit { path: path.clone(), why };
                let name = entry.file_name().into_string().map_err(|_| unfit("its name is no UTF-8 text"))?;
                let place = format!("{prefix}{name}");
                check_path(&place).map_err(unfit)?;
                let kind = entry.file_type().map_err(failed)?;
                if kind.is_dir() {
                    open.push((path.clone(), format!("{place}/")));
                } else if kind.is_file() {
                    files.insert(place, hash_of(&path)?);
                } else {
                    return Err(unfit("it is neither a file nor a directory"));
                }
                if files.len() > FILES_MAX || open.len() > FILES_MAX {
                    return Err(unfit("with it there are more than 512 files or directories"));
                }
            }
        }
        let release = Self { name: name.to_owned(), files };
        Self::parse(&release.text()).map(|_| release)
    }

    /// The release as a note that this key signs.
    ///
    /// # Errors
    /// [`ReleaseError::Key`] where the name is none for a key, [`ReleaseError::Note`] where there is too much for a note.
    pub fn sign(&self, name: &str, key: &SigningKey) -> Result<String, ReleaseError> {
        let ReleaseKey { name, key: public } = ReleaseKey::of(name, key)?;
        let text = self.text();
        let signature = key.sign(text.as_bytes()).to_bytes().to_vec();
        let key_id = log_key_id(&name, &public);
        let note = Note { text, signatures: vec![NoteSignature { name, key_id, signature }] }.to_string();
        // What is made here is read there.
        Note::parse(&note)?;
        Ok(note)
    }

    /// A release that one of these keys signed.
    ///
    /// # Errors
    /// [`ReleaseError`].
    pub fn read(note: &str, keys: &[ReleaseKey]) -> Result<Self, ReleaseError> {
        let note = Note::parse(note)?;
        if !keys.iter().any(|key| key.signed(&note)) {
            return Err(ReleaseError::Unsigned);
        }
        Self::parse(&note.text)
    }

    fn text(&self) -> String {
        let files = self.files.iter().map(|(path, hash)| format!("{} {path}\n", hex::encode(hash)));
        format!("{HEAD}\n{}\n{}", self.name, files.collect::<String>())
    }

    fn parse(text: &str) -> Result<Self, ReleaseError> {
        let malformed = |line, why| ReleaseError::Malformed { line, why };
        let mut lines = text.lines().enumerate();
        if lines.next().is_none_or(|(_, line)| line != HEAD) {
            return Err(malformed(1, "it begins with `watchfire release 1`"));
        }
        let name = lines.next().map_or("", |(_, name)| name);
        if name.is_empty() || name.len() > PATH_MAX || name.chars().any(char::is_control) {
            return Err(malformed(2, "a name of 1 to 256 bytes stands there"));
        }
        let mut files: BTreeMap<String, B256> = BTreeMap::new();
        for (at, line) in lines {
            let refused = |why| malformed(at + 1, why);
            let (hash, path) = line.split_once(' ').ok_or_else(|| refused("a hash and a path stand there"))?;
            let is_lower = hash.bytes().all(|byte| !byte.is_ascii_uppercase());
            let hash = hex::decode(hash).ok().filter(|hash| hash.len() == 32 && is_lower);
            let hash = hash.ok_or_else(|| refused("a hash has 64 hex digits in lower case"))?;
            check_path(path).map_err(refused)?;
            if files.last_key_value().is_some_and(|(last, _)| last.as_str() >= path) || files.len() == FILES_MAX {
                return Err(refused("paths are sorted, none is there twice, and there are at most 512"));
            }
            files.insert(path.to_owned(), B256::from_slice(&hash));
        }
        if files.is_empty() {
            return Err(malformed(3, "no file is named"));
        }
        Ok(Self { name: name.to_owned(), files })
    }
}

/// Where a path is served, below the page's directory.
pub fn served_at(path: &str) -> &str {
    match path.strip_suffix(INDEX) {
        Some(directory) if directory.is_empty() || directory.ends_with('/') => directory,
        _ => path,
    }
}

fn check_path(path: &str) -> Result<(), &'static str> {
    let plain = |part: &str| !matches!(part, "" | "." | "..");
    if path.len() > PATH_MAX || path.chars().any(|c| c.is_control() || c == '\\') || !path.split('/').all(plain) {
        return Err("a path has 1 to 256 bytes, and no empty, `.` or `..` part, backslash or control character");
    }
    Ok(())
}

fn hash_of(path: &Path) -> Result<B256, ReleaseError> {
    let failed = |source| ReleaseError::Read { path: path.to_owned(), source };
    let mut bytes = Vec::new();
    File::open(path).map_err(failed)?.take(FILE_BYTES_MAX as u64 + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() > FILE_BYTES_MAX {
        return Err(ReleaseError::Unfit { path: path.to_owned(), why: "it is longer than 32 MiB" });
    }
    Ok(B256::from(<[u8; 32]>::from(Sha256::digest(&bytes))))
}

#[cfg(test)]
mod tests;
