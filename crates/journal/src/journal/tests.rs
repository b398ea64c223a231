//! Appending, syncing, reading back; what fails and what that leaves.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use proptest::prelude::*;

use super::{COMMIT_MAX, Journal, JournalOptions};
use crate::error::JournalError;
use crate::frame::RECORD_MAX;
use crate::position::Position;
use crate::segment;
use crate::space::Space;
use crate::storage::{BackgroundMode, CrashState, FaultyStorage, FileStorage, MemoryStorage, Storage};

mod crash;
mod damage;
mod full;

const SMALL: JournalOptions = JournalOptions { segment_bytes: 700, chunk_bytes: 512, reserve_bytes: 0 };

fn open<S: Storage>(storage: &S) -> Journal<S> {
    Journal::open(storage.clone(), SMALL).unwrap()
}

fn all<S: Storage>(journal: &Journal<S>) -> Vec<Vec<u8>> {
    journal.replay().unwrap().map(|record| record.unwrap().bytes.to_vec()).collect()
}

fn append_all<S: Storage>(journal: &mut Journal<S>, records: &[Vec<u8>]) {
    for record in records {
        journal.append(record).unwrap();
    }
}

/// A record that no other test record equals.
fn record(number: usize, length: usize) -> Vec<u8> {
    let tag = u8::try_from(number % 251).unwrap() + 1;
    vec![tag; length]
}

/// A commit costs exactly one fdatasync, whatever it holds; a sync with nothing to cover costs none.
#[test]
fn one_sync_per_commit() {
    let storage = MemoryStorage::new();
    let mut journal = Journal::open(storage.clone(), JournalOptions::default()).unwrap();
    journal.prepare().unwrap();
    let before = storage.file_syncs();
    for commit in 1..=20 {
        for number in 0..commit {
            journal.append(&record(number, 300)).unwrap();
        }
        journal.sync().unwrap();
        assert_eq!(storage.file_syncs() - before, commit as u64);
        journal.sync().unwrap();
        assert_eq!(storage.file_syncs() - before, commit as u64);
    }
}

/// A disk on which the next segment did not fit at the start is no longer full once it fits, however little was said since.
#[test]
fn room_is_noticed() {
    let storage = FaultyStorage::new();
    storage.set_capacity(Some(8_000));
    let options = JournalOptions { segment_bytes: 8_192, chunk_bytes: 512, reserve_bytes: 1_024 };
    let mut journal = Journal::open(storage.clone(), options).unwrap();
    journal.prepare().unwrap();
    assert!(matches!(journal.space(), Space::Reserve { .. }));
    journal.append(&record(1, 100)).unwrap();
    journal.sync().unwrap();
    storage.set_capacity(None);
    let noticed = (0..600).any(|_| {
        journal.tend().unwrap();
        while journal.drive() {}
        journal.space() == Space::Ample
    });
    assert!(noticed, "{:?}", journal.space());
}

/// A token covers what was appended before its sync and nothing after it.
#[test]
fn durable_tells_how_far() {
    let mut journal = open(&MemoryStorage::new());
    let nothing = journal.durable();
    let first = journal.append(b"first").unwrap();
    assert!(!nothing.covers(first));
    let durable = journal.sync().unwrap();
    let second = journal.append(b"second").unwrap();
    assert!(durable.covers(first) && !durable.covers(second));
    assert_eq!((durable.records(), journal.records()), (1, 2));
    assert_eq!(journal.watermark().get(), durable);
    let later = journal.sync().unwrap();
    assert!(later.covers(second) && journal.watermark().get() == later);
}

/// A commit costs its writer one fdatasync also where it begins a new segment: whatever else is synced, and the name of the new
/// segment, is work beside the writer.
#[test]
fn a_new_segment_costs_the_writer_nothing() {
    let storage = FaultyStorage::new();
    storage.set_background(BackgroundMode::Driven);
    let mut journal = open(&storage);
    assert_eq!((storage.file_syncs(), storage.pending_names()), (1, 0));
    for number in 0..10 {
        let before = storage.file_syncs();
        journal.append(&record(number, 800)).unwrap();
        journal.sync().unwrap();
        let own = storage.file_syncs() - before;
        // At first there is no room for this much: the writer waits for it, once.
        assert_eq!(own, if number == 0 { 2 } else { 1 }, "commit {number}");
        assert_eq!(storage.pending_names(), 0, "commit {number} renames nothing");
        journal.tend().unwrap();
        while journal.drive() {}
    }
    assert_eq!(journal.end().segment(), 9);
    assert_eq!(all(&open(&storage.crash(&CrashState::LoseAll))).len(), 10);
}

