//! A disk that keeps only what was synced, tears what was not, fills up, rots and fails, on request or drawn from a seed.
//!
//! Unsynced writes stand in a queue, cut into sectors of 512 bytes (what a disk writes whole). [`FaultyStorage::crash`]
//! says what a power cut leaves, given which of these sectors had reached the disk, in any order, and how many of the unsynced
//! changes of names, which a journalling file system keeps in order. Nothing here is random but what a seed says.

mod plan;

use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use plan::{Call, Plan, Random};
pub use plan::{Fault, FaultRates};

use super::memory::{MemoryStorage, read_bytes, write_bytes};
use super::{BackgroundMode, Storage, StorageFile};

/// Bytes that a disk writes whole or not at all.
const SECTOR: usize = 512;

#[derive(Debug, Default, Clone)]
struct Disk {
    /// Contents by inode number; names point here.
    inodes: BTreeMap<u64, Inode>,
    names: BTreeMap<String, u64>,
    durable_names: BTreeMap<String, u64>,
    /// The names as they stood after each change that is not durable.
    pending_names: Vec<BTreeMap<String, u64>>,
    next_inode: u64,
    syncs: u64,
    capacity: Option<u64>,
    background: BackgroundMode,
    plan: Plan,
    /// The disk as it stood before each sync, while that is recorded.
    recorded: Option<Vec<Disk>>,
}

#[derive(Debug, Default, Clone)]
struct Inode {
    current: Vec<u8>,
    durable: Vec<u8>,
    pending: Pending,
    /// Syncs that failed: each open file is told once.
    errors: u64,
}

/// Unsynced sectors, in the order they were written: where each stands and what stood in it then, all of them one behind the other.
#[derive(Debug, Default, Clone)]
struct Pending {
    bytes: Vec<u8>,
    /// Offset in the file, and end in `bytes`.
    sectors: Vec<(u64, usize)>,
}

impl Pending {
    fn push(&mut self, offset: u64, sector: &[u8]) {
        self.bytes.extend_from_slice(sector);
        self.sectors.push((offset, self.bytes.len()));
    }

    fn iter(&self) -> impl Iterator<Item = (u64, &[u8])> {
        let starts = std::iter::once(0).chain(self.sectors.iter().map(|(_, end)| *end));
        self.sectors.iter().zip(starts).map(|((offset, end), start)| (*offset, &self.bytes[start..*end]))
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.sectors.clear();
    }
}

/// What of the unsynced state a crash leaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CrashState {
    /// Nothing unsynced.
    LoseAll,
    /// Everything, as a kill of the process does.
    KeepAll,
    /// The pending sectors (all files, in order of file and write) whose flag is set; missing flags mean lost. No unsynced name.
    Sectors(Vec<bool>),
    /// As `Sectors`, with so many of the unsynced changes of names.
    Chosen {
        /// Sectors kept.
        sectors: Vec<bool>,
        /// Changes of names kept.
        names: usize,
    },
}

/// A directory on a disk that fails as told. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct FaultyStorage(Arc<Mutex<Disk>>);

/// An open file of a [`FaultyStorage`]. Clones are one open file.
#[derive(Debug, Clone)]
pub struct FaultyFile {
    disk: FaultyStorage,
    inode: u64,
    /// Failed syncs that this open file has been told of.
    told: Arc<AtomicU64>,
}

impl FaultyStorage {
    /// An empty directory on a sound disk.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty directory on a disk whose calls go wrong as `seed` draws them at these rates.
    #[must_use]
    pub fn drawn(seed: u64, rates: FaultRates) -> Self {
        Self::with_files(BTreeMap::new(), seed, rates)
    }

    /// A directory with these files, all durable, such as what a crash left; calls go wrong as drawn.
    #[must_use]
    pub fn with_files(files: BTreeMap<String, Vec<u8>>, seed: u64, rates: FaultRates) -> Self {
        let storage = Self::new();
        let mut disk = storage.held();
        for (name, bytes) in files {
            let inode = disk.next_inode;
            disk.next_inode += 1;
            disk.inodes.insert(inode, Inode { current: bytes.clone(), durable: bytes, ..Inode::default() });
            disk.names.insert(name, inode);
        }
        disk.durable_names = disk.names.clone();
        disk.plan.drawn = Some((Random::new(seed), rates));
        drop(disk);
        storage
    }

