//! Pruning: the oldest segments give way to a base.
//!
//! A *base* is one segment that stands in the place of the last one pruned. It begins with a note, which this crate does not look into
//! (what was pruned, and what must be known to go on without it), and holds the records that are kept, in their order. Its header says
//! how the segment after it continues, so that counts and ends still check (see `segment`).
//!
//! Crash-safe at every point: the base is written under another name, synced, renamed over the last segment to be pruned, and its name
//! synced; that rename alone decides. What stands before a base is no segment any more: it is removed afterwards, or at the next open.

use crate::error::{DamageKind, JournalError, is_full};
use crate::frame::{self, Content};
use crate::position::Position;
use crate::recovery;
use crate::replay::Record;
use crate::segment::{self, BaseEnds, Header};
use crate::storage::{Storage, StorageFile};

/// Name under which a base is written.
const UNFINISHED: &str = "prune.tmp";
/// Longest base: 1 GiB, as the longest segment.
const BASE_MAX: usize = 1 << 30;

/// What a pruning did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pruned {
    /// Records that are gone from here, in this and in earlier prunings.
    pub pruned: u64,
    /// Records of the pruned segments that are kept.
    pub kept: u64,
    /// Segment files that there are fewer.
    pub segments: u64,
    /// Bytes that they and the base took before and take now.
    pub bytes_before: u64,
    /// The base's.
    pub bytes_after: u64,
}

/// Numbers of the segments that may be pruned, oldest first: all but the one that is written to. A base is among them.
///
/// # Errors
/// [`JournalError::Damaged`] where the log does not hold, [`JournalError::Io`].
pub fn prunable<S: Storage>(storage: &S) -> Result<Vec<u32>, JournalError> {
    let numbers = segment::list(storage)?;
    recovery::walk(storage, &numbers)?;
    let (numbers, _) = recovery::without_prepared(storage, &numbers)?;
    Ok(numbers.split_last().map(|(_, before)| before.to_vec()).unwrap_or_default())
}

/// What the base of a log says, if it begins with one: the note it was made with.
///
/// # Errors
/// [`JournalError::Damaged`] when it is not whole, [`JournalError::Io`].
pub fn base<S: Storage>(storage: &S) -> Result<Option<Vec<u8>>, JournalError> {
    let Some(&number) = segment::list(storage)?.first() else { return Ok(None) };
    let Some(ends) = segment::base(storage, number)? else { return Ok(None) };
    let bytes = segment::load(storage, number)?;
    let mut note = Vec::new();
    let mut at = segment::HEADER;
    while at < ends.end as usize {
        match recovery::frame_at(&bytes, number, at) {
            Some((header, Content::Note(piece))) => {
                note.extend_from_slice(piece);
                at += header.size();
            }
            Some((_, Content::Record(_) | Content::Hole(_))) => break,
            None => return Err(segment::damaged(number, at, DamageKind::Base)),
        }
    }
    Ok(Some(note))
}

/// Whether the beginning of a log is lost that no repair brings back: its base is not whole, or stands in a file that is not there. What
/// else the log holds may be sound.
///
/// # Errors
/// [`JournalError::Io`].
pub fn base_is_lost<S: Storage>(storage: &S) -> Result<bool, JournalError> {
    let numbers = segment::list(storage)?;
    let Some(&first) = numbers.first() else { return Ok(false) };
    let bytes = segment::load(storage, first)?;
    let scan = recovery::scan(&bytes, first);
    // No other segment holds a note.
    let noted = matches!(recovery::frame_at(&bytes, first, segment::HEADER), Some((_, Content::Note(_))));
    Ok(match segment::base(storage, first)? {
        Some(base) => scan.end != base.end as usize || scan.lost > 0 || numbers.len() == 1,
        None => noted || first > 0,
    })
}

