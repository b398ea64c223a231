//! A disk that keeps only what was synced, tears what was not, fills up and fails on request.
//!
//! Unsynced writes stand in a queue, cut into sectors of 512 bytes (what a disk writes whole). [`FaultyStorage::crash`]
//! says what a power cut leaves, given which of these sectors had reached the disk, in any order.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::memory::{MemoryStorage, read_bytes, write_bytes};
use super::{Storage, StorageFile};

/// Bytes that a disk writes whole or not at all.
const SECTOR: usize = 512;

#[derive(Debug, Default)]
struct Disk {
    /// Contents by inode number; names point here.
    inodes: BTreeMap<u64, Inode>,
    names: BTreeMap<String, u64>,
    durable_names: BTreeMap<String, u64>,
    next_inode: u64,
    syncs: u64,
    capacity: Option<u64>,
    writes_until_failure: Option<u64>,
    short_write: Option<usize>,
    syncs_until_failure: Option<u64>,
}

#[derive(Debug, Default, Clone)]
struct Inode {
    current: Vec<u8>,
    durable: Vec<u8>,
    /// Unsynced sectors, in the order they were written.
    pending: Vec<(u64, Vec<u8>)>,
}

/// What of the unsynced state a crash leaves.
#[derive(Debug, Clone)]
pub enum CrashState {
    /// Nothing unsynced.
    LoseAll,
    /// Everything, as a kill of the process does.
    KeepAll,
    /// The pending sectors (all files, in order of file and write) whose flag is set; missing flags mean lost.
    Sectors(Vec<bool>),
}

/// A directory on a disk that fails as told. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct FaultyStorage(Arc<Mutex<Disk>>);

/// An open file of a [`FaultyStorage`].
#[derive(Debug, Clone)]
pub struct FaultyFile {
    disk: FaultyStorage,
    inode: u64,
}

impl FaultyStorage {
    /// An empty directory on a sound disk.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn held(&self) -> MutexGuard<'_, Disk> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets the files together hold at most this many bytes; growing further says "no space". `None` lifts the bound.
    pub fn set_capacity(&self, bytes: Option<u64>) {
        self.held().capacity = bytes;
    }

    /// Lets `count` more writes succeed and the next one fail with EIO after its first `written` bytes.
    pub fn fail_write_after(&self, count: u64, written: usize) {
        let mut disk = self.held();
        disk.writes_until_failure = Some(count);
        disk.short_write = Some(written);
    }

    /// Lets `count` more file syncs succeed and the next one fail with EIO; what was pending is then lost to the disk
    /// although reads still show it, as Linux does.
    pub fn fail_sync_after(&self, count: u64) {
        self.held().syncs_until_failure = Some(count);
    }

    /// Successful file syncs so far.
    #[must_use]
    pub fn file_syncs(&self) -> u64 {
        self.held().syncs
    }

    /// Number of unsynced sectors: the length of a full [`CrashState::Sectors`].
    #[must_use]
    pub fn pending_sectors(&self) -> usize {
        self.held().inodes.values().map(|inode| inode.pending.len()).sum()
    }

    /// The directory that the next start finds if the power fails now.
    #[must_use]
    pub fn crash(&self, state: &CrashState) -> MemoryStorage {
        let disk = self.held();
        let names = if matches!(state, CrashState::KeepAll) { &disk.names } else { &disk.durable_names };
        let mut index = 0;
        let mut contents = BTreeMap::new();
        for (number, inode) in &disk.inodes {
            let mut bytes = inode.durable.clone();
            for (offset, sector) in &inode.pending {
                let kept = match state {
                    CrashState::LoseAll => false,
                    CrashState::KeepAll => true,
                    CrashState::Sectors(flags) => flags.get(index).copied().unwrap_or(false),
                };
                index += 1;
                // Offsets were checked when the write came in.
                if kept && write_bytes(&mut bytes, *offset, sector).is_err() {
                    continue;
                }
            }
            if matches!(state, CrashState::KeepAll) {
                bytes.clone_from(&inode.current);
            }
            contents.insert(*number, bytes);
        }
        let files = names.iter().map(|(name, inode)| (name.clone(), contents.get(inode).cloned().unwrap_or_default()));
        MemoryStorage::with_files(files)
    }
}

