//! `watchfire rules test`: what a charter's detectors, or detectors alone, find in past blocks, against what they should.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use alloy::primitives::Address;
use clap::Args;
use serde::Serialize;
use serde_json::json;
use watchfire_charter::reader::{Log, Section};
use watchfire_charter::{Charter, Class, Detector, RuleSet};
use watchfire_types::{AssetId, ChainId, DetectorId};

use super::backtest::{Ended, Teller};
use super::output::{CliError, Output, code};
use crate::backtest::Replay;
use crate::charter_file::CharterError;
use crate::config::read_text;

/// Blocks that are named of each rule; more are counted.
const BLOCKS_MAX: usize = 1_000;

/// Arguments of `watchfire rules test`.
#[derive(Debug, Args)]
pub(super) struct TestArgs {
    /// The charter, or its detectors alone, as TOML.
    file: PathBuf,
    /// Blocks in order, as `watchfire backtest` takes them. `-` is standard input.
    #[arg(long, value_name = "FILE", num_args = 1.., required = true)]
    blocks: Vec<PathBuf>,
    /// What should fire: a TOML table for each rule with `fired`, how often it begins to stand, or `blocks`, where, or both.
    #[arg(long, value_name = "FILE")]
    expect: Option<PathBuf>,
    /// The chain of blocks that do not say it, where the charter has several; of detectors alone, the chain of their assets, 1 unless it is said.
    #[arg(long, value_name = "ID")]
    chain: Option<u64>,
    /// Of detectors alone, the contracts of their assets; may be given several times.
    #[arg(long, value_name = "ADDRESS", num_args = 1..)]
    address: Vec<Address>,
}

/// What one rule should do.
#[derive(Debug, Default)]
struct Expected {
    fired: Option<u64>,
    blocks: Option<Vec<u64>>,
}

/// What one rule did.
#[derive(Debug, Serialize)]
struct Told<'a> {
    rule: &'a DetectorId,
    asset: &'a AssetId,
    kind: &'static str,
    class: Class,
    /// How often a finding of it began to stand, or became worse.
    fired: u64,
    /// Where, the first thousand.
    blocks: &'a [u64],
    /// Logs or transactions that it had no answer about, by cause.
    no_answer: BTreeMap<&'static str, u64>,
    /// Blocks that it could not read.
    unread: u64,
    /// Whether that is what was expected; `null` where nothing was.
    as_expected: Option<bool>,
    /// What was expected instead.
    #[serde(skip_serializing_if = "Option::is_none")]
    missed: Option<String>,
}

/// Runs the rules; a rule that does not do what is expected of it is a no.
pub(super) fn run(arguments: &TestArgs, output: Output) -> Result<u8, CliError> {
    let charter = charter(arguments)?;
    let expected = arguments.expect.as_deref().map(|path| expected(path, &charter)).transpose()?.unwrap_or_default();
    let only = arguments.chain.map(ChainId::new);
    if let Some(chain) = only.filter(|chain| !charter.chains.contains_key(chain)) {
        return Err(CliError::absent(format!("the charter has no chain {chain}; name one that it has with --chain")));
    }
    let mut teller = Teller::new(Replay::new(&charter, only), output, Some(BTreeMap::new()));
    for path in &arguments.blocks {
        teller.file(path)?;
    }
    let ended = teller.ended()?;
    let (mut text, mut lines, mut missed, mut silent) = (String::new(), Vec::new(), 0_u64, 0_u64);
    for (id, detector) in &charter.detectors {
        let told = told(id, detector, &ended, expected.get(id));
        missed += u64::from(told.as_expected == Some(false));
        silent += u64::from(told.fired == 0);
        text.push_str(&shown(&told));
        lines.push(serde_json::to_value(&told).map_err(CliError::failed)?);
    }
    let rules = charter.detectors.len();
    text.push_str(&format!(
        "{} blocks, {rules} rules: {silent} fired never, {missed} of {} expected did something else",
        ended.summary.blocks,
        expected.len()
    ));
    let Ended { summary, error, .. } = ended;
    let mut last = json!({ "summary": {
        "blocks": summary.blocks, "transactions": summary.transactions, "rules": rules, "silent": silent, "expected": expected.len(),
        "missed": missed, "as_expected": missed == 0, "rejected": summary.rejected,
    }});
    if let (Some(error), Some(object)) = (&error, last.as_object_mut()) {
        object.extend(error.value().as_object().cloned().unwrap_or_default());
    }
    if output.json {
        lines.iter().try_for_each(|line| output.answer("", line))?;
    }
    output.answer(&text, &last)?;
    if let Some(error) = error {
        output.progress(&format!("watchfire: {}", error.message));
        return Ok(error.code);
    }
    Ok(if missed == 0 { code::OK } else { code::NO })
}

