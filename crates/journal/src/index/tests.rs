//! The index: what it finds, when it follows, when it is built anew.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use watchfire_types::{Epoch, EventHash, MemberKey, Seq, Timestamp};

use super::store::Standing;
use super::{
    IndexOptions, IndexStore, IndexedRecord, LogIndex, Query, RecordKeys, Term, TermKind, distrust, lost_tail,
};
use crate::error::JournalError;
use crate::journal::{Journal, JournalOptions};
use crate::position::{Page, Position};
use crate::repair::note_lost_tail;
use crate::segment;
use crate::storage::{BackgroundMode, CrashState, FaultyStorage, MemoryStorage};
use crate::verify::verify_log;

/// Only commands make it follow: no test waits for a timer.
const OPTIONS: IndexOptions = IndexOptions {
    interval: Duration::from_secs(3600),
    cache_bytes: 16 << 20,
    rebuild: false,
    lookers: Duration::from_secs(300),
};
const JOURNAL: JournalOptions = JournalOptions { segment_bytes: 2000, chunk_bytes: 1024, reserve_bytes: 0 };

/// Test records: author, seq, kind, filling. One that begins with 0 has no keys.
fn keys(record: &[u8]) -> Option<RecordKeys> {
    let [author, seq, kind, ..] = *record else { return None };
    (author != 0).then(|| RecordKeys {
        author: MemberKey::from_bytes([author; 32]),
        epoch: epoch(),
        seq: Seq::new(u64::from(seq)),
        terms: vec![Term { kind: TermKind::BodyKind, value: vec![kind] }],
    })
}

fn epoch() -> Epoch {
    Epoch::from_bytes([3; 16])
}

fn record(author: u8, seq: u8, kind: u8) -> Vec<u8> {
    let mut record = vec![9; 200];
    record[..3].copy_from_slice(&[author, seq, kind]);
    record
}

fn append_all(journal: &mut Journal<MemoryStorage>, records: &[Vec<u8>]) {
    for record in records {
        journal.append(record).unwrap();
    }
}

fn filled(storage: &MemoryStorage) -> (Journal<MemoryStorage>, Vec<Vec<u8>>) {
    let mut journal = Journal::open(storage.clone(), JOURNAL).unwrap();
    let records: Vec<_> = (0..40).map(|number| record(number % 3, number / 3, number % 5)).collect();
    for pair in records.chunks(2) {
        append_all(&mut journal, pair);
        journal.sync().unwrap();
    }
    (journal, records)
}

fn open(path: &Path, journal: &Journal<MemoryStorage>) -> LogIndex {
    LogIndex::open(path, journal, keys, OPTIONS).unwrap()
}

/// The records that an answer of the index leads to.
fn bytes(store: &IndexStore, found: impl Iterator<Item = Result<Position, JournalError>>) -> Vec<Vec<u8>> {
    found.map(|position| store.at(position.unwrap()).unwrap().bytes.to_vec()).collect()
}

/// Every record that is indexed, in the journal's order.
fn all(store: &IndexStore) -> Vec<Vec<u8>> {
    bytes(store, store.positions().unwrap().into_iter().map(Ok))
}

/// Records are found by hash, by author from a seq on, and by term, over several segments.
#[test]
fn finds_records() {
    let directory = tempfile::tempdir().unwrap();
    let (journal, records) = filled(&MemoryStorage::new());
    assert!(journal.end().segment() > 2);
    let index = open(directory.path(), &journal);
    index.catch_up().unwrap();
    let store = index.store();
    assert_eq!(all(store), records);
    for record in &records {
        let found = store.by_hash(EventHash::of(record)).unwrap().unwrap();
        assert_eq!(found.bytes, record);
        assert_eq!(journal.read(found.position).unwrap(), record);
    }
    assert_eq!(store.by_hash(EventHash::from_bytes([0; 32])).unwrap(), None);
    let by_author =
        bytes(store, store.by_author(MemberKey::from_bytes([2; 32]), epoch(), Seq::new(4)..=Seq::new(u64::MAX)));
    let expected: Vec<_> = records.iter().filter(|record| record[0] == 2 && record[1] >= 4).cloned().collect();
    assert_eq!(by_author, expected);
    let by_kind = bytes(store, store.by_term(TermKind::BodyKind, &[4]..=&[4]));
    let expected: Vec<_> = records.iter().filter(|record| record[0] != 0 && record[2] == 4).cloned().collect();
    assert_eq!(by_kind, expected);
    assert_eq!(bytes(store, store.by_term(TermKind::Incident, &[4]..=&[4])), Vec::<Vec<u8>>::new());
}

