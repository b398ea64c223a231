//! The real EVM node that a drill runs on by default, and the calls that only it knows.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde_json::json;
use thiserror::Error;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Child;
use url::Url;

use crate::child;
use crate::npm::{self, NpmError, Package};
use crate::rpc::{Rpc, RpcError};

/// The version that drills are held to.
const VERSION: [u32; 3] = [1, 7, 1];
/// Whether npm has that version for this platform.
const ON_NPM: bool = cfg!(all(target_os = "linux", target_arch = "x86_64"));
/// Private key of anvil's first pre-funded account: public knowledge, worth nothing anywhere else.
pub const FUNDER: &str = "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80";

/// Why there is no anvil.
#[derive(Debug, Error)]
pub enum AnvilError {
    /// Neither on PATH nor for this platform on npm.
    #[error(
        "anvil 1.7.1 or later is not on PATH and npm has no build of it for this platform: install it from \
         https://getfoundry.sh and run this again"
    )]
    NoBuild,
    /// The npm packages could not be installed.
    #[error(transparent)]
    Npm(#[from] NpmError),
    /// The process does not start.
    #[error("{path} does not start: {source}; install anvil 1.7.1 again, https://getfoundry.sh", path = path.display())]
    Start {
        /// Executable.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// It ended or kept silent instead of listening.
    #[error(
        "anvil did not begin to listen within {seconds} s; see what it said, and whether this machine is overloaded{said}"
    )]
    NotListening {
        /// How long the launcher waited.
        seconds: u64,
        /// Its last line, if any.
        said: String,
    },
    /// One of its own calls failed.
    #[error(transparent)]
    Rpc(#[from] RpcError),
}

/// Finds anvil: on PATH when it is the version that drills are held to (a later one will do where npm has none), else npm's build for this platform, installing it first if need be. Blocks.
///
/// # Errors
/// When neither exists.
pub fn locate(say: &dyn Fn(&str)) -> Result<PathBuf, AnvilError> {
    let found = std::env::var_os("PATH").and_then(|paths| on_path(&paths, |version| fits(version, ON_NPM)));
    if let Some(path) = found {
        return Ok(path);
    }
    if ON_NPM {
        let modules = npm::install(Package::Drill, say)?;
        // The platform binary itself: its node wrapper would leave it running when killed.
        let path = modules.join("@foundry-rs/anvil-linux-amd64/bin/anvil");
        if path.is_file() {
            return Ok(path);
        }
    }
    Err(AnvilError::NoBuild)
}

/// Two people who play one drill see one chain: another version is taken only where there is no choice.
fn fits(version: [u32; 3], on_npm: bool) -> bool {
    if on_npm { version == VERSION } else { version >= VERSION }
}

fn on_path(paths: &OsString, fits: impl Fn([u32; 3]) -> bool) -> Option<PathBuf> {
    std::env::split_paths(paths)
        .map(|directory| directory.join("anvil"))
        .find(|path| path.is_file() && version_of(path).is_some_and(&fits))
}

fn version_of(path: &Path) -> Option<[u32; 3]> {
    let output = std::process::Command::new(path).arg("--version").stdin(Stdio::null()).output().ok()?;
    parse_version(&String::from_utf8_lossy(&output.stdout))
}

/// `anvil Version: 1.7.1` and `anvil 1.7.1-stable (abc 2026-..)` are both in use.
fn parse_version(text: &str) -> Option<[u32; 3]> {
    let word =
        text.split_whitespace().find(|word| word.starts_with(|c: char| c.is_ascii_digit()) && word.contains('.'))?;
    let mut parts = word.split(['.', '-', '+']).map(|part| part.parse().ok());
    Some([parts.next()??, parts.next()??, parts.next()??])
}

/// A running anvil; killed when dropped, and with the launcher where the system can do that.
#[derive(Debug)]
pub struct Anvil {
    child: Child,
    url: Url,
}

impl Anvil {
    /// Starts it on a free port of the loopback, mining each transaction at once, and waits until it listens.
    ///
    /// # Errors
    /// When it does not start or does not listen within 20 s.
    pub async fn start(path: &Path, chain_id: u64) -> Result<Self, AnvilError> {
        const SECONDS: u64 = 20;
        let mut command = child::command(path);
        command
            .args(["--port", "0", "--host", "127.0.0.1", "--slots-in-an-epoch", "1", "--chain-id"])
            .arg(chain_id.to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true);
        let mut child = child::spawn(command).map_err(|source| AnvilError::Start { path: path.to_owned(), source })?;
        let mut said = String::new();
        let mut lines = BufReader::new(child.stdout.take().ok_or(AnvilError::NoBuild)?).lines();
        let listening = tokio::time::timeout(Duration::from_secs(SECONDS), async {
            while let Ok(Some(line)) = lines.next_line().await {
                if let Some(url) = line.strip_prefix("Listening on ").and_then(|at| format!("http://{at}").parse().ok())
                {
                    return Some(url);
                }
                if !line.trim().is_empty() {
                    said = format!(": {line}");
                }
            }
            None
        })
        .await;
        let Ok(Some(url)) = listening else {
            return Err(AnvilError::NotListening { seconds: SECONDS, said });
        };
        // Its log is never read again, but an unread full pipe would stop it.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Ok(Self { child, url })
    }

    /// Where it listens, for HTTP and WebSocket alike.
    #[must_use]
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// Ends it and waits until it is gone.
    pub async fn stop(mut self) {
        // Already gone is what was wanted.
        let _ = self.child.kill().await;
    }
}

/// From a block per transaction to a block per interval.
///
/// # Errors
/// When the node refuses, as every node but anvil does.
pub async fn mine_every(rpc: &Rpc, seconds: u64) -> Result<(), RpcError> {
    rpc.call("evm_setAutomine", json!([false])).await?;
    rpc.call("evm_setIntervalMining", json!([seconds])).await?;
    Ok(())
}

/// Multiplies the base fee of the next block, counted from 1 gwei at least: an idle chain's is next to nothing.
///
/// # Errors
/// When the node refuses, as every node but anvil does.
pub async fn spike_base_fee(rpc: &Rpc, factor: u64) -> Result<u128, RpcError> {
    let fee = rpc.base_fee().await?.max(1_000_000_000).saturating_mul(u128::from(factor));
    rpc.call("anvil_setNextBlockBaseFeePerGas", json!([format!("{fee:#x}")])).await?;
    Ok(fee)
}

#[cfg(test)]
mod tests;
