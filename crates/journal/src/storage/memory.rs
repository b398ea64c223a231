//! Files in memory: for tests and the simulator. Nothing fails and nothing is lost.

use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Storage, StorageFile};

/// A directory in memory that counts its syncs. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct MemoryStorage {
    files: Arc<Mutex<BTreeMap<String, MemoryFile>>>,
    file_syncs: Arc<AtomicU64>,
    directory_syncs: Arc<AtomicU64>,
}

/// One file in memory. Clones share it.
#[derive(Debug, Clone)]
pub struct MemoryFile {
    bytes: Arc<Mutex<Vec<u8>>>,
    syncs: Arc<AtomicU64>,
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl MemoryStorage {
    /// An empty directory.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A directory with these files, such as what a crash left.
    #[must_use]
    pub fn with_files(files: impl IntoIterator<Item = (String, Vec<u8>)>) -> Self {
        let storage = Self::new();
        for (name, bytes) in files {
            storage.put(&name, bytes);
        }
        storage
    }

    /// Sets a file's whole content.
    pub fn put(&self, name: &str, bytes: Vec<u8>) {
        let file = MemoryFile { bytes: Arc::new(Mutex::new(bytes)), syncs: self.file_syncs.clone() };
        held(&self.files).insert(name.to_owned(), file);
    }

    /// Every file's content.
    #[must_use]
    pub fn files(&self) -> BTreeMap<String, Vec<u8>> {
        held(&self.files).iter().map(|(name, file)| (name.clone(), held(&file.bytes).clone())).collect()
    }

    /// Calls of [`StorageFile::sync`] so far, on all files.
    #[must_use]
    pub fn file_syncs(&self) -> u64 {
        self.file_syncs.load(Ordering::Relaxed)
    }

    /// Calls of [`Storage::sync_directory`] so far.
    #[must_use]
    pub fn directory_syncs(&self) -> u64 {
        self.directory_syncs.load(Ordering::Relaxed)
    }
}

impl Storage for MemoryStorage {
    type File = MemoryFile;

    fn list(&self) -> io::Result<Vec<String>> {
        Ok(held(&self.files).keys().cloned().collect())
    }

    fn create(&self, name: &str) -> io::Result<MemoryFile> {
        self.put(name, Vec::new());
        self.open(name)
    }

    fn open(&self, name: &str) -> io::Result<MemoryFile> {
        held(&self.files).get(name).cloned().ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut files = held(&self.files);
        let file = files.remove(from).ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
        files.insert(to.to_owned(), file);
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        held(&self.files).remove(name).map(drop).ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))
    }

    fn sync_directory(&self) -> io::Result<()> {
        self.directory_syncs.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}

/// Copies what `from` holds at `offset`, as a read does.
pub(super) fn read_bytes(from: &[u8], offset: u64, into: &mut [u8]) -> usize {
    let start = usize::try_from(offset).unwrap_or(usize::MAX).min(from.len());
    let length = into.len().min(from.len() - start);
    into[..length].copy_from_slice(&from[start..start + length]);
    length
}

/// Puts `bytes` at `offset`, growing `into` with zeros, as a write does.
pub(super) fn write_bytes(into: &mut Vec<u8>, offset: u64, bytes: &[u8]) -> io::Result<()> {
    let start = usize::try_from(offset).map_err(|_| io::Error::from(io::ErrorKind::FileTooLarge))?;
    let end = start.checked_add(bytes.len()).ok_or_else(|| io::Error::from(io::ErrorKind::FileTooLarge))?;
    if into.len() < end {
        into.resize(end, 0);
    }
    into[start..end].copy_from_slice(bytes);
    Ok(())
}

impl StorageFile for MemoryFile {
    fn length(&self) -> io::Result<u64> {
        Ok(held(&self.bytes).len() as u64)
    }

    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        Ok(read_bytes(&held(&self.bytes), offset, into))
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        write_bytes(&mut held(&self.bytes), offset, bytes)
    }

    fn sync(&self) -> io::Result<()> {
        self.syncs.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}
