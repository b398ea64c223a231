//! Reading an archive into an empty node directory: every line is checked before anything of it can count, and nothing is kept of one
//! that does not hold.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, BufRead, Read as _};
use std::path::{Path, PathBuf};

use serde::Serialize;
use thiserror::Error;
use watchfire_charter::Charter;
use watchfire_journal::{ChainLink, FileStorage, HashChains, Journal, JournalError, JournalOptions, verify_log};
use watchfire_types::{Event, EventHash, MemberKey, NetworkId, Verified};
use watchfire_wire::decode_signed;

use super::{FORMAT, Foot, Head, LINE_MAX, Line, Sum};

/// Events that one sync covers.
const SYNC_EVERY: u64 = 256;
/// Longest last line: it names every tree.
const FOOT_MAX: usize = 256 * super::TREES_MAX;

/// What is wrong with a line.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum LineFault {
    /// Not what belongs there.
    #[error("it is no {expected}: {reason}")]
    Malformed {
        /// What should be there.
        expected: &'static str,
        /// Why it is not.
        reason: String,
    },
    /// Longer than any line of an archive.
    #[error("it is longer than {LINE_MAX} bytes")]
    TooLong,
    /// An archive of a later version.
    #[error("the archive has format {found}; this version reads {FORMAT}")]
    Format {
        /// Its format.
        found: u32,
    },
    /// An archive of another network.
    #[error("the archive is of network {found}, the charter here of {expected}")]
    ForeignNetwork {
        /// Of the archive.
        found: NetworkId,
        /// Of the charter.
        expected: NetworkId,
    },
    /// Another charter than this node's.
    #[error("the archive was made under another charter than this node's")]
    ForeignCharter,
    /// An event line is missing, or stands twice.
    #[error("event {expected} should stand here, found {found}")]
    Position {
        /// By count.
        expected: u64,
        /// By the line.
        found: u64,
    },
    /// The bytes are no event, or its signature does not hold.
    #[error("the event does not hold: {reason}")]
    Event {
        /// Why.
        reason: String,
    },
    /// Nobody of the charter signed it.
    #[error("its author {author} is no member of the charter")]
    UnknownAuthor {
        /// Key.
        author: MemberKey,
    },
    /// What is told beside the event is not what it says.
    #[error("its {field} is not the signed event's")]
    Differs {
        /// Field.
        field: &'static str,
    },
    /// It does not continue its author's chain.
    #[error("it does not fit its author's chain: {reason}")]
    Chain {
        /// Why.
        reason: String,
    },
    /// The file ends without its last line.
    #[error("the file ends here without its last line: it was cut")]
    Truncated,
    /// Bytes before the last line were altered, added or removed.
    #[error("the lines before have another {field} than this last one says")]
    Sum {
        /// What differs.
        field: &'static str,
    },
    /// Something follows the last line.
    #[error("it stands after the last line")]
    AfterTheEnd,
}

/// Why nothing was imported.
#[derive(Debug, Error)]
pub enum ImportError {
    /// The archive does not hold.
    #[error("line {line}: {fault}; nothing was imported")]
    Line {
        /// Line, from 1.
        line: u64,
        /// What is wrong.
        fault: LineFault,
    },
    /// A log is there already.
    #[error("{} holds a log already; import into a directory that `watchfire init` has just made", directory.display())]
    NotEmpty {
        /// Node directory.
        directory: PathBuf,
    },
    /// The archive or the directory cannot be used.
    #[error("cannot {doing}: {source}; nothing was imported")]
    Io {
        /// What was tried.
        doing: &'static str,
        /// Why.
        source: io::Error,
    },
    /// The journal cannot be written.
    #[error(transparent)]
    Journal(#[from] JournalError),
}

/// What was imported.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Imported {
    /// Events.
    pub events: u64,
    /// Events of authors that signed two histories: kept as evidence, as every node does.
    pub forked: u64,
}