/// Both sides of a fork are found under their common seq.
#[test]
fn forks_share_a_key() {
    let directory = tempfile::tempdir().unwrap();
    let mut journal = Journal::open(MemoryStorage::new(), JOURNAL).unwrap();
    let sides = [record(1, 7, 1), record(1, 7, 2)];
    append_all(&mut journal, &sides);
    journal.sync().unwrap();
    let index = open(directory.path(), &journal);
    index.catch_up().unwrap();
    let store = index.store();
    let found = store.by_author(MemberKey::from_bytes([1; 32]), epoch(), Seq::new(7)..=Seq::new(7));
    assert_eq!(bytes(store, found), sides);
}

/// Nothing is indexed that a power cut could still take, and the lag is told.
#[test]
fn follows_only_what_is_durable() {
    let directory = tempfile::tempdir().unwrap();
    let mut journal = Journal::open(MemoryStorage::new(), JOURNAL).unwrap();
    let index = open(directory.path(), &journal);
    journal.append(&record(1, 0, 0)).unwrap();
    index.catch_up().unwrap();
    assert_eq!(index.store().records().unwrap(), 0);
    journal.sync().unwrap();
    let lag = index.lag();
    assert_eq!((lag.records, lag.failure), (1, None));
    index.catch_up().unwrap();
    let lag = index.lag();
    assert_eq!((lag.records, lag.indexed), (0, lag.durable));
    assert_eq!(index.store().records().unwrap(), 1);
}

/// The timer alone makes it follow.
#[test]
fn follows_on_its_timer() {
    let directory = tempfile::tempdir().unwrap();
    let (journal, records) = filled(&MemoryStorage::new());
    let options = IndexOptions { interval: Duration::from_millis(1), ..OPTIONS };
    let (seen, wait) = std::sync::mpsc::channel();
    let indexer = move |record: &[u8]| {
        // The test may have ended.
        let _ = seen.send(record.to_vec());
        keys(record)
    };
    let _index = LogIndex::open(directory.path(), &journal, indexer, options).unwrap();
    let indexed: Vec<_> = records.iter().map(|_| wait.recv().unwrap()).collect();
    assert_eq!(indexed, records);
}

/// A shutdown indexes everything; the next start takes it up without building anew.
#[test]
fn shutdown_drains() {
    let directory = tempfile::tempdir().unwrap();
    let (mut journal, records) = filled(&MemoryStorage::new());
    let index = open(directory.path(), &journal);
    assert!(!index.rebuilt(), "there was nothing to doubt");
    index.shutdown().unwrap();
    let index = open(directory.path(), &journal);
    assert!(!index.rebuilt());
    assert_eq!(all(index.store()), records);
    journal.append(&record(1, 99, 1)).unwrap();
    journal.sync().unwrap();
    index.catch_up().unwrap();
    assert_eq!(index.store().records().unwrap(), 41);
}

/// Whatever cannot be a prefix of the journal is built anew: another journal's index, one that stopped with an error, or on
/// request.
#[test]
fn doubt_rebuilds() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    let (journal, records) = filled(&MemoryStorage::new());
    let rebuilds = |journal: &Journal<MemoryStorage>, expected: bool, why: &str| {
        let index = open(path, journal);
        assert_eq!(index.rebuilt(), expected, "{why}");
        index.catch_up().unwrap();
        let held: Vec<_> = journal.replay().unwrap().map(|record| record.unwrap().bytes.to_vec()).collect();
        assert_eq!(all(index.store()), held, "{why}");
        index.shutdown().unwrap();
    };
    rebuilds(&journal, false, "none there");
    let mut other = Journal::open(MemoryStorage::new(), JOURNAL).unwrap();
    append_all(&mut other, &(0..60).map(|number| record(7, number, 1)).collect::<Vec<_>>());
    other.sync().unwrap();
    rebuilds(&other, true, "another journal");
    rebuilds(&other, false, "the same journal");
    rebuilds(&journal, true, "ahead of the journal");
    super::place::mark_doubt(path).unwrap();
    rebuilds(&journal, true, "it stopped with an error");
    let index = LogIndex::open(path, &journal, keys, IndexOptions { rebuild: true, ..OPTIONS }).unwrap();
    assert!(index.rebuilt());
    index.catch_up().unwrap();
    assert_eq!(all(index.store()), records);
}

