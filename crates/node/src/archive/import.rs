//! Reading archives into a node directory: nothing is kept of what does not hold, and what is pruned here becomes whole again.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, BufRead};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags, renameat_with};
use serde::Serialize;
use thiserror::Error;
use watchfire_charter::Charter;
use watchfire_driver::keep_witness_messages;
use watchfire_journal::index::distrust;
use watchfire_journal::{ChainLink, FileStorage, HashChains, Journal, JournalError, JournalOptions, prune, verify_log};
use watchfire_types::{B256, ChainBase, Event, EventHash, MemberKey, PrunedLog, Seq, Verified};
use watchfire_wire::{decode_pruned, decode_signed};

use super::read::{LineFault, ReadError, read};
use crate::kept::witness_directories;

/// Events that one sync covers.
const SYNC_EVERY: u64 = 256;

/// Why nothing was imported.
#[derive(Debug, Error)]
pub enum ImportError {
    /// An archive does not hold.
    #[error("archive {archive}, line {line}: {fault}; nothing was imported: take another copy, or export it again")]
    Line {
        /// Which of the archives, from 1; 0 for what is in the directory.
        archive: usize,
        /// Line, from 1.
        line: u64,
        /// What is wrong.
        fault: LineFault,
    },
    /// A log is there already.
    #[error(
        "{} holds a log already; import into a directory that `watchfire init` has just made, or whose log was pruned or has a damaged base",
        directory.display()
    )]
    NotEmpty {
        /// Node directory.
        directory: PathBuf,
    },
    /// An archive of a log that had been pruned came without those that hold the rest.
    #[error("what had been pruned is in the archive with SHA-256 {missing}; nothing was imported: name it as well")]
    Incomplete {
        /// Of its whole file.
        missing: B256,
    },
    /// The archives do not hold what is pruned here.
    #[error(
        "the archives do not hold event {seq} of {author} in epoch {epoch}, which was pruned here; nothing was imported: name every archive that `watchfire log verify` names"
    )]
    NotCovered {
        /// Author.
        author: MemberKey,
        /// Epoch.
        epoch: watchfire_types::Epoch,
        /// First position that is missing, or whose event is another one.
        seq: Seq,
    },
    /// The archive or the directory cannot be used.
    #[error("cannot {doing}: {source}; nothing was imported: {}", crate::config::unreadable(source))]
    Io {
        /// What was tried.
        doing: &'static str,
        /// Why.
        source: io::Error,
    },
    /// The new journal stands in its place, and it is not known for how long.
    #[error(
        "everything was imported, but the directory cannot be synced: {source}; check it by `watchfire log verify` after the next start of the machine, and import again if the log is as before"
    )]
    Unsynced {
        /// Why.
        source: io::Error,
    },
    /// What the directory holds does not hold.
    #[error("the log that is there does not hold: {cause}; see `watchfire log verify`")]
    Unsound {
        /// First thing.
        cause: String,
    },
    /// The journal cannot be written.
    #[error(transparent)]
    Journal(#[from] JournalError),
}

/// What was imported.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Imported {
    /// Events that the log holds now.
    pub events: u64,
    /// Of these, the ones that were there before.
    pub kept: u64,
    /// Events of authors that signed two histories: kept as evidence, as every node does.
    pub forked: u64,
    /// Lines of witnesses that were not held before.
    pub witnesses: u64,
    /// Positions of all chains, up to the last event of each, that nothing given here stands at: peers are asked for them.
    pub missing: u64,
    /// Where the directory held a log whose base is damaged: what became of it.
    pub mended: Option<Mended>,
}

/// A log whose beginning no repair brings back was put together anew.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Mended {
    /// Name of the directory beside the journal that holds everything as it was.
    pub set_aside: String,
}

/// Imports archives into the directory of a node that has no log yet, or only what a pruning left of one: that is then whole again. Where the
/// base of what was pruned is damaged, what is sound beside it is kept as well, and the damaged journal is set aside. An event that several of
/// them hold is taken once. `own` is its member's key.
///
/// # Errors
/// [`ImportError`]; the directory is as it was then, but for [`ImportError::Unsynced`].
pub fn import<R: BufRead>(
    directory: &Path,
    charter: &Charter,
    own: &MemberKey,
    archives: impl IntoIterator<Item = R>,
    progress: impl FnMut(u64),
) -> Result<Imported, ImportError> {
    let io = |doing| move |source| ImportError::Io { doing, source };
    let journal = directory.join("journal");
    // Held until the new journal stands in its place, so that no node starts in between.
    let lock = if journal.is_dir() { Some(FileStorage::open(&journal)?) } else { None };
    let there = match &lock {
        Some(storage) => there(storage, directory)?,
        None => There::Nothing,
    };
    let staged = directory.join("journal.importing");
    // What a killed import left is nobody's log.
    remove(&staged).map_err(io("remove an unfinished import"))?;
    let filled =
        Filling::begin(&staged, charter, progress).and_then(|filling| filling.run(archives, &there, lock.as_ref()));
    let replaced = filled.and_then(|(mut imported, notes)| {
        // Before the journal: a line whose events are not there does no harm.
        imported.witnesses = keep_lines(directory, charter, own, &notes)?;
        // Its index follows another journal from here on.
        distrust(&directory.join("sled"))?;
        replace(directory, &staged, &mut imported).map_err(io("put the journal in its place"))?;
        Ok(imported)
    });
    // What was not finished, or what stood there before. A later import removes what is left of it.
    let _ = remove(&staged);
    let imported = replaced?;
    let synced = fs::File::open(directory).and_then(|directory| directory.sync_all());
    synced.map_err(|source| ImportError::Unsynced { source })?;
    drop(lock);
    Ok(imported)
}