    fn held(&self) -> MutexGuard<'_, Disk> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets the files together hold at most this many bytes; growing further says "no space". `None` lifts the bound.
    pub fn set_capacity(&self, bytes: Option<u64>) {
        self.held().capacity = bytes;
    }

    /// Says who does the log's background work; at first the writer, at once.
    pub fn set_background(&self, mode: BackgroundMode) {
        self.held().background = mode;
    }

    /// Lets `count` more writes succeed and the next one go wrong.
    pub fn write_goes_wrong_after(&self, count: u64, fault: Fault) {
        self.held().plan.schedule(Call::Write, count, fault);
    }

    /// Lets `count` more writes succeed and the next one fail with EIO after its first `written` bytes.
    pub fn fail_write_after(&self, count: u64, written: usize) {
        self.write_goes_wrong_after(count, Fault::Fails { written });
    }

    /// Lets `count` more file syncs succeed and the next one fail with EIO; see [`Fault::Fails`].
    pub fn fail_sync_after(&self, count: u64) {
        self.held().plan.schedule(Call::Sync, count, Fault::Fails { written: 0 });
    }

    /// Lets `count` more reads succeed and the next one fail with EIO.
    pub fn fail_read_after(&self, count: u64) {
        self.held().plan.schedule(Call::Read, count, Fault::Fails { written: 0 });
    }

    /// Lets `count` more files be made and the next one fail with EIO.
    pub fn fail_create_after(&self, count: u64) {
        self.held().plan.schedule(Call::Create, count, Fault::Fails { written: 0 });
    }

    /// Lets `count` more renames succeed and the next one fail with EIO.
    pub fn fail_rename_after(&self, count: u64) {
        self.held().plan.schedule(Call::Rename, count, Fault::Fails { written: 0 });
    }

    /// Lets `count` more syncs of the names succeed and the next one fail with EIO: they stay pending.
    pub fn fail_directory_sync_after(&self, count: u64) {
        self.held().plan.schedule(Call::SyncNames, count, Fault::Fails { written: 0 });
    }

    /// The disk as the next process finds it if this one is killed now: it shows everything, and what is not durable still is not, so
    /// that a power cut after the restart takes it. Nothing is scheduled to fail there.
    #[must_use]
    pub fn killed(&self) -> Self {
        let mut disk = self.held().clone();
        disk.recorded = None;
        disk.plan.unschedule();
        Self(Arc::new(Mutex::new(disk)))
    }

    /// From now on keeps the disk as it stands before each sync, of a file or of the names: every state with something unsynced
    /// in it is one of these with less of it written.
    pub fn record(&self) {
        self.held().recorded = Some(Vec::new());
    }

    /// What was recorded since the last call.
    #[must_use]
    pub fn recorded(&self) -> Vec<Self> {
        let taken = self.held().recorded.as_mut().map(std::mem::take).unwrap_or_default();
        taken.into_iter().map(|disk| Self(Arc::new(Mutex::new(disk)))).collect()
    }

    /// Flips a bit of a file, on the disk and in what reads show.
    pub fn rot(&self, name: &str, bit: usize) {
        let mut disk = self.held();
        let inode = disk.names.get(name).copied();
        if let Some(inode) = inode.and_then(|inode| disk.inodes.get_mut(&inode)) {
            for bytes in [&mut inode.current, &mut inode.durable] {
                if let Some(byte) = bytes.get_mut(bit / 8) {
                    *byte ^= 1 << (bit % 8);
                }
            }
        }
    }

    /// Successful file syncs so far.
    #[must_use]
    pub fn file_syncs(&self) -> u64 {
        self.held().syncs
    }

    /// Number of unsynced sectors: the length of a full [`CrashState::Sectors`].
    #[must_use]
    pub fn pending_sectors(&self) -> usize {
        self.held().inodes.values().map(|inode| inode.pending.sectors.len()).sum()
    }

