//! `watchfire log`, and its `verify`.

use std::sync::Arc;

use clap::Subcommand;
use serde::Serialize;
use watchfire_journal::{ChainFault, IndexDifference, JournalError, LogFault};
use watchfire_types::{B256, Epoch, MemberId, PrunedInto, Timestamp};

use super::output::{CliError, Output, code};
use super::{NodeArgs, log_archive, log_prune, log_query, log_store, log_trees};
use crate::charter_file::load;
use crate::config::Config;
use crate::kept::{IndexState, Kept, look};
use crate::trees::witnessed;

/// What to do about the log.
#[derive(Debug, Subcommand)]
pub(super) enum LogCommand {
    /// Check the whole log: frames, signatures, hash chains, the journal against its index, and what witnesses said. Works beside a running node.
    Verify(NodeArgs),
    /// Set damaged bytes of the journal aside and keep every sound record; peers give again what was lost. The node must not run.
    Repair(NodeArgs),
    /// Build the index anew from the journal. The node must not run.
    Rebuild(NodeArgs),
    /// Find events by author, epoch, incident, kind, time or block, a page at a time. Works beside a running node.
    Query(Box<log_query::QueryArgs>),
    /// Print the newest checkpoint of a log with its witnesses' signatures (a C2SP signed note). A running node first makes one
    /// over everything it said.
    Checkpoint(log_trees::ChainArgs),
    /// Prove that an event is in a log, or that a log only grew: a text that anyone checks offline.
    Prove(log_trees::ProveArgs),
    /// Check a checkpoint or a proof offline, with nothing but the charter's keys.
    Check(log_trees::CheckArgs),
    /// Print the keys with which C2SP tools check checkpoints (signed-note verifier keys), one a line: of the log that FILE is of, then of every
    /// member as a witness. Needs no node.
    Keys(log_trees::KeysArgs),
    /// Write the whole log as one file: JSON lines with every signed event verbatim. Works beside a running node.
    Export(log_archive::ExportArgs),
    /// Read such files into the directory of a node that has no log yet, or whose log was pruned or has a damaged base: everything is verified, and
    /// all or nothing is kept.
    Import(log_archive::ImportArgs),
    /// Remove from the journal what is older than the retention, as far as checked archives hold it and no decision needs it. The node must
    /// not run.
    Prune(log_prune::PruneArgs),
    /// List who is convicted of contradicting itself, and write the proofs that `watchfire verify` accepts from anyone.
    Faults(log_trees::FaultsArgs),
}

#[derive(Serialize)]
struct Verified {
    member: MemberId,
    log_verified: bool,
    events: u64,
    bytes: u64,
    segments: u64,
    chains: usize,
    epoch: Option<Epoch>,
    log_root: B256,
    state_digest: B256,
    index: String,
    index_behind: u64,
    incomplete_bytes: u64,
    faults: Vec<String>,
    /// Lines of witnesses under checkpoints that are kept and verify; none where what keeps them is damaged.
    witness_lines: Option<usize>,
    /// Other members' two histories, which this log keeps as evidence.
    convictions: Vec<String>,
    /// What was pruned, and into which archives.
    pruned: Vec<Pruning>,
    #[serde(skip)]
    journal_holds: bool,
}

#[derive(Serialize)]
struct Pruning {
    archive: B256,
    events: u64,
    pruned: u64,
    through: String,
    at: String,
}

/// A time in RFC 3339.
fn time(at: Timestamp) -> String {
    let at = i64::try_from(at.as_millis()).ok().and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok());
    at.map_or_else(|| "beyond the calendar".to_owned(), |at| at.to_string())
}

/// Runs a `log` command.
pub(super) fn run(command: &LogCommand, output: Output) -> Result<u8, CliError> {
    match command {
        LogCommand::Verify(node) => verify(node, output),
        LogCommand::Repair(node) => log_store::repair(node, output),
        LogCommand::Rebuild(node) => log_store::rebuild(node, output),
        LogCommand::Query(arguments) => log_query::query(arguments, output),
        LogCommand::Checkpoint(arguments) => log_trees::checkpoint(arguments, output),
        LogCommand::Prove(arguments) => log_trees::prove(arguments, output),
        LogCommand::Check(arguments) => log_trees::check(arguments, output),
        LogCommand::Keys(arguments) => log_trees::keys(arguments, output),
        LogCommand::Export(arguments) => log_archive::to(arguments, output),
        LogCommand::Import(arguments) => log_archive::from(arguments, output),
        LogCommand::Prune(arguments) => log_prune::run(arguments, output),
        LogCommand::Faults(arguments) => log_trees::faults(arguments, output),
    }
}

