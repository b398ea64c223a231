//! Reading an archive: every line is checked before anything of it can count.

use std::collections::BTreeSet;
use std::io::{self, BufRead, Read as _};

use sha2::{Digest as _, Sha256};
use thiserror::Error;
use watchfire_charter::Charter;
use watchfire_transparency::{Checkpoint, SignedCheckpoint, Witnessed};
use watchfire_types::{B256, Body, Event, MemberKey, NetworkId, Verified};
use watchfire_wire::decode_signed;

use super::{
    CHARTERED, CharterName, FORMAT, Foot, Head, LINE_MAX, Line, Sum, WITNESSED, WITNESSES_MAX, WitnessLine, stated,
};
use crate::trees::keys;

/// Longest first line.
const HEAD_MAX: usize = 16 << 20;
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
    #[error(
        "the archive has format {found}, this version reads up to {FORMAT}; read it with the version that wrote it"
    )]
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
    /// The charter's document is not of the charter that is named, or is not there.
    #[error("the charter's document in it does not hold: {reason}")]
    CharterText {
        /// Why.
        reason: String,
    },
    /// The archive is of an earlier version.
    #[error("the archive has format {found} and no charter in it; give the members' keys by --charter FILE")]
    NoCharter {
        /// Its format.
        found: u32,
    },
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
    /// A witness's line that proves nothing about the events before it.
    #[error("the witness's line does not hold: {reason}")]
    Witness {
        /// Why.
        reason: String,
    },
    /// Something follows the last line.
    #[error("it stands after the last line")]
    AfterTheEnd,
}

/// Why an archive cannot be read.
#[derive(Debug, Error)]
pub enum ReadError {
    /// It does not hold.
    #[error("line {line}: {fault}")]
    Line {
        /// Line, from 1.
        line: u64,
        /// What is wrong.
        fault: LineFault,
    },
    /// The system refuses.
    #[error("cannot read the archive: {source}; {}", crate::config::unreadable(source))]
    Io {
        /// Why.
        #[from]
        source: io::Error,
    },
}

/// What a whole archive is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contents {
    /// SHA-256 of the whole file.
    pub sha256: B256,
    /// Events.
    pub events: u64,
    /// Archives that hold what its log had pruned.
    pub pruned_into: Vec<B256>,
    /// Lines of witnesses, each with the checkpoint that it is under; all signatures checked. Ascending.
    pub witnessed: Vec<(Checkpoint, Witnessed)>,
    /// The same as a witness says them.
    pub notes: Vec<String>,
}

/// Reads an archive to its end and hands out each event with the number of its line. Nothing of it counts before this returned: only then is it
/// known to be whole.
///
/// # Errors
/// [`ReadError`] for the archive, or what `each` answers.
pub fn read<E: From<ReadError>>(
    archive: impl BufRead,
    charter: &Charter,
    mut each: impl FnMut(Verified<Event>, u64) -> Result<(), E>,
) -> Result<Contents, E> {
    let mut reader = Reader { archive, line: 0, file: Sha256::new() };
    let mut sum = Sum::default();
    let (head, bytes) = reader.head()?;
    is_of(&head, charter).map_err(|fault| reader.fault(fault))?;
    sum.line(&bytes);
    let Head { watchfire_log: format, pruned_into, .. } = head;
    let mut checkpoints = BTreeSet::new();
    let (mut witnessed, mut notes) = (Vec::new(), Vec::new());
    let foot = loop {
        match reader.next(charter, &sum)? {
            Next::Event(event, bytes) if notes.is_empty() => {
                sum.line(&bytes);
                sum.event(&event);
                checkpoints.extend(stated(&event, charter).map(|(checkpoint, _)| checkpoint));
                each(*event, reader.line)?;
            }
            Next::Event(..) => return Err(reader.fault(malformed(&"an event stands after a witness's line")).into()),
            Next::Witness(text, bytes) => {
                sum.line(&bytes);
                if notes.len() == WITNESSES_MAX {
                    let reason = format!("there are more than {WITNESSES_MAX}");
                    return Err(reader.fault(LineFault::Witness { reason }).into());
                }
                let line = witness(&text, format, charter, &checkpoints, witnessed.last());
                witnessed.push(line.map_err(|reason| reader.fault(LineFault::Witness { reason }))?);
                notes.push(text);
            }
            Next::Foot(foot) => break foot,
        }
    };
    let events = sum.events;
    reader.close(&foot, sum)?;
    let sha256: [u8; 32] = reader.file.finalize().into();
    Ok(Contents { sha256: B256::from(sha256), events, pruned_into, witnessed, notes })
}

