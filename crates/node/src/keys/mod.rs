//! The three keys of a member: node identity (ed25519), guardian (Safe owner) and submitter (gas payer), both secp256k1.
//!
//! Promise: a secret exists outside its encrypted file only in memory that is wiped on drop; no secret is ever printed,
//! logged or put into an error; a key file that others can read is refused.

pub mod files;
pub mod keystore;
pub mod member_entry;
pub mod node_key;
pub mod password;
pub mod ring;
pub mod sealing;

use std::io;
use std::path::PathBuf;

use thiserror::Error;
use watchfire_types::NetworkId;

pub use files::KeyFiles;
pub use password::{Password, PasswordSource};
pub use ring::{KeyRing, UnboundKeys};

/// How much work a password guess costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Derivation {
    /// scrypt N = 2^18 for keystores (geth's standard), 2^14 for the node key (the most that OpenSSL reads by default).
    Strong,
    /// scrypt N = 2^4: drills and tests only, whose keys guard nothing.
    Light,
}

/// Why a key cannot be made, read or used. No variant carries secret bytes.
#[derive(Debug, Error)]
pub enum KeyError {
    /// Group or others may access the file.
    #[error("{} has permissions {mode:04o}: others could use the key; run `chmod 600 {}`", path.display(), path.display())]
    LoosePermissions {
        /// File.
        path: PathBuf,
        /// Permission bits.
        mode: u32,
    },
    /// A key is never overwritten.
    #[error("{} exists already, and keys are never overwritten; move it away or choose another directory", path.display())]
    Exists {
        /// File.
        path: PathBuf,
    },
    /// The operating system refused.
    #[error("cannot {action} {}: {source}; {}", path.display(), crate::config::unreadable(source))]
    Io {
        /// What was tried: `read`, `create`, ...
        action: &'static str,
        /// File or directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// What the password opens is no key, or the authentication code of the file does not match: damage looks the same.
    #[error(
        "wrong password for {}, or the file is damaged; check the password's source ([keys] in config.toml), and if that is \
         right, restore the file from its backup",
        path.display()
    )]
    WrongPassword {
        /// File.
        path: PathBuf,
    },
    /// The file is no key file of the expected kind.
    #[error(
        "{} is not a usable key file: {reason}; restore it from its backup, or name the right file: `watchfire init --help` lists \
         the kinds that can be imported",
        path.display()
    )]
    Malformed {
        /// File.
        path: PathBuf,
        /// One line.
        reason: String,
    },
    /// The guardian key belongs to another network.
    #[error(
        "guardian key {} is bound to network {bound}, this charter's network is {network}, and a guardian key serves one \
         network only; put that network's charter back, or make another key for this one with `watchfire init`",
        path.display()
    )]
    BoundElsewhere {
        /// File.
        path: PathBuf,
        /// Network in the keystore.
        bound: NetworkId,
        /// Network of the charter.
        network: NetworkId,
    },
    /// No password could be had.
    #[error("no password: {reason}")]
    NoPassword {
        /// What was tried and what to do.
        reason: String,
    },
    /// The operating system gave no entropy.
    #[error("the operating system gives no random bytes: {reason}; see that /dev/urandom can be read here")]
    Entropy {
        /// One line.
        reason: String,
    },
    /// A signature could not be made; a fault of the key, never of the message.
    #[error("cannot sign with {key}: {reason}; restore the key file from its backup")]
    Signing {
        /// Which key.
        key: &'static str,
        /// One line.
        reason: String,
    },
}

impl KeyError {
    /// Stable name in kebab-case, for programs.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::LoosePermissions { .. } => "key-permissions",
            Self::Exists { .. } => "key-exists",
            Self::Io { .. } => "key-unreadable",
            Self::WrongPassword { .. } => "wrong-password",
            Self::Malformed { .. } => "key-malformed",
            Self::BoundElsewhere { .. } => "key-bound-elsewhere",
            Self::NoPassword { .. } => "no-password",
            Self::Entropy { .. } => "no-entropy",
            Self::Signing { .. } => "cannot-sign",
        }
    }
}

/// What is wrong with the keys of a directory: at least one error.
#[derive(Debug, Error)]
#[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
pub struct KeyFaults(pub Vec<KeyError>);

impl From<KeyError> for KeyFaults {
    fn from(error: KeyError) -> Self {
        Self(vec![error])
    }
}

/// Fills an array with random bytes of the operating system.
pub(crate) fn random<const N: usize>() -> Result<[u8; N], KeyError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| KeyError::Entropy { reason: error.to_string() })?;
    Ok(bytes)
}
