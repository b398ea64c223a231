//! `watchfire run`: the node.
//!
//! One task owns the driver, and with it the log; everything else (network, chains, simulations, submitters, control
//! socket) runs beside it and speaks to it through bounded queues. The loop runs on the main thread, so that a sync of the
//! log holds up none of them.

mod alarms;
mod asks;
mod baseline;
mod calls;
mod catch_up;
mod chains;
pub mod describe;
mod evidence;
mod executor;
mod feed;
mod firings;
#[cfg(test)]
pub(crate) mod fixture;
mod indexing;
mod intake;
mod live;
mod locating;
mod node;
mod peers;
mod release;
mod sealed;
mod signals;
mod silence;
mod start;
mod status;
mod supervisor;
mod verdict;

use std::path::PathBuf;

use thiserror::Error;
use watchfire_driver::{DriverError, Halted};
use watchfire_evm::ConnectError;
use watchfire_gossip::{GossipError, SendError};
use watchfire_journal::JournalError;
use watchfire_types::Timestamp;

use crate::charter_file::CharterError;
use crate::config::ConfigError;
use crate::control::server::ServerError;
use crate::keys::{KeyError, KeyFaults};
use crate::place::PlaceFault;

pub use indexing::index_keys;
pub use start::run;
pub(crate) use status::open_incidents;
pub(crate) use {chains::config_of, start::gossip_config};

/// Why a node does not start, or stops.
#[derive(Debug, Error)]
pub enum RunError {
    /// The configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The charter.
    #[error(transparent)]
    Charter(#[from] CharterError),
    /// Configuration, keys and charter do not fit together.
    #[error("{} does not fit its charter: {}", path.display(), told(faults))]
    Place {
        /// The configuration file.
        path: PathBuf,
        /// Each with where and what to do.
        faults: Vec<PlaceFault>,
    },
    /// The keys.
    #[error(transparent)]
    Key(#[from] KeyFaults),
    /// The log: in use by another process, damaged, disk full, ...
    #[error("node directory {}: {source}", directory.display())]
    Log {
        /// The node directory.
        directory: PathBuf,
        /// Why.
        source: JournalError,
    },
    /// The evidence store.
    #[error(transparent)]
    Evidence(#[from] crate::evidence::store::StoreError),
    /// The log cannot be replayed.
    #[error(transparent)]
    Driver(DriverError),
    /// The log could not be written, or an own fact is violated: the process ends at once.
    #[error("{0}; nothing that was not durable has left this node; mend the cause and start it again")]
    Halted(#[from] Halted),
    /// The network.
    #[error(transparent)]
    Network(#[from] GossipError),
    /// The network task ended by itself.
    #[error("the network ended by itself: {0}; start the node again, and report this with its log")]
    NetworkEnded(#[from] SendError),
    /// A chain is not the one that the configuration says.
    #[error(transparent)]
    Chain(#[from] ConnectError),
    /// The control socket.
    #[error(transparent)]
    Control(#[from] ServerError),
    /// Reports cannot be taken.
    #[error(transparent)]
    Intake(#[from] crate::intake::IntakeError),
    /// The operating system refused.
    #[error("cannot {doing}: {source}; see the limits of this user (open files, threads) and of this system")]
    System {
        /// What was attempted.
        doing: &'static str,
        /// Why.
        source: std::io::Error,
    },
}

fn told(faults: &[PlaceFault]) -> String {
    faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

impl From<KeyError> for RunError {
    fn from(error: KeyError) -> Self {
        Self::Key(error.into())
    }
}

impl From<DriverError> for RunError {
    fn from(error: DriverError) -> Self {
        match error {
            DriverError::Halted(halted) => Self::Halted(halted),
            other => Self::Driver(other),
        }
    }
}

/// This node's clock.
#[must_use]
pub fn now() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
