//! `watchfire backtest`: what the shipped detectors would have said of blocks that are past.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Args;
use futures::StreamExt as _;
use serde_json::json;
use watchfire_charter::Charter;
use watchfire_detect::trace::Traced;
use watchfire_detect::{Blindness, Interest};
use watchfire_evm::PastBlock;
use watchfire_types::{BlockView, ChainId, DetectorId};

use super::charter_live;
use super::output::{CliError, Output, code, line_out, lost};
use crate::backtest::{Containment, GAPS_MAX, Gap, NoAnswers, Replay, Saved, Summary, Taken, Told};
use crate::block_file::{BlockFile, Part};
use crate::charter_file::load;
use crate::config::is_here;
use crate::traces::{Asked, traces};

/// Nothing is said of the pace before this, and no more often.
const PROGRESS: Duration = Duration::from_secs(2);
/// Calls per second to a node on this machine; it is asked as fast as it answers.
const OWN_NODE: u32 = 1_000_000;
/// Refused parts of the input that are told one by one; more are counted.
const REFUSED_MAX: u64 = 1_000;

/// Arguments of `watchfire backtest`.
#[derive(Debug, Args)]
pub(super) struct BacktestArgs {
    /// The charter whose detectors and playbooks are tried.
    #[arg(long, value_name = "FILE")]
    charter: PathBuf,
    /// Blocks in order: objects with `block` and `receipts` as eth_getBlockByNumber and eth_getBlockReceipts answer, one a line, in a list or
    /// one a file; plain or as .gz, .zst or .xz. `-` is standard input.
    #[arg(long, value_name = "FILE", num_args = 1.., required_unless_present = "rpc", conflicts_with = "rpc")]
    blocks: Vec<PathBuf>,
    /// Ask this node for the blocks, and for the state that detectors read at each: it must keep the state of old blocks.
    #[arg(long, value_name = "URL", requires = "from")]
    rpc: Option<url::Url>,
    /// First block asked for. Windows and changes are judged from here on.
    #[arg(long, value_name = "NUMBER", requires = "rpc")]
    from: Option<u64>,
    /// Last block asked for; the node's newest unless it is said.
    #[arg(long, value_name = "NUMBER", requires = "rpc")]
    to: Option<u64>,
    /// Most calls a second to the node: 100, and as many as it takes where it is on this machine.
    #[arg(long, value_name = "NUMBER", requires = "rpc", value_parser = clap::value_parser!(u32).range(1..))]
    requests_per_second: Option<u32>,
    /// The chain of blocks that do not say it, where the charter has several; blocks of others are refused.
    #[arg(long, value_name = "ID", conflicts_with = "rpc")]
    chain: Option<u64>,
}

/// Replays the blocks; what is refused is named and left out, and is the error in the end.
pub(super) fn run(arguments: &BacktestArgs, output: Output) -> Result<u8, CliError> {
    let (charter, _) = load(&arguments.charter)?;
    let only = arguments.chain.map(ChainId::new);
    if let Some(chain) = only.filter(|chain| !charter.chains.contains_key(chain)) {
        return Err(CliError::absent(format!("the charter has no chain {chain}; name one that it has with --chain")));
    }
    let mut teller = Teller::new(Replay::new(&charter, only), output, None);
    match &arguments.rpc {
        Some(url) => asked(arguments, url, &charter, &mut teller)?,
        None => {
            for path in &arguments.blocks {
                teller.file(path)?;
            }
        }
    }
    teller.end()
}

