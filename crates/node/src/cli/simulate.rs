//! `watchfire simulate`.

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::{Path, PathBuf};

use clap::Args;
use watchfire_simulations::record::day;
use watchfire_simulations::simulate::{
    EXIT_LIVENESS, EXIT_NOT_SIMULATED, EXIT_PASSED, EXIT_SAFETY, Failure, Kind, ScenarioReport, SimulateOptions, draw,
    record, simulate,
};

use super::output::{CliError, Output, line_out};

/// Arguments of `watchfire simulate`.
#[derive(Debug, Args)]
pub(super) struct SimulateArgs {
    /// Names of scenarios, or scenario files; a wrong name lists those that there are.
    #[arg(value_name = "NAME|FILE", required_unless_present = "all", conflicts_with = "all")]
    scenarios: Vec<String>,
    /// Every scenario that comes with the binary and can be simulated.
    #[arg(long)]
    all: bool,
    /// Seeds, each a run of its own: from A up to, and without, B.
    #[arg(long, value_name = "A..B", value_parser = seeds, default_value = "0..20")]
    seeds: Range<u64>,
    /// Threads, 1 to 256; the result is the same for any number.
    #[arg(long, value_name = "N", default_value_t = threads())]
    jobs: usize,
    /// Play only the faults with these numbers, as a failure names them; an empty list plays none.
    #[arg(long, value_name = "N,N,...", value_parser = numbers)]
    faults: Option<Numbers>,
    /// Play this charter in the place of the scenarios' own: its partners take the parts of theirs, keys and chain are replaced by the
    /// simulation's, everything else is as it stands.
    #[arg(long, value_name = "FILE")]
    charter: Option<String>,
    /// Draw a run into this HTML file: the first that failed, else the first.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Write the drill record of a run into this file, Markdown, HTML or JSON by its ending: the first that failed, else the first.
    #[arg(long, value_name = "FILE.md|FILE.html|FILE.json", value_parser = super::record::target)]
    record: Option<super::record::Target>,
}

/// Numbers of faults.
#[derive(Debug, Clone)]
struct Numbers(BTreeSet<usize>);

fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

fn seeds(text: &str) -> Result<Range<u64>, String> {
    let wrong = || format!("{text:?} is no range of seeds; write 0..200");
    let (start, end) = text.split_once("..").ok_or_else(wrong)?;
    Ok(start.parse().map_err(|_| wrong())?..end.parse().map_err(|_| wrong())?)
}

fn numbers(text: &str) -> Result<Numbers, String> {
    let all: Result<BTreeSet<usize>, _> = text.split(',').filter(|part| !part.is_empty()).map(str::parse).collect();
    all.map(Numbers).map_err(|_| format!("{text:?} is no list of fault numbers; write 0,3"))
}

/// Simulates; the exit code tells safety from liveness.
pub(super) fn run(arguments: SimulateArgs, output: Output) -> Result<u8, CliError> {
    let options = SimulateOptions {
        scenarios: arguments.scenarios,
        seeds: arguments.seeds,
        jobs: arguments.jobs.clamp(1, 256),
        faults: arguments.faults.map(|numbers| numbers.0),
        charter: arguments.charter,
    };
    let mut lost = None;
    let reports = simulate(&options, |report| {
        let line = match output.json {
            true => serde_json::to_string(report).map_err(CliError::failed),
            false => Ok(report.summary()),
        };
        if let Err(error) = line.and_then(|line| line_out(&line).map_err(CliError::failed)) {
            lost = Some(error);
        }
    })
    .map_err(|error| CliError { code: EXIT_NOT_SIMULATED, ..error.into() })?;
    if let Some(error) = lost {
        return Err(error);
    }
    if let Some(file) = arguments.html {
        write_drawing(&options, &reports, &file)?;
    }
    if let Some((target, shown)) = arguments.record.zip(shown(&options, &reports)) {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.as_secs());
        target.write(&record(shown.name, shown.seed, &options, &day(now)).map_err(CliError::failed)?)?;
    }
    Ok(match reports.iter().filter_map(|report| report.worst()).min() {
        Some(Kind::Safety) => EXIT_SAFETY,
        Some(Kind::Liveness) => EXIT_LIVENESS,
        None => EXIT_PASSED,
    })
}

/// The run that a file shows.
struct Shown<'a> {
    name: &'a str,
    seed: u64,
    failures: Vec<Failure>,
}

/// The first run that failed, else the first that was played.
fn shown<'a>(options: &'a SimulateOptions, reports: &'a [ScenarioReport]) -> Option<Shown<'a>> {
    let failed = reports.iter().position(|report| report.failed > 0);
    let at = failed.or_else(|| reports.iter().position(|report| report.not_played.is_none()))?;
    let report = reports.get(at)?;
    let name = options.scenarios.get(at).unwrap_or(&report.scenario);
    let seed = report.failures.first().map_or(options.seeds.start, |failure| failure.seed);
    let failures = report.failures.iter().filter(|failure| failure.seed == seed).cloned().collect();
    Some(Shown { name, seed, failures })
}

fn write_drawing(options: &SimulateOptions, reports: &[ScenarioReport], file: &Path) -> Result<(), CliError> {
    let Some(shown) = shown(options, reports) else { return Ok(()) };
    let page = draw(shown.name, shown.seed, options, &shown.failures).map_err(CliError::failed)?;
    std::fs::write(file, page).map_err(|error| CliError::unwritten(file, &error))
}
