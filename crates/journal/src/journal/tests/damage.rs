//! Damage: every bit, every truncation, missing and misplaced files.

use std::collections::BTreeMap;

use super::{SMALL, all, append_all, open, record};
use crate::error::{DamageKind, JournalError};
use crate::journal::{Journal, JournalOptions};
use crate::storage::{MemoryStorage, Storage, StorageFile};
use crate::verify::{LogFault, verify_log};
use crate::{frame, recovery, segment};

/// Two segments with commits of one and of several records.
fn small() -> (BTreeMap<String, Vec<u8>>, Vec<Vec<u8>>) {
    let storage = MemoryStorage::new();
    let mut journal = open(&storage);
    let records: Vec<_> = (0..9).map(|number| record(number, 30 + 17 * number)).collect();
    for commit in [0..1, 1..4, 4..7, 7..9] {
        append_all(&mut journal, &records[commit]);
        journal.sync().unwrap();
    }
    assert_eq!(journal.end().segment(), 1);
    (storage.files(), records)
}

/// No single flipped bit is served, and none costs a record in silence: the log is whole, or the place is named.
#[test]
fn every_single_bit() {
    let (files, records) = small();
    let mut named = 0;
    for (name, bytes) in &files {
        for bit in 0..bytes.len() * 8 {
            let mut files = files.clone();
            files.get_mut(name).unwrap()[bit / 8] ^= 1 << (bit % 8);
            match Journal::open(MemoryStorage::with_files(files), SMALL) {
                Ok(journal) => assert_eq!(all(&journal), records, "{name} bit {bit}: only unused bytes may be ignored"),
                Err(JournalError::Damaged { segment, offset, .. }) => {
                    named += 1;
                    assert_eq!(segment, *name, "bit {bit}");
                    let from = usize::try_from(offset).unwrap();
                    assert!((from..from + 256).contains(&(bit / 8)), "{name} bit {bit} was named at {offset}");
                }
                Err(error) => panic!("{name} bit {bit}: {error}"),
            }
        }
    }
    let written: usize = records.iter().map(|record| frame::size(record.len())).sum();
    assert_eq!(named, (written + 2 * segment::HEADER) * 8, "every bit in use is covered");
}

/// A log cut in its last file where nothing of a record is left gives its whole records; one cut inside a record, or in an earlier file,
/// is named: a commit overwrites zeros that were durable, so that no crash makes a file end inside it.
#[test]
fn every_truncation() {
    let (files, records) = small();
    for (name, bytes) in &files {
        for length in 0..bytes.len() {
            let mut files = files.clone();
            files.get_mut(name).unwrap().truncate(length);
            let storage = MemoryStorage::with_files(files);
            match Journal::open(storage.clone(), SMALL) {
                Ok(mut journal) => {
                    let mut held = all(&journal);
                    assert!(records.starts_with(&held), "{name} cut to {length}");
                    let number = u32::from(*name != segment::name(0));
                    let whole = recovery::scan(&bytes[..length], number).end;
                    assert!(bytes[whole..length].iter().all(|byte| *byte == 0), "{name} cut to {length}, in a record");
                    held.push(b"goes on".to_vec());
                    journal.append(b"goes on").unwrap();
                    journal.sync().unwrap();
                    assert_eq!(all(&open(&storage)), held, "{name} cut to {length}");
                }
                Err(JournalError::Damaged { segment, offset, .. }) => {
                    assert_eq!(segment, *name);
                    assert!(offset <= length as u64, "{name} cut to {length}");
                }
                Err(error) => panic!("{name} cut to {length}: {error}"),
            }
        }
    }
}

fn damage(files: BTreeMap<String, Vec<u8>>) -> (String, u64, DamageKind) {
    match Journal::open(MemoryStorage::with_files(files), SMALL) {
        Err(JournalError::Damaged { segment, offset, kind }) => (segment, offset, kind),
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("not noticed"),
    }
}

/// Files that are missing, or stand in each other's place, are named.
#[test]
fn missing_and_misplaced_files() {
    let storage = MemoryStorage::new();
    let mut journal = open(&storage);
    for number in 0..4 {
        journal.append(&record(number, 800)).unwrap();
        journal.sync().unwrap();
    }
    let files = storage.files();
    let mut without = files.clone();
    without.remove(&segment::name(2));
    assert_eq!(damage(without), (segment::name(2), 0, DamageKind::MissingSegment));
    let mut misplaced = files.clone();
    misplaced.insert(segment::name(1), files[&segment::name(2)].clone());
    assert_eq!(damage(misplaced), (segment::name(1), 0, DamageKind::SegmentHeader));
    let mut emptied = files;
    emptied.get_mut(&segment::name(1)).unwrap()[segment::HEADER..].fill(0);
    assert_eq!(damage(emptied), (segment::name(1), 64, DamageKind::MissingFrame));
}

/// A file of another log, whole in itself, does not continue what stands before it here.
#[test]
fn a_segment_of_another_log() {
    let (mut files, records) = small();
    let other = MemoryStorage::new();
    let mut journal = open(&other);
    for record in records.iter().rev() {
        append_all(&mut journal, std::slice::from_ref(record));
        journal.sync().unwrap();
    }
    let second = segment::name(1);
    files.insert(second.clone(), other.files()[&second].clone());
    assert_eq!(damage(files), (second, 0, DamageKind::BrokenSequence));
}

