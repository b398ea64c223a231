//! The exit codes, told by the help of every command.

use clap::{Command, CommandFactory as _};

use super::Cli;

const ALL: &str = "\
Exit codes:
  0   done; status: this network can pause
  1   the answer is no: faults found, expectations missed; status: at risk
  2   status: this network cannot pause; simulate: something did not happen
  3   the command could not be carried out; the error says what, where and what to do
  4   run: the node stopped, because its own log is violated or cannot be made durable
  64  the command line is wrong";

const ALWAYS: &str = "
  3   the command could not be carried out; the error says what, where and what to do
  64  the command line is wrong";

/// The command line with its exit codes.
pub(super) fn command() -> Command {
    let command = Cli::command().after_help(ALL);
    let names: Vec<String> = command.get_subcommands().map(|command| command.get_name().to_owned()).collect();
    names.into_iter().fold(command, |command, name| {
        let help = format!("Exit codes:\n{}{ALWAYS}", own(&name));
        command.mut_subcommand(name, |command| with(command, &help))
    })
}

fn with(command: Command, help: &str) -> Command {
    command.after_help(help.to_owned()).mut_subcommands(|command| with(command, help))
}

fn own(name: &str) -> &'static str {
    match name {
        "run" => {
            "  0   stopped by SIGTERM or SIGINT\n  4   the node stopped, because its own log is violated or cannot be made durable"
        }
        "status" => "  0   this network can pause\n  1   it can, at risk\n  2   it cannot pause",
        "log" => {
            "  0   done; verify, check: it holds\n  1   verify, check: it does not hold; verify: or its index is not the journal's"
        }
        "charter" => "  0   no faults; warnings may be told\n  1   faults found",
        "incident" => "  0   done\n  1   bundle: written, and it does not hold",
        "verify" => "  0   no check fails; what stays open is listed\n  1   a check fails; the first is named",
        "simulate" => {
            "  0   every property held in every run\n  1   something happened that never may\n  2   something that should have happened did not"
        }
        "config" => "  0   this node can run\n  1   faults found",
        "drill" => "  0   every expectation holds\n  1   expectations missed",
        _ => "  0   done",
    }
}
