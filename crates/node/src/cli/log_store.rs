//! `watchfire log repair` and `log rebuild`.

use std::time::Duration;

use serde::Serialize;
use watchfire_journal::index::{distrust, lost_tail};
use watchfire_journal::{FileStorage, IndexOptions, Journal, JournalOptions, LogIndex, SegmentRepair, note_lost_tail};
use watchfire_types::Bytes;
use watchfire_wire::decode_signed;

use super::NodeArgs;
use super::output::{CliError, Output, code};
use crate::charter_file::load;
use crate::config::Config;
use crate::kept::{journal_of, witness_directories};
use crate::run::index_keys;

/// Between two tellings of how far a rebuild is.
const TELL: Duration = Duration::from_millis(200);

/// The log of a node that does not run.
fn take(config: &Config) -> Result<FileStorage, CliError> {
    // Opening would make the directory.
    journal_of(&config.directory)?;
    Ok(FileStorage::open(&config.directory.join("journal"))?)
}

#[derive(Serialize)]
struct Repaired {
    segment: String,
    set_aside: Option<String>,
    ranges: Vec<String>,
    kept: u64,
    lost: u64,
}

/// Runs `log repair`.
pub(super) fn repair(node: &NodeArgs, output: Output) -> Result<u8, CliError> {
    let config = Config::load(&node.config)?;
    let (charter, _) = load(&config.charter)?;
    let network = charter.network_id();
    let storage = take(&config)?;
    let mut done = watchfire_journal::repair(&storage, |record| {
        decode_signed(Bytes::copy_from_slice(record)).is_ok_and(|event| event.verify(network).is_ok())
    })?;
    // What is gone from the log's end leaves no trace there: its index is the only one that knows.
    let sled = config.directory.join("sled");
    let gone = lost_tail(&sled, &Journal::open(storage.clone(), JournalOptions::default())?)?;
    if gone > 0 {
        done.extend(note_lost_tail(&storage, gone)?);
    }
    if !done.is_empty() {
        distrust(&sled)?;
    }
    for (side, directory) in witness_directories(&config.directory).iter().enumerate().filter(|(_, at)| at.is_dir()) {
        let repaired = watchfire_driver::repair_witness(&FileStorage::open(directory)?)?;
        done.extend(repaired.into_iter().map(|segment| SegmentRepair {
            segment: format!("witness/{side}/{}", segment.segment),
            set_aside: segment.set_aside.map(|name| format!("witness/{side}/{name}")),
            ..segment
        }));
    }
    let lost: u64 = done.iter().map(|segment| segment.lost).sum();
    let text = match done.is_empty() {
        true => "nothing is damaged".to_owned(),
        false => format!(
            "{}{lost} events lost; start the node: peers give them again, and its index is built anew",
            done.iter().map(told).collect::<String>()
        ),
    };
    let repaired = done.into_iter().map(|SegmentRepair { segment, set_aside, ranges, kept, lost }| Repaired {
        ranges: ranges.iter().map(|range| format!("{}..{}: {}", range.from, range.to, range.kind)).collect(),
        segment,
        set_aside,
        kept,
        lost,
    });
    let value = serde_json::json!({ "lost": lost, "repaired": repaired.collect::<Vec<_>>() });
    output.answer(&text, &value)?;
    Ok(code::OK)
}

fn told(segment: &SegmentRepair) -> String {
    let SegmentRepair { segment: name, set_aside, ranges, kept, lost } = segment;
    let aside = set_aside.as_ref().map_or_else(|| "was missing".to_owned(), |name| format!("set aside as {name}"));
    let ranges: String =
        ranges.iter().map(|range| format!("  bytes {} to {}: {}\n", range.from, range.to, range.kind)).collect();
    format!("segment {name} {aside}: {kept} events kept, {lost} lost\n{ranges}")
}

/// Runs `log rebuild`.
pub(super) fn rebuild(node: &NodeArgs, output: Output) -> Result<u8, CliError> {
    let config = Config::load(&node.config)?;
    let storage = take(&config)?;
    let journal = Journal::open(storage, JournalOptions::default())?;
    let sled = config.directory.join("sled");
    let gone = lost_tail(&sled, &journal)?;
    if gone > 0 {
        // Only this index knows: built anew it would know nothing of them.
        let message = format!(
            "the log has lost {gone} acknowledged events from its end, as its index shows; run `watchfire log repair`, which notes that for good \
             and has the index built anew"
        );
        return Err(CliError::failed(message).of("tail-lost"));
    }
    let options = IndexOptions { interval: Duration::from_millis(1), rebuild: true, ..IndexOptions::default() };
    let index = LogIndex::open(&sled, &journal, index_keys, options)?;
    let recovery = journal.recovery();
    let events = journal.records().saturating_sub(recovery.lost.saturating_add(recovery.pruned));
    loop {
        let lag = index.lag();
        if lag.records == 0 || lag.failure.is_some() {
            break;
        }
        output.progress(&format!("{} of {events} events to index", lag.records));
        std::thread::sleep(TELL);
    }
    index.shutdown()?;
    output.answer(&format!("{events} events indexed"), &serde_json::json!({ "events": events, "rebuilt": true }))?;
    Ok(code::OK)
}
