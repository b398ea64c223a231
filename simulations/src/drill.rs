//! The live drill: five real nodes, a real chain, a real Safe, an attack; and a verdict from outside.

use std::path::PathBuf;
use std::sync::Arc;

use alloy_primitives::Address;
use thiserror::Error;
use url::Url;
use watchfire_types::OrganisationId;

use crate::anvil::AnvilError;
use crate::artifact::ArtifactError;
use crate::key::KeyError;
use crate::npm::NpmError;
use crate::rpc::RpcError;
use crate::safe::SafeError;
use crate::scenario::{ScenarioError, Stage, names};

mod act;
mod cluster;
mod control;
mod funds;
mod judge;
mod node;
mod observe;
mod play;
mod progress;
mod record;
mod report;
mod stage;

pub use progress::{Progress, Quiet, Terminal};
pub(crate) use report::ether;
pub use report::{Blocks, DrillReport, Expectation, Loss, NodeReport, SafeReport, Timeline};

/// Exit code of a drill whose expectations all hold.
pub const EXIT_PASSED: u8 = 0;
/// Exit code of a drill that ran and whose expectations do not all hold.
pub const EXIT_FAILED: u8 = 1;
/// Exit code of a drill that could not be set up or was interrupted.
pub const EXIT_NO_DRILL: u8 = 3;

/// What to drill.
#[derive(Debug, Clone)]
pub struct DrillOptions {
    /// Name of a scenario, or a file.
    pub scenario: String,
    /// Leave each node's directory under this one, which must be empty or not exist.
    pub keep: Option<PathBuf>,
    /// Use this chain instead of starting anvil.
    pub rpc: Option<Url>,
    /// File with the private key (64 hex digits) that pays on that chain; nobody but its owner may have rights on it. What
    /// it must hold: the vault's content, 10 ETH for each organisation, the attacker's stake and gas; 168 ETH for
    /// vault-drain while the base fee is below 5 gwei.
    pub funder: Option<PathBuf>,
    /// The `watchfire` binary that the nodes run.
    pub executable: PathBuf,
    /// How many times as long as usual the launcher waits for the nodes and these for their operators, at least 1: for a slow machine.
    /// What is expected stays the same.
    pub patience: u32,
}