/// A write that the disk acknowledged and lost is named where a later commit proves it, even in the last file.
#[test]
fn lost_and_misdirected_writes() {
    let storage = MemoryStorage::new();
    let mut journal = Journal::open(storage.clone(), JournalOptions::default()).unwrap();
    let positions: Vec<_> = (0..4)
        .map(|number| {
            let position = journal.append(&record(number, 700)).unwrap();
            journal.sync().unwrap();
            position.offset() as usize
        })
        .collect();
    let name = segment::name(0);
    let bytes = storage.files()[&name].clone();
    let opened = |bytes| damage(BTreeMap::from([(name.clone(), bytes)]));
    let mut lost = bytes.clone();
    lost[positions[1]..positions[2]].fill(0);
    assert_eq!(opened(lost), (name.clone(), positions[1] as u64, DamageKind::MissingFrame));
    let mut half = bytes.clone();
    half[1024..1536].fill(0);
    assert_eq!(opened(half), (name.clone(), positions[1] as u64, DamageKind::FrameContent));
    let mut misdirected = bytes.clone();
    misdirected.copy_within(positions[2]..positions[3], positions[1]);
    assert_eq!(opened(misdirected), (name.clone(), positions[1] as u64, DamageKind::FrameHeader));
}

/// What a record's author chose hides no damage: a header in it that claims all that follows is stepped over by nobody. And a later commit that
/// is itself torn still proves what stands before it.
#[test]
fn no_record_hides_a_later_commit() {
    let storage = MemoryStorage::new();
    let mut journal = Journal::open(storage.clone(), JournalOptions::default()).unwrap();
    let (mut hostile, inside) = (record(1, 2_000), 640);
    let place = segment::HEADER + frame::HEADER + inside;
    let mut embedded = Vec::new();
    let (claimed, at) = (vec![7; 8_000], u32::try_from(place).unwrap());
    frame::encode(&mut embedded, 0, at, segment::HEADER.try_into().unwrap(), &claimed);
    hostile[inside..inside + frame::HEADER].copy_from_slice(&embedded[..frame::HEADER]);
    journal.append(&hostile).unwrap();
    journal.sync().unwrap();
    let later = journal.append(&record(2, 700)).unwrap().offset() as usize;
    journal.sync().unwrap();
    let name = segment::name(0);
    let bytes = storage.files()[&name].clone();
    let opened = |bytes| damage(BTreeMap::from([(name.clone(), bytes)]));
    let first = segment::HEADER as u64;
    let mut lost = bytes.clone();
    lost[segment::HEADER..512].fill(0);
    assert_eq!(opened(lost), (name.clone(), first, DamageKind::MissingFrame));
    let mut torn = bytes.clone();
    torn[1_024..1_536].fill(0);
    torn[(later + frame::HEADER).next_multiple_of(512)..].fill(0);
    assert_eq!(opened(torn), (name.clone(), first, DamageKind::FrameContent));
}

/// Bytes that rot while the journal is open are noticed by every way of reading, and are not served.
#[test]
fn rot_under_an_open_journal() {
    let storage = MemoryStorage::new();
    let mut journal = open(&storage);
    let positions: Vec<_> = (0..3)
        .map(|number| {
            let position = journal.append(&record(number, 800)).unwrap();
            journal.sync().unwrap();
            position
        })
        .collect();
    for (number, position) in positions.iter().enumerate() {
        let file = storage.open(&segment::name(position.segment())).unwrap();
        let mut byte = [0];
        file.read_at(200, &mut byte).unwrap();
        file.write_at(200, &[byte[0] ^ 4]).unwrap();
        assert!(matches!(journal.read(*position), Err(JournalError::Damaged { .. })));
        let replayed: Vec<_> = journal.replay().unwrap().collect();
        assert_eq!(replayed.len(), number + 1, "stops at the damage");
        assert!(matches!(replayed[number], Err(JournalError::Damaged { .. })));
        assert_eq!(verify_log(&storage, None, |_| Ok(())).unwrap().fault_count, 1);
        file.write_at(200, &byte).unwrap();
    }
    assert!(verify_log(&storage, None, |_| Ok(())).unwrap().is_sound());
}

/// The report goes on after damage: each place is named, each whole record is checked.
#[test]
fn the_report_names_every_place() {
    let (mut files, records) = small();
    for (name, offset) in [(segment::name(0), 90), (segment::name(0), 400), (segment::name(1), 90)] {
        files.get_mut(&name).unwrap()[offset] ^= 1;
    }
    let mut seen = Vec::new();
    let report = verify_log(&MemoryStorage::with_files(files), None, |record| {
        seen.push(record.bytes.to_vec());
        Ok(())
    })
    .unwrap();
    assert_eq!(report.fault_count, 3, "{report:?}");
    assert!(report.faults.iter().all(|fault| matches!(fault, LogFault::Damage { kind: DamageKind::FrameContent, .. })));
    assert_eq!(seen.len(), records.len() - 3);
    assert!(seen.iter().all(|record| records.contains(record)));
    assert_eq!(report.records, seen.len() as u64);
    assert!(!report.is_sound());
}
