//! Damage anywhere is set aside, what is sound stays byte by byte, and the log opens and goes on.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;

use super::{SegmentRepair, repair};
use crate::error::{DamageKind, JournalError};
use crate::frame;
use crate::journal::{Journal, JournalOptions};
use crate::segment;
use crate::storage::{CrashState, FaultyStorage, MemoryStorage};
use crate::verify::verify_log;

const SMALL: JournalOptions = JournalOptions { segment_bytes: 700, chunk_bytes: 512, reserve_bytes: 0 };

type Files = BTreeMap<String, Vec<u8>>;

fn record(number: usize) -> Vec<u8> {
    vec![u8::try_from(number % 250).unwrap() + 1; 30 + 17 * (number % 9)]
}

/// Three segments and the one prepared after them.
fn small() -> (Files, Vec<Vec<u8>>) {
    let storage = MemoryStorage::new();
    let mut journal = Journal::open(storage.clone(), SMALL).unwrap();
    let records: Vec<_> = (0..17).map(record).collect();
    for commit in records.chunks(2) {
        for record in commit {
            journal.append(record).unwrap();
        }
        journal.sync().unwrap();
    }
    journal.tend().unwrap();
    assert_eq!(journal.end().segment(), 2);
    (storage.files(), records)
}

fn held(storage: &MemoryStorage) -> Vec<Vec<u8>> {
    let journal = Journal::open(storage.clone(), SMALL).unwrap();
    journal.replay().unwrap().map(|record| record.unwrap().bytes.to_vec()).collect()
}

/// Repairs what is damaged; checks all that holds of any repair; gives what was done and what is left.
fn repaired(files: &Files, records: &[Vec<u8>], what: &str) -> (Vec<SegmentRepair>, Vec<Vec<u8>>) {
    let storage = MemoryStorage::with_files(files.clone());
    let done = repair(&storage, |found| records.iter().any(|record| record == found))
        .unwrap_or_else(|error| panic!("{what}: {error}"));
    let now = storage.files();
    let left = held(&storage);
    let mut all = records.iter();
    assert!(left.iter().all(|kept| all.any(|record| record == kept)), "{what}: in order, nothing added");
    let lost: u64 = done.iter().map(|segment| segment.lost).sum();
    assert_eq!(left.len() as u64 + lost, records.len() as u64, "{what}: {done:?}");
    for segment in &done {
        let before = files.get(&segment.segment);
        assert_eq!(segment.set_aside.as_ref().map(|name| &now[name]), before, "{what}: set aside as it was");
        // What was not damaged is where it was, byte by byte.
        let Some(before) = before else { continue };
        let spared = |at: &usize| !segment.ranges.iter().any(|range| (range.from..range.to).contains(&(*at as u64)));
        let after = &now[&segment.segment];
        assert!((0..before.len()).filter(spared).all(|at| before[at] == after[at]), "{what}");
    }
    for (name, bytes) in files {
        if !done.iter().any(|segment| segment.segment == *name) {
            assert_eq!(now.get(name), Some(bytes), "{what}: {name} was not touched");
        }
    }
    let report = verify_log(&storage, None, |_| Ok(())).unwrap();
    assert!(report.is_sound(), "{what}: {report:?}");
    assert_eq!(repair(&storage, |_| false).unwrap(), [], "{what}: a second repair finds nothing");
    // The log goes on, also over the next segments.
    let mut journal = Journal::open(storage.clone(), SMALL).unwrap();
    assert_eq!(journal.records(), records.len() as u64, "{what}: counted as if nothing were lost");
    let mut expected = left.clone();
    for number in 0..5 {
        expected.push(record(number));
        journal.append(&record(number)).unwrap();
        journal.sync().unwrap();
    }
    drop(journal);
    assert_eq!(held(&storage), expected, "{what}: after going on");
    (done, left)
}

/// Any one flipped bit costs at most the record that it is in, wherever it is.
#[test]
fn a_flipped_bit_anywhere() {
    let (files, records) = small();
    for (name, bytes) in &files {
        let written = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        for at in (0..written).step_by(3).chain((written..bytes.len()).step_by(61)) {
            let mut files = files.clone();
            files.get_mut(name).unwrap()[at] ^= 1 << (at % 8);
            let damaged = Journal::open(MemoryStorage::with_files(files.clone()), SMALL).is_err();
            let (done, left) = repaired(&files, &records, &format!("{name} byte {at}"));
            assert_eq!(done.is_empty(), !damaged, "{name} byte {at}");
            assert!(left.len() + 1 >= records.len(), "{name} byte {at}: {} of {}", left.len(), records.len());
        }
    }
}

