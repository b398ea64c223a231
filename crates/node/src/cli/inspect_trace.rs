//! `watchfire inspect-trace`: what the calls of a transaction look like, as a score with its reasons.

use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;
use watchfire_detect::trace::{Model, Reason, Score, TraceFault, Traced, Verdict, read_traces};
use watchfire_types::B256;

use super::output::{CliError, Output, code, line_out, lost};
use crate::text_file;

/// Arguments of `watchfire inspect-trace`.
#[derive(Debug, Args)]
pub(super) struct InspectTraceArgs {
    /// Traces: a callTracer result, a Parity trace array of a transaction or block, a reply around one, or JSON lines of those; plain or
    /// as .gz, .zst or .xz. `-` is standard input.
    #[arg(value_name = "FILE", required_unless_present = "rpc", conflicts_with = "rpc")]
    file: Vec<PathBuf>,
    /// Ask this node for the trace instead: debug_traceTransaction with the callTracer, else trace_transaction.
    #[arg(long, value_name = "URL", requires = "tx")]
    rpc: Option<url::Url>,
    /// Only this transaction, 0x and 64 hex digits.
    #[arg(long, value_name = "HASH")]
    tx: Option<B256>,
    /// Give the reasons of benign transactions too, which are told for a single transaction only otherwise.
    #[arg(long)]
    reasons: bool,
}

/// One line of the answer.
#[derive(Serialize)]
struct Inspected<'a> {
    tx: Option<B256>,
    #[serde(flatten)]
    score: &'a Score,
}

/// Why the reading of a text stopped.
enum Stop {
    Fault(TraceFault),
    Unwritten(CliError),
}

impl From<TraceFault> for Stop {
    fn from(fault: TraceFault) -> Self {
        Self::Fault(fault)
    }
}

/// What is told, and how.
struct Teller<'a> {
    model: Model,
    arguments: &'a InspectTraceArgs,
    output: Output,
    verdicts: [usize; 3],
    /// The only transaction so far, whose reasons are told if it stays the only one.
    held: Option<(Option<B256>, Score)>,
}

/// Inspects each file in turn; a faulty one does not keep the others from being told, and is the error in the end.
pub(super) fn run(arguments: &InspectTraceArgs, output: Output) -> Result<u8, CliError> {
    let model = Model::shipped().map_err(|fault| CliError::failed(fault).of("mistake-of-the-program"))?;
    let mut teller = Teller { model, arguments, output, verdicts: [0; 3], held: None };
    let mut first = None;
    let mut faults = 0_usize;
    if let Some(url) = &arguments.rpc {
        let tx = arguments.tx.ok_or_else(|| CliError::usage("--rpc needs the hash of a transaction with --tx"))?;
        let text = ask(url.clone(), tx)?;
        let place = format!("the answer of {}", url.host_str().unwrap_or("the endpoint"));
        teller.text(&place, &text, Some(tx))?;
    }
    for path in &arguments.file {
        match teller.file(path) {
            Err(error) if error.kind != "io" => {
                faults += 1;
                if arguments.file.len() > 1 {
                    output.progress(&format!("watchfire: {}", error.message));
                }
                first.get_or_insert(error);
            }
            done => done?,
        }
    }
    let ended = teller.end();
    match first {
        None => ended.map(|()| code::OK),
        Some(error) if arguments.file.len() == 1 => Err(error),
        Some(error) => {
            let message =
                format!("{faults} of {} files could not be read, first: {}", arguments.file.len(), error.message);
            Err(CliError { message, ..error })
        }
    }
}

fn ask(url: url::Url, tx: B256) -> Result<Vec<u8>, CliError> {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    Ok(runtime.block_on(watchfire_evm::trace_transaction(url, tx))?.into())
}

impl Teller<'_> {
    fn file(&mut self, path: &Path) -> Result<(), CliError> {
        let text = text_file::read(path)?;
        self.text(&path.display().to_string(), &text, named(path))
    }

    /// Tells every transaction of a text; `name` is the transaction's hash if it holds one that it does not name.
    fn text(&mut self, place: &str, text: &[u8], name: Option<B256>) -> Result<(), CliError> {
        let read = read_traces(text, |traced| {
            let tx = traced.tx.or(name);
            if self.arguments.tx.is_some_and(|wanted| tx != Some(wanted)) {
                return Ok(());
            }
            self.told(&Traced { tx, ..traced }).map_err(Stop::Unwritten)
        });
        match read {
            Ok(()) => Ok(()),
            Err(Stop::Unwritten(error)) => Err(error),
            Err(Stop::Fault(fault)) => Err(CliError::failed(format!("{place}: {fault}")).of(kind(&fault))),
        }
    }

    fn told(&mut self, traced: &Traced) -> Result<(), CliError> {
        let score = self.model.score(&traced.tree);
        let before = self.verdicts.iter().sum::<usize>();
        self.verdicts[score.verdict as usize] += 1;
        if self.output.json {
            let line = serde_json::to_string(&Inspected { tx: traced.tx, score: &score }).map_err(CliError::failed)?;
            return line_out(&line).or_else(|error| lost(&error));
        }
        if before == 0 {
            self.held = Some((traced.tx, score));
            return Ok(());
        }
        self.release(false)?;
        self.print(traced.tx, &score, false)
    }

    /// Tells the transaction that was held back.
    fn release(&mut self, only: bool) -> Result<(), CliError> {
        match self.held.take() {
            Some((tx, score)) => self.print(tx, &score, only),
            None => Ok(()),
        }
    }

    fn print(&self, tx: Option<B256>, score: &Score, only: bool) -> Result<(), CliError> {
        let verdict = match score.verdict {
            Verdict::Benign => "benign",
            Verdict::Suspicious => "SUSPICIOUS",
            Verdict::Attack => "ATTACK",
        };
        let tx = tx.map_or_else(|| "transaction without a hash".to_owned(), |tx| tx.to_string());
        let mut text = format!("{:>5}  {verdict:<10}  {tx}", score.score);
        if only || self.arguments.reasons || score.verdict != Verdict::Benign {
            for Reason { feature, contribution, detail } in &score.reasons {
                text.push_str(&format!("\n       {contribution:>+5}  {feature:<20}  {detail}"));
            }
        }
        line_out(&text).or_else(|error| lost(&error))
    }

    /// What all came to.
    fn end(&mut self) -> Result<(), CliError> {
        self.release(true)?;
        let all = self.verdicts.iter().sum::<usize>();
        if let Some(tx) = self.arguments.tx.filter(|_| all == 0) {
            return Err(CliError::absent(format!("{tx} is in none of the files; see that they hold its block")));
        }
        let [benign, suspicious, attack] = self.verdicts;
        self.output.progress(&format!(
            "{all} transactions: {benign} benign, {suspicious} suspicious, {attack} attack; a score raises attention and proves nothing"
        ));
        Ok(())
    }
}

/// The hash that a file is named by.
fn named(path: &Path) -> Option<B256> {
    let name = path.file_name()?.to_str()?;
    let at = name.find("0x")?;
    name.get(at..at + 66)?.parse().ok()
}

const fn kind(fault: &TraceFault) -> &'static str {
    match fault {
        TraceFault::NotText { .. } => "file-not-utf-8",
        TraceFault::Json { .. } => "trace-not-json",
        TraceFault::Shape { .. } => "not-a-trace",
        TraceFault::Field { .. } => "trace-malformed",
        TraceFault::Reply { .. } => "rpc-error",
        TraceFault::TooManyCalls { .. } => "trace-too-large",
        TraceFault::Empty => "trace-empty",
    }
}
