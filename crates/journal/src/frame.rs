//! The bytes of one record in a segment.
//!
//! A frame begins at a multiple of 16 and is, big-endian: length of the record (u32), offset of the first frame of its commit
//! (u32), CRC32C of (segment, offset, length, commit) (u32), CRC32C of the former, the record and the trailer (u32); then the
//! record; then a trailer of 1 to 16 bytes 0xA5 up to the next multiple of 16.
//!
//! Why: the header never straddles a sector, so that its length can be trusted once its own CRC holds. Checksums cover the place,
//! so that a frame written to another place does not check. No frame ends in zero bytes, so that zeros at its end say "never
//! written" and no flipped bit can fake that. The commit's offset tells damage from a torn tail: a frame of a later
//! commit proves that everything before that commit had been synced.
//!
//! A *hole* stands where a repair took damaged bytes out: its first word is 0x80000000 + the bytes after its header, its second
//! the number of records that stood there, and all its bytes after the header are 0xA5. Both checksums hold as for a record. So
//! whatever follows keeps its place, and that something is missing stays written for good.
//!
//! A *note* stands at the beginning of a base (see [`crate::prune`]): its first word is 0x40000000 + its length, all else is as in a
//! record's frame. It is handed out to whoever asks for the base, never as a record.

/// Bytes before the record.
pub const HEADER: usize = 16;
/// Frames begin at multiples of this.
pub const ALIGNMENT: usize = 16;
/// Longest record: 1 MiB.
pub const RECORD_MAX: usize = 1 << 20;

const TRAILER: u8 = 0xA5;
/// Set in the first word of a hole.
const HOLE: u32 = 1 << 31;
/// Set in the first word of a note.
const NOTE: u32 = 1 << 30;

/// A frame header whose CRC holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    /// Bytes of the record, 1 to [`RECORD_MAX`]; of a hole all bytes after its header.
    pub(crate) length: usize,
    /// Offset of the first frame of the same commit; of a hole its own.
    pub(crate) commit: u32,
    /// Records that stood where now a hole is; `None` for a record.
    pub(crate) lost: Option<u32>,
    /// Whether it is a note of a base.
    pub(crate) note: bool,
    checksum: u32,
    body_checksum: u32,
}

/// What a frame holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Content<'a> {
    /// A record.
    Record(&'a [u8]),
    /// Nothing any more: so many records were lost here.
    Hole(u32),
    /// A piece of what a base says about what was pruned.
    Note(&'a [u8]),
}

/// Bytes that a record of `length` takes.
pub(crate) const fn size(length: usize) -> usize {
    (HEADER + length + ALIGNMENT) / ALIGNMENT * ALIGNMENT
}

fn header_checksum(segment: u32, offset: u32, length: u32, commit: u32) -> u32 {
    let mut bytes = [0; 16];
    for (into, word) in bytes.chunks_exact_mut(4).zip([segment, offset, length, commit]) {
        into.copy_from_slice(&word.to_be_bytes());
    }
    crc32c::crc32c(&bytes)
}

/// Appends the frame of `record` at `offset` to `into`. The caller has checked the record's length.
pub(crate) fn encode(into: &mut Vec<u8>, segment: u32, offset: u32, commit: u32, record: &[u8]) {
    let length = u32::try_from(record.len()).unwrap_or(u32::MAX);
    put(into, segment, offset, commit, length, record);
}

/// Appends the frame of a note of 1 to [`RECORD_MAX`] bytes.
pub(crate) fn encode_note(into: &mut Vec<u8>, segment: u32, offset: u32, commit: u32, note: &[u8]) {
    let length = NOTE | u32::try_from(note.len()).unwrap_or(0);
    put(into, segment, offset, commit, length, note);
}

fn put(into: &mut Vec<u8>, segment: u32, offset: u32, commit: u32, length: u32, record: &[u8]) {
    let start = into.len();
    let checksum = header_checksum(segment, offset, length, commit);
    into.extend_from_slice(&length.to_be_bytes());
    into.extend_from_slice(&commit.to_be_bytes());
    into.extend_from_slice(&checksum.to_be_bytes());
    into.extend_from_slice(&[0; 4]);
    into.extend_from_slice(record);
    into.resize(start + size(record.len()), TRAILER);
    let body = crc32c::crc32c_append(checksum, &into[start + HEADER..]);
    into[start + 12..start + HEADER].copy_from_slice(&body.to_be_bytes());
}

/// The hole of `size` bytes at `offset`, where `lost` records stood. `size` is a multiple of 16, from 32 on.
pub(crate) fn hole(segment: u32, offset: u32, size: usize, lost: u32) -> Vec<u8> {
    let length = HOLE | u32::try_from(size.saturating_sub(HEADER)).unwrap_or(0);
    let checksum = header_checksum(segment, offset, length, lost);
    let mut bytes = vec![TRAILER; size];
    let body = crc32c::crc32c_append(checksum, &bytes[HEADER..]);
    for (into, word) in bytes.chunks_exact_mut(4).zip([length, lost, checksum, body]) {
        into.copy_from_slice(&word.to_be_bytes());
    }
    bytes
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..at + 4)?.try_into().ok().map(u32::from_be_bytes)
}

/// The header at the start of `bytes`, if it is one written for this place.
pub(crate) fn header(bytes: &[u8], segment: u32, offset: u32) -> Option<Header> {
    let first = word(bytes, 0)?;
    let second = word(bytes, 4)?;
    let checksum = word(bytes, 8)?;
    let body_checksum = word(bytes, 12)?;
    if checksum != header_checksum(segment, offset, first, second) {
        return None;
    }
    let note = first & (HOLE | NOTE) == NOTE;
    let length = (first & if note { !NOTE } else { !HOLE }) as usize;
    let (usable, commit, lost) = if first & HOLE == 0 {
        ((1..=RECORD_MAX).contains(&length) && second <= offset, second, None)
    } else {
        (length >= ALIGNMENT && length.is_multiple_of(ALIGNMENT), offset, Some(second))
    };
    usable.then_some(Header { length, commit, lost, note, checksum, body_checksum })
}

/// The frame at the start of `bytes` and what it holds, if both check for this place.
pub(crate) fn decode(bytes: &[u8], segment: u32, offset: u32) -> Option<(Header, Content<'_>)> {
    let header = header(bytes, segment, offset)?;
    header.content(bytes).map(|content| (header, content))
}

impl Header {
    /// Bytes of the whole frame.
    pub(crate) const fn size(self) -> usize {
        match self.lost {
            None => size(self.length),
            Some(_) => HEADER + self.length,
        }
    }

    /// What `frame` (the whole frame's bytes) holds, if its checksum holds.
    pub(crate) fn content(self, frame: &[u8]) -> Option<Content<'_>> {
        let body = frame.get(HEADER..self.size())?;
        (crc32c::crc32c_append(self.checksum, body) == self.body_checksum).then(|| match self.lost {
            None if self.note => Content::Note(&body[..self.length]),
            None => Content::Record(&body[..self.length]),
            Some(lost) => Content::Hole(lost),
        })
    }
}

#[cfg(test)]
mod tests;