/// Once prepared, the segment is whole and the next one there: the zeros of both stand before anybody needs them.
#[test]
fn prepared_room_is_a_whole_segment_and_the_next() {
    let directory = tempfile::tempdir().unwrap();
    let options = JournalOptions { segment_bytes: 300_000, chunk_bytes: 4096, reserve_bytes: 4096 };
    let mut journal = Journal::open(FileStorage::open(directory.path()).unwrap(), options).unwrap();
    journal.prepare().unwrap();
    for number in 0..2 {
        let length = std::fs::metadata(directory.path().join(segment::name(number))).unwrap().len();
        assert!(length > 300_000, "segment {number} has {length} bytes");
    }
    assert!(!directory.path().join(segment::name(2)).exists());
    assert_eq!(journal.space(), Space::Ample);
}

/// Records larger than what is written at once, and larger than a segment, come back.
#[test]
fn large_records() {
    let storage = MemoryStorage::new();
    let mut journal = open(&storage);
    let records: Vec<_> = (0..5).map(|number| record(number, RECORD_MAX - number)).collect();
    let positions: Vec<_> = records.iter().map(|record| journal.append(record).unwrap()).collect();
    assert_eq!(all(&journal), records, "before the sync");
    journal.sync().unwrap();
    assert_eq!(all(&journal), records);
    for (position, record) in positions.iter().zip(&records) {
        assert_eq!(journal.read(*position).unwrap(), record);
    }
    assert_eq!(all(&open(&storage)), records);
}

