//! `watchfire log checkpoint`, `prove`, `check` and `faults`: what an auditor takes away and checks without a node.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Args;
use serde_json::json;
use watchfire_charter::Charter;
use watchfire_protocol::{Conviction, judge};
use watchfire_transparency::{Checkpoint, ConsistencyText, InclusionText, SignedCheckpoint, Witnessed};
use watchfire_types::MemberId;
use watchfire_types::control::{Reply, Request};
use watchfire_wire::encode_fault;

use super::NodeArgs;
use super::output::{CliError, Output, code};
use crate::charter_file::load;
use crate::config::Config;
use crate::control::client::{ClientError, ask};
use crate::durably;
use crate::kept::{Kept, look};
use crate::trees::{Chain, VerifierKeys, check_text, witnessed};

/// How long others have to witness a checkpoint that was just made.
const WITNESSES: Duration = Duration::from_secs(3);
/// How often is looked whether they did.
const LOOK: Duration = Duration::from_millis(100);
/// Longest text that is checked, bytes.
const TEXT_MAX: u64 = 1 << 20;

/// Whose log.
#[derive(Debug, Args)]
pub(super) struct ChainArgs {
    /// A member whose events this node holds; without it this node's own.
    #[arg(long)]
    member: Option<MemberId>,
    /// One of its epochs, or the beginning of it in hex; without it the newest.
    #[arg(long, value_name = "HEX")]
    epoch: Option<String>,
    #[command(flatten)]
    node: NodeArgs,
}

/// What to prove.
#[derive(Debug, Args)]
pub(super) struct ProveArgs {
    /// That the event with this number is in the log: its number among the events that are no checkpoints, from 0.
    #[arg(long, value_name = "N", conflicts_with_all = ["from", "to"], required_unless_present = "from")]
    index: Option<u64>,
    /// That the log's first SIZE events are still its first: the size of an earlier checkpoint.
    #[arg(long, value_name = "SIZE")]
    from: Option<u64>,
    /// The size of the later checkpoint; the newest unless given.
    #[arg(long, value_name = "SIZE", requires = "from")]
    to: Option<u64>,
    #[command(flatten)]
    chain: ChainArgs,
}

/// What to check.
#[derive(Debug, Args)]
pub(super) struct CheckArgs {
    /// A checkpoint, an inclusion proof or a consistency proof; `-` reads it from stdin.
    file: PathBuf,
    /// The charter whose keys count; without it that of the configuration.
    #[arg(long, value_name = "FILE")]
    charter: Option<PathBuf>,
    #[command(flatten)]
    node: NodeArgs,
}

/// Whose keys.
#[derive(Debug, Args)]
pub(super) struct KeysArgs {
    /// A checkpoint or a proof: the key of the log that it is of comes first. `-` reads it from stdin.
    file: Option<PathBuf>,
    /// The charter whose members are meant; without it that of the configuration.
    #[arg(long, value_name = "FILE")]
    charter: Option<PathBuf>,
    #[command(flatten)]
    node: NodeArgs,
}

/// Where to write.
#[derive(Debug, Args)]
pub(super) struct FaultsArgs {
    /// Write each as a file into this directory; without it they are only listed.
    #[arg(short, long, value_name = "DIR")]
    output: Option<PathBuf>,
    #[command(flatten)]
    node: NodeArgs,
}

/// A log that was read, and one chain of it.
struct Read {
    kept: Kept,
    chain: Chain,
    witnessed: BTreeMap<Checkpoint, Vec<Witnessed>>,
}

fn read(arguments: &ChainArgs, output: Output) -> Result<Read, CliError> {
    let config = Config::load(&arguments.node.config)?;
    let (charter, _) = load(&config.charter)?;
    let kept = look(&config.directory, &Arc::new(charter.clone()), &config.member, output.checked())?;
    let member = arguments.member.as_ref().unwrap_or(&config.member);
    let chain = Chain::find(&kept.machine, member, arguments.epoch.as_deref()).map_err(CliError::failed)?;
    let witnessed = witnessed(&config.directory, &charter)?;
    Ok(Read { kept, chain, witnessed })
}

/// Runs `log checkpoint`.
pub(super) fn checkpoint(arguments: &ChainArgs, output: Output) -> Result<u8, CliError> {
    let config = Config::load(&arguments.node.config)?;
    let own = arguments.epoch.is_none() && arguments.member.as_ref().is_none_or(|member| *member == config.member);
    let fresh = if own { fresh(&config, output)? } else { None };
    let note = match fresh {
        Some(note) => note,
        None => {
            let read = read(arguments, output)?;
            let all = read.chain.checkpoints(&read.kept.machine, &read.witnessed);
            let newest = all.into_values().next_back();
            newest.ok_or_else(|| {
                // The last one that the log ever had stays at every pruning.
                CliError::absent(format!(
                    "{} has no checkpoint yet; its running node makes one when asked, and every ten minutes",
                    read.chain.origin
                ))
            })?
        }
    };
    let text = note.to_string();
    let Checkpoint { origin, size, root } = note.checkpoint();
    let witnesses: Vec<&str> = note.signatures().iter().skip(1).map(|line| line.name.as_str()).collect();
    let value = json!({
        "origin": origin.to_string(), "size": size, "root": watchfire_types::B256::from(*root),
        "witnesses": witnesses, "checkpoint": text,
    });
    output.answer(&text, &value)?;
    Ok(code::OK)
}