/// Acknowledged records at the journal's end that are gone, however much, are told by the only one who knows: it is not thrown away for it,
/// unless that is asked for. Noted in the log the loss is counted, and all goes on.
#[test]
fn a_lost_tail_is_told() {
    let storage = MemoryStorage::new();
    let (journal, _) = filled(&storage);
    let positions: Vec<_> = journal.replay().unwrap().map(|record| record.unwrap().position).collect();
    let last = positions[39].segment();
    drop(journal);
    let files = storage.files();
    for gone in [1, 2, positions.iter().filter(|at| at.segment() == last).count()] {
        let from = positions[40 - gone].offset() as usize;
        let mut files = files.clone();
        files.get_mut(&segment::name(last)).unwrap()[from..].fill(0);
        let directory = tempfile::tempdir().unwrap();
        let (whole, _) = filled(&MemoryStorage::new());
        open(directory.path(), &whole).shutdown().unwrap();
        let storage = MemoryStorage::with_files(files);
        let journal = Journal::open(storage.clone(), JOURNAL).unwrap();
        for _ in 0..2 {
            let error = LogIndex::open(directory.path(), &journal, keys, OPTIONS).unwrap_err();
            let JournalError::TailLost { segment, offset, records } = &error else { panic!("{error}") };
            assert_eq!((segment, *offset, *records), (&segment::name(last), from as u64, gone as u64));
            assert!(error.to_string().contains("watchfire log repair"), "{error}");
            assert_eq!(lost_tail(directory.path(), &journal).unwrap(), gone as u64);
        }
        drop(journal);
        let noted = note_lost_tail(&storage, gone as u64).unwrap().unwrap();
        distrust(directory.path()).unwrap();
        assert_eq!((noted.kept + noted.lost, noted.set_aside.is_some()), (noted.kept + gone as u64, true));
        let mut journal = Journal::open(storage.clone(), JOURNAL).unwrap();
        assert_eq!((journal.records(), journal.recovery().lost), (40, gone as u64));
        journal.append(&record(1, 200, 1)).unwrap();
        journal.sync().unwrap();
        let index = open(directory.path(), &journal);
        index.catch_up().unwrap();
        assert_eq!((index.store().records().unwrap(), index.lag().records), (41 - gone as u64, 0));
        assert!(verify_log(&storage, None, |_| Ok(())).unwrap().is_sound());
        index.shutdown().unwrap();
        drop(Journal::open(storage, JOURNAL).map(|journal| open(directory.path(), &journal)).unwrap());
    }
    let directory = tempfile::tempdir().unwrap();
    let (whole, _) = filled(&MemoryStorage::new());
    open(directory.path(), &whole).shutdown().unwrap();
    let empty = Journal::open(MemoryStorage::new(), JOURNAL).unwrap();
    assert_eq!(lost_tail(directory.path(), &empty).unwrap(), 40, "all of it");
    let index = LogIndex::open(directory.path(), &empty, keys, IndexOptions { rebuild: true, ..OPTIONS }).unwrap();
    assert!(index.rebuilt(), "asked for");
}

/// However far the index has come, no power cut leaves a journal that it is ahead of: also where a segment was begun and has no commit yet.
#[test]
fn no_crash_is_a_lost_tail() {
    let storage = FaultyStorage::new();
    storage.set_background(BackgroundMode::Driven);
    storage.record();
    let directory = tempfile::tempdir().unwrap();
    let mut journal = Journal::open(storage.clone(), JOURNAL).unwrap();
    let index = LogIndex::open(directory.path(), &journal, keys, OPTIONS).unwrap();
    let mut states = 0;
    for number in 0..40 {
        journal.append(&record(1, number, 1)).unwrap();
        if number % 3 == 2 {
            index.catch_up().unwrap();
        }
        // What is recorded here stood before this sync.
        journal.sync().unwrap();
        let mut disks = storage.recorded();
        if number % 3 != 0 {
            index.catch_up().unwrap();
            disks = vec![storage.clone()];
        }
        journal.tend().unwrap();
        while journal.drive() {}
        for disk in &disks {
            for names in 0..=disk.pending_names() {
                for whole in [false, true] {
                    let sectors = vec![whole; disk.pending_sectors()];
                    let left = disk.crash(&CrashState::Chosen { sectors, names });
                    if !left.files().contains_key(&segment::name(0)) {
                        continue;
                    }
                    let again = Journal::open(left.clone(), JOURNAL).unwrap();
                    let held = again.records();
                    let standing = index.store().against(&left, again.durable(), held).unwrap();
                    assert!(!matches!(standing, Standing::Ahead { .. }), "commit {number}: {standing:?}");
                    states += 1;
                }
            }
        }
    }
    assert!(journal.end().segment() > 2 && states > 60, "{states}");
}