fn verify(node: &NodeArgs, output: Output) -> Result<u8, CliError> {
    let config = Config::load(&node.config)?;
    let (charter, _) = load(&config.charter)?;
    let kept = look(&config.directory, &Arc::new(charter), &config.member, output.checked())?;
    let mut faults = faults(&kept);
    let witnessed = witnessed(&config.directory, kept.machine.charter());
    faults.extend(witnessed.as_ref().err().map(JournalError::to_string));
    let lines = witnessed.as_ref().ok().map(|found| found.values().map(Vec::len).sum());
    let verified = Verified {
        member: config.member.clone(),
        log_verified: kept.is_sound() && witnessed.is_ok(),
        events: kept.report.records,
        bytes: kept.report.bytes,
        segments: kept.report.segments,
        chains: kept.chain_count,
        epoch: kept.epoch,
        log_root: kept.log_root,
        state_digest: kept.machine.state_digest(),
        index: kept.index.to_string(),
        index_behind: kept.report.index_behind,
        incomplete_bytes: kept.report.incomplete_bytes,
        faults,
        witness_lines: lines,
        convictions: kept.convictions.iter().map(chain_fault).collect(),
        pruned: kept.pruned.iter().flat_map(|pruned| &pruned.archives).map(pruning).collect(),
        journal_holds: kept.report.fault_count == 0 && kept.chains.is_empty(),
    };
    output.answer(&text(&verified), &verified)?;
    Ok(if verified.log_verified { code::OK } else { code::NO })
}

fn pruning(into: &PrunedInto) -> Pruning {
    let PrunedInto { sha256, events, pruned, through, at } = into;
    Pruning { archive: *sha256, events: *events, pruned: *pruned, through: time(*through), at: time(*at) }
}

fn faults(kept: &Kept) -> Vec<String> {
    let report = &kept.report;
    let mut faults: Vec<String> = report.faults.iter().map(LogFault::to_string).collect();
    faults.extend(kept.chains.iter().map(chain_fault));
    faults.extend(report.differences.iter().map(difference));
    if let IndexState::Unusable(_) = kept.index {
        faults.push(format!(
            "index {}; the log is the journal: stop the node and move its directory `sled` away, the next run makes it anew",
            kept.index
        ));
    }
    let unlisted = report.fault_count.saturating_sub(report.faults.len() as u64)
        + report.difference_count.saturating_sub(report.differences.len() as u64);
    if unlisted > 0 {
        faults.push(format!("and {unlisted} more"));
    }
    faults
}

fn chain_fault(fault: &ChainFault) -> String {
    let ChainFault { link, kind } = fault;
    format!(
        "event {} of {} at {} in epoch {}: {kind}",
        link.hash.short(),
        link.author.short(),
        link.seq,
        link.epoch.short()
    )
}

fn difference(difference: &IndexDifference) -> String {
    match difference {
        IndexDifference::Missing(position) => format!("the index does not find the record at {position}"),
        IndexDifference::Extra(position) => format!("the index holds a record at {position} that the journal does not"),
    }
}

fn text(verified: &Verified) -> String {
    let Verified { events, chains, segments, bytes, .. } = verified;
    let mut text: String = verified.faults.iter().map(|fault| format!("fault: {fault}\n")).collect();
    for conviction in &verified.convictions {
        text.push_str(&format!("kept against its author (`watchfire log faults` writes the proof): {conviction}\n"));
    }
    let verdict = match verified.witness_lines {
        _ if verified.log_verified => "the log holds",
        _ if !verified.journal_holds => "THE LOG DOES NOT HOLD",
        None => "WHAT WITNESSES SAID CANNOT BE READ, the journal holds",
        Some(_) => "THE INDEX DOES NOT AGREE, the journal holds",
    };
    text.push_str(&format!(
        "{verdict}: {events} events of {chains} epochs in {segments} segments ({bytes} bytes); index {}\n",
        verified.index
    ));
    if let Some(lines) = verified.witness_lines {
        text.push_str(&format!("{lines} lines of witnesses\n"));
    }
    if verified.incomplete_bytes > 0 {
        text.push_str(&format!("{} bytes of an unfinished record at the end\n", verified.incomplete_bytes));
    }
    for Pruning { archive, pruned, through, at, .. } in &verified.pruned {
        text.push_str(&format!(
            "{pruned} events up to {through} were pruned on {at}; archive with SHA-256 {archive}\n"
        ));
    }
    text.push_str(&format!("log root      {}\nstate digest  {}", verified.log_root, verified.state_digest));
    text
}