/// Imports an archive into the directory of a node that has no log yet. `own` is its member's key: a fork of its own chain is refused.
///
/// # Errors
/// [`ImportError`]; the directory is as it was then.
pub fn import(
    directory: &Path,
    charter: &Charter,
    own: &MemberKey,
    archive: impl BufRead,
    progress: impl FnMut(u64),
) -> Result<Imported, ImportError> {
    let io = |doing| move |source| ImportError::Io { doing, source };
    let journal = directory.join("journal");
    let empty = || ImportError::NotEmpty { directory: directory.to_owned() };
    // Held until the new journal stands in its place, so that no node starts in between.
    let lock = if journal.is_dir() { Some(FileStorage::open(&journal)?) } else { None };
    if lock.is_some() {
        let mut records = 0_u64;
        let report = verify_log(&FileStorage::read_only(&journal), None, |_| {
            records += 1;
            Ok(())
        })?;
        if records > 0 || !report.faults.is_empty() {
            return Err(empty());
        }
    }
    let staged = directory.join("journal.importing");
    // What a killed import left is nobody's log.
    remove(&staged).map_err(io("remove an unfinished import"))?;
    let done = fill(&staged, charter, own, archive, progress).and_then(|imported| {
        remove(&journal).map_err(io("put the journal in its place"))?;
        fs::rename(&staged, &journal).map_err(io("put the journal in its place"))?;
        fs::File::open(directory).and_then(|directory| directory.sync_all()).map_err(io("sync the directory"))?;
        Ok(imported)
    });
    if done.is_err() {
        remove(&staged).map_err(io("remove the unfinished import"))?;
    }
    drop(lock);
    done
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn fill(
    staged: &Path,
    charter: &Charter,
    own: &MemberKey,
    archive: impl BufRead,
    mut progress: impl FnMut(u64),
) -> Result<Imported, ImportError> {
    let mut journal = Journal::open(FileStorage::open(staged)?, JournalOptions::default())?;
    let mut reader = Reader::new(archive);
    let mut sum = Sum::default();
    let mut links = HashChains::new();
    let mut lines: BTreeMap<EventHash, u64> = BTreeMap::new();
    reader.head(charter, &mut sum)?;
    let foot = loop {
        match reader.next(charter, &sum)? {
            Next::Event(event, bytes) => {
                let Event { author, epoch, seq, prev, .. } = **event;
                links.push(ChainLink { author, epoch, seq, prev, hash: event.hash() });
                if lines.insert(event.hash(), reader.line).is_some() {
                    return Err(reader.fault(LineFault::Chain { reason: "the same event stands twice".to_owned() }));
                }
                journal.append(event.outer())?;
                sum.line(&bytes);
                sum.event(&event);
                if sum.events % SYNC_EVERY == 0 {
                    journal.sync()?;
                    progress(sum.events);
                }
            }
            Next::Foot(foot) => break foot,
        }
    };
    let events = sum.events;
    reader.close(&foot, sum)?;
    let mut forked = 0;
    for fault in links.faults() {
        // Two signed histories convict their author, wherever they are kept; an honest node never made such.
        if fault.link.author != *own && fault.kind.is_fork() {
            forked += 1;
            continue;
        }
        let line = lines.get(&fault.link.hash).copied().unwrap_or_default();
        return Err(ImportError::Line { line, fault: LineFault::Chain { reason: format!("{:?}", fault.kind) } });
    }
    journal.sync()?;
    Ok(Imported { events, forked })
}

enum Next {
    Event(Box<Verified<Event>>, Vec<u8>),
    Foot(Foot),
}

/// The archive, a bounded line at a time.
struct Reader<R> {
    archive: R,
    line: u64,
}

impl<R: BufRead> Reader<R> {
    fn new(archive: R) -> Self {
        Self { archive, line: 0 }
    }

    fn fault(&self, fault: LineFault) -> ImportError {
        ImportError::Line { line: self.line, fault }
    }

    /// The next line with its end; empty at the end of the file.
    fn read(&mut self) -> Result<Vec<u8>, ImportError> {
        self.line += 1;
        let mut bytes = Vec::new();
        let read = (&mut self.archive).take(FOOT_MAX as u64 + 1).read_until(b'\n', &mut bytes);
        read.map_err(|source| ImportError::Io { doing: "read the archive", source })?;
        if bytes.len() > LINE_MAX && !bytes.starts_with(b"{\"end\"") {
            return Err(self.fault(LineFault::TooLong));
        }
        match bytes.last() {
            Some(b'\n') | None => Ok(bytes),
            Some(_) => Err(self.fault(LineFault::Truncated)),
        }
    }

    fn head(&mut self, charter: &Charter, sum: &mut Sum) -> Result<(), ImportError> {
        let bytes = self.read()?;
        if bytes.is_empty() {
            return Err(self.fault(LineFault::Truncated));
        }
        let head: Head = serde_json::from_slice(&bytes).map_err(|error| {
            self.fault(LineFault::Malformed { expected: "first line of an archive", reason: error.to_string() })
        })?;
        let expected = charter.network_id();
        if head.watchfire_log != FORMAT {
            return Err(self.fault(LineFault::Format { found: head.watchfire_log }));
        }
        if head.network != expected {
            return Err(self.fault(LineFault::ForeignNetwork { found: head.network, expected }));
        }
        if head != Head::of(charter) {
            return Err(self.fault(LineFault::ForeignCharter));
        }
        sum.line(&bytes);
        Ok(())
    }

    fn next(&mut self, charter: &Charter, sum: &Sum) -> Result<Next, ImportError> {
        let bytes = self.read()?;
        if bytes.is_empty() {
            return Err(self.fault(LineFault::Truncated));
        }
        let malformed = |reason: serde_json::Error| LineFault::Malformed {
            expected: "line of an archive",
            reason: reason.to_string(),
        };
        if bytes.starts_with(b"{\"end\"") {
            return serde_json::from_slice(&bytes).map(Next::Foot).map_err(|error| self.fault(malformed(error)));
        }
        let line: Line = serde_json::from_slice(&bytes).map_err(|error| self.fault(malformed(error)))?;
        let event = event(&line, sum.events, charter).map_err(|fault| self.fault(fault))?;
        Ok(Next::Event(Box::new(event), bytes))
    }

    fn close(&mut self, foot: &Foot, sum: Sum) -> Result<(), ImportError> {
        let counted = sum.foot();
        let fields = [
            ("count", foot.events == counted.events && foot.end),
            ("SHA-256", foot.sha256 == counted.sha256),
            ("tree roots", foot.trees == counted.trees),
        ];
        if let Some((field, _)) = fields.into_iter().find(|(_, equal)| !equal) {
            return Err(self.fault(LineFault::Sum { field }));
        }
        if self.read()?.is_empty() { Ok(()) } else { Err(self.fault(LineFault::AfterTheEnd)) }
    }
}

/// The event of a line, its signature checked, and what stands beside it compared.
fn event(line: &Line, position: u64, charter: &Charter) -> Result<Verified<Event>, LineFault> {
    if line.position != position {
        return Err(LineFault::Position { expected: position, found: line.position });
    }
    let broken = |reason: String| LineFault::Event { reason };
    let outer = hex::decode(&line.outer).map_err(|error| broken(error.to_string()))?;
    let event = decode_signed(outer.into()).map_err(|error| broken(error.to_string()))?;
    let event = event.verify(charter.network_id()).map_err(|error| broken(error.to_string()))?;
    if charter.member_by_key(&event.author).is_none() {
        return Err(LineFault::UnknownAuthor { author: event.author });
    }
    let told = Line::of(position, &event, charter);
    let fields = [
        ("hash", line.hash == told.hash),
        ("author", line.author == told.author),
        ("member", line.member == told.member),
        ("epoch", line.epoch == told.epoch),
        ("seq", line.seq == told.seq),
        ("time_ms", line.time_ms == told.time_ms),
        ("kind", line.kind == told.kind),
    ];
    match fields.into_iter().find(|(_, equal)| !equal) {
        Some((field, _)) => Err(LineFault::Differs { field }),
        None => Ok(event),
    }
}