/// A checkpoint that the running node makes now, with the lines of those who witness it within a moment; `None` when no node runs.
pub(super) fn fresh(config: &Config, output: Output) -> Result<Option<SignedCheckpoint>, CliError> {
    match ask(&config.directory, &Request::Checkpoint) {
        Err(ClientError::NotRunning { .. }) => return Ok(None),
        answered => answered?,
    };
    let others = load(&config.charter)?.0.members.len().saturating_sub(1);
    let until = Instant::now() + WITNESSES;
    loop {
        let Reply::Notes { notes } = ask(&config.directory, &Request::Notes)? else {
            return Err(CliError::other_answer());
        };
        let note = notes.first().map(|text| SignedCheckpoint::parse(text)).transpose()?;
        let lines = note.as_ref().map_or(0, |note| note.signatures().len().saturating_sub(1));
        if lines >= others || Instant::now() >= until {
            if lines < others {
                output.progress(&format!("{lines} of {others} members witnessed it so far"));
            }
            return Ok(note);
        }
        std::thread::sleep(LOOK);
    }
}

/// Runs `log prove`.
pub(super) fn prove(arguments: &ProveArgs, output: Output) -> Result<u8, CliError> {
    let read = read(&arguments.chain, output)?;
    let all = read.chain.checkpoints(&read.kept.machine, &read.witnessed);
    let tree = read.chain.tree(&read.kept.machine);
    let gone = read.chain.pruned(&read.kept.machine);
    let none = |what: &str| {
        let sizes: Vec<String> = all.keys().rev().take(8).map(ToString::to_string).collect();
        let sizes = if sizes.is_empty() { "none".to_owned() } else { sizes.join(", ") };
        CliError::failed(format!(
            "no checkpoint {what}; the newest are over {sizes} events; `watchfire log checkpoint` has a running node make one"
        ))
    };
    let (text, kind) = match (arguments.index, arguments.from) {
        (Some(index), _) => {
            if index < gone {
                return Err(pruned(&read, &format!("event {index}"), &format!("events from number {gone} on")));
            }
            let checkpoint = covering(&all, index).ok_or_else(|| none(&format!("covers event {index}")))?;
            let proof = tree.inclusion(index, checkpoint.checkpoint().size)?;
            let mut leaves = read.kept.machine.leaves_from(read.chain.key, read.chain.origin.epoch, index);
            let leaf = leaves.next().ok_or_else(|| {
                CliError::absent(format!("the log has no event {index}; `watchfire log query` lists them"))
            })?;
            (InclusionText { leaf: leaf.outer().to_vec(), proof, checkpoint }.to_string(), "inclusion")
        }
        (None, Some(from)) => {
            let to = arguments.to.or(all.keys().next_back().copied()).ok_or_else(|| none("is there"))?;
            // Of smaller trees only those are held whose subtrees happen to be left.
            if from > 0 && from <= to && (from < gone && tree.consistency(from, to).is_err() || to < gone) {
                return Err(pruned(
                    &read,
                    &format!("the tree of its first {} events", from.min(to)),
                    &format!("sizes from {gone} on"),
                ));
            }
            let checkpoint = all.get(&to).cloned().ok_or_else(|| none(&format!("is over {to} events")))?;
            let proof = tree.consistency(from, to)?;
            let old_root = tree.root_at(from).ok_or_else(|| none(&format!("covers {from} events")))?;
            let old_signature = all.get(&from).map(|old| old.author(&read.chain.key)).transpose()?;
            (ConsistencyText { old_root, old_signature, proof, checkpoint }.to_string(), "consistency")
        }
        (None, None) => return Err(CliError::usage("what is to be proved is not said; give --index, or --from")),
    };
    output.answer(&text, &json!({ "kind": kind, "origin": read.chain.origin.to_string(), "proof": text }))?;
    Ok(code::OK)
}

/// What is wanted went into an archive: which one, and what to do.
fn pruned(read: &Read, what: &str, left: &str) -> CliError {
    let way_back = read.kept.way_back().unwrap_or_default();
    CliError::failed(format!("{what} was pruned from {}: this log proves {left}; {way_back}", read.chain.origin))
        .of("pruned")
}