/// What cannot be taken is refused by name, and the log goes on.
#[test]
fn refusals_leave_the_log_as_it_was() {
    let mut journal = open(&MemoryStorage::new());
    assert!(matches!(journal.append(b""), Err(JournalError::RecordSize { length: 0, .. })));
    assert!(matches!(journal.append(&vec![1; RECORD_MAX + 1]), Err(JournalError::RecordSize { .. })));
    let mut held = 0;
    let error = loop {
        match journal.append(&vec![1; RECORD_MAX]) {
            Ok(_) => held += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(error, JournalError::CommitSize { max: COMMIT_MAX }), "{error}");
    journal.sync().unwrap();
    journal.append(b"goes on").unwrap();
    assert_eq!(journal.records(), held + 1);
    let nowhere = Position::new(journal.end().segment(), journal.end().offset());
    assert!(matches!(journal.read(nowhere), Err(JournalError::NoSuchRecord { .. })));
    assert!(matches!(journal.read(Position::START), Err(JournalError::NoSuchRecord { .. })));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// Whatever is appended, in whatever commits, is read back by replay and by position, before and after reopening.
    #[test]
    fn reads_back(commits in prop::collection::vec(prop::collection::vec(1usize..900, 0..5), 0..12), cut in 0usize..40) {
        let storage = MemoryStorage::new();
        let mut journal = open(&storage);
        let mut expected = Vec::new();
        let mut positions = Vec::new();
        for commit in &commits {
            for length in commit {
                let record = record(expected.len(), *length);
                positions.push(journal.append(&record).unwrap());
                expected.push(record);
                prop_assert_eq!(journal.read(positions[positions.len() - 1]).unwrap(), &expected[expected.len() - 1]);
            }
            prop_assert_eq!(&all(&journal), &expected);
            journal.sync().unwrap();
        }
        prop_assert!(positions.is_sorted_by(|a, b| a < b));
        drop(journal);
        let journal = open(&storage);
        prop_assert_eq!(&all(&journal), &expected);
        prop_assert_eq!(journal.records(), expected.len() as u64);
        prop_assert_eq!(journal.recovery().dropped_bytes, 0);
        for (position, record) in positions.iter().zip(&expected) {
            prop_assert_eq!(&journal.read(*position).unwrap(), record);
            prop_assert_eq!(Position::from_bytes(position.to_bytes()), *position);
        }
        if let Some(from) = positions.get(cut) {
            let rest: Vec<_> = journal.replay_from(*from).unwrap().map(|record| record.unwrap().bytes.to_vec()).collect();
            prop_assert_eq!(&rest, &expected[cut..]);
        }
    }
}

/// The same on real files, over a restart, with the directory locked meanwhile.
#[test]
fn real_files() {
    let directory = tempfile::tempdir().unwrap();
    let storage = FileStorage::open(directory.path()).unwrap();
    let mut journal = Journal::open(storage, SMALL).unwrap();
    let records: Vec<_> = (0..30).map(|number| record(number, 100 + number)).collect();
    for pair in records.chunks(2) {
        append_all(&mut journal, pair);
        journal.sync().unwrap();
    }
    assert!(matches!(FileStorage::open(directory.path()), Err(JournalError::InUse { .. })));
    drop(journal);
    let journal = Journal::open(FileStorage::open(directory.path()).unwrap(), SMALL).unwrap();
    assert_eq!(all(&journal), records);
    assert!(journal.end().segment() >= 2);
}

/// A full disk is told before the reserve is gone, refuses by name, loses nothing and ends when there is room again.
#[test]
fn disk_full_is_announced_and_loses_nothing() {
    let storage = FaultyStorage::new();
    let options = JournalOptions { segment_bytes: 8192, chunk_bytes: 1024, reserve_bytes: 2048 };
    let mut journal = Journal::open(storage.clone(), options).unwrap();
    storage.set_capacity(Some(20_000));
    let mut acknowledged = Vec::new();
    let mut announced = false;
    let error = loop {
        let record = record(acknowledged.len(), 100);
        match journal.append(&record) {
            Ok(_) => {
                journal.sync().unwrap();
                acknowledged.push(record);
                announced |= matches!(journal.space(), Space::Reserve { .. });
            }
            Err(error) => break error,
        }
    };
    assert!(announced, "said before it happened");
    assert!(matches!(error, JournalError::DiskFull { poisoned: false, .. }), "{error}");
    assert!(matches!(journal.space(), Space::Reserve { bytes_left } if bytes_left < 200));
    assert_eq!(all(&journal), acknowledged);
    assert_eq!(all(&Journal::open(storage.crash(&CrashState::LoseAll), options).unwrap()), acknowledged);
    storage.set_capacity(None);
    for number in 0..50 {
        acknowledged.push(record(number, 300));
        journal.append(acknowledged.last().unwrap()).unwrap();
        journal.sync().unwrap();
    }
    assert_eq!(journal.space(), Space::Ample);
    drop(journal);
    assert_eq!(all(&Journal::open(storage, options).unwrap()), acknowledged);
}

/// A disk too full for a first segment is named.
#[test]
fn a_first_segment_that_does_not_fit() {
    let storage = FaultyStorage::new();
    storage.set_capacity(Some(100));
    assert!(matches!(Journal::open(storage, SMALL), Err(JournalError::DiskFull { poisoned: false, .. })));
}

/// After a failed write every call errors, also once the disk works again; what was acknowledged is there after a restart.
#[test]
fn a_failed_write_ends_the_journal() {
    for written in [0, 1, 200, 10_000] {
        let storage = FaultyStorage::new();
        let mut journal = Journal::open(storage.clone(), JournalOptions::default()).unwrap();
        journal.append(b"kept").unwrap();
        journal.sync().unwrap();
        journal.append(&[7; 600]).unwrap();
        storage.fail_write_after(0, written);
        assert!(matches!(journal.sync(), Err(JournalError::Io { doing: "write", .. })));
        assert_poisoned(&mut journal);
        let after = all(&Journal::open(storage, JournalOptions::default()).unwrap());
        assert_eq!(after[0], b"kept");
        assert_eq!(after.len(), if written < 600 { 1 } else { 2 });
    }
}

/// After a failed sync likewise; and what the restart then replays is on the disk, although the kernel lost it before.
#[test]
fn a_failed_sync_ends_the_journal() {
    let storage = FaultyStorage::new();
    let mut journal = open(&storage);
    journal.append(b"kept").unwrap();
    journal.sync().unwrap();
    journal.append(b"in doubt").unwrap();
    storage.fail_sync_after(0);
    assert!(matches!(journal.sync(), Err(JournalError::Io { doing: "sync", .. })));
    assert_poisoned(&mut journal);
    let replayed = all(&open(&storage));
    let durable = all(&open(&storage.crash(&CrashState::LoseAll)));
    assert_eq!(replayed, durable, "nothing is replayed that a power cut could still take");
}

fn assert_poisoned<S: Storage>(journal: &mut Journal<S>) {
    assert!(matches!(journal.append(b"more"), Err(JournalError::Poisoned { .. })));
    assert!(matches!(journal.sync(), Err(JournalError::Poisoned { .. })));
    assert!(matches!(journal.replay(), Err(JournalError::Poisoned { .. })));
    assert!(matches!(journal.read(Position::START), Err(JournalError::Poisoned { .. })));
}
