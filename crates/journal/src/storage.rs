//! The seam between the log and the disk: real files, memory, and a disk that fails.

mod faulty;
mod files;
mod memory;

use std::io;

pub use faulty::{CrashState, Fault, FaultRates, FaultyStorage};
pub use files::FileStorage;
pub use memory::MemoryStorage;

/// One flat directory of files. A clone is another handle on the same directory.
pub trait Storage: Clone + std::fmt::Debug + Send + Sync + 'static {
    /// An open file.
    type File: StorageFile;

    /// Names of the files there, in order.
    ///
    /// # Errors
    /// As the operating system says.
    fn list(&self) -> io::Result<Vec<String>>;

    /// Makes an empty file for reading and writing, replacing any of that name. Its name is durable only after
    /// [`Storage::sync_directory`].
    ///
    /// # Errors
    /// As the operating system says.
    fn create(&self, name: &str) -> io::Result<Self::File>;

    /// Opens an existing file for reading and, unless the storage is read-only, writing.
    ///
    /// # Errors
    /// As the operating system says.
    fn open(&self, name: &str) -> io::Result<Self::File>;

    /// Gives a file another name, atomically. Durable only after [`Storage::sync_directory`].
    ///
    /// # Errors
    /// As the operating system says.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    /// Removes a file. Durable only after [`Storage::sync_directory`].
    ///
    /// # Errors
    /// As the operating system says.
    fn remove(&self, name: &str) -> io::Result<()>;

    /// Makes the names durable (fsync of the directory).
    ///
    /// # Errors
    /// As the operating system says.
    fn sync_directory(&self) -> io::Result<()>;

    /// Who does the work that the log's writer need not wait for.
    fn background(&self) -> BackgroundMode {
        BackgroundMode::Inline
    }
}

/// Who does the work that the log's writer need not wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BackgroundMode {
    /// A thread of its own.
    Thread,
    /// The writer, at once.
    #[default]
    Inline,
    /// Whoever owns the log, by [`Journal::drive`](crate::Journal::drive); the writer where it cannot go on without.
    Driven,
}

/// One open file, read and written by offset.
pub trait StorageFile: std::fmt::Debug + Send + Sync + 'static {
    /// Length in bytes.
    ///
    /// # Errors
    /// As the operating system says.
    fn length(&self) -> io::Result<u64>;

    /// Reads up to `into.len()` bytes from `offset`; fewer only at the end of the file.
    ///
    /// # Errors
    /// As the operating system says.
    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<usize>;

    /// Writes all of `bytes` at `offset`, growing the file if it must.
    ///
    /// # Errors
    /// As the operating system says; part of the bytes may have been written.
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()>;

    /// Makes everything written to this file durable, length included (fdatasync). After an error nothing is known
    /// about what is on disk.
    ///
    /// # Errors
    /// As the operating system says.
    fn sync(&self) -> io::Result<()>;
}

/// Reads `length` bytes from `offset`, or what there is before the end of the file.
pub(crate) fn read_range(file: &impl StorageFile, offset: u64, length: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; length];
    let read = file.read_at(offset, &mut bytes)?;
    bytes.truncate(read);
    Ok(bytes)
}

#[cfg(test)]
mod tests;