/// The charter, or one without people around detectors alone.
fn charter(arguments: &TestArgs) -> Result<Charter, CliError> {
    let path = &arguments.file;
    let faults = |faults| CharterError::Faults { path: path.clone(), faults };
    let (RuleSet { detectors, charter }, _) = watchfire_charter::parse_rules(&read_text(path)?).map_err(faults)?;
    match charter {
        Some(_) if !arguments.address.is_empty() => {
            Err(CliError::usage("a charter says itself which contracts its assets have; leave --address out"))
        }
        Some(charter) => Ok(charter),
        None => {
            let contracts: BTreeSet<Address> = arguments.address.iter().copied().collect();
            let grouped = |detector: &Detector| detector.watch.is_of_group();
            if contracts.is_empty() && detectors.values().any(grouped) {
                let message = "a rule measures what its asset holds; say the asset's contracts with --address";
                return Err(CliError::usage(message));
            }
            Ok(Charter::trial(detectors, ChainId::new(arguments.chain.unwrap_or(1)), &contracts))
        }
    }
}

/// Reads `[rule-id]` with `fired` and `blocks`.
fn expected(path: &Path, charter: &Charter) -> Result<BTreeMap<DetectorId, Expected>, CliError> {
    let source = read_text(path)?;
    let log = Log::new("expectations", &source);
    let table = log.syntax(&source);
    let mut all = BTreeMap::new();
    if let Some(table) = &table {
        for (name, value) in Section::root(&log, table).entries() {
            let id = name.parse::<DetectorId>().ok().filter(|id| charter.detectors.contains_key(id));
            let Some(mut section) = value.section() else { continue };
            let Some(id) = id else {
                value.fault("unknown-reference", format!("there is no rule {name:?}"), "name a rule's id");
                continue;
            };
            let fired = section.get("fired").and_then(|value| value.number(0..=u64::MAX));
            let blocks = section.get("blocks").and_then(|value| {
                let blocks = value.list(BLOCKS_MAX)?;
                blocks.iter().map(|block| block.number(0..=u64::MAX)).collect::<Option<Vec<u64>>>()
            });
            if fired.is_none() && blocks.is_none() {
                let message = "nothing is expected of it";
                section.log.fault(&section.at, "no-bound", message, "write fired = 1, blocks = [20000000], or both");
            }
            section.finish();
            all.insert(id, Expected { fired, blocks });
        }
    }
    let (faults, _) = log.into_parts();
    if faults.is_empty() {
        return Ok(all);
    }
    let lines: String = faults.iter().map(|fault| format!("\n{fault}")).collect();
    Err(CliError::failed(format!("{} has {} fault(s):{lines}", path.display(), faults.len())).of("expectation-faults"))
}

fn told<'a>(id: &'a DetectorId, detector: &'a Detector, ended: &'a Ended, expected: Option<&Expected>) -> Told<'a> {
    let blocks = ended.tally.get(id).map(Vec::as_slice).unwrap_or_default();
    let fired = blocks.len() as u64;
    let missed = expected.and_then(|expected| {
        let other = expected.fired.filter(|wanted| *wanted != fired).map(|wanted| format!("to fire {wanted} time(s)"));
        let elsewhere = expected.blocks.as_ref().filter(|wanted| wanted.as_slice() != blocks);
        other.or_else(|| elsewhere.map(|wanted| format!("to fire at blocks {wanted:?}")))
    });
    let unanswered = ended.summary.unanswered.iter().filter(|one| one.detector == *id);
    let blind = ended.summary.blind.iter().find(|blind| blind.detector == *id);
    Told {
        rule: id,
        asset: &detector.asset,
        kind: detector.watch.kind(),
        class: detector.class,
        fired,
        blocks: blocks.get(..BLOCKS_MAX).unwrap_or(blocks),
        no_answer: unanswered.map(|one| (one.cause, one.count)).collect(),
        unread: blind.map_or(0, |blind| blind.blocks),
        as_expected: expected.map(|_| missed.is_none()),
        missed,
    }
}

fn shown(told: &Told<'_>) -> String {
    let Told { rule, asset, kind, fired, blocks, no_answer, unread, missed, .. } = told;
    let mut text = format!("{rule} of {asset} ({kind}): fired {fired} time(s)");
    if let Some(first) = blocks.first() {
        let named: Vec<String> = blocks.iter().take(10).map(ToString::to_string).collect();
        let more = if *fired > 10 { format!(" and {} more", fired - 10) } else { String::new() };
        text.push_str(&format!(
            " at block{} {}{more}",
            if blocks.last() == Some(first) { "" } else { "s" },
            named.join(", ")
        ));
    }
    for (cause, count) in no_answer {
        text.push_str(&format!("; no answer {count} time(s): {cause}"));
    }
    if *unread > 0 {
        text.push_str(&format!("; could not read {unread} blocks"));
    }
    if let Some(missed) = missed {
        text.push_str(&format!("; MISSED: it was expected {missed}"));
    }
    text.push('\n');
    text
}
