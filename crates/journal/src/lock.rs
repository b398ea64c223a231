//! One process per directory.

use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use crate::error::JournalError;

/// Name of the lock file inside a locked directory. It stays there when the lock is given up.
pub const LOCK_FILE: &str = "lock";

/// Holds a directory for this process until dropped; the operating system gives it up when the process dies.
#[derive(Debug)]
pub struct DirectoryLock {
    // Open for its lock alone.
    _file: File,
}

impl DirectoryLock {
    /// Takes `directory`, which must exist.
    ///
    /// # Errors
    /// [`JournalError::InUse`] when somebody holds it, [`JournalError::Io`] when the lock file cannot be made or locked.
    pub fn acquire(directory: &Path) -> Result<Self, JournalError> {
        let path = directory.join(LOCK_FILE);
        let name = path.display().to_string();
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(JournalError::io("open", name.clone()))?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => Err(JournalError::InUse { path: directory.to_owned() }),
            Err(TryLockError::Error(source)) => Err(JournalError::Io { doing: "lock", file: name, source }),
        }
    }
}
