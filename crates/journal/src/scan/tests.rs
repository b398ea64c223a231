//! Pages of the log: the same as looking at all of it, wherever they begin and however many they hold.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::{Page, Position, Record, Storage, scan, scan_page};
use crate::error::JournalError;
use crate::journal::{Journal, JournalOptions};
use crate::storage::MemoryStorage;

const SMALL: JournalOptions = JournalOptions { segment_bytes: 1024, chunk_bytes: 1024, reserve_bytes: 0 };

/// A log of 24 records in several segments.
fn filled() -> (MemoryStorage, Vec<Record>) {
    let storage = MemoryStorage::new();
    let mut journal = Journal::open(storage.clone(), SMALL).unwrap();
    for number in 1..=24 {
        journal.append(&[number; 150]).unwrap();
        journal.sync().unwrap();
    }
    let mut all = Vec::new();
    scan(&storage, Position::START, |record| all.push(record)).unwrap();
    assert_eq!(all.len(), 24);
    assert!(all.last().unwrap().position.segment() > 2);
    (storage, all)
}

fn even(record: &Record) -> bool {
    record.bytes[0].is_multiple_of(2)
}

/// What a page must hold.
fn expected(all: &[Record], from: Position, page: Page, limit: usize) -> Vec<Record> {
    let there = |record: &&Record| record.position >= from && page.holds(record.position) && even(record);
    let mut found: Vec<Record> = all.iter().filter(there).cloned().collect();
    match page {
        Page::After(_) => found.truncate(limit),
        Page::Before(_) => drop(found.drain(..found.len().saturating_sub(limit))),
    }
    found
}

/// From every place, records' or not, in both directions, with every size of page, and beside an index that goes up to any record.
#[test]
fn pages_are_parts_of_the_whole() {
    let (storage, all) = filled();
    let mut places = vec![Position::START, Position::END, Position::new(1, 0), Position::new(1, 100)];
    places.extend(all.iter().map(|record| record.position));
    let froms = [Position::START, all[7].position, all[23].position];
    for (place, from) in places.iter().flat_map(|place| froms.map(|from| (*place, from))) {
        for (page, limit) in
            [Page::After(place), Page::Before(place)].iter().flat_map(|page| [0, 1, 3, 99].map(|limit| (*page, limit)))
        {
            let found = scan_page(&storage, from, page, limit, even).unwrap();
            assert_eq!(found, expected(&all, from, page, limit), "{from} {page:?} {limit}");
        }
    }
}

/// Each page goes on where the one before ended, until nothing is left.
#[test]
fn pages_follow_each_other() {
    let (storage, all) = filled();
    let (mut page, mut seen) = (Page::After(Position::START), Vec::new());
    loop {
        let found = scan_page(&storage, Position::START, page, 5, |_| true).unwrap();
        let Some(last) = found.last() else { break };
        page = page.from(last.position);
        seen.extend(found);
    }
    assert_eq!(seen, all);
}

/// The last records are read out of the last segments alone: damage in the first one is not looked at, damage in those read is named.
#[test]
fn only_what_is_needed_is_read() {
    let (storage, all) = filled();
    let (name, mut bytes) = storage.files().pop_first().unwrap();
    bytes[80] ^= 1;
    storage.put(&name, bytes);
    let last = scan_page(&storage, Position::START, Page::Before(Position::END), 3, |_| true).unwrap();
    assert_eq!(last, all[21..]);
    let refused = scan_page(&storage, Position::START, Page::Before(Position::END), 99, |_| true).unwrap_err();
    assert!(matches!(&refused, JournalError::Damaged { segment, .. } if *segment == name), "{refused}");
    assert!(storage.open(&name).is_ok());
}
