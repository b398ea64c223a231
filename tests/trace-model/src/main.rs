//! `record`, `fit` and `measure` of the trace score.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use watchfire_detect::trace::ATTACK;
use watchfire_trace_model::fit::{fit, left_out};
use watchfire_trace_model::labelled::{LABELLED, examples};
use watchfire_trace_model::{HERE, record};

#[derive(Parser)]
#[command(about = "Where the weights of the trace score come from")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Play every case on anvil and write the labelled traces.
    Record,
    /// Compute the weights from the labelled traces and write them.
    Fit,
    /// Score each case by weights fitted without it.
    Measure,
}

fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        Command::Record => recorded(),
        Command::Fit => fitted(),
        Command::Measure => measured(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn at(path: &str) -> PathBuf {
    PathBuf::from(HERE).join(path)
}

fn recorded() -> Result<(), String> {
    let runtime = tokio::runtime::Runtime::new().map_err(|error| error.to_string())?;
    let bytes = runtime.block_on(record::record())?;
    std::fs::write(at("labelled.jsonl.gz"), bytes).map_err(|error| error.to_string())
}

fn fitted() -> Result<(), String> {
    let text = fit(&examples(LABELLED)?).text();
    std::fs::write(at("../../crates/detect/src/trace/weights.txt"), text).map_err(|error| error.to_string())
}

fn measured() -> Result<(), String> {
    let judged = left_out(&examples(LABELLED)?);
    for (example, score) in &judged {
        let logs = if example.logs { "with logs" } else { "without" };
        let right = (*score >= i64::from(ATTACK)) == example.attack;
        println!("{score:>5}  {logs:<9}  {}{}", example.name, if right { "" } else { "  WRONG" });
    }
    for (attack, told) in [(true, "attacks found"), (false, "false alarms")] {
        let of: Vec<_> = judged.iter().filter(|(example, _)| example.attack == attack).collect();
        let alarms = of.iter().filter(|(_, score)| *score >= i64::from(ATTACK)).count();
        println!("{told}: {alarms} of {}", of.len());
    }
    Ok(())
}