/// An index that a process holds is refused by name and left as it is.
#[test]
fn an_index_in_use_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let (journal, _) = filled(&MemoryStorage::new());
    let index = open(directory.path(), &journal);
    for rebuild in [false, true] {
        let options = IndexOptions { rebuild, lookers: Duration::ZERO, ..OPTIONS };
        let error = LogIndex::open(directory.path(), &journal, keys, options).unwrap_err();
        assert!(matches!(error, JournalError::InUse { .. }), "{error}");
    }
    index.catch_up().unwrap();
    assert_eq!(index.store().records().unwrap(), 40);
}

/// Whoever only looks keeps no node from starting, however long it looks.
#[test]
fn who_looks_is_waited_for() {
    let directory = tempfile::tempdir().unwrap();
    let storage = MemoryStorage::new();
    let (journal, _) = filled(&storage);
    open(directory.path(), &journal).shutdown().unwrap();
    let looker = IndexStore::open(directory.path(), &storage, OPTIONS).unwrap();
    std::thread::scope(|scope| {
        scope.spawn(move || assert_eq!(looker.records().unwrap(), 40));
        assert_eq!(open(directory.path(), &journal).store().records().unwrap(), 40);
    });
}

/// Damage in the journal stops the index, is told, and is looked at anew by the next start.
#[test]
fn a_damaged_journal_stops_the_index() {
    let directory = tempfile::tempdir().unwrap();
    let storage = MemoryStorage::new();
    let (journal, _) = filled(&storage);
    let index = open(directory.path(), &journal);
    let (name, mut bytes) = storage.files().pop_first().unwrap();
    let sound = bytes.clone();
    bytes[100] ^= 1;
    storage.put(&name, bytes);
    assert!(matches!(index.catch_up(), Err(JournalError::IndexStopped { .. })));
    assert!(index.lag().failure.unwrap().contains(&name));
    assert!(index.lag().in_journal, "it is not the index that is broken");
    assert!(matches!(index.shutdown(), Err(JournalError::IndexStopped { .. })));
    storage.put(&name, sound);
    let index = open(directory.path(), &journal);
    assert!(index.rebuilt());
    index.catch_up().unwrap();
}

/// Whatever happens to the index's files, what it then holds is what the journal holds.
#[test]
fn damaged_files_are_replaced() {
    let (journal, records) = filled(&MemoryStorage::new());
    for (name, from, to) in
        [("db", 0, 400), ("db", 600, 3000), ("db", 0, usize::MAX), ("conf", 0, 4), ("db", 4000, 9000)]
    {
        let directory = tempfile::tempdir().unwrap();
        open(directory.path(), &journal).shutdown().unwrap();
        let file = directory.path().join("store-0").join(name);
        let mut bytes = std::fs::read(&file).unwrap();
        let to = to.min(bytes.len());
        bytes[from..to].fill(0xEE);
        std::fs::write(&file, bytes).unwrap();
        let index = open(directory.path(), &journal);
        index.catch_up().unwrap();
        assert_eq!(bytes_of(&index), records, "{name} {from}..{to}");
    }
}

fn bytes_of(index: &LogIndex) -> Vec<Vec<u8>> {
    all(index.store())
}

/// Numbers as they are indexed, spread so that buckets fill, end and are skipped.
fn numbered(record: &[u8]) -> Option<RecordKeys> {
    let number = u64::from_be_bytes(*record.first_chunk()?);
    let term = |kind, value: Vec<u8>| Term { kind, value };
    Some(RecordKeys {
        author: MemberKey::from_bytes([u8::try_from(number % 3).unwrap(); 32]),
        epoch: epoch(),
        seq: Seq::new(number / 3),
        terms: vec![
            term(TermKind::Time, (1_000_000 + number * 9_000).to_be_bytes().to_vec()),
            term(TermKind::Block, [1u64.to_be_bytes(), (number * 7).to_be_bytes()].concat()),
            term(TermKind::BodyKind, [&b"vote"[..], b"note"][usize::from(number.is_multiple_of(5))].to_vec()),
            term(TermKind::Incident, vec![u8::try_from(number % 4).unwrap(); 32]),
        ],
    })
}

