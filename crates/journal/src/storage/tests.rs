//! The seam: the same behaviour of all three, and what the faulty disk loses.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::{CrashState, FaultyStorage, FileStorage, MemoryStorage, Storage, StorageFile, read_range};
use crate::error::JournalError;

fn exercise(storage: &impl Storage) {
    let file = storage.create("a").unwrap();
    file.write_at(3, b"abc").unwrap();
    assert_eq!(file.length().unwrap(), 6);
    assert_eq!(read_range(&file, 2, 9).unwrap(), b"\0abc", "short only at the end of the file");
    file.sync().unwrap();
    storage.rename("a", "b").unwrap();
    storage.sync_directory().unwrap();
    assert!(storage.open("a").is_err());
    assert_eq!(read_range(&storage.open("b").unwrap(), 3, 3).unwrap(), b"abc");
    assert!(storage.list().unwrap().contains(&"b".to_owned()));
    assert_eq!(storage.create("b").unwrap().length().unwrap(), 0, "create replaces");
    storage.remove("b").unwrap();
    assert!(storage.open("b").is_err());
}

/// Real files, memory and the faulty disk behave alike while nothing fails.
#[test]
fn implementations_agree() {
    let directory = tempfile::tempdir().unwrap();
    exercise(&FileStorage::open(directory.path()).unwrap());
    exercise(&MemoryStorage::new());
    exercise(&FaultyStorage::new());
}

/// A directory opened twice is refused by name, and free again once the first is dropped.
#[test]
fn a_directory_in_use_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("journal");
    let first = FileStorage::open(&path).unwrap();
    let error = FileStorage::open(&path).unwrap_err();
    assert!(matches!(&error, JournalError::InUse { path: named } if *named == path), "{error}");
    assert!(error.to_string().contains("in use by another process"));
    drop(first);
    FileStorage::open(&path).unwrap();
}

/// Looking beside a running node takes no lock and writes nothing.
#[test]
fn read_only_refuses_writes() {
    let directory = tempfile::tempdir().unwrap();
    let writer = FileStorage::open(directory.path()).unwrap();
    writer.create("a").unwrap().write_at(0, b"a").unwrap();
    let reader = FileStorage::read_only(directory.path());
    let file = reader.open("a").unwrap();
    assert_eq!(read_range(&file, 0, 1).unwrap(), b"a");
    assert!(file.write_at(0, b"b").is_err());
    assert!(reader.create("b").is_err() && reader.rename("a", "b").is_err() && reader.remove("a").is_err());
}

/// The faulty disk keeps what was synced, and of the rest the sectors that it is told to keep.
#[test]
fn crash_states() {
    let disk = FaultyStorage::new();
    let file = disk.create("a").unwrap();
    disk.sync_directory().unwrap();
    file.write_at(0, &[1; 100]).unwrap();
    file.sync().unwrap();
    file.write_at(100, &[2; 1000]).unwrap();
    assert_eq!(disk.pending_sectors(), 3);
    let left = |state| disk.crash(&state).files().remove("a").unwrap();
    assert_eq!(left(CrashState::LoseAll), [1; 100]);
    assert_eq!(left(CrashState::KeepAll).len(), 1100);
    let middle = left(CrashState::Sectors(vec![false, true, false]));
    assert_eq!((middle.len(), middle[99], middle[100], middle[512]), (1024, 1, 0, 2));
}

/// After a failed sync the unsynced bytes are readable and yet never reach the disk, as on Linux.
#[test]
fn a_failed_sync_loses_what_was_pending() {
    let disk = FaultyStorage::new();
    let file = disk.create("a").unwrap();
    disk.sync_directory().unwrap();
    file.write_at(0, b"x").unwrap();
    disk.fail_sync_after(0);
    assert!(file.sync().is_err());
    file.sync().unwrap();
    assert_eq!(read_range(&file, 0, 1).unwrap(), b"x");
    assert!(disk.crash(&CrashState::LoseAll).files().remove("a").unwrap().is_empty());
}
