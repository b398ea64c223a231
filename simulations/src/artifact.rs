//! Creation bytecode: of the drill's own contracts (committed, see `contracts/compile.mjs`) and of the Safe's (from npm).

use std::path::{Path, PathBuf};

use bytes::Bytes;
use serde::Deserialize;
use thiserror::Error;

/// The vault with the hole.
pub const VAULT: &str = include_str!("../contracts/Vault.json");
/// The contract that drains it.
pub const ATTACKER: &str = include_str!("../contracts/Attacker.json");
/// The Safe guard that lets nothing pass.
pub const BLOCKING_GUARD: &str = include_str!("../contracts/BlockingGuard.json");

/// Contracts of `@safe-global/safe-smart-account`, by the path of their artifact.
pub mod safe {
    /// Singleton.
    pub const SINGLETON: &str = "Safe.sol/Safe.json";
    /// Proxy factory.
    pub const FACTORY: &str = "proxies/SafeProxyFactory.sol/SafeProxyFactory.json";
    /// Batches of plain calls.
    pub const MULTI_SEND_CALL_ONLY: &str = "libraries/MultiSendCallOnly.sol/MultiSendCallOnly.json";
}

/// Why there is no bytecode.
#[derive(Debug, Error)]
pub enum ArtifactError {
    /// The file cannot be read.
    #[error("cannot read the contract artifact {path}: {source}; delete node_modules beside it and run this again", path = path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is no artifact.
    #[error("{name} is no contract artifact with bytecode; delete node_modules beside it and run this again")]
    Shape {
        /// Which.
        name: String,
    },
}

#[derive(Deserialize)]
struct Artifact {
    bytecode: String,
}

/// Creation bytecode of an artifact's JSON text; `name` appears in the error only.
///
/// # Errors
/// When the text is no artifact.
pub fn bytecode(name: &str, json: &str) -> Result<Bytes, ArtifactError> {
    let shape = || ArtifactError::Shape { name: name.to_owned() };
    let artifact: Artifact = serde_json::from_str(json).map_err(|_| shape())?;
    let code = hex::decode(artifact.bytecode.trim_start_matches("0x")).map_err(|_| shape())?;
    if code.is_empty() { Err(shape()) } else { Ok(code.into()) }
}

/// Creation bytecode of one of the Safe's contracts under an installed `node_modules`.
///
/// # Errors
/// When it is not there.
pub fn safe_bytecode(modules: &Path, contract: &str) -> Result<Bytes, ArtifactError> {
    let path = modules.join("@safe-global/safe-smart-account/build/artifacts/contracts").join(contract);
    let json = std::fs::read_to_string(&path).map_err(|source| ArtifactError::File { path, source })?;
    bytecode(contract, &json)
}

#[cfg(test)]
mod tests;