/// Why a drill did not take place.
#[derive(Debug, Error)]
pub enum DrillError {
    /// The scenario.
    #[error(transparent)]
    Scenario(#[from] ScenarioError),
    /// The scenario is for the simulator only.
    #[error("scenario {name} is not made for live drills; play it with `watchfire simulate {name}`, or drill one of {}", names(Stage::Drill).join(", "))]
    NotADrill {
        /// Name.
        name: String,
    },
    /// A fault that only anvil can make.
    #[error("scenario {name} changes the base fee, which only anvil can; run it without --rpc")]
    NeedsAnvil {
        /// Name.
        name: String,
    },
    /// The chain is not one that drills may use.
    #[error(
        "chain {chain_id} at {place} is no drill chain: a signature made on it could be executed on a real chain with the \
         same id; start the chain or fork with id 31337, 1337 or 2004221952 to 2004287487"
    )]
    ChainRefused {
        /// Its id.
        chain_id: u64,
        /// Scheme, host and port.
        place: String,
    },
    /// The funder cannot pay for the scenario.
    #[error("the funder {address} holds {held} and this scenario takes {needed}; send it more, then run this again")]
    Unfunded {
        /// The funder.
        address: Address,
        /// What it holds, in ether.
        held: String,
        /// What the drill takes, in ether.
        needed: String,
    },
    /// `--rpc` without `--funder`, or the other way round.
    #[error("--rpc and --funder go together; give both: the chain to use, and the file with the key that pays on it")]
    HalfARemote,
    /// `--keep` names something with content.
    #[error("{path} is not an empty directory; choose another for --keep", path = path.display())]
    KeepNotEmpty {
        /// Path.
        path: PathBuf,
    },
    /// A file, port or process is out of reach.
    #[error("{what}: {source}; see this user's rights and limits, and that the disk has room")]
    System {
        /// What was tried.
        what: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// anvil.
    #[error(transparent)]
    Anvil(#[from] AnvilError),
    /// npm.
    #[error(transparent)]
    Npm(#[from] NpmError),
    /// Contracts.
    #[error(transparent)]
    Artifact(#[from] ArtifactError),
    /// Keys and transactions.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The Safe.
    #[error(transparent)]
    Safe(#[from] SafeError),
    /// The chain.
    #[error(transparent)]
    Rpc(#[from] RpcError),
    /// A `watchfire` command failed.
    #[error(
        "`watchfire {command}` of {organisation} failed; run this again with --keep DIR to look at its directory:\n{output}"
    )]
    Command {
        /// Arguments.
        command: String,
        /// Whose.
        organisation: OrganisationId,
        /// Its last lines.
        output: String,
    },
    /// Nodes did not come up.
    #[error(
        "{waited_for} within {seconds} s; see whether this machine is overloaded, and run this again with --keep DIR to look at the nodes:\n{detail}"
    )]
    NotReady {
        /// What was missing.
        waited_for: String,
        /// How long the launcher waited.
        seconds: u64,
        /// Who and why, a line each.
        detail: String,
    },
    /// A node answered something else than it should.
    #[error("{member} answered {request} with {answer}; run this again with --keep DIR to look at its log")]
    Answer {
        /// Who.
        member: String,
        /// What was asked.
        request: &'static str,
        /// What came.
        answer: String,
    },
    /// Ctrl-C or SIGTERM.
    #[error("interrupted; every process of the drill has been stopped")]
    Interrupted,
}

impl DrillError {
    pub(crate) fn system(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let what = what.into();
        move |source| Self::System { what, source }
    }
}

/// Whether drills may use a chain with this id.
#[must_use]
pub const fn is_drill_chain(chain_id: u64) -> bool {
    matches!(chain_id, 31_337 | 1_337 | 2_004_221_952..=2_004_287_487)
}

/// Runs a drill to its end: sets it up, plays it, judges it, stops everything. Everything that it started is gone when it
/// returns, also when it is dropped or interrupted. When this process is killed (SIGKILL), the nodes and anvil are killed with
/// it on Linux with util-linux's `setpriv`, and go on elsewhere; the temporary directory stays then.
///
/// # Errors
/// When the drill could not take place. Expectations that do not hold are no error: see [`DrillReport::passed`].
pub async fn run(options: DrillOptions, progress: Arc<dyn Progress>) -> Result<DrillReport, DrillError> {
    let scenario = crate::scenario::load(&options.scenario, Stage::Drill)?;
    tokio::select! {
        outcome = perform(&options, scenario, &*progress) => outcome,
        () = interrupted() => Err(DrillError::Interrupted),
    }
}

async fn perform(
    options: &DrillOptions,
    scenario: crate::scenario::Scenario,
    progress: &dyn Progress,
) -> Result<DrillReport, DrillError> {
    stage::check(options, &scenario)?;
    let mut stage = stage::set_up(options, scenario, progress).await?;
    let played = play::play(&mut stage, progress).await?;
    progress.said("stopping the nodes and verifying their logs");
    let nodes = stage.cluster.close().await?;
    let report = judge::judge(&stage, played, nodes).await?;
    stage.end().await;
    progress.finished(&report);
    Ok(report)
}

/// Ctrl-C, or SIGTERM as a container's stop sends it.
async fn interrupted() {
    use tokio::signal::unix::{SignalKind, signal};
    let terminated = async {
        match signal(SignalKind::terminate()) {
            Ok(mut terminate) => {
                terminate.recv().await;
            }
            Err(_) => std::future::pending().await,
        }
    };
    let interrupt = async {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        () = interrupt => {}
        () = terminated => {}
    }
}

#[cfg(test)]
mod tests;
