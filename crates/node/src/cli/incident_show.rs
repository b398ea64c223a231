//! `watchfire incident show`: everything that happened in an incident, and whether the ladder's steps would have stopped it.

use std::collections::{BTreeMap, BTreeSet};

use clap::Args;
use serde::Serialize;
use watchfire_charter::REPORT;
use watchfire_evm::ChainClient;
use watchfire_types::BlockRef;
use watchfire_types::control::{Firings, Incident, Record, SealedWords};

use super::NodeArgs;
use super::incident::{find, phase, time};
use super::output::{CliError, Output, code};
use super::sealed;
use crate::charter_file::load;
use crate::config::Config;
use crate::replay::{Method, Replayed, Tried, replay};
use crate::run::config_of;

/// Which incident.
#[derive(Debug, Args)]
pub(super) struct ShowArgs {
    /// The incident's id, or the beginning of it; `latest` is the one that is open, or the newest where all are closed.
    incident: String,
    /// Every finding a line of its own, where otherwise those of one rule are one line.
    #[arg(long)]
    all: bool,
    /// Ask an operator whether each step would have stopped it: the block at which a finding began, run again with the step's calls first. That is
    /// one operator's word for people; nothing is signed and nothing votes on it.
    #[arg(long)]
    replay: bool,
    #[command(flatten)]
    node: NodeArgs,
}

#[derive(Serialize)]
struct Shown {
    #[serde(flatten)]
    incident: Incident,
    sealed: Vec<SealedWords>,
    #[serde(skip_serializing_if = "Option::is_none")]
    replay: Option<Replayed>,
}

/// Shows it.
pub(super) fn run(arguments: &ShowArgs, output: Output) -> Result<u8, CliError> {
    let config = Config::load(&arguments.node.config)?;
    let incident = find(&config, &arguments.incident)?;
    let words = sealed::words(&config, Some(incident.id))?;
    let mut text =
        format!("incident {}\nasset {}  {}  {}\n", incident.id, incident.asset, incident.severity, phase(&incident));
    let mut lines: Vec<(u64, String)> = incident
        .records
        .iter()
        .filter(|record| arguments.all || record.kind != "finding")
        .map(|record| (record.at_ms, line(record)))
        .collect();
    lines.extend(incident.firings.iter().filter(|_| !arguments.all).map(|firings| (firings.at_ms, folded(firings))));
    lines.sort_by_key(|(at_ms, _)| *at_ms);
    lines.iter().for_each(|(_, line)| text.push_str(line));
    words.iter().for_each(|words| text.push_str(&sealed::text(words)));
    let replay = arguments.replay.then(|| replayed(&config, &incident)).transpose()?;
    replay.iter().for_each(|replay| text.push_str(&told(replay)));
    output.answer(&text, &Shown { incident, sealed: words, replay })?;
    Ok(code::OK)
}

/// Asks the operators of this node's configuration about the blocks at which findings of its rules began, the earliest first.
fn replayed(config: &Config, incident: &Incident) -> Result<Replayed, CliError> {
    let (charter, _) = load(&config.charter)?;
    let of_rules = incident.firings.iter().filter(|firings| firings.kind != REPORT).map(|firings| firings.first);
    let blocks: BTreeSet<BlockRef> = of_rules.collect();
    let chain = charter.assets.get(&incident.asset).map(|asset| asset.chain);
    let section = chain.and_then(|chain| config.chains.get(&chain));
    let Some(chain) = section.and_then(|section| config_of(&charter, &config.member, section)) else {
        let message = format!("no endpoint serves the chain of {}; configure one in config.toml", incident.asset);
        return Err(CliError::absent(message));
    };
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let client = ChainClient::connect(chain).await?;
        Ok(replay(&client, &charter, &incident.asset, &blocks).await)
    })
}

fn told(replayed: &Replayed) -> String {
    let Replayed { block, operator, method, transactions, lost, steps, unknown } = replayed;
    if let Some(cause) = unknown {
        return format!("replay: unknown: {cause}\n");
    }
    let (block, operator) = (block.map_or(0, |block| block.number), operator.iter().map(ToString::to_string));
    let of: Vec<String> = transactions.iter().map(ToString::to_string).collect();
    let head = format!(
        "replay: block {block}, run again by {} ({}): the asset loses {} in {}\n",
        operator.collect::<String>(),
        method.map_or("", Method::name),
        coins(lost),
        of.join(", ")
    );
    std::iter::once(head).chain(steps.iter().map(step)).collect()
}

fn step(tried: &Tried) -> String {
    let Tried { playbook, step, name, stopped, lost, cause, breaks } = tried;
    let cause = cause.as_ref().map(|cause| format!(" ({cause})")).unwrap_or_default();
    let left = if lost.is_empty() { String::new() } else { format!("; left to lose: {}", coins(lost)) };
    let harm = if breaks.is_empty() { String::new() } else { format!("; breaks: {}", breaks.join(", ")) };
    let stopped = stopped.name();
    format!("  {playbook} step {step} ({name}): would have stopped it: {stopped}{cause}{left}{harm}\n")
}

fn coins(lost: &BTreeMap<String, String>) -> String {
    let name = |coin: &String| if coin == "native" { "wei".to_owned() } else { format!("base units of {coin}") };
    lost.iter().map(|(coin, amount)| format!("{amount} {}", name(coin))).collect::<Vec<_>>().join(", ")
}

fn line(record: &Record) -> String {
    format!("{}  {:<21} {}\n", time(record.at_ms), record.kind, record.text)
}

/// A rule's findings in a line.
fn folded(firings: &Firings) -> String {
    let Firings { rule, severity, count, organisations, first, last, at_ms, text, .. } = firings;
    let times = if *count == 1 { "once".to_owned() } else { format!("{count} times") };
    let by = organisations.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let blocks = if first == last {
        format!("block {}", first.number)
    } else {
        format!("blocks {} to {}", first.number, last.number)
    };
    let text = format!("{severity} {rule}: {text} ({times}, {blocks}, by {by})");
    format!("{}  {:<21} {text}\n", time(*at_ms), "finding")
}