/// The charter whose document an archive carries: its members' keys are what the archive says, until it is compared with one known from
/// elsewhere.
///
/// # Errors
/// [`ReadError`].
pub fn charter_in(archive: impl BufRead) -> Result<Charter, ReadError> {
    let mut reader = Reader { archive, line: 0, file: Sha256::new() };
    let (head, _) = reader.head()?;
    let found = head.watchfire_log;
    if found < CHARTERED {
        return Err(reader.fault(LineFault::NoCharter { found }));
    }
    let charter = document(&head.charters).map_err(|reason| reader.fault(LineFault::CharterText { reason }))?;
    is_of(&head, &charter).map_err(|fault| reader.fault(fault))?;
    Ok(charter)
}

/// The charter whose document stands in a first line.
fn document(charters: &[CharterName]) -> Result<Charter, String> {
    let toml = charters.first().and_then(|named| named.toml.as_deref()).ok_or("it is not there")?;
    let (charter, _) = watchfire_charter::parse(toml).map_err(|faults| {
        let first = faults.first().map(ToString::to_string).unwrap_or_default();
        format!("it has {} fault(s), first: {first}", faults.len())
    })?;
    Ok(charter)
}

/// Whether a first line is of this charter, and has its document where the format has one.
fn is_of(head: &Head, charter: &Charter) -> Result<(), LineFault> {
    let expected = charter.network_id();
    if head.network != expected {
        return Err(LineFault::ForeignNetwork { found: head.network, expected });
    }
    let [CharterName { version, digest, toml }] = head.charters.as_slice() else {
        return Err(LineFault::ForeignCharter);
    };
    if (*version, *digest) != (charter.version, charter.digest()) {
        return Err(LineFault::ForeignCharter);
    }
    if head.watchfire_log < CHARTERED && toml.is_none() {
        return Ok(());
    }
    match document(&head.charters) {
        Ok(document) if document.digest() == *digest && head.watchfire_log >= CHARTERED => Ok(()),
        Ok(_) => Err(LineFault::CharterText { reason: "it is of another charter or format".to_owned() }),
        Err(reason) => Err(LineFault::CharterText { reason }),
    }
}

enum Next {
    Event(Box<Verified<Event>>, Vec<u8>),
    Witness(String, Vec<u8>),
    Foot(Foot),
}

/// The archive, a bounded line at a time.
struct Reader<R> {
    archive: R,
    line: u64,
    /// Everything read so far.
    file: Sha256,
}

impl<R: BufRead> Reader<R> {
    fn fault(&self, fault: LineFault) -> ReadError {
        ReadError::Line { line: self.line, fault }
    }

    /// The next line with its end; empty at the end of the file.
    fn read(&mut self) -> Result<Vec<u8>, ReadError> {
        self.line += 1;
        let mut bytes = Vec::new();
        let most = if self.line == 1 { HEAD_MAX } else { LINE_MAX };
        (&mut self.archive).take(most as u64 + 1).read_until(b'\n', &mut bytes)?;
        if bytes.len() > most {
            if !bytes.starts_with(b"{\"end\"") {
                return Err(self.fault(LineFault::TooLong));
            }
            (&mut self.archive).take((FOOT_MAX - most) as u64).read_until(b'\n', &mut bytes)?;
        }
        self.file.update(&bytes);
        match bytes.last() {
            Some(b'\n') | None => Ok(bytes),
            Some(_) => Err(self.fault(LineFault::Truncated)),
        }
    }

