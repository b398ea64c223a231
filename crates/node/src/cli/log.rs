//! `watchfire log verify`.

use std::sync::Arc;

use clap::Subcommand;
use serde::Serialize;
use watchfire_journal::{ChainFault, IndexDifference, LogFault};
use watchfire_types::{B256, Epoch, MemberId};

use super::NodeArgs;
use super::output::{CliError, Output, code};
use crate::charter_file::load;
use crate::config::Config;
use crate::kept::{IndexState, Kept, look};

/// What to do about the log.
#[derive(Debug, Subcommand)]
pub(super) enum LogCommand {
    /// Check the whole log: frames, signatures, hash chains, and the journal against its index. Works beside a running node.
    Verify(NodeArgs),
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
    #[serde(skip)]
    journal_holds: bool,
}

/// Runs a `log` command.
pub(super) fn run(command: &LogCommand, output: Output) -> Result<u8, CliError> {
    let LogCommand::Verify(node) = command;
    let config = Config::load(&node.config)?;
    let (charter, _) = load(&config.charter)?;
    let kept = look(&config.directory, &Arc::new(charter), &config.member, |records| {
        output.progress(&format!("{records} events checked"));
    })?;
    let faults = faults(&kept);
    let verified = Verified {
        member: config.member.clone(),
        log_verified: kept.is_sound(),
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
        journal_holds: kept.report.is_sound() && kept.chains.is_empty(),
    };
    output.answer(&text(&verified), &verified)?;
    Ok(if verified.log_verified { code::OK } else { code::NO })
}

fn faults(kept: &Kept) -> Vec<String> {
    let report = &kept.report;
    let mut faults: Vec<String> = report.faults.iter().map(log_fault).collect();
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

fn log_fault(fault: &LogFault) -> String {
    match fault {
        LogFault::Damage { segment, offset, kind } => format!("segment {segment} at offset {offset}: {kind}"),
        LogFault::Record { position, cause } => format!("record at {position}: {cause}"),
    }
}

fn chain_fault(fault: &ChainFault) -> String {
    let ChainFault { link, kind } = fault;
    format!(
        "event {} of {} at {} in epoch {}: {kind:?}",
        link.hash.short(),
        link.author.short(),
        link.seq,
        link.epoch.short()
    )
}

fn difference(difference: &IndexDifference) -> String {
    match difference {
        IndexDifference::Missing(position) => format!("the index lacks the record at {position}"),
        IndexDifference::Extra(position) => format!("the index holds a record at {position} that the journal does not"),
        IndexDifference::Differing(position) => format!("index and journal differ at {position}"),
        IndexDifference::NotFound(position) => format!("the index does not find the record at {position} by its hash"),
    }
}

fn text(verified: &Verified) -> String {
    let Verified { events, chains, segments, bytes, .. } = verified;
    let mut text: String = verified.faults.iter().map(|fault| format!("fault: {fault}\n")).collect();
    let verdict = match (verified.log_verified, verified.journal_holds) {
        (true, _) => "the log holds",
        (false, true) => "THE INDEX IS UNUSABLE, the journal holds",
        (false, false) => "THE LOG DOES NOT HOLD",
    };
    text.push_str(&format!(
        "{verdict}: {events} events of {chains} epochs in {segments} segments ({bytes} bytes); index {}\n",
        verified.index
    ));
    if verified.incomplete_bytes > 0 {
        text.push_str(&format!("{} bytes of an unfinished record at the end\n", verified.incomplete_bytes));
    }
    text.push_str(&format!("log root      {}\nstate digest  {}", verified.log_root, verified.state_digest));
    text
}
