//! Power cuts: every subset of the unsynced sectors, and cuts between commits.

use super::{SMALL, all, append_all, open, record};
use crate::error::JournalError;
use crate::journal::{Journal, JournalOptions};
use crate::storage::{BackgroundMode, CrashState, FaultRates, FaultyStorage, MemoryStorage};
use crate::{frame, segment};

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

/// A record whose author chose its bytes so that they are a commit of their own place, whole or its header alone: torn, it is torn like any
/// other. Only where its own header never reached the disk and the whole of what it embeds did is it taken for damage.
#[test]
fn no_record_passes_for_a_later_commit() {
    for whole in [true, false] {
        let storage = FaultyStorage::new();
        let mut journal = Journal::open(storage.clone(), ROOMY).unwrap();
        let before = vec![record(0, 90), record(1, 40)];
        append_all(&mut journal, &before);
        journal.sync().unwrap();
        let (mut hostile, inside) = (record(2, 2_000), 640);
        let place = journal.end().offset() + u32::try_from(frame::HEADER + inside).unwrap();
        let mut embedded = Vec::new();
        frame::encode(&mut embedded, journal.end().segment(), place, place, b"a later commit");
        let kept = if whole { embedded.len() } else { frame::HEADER };
        hostile[inside..inside + kept].copy_from_slice(&embedded[..kept]);
        journal.append(&hostile).unwrap();
        storage.fail_write_after(0, usize::MAX);
        assert!(journal.sync().is_err());
        let sectors = storage.pending_sectors();
        let mut torn = 0;
        for mask in 0u32..1 << sectors {
            let flags = (0..sectors).map(|sector| mask >> sector & 1 == 1).collect();
            match Journal::open(storage.crash(&CrashState::Sectors(flags)), ROOMY) {
                Ok(journal) if mask + 1 == 1 << sectors => assert_eq!(all(&journal)[2], hostile),
                Ok(journal) => {
                    assert_eq!(all(&journal), before, "mask {mask:b}");
                    torn += usize::from(mask & 0b111 == 0b111);
                }
                Err(error) => assert!(whole && mask & 1 == 0, "mask {mask:b}: {error}"),
            }
        }
        assert!(torn >= 3, "{torn}");
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

/// Opens what a crash left and checks it: everything acknowledged, and of what was under way nothing but a prefix.
fn check_left(left: &MemoryStorage, acknowledged: &[Vec<u8>], written: &[Vec<u8>], state: &str) {
    let journal = Journal::open(left.clone(), SMALL).unwrap_or_else(|error| panic!("{state}: {error}"));
    let held = all(&journal);
    assert!(held.starts_with(acknowledged), "{state}: an acknowledged record is gone");
    assert!(written.starts_with(&held), "{state}: more than was written");
}

/// Every state that a power cut can leave while segments are filled ahead, prepared, named, begun and written to, by the writer
/// and beside it: each subset of up to six unsynced sectors with each number of unsynced changes of names.
#[test]
fn every_crash_state() {
    let mut states = 0;
    for driven in 0..4 {
        let storage = FaultyStorage::new();
        storage.set_background(BackgroundMode::Driven);
        storage.record();
        let mut journal = open(&storage);
        let (mut acknowledged, mut written) = (Vec::new(), Vec::new());
        for number in 0..14 {
            for _ in 0..=number % 3 {
                written.push(record(written.len(), 40 + 37 * number));
                journal.append(&written[written.len() - 1]).unwrap();
            }
            journal.sync().unwrap();
            let mut looks = vec![storage.clone()];
            looks.extend(storage.recorded());
            // What was recorded stood before the acknowledgement, the rest after it.
            for (index, disk) in looks.iter().enumerate() {
                let known = if index == 0 { &written } else { &acknowledged };
                let sectors = disk.pending_sectors();
                assert!(sectors <= 6, "{sectors}");
                for names in 0..=disk.pending_names() {
                    for mask in 0u32..1 << sectors {
                        let flags = (0..sectors).map(|sector| mask >> sector & 1 == 1).collect();
                        let left = disk.crash(&CrashState::Chosen { sectors: flags, names });
                        if number == 0 && !left.files().contains_key(&segment::name(0)) {
                            continue;
                        }
                        check_left(&left, known, &written, &format!("commit {number} look {index} {names} {mask:b}"));
                        states += 1;
                    }
                }
            }
            acknowledged.clone_from(&written);
            journal.tend().unwrap();
            // The work beside is done at once, one piece a commit, rarely, or only where the writer cannot go on without.
            for _ in 0..[9, 1, usize::from(number % 4 == 0), 0][driven] {
                journal.drive();
            }
        }
        assert!(journal.end().segment() > 1, "{}", journal.end());
    }
    assert!(states > 1_000, "{states} states");
}

/// A kill leaves what is not durable to see: names and bytes. Whatever the next process found there, and all that it acknowledged since,
/// outlives a power cut, wherever the kill came between a write, a rename and a sync.
#[test]
fn a_kill_and_then_a_power_cut() {
    let storage = FaultyStorage::new();
    storage.set_background(BackgroundMode::Driven);
    storage.record();
    let mut journal = open(&storage);
    let (mut kills, mut unnamed) = (0, 0);
    for number in 0..14 {
        journal.append(&record(number, 40 + 37 * number)).unwrap();
        journal.sync().unwrap();
        journal.tend().unwrap();
        while journal.drive() {}
        for disk in storage.recorded() {
            unnamed += usize::from(disk.pending_names() > 0);
            kills += 1;
            let again = disk.killed();
            let mut restarted = open(&again);
            let mut held = all(&restarted);
            for next in 0..4 {
                let state = format!("commit {number}, kill {kills}, {next} commits after it");
                for names in 0..=again.pending_names() {
                    let left = again.crash(&CrashState::Chosen { sectors: Vec::new(), names });
                    check_left(&left, &held, &held, &state);
                }
                held.push(record(100 + next, 400));
                restarted.append(&held[held.len() - 1]).unwrap();
                restarted.sync().unwrap();
            }
        }
    }
    assert!(journal.end().segment() > 1 && unnamed > 5, "{unnamed} of {kills} kills with names that were not durable");
}

/// A file that cannot be made or renamed, or names that cannot be made durable, never cost an acknowledged record: not in this process,
/// nor in one that goes on from what it left.
#[test]
fn names_that_fail_at_any_call() {
    let mut failed = 0;
    for call in 0..12 {
        for fail in [
            FaultyStorage::fail_create_after,
            FaultyStorage::fail_rename_after,
            FaultyStorage::fail_directory_sync_after,
        ] {
            let storage = FaultyStorage::new();
            fail(&storage, call);
            let mut acknowledged = Vec::new();
            if let Ok(mut journal) = Journal::open(storage.clone(), SMALL) {
                for number in 0..20 {
                    let next = record(number, 350);
                    if journal.append(&next).is_err() || journal.sync().is_err() {
                        break;
                    }
                    acknowledged.push(next);
                }
            }
            failed += usize::from(acknowledged.len() < 20);
            let again = storage.killed();
            let mut restarted = open(&again);
            let mut held = all(&restarted);
            assert!(held.starts_with(&acknowledged), "call {call}");
            held.push(record(99, 350));
            restarted.append(&held[held.len() - 1]).unwrap();
            restarted.sync().unwrap();
            check_left(&again.crash(&CrashState::LoseAll), &held, &held, &format!("call {call}, then a power cut"));
            if !acknowledged.is_empty() {
                check_left(&storage.crash(&CrashState::LoseAll), &acknowledged, &held, &format!("call {call}"));
            }
        }
    }
    assert!(failed > 12, "only {failed} runs met a failure");
}

fn drawn_run(seed: u64, rates: FaultRates) -> (FaultyStorage, Vec<Vec<u8>>, Vec<Vec<u8>>) {
    let storage = FaultyStorage::new();
    drop(open(&storage));
    let storage = FaultyStorage::with_files(storage.crash(&CrashState::LoseAll).files(), seed, rates);
    let (mut acknowledged, mut written) = (Vec::new(), Vec::new());
    if let Ok(mut journal) = Journal::open(storage.clone(), SMALL) {
        for number in 0..30usize {
            written.push(record(number, 60 + (usize::try_from(seed).unwrap() * 31 + number * 97) % 500));
            if journal.append(&written[number]).is_err() {
                break;
            }
            if number % 3 != 1 {
                if journal.sync().is_err() {
                    break;
                }
                acknowledged.clone_from(&written);
            }
        }
    }
    (storage, acknowledged, written)
}

/// Disks that tear, fail and lose at random, told by a seed: what was acknowledged is there after any crash.
#[test]
fn drawn_failures() {
    let rates =
        FaultRates { write_fails: 1500, sync_fails: 1500, read_fails: 100, names_fail: 1500, ..FaultRates::default() };
    let mut ended = 0;
    for seed in 0..400 {
        let (storage, acknowledged, written) = drawn_run(seed, rates);
        ended += usize::from(written.len() < 30);
        check_left(&storage.crash_drawn(), &acknowledged, &written, &format!("seed {seed}"));
        check_left(&storage.crash(&CrashState::KeepAll), &acknowledged, &written, &format!("seed {seed}, killed"));
    }
    assert!(ended > 100, "only {ended} runs met a failure");
}

/// Disks that lie: they lose and misdirect writes that they acknowledged, and rot. Damage is named, or nothing but the records
/// as they were written is served; never a wrong byte. The same seed does the same.
#[test]
fn drawn_lies() {
    let rates = FaultRates { write_lost: 1500, write_misdirected: 1500, rot: 400, ..FaultRates::default() };
    let mut named = 0;
    for seed in 0..400 {
        let (storage, _, written) = drawn_run(seed, rates);
        let left = storage.crash_drawn();
        let again = drawn_run(seed, rates).0.crash_drawn();
        assert_eq!(left.files(), again.files(), "seed {seed}");
        match Journal::open(left, SMALL) {
            Ok(journal) => assert!(written.starts_with(&all(&journal)), "seed {seed}: wrong bytes are served"),
            Err(JournalError::Damaged { .. }) => named += 1,
            Err(error) => panic!("seed {seed}: {error}"),
        }
    }
    assert!(named > 50, "only {named} runs were damaged");
}

/// What the background meets ends the log as what the writer meets does: a failed sync beside it is not lost.
#[test]
fn a_failure_beside_the_writer_ends_the_journal() {
    let storage = FaultyStorage::new();
    storage.set_background(BackgroundMode::Driven);
    let options = JournalOptions { segment_bytes: 1 << 20, ..SMALL };
    let mut journal = Journal::open(storage.clone(), options).unwrap();
    let mut acknowledged = Vec::new();
    for number in 0..2 {
        acknowledged.push(record(number, 200));
        journal.append(&acknowledged[number]).unwrap();
        journal.sync().unwrap();
        journal.tend().unwrap();
    }
    journal.append(b"in doubt").unwrap();
    storage.fail_sync_after(0);
    assert!(journal.drive());
    assert!(journal.sync().is_err(), "the writer's own sync is told too");
    assert!(matches!(journal.tend(), Err(JournalError::Poisoned { .. })));
    check_left(&storage.crash(&CrashState::LoseAll), &acknowledged, &acknowledged, "after it");
}
