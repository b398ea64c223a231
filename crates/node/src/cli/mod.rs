//! The command line.

mod charter;
mod charter_live;
mod check;
mod drill;
mod incident;
mod init;
mod log;
pub mod output;
mod run;
mod safe;
mod status;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, CommandFactory, Parser, Subcommand};

pub use output::{CliError, Output, code};

const EXIT_CODES: &str = "\
Exit codes:
  0   done; status: this network can pause
  1   the answer is no: faults found, expectations missed; status: at risk
  2   status: this network cannot pause
  3   the command could not be carried out; the error says what, where and what to do
  4   run: the node stopped, because its own log is violated or cannot be made durable
  64  the command line is wrong";

/// A network of independent watcher nodes that notices an attack on a smart contract, agrees by threshold how to contain
/// it, and co-signs the pause.
#[derive(Debug, Parser)]
#[command(name = "watchfire", version, after_help = EXIT_CODES, max_term_width = 100)]
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
    /// Check the log of a node.
    #[command(subcommand)]
    Log(log::LogCommand),
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
    main_with(std::env::args_os().collect())
}

fn main_with(arguments: Vec<OsString>) -> ExitCode {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { code::USAGE } else { code::OK });
        }
    };
    let output = Output { json: cli.json };
    match dispatch(cli.command, output) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            output.error(&error);
            ExitCode::from(error.code)
        }
    }
}

fn dispatch(command: Command, output: Output) -> Result<u8, CliError> {
    match command {
        Command::Init(arguments) => init::run(&arguments, output),
        Command::Run(arguments) => run::run(&arguments, output),
        Command::Status(arguments) => status::run(&arguments, output),
        Command::Incident(command) => incident::run(*command, output),
        Command::Log(command) => log::run(&command, output),
        Command::Charter(command) => charter::run(command, output),
        Command::Config(command) => check::run(&command, output),
        Command::Safe(command) => safe::run(command, output),
        Command::Drill(arguments) => drill::run(arguments, output),
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Cli::command(), "watchfire", &mut anstream::stdout());
            Ok(code::OK)
        }
    }
}
