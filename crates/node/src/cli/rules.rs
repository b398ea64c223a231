//! `watchfire rules packs | pack | check | import | test | stats | promote`: detector rules to paste into a charter, what those of a charter cost,
//! what they find, and how often they were right.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::Subcommand;
use serde::Serialize;
use watchfire_charter::packs::{self, Pack, PackError};
use watchfire_charter::{Charter, Class, Detector, Fault, RuleSet, Warning, Watch};
use watchfire_detect::footprint;
use watchfire_types::{AssetId, DetectorId, Severity};

use super::output::{CliError, Output, code};
use crate::config::read_text;

/// Time between blocks that a fragment's rules are measured with, ms: only a charter names its chain.
const USUAL_BLOCK_TIME_MS: u64 = 12_000;

/// What to do about detector rules.
#[derive(Debug, Subcommand)]
pub(super) enum RulesCommand {
    /// List the rule packs, each with what it watches and what it has to be told.
    Packs,
    /// Print a pack's detectors as the text that goes into a charter.
    Pack {
        /// The pack's name, as `rules packs` lists it.
        #[arg(value_name = "PACK")]
        name: String,
        /// The charter's asset that the detectors are for.
        #[arg(long, value_name = "ID")]
        asset: AssetId,
        /// What the pack has to be told, such as safe=0x...; may be given several times, or with several of them.
        #[arg(long, value_name = "KEY=VALUE", num_args = 1.., value_parser = setting)]
        set: Vec<(String, String)>,
    },
    /// Judge the detectors of a charter, or of a text that holds nothing but detectors: every fault, and what each rule asks and remembers.
    Check {
        /// The charter, or its detectors alone, as TOML.
        file: PathBuf,
    },
    /// Turn the JSON monitors of OpenZeppelin Monitor into detectors to paste into a charter, and name every part that has no counterpart.
    Import(super::rules_import::ImportArgs),
    /// Run the detectors of a charter, or of a text that holds nothing but detectors, over past blocks: which fired how often, at which blocks,
    /// and whether that is as expected.
    Test(super::rules_test::TestArgs),
    /// Say how often each rule of the charter fired, and how often people found that it was right or wrong; of the running node, or of the log that
    /// it left.
    Stats(super::NodeArgs),
    /// Say that a rule may vote by itself again though a pause that it carried was a false alarm: it does once organisations that meet the
    /// charter's `contain` rule say so.
    Promote(Box<super::rules_stats::PromoteArgs>),
}

pub(super) fn setting(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or_else(|| format!("{text:?} is not written as KEY=VALUE"))?;
    Ok((key.to_owned(), value.to_owned()))
}

/// Runs a `rules` command.
pub(super) fn run(command: RulesCommand, output: Output) -> Result<u8, CliError> {
    match command {
        RulesCommand::Packs => list(output),
        RulesCommand::Pack { name, asset, set } => pack(&name, &asset, set, output),
        RulesCommand::Check { file } => check(&file, output),
        RulesCommand::Import(arguments) => super::rules_import::run(arguments, output),
        RulesCommand::Test(arguments) => super::rules_test::run(&arguments, output),
        RulesCommand::Stats(node) => super::rules_stats::stats(&node, output),
        RulesCommand::Promote(arguments) => super::rules_stats::promote(*arguments, output),
    }
}

fn list(output: Output) -> Result<u8, CliError> {
    let packs = packs::all().map_err(refused)?;
    let mut text = String::new();
    for Pack { name, about, parameters, .. } in &packs {
        text.push_str(&format!("{name}: {about}\n"));
        for parameter in parameters {
            let default = match &parameter.default {
                Some(default) => format!(" ({default})"),
                None if parameter.optional => " (optional)".to_owned(),
                None => String::new(),
            };
            text.push_str(&format!("  {}{default}: {}\n", parameter.key, parameter.what));
        }
    }
    output.answer(&text, &serde_json::json!({ "packs": packs }))?;
    Ok(code::OK)
}

