//! Writing the log of a node directory, beside a running node or without one.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::path::Path;

use serde::Serialize;
use thiserror::Error;
use watchfire_charter::Charter;
use watchfire_journal::{JournalError, prune, verify_log};
use watchfire_transparency::{Checkpoint, SignedCheckpoint, verify};
use watchfire_types::B256;
use watchfire_wire::{decode_pruned, decode_signed};

use super::{Head, Line, Sum, WITNESSES_MAX, WitnessLine, stated};
use crate::kept::{NoLog, journal_of};
use crate::trees::witnessed;

/// Why a log is not exported.
#[derive(Debug, Error)]
pub enum ExportError {
    /// There is no log, or nothing in it.
    #[error(transparent)]
    Nothing(#[from] NoLog),
    /// The journal cannot be read.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// It does not hold: what is exported must.
    #[error("the log does not hold: {first}; see `watchfire log verify`")]
    DoesNotHold {
        /// First fault.
        first: String,
    },
    /// The file cannot be written.
    #[error("cannot write the archive: {0}; free space there, or name another file")]
    Write(#[from] io::Error),
}

/// What was exported.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Exported {
    /// Events.
    pub events: u64,
    /// SHA-256 of everything before the last line, as that line says.
    pub sha256: B256,
    /// (author, epoch) trees.
    pub trees: u64,
    /// Lines of witnesses under checkpoints of these trees.
    pub witnesses: u64,
}

/// Writes the log of `directory` in its order, with the charter's document, `toml`.
///
/// # Errors
/// [`ExportError`]; what was written by then has no last line and is no archive.
pub fn export(
    directory: &Path,
    (charter, toml): (&Charter, &str),
    out: &mut impl Write,
    mut progress: impl FnMut(u64),
) -> Result<Exported, ExportError> {
    let storage = journal_of(directory)?;
    let network = charter.network_id();
    let mut sum = Sum::default();
    let mut broken = None;
    let pruned = prune::base(&storage)?.map(|note| decode_pruned(&note)).transpose();
    let pruned = pruned.map_err(|error| ExportError::DoesNotHold { first: error.to_string() })?;
    let into = pruned.map(|pruned| pruned.archives.iter().map(|into| into.sha256).collect()).unwrap_or_default();
    // Nothing is written before there is something to export.
    let mut head = Some(Head::of(charter, toml, into));
    let mut checkpoints = BTreeMap::new();
    let report = verify_log(&storage, None, |record| {
        if broken.is_some() {
            return Ok(());
        }
        let event = decode_signed(record.bytes.clone()).map_err(|error| error.to_string())?;
        let event = event.verify(network).map_err(|error| error.to_string())?;
        let told = Line::of(sum.events, &event, charter);
        let begun = head.take().map_or(Ok(()), |head| line(out, &mut sum, &head));
        broken = begun.and_then(|()| line(out, &mut sum, &told)).err();
        sum.event(&event);
        checkpoints.extend(stated(&event, charter));
        if sum.events % 10_000 == 0 {
            progress(sum.events);
        }
        Ok(())
    })?;
    if let Some(error) = broken {
        return Err(error.into());
    }
    if let Some(fault) = report.faults.first() {
        return Err(ExportError::DoesNotHold { first: fault.to_string() });
    }
    if head.is_some() {
        return Err(NoLog::Empty(directory.to_owned()).into());
    }
    let mut witnesses = 0;
    for text in notes(directory, charter, &checkpoints)? {
        line(out, &mut sum, &WitnessLine { witness: text })?;
        witnesses += 1;
    }
    let foot = sum.foot();
    let mut last = serde_json::to_vec(&foot).map_err(io::Error::from)?;
    last.push(b'\n');
    out.write_all(&last)?;
    out.flush()?;
    Ok(Exported { events: foot.events, sha256: foot.sha256, trees: foot.trees.len() as u64, witnesses })
}

/// Every kept line of a witness under one of these checkpoints, each with the checkpoint and its author's signature, in the archive's order.
fn notes(
    directory: &Path,
    charter: &Charter,
    checkpoints: &BTreeMap<Checkpoint, [u8; 64]>,
) -> Result<Vec<String>, JournalError> {
    let mut notes = Vec::new();
    for (checkpoint, lines) in witnessed(directory, charter)? {
        let Some(signature) = checkpoints.get(&checkpoint) else { continue };
        let Some(author) = charter.members.get(&checkpoint.origin.member) else { continue };
        // One whose author's own signature is false proves nothing, whoever witnessed another.
        if !verify::signed(&checkpoint, &author.node_key, signature) {
            continue;
        }
        for line in lines.into_iter().collect::<BTreeSet<_>>() {
            let Some(witness) = charter.members.get(&line.witness) else { continue };
            let mut note = SignedCheckpoint::new(checkpoint.clone(), &author.node_key, signature);
            note.witnessed(&line, &witness.node_key);
            notes.push(note.to_string());
        }
    }
    notes.truncate(WITNESSES_MAX);
    Ok(notes)
}

fn line(out: &mut impl Write, sum: &mut Sum, value: &impl Serialize) -> io::Result<()> {
    let mut bytes = serde_json::to_vec(value)?;
    bytes.push(b'\n');
    sum.line(&bytes);
    out.write_all(&bytes)
}
