//! Pruning: what is kept, what goes, and every state that a power cut in the middle can leave.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;
use crate::journal::{Journal, JournalOptions};
use crate::repair::repair;
use crate::scan::scan;
use crate::storage::{CrashState, FaultyStorage, MemoryStorage};
use crate::verify::{LogFault, verify_log};

const SMALL: JournalOptions = JournalOptions { segment_bytes: 1024, chunk_bytes: 1024, reserve_bytes: 0 };
const NOTE: &[u8] = b"what was pruned";

fn record(number: u8) -> Vec<u8> {
    vec![number; 150]
}

/// A log of 24 records in several segments.
fn filled<S: Storage>(storage: &S) -> Vec<Vec<u8>> {
    let mut journal = Journal::open(storage.clone(), SMALL).unwrap();
    let records: Vec<Vec<u8>> = (1..=24).map(record).collect();
    for record in &records {
        journal.append(record).unwrap();
        journal.sync().unwrap();
    }
    records
}

fn held<S: Storage>(storage: &S) -> Vec<Vec<u8>> {
    let journal = Journal::open(storage.clone(), SMALL).unwrap();
    journal.replay().unwrap().map(|record| record.unwrap().bytes.to_vec()).collect()
}

fn scanned<S: Storage>(storage: &S) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    scan(storage, Position::START, |record| all.push(record.bytes.to_vec())).unwrap();
    all
}

/// Every third record is kept.
fn keep(record: &Record) -> bool {
    record.bytes[0].is_multiple_of(3)
}

/// What stays when everything in segments before `first` is pruned but what is kept.
fn left<S: Storage>(storage: &S, through: u32) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    scan(storage, Position::START, |record| {
        if record.position.segment() > through || keep(&record) {
            all.push(record.bytes.to_vec());
        }
    })
    .unwrap();
    all
}

/// The log goes on as before: counted, read back by place, verified and appended to, and pruned again.
#[test]
fn a_pruned_log_goes_on() {
    let storage = MemoryStorage::new();
    let records = filled(&storage);
    assert_eq!(base(&storage).unwrap(), None);
    let numbers = prunable(&storage).unwrap();
    assert!(numbers.len() >= 3, "{numbers:?}");
    let through = numbers[1];
    let mut expected = left(&storage, through);
    let pruned = prune(&storage, through, NOTE, keep).unwrap();
    assert_eq!(pruned.segments, 1);
    assert_eq!(pruned.pruned, (records.len() - expected.len()) as u64);
    assert!(pruned.bytes_after < pruned.bytes_before);
    assert_eq!((held(&storage), scanned(&storage)), (expected.clone(), expected.clone()));
    assert_eq!(base(&storage).unwrap().as_deref(), Some(NOTE));

    let mut journal = Journal::open(storage.clone(), SMALL).unwrap();
    assert_eq!(journal.records(), records.len() as u64, "counted since the first segment ever written");
    assert_eq!(journal.recovery().pruned, pruned.pruned);
    for found in journal.replay().unwrap() {
        let found = found.unwrap();
        assert_eq!(journal.read(found.position).unwrap(), found.bytes);
        let from = journal.replay_from(found.position).unwrap().next().unwrap().unwrap();
        assert_eq!(from, found);
    }
    assert!(matches!(journal.read(Position::new(through, 64)), Err(JournalError::NoSuchRecord { .. })), "the note");
    expected.push(record(100));
    journal.append(&expected[expected.len() - 1]).unwrap();
    journal.sync().unwrap();
    drop(journal);
    let report = verify_log(&storage, None, |_| Ok(())).unwrap();
    assert!(report.is_sound(), "{report:?}");
    assert_eq!((report.records, report.pruned), (expected.len() as u64, pruned.pruned));
    assert_eq!(repair(&storage, |_| true).unwrap(), []);

    let through = *prunable(&storage).unwrap().last().unwrap();
    let expected = left(&storage, through);
    let again = prune(&storage, through, b"again", keep).unwrap();
    assert_eq!(held(&storage), expected);
    assert_eq!(again.pruned, (records.len() + 1 - expected.len()) as u64, "of both");
    assert_eq!(base(&storage).unwrap().as_deref(), Some(&b"again"[..]));
    assert!(verify_log(&storage, None, |_| Ok(())).unwrap().is_sound());
}

/// Nothing is pruned beyond the segment before the one that is written to, nor what is not there.
#[test]
fn what_is_written_to_stays() {
    let storage = MemoryStorage::new();
    filled(&storage);
    let files = storage.files();
    let last = *prunable(&storage).unwrap().last().unwrap();
    for through in [last + 1, last + 2, 900] {
        assert!(matches!(prune(&storage, through, NOTE, keep), Err(JournalError::NotPrunable { .. })), "{through}");
    }
    assert_eq!(storage.files(), files);
}