fn pack(name: &str, asset: &AssetId, set: Vec<(String, String)>, output: Output) -> Result<u8, CliError> {
    let mut values = BTreeMap::new();
    for (key, value) in set {
        if values.insert(key.clone(), value).is_some() {
            return Err(CliError::usage(format!("{key} is set twice; say it once")));
        }
    }
    let pack = packs::named(name).map_err(refused)?;
    let toml = pack.expand(asset.as_str(), &values).map_err(refused)?;
    let value = serde_json::json!({ "pack": pack.name, "asset": asset, "toml": toml });
    output.answer(&toml, &value)?;
    Ok(code::OK)
}

fn refused(error: PackError) -> CliError {
    match &error {
        PackError::Unknown { .. } => CliError::absent(error),
        PackError::Missing { .. } | PackError::NoParameter { .. } | PackError::Value { .. } => CliError::usage(error),
        PackError::Malformed { .. } => CliError::failed(error).of("mistake-of-the-program"),
    }
}

/// What one rule is and costs.
#[derive(Serialize)]
struct Told {
    id: DetectorId,
    asset: AssetId,
    kind: &'static str,
    class: Class,
    severity: Severity,
    /// Reads of each block; for a fragment, whose asset is not known, those of one contract.
    reads: usize,
    /// How far it looks back, seconds.
    span_s: u64,
    /// Most bytes that it keeps of blocks and events, beside the answers of calls.
    memory_bytes: u64,
}

#[derive(Serialize)]
struct Checked<'a> {
    file: String,
    ok: bool,
    faults: &'a [Fault],
    warnings: &'a [Warning],
    rules: Vec<Told>,
}

fn check(path: &Path, output: Output) -> Result<u8, CliError> {
    let file = path.display().to_string();
    let (rules, warnings) = match watchfire_charter::parse_rules(&read_text(path)?) {
        Ok(read) => read,
        Err(faults) => {
            let mut text: String = faults.iter().map(|fault| format!("fault: {file}: {fault}\n")).collect();
            text.push_str(&format!("{} fault(s); the rules do not load", faults.len()));
            output.answer(&text, &Checked { file, ok: false, faults: &faults, warnings: &[], rules: Vec::new() })?;
            return Ok(code::NO);
        }
    };
    let told = told(&rules);
    let mut text: String = warnings.iter().map(|warning| format!("warning: {file}: {warning}\n")).collect();
    for Told { id, asset, kind, class, severity, reads, span_s, memory_bytes } in &told {
        let class = class.name();
        text.push_str(&format!(
            "{id} of {asset}: {kind}, {class}, {severity}; {reads} reads a block, looks back {span_s} s, keeps at most {memory_bytes} bytes\n"
        ));
    }
    let (reads, bytes) =
        (told.iter().map(|one| one.reads).sum::<usize>(), told.iter().map(|one| one.memory_bytes).sum::<u64>());
    text.push_str(&format!("{} rules hold; at most {reads} reads a block and {bytes} bytes together", told.len()));
    output.answer(&text, &Checked { file, ok: true, faults: &[], warnings: &warnings, rules: told })?;
    Ok(code::OK)
}

fn told(rules: &RuleSet) -> Vec<Told> {
    let one = |(id, detector): (&DetectorId, &Detector)| {
        let charter = rules.charter.as_ref();
        let known = charter.and_then(|charter: &Charter| {
            let asset = charter.assets.get(&detector.asset)?;
            let group = asset.contracts.union(&asset.internal).count();
            Some((group, charter.chains.get(&asset.chain)?.block_time_ms))
        });
        let (group, block_time_ms) = known.unwrap_or((1, USUAL_BLOCK_TIME_MS));
        Told {
            id: id.clone(),
            asset: detector.asset.clone(),
            kind: detector.watch.kind(),
            class: detector.class,
            severity: detector.severity,
            reads: detector.watch.calls().count()
                + detector.watch.coins().count() * group
                + usize::from(matches!(detector.watch, Watch::Sister(_))),
            span_s: detector.watch.span_s(),
            memory_bytes: footprint(&detector.watch, block_time_ms),
        }
    };
    rules.detectors.iter().map(one).collect()
}
