//! Power cuts: every subset of the unsynced sectors, and cuts between commits.

use super::{SMALL, all, append_all, open, record};
use crate::journal::{Journal, JournalOptions};
use crate::storage::{CrashState, FaultyStorage};

const ROOMY: JournalOptions = JournalOptions { segment_bytes: 1 << 20, chunk_bytes: 8192, reserve_bytes: 0 };

/// With every subset of the sectors of one unsynced commit, everything acknowledged is there, followed by nothing but a
/// prefix of that commit; and the log goes on from there without bringing anything dropped back.
#[test]
fn every_subset_of_unsynced_sectors() {
    for lengths in [&[2000][..], &[300, 300, 300], &[10, 10, 10, 10], &[500, 40, 1500], &[480, 1, 470, 600]] {
        let storage = FaultyStorage::new();
        let mut journal = Journal::open(storage.clone(), ROOMY).unwrap();
        let mut records = vec![record(0, 90), record(1, 700)];
        append_all(&mut journal, &records);
        journal.sync().unwrap();
        for (number, length) in lengths.iter().enumerate() {
            records.push(record(number + 2, *length));
            journal.append(&records[number + 2]).unwrap();
        }
        // Everything is handed to the disk, then the power fails before the sync.
        storage.fail_write_after(0, usize::MAX);
        assert!(journal.sync().is_err());
        let sectors = storage.pending_sectors();
        assert!((1..=6).contains(&sectors), "{sectors}");
        for mask in 0u32..1 << sectors {
            let flags = (0..sectors).map(|sector| mask >> sector & 1 == 1).collect();
            let left = storage.crash(&CrashState::Sectors(flags));
            let mut journal =
                Journal::open(left.clone(), ROOMY).unwrap_or_else(|error| panic!("mask {mask:b}: {error}"));
            let mut held = all(&journal);
            assert!(held.len() >= 2, "mask {mask:b}: acknowledged records are gone");
            assert_eq!(held, records[..held.len()], "mask {mask:b}");
            if mask + 1 == 1 << sectors {
                assert_eq!(held.len(), records.len(), "everything was written");
            }
            held.push(record(99, 5));
            journal.append(&held[held.len() - 1]).unwrap();
            journal.sync().unwrap();
            drop(journal);
            let journal = Journal::open(left, ROOMY).unwrap_or_else(|error| panic!("mask {mask:b}, again: {error}"));
            assert_eq!(all(&journal), held, "mask {mask:b}: after going on");
            assert_eq!(journal.recovery().dropped_bytes, 0);
        }
    }
}

/// A cut at any time, segment changes included, leaves what was acknowledged.
#[test]
fn cuts_between_commits() {
    let storage = FaultyStorage::new();
    let mut journal = open(&storage);
    let mut acknowledged = Vec::new();
    for number in 0..60 {
        let next = record(number, 60 + number * 3);
        journal.append(&next).unwrap();
        for state in [CrashState::LoseAll, CrashState::KeepAll] {
            assert_eq!(all(&open(&storage.crash(&state))), acknowledged, "unsynced, in memory");
        }
        journal.sync().unwrap();
        acknowledged.push(next);
        for state in [CrashState::LoseAll, CrashState::KeepAll] {
            assert_eq!(all(&open(&storage.crash(&state))), acknowledged);
        }
    }
    assert!(journal.end().segment() > 5);
}

/// A write or a sync that fails anywhere, also while a new segment is made, never costs an acknowledged record.
#[test]
fn a_failure_at_any_call() {
    for call in 2..40 {
        for of_sync in [true, false] {
            let storage = FaultyStorage::new();
            let mut journal = open(&storage);
            if of_sync {
                storage.fail_sync_after(call);
            } else {
                storage.fail_write_after(call, 100);
            }
            let mut acknowledged = Vec::new();
            for number in 0..40 {
                let next = record(number, 350);
                if journal.append(&next).is_err() || journal.sync().is_err() {
                    break;
                }
                acknowledged.push(next);
            }
            for left in [storage.crash(&CrashState::LoseAll), storage.crash(&CrashState::KeepAll)] {
                let journal = Journal::open(left, SMALL).unwrap_or_else(|error| panic!("call {call}: {error}"));
                let held = all(&journal);
                assert!(held.starts_with(&acknowledged), "call {call}");
                assert!(held.len() <= acknowledged.len() + 1, "call {call}");
            }
        }
    }
}
