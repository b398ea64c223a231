//! `watchfire log query`: a page of the log at a time, found through the index, which a running node is asked for.

use std::collections::BTreeSet;

use clap::Args;
use serde::Serialize;
use serde_json::json;
use watchfire_charter::Charter;
use watchfire_journal::{IndexedRecord, Indexer as _, JournalError, Page, Position, Query, RecordReader, scan_page};
use watchfire_types::control::{Record, Reply, Request};
use watchfire_types::{Bytes, Epoch, EventHash, IncidentId, MemberId, Seq, Timestamp, Verified};
use watchfire_wire::decode_signed;

use super::NodeArgs;
use super::log_index::Index;
use super::output::{CliError, Output, code};
use crate::charter_file::load;
use crate::config::Config;
use crate::control::client::{ClientError, ask};
use crate::kept::{NoLog, journal_of, look};
use crate::run::{describe, index_keys};

/// Events shown at once.
const LIMIT_MAX: u64 = 100_000;

/// What to look for.
#[derive(Debug, Args)]
pub(super) struct QueryArgs {
    #[command(flatten)]
    node: NodeArgs,
    /// Events that this member authored, by its id in the charter.
    #[arg(long, value_name = "MEMBER")]
    author: Option<MemberId>,
    /// Events of this epoch of an author: all 32 hex digits.
    #[arg(long, value_name = "EPOCH")]
    epoch: Option<Epoch>,
    /// Events with this number in their author's epoch, from 0, or with those from FIRST to LAST.
    #[arg(long, value_name = "SEQ|FIRST-LAST", value_parser = range)]
    seq: Option<(u64, u64)>,
    /// Events of this incident: its whole id, as `watchfire incident list --json` names it.
    #[arg(long, value_name = "INCIDENT")]
    incident: Option<IncidentId>,
    /// Events of this kind, such as started, finding, vote, certificate, co-signature, executed.
    #[arg(long, value_name = "KIND")]
    kind: Option<String>,
    /// Events from this time on, as their authors' clocks say (RFC 3339).
    #[arg(long, value_name = "TIME")]
    since: Option<jiff::Timestamp>,
    /// Events up to this time (RFC 3339, such as 2026-01-31T12:00:00Z).
    #[arg(long, value_name = "TIME")]
    until: Option<jiff::Timestamp>,
    /// Events that speak of this block, or of those from FIRST to LAST, of a chain.
    #[arg(long, value_name = "CHAIN:BLOCK|CHAIN:FIRST-LAST", value_parser = block)]
    block: Option<(u64, u64, u64)>,
    /// Events shown at most: the last ones in the log, or those next to the place that --after or --before names.
    #[arg(long, value_name = "COUNT", default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..=LIMIT_MAX))]
    limit: u64,
    /// The events that follow this place of the log: `next` of an answer, or 0:0 for the first ones.
    #[arg(long, value_name = "PLACE", conflicts_with = "before")]
    after: Option<Position>,
    /// The events that precede this place: `previous` of an answer.
    #[arg(long, value_name = "PLACE")]
    before: Option<Position>,
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
    let page = match (arguments.after, arguments.before) {
        (Some(after), _) => Page::After(after),
        (None, Some(before)) => Page::Before(before),
        (None, None) => Page::Before(Position::END),
    };
    let limit = usize::try_from(arguments.limit).unwrap_or(usize::MAX);
    // One more than is shown tells whether there are more.
    let query = Query { limit: limit.saturating_add(1), ..build(arguments, &charter)? };
    let only = match arguments.incident {
        Some(incident) => Some(events_of(&config, &charter, incident, output)?),
        None => None,
    };
    let mut found = select(&config, &query, page, only.as_ref())?;
    if found.is_empty() && is_empty(&config)? {
        return Err(NoLog::Empty(config.directory.clone()).into());
    }
    let more = found.len() > limit;
    match page {
        Page::After(_) => found.truncate(limit),
        Page::Before(_) => drop(found.drain(..found.len().saturating_sub(limit))),
    }
    let ends = (found.first().map(|record| record.position), found.last().map(|record| record.position));
    let network = charter.network_id();
    let shown = |record: IndexedRecord| {
        let event = decode_signed(record.bytes)?.verify(network).map_err(CliError::failed)?;
        let told = describe::event(&event, event.time.as_millis(), &charter);
        Ok::<_, CliError>(Found { position: record.position.to_string(), epoch: event.epoch, record: told })
    };
    let events = found.into_iter().map(shown).collect::<Result<Vec<_>, _>>()?;
    let text = text(&events, page, more.then_some(ends));
    let place = |position: Option<Position>| position.map(|position| position.to_string());
    // With no event found, the place that was asked from is where to ask on.
    let (previous, next) = match (ends, page) {
        ((None, _), Page::After(place)) => (None, Some(place)),
        ((previous, next), _) => (previous, next),
    };
    let value = json!({ "events": events, "more": more, "previous": place(previous), "next": place(next) });
    output.answer(&text, &value)?;
    Ok(code::OK)
}