    /// Number of unsynced changes of names.
    #[must_use]
    pub fn pending_names(&self) -> usize {
        self.held().pending_names.len()
    }

    /// A crash as the disk's seed draws it: each unsynced sector stays or goes, names up to some change, durable sectors rot.
    /// On a disk that is not drawn nothing unsynced stays.
    #[must_use]
    pub fn crash_drawn(&self) -> MemoryStorage {
        let (sectors, names) = (self.pending_sectors(), self.pending_names());
        let Some((mut random, rates)) = self.held().plan.drawn else { return self.crash(&CrashState::LoseAll) };
        let state = CrashState::Chosen {
            sectors: (0..sectors).map(|_| random.below(2) == 1).collect(),
            names: usize::try_from(random.below(names as u64 + 1)).unwrap_or(0),
        };
        let left = self.crash(&state);
        for (name, mut bytes) in left.files() {
            let mut rotten = false;
            for sector in bytes.chunks_mut(SECTOR) {
                if !random.happens(rates.rot) {
                    continue;
                }
                let bit = usize::try_from(random.below(sector.len() as u64 * 8)).unwrap_or(0);
                sector[bit / 8] ^= 1 << (bit % 8);
                rotten = true;
            }
            if rotten {
                left.put(&name, bytes);
            }
        }
        if let Some((kept, _)) = self.held().plan.drawn.as_mut() {
            *kept = random;
        }
        left
    }

