//! Pruning: what is older than the retention, and held by an archive that was checked, leaves the journal.
//!
//! Promise: no decision changes. What the rules still rest on stays: certificates, co-signatures, faults, closing votes, the first and the
//! last event and the last checkpoint of every chain, whatever belongs to an incident that is not closed, the custody of evidence that is held,
//! every chain that is cut or accused, and what is not chained. What is left is replayed beside the whole before anything is written, and nothing is if the two differ.
//!
//! Events go only where a checkpoint in the archives that another organisation than their author's witnessed covers them, or the first event of a
//! later epoch of their author that is so covered names them: whoever reads the archives can then prove that it is all that had been said.

mod coverage;
mod keep;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Serialize;
use thiserror::Error;
use watchfire_charter::Charter;
use watchfire_journal::index::distrust;
use watchfire_journal::{FileStorage, JournalError, Position, Record, prunable, scan};
use watchfire_protocol::{IncidentStatus, Machine, UnknownMember};
use watchfire_types::{
    B256, ChainBase, Epoch, Event, EventHash, MemberId, MemberKey, PrunedInto, PrunedLog, Seq, Timestamp, Verified,
};
use watchfire_wire::{decode_signed, encode_pruned};

use crate::archive::{Contents, ReadError, read};
use crate::evidence::store::Store;
use crate::kept::{Kept, KeptError, journal_of, look};
use crate::trees::witnessed;

/// Default retention, days: three years.
pub const KEEP_DAYS: u64 = 3 * 365 + 1;
const DAY_MS: u64 = 86_400_000;

/// Why nothing was pruned.
#[derive(Debug, Error)]
pub enum PruneError {
    /// The log does not hold.
    #[error("the log does not hold; see `watchfire log verify`")]
    Unsound,
    /// It cannot be looked at.
    #[error(transparent)]
    Kept(#[from] KeptError),
    /// The journal cannot be read or written.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The charter has no such member.
    #[error(transparent)]
    Member(#[from] UnknownMember),
    /// An archive does not hold.
    #[error("{}: {source}; nothing was pruned: name archives that `watchfire log export` made of this log", path.display())]
    Archive {
        /// File.
        path: PathBuf,
        /// Why.
        source: ReadError,
    },
    /// The charter's own times reach further back.
    #[error(
        "--keep-days {asked} is less than the {least} days that the charter's expiries and windows look back; give at least {least}"
    )]
    TooSoon {
        /// Asked for.
        asked: u64,
        /// Least.
        least: u64,
    },
    /// A record that was sound before is not any more.
    #[error("the record at {position} cannot be read: {cause}; see `watchfire log verify`")]
    Record {
        /// Where.
        position: Position,
        /// Why.
        cause: String,
    },
    /// What would be left is not the same to the rules: a mistake of this program.
    #[error("what would be left differs in its {what}; nothing was pruned, please report this")]
    Differs {
        /// In what.
        what: &'static str,
    },
}

/// What to prune.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Events younger than this stay, days.
    pub keep_days: u64,
    /// The clock.
    pub now: Timestamp,
    /// Only say what would be done.
    pub dry_run: bool,
}

/// What was pruned, or would be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Outcome {
    /// Whether nothing was changed because that was asked for.
    pub dry_run: bool,
    /// Events that leave the journal.
    pub pruned: u64,
    /// Events of the pruned segments that are kept.
    pub kept: u64,
    /// Events that are kept since no witnessed checkpoint in the archives covers them.
    pub not_witnessed: u64,
    /// Segment files that there are fewer.
    pub segments: u64,
    /// Bytes freed.
    pub bytes: u64,
    /// SHA-256 of each archive that covers it, as `sha256sum` prints it.
    pub archives: Vec<B256>,
    /// Digest of the shared state, before and after.
    pub state_digest: B256,
    /// Why no more, where nothing is pruned.
    pub reason: Option<String>,
}

