//! The command line.

mod backtest;
mod change;
mod charter;
mod charter_live;
mod check;
mod disclose;
mod drill;
mod entries;
mod error_kinds;
mod evidence;
mod finding;
mod handing_out;
mod help;
mod incident;
mod incident_bundle;
mod incident_show;
mod init;
mod inspect_trace;
mod log;
mod log_archive;
mod log_index;
mod log_prune;
mod log_query;
mod log_store;
mod log_trees;
mod metrics;
pub mod output;
mod people;
mod record;
mod release;
mod rules;
mod rules_import;
mod rules_stats;
mod rules_test;
mod run;
mod safe;
mod sealed;
mod simulate;
mod status;
mod verify;

use std::ffi::OsString;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use serde_json::json;

pub use help::command;
pub use output::{CliError, Output, code};

/// A network of independent watcher nodes that notices an attack on a smart contract, agrees by threshold how to contain
/// it, and co-signs the pause.
#[derive(Debug, Parser)]
#[command(name = "watchfire", version, max_term_width = 100)]
struct Cli {
    /// Answer and err in JSON: one object, on stdout's last line; progress goes to stderr.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a node's directory: config, keys, and the signed member entry for the charter.
    Init(Box<init::InitArgs>),
    /// Run the node until SIGTERM or SIGINT.
    Run(run::RunArgs),
    /// Say whether this network can pause, and what stands in the way.
    Status(status::StatusArgs),
    /// Print the node's figures for a monitor, in the OpenMetrics text format.
    Metrics(NodeArgs),
    /// List and show incidents; approve, reject, veto, acknowledge, classify, close as a human of this organisation.
    #[command(subcommand)]
    Incident(Box<incident::IncidentCommand>),
    /// Announce, support, withdraw and list planned changes: rules about authority are quiet about what enough organisations expect.
    #[command(subcommand)]
    Change(Box<change::ChangeCommand>),
    /// List, show, export and dispose of on-chain evidence; every look at it is an event.
    #[command(subcommand)]
    Evidence(Box<evidence::EvidenceCommand>),
    /// Check the log of a node; take checkpoints and proofs away from it.
    #[command(subcommand)]
    Log(log::LogCommand),
    /// Check a file offline (an evidence bundle, a fault object, a checkpoint, a proof or a disclosure): every check with its result.
    Verify(verify::VerifyArgs),
    /// Write the words of a sealed event that this member can open into a file, for whoever should be able to check them.
    Disclose(disclose::DiscloseArgs),
    /// Report vulnerabilities, sealed to the guardians, and read what was reported.
    #[command(subcommand)]
    Vulnerability(Box<sealed::VulnerabilityCommand>),
    /// The names behind the pseudonyms in the log: a table of this machine.
    #[command(subcommand)]
    People(people::PeopleCommand),
    /// Check a charter or name its digest.
    #[command(subcommand)]
    Charter(charter::CharterCommand),
    /// Ready detector rules to paste into a charter, what a charter's own ones cost, and how often they were right.
    #[command(subcommand)]
    Rules(rules::RulesCommand),
    /// Check a node's configuration, keys and place in its charter.
    #[command(subcommand)]
    Config(check::ConfigCommand),
    /// Compute what a hardware wallet shows for a Safe transaction, and look at what waits in a Safe's queue.
    #[command(subcommand)]
    Safe(safe::SafeCommand),
    /// Sign what a front end is made of, so that partners' nodes can hold what is served against it.
    #[command(subcommand)]
    Release(Box<release::ReleaseCommand>),
    /// Score the calls inside transactions: benign, suspicious or attack, with every reason. With --json one object a transaction, each on its line.
    InspectTrace(inspect_trace::InspectTraceArgs),
    /// Replay past blocks through a charter's detectors: what would have fired, when, and what it would have saved. With --json one object a
    /// finding, each on its line, and a summary last.
    Backtest(backtest::BacktestArgs),
    /// Drill the whole thing for real: a chain, a Safe, five nodes, an attack.
    Drill(drill::DrillArgs),
    /// Play scenarios in virtual time with the shipped protocol, a seed at a time. With --json one object a scenario, each on its line.
    Simulate(simulate::SimulateArgs),
    /// Print a completion script for a shell.
    Completions {
        /// The shell that completes.
        shell: clap_complete::Shell,
    },
}