fn missing() -> io::Error {
    io::Error::from(io::ErrorKind::NotFound)
}

impl Storage for FaultyStorage {
    type File = FaultyFile;

    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.held().names.keys().cloned().collect())
    }

    fn create(&self, name: &str) -> io::Result<FaultyFile> {
        let mut disk = self.held();
        let inode = disk.next_inode;
        disk.next_inode += 1;
        disk.inodes.insert(inode, Inode::default());
        disk.names.insert(name.to_owned(), inode);
        Ok(FaultyFile { disk: self.clone(), inode })
    }

    fn open(&self, name: &str) -> io::Result<FaultyFile> {
        let inode = *self.held().names.get(name).ok_or_else(missing)?;
        Ok(FaultyFile { disk: self.clone(), inode })
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut disk = self.held();
        let inode = disk.names.remove(from).ok_or_else(missing)?;
        disk.names.insert(to.to_owned(), inode);
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut disk = self.held();
        let inode = disk.names.remove(name).ok_or_else(missing)?;
        if !disk.durable_names.values().any(|durable| *durable == inode) {
            disk.inodes.remove(&inode);
        }
        Ok(())
    }

    fn sync_directory(&self) -> io::Result<()> {
        let mut disk = self.held();
        disk.durable_names = disk.names.clone();
        Ok(())
    }
}

impl Inode {
    fn write(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        write_bytes(&mut self.current, offset, bytes)?;
        let mut at = offset;
        let mut rest = bytes;
        while !rest.is_empty() {
            let room = SECTOR - usize::try_from(at % SECTOR as u64).unwrap_or(0);
            let (sector, after) = rest.split_at(room.min(rest.len()));
            self.pending.push((at, sector.to_vec()));
            at += sector.len() as u64;
            rest = after;
        }
        Ok(())
    }
}

impl StorageFile for FaultyFile {
    fn length(&self) -> io::Result<u64> {
        Ok(self.disk.held().inodes.get(&self.inode).ok_or_else(missing)?.current.len() as u64)
    }

    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        Ok(read_bytes(&self.disk.held().inodes.get(&self.inode).ok_or_else(missing)?.current, offset, into))
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let mut disk = self.disk.held();
        let failing = disk.writes_until_failure == Some(0);
        disk.writes_until_failure = disk.writes_until_failure.and_then(|count| count.checked_sub(1));
        let written = if failing { disk.short_write.unwrap_or(0).min(bytes.len()) } else { bytes.len() };
        let used: u64 = disk.inodes.values().map(|inode| inode.current.len() as u64).sum();
        let capacity = disk.capacity;
        let inode = disk.inodes.get_mut(&self.inode).ok_or_else(missing)?;
        let growth = (offset + written as u64).saturating_sub(inode.current.len() as u64);
        if capacity.is_some_and(|capacity| growth > 0 && used + growth > capacity) {
            return Err(io::Error::from(io::ErrorKind::StorageFull));
        }
        inode.write(offset, &bytes[..written])?;
        if failing { Err(io::Error::other("write error")) } else { Ok(()) }
    }

    fn sync(&self) -> io::Result<()> {
        let mut disk = self.disk.held();
        let failing = disk.syncs_until_failure == Some(0);
        disk.syncs_until_failure = disk.syncs_until_failure.and_then(|count| count.checked_sub(1));
        let inode = disk.inodes.get_mut(&self.inode).ok_or_else(missing)?;
        if failing {
            inode.pending.clear();
            return Err(io::Error::other("sync error"));
        }
        // Only what is pending goes out: what an earlier failed sync dropped stays lost.
        for (offset, sector) in std::mem::take(&mut inode.pending) {
            write_bytes(&mut inode.durable, offset, &sector)?;
        }
        disk.syncs += 1;
        Ok(())
    }
}