/// A base that is missing, or of which any bit is not what was written, is named; nothing repairs it and nothing wrong is served.
#[test]
fn a_damaged_base_is_named() {
    let storage = MemoryStorage::new();
    filled(&storage);
    let through = prunable(&storage).unwrap()[1];
    prune(&storage, through, NOTE, keep).unwrap();
    let files = storage.files();
    let name = segment::name(through);
    let length = segment::base(&storage, through).unwrap().unwrap().end as usize;
    for bit in 0..length * 8 {
        let mut files = files.clone();
        files.get_mut(&name).unwrap()[bit / 8] ^= 1 << (bit % 8);
        let damaged = MemoryStorage::with_files(files.clone());
        let error = Journal::open(damaged.clone(), SMALL).map(drop).unwrap_err();
        assert!(matches!(error, JournalError::Damaged { .. }), "bit {bit}: {error}");
        let report = verify_log(&damaged, None, |_| Ok(())).unwrap();
        assert!(report.faults.iter().any(|fault| matches!(fault, LogFault::Damage { .. })), "bit {bit}");
        if bit % 97 == 0 {
            assert!(repair(&damaged, |_| true).is_err(), "bit {bit}");
            assert_eq!(damaged.files(), files, "bit {bit}: a refused repair changes nothing");
        }
    }
    let mut missing = files;
    missing.remove(&name);
    let error = Journal::open(MemoryStorage::with_files(missing), SMALL).map(drop).unwrap_err();
    assert!(matches!(error, JournalError::Damaged { kind: DamageKind::MissingSegment, .. }), "{error}");
}

/// Whatever a power cut leaves at any write, rename or removal, the log is whole: as it was, or pruned; and pruning goes on from there.
#[test]
fn every_crash_state_of_a_pruning() {
    let (mut states, mut outcomes) = (0, [0, 0]);
    for earlier in [false, true] {
        let storage = FaultyStorage::new();
        filled(&storage);
        if earlier {
            prune(&storage, prunable(&storage).unwrap()[1], NOTE, keep).unwrap();
        }
        let before = held(&storage);
        let through = *prunable(&storage).unwrap().last().unwrap();
        // Little is kept, so that few sectors are outstanding.
        let few = |record: &Record| record.bytes[0] == 3;
        storage.record();
        prune(&storage, through, b"new", few).unwrap();
        let after = scanned(&storage);
        assert_ne!(before, after);
        let mut looks = storage.recorded();
        looks.push(storage.clone());
        for (look, disk) in looks.iter().enumerate() {
            let sectors = disk.pending_sectors();
            assert!(sectors <= 6, "{sectors}");
            for names in 0..=disk.pending_names() {
                for mask in 0u32..1 << sectors {
                    let flags = (0..sectors).map(|sector| mask >> sector & 1 == 1).collect();
                    let left = disk.crash(&CrashState::Chosen { sectors: flags, names });
                    let note = base(&left).unwrap();
                    let all = held(&left);
                    let expected = if note.as_deref() == Some(b"new") { &after } else { &before };
                    assert_eq!(&all, expected, "look {look}, {names} names, {mask:b}");
                    outcomes[usize::from(expected == &after)] += 1;
                    states += 1;
                    prune(&left, through, b"new", few).map_or_else(
                        |error| assert!(matches!(error, JournalError::NotPrunable { .. }), "{error}"),
                        drop,
                    );
                    assert_eq!(held(&left), after, "look {look}, {names} names, {mask:b}: again");
                }
            }
        }
    }
    assert!(states > 20 && outcomes.iter().all(|count| *count > 3), "{states} {outcomes:?}");
}

/// A write, a sync or a read that fails, and a disk that is full, leave the log as it was or pruned.
#[test]
fn a_failure_at_any_call_of_a_pruning() {
    let count = |storage: &FaultyStorage| (held(storage).len(), base(storage).unwrap().is_some());
    let mut failures = 0;
    for call in 0..6 {
        for kind in 0..4 {
            let storage = FaultyStorage::new();
            filled(&storage);
            let (whole, _) = count(&storage);
            let through = prunable(&storage).unwrap()[1];
            match kind {
                0 => storage.fail_write_after(call, 100),
                1 => storage.fail_sync_after(call),
                2 => storage.fail_read_after(call * 5),
                _ => storage.set_capacity(Some(
                    storage.crash(&CrashState::KeepAll).files().values().map(|file| file.len() as u64).sum::<u64>()
                        + 100 * call,
                )),
            }
            let failed = prune(&storage, through, NOTE, keep).is_err();
            failures += usize::from(failed);
            storage.set_capacity(None);
            for state in [CrashState::LoseAll, CrashState::KeepAll] {
                let left = storage.crash(&state);
                let all = held(&left);
                if base(&left).unwrap().is_none() {
                    assert!(failed);
                    assert_eq!(all.len(), whole, "call {call} kind {kind}");
                }
                assert!(verify_log(&left, None, |_| Ok(())).unwrap().is_sound());
            }
        }
    }
    assert!(failures > 6, "{failures}");
}
