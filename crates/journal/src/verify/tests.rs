//! The whole log's report: the caller's check and the index against the journal.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::Path;

use super::{IndexDifference, LogFault, verify_log};
use crate::index::{IndexOptions, IndexStore, LogIndex, RecordKeys};
use crate::journal::{Journal, JournalOptions};
use crate::position::Position;
use crate::storage::MemoryStorage;

fn indexed(directory: &Path) -> (Journal<MemoryStorage>, Vec<Position>) {
    let mut journal = Journal::open(MemoryStorage::new(), JournalOptions::default()).unwrap();
    let positions = (1..=5).map(|number: u8| journal.append(&[number; 40]).unwrap()).collect();
    journal.sync().unwrap();
    let index = LogIndex::open(directory, &journal, |_: &[u8]| None::<RecordKeys>, IndexOptions::default()).unwrap();
    index.shutdown().unwrap();
    (journal, positions)
}

/// A sound log has a clean report; what was appended after the index stopped is lag, no difference.
#[test]
fn sound_and_behind() {
    let directory = tempfile::tempdir().unwrap();
    let (mut journal, _) = indexed(directory.path());
    journal.append(b"later").unwrap();
    journal.sync().unwrap();
    let store = IndexStore::open(directory.path(), journal.storage(), IndexOptions::default()).unwrap();
    let report = verify_log(journal.storage(), Some(&store), |_| Ok(())).unwrap();
    assert!(report.is_sound(), "{report:?}");
    assert_eq!((report.segments, report.records, report.bytes, report.index_behind), (1, 6, 205, 1));
    assert!(report.index_compared);
}

/// The caller's objection is listed with the record's position.
#[test]
fn the_callers_check_is_heard() {
    let directory = tempfile::tempdir().unwrap();
    let (journal, positions) = indexed(directory.path());
    let check = |record: &crate::Record| if record.bytes[0] == 3 { Err("odd".to_owned()) } else { Ok(()) };
    let report = verify_log(journal.storage(), None, check).unwrap();
    assert_eq!(report.faults, [LogFault::Record { position: positions[2], cause: "odd".to_owned() }]);
    assert!(!report.index_compared);
}

/// An index that lost, gained or changed an entry is told apart.
#[test]
fn index_differences_are_told() {
    let directory = tempfile::tempdir().unwrap();
    let (journal, positions) = indexed(directory.path());
    let extra = Position::new(0, positions[3].offset() + 8);
    let store = IndexStore::open(directory.path(), journal.storage(), IndexOptions::default()).unwrap();
    let db = store.tree();
    // The lists of hashes: 16 bytes of the hash and 8 of the position for each record.
    let lists: Vec<_> = db.scan_prefix([6u8]).map(Result::unwrap).collect();
    for (key, list) in &lists {
        let mut changed = Vec::new();
        for entry in list.chunks_exact(24) {
            let at = Position::from_bytes(*entry.last_chunk().unwrap());
            if at == positions[0] {
                continue;
            }
            changed.extend_from_slice(entry);
            if at == positions[1] {
                let hash = changed.len() - 20;
                changed[hash] ^= 1;
            }
            if at == positions[3] {
                changed.extend_from_slice(&entry[..16]);
                changed.extend_from_slice(&extra.to_bytes());
            }
        }
        db.insert(key, changed).unwrap();
    }
    let report = verify_log(journal.storage(), Some(&store), |_| Ok(())).unwrap();
    let expected = [
        IndexDifference::Missing(positions[0]),
        IndexDifference::Missing(positions[1]),
        IndexDifference::Extra(positions[1]),
        IndexDifference::Extra(extra),
    ];
    assert_eq!(report.differences, expected);
    assert_eq!((report.difference_count, report.fault_count), (4, 0));
}
