//! `config.toml`: what one node's operator decides; everything that partners share is in the charter.

pub mod intake;
pub mod lookout;
mod read;

pub(crate) use read::is_here;
pub mod silence;

use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use thiserror::Error;
use url::Url;
use watchfire_charter::Fault;
use watchfire_types::{ChainId, DetectorId, MemberId, OperatorId, OrganisationId};

use self::intake::IntakeSection;
use self::lookout::LookoutSection;
use self::silence::SilenceSection;
use crate::keys::PasswordSource;

/// Largest configuration or charter file: 1 MiB.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// Why a configuration cannot be used.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// The configuration cannot be read.
    #[error("cannot read {}: {source}; give the node's config.toml with --config, `watchfire init` makes one", path.display())]
    NoConfig {
        /// File.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file cannot be read.
    #[error("cannot read {}: {source}; {}", path.display(), unreadable(source))]
    Read {
        /// File.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Larger than any honest file.
    #[error("{} is larger than {FILE_BYTES_MAX} bytes: it is another file than was meant, name the right one", path.display())]
    TooLarge {
        /// File.
        path: PathBuf,
    },
    /// Not UTF-8.
    #[error("{} line {line}: not UTF-8 text; save the file as UTF-8, or name the right one", path.display())]
    NotText {
        /// File.
        path: PathBuf,
        /// Line of the first byte that is none, from 1.
        line: usize,
    },
    /// Readable, but wrong: all that is wrong at once.
    #[error("{} has {} fault(s):\n{}", path.display(), faults.len(), lines(faults))]
    Faults {
        /// File.
        path: PathBuf,
        /// Each with line, key, what is wrong and what to do; in line order.
        faults: Vec<Fault>,
    },
}

/// What to do about a file that cannot be read.
pub(crate) fn unreadable(error: &std::io::Error) -> &'static str {
    match error.kind() {
        ErrorKind::NotFound => "put it there, or correct the path",
        ErrorKind::PermissionDenied => "run this as the user whom it belongs to, or correct its permissions",
        ErrorKind::IsADirectory => "name a file, not a directory",
        ErrorKind::InvalidData => "name a text file in UTF-8",
        _ => "see that the path is right and its disk sound",
    }
}

pub(crate) fn lines(faults: &[Fault]) -> String {
    faults.iter().map(|fault| format!("  {fault}")).collect::<Vec<_>>().join("\n")
}

/// A node's configuration; paths are resolved against the file's directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The node directory: where `config.toml` is.
    pub directory: PathBuf,
    /// The file itself.
    pub path: PathBuf,
    /// This member.
    pub member: MemberId,
    /// Its organisation.
    pub organisation: OrganisationId,
    /// The charter file.
    pub charter: PathBuf,
    /// Multiaddresses to listen on.
    pub listen: Vec<String>,
    /// Addresses of members that replace the charter's.
    pub peers: BTreeMap<MemberId, Vec<String>>,
    /// Where the keys' password comes from.
    pub password: PasswordSource,
    /// Days for which evidence is kept before a human may dispose of it.
    pub retention_days: u32,
    /// Where reports from outside the chain are taken, if they are.
    pub intake: Option<IntakeSection>,
    /// How long what should be heard may be silent, if that is to be said.
    pub silence: Option<SilenceSection>,
    /// What of the world outside the chain this node looks at by itself, by name.
    pub lookouts: BTreeMap<DetectorId, LookoutSection>,
    /// Chains.
    pub chains: BTreeMap<ChainId, ChainSection>,
}

/// One `[[chain]]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChainSection {
    /// EIP-155 chain id.
    pub id: ChainId,
    /// Equal answers from distinct operators that a fact takes.
    pub agree: usize,
    /// How many times as long as usual its operators are waited for: 1 unless the machine or the way to them is slow.
    pub patience: u32,
    /// Endpoints.
    pub endpoint: Vec<EndpointSection>,
}

/// One `[[chain.endpoint]]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndpointSection {
    /// Name for people.
    pub name: String,
    /// Who runs it.
    pub operator: OperatorId,
    /// JSON-RPC over HTTP.
    pub http: Url,
    /// JSON-RPC over WebSocket, for subscriptions.
    pub ws: Option<Url>,
    /// Request budget.
    pub requests_per_second: u32,
    /// Takes transactions and is never asked: a private builder or a sequencer.
    pub submit_only: bool,
    /// Asked for evidence only: a second operator's word for what is kept, never for what is decided.
    pub evidence_only: bool,
}

/// What can be had of a configuration file, sound or not: enough to look at the charter and the keys that it names too.
#[derive(Debug)]
pub struct Reading {
    /// The charter file.
    pub charter: Option<PathBuf>,
    /// Where the keys' password comes from.
    pub password: Option<PasswordSource>,
    /// All of it, or every fault.
    pub config: Result<Config, Vec<Fault>>,
}

/// Reads a text file of at most 1 MiB.
///
/// # Errors
/// [`ConfigError::Read`], [`ConfigError::TooLarge`], [`ConfigError::NotText`].
pub fn read_text(path: &Path) -> Result<String, ConfigError> {
    use std::io::Read as _;
    let read = |source| ConfigError::Read { path: path.to_owned(), source };
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(read)?;
    file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(read)?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(ConfigError::TooLarge { path: path.to_owned() });
    }
    String::from_utf8(bytes).map_err(|error| {
        let sound = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = sound.iter().filter(|byte| **byte == b'\n').count() + 1;
        ConfigError::NotText { path: path.to_owned(), line }
    })
}

/// The directory that a file is in.
pub(crate) fn directory_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

impl Config {
    /// Reads and validates a configuration file by itself, without its charter.
    ///
    /// # Errors
    /// [`ConfigError`]; all faults of content at once.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        Self::read(path)?.config.map_err(|faults| ConfigError::Faults { path: path.to_owned(), faults })
    }

    /// Reads what can be had of a configuration file.
    ///
    /// # Errors
    /// [`ConfigError`], but for [`ConfigError::Faults`]: these are in the result.
    pub fn read(path: &Path) -> Result<Reading, ConfigError> {
        let text = read_text(path).map_err(|error| match error {
            ConfigError::Read { path, source } => ConfigError::NoConfig { path, source },
            error => error,
        })?;
        Ok(read::document(path, &text))
    }
}

impl ChainSection {
    /// Distinct operators behind the endpoints that are asked for views and decisions.
    #[must_use]
    pub fn operators(&self) -> BTreeSet<&OperatorId> {
        let asked = self.endpoint.iter().filter(|endpoint| !endpoint.submit_only && !endpoint.evidence_only);
        asked.map(|endpoint| &endpoint.operator).collect()
    }
}

#[cfg(test)]
mod tests;