/// Which node a command is about.
#[derive(Debug, Clone, Args)]
pub struct NodeArgs {
    /// The node's configuration file; the node directory is where it lies.
    #[arg(long, value_name = "FILE", default_value = "config.toml")]
    pub config: PathBuf,
}

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    main_with(&std::env::args_os().collect::<Vec<_>>())
}

fn main_with(arguments: &[OsString]) -> ExitCode {
    let parsed = command().try_get_matches_from(arguments).and_then(|matches| Cli::from_arg_matches(&matches));
    let (output, done) = match parsed {
        Ok(cli) => {
            let output = Output { json: cli.json };
            (output, dispatch(cli.command, output))
        }
        Err(error) => {
            let json = arguments.iter().take_while(|argument| *argument != "--").any(|argument| argument == "--json");
            let output = Output { json };
            (output, not_parsed(&error, output))
        }
    };
    match done {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            output.error(&error);
            ExitCode::from(error.code)
        }
    }
}

/// Help, version, or a wrong command line: with `--json` each is an object on stdout.
fn not_parsed(error: &clap::Error, output: Output) -> Result<u8, CliError> {
    let rendered = error.render();
    match error.kind() {
        ErrorKind::DisplayHelp if output.json => output.answer("", &json!({ "help": rendered.to_string() }))?,
        ErrorKind::DisplayVersion if output.json => {
            output.answer("", &json!({ "name": "watchfire", "version": env!("CARGO_PKG_VERSION") }))?;
        }
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            let printed = write!(anstream::stdout(), "{}", rendered.ansi());
            printed.or_else(|error| output::lost(&error))?;
        }
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            let _ = write!(anstream::stderr(), "{}", rendered.ansi());
            return Err(CliError::usage("no command is given; the help lists them"));
        }
        _ => {
            let text = rendered.to_string();
            let told = text.trim().strip_prefix("error: ").unwrap_or(text.trim());
            // What is wrong and the nearest right word; what follows is the same for every mistake.
            let told = told.split("\n\nUsage:").next().unwrap_or(told);
            let told = told.split("\n\nFor more information").next().unwrap_or(told);
            let lines: Vec<&str> = told.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
            return Err(CliError::usage(format!("{}; `--help` after the command explains it", lines.join(" "))));
        }
    }
    Ok(code::OK)
}

fn dispatch(command: Command, output: Output) -> Result<u8, CliError> {
    match command {
        Command::Init(arguments) => init::run(&arguments, output),
        Command::Run(arguments) => run::run(&arguments, output),
        Command::Status(arguments) => status::run(&arguments, output),
        Command::Metrics(arguments) => metrics::run(&arguments, output),
        Command::Incident(command) => incident::run(*command, output),
        Command::Change(command) => change::run(*command, output),
        Command::Evidence(command) => evidence::run(*command, output),
        Command::Log(command) => log::run(&command, output),
        Command::Verify(arguments) => verify::run(&arguments, output),
        Command::Disclose(arguments) => disclose::run(&arguments, output),
        Command::Vulnerability(command) => sealed::vulnerability(*command, output),
        Command::People(command) => people::run(&command, output),
        Command::Charter(command) => charter::run(command, output),
        Command::Rules(command) => rules::run(command, output),
        Command::Config(command) => check::run(&command, output),
        Command::Safe(command) => safe::run(command, output),
        Command::Release(command) => release::run(*command, output),
        Command::InspectTrace(arguments) => inspect_trace::run(&arguments, output),
        Command::Backtest(arguments) => backtest::run(&arguments, output),
        Command::Drill(arguments) => drill::run(arguments, output),
        Command::Simulate(arguments) => simulate::run(arguments, output),
        Command::Completions { shell } => completions(shell, output),
    }
}

fn completions(shell: clap_complete::Shell, output: Output) -> Result<u8, CliError> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "watchfire", &mut script);
    let script = String::from_utf8(script)?;
    let value = json!({ "shell": shell.to_string(), "script": script });
    output.answer(&script, &value)?;
    Ok(code::OK)
}
