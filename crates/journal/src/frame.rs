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

/// Bytes before the record.
pub const HEADER: usize = 16;
/// Frames begin at multiples of this.
pub const ALIGNMENT: usize = 16;
/// Longest record: 1 MiB.
pub const RECORD_MAX: usize = 1 << 20;

const TRAILER: u8 = 0xA5;

/// A frame header whose CRC holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    /// Bytes of the record, 1 to [`RECORD_MAX`].
    pub(crate) length: usize,
    /// Offset of the first frame of the same commit.
    pub(crate) commit: u32,
    checksum: u32,
    body_checksum: u32,
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

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..at + 4)?.try_into().ok().map(u32::from_be_bytes)
}

/// The header at the start of `bytes`, if it is one written for this place.
pub(crate) fn header(bytes: &[u8], segment: u32, offset: u32) -> Option<Header> {
    let length = word(bytes, 0)?;
    let commit = word(bytes, 4)?;
    let checksum = word(bytes, 8)?;
    let body_checksum = word(bytes, 12)?;
    let usable = (1..=RECORD_MAX).contains(&(length as usize)) && commit <= offset;
    (usable && checksum == header_checksum(segment, offset, length, commit)).then_some(Header {
        length: length as usize,
        commit,
        checksum,
        body_checksum,
    })
}

/// The frame at the start of `bytes` and its record, if both check for this place.
pub(crate) fn decode(bytes: &[u8], segment: u32, offset: u32) -> Option<(Header, &[u8])> {
    let header = header(bytes, segment, offset)?;
    header.record(bytes).map(|record| (header, record))
}

impl Header {
    /// Bytes of the whole frame.
    pub(crate) const fn size(self) -> usize {
        size(self.length)
    }

    /// The record in `frame` (the whole frame's bytes), if its checksum holds.
    pub(crate) fn record(self, frame: &[u8]) -> Option<&[u8]> {
        let body = frame.get(HEADER..self.size())?;
        (crc32c::crc32c_append(self.checksum, body) == self.body_checksum).then(|| &body[..self.length])
    }
}

#[cfg(test)]
mod tests;