    fn head(&mut self) -> Result<(Head, Vec<u8>), ReadError> {
        let bytes = self.read()?;
        if bytes.is_empty() {
            return Err(self.fault(LineFault::Truncated));
        }
        let head: Head = serde_json::from_slice(&bytes).map_err(|error| {
            self.fault(LineFault::Malformed { expected: "first line of an archive", reason: error.to_string() })
        })?;
        if !(1..=FORMAT).contains(&head.watchfire_log) {
            return Err(self.fault(LineFault::Format { found: head.watchfire_log }));
        }
        Ok((head, bytes))
    }

    fn next(&mut self, charter: &Charter, sum: &Sum) -> Result<Next, ReadError> {
        let bytes = self.read()?;
        if bytes.is_empty() {
            return Err(self.fault(LineFault::Truncated));
        }
        if bytes.starts_with(b"{\"end\"") {
            return foot(&bytes).map(Next::Foot).map_err(|fault| self.fault(fault));
        }
        if bytes.starts_with(b"{\"witness\"") {
            let line: WitnessLine = serde_json::from_slice(&bytes).map_err(|error| self.fault(malformed(&error)))?;
            return Ok(Next::Witness(line.witness, bytes));
        }
        let line: Line = serde_json::from_slice(&bytes).map_err(|error| self.fault(malformed(&error)))?;
        let event = event(&line, sum.events, charter).map_err(|fault| self.fault(fault))?;
        Ok(Next::Event(Box::new(event), bytes))
    }

    fn close(&mut self, foot: &Foot, sum: Sum) -> Result<(), ReadError> {
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

fn malformed(reason: &dyn std::fmt::Display) -> LineFault {
    LineFault::Malformed { expected: "line of an archive", reason: reason.to_string() }
}

/// The last line. Nothing covers its bytes as it covers all others', so they must be those that an export writes: else an altered byte that
/// changes no value, such as the case of a digit, would pass unseen.
fn foot(bytes: &[u8]) -> Result<Foot, LineFault> {
    let foot: Foot = serde_json::from_slice(bytes).map_err(|error| malformed(&error))?;
    let mut written = serde_json::to_vec(&foot).map_err(|error| malformed(&error))?;
    written.push(b'\n');
    if written == bytes { Ok(foot) } else { Err(malformed(&"the last line is not written as an export writes it")) }
}

/// A witness's line: under a checkpoint that an event of the archive states, signed by its author and by a member that is another one, and after
/// the one before.
fn witness(
    text: &str,
    format: u32,
    charter: &Charter,
    checkpoints: &BTreeSet<Checkpoint>,
    before: Option<&(Checkpoint, Witnessed)>,
) -> Result<(Checkpoint, Witnessed), String> {
    if format < WITNESSED {
        return Err(format!("an archive of format {format} has none"));
    }
    let note = SignedCheckpoint::parse(text).map_err(|error| error.to_string())?;
    let checkpoint = note.checkpoint();
    if !checkpoints.contains(checkpoint) {
        return Err("no event before it states its checkpoint".to_owned());
    }
    let keys = keys(charter);
    let author = keys.get(&checkpoint.origin.member).ok_or("the charter has no such member")?;
    let mut lines = note.verify(author, &keys).map_err(|error| error.to_string())?;
    let (Some(line), [], 2) = (lines.pop(), lines.as_slice(), note.signatures().len()) else {
        return Err("it has not exactly an author's line and a witness's of the charter".to_owned());
    };
    let line = (checkpoint.clone(), line);
    match before {
        Some(before) if *before >= line => Err("it does not come after the one before".to_owned()),
        _ => Ok(line),
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
        // A body that the exporting version did not know has a name since.
        ("kind", line.kind == told.kind || line.kind == Body::UNKNOWN),
    ];
    match fields.into_iter().find(|(_, equal)| !equal) {
        Some((field, _)) => Err(LineFault::Differs { field }),
        None => Ok(event),
    }
}