/// Adds the lines of witnesses to what the directory holds of them.
fn keep_lines(directory: &Path, charter: &Charter, own: &MemberKey, notes: &[String]) -> Result<u64, ImportError> {
    let Some((own, _)) = charter.member_by_key(own).filter(|_| !notes.is_empty()) else { return Ok(0) };
    let [first, second] = witness_directories(directory).map(|side| FileStorage::open(&side));
    Ok(keep_witness_messages([first?, second?], charter, own, notes)?)
}

/// Puts the new journal in the place of the one there, in one step: a log is there at every moment. A damaged one takes over the name under which the new
/// one waits, so that nothing that fails or is killed later can lose it.
fn replace(directory: &Path, staged: &Path, imported: &mut Imported) -> io::Result<()> {
    let journal = directory.join("journal");
    let Some(mended) = &mut imported.mended else { return swap(staged, &journal) };
    let names = (1_u32..).map(|copy| format!("journal.damaged-{copy}"));
    let mut free = names.filter(|name| !directory.join(name).exists());
    mended.set_aside = free.next().ok_or(io::ErrorKind::AlreadyExists)?;
    let aside = directory.join(&mended.set_aside);
    fs::rename(staged, &aside)?;
    swap(&aside, &journal).inspect_err(|_| {
        // It is nobody's log then, and is removed by its first name.
        let _ = fs::rename(&aside, staged);
    })
}

/// What a directory holds that archives are imported into.
enum There {
    Nothing,
    /// What a pruning left.
    Pruned(PrunedLog),
    /// What is sound of a log whose base is not.
    Damaged,
}

/// What is there. Anything else is no place to import into.
fn there(storage: &FileStorage, directory: &Path) -> Result<There, ImportError> {
    if prune::base_is_lost(storage)? {
        return Ok(There::Damaged);
    }
    let mut records = 0_u64;
    let report = verify_log(storage, None, |_| {
        records += 1;
        Ok(())
    })?;
    if let (Some(note), true) = (prune::base(storage)?, report.faults.is_empty()) {
        // What does not decode is of no more use than what does not check.
        return Ok(decode_pruned(&note).map_or(There::Damaged, There::Pruned));
    }
    if records > 0 || !report.faults.is_empty() {
        return Err(ImportError::NotEmpty { directory: directory.to_owned() });
    }
    Ok(There::Nothing)
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn swap(staged: &Path, journal: &Path) -> io::Result<()> {
    if journal.is_dir() {
        renameat_with(CWD, staged, CWD, journal, RenameFlags::EXCHANGE)?;
        return Ok(());
    }
    fs::rename(staged, journal)
}

/// A journal that is being made.
struct Filling<'a, P> {
    charter: &'a Charter,
    progress: P,
    journal: Journal<FileStorage>,
    links: HashChains,
    /// Where each event stands, by archive and line.
    places: BTreeMap<EventHash, (usize, u64)>,
    events: u64,
}

impl<'a, P: FnMut(u64)> Filling<'a, P> {
    fn begin(staged: &Path, charter: &'a Charter, progress: P) -> Result<Self, ImportError> {
        let journal = Journal::open(FileStorage::open(staged)?, JournalOptions::default())?;
        let (links, places) = (HashChains::new(), BTreeMap::new());
        Ok(Self { charter, progress, journal, links, places, events: 0 })
    }