/// Prunes the journal of a node that does not run.
///
/// # Errors
/// [`PruneError`]; nothing was pruned then.
pub fn prune(
    directory: &Path,
    charter: &Arc<Charter>,
    member: &MemberId,
    archives: &[PathBuf],
    options: Options,
    mut progress: impl FnMut(&str),
) -> Result<Outcome, PruneError> {
    let least = least_days(charter);
    if options.keep_days < least {
        return Err(PruneError::TooSoon { asked: options.keep_days, least });
    }
    journal_of(directory).map_err(KeptError::from)?;
    // Nobody writes meanwhile.
    let storage = FileStorage::open(&directory.join("journal"))?;
    let kept = look(directory, charter, member, |events| progress(&format!("{events} events checked")))?;
    if !kept.report.is_sound() || !kept.chains.iter().all(|fault| fault.kind.is_fork()) {
        return Err(PruneError::Unsound);
    }
    let archived = archived(charter, archives, &mut progress)?;
    let covered: BTreeSet<EventHash> = archived.iter().flat_map(|archive| archive.events.iter().copied()).collect();
    let cutoff =
        Timestamp::from_millis(options.now.as_millis().saturating_sub(options.keep_days.saturating_mul(DAY_MS)));
    let log = read_log(&storage, charter)?;
    let (through, reason) = through(&prunable(&storage)?, &log, &covered, cutoff);
    let digest = kept.machine.state_digest();
    let nothing = |reason| Outcome {
        dry_run: options.dry_run,
        pruned: 0,
        kept: 0,
        not_witnessed: 0,
        segments: 0,
        bytes: 0,
        archives: archived.iter().map(|archive| archive.contents.sha256).collect(),
        state_digest: digest,
        reason: Some(reason),
    };
    let Some(through) = through else { return Ok(nothing(reason)) };
    let plan = plan(directory, &kept, &log, &archived, through, cutoff)?;
    if plan.gone == 0 {
        let reason = "everything in the older segments is still needed, or no checkpoint in the archives that another organisation witnessed covers it";
        return Ok(Outcome { not_witnessed: plan.not_witnessed, ..nothing(reason.to_owned()) });
    }
    let note = note(&kept, &log, &plan, &archived, options.now);
    rehearse(charter, member, &kept, &log, &plan, &note)?;
    let mut outcome = Outcome {
        pruned: plan.gone,
        kept: plan.kept,
        not_witnessed: plan.not_witnessed,
        reason: None,
        ..nothing(String::new())
    };
    if !options.dry_run {
        // Positions change: what the index knows is wrong from the moment of the pruning on.
        distrust(&directory.join("sled"))?;
        let done = watchfire_journal::prune(&storage, through, &encode_pruned(&note), |record| {
            plan.stays.contains(&record.position)
        })?;
        outcome.segments = done.segments;
        outcome.bytes = done.bytes_before.saturating_sub(done.bytes_after);
    }
    Ok(outcome)
}

/// How far the charter's own times look back, days: what is younger is never pruned.
fn least_days(charter: &Charter) -> u64 {
    let playbooks = charter.playbooks.values();
    let playbooks = playbooks.flat_map(|book| [book.expiry_s, book.cooldown_s, book.budget_window_s]);
    let windows = charter.detectors.values().map(|detector| detector.watch.span_s());
    let most_s = playbooks.chain(windows).max().unwrap_or(0);
    // Twice, and a day: clocks of chains and people are not the same.
    1 + most_s.saturating_mul(2).div_ceil(86_400)
}

/// One archive that was checked.
struct Archived {
    events: BTreeSet<EventHash>,
    contents: Contents,
}

/// What the archives hold.
fn archived(
    charter: &Charter,
    archives: &[PathBuf],
    progress: &mut impl FnMut(&str),
) -> Result<Vec<Archived>, PruneError> {
    let mut archived = Vec::new();
    for path in archives {
        let failed = |source| PruneError::Archive { path: path.clone(), source };
        let file = File::open(path).map_err(|error| failed(error.into()))?;
        let mut events = BTreeSet::new();
        let read = read(BufReader::new(file), charter, |event, _| {
            events.insert(event.hash());
            if events.len().is_multiple_of(10_000) {
                progress(&format!("{} archived events checked", events.len()));
            }
            Ok::<(), ReadError>(())
        });
        archived.push(Archived { contents: read.map_err(failed)?, events });
    }
    Ok(archived)
}

