//! Segment files: their names and headers.
//!
//! A segment is `00000000.log`, `00000001.log`, ... (hex). Its header of 64 bytes is, big-endian: `WFJRNL01`, its number (u32),
//! the offset at which the segment before it ends (u32, 0 for the first), the number of records before it (u64), zeros, and the
//! CRC32C of all that (u32). It is written under another name, synced and then renamed, so that a header that does not check
//! was damaged, never torn.
//!
//! The header of a *base*, which stands for everything that was pruned before the segment after it (see [`crate::prune`]), says after the
//! number of records before it (0) also where its own frames end (u32), where those of the segment in whose place it stands ended
//! (u32), and the number of records before the next segment (u64); in any other header these are zeros.

use std::io;

use crate::error::{DamageKind, JournalError};
use crate::storage::{Storage, StorageFile, read_range};

/// Bytes of the header; the first frame follows.
pub(crate) const HEADER: usize = 64;
/// Name under which a segment is prepared.
pub(crate) const PREPARED: &str = "next.tmp";
const MAGIC: [u8; 8] = *b"WFJRNL01";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) number: u32,
    /// Where the frames of the segment before end; 0 for segment 0.
    pub(crate) previous_end: u32,
    /// Records in all segments before.
    pub(crate) first_record: u64,
    /// What stands here is a base.
    pub(crate) base: Option<BaseEnds>,
}

/// How a base continues in the segment after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BaseEnds {
    /// Where its own frames end.
    pub(crate) end: u32,
    /// Where the frames of the segment ended in whose place it stands: what the next header calls `previous_end`.
    pub(crate) stood: u32,
    /// Records before the next segment.
    pub(crate) next_record: u64,
}

impl Header {
    pub(crate) fn encode(self) -> [u8; HEADER] {
        let mut bytes = [0; HEADER];
        bytes[..8].copy_from_slice(&MAGIC);
        bytes[8..12].copy_from_slice(&self.number.to_be_bytes());
        bytes[12..16].copy_from_slice(&self.previous_end.to_be_bytes());
        bytes[16..24].copy_from_slice(&self.first_record.to_be_bytes());
        if let Some(BaseEnds { end, stood, next_record }) = self.base {
            bytes[24..28].copy_from_slice(&end.to_be_bytes());
            bytes[28..32].copy_from_slice(&stood.to_be_bytes());
            bytes[32..40].copy_from_slice(&next_record.to_be_bytes());
        }
        let checksum = crc32c::crc32c(&bytes[..HEADER - 4]);
        bytes[HEADER - 4..].copy_from_slice(&checksum.to_be_bytes());
        bytes
    }

    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; HEADER] = bytes.get(..HEADER)?.try_into().ok()?;
        let ends = BaseEnds {
            end: u32::from_be_bytes(bytes[24..28].try_into().ok()?),
            stood: u32::from_be_bytes(bytes[28..32].try_into().ok()?),
            next_record: u64::from_be_bytes(bytes[32..40].try_into().ok()?),
        };
        let header = Self {
            base: (ends.end > 0).then_some(ends),
            number: u32::from_be_bytes(bytes[8..12].try_into().ok()?),
            previous_end: u32::from_be_bytes(bytes[12..16].try_into().ok()?),
            first_record: u64::from_be_bytes(bytes[16..24].try_into().ok()?),
        };
        // One encoding per header: every bit of it counts.
        (header.encode() == *bytes).then_some(header)
    }
}

pub(crate) fn name(number: u32) -> String {
    format!("{number:08x}.log")
}

/// The number in a segment's name; `None` for any other file.
fn number(file: &str) -> Option<u32> {
    let digits = file.strip_suffix(".log")?;
    let number = u32::from_str_radix(digits, 16).ok()?;
    (name(number) == file).then_some(number)
}

/// Numbers of the segments there, ascending. What stands before a base is no segment any more, if it is still there.
pub(crate) fn list(storage: &impl Storage) -> Result<Vec<u32>, JournalError> {
    Ok(list_from_base(storage)?.0)
}

/// As [`list`], and what stands before the base: left by a pruning that was interrupted.
pub(crate) fn list_from_base(storage: &impl Storage) -> Result<(Vec<u32>, Vec<u32>), JournalError> {
    let names = storage.list().map_err(JournalError::io("list", "the journal directory"))?;
    let mut numbers: Vec<u32> = names.iter().filter_map(|file| number(file)).collect();
    numbers.sort_unstable();
    for at in (0..numbers.len()).rev() {
        if base(storage, numbers[at])?.is_some() {
            let rest = numbers.split_off(at);
            return Ok((rest, numbers));
        }
    }
    Ok((numbers, Vec::new()))
}

/// How the segment continues, if it is a base.
pub(crate) fn base<S: Storage>(storage: &S, number: u32) -> Result<Option<BaseEnds>, JournalError> {
    let header = load_header(storage, number)?.filter(|header| header.number == number);
    Ok(header.and_then(|header| header.base))
}

/// A segment's whole content.
pub(crate) fn load<S: Storage>(storage: &S, number: u32) -> Result<Vec<u8>, JournalError> {
    let file = name(number);
    let open = storage.open(&file).map_err(JournalError::io("open", file.clone()))?;
    let measure = || open.length().map_err(JournalError::io("measure", file.clone()));
    let mut length = measure()?;
    loop {
        // Offsets are 32 bits: no segment of ours is longer.
        let whole = usize::try_from(length.min(u64::from(u32::MAX))).unwrap_or(usize::MAX);
        let bytes = read_range(&open, 0, whole).map_err(JournalError::io("read", file.clone()))?;
        // Beside a node that runs it may have grown, and what is read may end inside a commit that does not.
        let now = measure()?;
        if now <= length {
            return Ok(bytes);
        }
        length = now;
    }
}

/// A segment's header, or `None` when it does not check.
pub(crate) fn load_header<S: Storage>(storage: &S, number: u32) -> Result<Option<Header>, JournalError> {
    let file = name(number);
    let open = match storage.open(&file) {
        Ok(open) => open,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(JournalError::Io { doing: "open", file, source }),
    };
    Ok(Header::decode(&read_range(&open, 0, HEADER).map_err(JournalError::io("read", file))?))
}

pub(crate) fn damaged(number: u32, offset: usize, kind: DamageKind) -> JournalError {
    JournalError::Damaged { segment: name(number), offset: offset as u64, kind }
}

#[cfg(test)]
mod tests;
