//! Real files.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::io::ErrorKind::{AlreadyExists, InvalidInput, PermissionDenied, ReadOnlyFilesystem};
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{BackgroundMode, Storage, StorageFile};
use crate::error::JournalError;
use crate::lock::DirectoryLock;

/// A directory of real files, mode 0700 with files of mode 0600, locked while it is open for writing.
#[derive(Debug, Clone)]
pub struct FileStorage {
    directory: Arc<PathBuf>,
    lock: Option<Arc<DirectoryLock>>,
}

impl FileStorage {
    /// Makes the directory if need be and takes it for this process.
    ///
    /// # Errors
    /// [`JournalError::InUse`] when another process (or another handle of this one) holds it, [`JournalError::Io`] otherwise.
    pub fn open(directory: &Path) -> Result<Self, JournalError> {
        make(directory, &mut |parent| File::open(parent)?.sync_all())?;
        let lock = DirectoryLock::acquire(directory)?;
        Ok(Self { directory: Arc::new(directory.to_owned()), lock: Some(Arc::new(lock)) })
    }

    /// Looks at a directory without taking it: for reading beside a node that runs. Every write is refused.
    #[must_use]
    pub fn read_only(directory: &Path) -> Self {
        Self { directory: Arc::new(directory.to_owned()), lock: None }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    fn writable(&self) -> io::Result<()> {
        match self.lock {
            Some(_) => Ok(()),
            None => Err(io::Error::new(PermissionDenied, "the journal was opened for reading only")),
        }
    }
}

/// Makes the directory and those above it, one by one, each name durable before anything is made inside. What is there already may be
/// what a process made that was killed before it came to that, so its name is made durable as well.
fn make(directory: &Path, sync: &mut impl FnMut(&Path) -> io::Result<()>) -> Result<(), JournalError> {
    let parent = match directory.parent() {
        // The root, and what a working directory is called in its own place: nobody makes them here.
        None => return Ok(()),
        Some(parent) if parent.as_os_str().is_empty() => Path::new("."),
        Some(parent) => parent,
    };
    let name = || directory.display().to_string();
    if directory.is_dir() {
        return match sync(parent) {
            // Where this user cannot look, or nothing can be written, it was not this user who made it.
            Err(error) if !matches!(error.kind(), PermissionDenied | ReadOnlyFilesystem | InvalidInput) => {
                Err(JournalError::io("sync the name of", name())(error))
            }
            Ok(()) | Err(_) => Ok(()),
        };
    }
    make(parent, sync)?;
    match fs::DirBuilder::new().mode(0o700).create(directory) {
        Err(error) if error.kind() != AlreadyExists => return Err(JournalError::io("create", name())(error)),
        Ok(()) | Err(_) => {}
    }
    sync(parent).map_err(JournalError::io("sync the name of", name()))
}

impl Storage for FileStorage {
    type File = File;

    fn list(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(self.directory.as_path())? {
            // A name that is not UTF-8 is none of ours.
            if let Ok(name) = entry?.file_name().into_string() {
                names.push(name);
            }
        }
        names.sort();
        Ok(names)
    }

    fn create(&self, name: &str) -> io::Result<File> {
        self.writable()?;
        OpenOptions::new().read(true).write(true).create(true).truncate(true).mode(0o600).open(self.path(name))
    }

    fn open(&self, name: &str) -> io::Result<File> {
        OpenOptions::new().read(true).write(self.lock.is_some()).open(self.path(name))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.writable()?;
        fs::rename(self.path(from), self.path(to))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.writable()?;
        fs::remove_file(self.path(name))
    }

    fn sync_directory(&self) -> io::Result<()> {
        self.writable()?;
        File::open(self.directory.as_path())?.sync_all()
    }

    fn background(&self) -> BackgroundMode {
        BackgroundMode::Thread
    }
}

impl StorageFile for File {
    fn length(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        let mut read = 0;
        while read < into.len() {
            match FileExt::read_at(self, &mut into[read..], offset + read as u64) {
                Ok(0) => break,
                Ok(more) => read += more,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(read)
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.write_all_at(bytes, offset)
    }

    fn sync(&self) -> io::Result<()> {
        self.sync_data()
    }
}

#[cfg(test)]
mod tests;