/// Replaces every segment up to the one numbered `through` by a base with this note and the records that `keep` names.
///
/// # Errors
/// [`JournalError::NotPrunable`] for a segment that is not among [`prunable`]; [`JournalError::Damaged`] where the log does not hold;
/// [`JournalError::DiskFull`] (not poisoned) and [`JournalError::Io`]. The log holds after each of them: as it was, or pruned.
pub fn prune<S: Storage>(
    storage: &S,
    through: u32,
    note: &[u8],
    mut keep: impl FnMut(&Record) -> bool,
) -> Result<Pruned, JournalError> {
    let refused = |why| JournalError::NotPrunable { segment: segment::name(through), why };
    let gone: Vec<u32> = prunable(storage)?.into_iter().filter(|number| *number <= through).collect();
    if gone.last() != Some(&through) {
        return Err(refused("it is the one that is written to, or not there"));
    }
    let next = segment::load_header(storage, through + 1)?;
    let next = next.ok_or_else(|| segment::damaged(through + 1, 0, DamageKind::SegmentHeader))?;
    let mut base = vec![0; segment::HEADER];
    let place = |base: &[u8]| u32::try_from(base.len()).unwrap_or(u32::MAX);
    let first = place(&base);
    for piece in note.chunks(frame::RECORD_MAX) {
        let at = place(&base);
        frame::encode_note(&mut base, through, at, first, piece);
    }
    let (mut kept, mut bytes_before) = (0, 0);
    for &number in &gone {
        let bytes = segment::load(storage, number)?;
        bytes_before += bytes.len() as u64;
        let mut at = segment::HEADER;
        while let Some((header, content)) = recovery::frame_at(&bytes, number, at) {
            let position = Position::new(number, u32::try_from(at).unwrap_or(u32::MAX));
            at += header.size();
            let Content::Record(record) = content else { continue };
            let record = Record { position, bytes: watchfire_types::Bytes::copy_from_slice(record) };
            if keep(&record) {
                let at = place(&base);
                frame::encode(&mut base, through, at, first, &record.bytes);
                kept += 1;
            }
        }
        if base.len() > BASE_MAX {
            return Err(refused("more would have to be kept of it than fits into one file"));
        }
    }
    let ends = BaseEnds { end: place(&base), stood: next.previous_end, next_record: next.first_record };
    let header = Header { number: through, previous_end: 0, first_record: 0, base: Some(ends) };
    base[..segment::HEADER].copy_from_slice(&header.encode());
    put(storage, through, &base)?;
    let before: Vec<u32> = gone.iter().copied().filter(|number| *number < through).collect();
    remove(storage, &before)?;
    Ok(Pruned {
        pruned: ends.next_record.saturating_sub(kept),
        kept,
        segments: before.len() as u64,
        bytes_before,
        bytes_after: base.len() as u64,
    })
}

/// Puts the base in its place: from here on everything before it is obsolete.
fn put<S: Storage>(storage: &S, number: u32, base: &[u8]) -> Result<(), JournalError> {
    let name = segment::name(number);
    let write = || -> std::io::Result<()> {
        let file = storage.create(UNFINISHED)?;
        file.write_at(0, base)?;
        file.sync()?;
        storage.sync_directory()
    };
    if let Err(source) = write() {
        // It only takes room; if it cannot be removed, the next attempt replaces it.
        let _ = storage.remove(UNFINISHED);
        if is_full(&source) {
            return Err(JournalError::DiskFull { segment: name, needed: base.len() as u64, poisoned: false });
        }
        return Err(JournalError::Io { doing: "write the base for", file: name, source });
    }
    storage.rename(UNFINISHED, &name).map_err(JournalError::io("replace", name.clone()))?;
    storage.sync_directory().map_err(JournalError::io("sync the directory of", name))
}

/// Removes what stands before a base that is durable.
pub(crate) fn remove<S: Storage>(storage: &S, numbers: &[u32]) -> Result<(), JournalError> {
    if numbers.is_empty() {
        return Ok(());
    }
    // The base's own name first, where a kill came between its rename and the sync.
    storage.sync_directory().map_err(JournalError::io("sync", "the journal directory"))?;
    for number in numbers {
        let name = segment::name(*number);
        storage.remove(&name).map_err(JournalError::io("remove", name))?;
    }
    storage.sync_directory().map_err(JournalError::io("sync", "the journal directory"))
}

#[cfg(test)]
mod tests;
