//! What a disk holds after its node died.

use std::collections::BTreeMap;

use watchfire_journal::storage::CrashState;
use watchfire_journal::{FaultyStorage, Storage, StorageFile};

use crate::scenario::DiskLeft;
use crate::simulate::dice::Dice;

/// The next process's disk.
pub(crate) fn after(
    disk: &FaultyStorage,
    left: DiskLeft,
    backup: Option<&BTreeMap<String, Vec<u8>>>,
    dice: &mut Dice,
) -> FaultyStorage {
    let files = match left {
        DiskLeft::Kept => disk.crash(&CrashState::KeepAll).files(),
        DiskLeft::Lost => disk.crash(&CrashState::LoseAll).files(),
        DiskLeft::Torn => {
            let flags = (0..disk.pending_sectors()).map(|_| dice.chance(500)).collect();
            disk.crash(&CrashState::Sectors(flags)).files()
        }
        DiskLeft::Old => backup.cloned().unwrap_or_default(),
        DiskLeft::None => BTreeMap::new(),
    };
    with(&files)
}

/// A sound disk with these files, synced.
pub(crate) fn with(files: &BTreeMap<String, Vec<u8>>) -> FaultyStorage {
    let disk = FaultyStorage::new();
    for (name, bytes) in files {
        // A disk without bounds or faults refuses nothing.
        if let Ok(file) = disk.create(name) {
            let _ = file.write_at(0, bytes).and_then(|()| file.sync());
        }
    }
    let _ = disk.sync_directory();
    disk
}