    fn run<R: BufRead>(
        mut self,
        archives: impl IntoIterator<Item = R>,
        there: &There,
        storage: Option<&FileStorage>,
    ) -> Result<(Imported, Vec<String>), ImportError> {
        let mut notes = Vec::new();
        let (mut given, mut wanted) = (BTreeSet::new(), BTreeSet::new());
        for (at, archive) in archives.into_iter().enumerate() {
            let number = at + 1;
            let charter = self.charter;
            let contents = read(archive, charter, |event, line| self.take(&event, (number, line)))
                .map_err(|stopped| stopped.into_import(number))?;
            given.insert(contents.sha256);
            wanted.extend(contents.pruned_into);
            notes.extend(contents.notes);
        }
        let taken = self.events;
        if let (There::Nothing | There::Damaged, Some(missing)) = (there, wanted.difference(&given).next()) {
            return Err(ImportError::Incomplete { missing: *missing });
        }
        let mut mended = None;
        match (there, storage) {
            (There::Pruned(pruned), Some(storage)) => {
                self.keep(storage, false)?;
                pruned.chains.iter().try_for_each(|base| self.covers(base))?;
            }
            (There::Damaged, Some(storage)) => {
                self.keep(storage, true)?;
                mended = Some(Mended { set_aside: String::new() });
            }
            _ => {}
        }
        let missing = self.links.missing();
        let forked = self.check()?;
        self.journal.sync()?;
        let kept = self.events - taken;
        Ok((Imported { events: self.events, kept, forked, witnesses: 0, missing, mended }, notes))
    }

    fn take(&mut self, event: &Verified<Event>, place: (usize, u64)) -> Result<(), Stopped> {
        match self.places.get(&event.hash()) {
            // Another archive's.
            Some((archive, _)) if *archive != place.0 => return Ok(()),
            Some(_) => {
                let fault = LineFault::Chain { reason: "the same event stands twice".to_owned() };
                return Err(ReadError::Line { line: place.1, fault }.into());
            }
            None => {}
        }
        self.places.insert(event.hash(), place);
        let Event { author, epoch, seq, prev, .. } = **event;
        self.links.push(ChainLink { author, epoch, seq, prev, hash: event.hash() });
        self.journal.append(event.outer())?;
        self.events += 1;
        if self.events.is_multiple_of(SYNC_EVERY) {
            self.journal.sync()?;
            (self.progress)(self.events);
        }
        Ok(())
    }

    /// What stands in the directory follows what the archives hold; of a `damaged` log all that is sound.
    fn keep(&mut self, storage: &FileStorage, damaged: bool) -> Result<(), ImportError> {
        let network = self.charter.network_id();
        let mut stopped = None;
        let report = verify_log(storage, None, |record| {
            let event = decode_signed(record.bytes.clone()).map_err(|error| error.to_string())?;
            let event = event.verify(network).map_err(|error| error.to_string())?;
            if stopped.is_none() && !(damaged && self.places.contains_key(&event.hash())) {
                stopped = self.take(&event, (0, 0)).err();
            }
            Ok(())
        })?;
        match (stopped, report.faults.first().filter(|_| !damaged)) {
            (Some(stopped), _) => Err(stopped.into_import(0)),
            (None, Some(fault)) => Err(ImportError::Unsound { cause: format!("{fault:?}") }),
            (None, None) => Ok(()),
        }
    }

    /// Whether every event is there that a base stands for.
    fn covers(&self, base: &ChainBase) -> Result<(), ImportError> {
        let ChainBase { author, epoch, next, head, .. } = *base;
        match self.links.broken_before(author, epoch, next, head) {
            None => Ok(()),
            Some(seq) => Err(ImportError::NotCovered { author, epoch, seq }),
        }
    }

    fn check(&mut self) -> Result<u64, ImportError> {
        let mut forked = 0;
        for fault in std::mem::take(&mut self.links).faults() {
            // Two signed histories convict their author, wherever they are kept; the importing member's own too: partners hold both for good where a
            // process went on from an older snapshot, and an epoch that is cut is no reason never to have a log again.
            if fault.kind.is_fork() {
                forked += 1;
                continue;
            }
            let (archive, line) = self.places.get(&fault.link.hash).copied().unwrap_or_default();
            let fault = LineFault::Chain { reason: format!("{:?}", fault.kind) };
            return Err(ImportError::Line { archive, line, fault });
        }
        Ok(forked)
    }
}

/// Why reading on makes no sense.
enum Stopped {
    Archive(ReadError),
    Journal(JournalError),
}

impl From<ReadError> for Stopped {
    fn from(error: ReadError) -> Self {
        Self::Archive(error)
    }
}

impl From<JournalError> for Stopped {
    fn from(error: JournalError) -> Self {
        Self::Journal(error)
    }
}

impl Stopped {
    fn into_import(self, archive: usize) -> ImportError {
        match self {
            Self::Archive(ReadError::Line { line, fault }) => ImportError::Line { archive, line, fault },
            Self::Archive(ReadError::Io { source }) => ImportError::Io { doing: "read the archive", source },
            Self::Journal(error) => ImportError::Journal(error),
        }
    }
}
