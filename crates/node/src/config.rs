//! `config.toml`: what one node's operator decides; everything that partners share is in the charter.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use thiserror::Error;
use url::Url;
use watchfire_charter::multiaddress;
use watchfire_types::{ChainId, MemberId, OperatorId, OrganisationId};

use crate::keys::PasswordSource;

/// Largest configuration or charter file: 1 MiB.
const FILE_BYTES_MAX: u64 = 1 << 20;
/// Most endpoints per chain.
const ENDPOINTS_MAX: usize = 16;
/// Most that a chain's patience may be.
const PATIENCE_MAX: u32 = 100;

/// Why a configuration cannot be used.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// The configuration cannot be read.
    #[error("cannot read {}: {source}; give the node's config.toml with --config", path.display())]
    NoConfig {
        /// File.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// File.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Larger than any honest file.
    #[error("{} is larger than {FILE_BYTES_MAX} bytes", path.display())]
    TooLarge {
        /// File.
        path: PathBuf,
    },
    /// Not TOML, an unknown key, or a value of the wrong type; the message has line and column.
    #[error("{} is malformed: {message}", path.display())]
    Malformed {
        /// File.
        path: PathBuf,
        /// The parser's message with line, column and the text.
        message: String,
    },
    /// Readable, but wrong: all that is wrong at once.
    #[error("{} does not fit: {}", path.display(), faults.join("; "))]
    Faults {
        /// File.
        path: PathBuf,
        /// One line each: key, what is wrong, what to do.
        faults: Vec<String>,
    },
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
    /// Chains.
    pub chains: BTreeMap<ChainId, ChainSection>,
}

/// One `[[chain]]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChainSection {
    /// EIP-155 chain id.
    pub id: ChainId,
    /// Equal answers from distinct operators that a fact takes.
    pub agree: usize,
    /// How many times as long as usual its operators are waited for: 1 unless the machine or the way to them is slow.
    #[serde(default = "default_patience")]
    pub patience: u32,
    /// Endpoints.
    #[serde(default)]
    pub endpoint: Vec<EndpointSection>,
}

fn default_patience() -> u32 {
    1
}

/// One `[[chain.endpoint]]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
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
    #[serde(default = "default_requests_per_second")]
    pub requests_per_second: u32,
    /// Takes transactions and is never asked: a private builder or a sequencer.
    #[serde(default)]
    pub submit_only: bool,
    /// Asked for evidence only: a second operator's word for what is kept, never for what is decided.
    #[serde(default)]
    pub evidence_only: bool,
}