    /// The directory that the next start finds if the power fails now.
    #[must_use]
    pub fn crash(&self, state: &CrashState) -> MemoryStorage {
        let disk = self.held();
        let kept = |names: usize| names.checked_sub(1).and_then(|last| disk.pending_names.get(last));
        let names = match state {
            CrashState::KeepAll => &disk.names,
            CrashState::LoseAll | CrashState::Sectors(_) => &disk.durable_names,
            CrashState::Chosen { names, .. } => kept(*names).unwrap_or(&disk.durable_names),
        };
        let mut index = 0;
        let mut contents = BTreeMap::new();
        for (number, inode) in &disk.inodes {
            let mut bytes = inode.durable.clone();
            for (offset, sector) in inode.pending.iter() {
                let keep = match state {
                    CrashState::LoseAll => false,
                    CrashState::KeepAll => true,
                    CrashState::Sectors(flags) | CrashState::Chosen { sectors: flags, .. } => {
                        flags.get(index).copied().unwrap_or(false)
                    }
                };
                index += 1;
                // Offsets were checked when the write came in.
                if keep && write_bytes(&mut bytes, offset, sector).is_err() {
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

    fn file(&self, disk: &Disk, inode: u64) -> FaultyFile {
        let told = disk.inodes.get(&inode).map_or(0, |inode| inode.errors);
        FaultyFile { disk: self.clone(), inode, told: Arc::new(AtomicU64::new(told)) }
    }
}

fn missing() -> io::Error {
    io::Error::from(io::ErrorKind::NotFound)
}

impl Disk {
    fn named(&mut self) {
        self.pending_names.push(self.names.clone());
    }

    fn names_call(&mut self, call: Call, failed: &'static str) -> io::Result<()> {
        self.plan.next(call, 0).map_or(Ok(()), |_| Err(io::Error::other(failed)))
    }

    fn before_sync(&mut self) {
        if let Some(mut recorded) = self.recorded.take() {
            recorded.push(self.clone());
            self.recorded = Some(recorded);
        }
    }
}

impl Storage for FaultyStorage {
    type File = FaultyFile;

    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.held().names.keys().cloned().collect())
    }

    fn create(&self, name: &str) -> io::Result<FaultyFile> {
        let mut disk = self.held();
        disk.names_call(Call::Create, "cannot make the file")?;
        let inode = disk.next_inode;
        disk.next_inode += 1;
        disk.inodes.insert(inode, Inode::default());
        disk.names.insert(name.to_owned(), inode);
        disk.named();
        Ok(self.file(&disk, inode))
    }

    fn open(&self, name: &str) -> io::Result<FaultyFile> {
        let disk = self.held();
        let inode = *disk.names.get(name).ok_or_else(missing)?;
        Ok(self.file(&disk, inode))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut disk = self.held();
        disk.names_call(Call::Rename, "cannot rename the file")?;
        let inode = disk.names.remove(from).ok_or_else(missing)?;
        disk.names.insert(to.to_owned(), inode);
        disk.named();
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut disk = self.held();
        disk.names.remove(name).ok_or_else(missing)?;
        disk.named();
        Ok(())
    }

    fn sync_directory(&self) -> io::Result<()> {
        let mut disk = self.held();
        disk.before_sync();
        disk.names_call(Call::SyncNames, "directory sync error")?;
        disk.durable_names = disk.names.clone();
        disk.pending_names.clear();
        let Disk { inodes, names, .. } = &mut *disk;
        // What no name leads to any more gives back its room.
        inodes.retain(|inode, _| names.values().any(|named| named == inode));
        Ok(())
    }

    fn background(&self) -> BackgroundMode {
        self.held().background
    }
}

impl Inode {
    fn write(&mut self, offset: u64, bytes: &[u8], reaches_disk: bool) -> io::Result<()> {
        write_bytes(&mut self.current, offset, bytes)?;
        if !reaches_disk || bytes.is_empty() {
            return Ok(());
        }
        // A sector goes out as it stands in memory, with what was written to it before.
        let (start, end) = (usize::try_from(offset).unwrap_or(usize::MAX), self.current.len());
        for sector in start / SECTOR..(start + bytes.len()).div_ceil(SECTOR) {
            let at = sector * SECTOR;
            self.pending.push(at as u64, &self.current[at..end.min(at + SECTOR)]);
        }
        Ok(())
    }
}

impl StorageFile for FaultyFile {
    fn length(&self) -> io::Result<u64> {
        Ok(self.disk.held().inodes.get(&self.inode).ok_or_else(missing)?.current.len() as u64)
    }

    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        let mut disk = self.disk.held();
        if disk.plan.next(Call::Read, into.len()).is_some() {
            return Err(io::Error::other("read error"));
        }
        Ok(read_bytes(&disk.inodes.get(&self.inode).ok_or_else(missing)?.current, offset, into))
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let mut disk = self.disk.held();
        let fault = disk.plan.next(Call::Write, bytes.len());
        let written = if let Some(Fault::Fails { written }) = fault { written.min(bytes.len()) } else { bytes.len() };
        let room = disk.capacity.map(|capacity| {
            let used: u64 = disk.inodes.values().map(|inode| inode.current.len() as u64).sum();
            capacity.saturating_sub(used)
        });
        let inode = disk.inodes.get_mut(&self.inode).ok_or_else(missing)?;
        let growth = (offset + written as u64).saturating_sub(inode.current.len() as u64);
        if room.is_some_and(|room| growth > 0 && growth > room) {
            return Err(io::Error::from(io::ErrorKind::StorageFull));
        }
        let offset = if let Some(Fault::Misdirected { by }) = fault { offset + by } else { offset };
        inode.write(offset, &bytes[..written], fault != Some(Fault::Lost))?;
        if matches!(fault, Some(Fault::Fails { .. })) { Err(io::Error::other("write error")) } else { Ok(()) }
    }

    fn sync(&self) -> io::Result<()> {
        let mut disk = self.disk.held();
        disk.before_sync();
        let failing = disk.plan.next(Call::Sync, 0).is_some();
        let inode = disk.inodes.get_mut(&self.inode).ok_or_else(missing)?;
        if failing {
            inode.pending.clear();
            inode.errors += 1;
        }
        if self.told.swap(inode.errors, Ordering::Relaxed) != inode.errors {
            return Err(io::Error::other("sync error"));
        }
        // Only what is pending goes out: what an earlier failed sync dropped stays lost.
        let Inode { durable, pending, .. } = inode;
        for (offset, sector) in pending.iter() {
            write_bytes(durable, offset, sector)?;
        }
        pending.clear();
        disk.syncs += 1;
        Ok(())
    }
}
