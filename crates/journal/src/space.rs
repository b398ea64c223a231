//! Room on the disk: each segment is filled with zeros ahead of its end, and the next one made before it is needed, so that a
//! commit overwrites blocks that the disk has already given and its fdatasync has no new block to record; and so that a full
//! disk is met by the one who prepares, while there is a reserve.

use crate::background::{Background, Done, Job};
use crate::error::{JournalError, is_full};
use crate::journal::JournalOptions;
use crate::segment;
use crate::storage::Storage;

/// Attempts to prepare a segment on a full disk are at most so many looks apart.
const PATIENCE_MAX: u32 = 256;

/// Whether the log can still grow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Space {
    /// It can.
    Ample,
    /// The disk is full; only what was filled ahead is left. Say so loudly: [`JournalError::DiskFull`] comes next.
    Reserve {
        /// Bytes left for frames.
        bytes_left: u64,
    },
}

/// The segment after the current one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    Absent,
    UnderWay,
    /// There, so many bytes long.
    Ready(u64),
}

/// The zeros ahead of the end of the log.
#[derive(Debug)]
pub(crate) struct Ahead<S: Storage> {
    background: Background<S>,
    options: JournalOptions,
    number: u32,
    /// Bytes of the current segment's file that are written, with frames or zeros.
    filled: u64,
    extending: bool,
    next: Next,
    full: bool,
    /// Looks until the next attempt to prepare a segment on a full disk, and how many the last pause had.
    pause: (u32, u32),
}

impl<S: Storage> Ahead<S> {
    /// `next` is the length of the following segment where it is there already.
    pub(crate) fn new(storage: S, options: JournalOptions, number: u32, filled: u64, next: Option<u64>) -> Self {
        let next = next.map_or(Next::Absent, Next::Ready);
        let background = Background::new(storage);
        Self { background, options, number, filled, extending: false, next, full: false, pause: (0, 0) }
    }

    /// Whether the reserve is being used up.
    pub(crate) fn space(&self, end: u64) -> Space {
        if !self.full {
            return Space::Ample;
        }
        let next = if let Next::Ready(length) = self.next { length - segment::HEADER as u64 } else { 0 };
        Space::Reserve { bytes_left: self.filled.saturating_sub(end) + next }
    }

    /// How long a prepared segment is: with room to go on in while the one after it is not there yet.
    fn segment_length(&self) -> u64 {
        let JournalOptions { segment_bytes, chunk_bytes, reserve_bytes } = self.options;
        segment::HEADER as u64 + u64::from(segment_bytes) + 2 * u64::from(chunk_bytes) + u64::from(reserve_bytes)
    }

    /// Takes up what the background has done, and asks it for what will be needed soon. All before `end` is durable.
    ///
    /// # Errors
    /// [`JournalError::Io`] when it failed for another reason than room: the disk is not sound, and the log ends.
    pub(crate) fn tend(&mut self, end: u64) -> Result<(), JournalError> {
        self.look()?;
        self.ask(end);
        self.look()
    }

    fn look(&mut self) -> Result<(), JournalError> {
        while let Some(done) = self.background.finished() {
            self.take(done)?;
        }
        Ok(())
    }

    fn take(&mut self, Done { job, result }: Done) -> Result<(), JournalError> {
        let (number, doing) = match job {
            // Of a segment that is complete by now nothing more is wanted; a disk that fails there fails all the same.
            Job::Extend { number, .. } if number != self.number && result.as_ref().err().is_none_or(is_full) => {
                return Ok(());
            }
            Job::Extend { number, .. } => {
                self.extending = false;
                (number, "extend")
            }
            Job::Prepare { number, .. } => {
                self.next = Next::Absent;
                (number, "prepare")
            }
        };
        match (result, job) {
            (Ok(()), Job::Extend { to, .. }) => {
                self.filled = self.filled.max(to);
                // A full disk is over once a whole segment fits again, where that was what did not fit.
                self.full &= self.pause.1 > 0;
            }
            (Ok(()), Job::Prepare { length, .. }) => {
                self.next = Next::Ready(length);
                self.pause = (0, 0);
                self.full = false;
            }
            (Err(error), _) if is_full(&error) => {
                self.full = true;
                if matches!(job, Job::Prepare { .. }) {
                    let pause = (self.pause.1 * 2).clamp(1, PATIENCE_MAX);
                    self.pause = (pause, pause);
                }
            }
            (Err(source), _) => return Err(JournalError::Io { doing, file: segment::name(number), source }),
        }
        Ok(())
    }

