//! Real files.

use std::fs::{self, File, OpenOptions};
use std::io;
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
        let name = directory.display().to_string();
        if !directory.is_dir() {
            fs::DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(directory)
                .map_err(JournalError::io("create", name.clone()))?;
            // The directory's own name must outlive a power cut as well.
            if let Some(parent) = directory.parent().filter(|parent| !parent.as_os_str().is_empty()) {
                File::open(parent).and_then(|parent| parent.sync_all()).map_err(JournalError::io("sync", name))?;
            }
        }
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
            None => Err(io::Error::new(io::ErrorKind::PermissionDenied, "the journal was opened for reading only")),
        }
    }
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