/// Every question answers what looking at every record answers, whatever batches the index was filled in; its memory and disk
/// are a few bytes a record.
#[test]
fn questions() {
    let directory = tempfile::tempdir().unwrap();
    let mut journal = Journal::open(MemoryStorage::new(), JournalOptions::default()).unwrap();
    let index = LogIndex::open(directory.path(), &journal, numbered, OPTIONS).unwrap();
    let mut records = Vec::new();
    for (number, batch) in (0u64..1_500).zip([1, 2, 700, 40].into_iter().cycle()) {
        let mut record = vec![7; 30];
        record[..8].copy_from_slice(&number.to_be_bytes());
        journal.append(&record).unwrap();
        records.push(record);
        if number % batch == 0 {
            journal.sync().unwrap();
            index.catch_up().unwrap();
        }
    }
    journal.sync().unwrap();
    index.catch_up().unwrap();
    assert_eq!(all(index.store()), records);
    let indexed: Vec<_> =
        index.store().positions().unwrap().into_iter().map(|at| index.store().at(at).unwrap()).collect();
    let time = |number: u64| Timestamp::from_millis(1_000_000 + number * 9_000);
    let any = Query::new(usize::MAX);
    let author = Some(MemberKey::from_bytes([2; 32]));
    let queries = [
        any.clone(),
        Query { limit: 7, ..any.clone() },
        Query { author, ..any.clone() },
        Query { author, epoch: Some(epoch()), seqs: Some((Seq::new(200), Seq::new(300))), ..any.clone() },
        Query { author, epoch: Some(Epoch::from_bytes([9; 16])), ..any.clone() },
        Query { times: Some((time(10), time(900))), ..any.clone() },
        Query { times: Some((time(10), time(900))), kind: Some(b"note".to_vec()), ..any.clone() },
        Query { blocks: Some((1, 500, 4_000)), author, ..any.clone() },
        Query { blocks: Some((2, 500, 4_000)), ..any.clone() },
        Query { kind: Some(b"note".to_vec()), ..any.clone() },
        Query { incident: Some(vec![3; 32]), limit: 20, ..any.clone() },
        Query { author, kind: Some(b"note".to_vec()), ..any.clone() },
        Query { times: Some((time(0), time(1_000_000))), limit: 50, ..any.clone() },
        Query { times: Some((time(0), time(1_000_000))), kind: Some(b"vote".to_vec()), limit: 50, ..any },
    ];
    let places = [0, 702, 1_499].map(|number: usize| index.store().positions().unwrap()[number]);
    let pages = places.iter().flat_map(|place| [Page::After(*place), Page::Before(*place)]);
    let pages: Vec<_> = pages.chain([Page::After(Position::START), Page::Before(Position::END)]).collect();
    for (query, page) in queries.iter().flat_map(|query| pages.iter().map(move |page| (query, *page))) {
        let found: Vec<_> = index.store().query(query, page, &numbered).unwrap().into_iter().collect();
        let there =
            |record: &&IndexedRecord| page.holds(record.position) && query.takes(&numbered(&record.bytes).unwrap());
        let mut expected: Vec<_> = indexed.iter().filter(there).cloned().collect();
        match page {
            Page::After(_) => expected.truncate(query.limit),
            Page::Before(_) => drop(expected.drain(..expected.len().saturating_sub(query.limit))),
        }
        assert_eq!(found, expected, "{query:?} {page:?}");
        candidates_in_small_parts(index.store(), query, page, &expected);
    }
}

/// However few places are named at a time, the same is found, and no place is named twice.
fn candidates_in_small_parts(store: &IndexStore, query: &Query, page: Page, expected: &[IndexedRecord]) {
    let mut named = BTreeSet::new();
    let part = |page: Page| {
        let part = store.candidates(query, page, 311)?;
        assert!(part.len() <= 311);
        assert!(part.iter().all(|position| page.holds(*position) && named.insert(*position)), "{query:?} {page:?}");
        Ok::<_, JournalError>(part)
    };
    assert_eq!(query.select(page, &numbered, part, |position| store.at(position)).unwrap(), expected);
}