/// Replays what a node tells.
fn asked(arguments: &BacktestArgs, url: &url::Url, charter: &Charter, teller: &mut Teller<'_>) -> Result<(), CliError> {
    let from = arguments.from.ok_or_else(|| CliError::usage("--rpc needs the first block with --from"))?;
    let pace = arguments.requests_per_second.or(is_here(url).then_some(OWN_NODE));
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let (chain, client) = charter_live::connect(&charter.chains.keys().copied().collect(), url, pace).await?;
        let newest = client.latest().await?.block.number;
        let to = arguments.to.unwrap_or(newest);
        if to > newest || from > to {
            let message = format!(
                "blocks {from} to {to} are not all there, the newest is {newest}; name others with --from and --to"
            );
            return Err(CliError::absent(message));
        }
        let interest = teller.replay.interest(chain);
        let concerns = move |bloom: &[u8; 256]| interest.as_ref().is_some_and(|interest| interest.may_concern(bloom));
        let (output, mut untraced) = (teller.output, false);
        let wanted = teller.replay.wants_transactions(chain);
        let mut blocks = std::pin::pin!(client.history(from, to, teller.replay.reads(chain), concerns, wanted));
        while let Some(past) = blocks.next().await {
            match past {
                Ok(PastBlock { view, transactions }) => {
                    let Asked { traces, fault } = traces(&client, &view.block, &teller.replay.to_trace(&view)).await;
                    if let Some(fault) = fault.filter(|_| !std::mem::replace(&mut untraced, true)) {
                        output.progress(&format!("watchfire: at block {}: {fault}", view.block.number));
                    }
                    let Some(mut taken) = teller.take(&view, transactions, traces, String::new) else { continue };
                    if !wanted && taken.told.iter().any(Told::is_unnamed) {
                        // Most blocks need no transactions: those of this one are asked for to name the one behind a finding.
                        let number = view.block.number;
                        let mut whole =
                            std::pin::pin!(client.history(number, number, BTreeSet::new(), |_| false, true));
                        if let Some(Ok(PastBlock { view: whole, .. })) = whole.next().await {
                            teller.replay.name(&mut taken.told, &view, &whole.transactions);
                        }
                    }
                    teller.tell(&view, taken)?;
                }
                // What was replayed so far is told all the same.
                Err(error) => {
                    teller.refuse(error.into());
                    break;
                }
            }
        }
        Ok(())
    })
}

/// What each detector found: the blocks at which its findings began to stand, or became worse.
pub(super) type Tally = BTreeMap<DetectorId, Vec<u64>>;

/// What is told, and how.
pub(super) struct Teller<'a> {
    replay: Replay<'a>,
    /// What is taken from files.
    interests: Arc<[Interest]>,
    output: Output,
    /// Findings are counted here, and not told, where that is wanted.
    tally: Option<Tally>,
    start: Instant,
    spoken: Instant,
    refused: u64,
    first: Option<CliError>,
    said_first: bool,
}

impl<'a> Teller<'a> {
    /// With a tally findings are counted in it, else told.
    pub(super) fn new(replay: Replay<'a>, output: Output, tally: Option<Tally>) -> Self {
        let (start, interests) = (Instant::now(), replay.interests().into());
        Self { replay, interests, output, tally, start, spoken: start, refused: 0, first: None, said_first: false }
    }

    pub(super) fn file(&mut self, path: &Path) -> Result<(), CliError> {
        let blocks = match BlockFile::open(path) {
            Ok(blocks) => blocks.with_traces(self.replay.wants_traces()).concerning(&self.interests),
            Err(error) => {
                self.refuse(error.into());
                return Ok(());
            }
        };
        for block in blocks {
            let Part { line, block, traces } = match block {
                Ok(part) => part,
                Err(error) => {
                    self.refuse(error.into());
                    continue;
                }
            };
            let place = || format!("{}: line {line}: ", path.display());
            let (number, transactions) = (block.number(), block.transactions);
            if let Some(kind) = block.bloom_only {
                self.output.progress(&format!(
                    "{}block {number}: receipts of type {kind:#x} are not known here; only the bloom proves its logs",
                    place()
                ));
            }
            let traces = traces.transpose().unwrap_or_else(|error| {
                self.refuse(error.into());
                None
            });
            match self.replay.chain_of(number, block.chain) {
                Ok(chain) => self.block(&block.on(chain), transactions, traces.unwrap_or_default(), place)?,
                Err(unfit) => self.refuse(at(&place(), &unfit.into())),
            }
        }
        Ok(())
    }

