//! `watchfire drill`.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use watchfire_simulations::drill::{self, DrillOptions, EXIT_NO_DRILL, Terminal};

use super::output::{CliError, Output};

/// Arguments of `watchfire drill`.
#[derive(Debug, Args)]
pub(super) struct DrillArgs {
    /// Name of a scenario, or a scenario file; a wrong name lists those that there are.
    #[arg(default_value = "vault-drain", value_name = "NAME|FILE")]
    scenario: String,
    /// Leave each node's directory under this one, for looking at; it must be empty or not exist.
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
    /// Use a chain that already runs instead of starting anvil; its id must be one that drills may use.
    #[arg(long, value_name = "URL", requires = "funder")]
    rpc: Option<url::Url>,
    /// File with the private key (64 hex digits) that pays on that chain; mode 0600. It must hold the vault's content,
    /// 10 ETH for each organisation, the attacker's stake and gas: 168 ETH for vault-drain.
    #[arg(long, value_name = "KEYFILE", requires = "rpc")]
    funder: Option<PathBuf>,
    /// Wait this many times as long for nodes and operators, on a slow machine; what is expected stays the same.
    #[arg(long, value_name = "TIMES", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=100))]
    patience: u32,
    /// Write the drill record that auditors ask for into this file: Markdown, HTML or JSON by its ending.
    #[arg(long, value_name = "FILE.md|FILE.html|FILE.json", value_parser = super::record::target)]
    record: Option<super::record::Target>,
}

/// Runs the drill; exit code 0 only if every expectation holds.
pub(super) fn run(arguments: DrillArgs, output: Output) -> Result<u8, CliError> {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let failed = |message: String| CliError { code: EXIT_NO_DRILL, ..CliError::failed(message) }.of("no-drill");
    let executable = std::env::current_exe().map_err(|error| {
        failed(format!(
            "cannot find the running binary, which the nodes are started from: {error}; start it by its path"
        ))
    })?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(|error| {
        failed(format!("cannot start the runtime: {error}; see the limits of this user (open files, threads)"))
    })?;
    let options = DrillOptions {
        scenario: arguments.scenario,
        keep: arguments.keep,
        rpc: arguments.rpc,
        funder: arguments.funder,
        executable,
        patience: arguments.patience,
    };
    let report = runtime
        .block_on(drill::run(options, Arc::new(Terminal::default())))
        .map_err(|error| CliError { code: EXIT_NO_DRILL, ..error.into() })?;
    if let (Some(target), Some(record)) = (&arguments.record, &report.record) {
        target.write(record)?;
    }
    output.answer(&report.summary(), &report)?;
    Ok(report.exit_code())
}
