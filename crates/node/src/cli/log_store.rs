//! `watchfire log repair`, `log rebuild` and `log query`.

use std::collections::BTreeSet;
use std::time::Duration;

use clap::Args;
use serde::Serialize;
use watchfire_charter::Charter;
use watchfire_journal::index::distrust;
use watchfire_journal::{
    FileStorage, IndexOptions, IndexStore, IndexedRecord, Indexer as _, Journal, JournalError, JournalOptions,
    LogIndex, Position, Query, SegmentRepair, scan,
};
use watchfire_types::control::{Record, Reply, Request};
use watchfire_types::{Bytes, Epoch, EventHash, IncidentId, MemberId, Seq, Timestamp};
use watchfire_wire::decode_signed;

use super::NodeArgs;
use super::output::{CliError, Output, code};
use crate::charter_file::load;
use crate::config::Config;
use crate::control::client::{ClientError, ask};
use crate::kept::{look, open_index, witness_directories};
use crate::run::{describe, index_keys};

/// Between two tellings of how far a rebuild is.
const TELL: Duration = Duration::from_millis(200);

/// The log of a node that does not run.
fn take(config: &Config) -> Result<FileStorage, CliError> {
    let directory = config.directory.join("journal");
    if !directory.is_dir() {
        return Err(CliError::failed(format!("{} is not there: this node has no log yet", directory.display())));
    }
    Ok(FileStorage::open(&directory)?)
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
    if !done.is_empty() {
        distrust(&config.directory.join("sled"));
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
    let options = IndexOptions { interval: Duration::from_millis(1), rebuild: true, ..IndexOptions::default() };
    let index = LogIndex::open(&config.directory.join("sled"), &journal, index_keys, options)?;
    let events = journal.records() - journal.recovery().lost;
    loop {
        let lag = index.lag();
        if lag.records == 0 || lag.failure.is_some() {
            break;
        }
        output.progress(&format!("{} of {} events to index", lag.records, journal.records()));
        std::thread::sleep(TELL);
    }
    index.shutdown()?;
    output.answer(&format!("{events} events indexed"), &serde_json::json!({ "events": events, "rebuilt": true }))?;
    Ok(code::OK)
}

/// What to look for.
#[derive(Debug, Args)]
pub(super) struct QueryArgs {
    #[command(flatten)]
    node: NodeArgs,
    /// Events of this member.
    #[arg(long, value_name = "MEMBER")]
    author: Option<MemberId>,
    /// Events of this epoch (hex).
    #[arg(long, value_name = "EPOCH")]
    epoch: Option<Epoch>,
    /// Events with this seq, or FIRST-LAST.
    #[arg(long, value_name = "SEQ", value_parser = range)]
    seq: Option<(u64, u64)>,
    /// Events of this incident.
    #[arg(long, value_name = "INCIDENT")]
    incident: Option<IncidentId>,
    /// Events of this kind, such as `vote`.
    #[arg(long, value_name = "KIND")]
    kind: Option<String>,
    /// Events from this time on, as their authors' clocks say (RFC 3339).
    #[arg(long, value_name = "TIME")]
    since: Option<jiff::Timestamp>,
    /// Events up to this time.
    #[arg(long, value_name = "TIME")]
    until: Option<jiff::Timestamp>,
    /// Events that speak of this block of a chain: CHAIN:NUMBER or CHAIN:FIRST-LAST.
    #[arg(long, value_name = "BLOCK", value_parser = block)]
    block: Option<(u64, u64, u64)>,
    /// Events shown at most: the last ones in the log.
    #[arg(long, value_name = "COUNT", default_value_t = 100)]
    limit: usize,
}

fn range(text: &str) -> Result<(u64, u64), String> {
    let number = |text: &str| text.parse::<u64>().map_err(|error| format!("{text:?}: {error}"));
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    Ok((number(first)?, number(last)?))
}

fn block(text: &str) -> Result<(u64, u64, u64), String> {
    let (chain, blocks) = text.split_once(':').ok_or("a chain id and a block, such as 1:21000000")?;
    let chain = chain.parse::<u64>().map_err(|error| format!("chain {chain:?}: {error}"))?;
    range(blocks).map(|(first, last)| (chain, first, last))
}

#[derive(Serialize)]
struct Found {
    position: String,
    epoch: Epoch,
    #[serde(flatten)]
    record: Record,
}

/// Runs `log query`.
pub(super) fn query(arguments: &QueryArgs, output: Output) -> Result<u8, CliError> {
    let config = Config::load(&arguments.node.config)?;
    let (charter, _) = load(&config.charter)?;
    let query = build(arguments, &charter)?;
    let only = match arguments.incident {
        Some(incident) => Some(events_of(&config, &charter, incident)?),
        None => None,
    };
    let storage = FileStorage::read_only(&config.directory.join("journal"));
    // A running node holds its index: then the journal itself is read.
    let (store, _) = open_index(&config.directory.join("sled"), &storage);
    let found = select(&storage, store.as_ref(), &query, only.as_ref())?;
    let network = charter.network_id();
    let shown = |record: IndexedRecord| {
        let event = decode_signed(record.bytes)?.verify(network).map_err(CliError::failed)?;
        let told = describe::event(&event, event.time.as_millis(), &charter);
        Ok::<_, CliError>(Found { position: record.position.to_string(), epoch: event.epoch, record: told })
    };
    let events = found.into_iter().map(shown).collect::<Result<Vec<_>, _>>()?;
    let line = |found: &Found| {
        let at = i64::try_from(found.record.at_ms).ok().and_then(|at| jiff::Timestamp::from_millisecond(at).ok());
        let seq = found.record.seq.map_or_else(String::new, |seq| seq.to_string());
        let at = at.map_or_else(String::new, |at| at.to_string());
        format!("{at}  {}/{seq}  {}\n", found.epoch.short(), found.record.text)
    };
    let mut text: String = events.iter().map(line).collect();
    text.push_str(&format!("{} events", events.len()));
    output.answer(&text, &serde_json::json!({ "events": events }))?;
    Ok(code::OK)
}

fn build(arguments: &QueryArgs, charter: &Charter) -> Result<Query, CliError> {
    let author = match &arguments.author {
        Some(member) => {
            let entry = charter.members.get(member);
            let unknown = || CliError::failed(format!("the charter has no member {member}"));
            Some(entry.ok_or_else(unknown)?.node_key)
        }
        None => None,
    };
    let millis = |at: jiff::Timestamp| Timestamp::from_millis(u64::try_from(at.as_millisecond()).unwrap_or(0));
    let times = (arguments.since.is_some() || arguments.until.is_some()).then(|| {
        let until = arguments.until.map_or(Timestamp::from_millis(u64::MAX), millis);
        (arguments.since.map_or(Timestamp::from_millis(0), millis), until)
    });
    Ok(Query {
        author,
        epoch: arguments.epoch,
        seqs: arguments.seq.map(|(first, last)| (Seq::new(first), Seq::new(last))),
        incident: None,
        kind: arguments.kind.as_ref().map(|kind| kind.as_bytes().to_vec()),
        times,
        blocks: arguments.block,
        limit: arguments.limit,
    })
}

/// The events that the rules count to an incident: the running node knows, else the log is replayed.
fn events_of(config: &Config, charter: &Charter, incident: IncidentId) -> Result<BTreeSet<EventHash>, CliError> {
    let unknown = || CliError::failed(format!("there is no incident {incident}; `watchfire incident list` names them"));
    match ask(&config.directory, &Request::Incidents) {
        Ok(Reply::Incidents { incidents }) => {
            let found = incidents.into_iter().find(|found| found.id == incident).ok_or_else(unknown)?;
            Ok(found.records.iter().filter_map(|record| record.event).collect())
        }
        Ok(_) => Err(CliError::failed("the node answered something else; do both run the same version?")),
        Err(ClientError::NotRunning { .. }) => {
            let charter = std::sync::Arc::new(charter.clone());
            let kept = look(&config.directory, &charter, &config.member, |_| {})?;
            let found = kept.machine.incidents().into_iter().find(|found| found.id == incident).ok_or_else(unknown)?;
            Ok(found.events.into_iter().collect())
        }
        Err(error) => Err(error.into()),
    }
}

/// What the index finds, and what of the journal it does not hold yet; or all of the journal where there is no index to ask.
fn select(
    storage: &FileStorage,
    store: Option<&IndexStore>,
    query: &Query,
    only: Option<&BTreeSet<EventHash>>,
) -> Result<Vec<IndexedRecord>, JournalError> {
    let wanted = |bytes: &Bytes| index_keys.keys(bytes).is_some_and(|keys| query.takes(&keys));
    let mut found = match (store, only) {
        (Some(store), Some(only)) => {
            let mut found = Vec::new();
            for hash in only {
                found.extend(store.by_hash(*hash)?.filter(|record| wanted(&record.bytes)));
            }
            found
        }
        (Some(store), None) => store.query(query, &index_keys)?,
        (None, _) => Vec::new(),
    };
    let behind = store.map_or(Ok(Position::START), IndexStore::indexed)?;
    let named = |bytes: &Bytes| {
        only.is_none_or(|only| decode_signed(bytes.clone()).is_ok_and(|event| only.contains(&event.hash())))
    };
    scan(storage, behind, |record| {
        if wanted(&record.bytes) && named(&record.bytes) {
            found.push(IndexedRecord { position: record.position, bytes: record.bytes });
        }
    })?;
    found.sort_by_key(|record| record.position);
    found.drain(..found.len().saturating_sub(query.limit));
    Ok(found)
}