/// A file whose name is far beyond the others is no reason to make thousands: it is named, and nothing is touched. What really is missing in
/// between is made anew.
#[test]
fn a_stray_name_makes_no_files() {
    let (files, records) = small();
    for stray in ["000007ff.log", "ffffffff.log"] {
        let mut files = files.clone();
        files.insert(stray.to_owned(), Vec::new());
        let storage = MemoryStorage::with_files(files.clone());
        let error = repair(&storage, |_| true).unwrap_err();
        assert!(matches!(&error, JournalError::SegmentsMissing { next, .. } if next == stray), "{error}");
        assert_eq!(storage.files(), files);
    }
    let mut near = files;
    near.insert(segment::name(9), Vec::new());
    let storage = MemoryStorage::with_files(near);
    repair(&storage, |_| true).unwrap();
    assert_eq!(held(&storage), records);
}

/// Wider damage: zeroed and overwritten stretches, headers, whole files gone, several at once.
#[test]
fn wide_damage() {
    let (files, records) = small();
    let name = segment::name;
    for from in (0..700).step_by(48) {
        for (length, fill) in [(40, 0), (300, 0), (300, 0xEE), (2000, 0x11)] {
            let mut files = files.clone();
            for number in [0, 1] {
                let bytes = files.get_mut(&name(number)).unwrap();
                let to = bytes.len().min(from + length);
                bytes[from.min(to)..to].fill(fill);
            }
            repaired(&files, &records, &format!("{from} for {length} with {fill}"));
        }
    }
    for gone in [&[0][..], &[1], &[0, 1]] {
        let mut files = files.clone();
        for number in gone {
            files.remove(&name(*number));
        }
        let (done, _) = repaired(&files, &records, &format!("{gone:?} gone"));
        assert_eq!(done[0].ranges[0].kind, DamageKind::MissingSegment);
    }
}

/// A last segment that is gone is noticed by what was prepared after it, and not passed over in silence.
#[test]
fn a_missing_last_segment() {
    let (mut files, records) = small();
    let last = segment::name(2);
    assert!(files.contains_key(&segment::name(3)), "prepared");
    files.remove(&last);
    let opened = Journal::open(MemoryStorage::with_files(files.clone()), SMALL).map(drop);
    assert!(
        matches!(opened, Err(JournalError::Damaged { segment, kind: DamageKind::MissingSegment, .. }) if segment == last)
    );
    assert_eq!(verify_log(&MemoryStorage::with_files(files.clone()), None, |_| Ok(())).unwrap().fault_count, 1);
    let storage = MemoryStorage::with_files(files);
    repair(&storage, |_| true).unwrap();
    let left = held(&storage);
    assert!(left.len() < records.len() && records.starts_with(&left));
}

/// Bytes inside a damaged record that look like a frame for that very place are no record unless the caller says so.
#[test]
fn a_forged_frame_inside_damage() {
    let storage = MemoryStorage::new();
    let mut journal = Journal::open(storage.clone(), SMALL).unwrap();
    // A record that carries a frame made for the place where it will stand: 16 bytes into the record.
    let mut forged = Vec::new();
    frame::encode(&mut forged, 0, 96, 96, b"never appended");
    let carrier = [&[7; 16][..], &forged, &[7; 20]].concat();
    let records = [carrier, b"after".to_vec()];
    for record in &records {
        journal.append(record).unwrap();
        journal.sync().unwrap();
    }
    let mut files = storage.files();
    files.get_mut(&segment::name(0)).unwrap()[66] ^= 1;
    let (_, left) = repaired(&files, &records, "forged");
    assert_eq!(left, records[1..]);
}

/// A crash at any moment of a repair leaves the damage named or the repair done, and never fewer sound records.
#[test]
fn a_crash_during_a_repair() {
    let (mut files, records) = small();
    files.get_mut(&segment::name(1)).unwrap()[200] ^= 1;
    let storage = FaultyStorage::with_files(files, 0, crate::storage::FaultRates::default());
    storage.record();
    repair(&storage, |_| true).unwrap();
    let mut states = 0;
    for disk in storage.recorded() {
        let sectors = disk.pending_sectors();
        for names in 0..=disk.pending_names() {
            for mask in 0u32..1 << sectors.min(8) {
                let flags = (0..sectors).map(|sector| mask >> sector & 1 == 1).collect();
                let left = disk.crash(&CrashState::Chosen { sectors: flags, names });
                if Journal::open(left.clone(), SMALL).is_err() {
                    repair(&left, |_| true).unwrap();
                }
                assert_eq!(held(&left).len(), records.len() - 1);
                states += 1;
            }
        }
    }
    assert!(states > 20, "{states}");
}
