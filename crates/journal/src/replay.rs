//! Reading the log in order, from any record on, beside its writer.

use std::collections::VecDeque;

use watchfire_types::Bytes;

use crate::error::{DamageKind, JournalError};
use crate::frame::Content;
use crate::position::Position;
use crate::storage::{Storage, StorageFile, read_range};
use crate::{frame, recovery, segment};

/// Bytes read at once: at least the largest frame.
const WINDOW: usize = frame::size(frame::RECORD_MAX);

/// One record and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Where it stands.
    pub position: Position,
    /// Its bytes, as appended.
    pub bytes: Bytes,
}

/// Reads records in order up to a bound that the caller knows to be written.
#[derive(Debug)]
pub(crate) struct Tail<S: Storage> {
    storage: S,
    position: Position,
    file: Option<(u32, S::File)>,
}

impl<S: Storage> Tail<S> {
    /// Begins at `from`, which is a record's position or [`Position::START`].
    pub(crate) fn new(storage: S, from: Position) -> Result<Self, JournalError> {
        let position = if from == Position::START {
            let first = segment::list(&storage)?.first().copied().unwrap_or(0);
            Position::new(first, HEADER)
        } else {
            from
        };
        Ok(Self { storage, position, file: None })
    }

    /// Position of the next record.
    pub(crate) fn position(&self) -> Position {
        self.position
    }

    /// The next records, about a megabyte of them; none at `until`.
    pub(crate) fn read(&mut self, until: Position) -> Result<VecDeque<Record>, JournalError> {
        loop {
            if self.position >= until {
                return Ok(VecDeque::new());
            }
            let number = self.position.segment();
            let offset = self.position.offset();
            let bytes = self.window(until)?;
            let records = self.parse(&bytes);
            if !records.is_empty() {
                return Ok(records);
            }
            // A hole was passed over, which may reach further than was read.
            if self.position.offset() > offset {
                continue;
            }
            let ends_here = number < until.segment()
                && match segment::base(&self.storage, number)? {
                    Some(base) => base.end == offset,
                    None => {
                        segment::load_header(&self.storage, number + 1)?.is_some_and(|next| next.previous_end == offset)
                    }
                };
            if !ends_here {
                let kind =
                    if bytes.is_empty() { DamageKind::MissingFrame } else { recovery::kind_of(&bytes, number, offset) };
                return Err(segment::damaged(number, offset as usize, kind));
            }
            self.position = Position::new(number + 1, HEADER);
        }
    }

    fn window(&mut self, until: Position) -> Result<Vec<u8>, JournalError> {
        let number = self.position.segment();
        let name = segment::name(number);
        let file = match self.file.take() {
            Some((open, file)) if open == number => file,
            _ => self.storage.open(&name).map_err(JournalError::io("open", name.clone()))?,
        };
        let end = if number == until.segment() {
            u64::from(until.offset())
        } else {
            file.length().map_err(JournalError::io("measure", name.clone()))?
        };
        let offset = u64::from(self.position.offset());
        let length = usize::try_from(end.saturating_sub(offset)).unwrap_or(WINDOW).min(WINDOW);
        let bytes = read_range(&file, offset, length).map_err(JournalError::io("read", name))?;
        self.file = Some((number, file));
        Ok(bytes)
    }

    fn parse(&mut self, bytes: &[u8]) -> VecDeque<Record> {
        let number = self.position.segment();
        let mut records = VecDeque::new();
        let mut rest = bytes;
        while let Some(header) = frame::header(rest, number, self.position.offset()) {
            // What is in a hole is not looked at, nor need all of it be here.
            if header.lost.is_none() && !header.note {
                let Some(Content::Record(record)) = header.content(rest) else { break };
                records.push_back(Record { position: self.position, bytes: Bytes::copy_from_slice(record) });
            }
            rest = rest.get(header.size()..).unwrap_or_default();
            self.position = advance(self.position, header.size());
        }
        records
    }
}

/// Offset of a segment's first frame.
#[allow(clippy::cast_possible_truncation)] // 64
pub(crate) const HEADER: u32 = segment::HEADER as u32;

/// The position `bytes` further on in the same segment. Frames end below 4 GiB by construction.
pub(crate) fn advance(position: Position, bytes: usize) -> Position {
    let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
    Position::new(position.segment(), position.offset().saturating_add(bytes))
}

/// Every record in order, from [`crate::Journal::replay`]. Ends after the first error.
#[derive(Debug)]
pub struct Replay<'a, S: Storage> {
    tail: Option<Tail<S>>,
    written: Position,
    /// Frames that are appended but not yet written, which begin at `written`.
    buffered: &'a [u8],
    ready: VecDeque<Record>,
}

impl<'a, S: Storage> Replay<'a, S> {
    pub(crate) fn new(tail: Tail<S>, written: Position, buffered: &'a [u8]) -> Self {
        Self { tail: Some(tail), written, buffered, ready: VecDeque::new() }
    }

    fn refill(&mut self) -> Result<(), JournalError> {
        let Some(tail) = &mut self.tail else { return Ok(()) };
        self.ready = tail.read(self.written)?;
        if self.ready.is_empty() {
            // What is in memory needs no check: it was never on a disk. A start inside it skips what comes before.
            let skip = tail.position().offset().saturating_sub(self.written.offset()) as usize;
            tail.position = tail.position.max(self.written);
            self.ready = tail.parse(self.buffered.get(skip..).unwrap_or_default());
            self.tail = None;
        }
        Ok(())
    }
}

impl<S: Storage> Iterator for Replay<'_, S> {
    type Item = Result<Record, JournalError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ready.is_empty()
            && let Err(error) = self.refill()
        {
            self.tail = None;
            return Some(Err(error));
        }
        self.ready.pop_front().map(Ok)
    }
}