fn default_requests_per_second() -> u32 {
    25
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    member: MemberId,
    organisation: OrganisationId,
    charter: PathBuf,
    network: NetworkSection,
    #[serde(default)]
    keys: KeysSection,
    #[serde(default)]
    evidence: EvidenceSection,
    #[serde(default)]
    chain: Vec<ChainSection>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EvidenceSection {
    retention_days: u32,
}

impl Default for EvidenceSection {
    fn default() -> Self {
        Self { retention_days: crate::evidence::retention::RETENTION_DAYS }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NetworkSection {
    listen: Vec<String>,
    #[serde(default)]
    peers: BTreeMap<MemberId, Vec<String>>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct KeysSection {
    password_file: Option<PathBuf>,
    password_env: Option<String>,
    credential: Option<String>,
}

/// Reads a text file of at most 1 MiB.
///
/// # Errors
/// [`ConfigError::Read`], [`ConfigError::TooLarge`].
pub fn read_text(path: &Path) -> Result<String, ConfigError> {
    use std::io::Read as _;
    let read = |source| ConfigError::Read { path: path.to_owned(), source };
    let mut text = String::new();
    let file = std::fs::File::open(path).map_err(read)?;
    file.take(FILE_BYTES_MAX + 1).read_to_string(&mut text).map_err(read)?;
    if text.len() as u64 > FILE_BYTES_MAX {
        return Err(ConfigError::TooLarge { path: path.to_owned() });
    }
    Ok(text)
}

impl Config {
    /// Reads and validates a configuration file by itself, without its charter.
    ///
    /// # Errors
    /// [`ConfigError`]; all faults of content at once.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let text = read_text(path).map_err(|error| match error {
            ConfigError::Read { path, source } => ConfigError::NoConfig { path, source },
            error => error,
        })?;
        Self::parse(path, &text)
    }

    fn parse(path: &Path, text: &str) -> Result<Self, ConfigError> {
        let malformed = |error: toml::de::Error| ConfigError::Malformed {
            path: path.to_owned(),
            message: error.to_string().trim_end().to_owned(),
        };
        let file: File = toml::from_str(text).map_err(malformed)?;
        let faults = file.faults();
        if !faults.is_empty() {
            return Err(ConfigError::Faults { path: path.to_owned(), faults });
        }
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        Ok(Self {
            directory: parent.to_owned(),
            path: path.to_owned(),
            member: file.member,
            organisation: file.organisation,
            charter: parent.join(file.charter),
            listen: file.network.listen,
            peers: file.network.peers,
            password: file.keys.source(parent),
            retention_days: file.evidence.retention_days,
            chains: file.chain.into_iter().map(|chain| (chain.id, chain)).collect(),
        })
    }
}

impl KeysSection {
    fn source(self, directory: &Path) -> PasswordSource {
        match (self.password_file, self.password_env, self.credential) {
            (Some(file), _, _) => PasswordSource::File(directory.join(file)),
            (None, Some(name), _) => PasswordSource::Environment(name),
            (None, None, Some(name)) => PasswordSource::Credential(name),
            (None, None, None) => PasswordSource::Terminal,
        }
    }
}

impl File {
    fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        let sources =
            [self.keys.password_file.is_some(), self.keys.password_env.is_some(), self.keys.credential.is_some()];
        if sources.into_iter().filter(|given| *given).count() > 1 {
            faults.push("keys: give only one of password_file, password_env and credential".to_owned());
        }
        if self.network.listen.is_empty() {
            faults.push("network.listen: give at least one multiaddress, such as \"/ip4/0.0.0.0/tcp/9001\"".to_owned());
        }
        for address in &self.network.listen {
            if let Err(error) = multiaddress::check_listen(address) {
                faults.push(format!("network.listen: {error}; write it like \"/ip4/0.0.0.0/tcp/9001\""));
            }
        }
        for address in self.network.peers.values().flatten() {
            if let Err(error) = multiaddress::check_dial(address) {
                faults.push(format!("network.peers: {error}; write it like \"/ip4/203.0.113.1/tcp/9001\""));
            }
        }
        let mut ids = BTreeSet::new();
        for chain in &self.chain {
            if !ids.insert(chain.id) {
                faults.push(format!("chain {}: named twice; keep one section per chain id", chain.id));
            }
            chain.faults(&mut faults);
        }
        faults
    }
}

impl ChainSection {
    /// Distinct operators behind the endpoints that are asked for views and decisions.
    #[must_use]
    pub fn operators(&self) -> BTreeSet<&OperatorId> {
        let asked = self.endpoint.iter().filter(|endpoint| !endpoint.submit_only && !endpoint.evidence_only);
        asked.map(|endpoint| &endpoint.operator).collect()
    }

    fn faults(&self, faults: &mut Vec<String>) {
        let id = self.id;
        if self.endpoint.is_empty() || self.endpoint.len() > ENDPOINTS_MAX {
            faults.push(format!("chain {id}: give 1 to {ENDPOINTS_MAX} [[chain.endpoint]] sections"));
        }
        let operators = self.operators().len();
        if self.agree == 0 || self.agree > operators {
            faults.push(format!(
                "chain {id}: agree = {} needs that many distinct operators and at least 1; the endpoints have \
                 {operators}, those of submit_only and evidence_only endpoints not counted",
                self.agree
            ));
        }
        if !(1..=PATIENCE_MAX).contains(&self.patience) {
            faults.push(format!("chain {id}: patience must be 1 to {PATIENCE_MAX}"));
        }
        let mut names = BTreeSet::new();
        for endpoint in &self.endpoint {
            let name = &endpoint.name;
            if !names.insert(name) {
                faults.push(format!(
                    "chain {id}: endpoint {name:?} is named twice; names tell endpoints apart in status"
                ));
            }
            if !matches!(endpoint.http.scheme(), "http" | "https") {
                faults.push(format!("chain {id}: endpoint {name:?}: http must be an http:// or https:// address"));
            }
            if endpoint.ws.as_ref().is_some_and(|ws| !matches!(ws.scheme(), "ws" | "wss")) {
                faults.push(format!("chain {id}: endpoint {name:?}: ws must be a ws:// or wss:// address"));
            }
            if endpoint.requests_per_second == 0 {
                faults.push(format!("chain {id}: endpoint {name:?}: requests_per_second must be at least 1"));
            }
        }
    }
}

#[cfg(test)]
mod tests;
