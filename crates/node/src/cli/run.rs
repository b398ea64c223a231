//! `watchfire run`.

use std::io::IsTerminal as _;

use clap::Args;
use tracing_subscriber::EnvFilter;

use super::NodeArgs;
use super::output::{CliError, Output, code};
use crate::run::RunError;

/// Arguments of `watchfire run`.
#[derive(Debug, Args)]
pub(super) struct RunArgs {
    #[command(flatten)]
    node: NodeArgs,
    /// What to log, such as `info` or `watchfire_gossip=debug,info`.
    #[arg(long, value_name = "FILTER", env = "WATCHFIRE_LOG", default_value = "info")]
    log: String,
}

/// Runs the node until SIGTERM or SIGINT. The log goes to stderr: lines for people, with `--json` one object a line, and
/// one on stdout at the end.
pub(super) fn run(arguments: &RunArgs, output: Output) -> Result<u8, CliError> {
    let filter = EnvFilter::try_new(&arguments.log).map_err(|error| {
        let wanted = "write one such as `info` or `watchfire_gossip=debug,info`";
        CliError::usage(format!("log filter {:?} is wrong: {error}; {wanted}", arguments.log))
    })?;
    // A line that cannot be written, on a full disk or to a pipe that nobody reads, is lost; saying so on the same stderr would panic.
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).log_internal_errors(false);
    let started = if output.json {
        log.json().try_init()
    } else {
        log.with_ansi(std::io::stderr().is_terminal()).with_target(false).try_init()
    };
    // Only a second call in one process could fail, and would find the log running.
    drop(started);
    match crate::run::run(&arguments.node.config) {
        Ok(()) => {
            if output.json {
                output.answer("", &serde_json::json!({ "stopped": true, "exit_code": code::OK }))?;
            }
            Ok(code::OK)
        }
        Err(error) => {
            let code = if matches!(error, RunError::Halted(_)) { code::HALTED } else { code::FAILED };
            Err(CliError { code, ..error.into() })
        }
    }
}