/// One event of the journal.
pub(crate) struct Entry {
    pub(crate) position: Position,
    pub(crate) event: Verified<Event>,
}

impl Entry {
    pub(crate) fn chain(&self) -> (MemberKey, Epoch) {
        (self.event.author, self.event.epoch)
    }
}

fn read_log(storage: &FileStorage, charter: &Charter) -> Result<Vec<Entry>, PruneError> {
    let network = charter.network_id();
    let mut log = Vec::new();
    let mut failed = None;
    scan(storage, Position::START, |Record { position, bytes }| {
        let event = decode_signed(bytes).map_err(|error| error.to_string());
        match event.and_then(|event| event.verify(network).map_err(|error| error.to_string())) {
            Ok(event) => log.push(Entry { position, event }),
            Err(cause) => failed = failed.take().or(Some(PruneError::Record { position, cause })),
        }
    })?;
    failed.map_or(Ok(log), Err)
}

/// The last segment of which all before and in it may go, and why not the next one.
fn through(segments: &[u32], log: &[Entry], covered: &BTreeSet<EventHash>, cutoff: Timestamp) -> (Option<u32>, String) {
    let mut last = None;
    for &number in segments {
        let mut within = log.iter().filter(|entry| entry.position.segment() == number);
        let stays = within.find_map(|entry| {
            if entry.event.time >= cutoff {
                Some("is younger than the retention")
            } else if covered.contains(&entry.event.hash()) {
                None
            } else {
                Some("is in none of the archives")
            }
            .map(|why| format!("event {} at {} {why}", entry.event.hash().short(), entry.position))
        });
        match stays {
            Some(reason) => return (last, reason),
            None => last = Some(number),
        }
    }
    (last, "the journal has no older segment than the one that is written to".to_owned())
}

/// What goes and what stays.
pub(crate) struct Plan {
    pub(crate) through: u32,
    /// Where each chain of which something goes begins from then on.
    pub(crate) bases: BTreeMap<(MemberKey, Epoch), ChainBase>,
    /// Records of the pruned segments that stay.
    pub(crate) stays: BTreeSet<Position>,
    kept: u64,
    gone: u64,
    not_witnessed: u64,
}

fn plan(
    directory: &Path,
    kept: &Kept,
    log: &[Entry],
    archived: &[Archived],
    through: u32,
    cutoff: Timestamp,
) -> Result<Plan, PruneError> {
    let machine = &kept.machine;
    let proofs = archived.iter().flat_map(|archive| &archive.contents.witnessed);
    let coverage = coverage::Coverage::of(machine, proofs, &witnessed(directory, machine.charter())?);
    // A chain goes up to the first event of it that is not in the segments that go.
    let mut firsts: BTreeMap<(MemberKey, Epoch), Seq> =
        machine.heads().into_iter().map(|(key, (seq, _))| (key, seq.next())).collect();
    for entry in log.iter().filter(|entry| entry.position.segment() > through) {
        if let Some(first) = firsts.get_mut(&entry.chain()) {
            *first = entry.event.seq.min(*first);
        }
    }
    let mut plan = Plan { through, bases: BTreeMap::new(), stays: BTreeSet::new(), kept: 0, gone: 0, not_witnessed: 0 };
    let mut anchors = BTreeSet::new();
    let old = kept.pruned.as_ref().map(|pruned| pruned.chains.as_slice()).unwrap_or_default();
    plan.bases.extend(old.iter().map(|base| ((base.author, base.epoch), base.clone())));
    for ((author, epoch), next) in firsts {
        // Of one that is cut or accused nothing goes, witnessed or not.
        if !coverage.agrees(machine, author, epoch) || machine.base_at(author, epoch, next).is_none() {
            continue;
        }
        let proven = coverage.through(author, epoch);
        plan.not_witnessed += next.get().saturating_sub(proven.get());
        if let Some((base, kept)) = machine.base_at(author, epoch, next.min(proven)) {
            anchors.extend(kept.into_iter().map(|seq| (author, epoch, seq)));
            plan.bases.insert((author, epoch), base);
        }
    }
    let keeper = keep::Keeper::new(machine, log, through, cutoff, Store::look(directory));
    for entry in log.iter().filter(|entry| entry.position.segment() <= through) {
        let (author, epoch) = entry.chain();
        let before = plan.bases.get(&(author, epoch)).is_some_and(|base| entry.event.seq < base.next);
        if !before || anchors.contains(&(author, epoch, entry.event.seq)) || keeper.keeps(&entry.event) {
            plan.stays.insert(entry.position);
            plan.kept += 1;
        } else {
            plan.gone += 1;
        }
    }
    Ok(plan)
}