/// Whether the log holds no event at all: another answer than that none fits.
fn is_empty(config: &Config) -> Result<bool, CliError> {
    let storage = journal_of(&config.directory)?;
    Ok(scan_page(&storage, Position::START, Page::After(Position::START), 1, |_| true)?.is_empty())
}

/// The events, a line each, and how to go on where there are more.
fn text(events: &[Found], page: Page, more: Option<(Option<Position>, Option<Position>)>) -> String {
    let line = |found: &Found| {
        let at = i64::try_from(found.record.at_ms).ok().and_then(|at| jiff::Timestamp::from_millisecond(at).ok());
        let seq = found.record.seq.map_or_else(String::new, |seq| seq.to_string());
        let at = at.map_or_else(String::new, |at| at.to_string());
        format!("{at}  {}/{seq}  {}\n", found.epoch.short(), found.record.text)
    };
    let mut text: String = events.iter().map(line).collect();
    text.push_str(&format!("{} events", events.len()));
    match (page, more) {
        (Page::After(_), Some((_, Some(next)))) => text.push_str(&format!("; more follow: --after {next}")),
        (Page::Before(_), Some((Some(previous), _))) => text.push_str(&format!("; more precede: --before {previous}")),
        _ => {}
    }
    text
}

fn build(arguments: &QueryArgs, charter: &Charter) -> Result<Query, CliError> {
    let author = match &arguments.author {
        Some(member) => {
            let entry = charter.members.get(member);
            let unknown =
                || CliError::absent(format!("the charter has no member {member}; `watchfire status` lists them"));
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
        limit: 0,
    })
}

/// The events that the rules count to an incident: the running node knows, else the log is replayed.
fn events_of(
    config: &Config,
    charter: &Charter,
    incident: IncidentId,
    output: Output,
) -> Result<BTreeSet<EventHash>, CliError> {
    let unknown = || CliError::absent(format!("there is no incident {incident}; `watchfire incident list` names them"));
    match ask(&config.directory, &Request::Incidents) {
        Ok(Reply::Incidents { incidents }) => {
            let found = incidents.into_iter().find(|found| found.id == incident).ok_or_else(unknown)?;
            Ok(found.records.iter().filter_map(|record| record.event).collect())
        }
        Ok(_) => Err(CliError::other_answer()),
        Err(ClientError::NotRunning { .. }) => {
            let charter = std::sync::Arc::new(charter.clone());
            let kept = look(&config.directory, &charter, &config.member, output.checked())?;
            let found = kept.machine.incidents().into_iter().find(|found| found.id == incident).ok_or_else(unknown)?;
            Ok(kept.machine.incident_events(&found).into_iter().map(Verified::hash).collect())
        }
        Err(error) => Err(error.into()),
    }
}

/// What the index finds, and what of the journal it does not hold yet. Without a filter, and where there is no index to ask, the journal
/// itself is read, from the page's begin on.
fn select(
    config: &Config,
    query: &Query,
    page: Page,
    only: Option<&BTreeSet<EventHash>>,
) -> Result<Vec<IndexedRecord>, CliError> {
    let storage = journal_of(&config.directory)?;
    let index = match query.is_narrow() || only.is_some() {
        true => Index::of(config, &storage)?,
        false => None,
    };
    let indexed = index.as_ref().map_or(Position::START, Index::end);
    let within = |limit: usize| -> Result<Vec<IndexedRecord>, CliError> {
        let Some(index) = &index else { return Ok(Vec::new()) };
        let query = Query { limit, ..query.clone() };
        // A page that is looked through backwards has been beyond the index already.
        let page = if let Page::Before(place) = page { Page::Before(place.min(indexed)) } else { page };
        let reader = RecordReader::new(storage.clone());
        let read = |position| Ok::<_, CliError>(IndexedRecord { position, bytes: reader.read(position)? });
        let mut named = false;
        let candidates = |page: Page| match only {
            Some(_) if std::mem::replace(&mut named, true) => Ok(Vec::new()),
            Some(only) => index.named(only, page),
            None => index.fitting(&query, page),
        };
        let mut found = query.select(page, &index_keys, candidates, read)?;
        found.retain(|record| record.position < indexed);
        Ok(found)
    };
    let beyond = |limit: usize| -> Result<Vec<IndexedRecord>, JournalError> {
        let wanted = |bytes: &Bytes| index_keys.keys(bytes).is_some_and(|keys| query.takes(&keys));
        let named = |bytes: &Bytes| {
            only.is_none_or(|only| decode_signed(bytes.clone()).is_ok_and(|event| only.contains(&event.hash())))
        };
        let found = scan_page(&storage, indexed, page, limit, |record| wanted(&record.bytes) && named(&record.bytes))?;
        Ok(found.into_iter().map(|record| IndexedRecord { position: record.position, bytes: record.bytes }).collect())
    };
    let mut found = Vec::new();
    match page {
        Page::After(_) => {
            found.extend(within(query.limit)?);
            found.extend(beyond(query.limit.saturating_sub(found.len()))?);
        }
        Page::Before(_) => {
            let last = beyond(query.limit)?;
            found.extend(within(query.limit.saturating_sub(last.len()))?);
            found.extend(last);
        }
    }
    Ok(found)
}
