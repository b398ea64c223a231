//! Room on the disk: each segment is filled with zeros ahead of its end, in chunks, so that a commit overwrites blocks that the
//! disk has already given and an fdatasync has no new block to record; and so that a full disk is met while there is a reserve.

use crate::error::{JournalError, is_full};
use crate::storage::StorageFile;

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

/// The zeros ahead of the end of one segment.
#[derive(Debug)]
pub(crate) struct Ahead {
    /// Bytes of the file that are written, with frames or zeros.
    filled: u64,
    chunk: u64,
    reserve: u64,
    full: bool,
}

impl Ahead {
    pub(crate) fn new(filled: u64, chunk: u64, reserve: u64) -> Self {
        Self { filled, chunk, reserve, full: false }
    }

    /// Whether the reserve is being used up.
    pub(crate) fn space(&self, end: u64) -> Space {
        if self.full { Space::Reserve { bytes_left: self.filled.saturating_sub(end) } } else { Space::Ample }
    }

    pub(crate) fn set_full(&mut self) {
        self.full = true;
    }

    /// Makes room up to `end` and for the reserve after it. With a full disk the reserve serves instead, and growing is tried
    /// again only where `retry` says so or the reserve does not suffice.
    ///
    /// # Errors
    /// [`JournalError::DiskFull`] (not poisoned) when there is no room up to `end`; [`JournalError::Io`] for any other failure.
    pub(crate) fn ensure(
        &mut self,
        file: &impl StorageFile,
        name: &str,
        end: u64,
        retry: bool,
    ) -> Result<(), JournalError> {
        if end + self.reserve <= self.filled || (self.full && !retry && end <= self.filled) {
            return Ok(());
        }
        let target = (end + self.reserve).max(self.filled + self.chunk);
        match fill(file, self.filled, target) {
            Ok(()) => {
                self.filled = target;
                self.full = false;
                Ok(())
            }
            Err(error) if is_full(&error) => {
                self.full = true;
                if end <= self.filled {
                    return Ok(());
                }
                let needed = end - self.filled;
                Err(JournalError::DiskFull { segment: name.to_owned(), needed, poisoned: false })
            }
            Err(source) => Err(JournalError::Io { doing: "extend", file: name.to_owned(), source }),
        }
    }
}

/// Writes zeros from `from` to `to`, at most 1 MiB at a time.
pub(crate) fn fill(file: &impl StorageFile, from: u64, to: u64) -> std::io::Result<()> {
    const AT_ONCE: u64 = 1 << 20;
    let zeros = vec![0; usize::try_from(to.saturating_sub(from).min(AT_ONCE)).unwrap_or(0)];
    let mut at = from;
    while at < to {
        let length = usize::try_from((to - at).min(AT_ONCE)).unwrap_or(0);
        file.write_at(at, &zeros[..length])?;
        at += length as u64;
    }
    Ok(())
}
