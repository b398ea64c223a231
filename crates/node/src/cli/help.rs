//! The exit codes, told by the help of every command.

use std::fmt::Write as _;

use clap::{Command, CommandFactory as _};

use super::Cli;

const ALL: &str = "\
Exit codes:
  0   done; status: this network can pause
  1   the answer is no: faults found, a check fails, expectations missed; status: at risk
  2   status: this network cannot pause; simulate: something that should have happened did not
  3   the command could not be carried out; the error says what, where and what to do
  4   run: the node stopped, because its own log is violated or cannot be made durable
  64  the command line is wrong

With --json every answer is an object, and every error one with `error` (what, where, what to do), `code` (a \
stable name, such as `not-running`) and `exit_code`.";

const FAILED: (u8, &str) = (3, "the command could not be carried out; the error says what, where and what to do");
const USAGE: (u8, &str) = (64, "the command line is wrong");

/// The command line with its exit codes.
#[must_use]
pub fn command() -> Command {
    let command = Cli::command().after_help(ALL);
    let names: Vec<String> = command.get_subcommands().map(|command| command.get_name().to_owned()).collect();
    names.into_iter().fold(command, |command, name| {
        let path = name.clone();
        command.mut_subcommand(name, |command| with(command, &path))
    })
}

fn with(command: Command, path: &str) -> Command {
    let names: Vec<String> = command.get_subcommands().map(|command| command.get_name().to_owned()).collect();
    if names.is_empty() {
        return command.after_help(told(own(path).iter().map(|(code, text)| (*code, (*text).to_owned()))));
    }
    let mut all = vec![(0, "done".to_owned())];
    for name in &names {
        let codes = own(&format!("{path} {name}")).iter().filter(|(code, _)| *code != 0);
        all.extend(codes.map(|(code, text)| (*code, format!("{name}: {text}"))));
    }
    let command = command.after_help(told(all.into_iter()));
    names.into_iter().fold(command, |command, name| {
        let path = format!("{path} {name}");
        command.mut_subcommand(name, |command| with(command, &path))
    })
}

fn told(own: impl Iterator<Item = (u8, String)>) -> String {
    let mut all: Vec<(u8, String)> = own.collect();
    let always = [FAILED, USAGE].into_iter().filter(|(code, _)| all.iter().all(|(own, _)| own != code));
    let always: Vec<(u8, String)> = always.map(|(code, text)| (code, text.to_owned())).collect();
    all.extend(always);
    all.sort_by_key(|(code, _)| *code);
    all.into_iter().fold("Exit codes:".to_owned(), |mut told, (code, text)| {
        let _ = write!(told, "\n  {code:<3} {text}");
        told
    })
}

/// What a command's exit codes mean, but for those that mean the same everywhere.
fn own(path: &str) -> &'static [(u8, &'static str)] {
    match path {
        "run" => &[
            (0, "stopped by SIGTERM or SIGINT"),
            (4, "the node stopped, because its own log is violated or cannot be made durable"),
        ],
        "status" => &[(0, "this network can pause"), (1, "it can, at risk"), (2, "it cannot pause")],
        "metrics" => &[(0, "the node runs"), (1, "it does not run")],
        "log verify" => &[(0, "it holds"), (1, "it does not hold, or its index is not the journal's")],
        "log check" => &[(0, "it holds"), (1, "it does not hold")],
        "charter check" => &[(0, "no faults; warnings may be told"), (1, "faults found, all are listed")],
        "rules check" => &[(0, "no faults; warnings may be told"), (1, "faults found, all are listed")],
        "charter digest" => &[(0, "done"), (1, "the charter has faults and no digest")],
        "incident bundle" => &[(0, "written, and it holds"), (1, "written, and it does not hold")],
        "verify" => &[(0, "no check fails; what stays open is listed"), (1, "a check fails; the first is named")],
        "safe review" => &[(0, "nothing is to be looked at"), (1, "something is, all of it is listed")],
        "simulate" => &[
            (0, "every property held in every run"),
            (1, "something happened that never may"),
            (2, "something that should have happened did not"),
        ],
        "inspect-trace" => &[(0, "every transaction was scored, whatever its verdict")],
        "backtest" => &[
            (0, "every block was replayed, whatever fired; gaps between them are told"),
            (3, "no block was replayed, or some were refused; each is named, and the summary is of the rest"),
        ],
        "config check" => &[(0, "this node can run"), (1, "faults found, all are listed")],
        "drill" => &[(0, "every expectation holds"), (1, "expectations missed")],
        _ => &[(0, "done")],
    }
}