/// The checkpoint over more than `index` events that most members witnessed, of these the smallest.
fn covering(all: &BTreeMap<u64, SignedCheckpoint>, index: u64) -> Option<SignedCheckpoint> {
    let covering = all.range(index.saturating_add(1)..).rev();
    covering.map(|(_, note)| note).max_by_key(|note| note.signatures().len()).cloned()
}

/// Runs `log check`.
pub(super) fn check(arguments: &CheckArgs, output: Output) -> Result<u8, CliError> {
    let charter = charter_of(arguments.charter.as_deref(), &arguments.node)?;
    check_with(&text_of(&arguments.file)?, &charter, output)
}

/// Runs `log keys`.
pub(super) fn keys(arguments: &KeysArgs, output: Output) -> Result<u8, CliError> {
    let charter = charter_of(arguments.charter.as_deref(), &arguments.node)?;
    let text = arguments.file.as_deref().map(text_of).transpose()?;
    let keys = VerifierKeys::of(&charter, text.as_deref()).map_err(CliError::failed)?;
    let lines: Vec<&str> = keys.log.iter().chain(keys.witnesses.values()).map(String::as_str).collect();
    output.answer(&lines.join("\n"), &keys)?;
    Ok(code::OK)
}

/// The charter that is named, or that of the configuration.
fn charter_of(named: Option<&Path>, node: &NodeArgs) -> Result<Charter, CliError> {
    let path =
        named.map_or_else(|| Config::load(&node.config).map(|config| config.charter), |path| Ok(path.to_owned()));
    Ok(load(&path?)?.0)
}

/// Checks a text with a charter's keys.
pub(super) fn check_with(text: &str, charter: &Charter, output: Output) -> Result<u8, CliError> {
    let report = check_text(text, charter);
    output.answer(&report.text(), &report)?;
    Ok(if report.holds { code::OK } else { code::NO })
}

fn text_of(path: &Path) -> Result<String, CliError> {
    let mut text = String::new();
    let failed = |error: std::io::Error| CliError::unread(path, &error);
    let read = if path == Path::new("-") {
        std::io::stdin().lock().take(TEXT_MAX).read_to_string(&mut text)
    } else {
        File::open(path).map_err(failed)?.take(TEXT_MAX).read_to_string(&mut text)
    };
    read.map_err(failed)?;
    Ok(text)
}

/// Runs `log faults`.
pub(super) fn faults(arguments: &FaultsArgs, output: Output) -> Result<u8, CliError> {
    let config = Config::load(&arguments.node.config)?;
    let (charter, _) = load(&config.charter)?;
    let kept = look(&config.directory, &Arc::new(charter.clone()), &config.member, output.checked())?;
    let mut lines = Vec::new();
    let mut values = Vec::new();
    let mut convicted = BTreeSet::new();
    for object in kept.machine.convictions() {
        let Ok(conviction) = judge(&object, &charter) else { continue };
        let Conviction { member, author, epoch, cut, verdict, .. } = &conviction;
        convicted.insert((*author, *epoch));
        let file = match &arguments.output {
            Some(directory) => {
                let path = directory.join(format!("{member}-{}.fault", epoch.short()));
                write(&path, &encode_fault(&object))?;
                Some(path.display().to_string())
            }
            None => None,
        };
        let wrote = file.as_deref().map(|file| format!("; {file}")).unwrap_or_default();
        lines.push(format!("{verdict}; nothing of it counts from position {cut} on{wrote}\n"));
        values.push(json!({ "member": member, "epoch": epoch, "cut": cut, "verdict": verdict, "file": file }));
    }
    let mut without = Vec::new();
    for (author, epoch, cut) in kept.machine.cuts().filter(|(author, epoch, _)| !convicted.contains(&(*author, *epoch)))
    {
        let member = charter.member_by_key(&author).map_or_else(|| author.short(), |(member, _)| member.to_string());
        lines.push(format!(
            "{member} is cut in its epoch {} from position {cut} on, and no file proves it: its false checkpoint takes all its events since \
             the one before, which are more than 65,536 or 15 MiB, or are not held; whoever holds its log sees it\n",
            epoch.short()
        ));
        without.push(json!({ "member": member, "epoch": epoch, "cut": cut }));
    }
    let text = if lines.is_empty() { "no member is convicted here".to_owned() } else { lines.concat() };
    output.answer(&text, &json!({ "convictions": values, "cut_without_proof": without }))?;
    Ok(code::OK)
}

/// Nothing is written over; what stands there already is as good as written.
fn write(path: &Path, bytes: &[u8]) -> Result<(), CliError> {
    let failed = |error: std::io::Error| CliError::unwritten(path, &error);
    if std::fs::read(path).is_ok_and(|there| there == bytes) {
        return Ok(());
    }
    let mut file = File::options().write(true).create_new(true).mode(0o600).open(path).map_err(failed)?;
    file.write_all(bytes).and_then(|()| file.sync_all()).and_then(|()| durably::name(path)).map_err(failed)
}