    fn block(
        &mut self,
        view: &BlockView,
        transactions: usize,
        traces: Vec<Traced>,
        place: impl Fn() -> String,
    ) -> Result<(), CliError> {
        self.take(view, transactions, traces, place).map_or(Ok(()), |taken| self.tell(view, taken))
    }

    /// What the block comes to; nothing, where it has no place here.
    fn take(
        &mut self,
        view: &BlockView,
        transactions: usize,
        traces: Vec<Traced>,
        place: impl Fn() -> String,
    ) -> Option<Taken> {
        let taken = self.replay.take_traced(view, transactions, traces);
        taken.map_err(|unfit| self.refuse(at(&place(), &unfit.into()))).ok()
    }

    fn tell(&mut self, view: &BlockView, taken: Taken) -> Result<(), CliError> {
        self.say_first();
        let Taken { told, blinded, gap } = taken;
        if let Some(gap) = gap {
            self.output.progress(&format!("{}; what happened in between is not seen", shown_gap(&gap)));
        }
        for (detector, why) in blinded {
            let number = view.block.number;
            let why = match why {
                Blindness::Unread => "reads state that is not there; it finds nothing where it cannot read",
                Blindness::Untraced => "has no traces of what touched the asset; it finds nothing where it has none",
                Blindness::Behind => {
                    "cannot know yet what the other chain shows; give the blocks of both chains in the order of their times"
                }
                Blindness::Learning => {
                    "has not seen the windows yet that it compares with; it finds nothing until it has"
                }
            };
            self.output.progress(&format!("unknown: {detector} {why} (block {number})"));
        }
        if let Some(tally) = &mut self.tally {
            told.iter().for_each(|told| tally.entry(told.detector.clone()).or_default().push(told.block));
        }
        for told in told.iter().filter(|_| self.tally.is_none()) {
            let line =
                if self.output.json { serde_json::to_string(told).map_err(CliError::failed)? } else { shown(told) };
            line_out(&line).or_else(|error| lost(&error))?;
        }
        self.pace(view);
        Ok(())
    }

    fn pace(&mut self, view: &BlockView) {
        if self.spoken.elapsed() >= PROGRESS {
            self.spoken = Instant::now();
            let (blocks, number) = (self.replay.blocks(), view.block.number);
            let pace = pace(blocks, self.start.elapsed().as_secs_f64());
            self.output.progress(&format!("{blocks} blocks, {pace} blocks/s, at block {number}"));
        }
    }

    /// Leaves a part of the input out, and says why.
    fn refuse(&mut self, error: CliError) {
        self.refused += 1;
        match self.first {
            None => self.first = Some(error),
            Some(_) => {
                self.say_first();
                if self.refused <= REFUSED_MAX {
                    self.output.progress(&format!("watchfire: {}", error.message));
                }
            }
        }
    }

    /// Tells what was refused first, once it is not all that there is to tell.
    fn say_first(&mut self) {
        if let Some(first) = self.first.as_ref().filter(|_| !std::mem::replace(&mut self.said_first, true)) {
            self.output.progress(&format!("watchfire: {}", first.message));
        }
    }

    /// What all came to. Where something was refused the last object is the summary and the error at once.
    fn end(self) -> Result<u8, CliError> {
        let output = self.output;
        let Ended { summary, error, .. } = self.ended()?;
        let mut value = json!({ "summary": summary });
        if let (Some(error), Some(object)) = (&error, value.as_object_mut()) {
            object.extend(error.value().as_object().cloned().unwrap_or_default());
        }
        output.answer(&text(&summary), &value)?;
        match error {
            Some(error) => {
                output.progress(&format!("watchfire: {}", error.message));
                Ok(error.code)
            }
            None => Ok(code::OK),
        }
    }

    /// The summary, and what was refused, if anything; an error where nothing but that was there.
    pub(super) fn ended(mut self) -> Result<Ended, CliError> {
        let seconds = self.start.elapsed().as_secs_f64();
        let summary = self.replay.summary(seconds, self.refused);
        if summary.blocks > 0 {
            self.say_first();
        }
        let error = match self.first {
            Some(error) if summary.blocks == 0 => return Err(error),
            Some(error) => {
                let message = format!("{} part(s) of the input were refused, first: {}", self.refused, error.message);
                Some(CliError { message, ..error })
            }
            None => None,
        };
        Ok(Ended { summary, error, tally: self.tally.unwrap_or_default() })
    }
}

