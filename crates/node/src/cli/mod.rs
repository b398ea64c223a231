//! The command line.

mod charter;
mod charter_live;
mod check;
mod disclose;
mod drill;
mod entries;
mod evidence;
mod finding;
mod help;
mod incident;
mod incident_bundle;
mod init;
mod log;
mod log_archive;
mod log_index;
mod log_prune;
mod log_query;
mod log_store;
mod log_trees;
pub mod output;
mod people;
mod record;
mod run;
mod safe;
mod sealed;
mod simulate;
mod status;
mod verify;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

pub use output::{CliError, Output, code};

/// A network of independent watcher nodes that notices an attack on a smart contract, agrees by threshold how to contain
/// it, and co-signs the pause.
#[derive(Debug, Parser)]
#[command(name = "watchfire", version, max_term_width = 100)]
struct Cli {
    /// Answer with one JSON object on stdout's last line; progress goes to stderr.
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
    /// Say whether this network can pause, and what stands in the way. Exit code 0 yes, 1 at risk, 2 no.
    Status(status::StatusArgs),
    /// List and show incidents; approve, reject, veto, acknowledge as a human of this organisation.
    #[command(subcommand)]
    Incident(Box<incident::IncidentCommand>),
    /// List, show and export on-chain evidence; every look at it is an event.
    #[command(subcommand)]
    Evidence(Box<evidence::EvidenceCommand>),
    /// Check the log of a node; take checkpoints and proofs away from it.
    #[command(subcommand)]
    Log(log::LogCommand),
    /// Check a file offline (an evidence bundle, a fault object, a checkpoint or a proof): every check with its result. Exit code 0 only if none fails.
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
    /// Check a node's configuration, keys and place in its charter.
    #[command(subcommand)]
    Config(check::ConfigCommand),
    /// Compute what a hardware wallet shows for a Safe transaction.
    #[command(subcommand)]
    Safe(safe::SafeCommand),
    /// Drill the whole thing for real: a chain, a Safe, five nodes, an attack. Exit code 0 only if every expectation holds.
    Drill(drill::DrillArgs),
    /// Play scenarios in virtual time with the shipped protocol, a seed at a time. Exit code 0 if every property held, 1 if safety broke, 2 if only liveness.
    Simulate(simulate::SimulateArgs),
    /// Print a completion script for a shell.
    Completions {
        /// Shell.
        shell: clap_complete::Shell,
    },
}

/// Which node a command is about.
#[derive(Debug, Clone, Args)]
pub struct NodeArgs {
    /// The node's configuration file.
    #[arg(long, value_name = "FILE", default_value = "config.toml")]
    pub config: PathBuf,
}

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    main_with(&std::env::args_os().collect::<Vec<_>>())
}

fn main_with(arguments: &[OsString]) -> ExitCode {
    let parsed = help::command().try_get_matches_from(arguments).and_then(|matches| Cli::from_arg_matches(&matches));
    let (output, done) = match parsed {
        Ok(cli) => {
            let output = Output { json: cli.json };
            (output, dispatch(cli.command, output))
        }
        Err(error) => {
            let json = arguments.iter().take_while(|argument| *argument != "--").any(|argument| argument == "--json");
            return ExitCode::from(not_parsed(&error, Output { json }));
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

/// Help, version, or a wrong command line: with `--json` the last is an object on stdout too.
fn not_parsed(error: &clap::Error, output: Output) -> u8 {
    if let Err(error) = error.print()
        && let Err(error) = output::lost(&error)
    {
        output.error(&error);
        return error.code;
    }
    if !error.use_stderr() {
        return code::OK;
    }
    if output.json {
        let text = error.to_string();
        let message = text.trim().strip_prefix("error: ").unwrap_or(text.trim());
        let value = serde_json::json!({ "error": message, "exit_code": code::USAGE });
        // The message is on stderr already, and the exit code tells.
        let _ = output::line_out(&value.to_string());
    }
    code::USAGE
}

fn dispatch(command: Command, output: Output) -> Result<u8, CliError> {
    match command {
        Command::Init(arguments) => init::run(&arguments, output),
        Command::Run(arguments) => run::run(&arguments, output),
        Command::Status(arguments) => status::run(&arguments, output),
        Command::Incident(command) => incident::run(*command, output),
        Command::Evidence(command) => evidence::run(*command, output),
        Command::Log(command) => log::run(&command, output),
        Command::Verify(arguments) => verify::run(&arguments, output),
        Command::Disclose(arguments) => disclose::run(&arguments, output),
        Command::Vulnerability(command) => sealed::vulnerability(*command, output),
        Command::People(command) => people::run(&command, output),
        Command::Charter(command) => charter::run(command, output),
        Command::Config(command) => check::run(&command, output),
        Command::Safe(command) => safe::run(command, output),
        Command::Drill(arguments) => drill::run(arguments, output),
        Command::Simulate(arguments) => simulate::run(arguments, output),
        Command::Completions { shell } => completions(shell, output),
    }
}

fn completions(shell: clap_complete::Shell, output: Output) -> Result<u8, CliError> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "watchfire", &mut script);
    let script = String::from_utf8(script)?;
    let value = serde_json::json!({ "shell": shell.to_string(), "script": script });
    output.answer(&script, &value)?;
    Ok(code::OK)
}