    fn ask(&mut self, end: u64) {
        let chunk = u64::from(self.options.chunk_bytes);
        let reserve = u64::from(self.options.reserve_bytes);
        let low = (self.filled / 4).min(2 * chunk);
        if !self.extending && end + reserve + low > self.filled {
            let doubled = (2 * self.filled).min(self.segment_length());
            let step = self.filled + chunk;
            // On a full disk a little is tried, often.
            let to = if self.full { step } else { doubled.max(step) };
            self.extend(to.max(end + reserve));
        }
        // A log that never filled a segment may not fill this one: it asks from half of it on. Asked for is what is made once the writer
        // rests; in a burst that does not end, what is made beside it from three quarters on. One that did not fit is tried again wherever
        // the log stands: only when it fits is the disk no longer full.
        let bound = u64::from(self.options.segment_bytes);
        let again = self.pause.1 > 0;
        if 2 * end >= bound || self.number > 0 || again {
            self.ask_next();
        }
        if 4 * end >= 3 * bound || again {
            self.background.hurry();
        }
    }

    fn ask_next(&mut self) {
        if self.next == Next::Absent {
            self.pause.0 = self.pause.0.saturating_sub(1);
            let number = self.number.checked_add(1);
            if let Some(number) = number.filter(|_| self.pause.0 == 0) {
                self.next = Next::UnderWay;
                self.background.start(Job::Prepare { number, length: self.segment_length() });
            }
        }
    }

    /// A commit begins: the writer does not rest.
    pub(crate) fn writes(&self) {
        self.background.writes();
    }

    fn extend(&mut self, to: u64) {
        self.extending = true;
        self.background.start(Job::Extend { number: self.number, from: self.filled, to });
    }

    /// Makes sure of room up to `end` and, unless the disk is full, for the reserve after it. Waits only where there is none.
    ///
    /// # Errors
    /// [`JournalError::DiskFull`] (not poisoned) when there is no room up to `end`; [`JournalError::Io`] for any other failure.
    pub(crate) fn ensure(&mut self, end: u64) -> Result<(), JournalError> {
        let reserve = u64::from(self.options.reserve_bytes);
        let mut tried = false;
        loop {
            if end + reserve <= self.filled || (self.full && end <= self.filled) {
                return Ok(());
            }
            if !self.extending {
                if tried {
                    let (file, needed) = (segment::name(self.number), end.saturating_sub(self.filled));
                    return Err(JournalError::DiskFull { segment: file, needed, poisoned: false });
                }
                tried = true;
                self.extend((end + reserve).max(self.filled + u64::from(self.options.chunk_bytes)));
            }
            match self.background.wait() {
                Some(done) => self.take(done)?,
                // Nothing is under way after all: its thread is gone.
                None => self.extending = false,
            }
        }
    }

    /// Fills the segment to its whole length and makes the next one, and waits for both; not on a full disk.
    ///
    /// # Errors
    /// As [`Ahead::tend`].
    pub(crate) fn settle(&mut self) -> Result<(), JournalError> {
        self.look()?;
        while !self.full {
            if !self.extending && self.filled < self.segment_length() {
                self.extend(self.segment_length());
            }
            self.ask_next();
            if !self.extending && self.next != Next::UnderWay {
                break;
            }
            let Some(done) = self.background.wait() else { break };
            self.take(done)?;
        }
        Ok(())
    }

    /// Whether the next segment can be begun. With `wait` one that is under way is waited for.
    ///
    /// # Errors
    /// As [`Ahead::tend`].
    pub(crate) fn next_ready(&mut self, wait: bool) -> Result<bool, JournalError> {
        while wait && self.next == Next::UnderWay {
            match self.background.wait() {
                Some(done) => self.take(done)?,
                None => self.next = Next::Absent,
            }
        }
        Ok(matches!(self.next, Next::Ready(_)))
    }

    /// The writer has gone on to the next segment, which was ready.
    pub(crate) fn rolled(&mut self) {
        if let Next::Ready(length) = self.next {
            self.filled = length;
        }
        self.number = self.number.saturating_add(1);
        self.extending = false;
        self.next = Next::Absent;
    }

    /// Does one job that waits to be driven.
    pub(crate) fn step(&mut self) -> bool {
        self.background.step()
    }
}

#[cfg(test)]
mod tests;