/// What all came to.
pub(super) struct Ended {
    pub(super) summary: Summary,
    pub(super) error: Option<CliError>,
    pub(super) tally: Tally,
}

/// An error with its place before it; a file's own errors have theirs.
fn at(place: &str, error: &CliError) -> CliError {
    CliError { message: format!("{place}{}", error.message), kind: error.kind, code: error.code }
}

fn pace(blocks: u64, seconds: f64) -> String {
    format!("{:.0}", blocks as f64 / seconds.max(1e-3))
}

fn shown(told: &Told) -> String {
    let Told { block, tx, detector, kind, class, severity, asset, explanation, .. } = told;
    let class = class.name();
    let tx = tx.filter(|tx| !explanation.contains(&tx.to_string())).map(|tx| format!("; transaction {tx}"));
    format!("block {block}  {severity}  {asset}  {detector} ({kind}, {class}): {explanation}{}", tx.unwrap_or_default())
}

fn shown_gap(gap: &Gap) -> String {
    let Gap { chain, first, last } = gap;
    format!("gap: blocks {first} to {last} of chain {chain} are missing")
}

fn shown_first(first: &Containment) -> String {
    let Containment { block, asset, playbook, step, detector } = first;
    format!("{asset} at block {block} (playbook {playbook}, step {step}, because of {detector})")
}

fn shown_saved(saved: &Saved) -> String {
    let Saved { asset, token, from_block, to_block, amount } = saved;
    let unit = token.map_or_else(|| "wei".to_owned(), |token| format!("base units of {token}"));
    format!(
        "\nwould have saved at most {amount} {unit} of {asset}: what left after block {from_block}, where a pause could first have been, up to block \
         {to_block}"
    )
}

fn text(summary: &Summary) -> String {
    let Summary { blocks, transactions, findings, decisive, seconds, .. } = summary;
    let mut text = format!(
        "{blocks} blocks with {transactions} transactions in {seconds:.1} s ({} blocks/s): {findings} findings, {decisive} decisive",
        pace(*blocks, *seconds)
    );
    match &summary.containment {
        Some(first) => text.push_str(&format!("\nwould have contained {}", shown_first(first))),
        None => text.push_str("\nwould have contained nothing"),
    }
    if let Some(first) = &summary.proposal {
        text.push_str(&format!("\nwould have asked people to contain {}", shown_first(first)));
    }
    summary.saved.iter().for_each(|saved| text.push_str(&shown_saved(saved)));
    if summary.would_contain && summary.saved.is_empty() {
        text.push_str(
            "\nwhat it would have saved is not known: no outflow detector could read its balances after that block",
        );
    }
    for blind in &summary.blind {
        let (detector, asset, unread) = (&blind.detector, &blind.asset, blind.blocks);
        let what = match blind.why {
            Blindness::Unread => "could not read",
            Blindness::Learning => "was still learning at",
            Blindness::Behind => "could not know the other chain at",
            Blindness::Untraced => "had no traces at",
        };
        text.push_str(&format!("\nunknown: {detector} of {asset} {what} {unread} of {blocks} blocks"));
    }
    for NoAnswers { detector, asset, cause, count } in &summary.unanswered {
        text.push_str(&format!("\nno answer: {detector} of {asset}, {count} time(s): {cause}"));
    }
    if let Some(first) = summary.first_unproved_block {
        let count = summary.unproved_blocks;
        text.push_str(&format!(
            "\nnot proved by their receipts root: {count} of {blocks} blocks, the first is {first}"
        ));
    }
    summary.gaps.iter().for_each(|gap| text.push_str(&format!("\n{}", shown_gap(gap))));
    if summary.gap_count > GAPS_MAX as u64 {
        text.push_str(&format!("\n{} gaps in all", summary.gap_count));
    }
    text
}
