//! `watchfire log prune`.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;

use super::NodeArgs;
use super::output::{CliError, Output, code};
use crate::charter_file::load;
use crate::config::Config;
use crate::prune::{KEEP_DAYS, Options, prune};
use crate::run::now;

/// What to prune.
#[derive(Debug, Args)]
pub(super) struct PruneArgs {
    /// An archive made by `watchfire log export`; may be given several times. Together they must hold what is to go; keep them.
    #[arg(long = "archive", value_name = "FILE", required = true)]
    archives: Vec<PathBuf>,
    /// Events younger than so many days stay.
    #[arg(long, value_name = "N", default_value_t = KEEP_DAYS)]
    keep_days: u64,
    /// Only say what would go.
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    node: NodeArgs,
}

/// Runs `log prune`.
pub(super) fn run(arguments: &PruneArgs, output: Output) -> Result<u8, CliError> {
    let config = Config::load(&arguments.node.config)?;
    let (charter, _) = load(&config.charter)?;
    let options = Options { keep_days: arguments.keep_days, now: now(), dry_run: arguments.dry_run };
    let outcome = prune(&config.directory, &Arc::new(charter), &config.member, &arguments.archives, options, |told| {
        output.progress(told);
    })?;
    let mut text = match (&outcome.reason, outcome.dry_run) {
        (Some(reason), _) => format!("nothing is pruned: {reason}"),
        (None, true) => format!("{} events would go, {} of the same segments stay", outcome.pruned, outcome.kept),
        (None, false) => format!(
            "{} events pruned, {} of the same segments kept; {} bytes freed; keep the archives: `watchfire log import` makes the log whole again",
            outcome.pruned, outcome.kept, outcome.bytes
        ),
    };
    if outcome.not_witnessed > 0 {
        text.push_str(&format!(
            "; {} events stay since no checkpoint that another organisation witnessed covers them",
            outcome.not_witnessed
        ));
    }
    output.answer(&text, &outcome)?;
    Ok(code::OK)
}