/// What is left in the place of what goes; only archives that hold something of it are named.
fn note(kept: &Kept, log: &[Entry], plan: &Plan, archived: &[Archived], now: Timestamp) -> PrunedLog {
    let mut archives = kept.pruned.as_ref().map(|pruned| pruned.archives.clone()).unwrap_or_default();
    let goes = |entry: &&Entry| entry.position.segment() <= plan.through && !plan.stays.contains(&entry.position);
    let held = |archive: &Archived| {
        let gone = log.iter().filter(goes).filter(|entry| archive.events.contains(&entry.event.hash()));
        gone.fold((0, Timestamp::default()), |(count, newest), entry| (count + 1, entry.event.time.max(newest)))
    };
    archives.extend(
        archived.iter().map(|archive| (archive, held(archive))).filter(|(_, (pruned, _))| *pruned > 0).map(
            |(Archived { contents, .. }, (pruned, through))| PrunedInto {
                sha256: contents.sha256,
                events: contents.events,
                pruned,
                through,
                at: now,
            },
        ),
    );
    PrunedLog { chains: plan.bases.values().cloned().collect(), archives }
}

/// Replays what would be left, and compares.
fn rehearse(
    charter: &Arc<Charter>,
    member: &MemberId,
    kept: &Kept,
    log: &[Entry],
    plan: &Plan,
    note: &PrunedLog,
) -> Result<(), PruneError> {
    let before = &kept.machine;
    let mut after = Machine::new(Arc::clone(charter), before.network(), member.clone(), before.epoch())?;
    if after.begin(&note.chains).is_err() {
        return Err(PruneError::Differs { what: "bases" });
    }
    let stays = |entry: &&Entry| entry.position.segment() > plan.through || plan.stays.contains(&entry.position);
    log.iter().filter(stays).for_each(|entry| after.apply(&entry.event));
    let open = |machine: &Machine| {
        let open = machine.incidents().into_iter().filter(IncidentStatus::is_open);
        let events = |of: &IncidentStatus| machine.incident_events(of).into_iter().map(Verified::hash).collect();
        open.map(|incident| (events(&incident), incident)).collect::<Vec<(BTreeSet<EventHash>, _)>>()
    };
    let certificates = |machine: &Machine| {
        let held = machine.decisions().into_iter().map(|status| (status.decision, status.certificates));
        held.filter(|(_, certificates)| !certificates.is_empty()).collect::<BTreeMap<_, _>>()
    };
    let trees = |machine: &Machine| {
        let trees = machine.epochs().map(|key| (key, machine.tree(key.0, key.1).cloned()));
        trees.collect::<BTreeMap<_, _>>()
    };
    let same = [
        ("state digest", before.state_digest() == after.state_digest()),
        ("chains", before.heads() == after.heads()),
        ("trees", trees(before) == trees(&after)),
        ("open incidents", open(before) == open(&after)),
        ("certificates", certificates(before) == certificates(&after)),
        ("signatures", before.signatures() == after.signatures()),
        ("alarms", before.alarms() == after.alarms()),
        ("ledger of rules", before.rule_stats() == after.rule_stats()),
    ];
    same.into_iter().find(|(_, same)| !same).map_or(Ok(()), |(what, _)| Err(PruneError::Differs { what }))
}

#[cfg(test)]
mod tests;
