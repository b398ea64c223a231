//! Bytes on disk per byte of events: of the journal alone, and with the index.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use watchfire_journal::{FileStorage, IndexOptions, Journal, JournalOptions, LogIndex};
use watchfire_types::Bytes;

use crate::indexing::index_keys;
use crate::log::Votes;
use crate::report::{Bound, Report};

const JOURNAL_MOST: f64 = 1.5;
const ALL_MOST: f64 = 3.0;
/// Events of the one round: the sizes are the same in every one.
const EVENTS: usize = 400_000;

/// Sizes after a shutdown, the room prepared ahead included, as blocks on the disk. A tree of the log is kept in no file of its
/// own: it is folded from the journal.
pub(crate) fn measure() -> Vec<Report> {
    let directory = tempfile::tempdir().expect("a directory");
    let (journal, sled) = (directory.path().join("journal"), directory.path().join("sled"));
    let payload = fill(&journal, &sled) as f64;
    let (log, index) = (blocks(&journal) as f64, blocks(&sled) as f64);
    let setting = |what: &str| format!("{what}, {EVENTS} events");
    vec![
        Report::new("disk-bytes", setting("journal"), vec![log / payload], Bound::Most(JOURNAL_MOST)),
        Report::new("disk-bytes", setting("with indexes"), vec![(log + index) / payload], Bound::Most(ALL_MOST)),
    ]
}

fn fill(journal: &Path, sled: &Path) -> usize {
    let storage = FileStorage::open(journal).expect("a journal");
    let mut journal = Journal::open(storage, JournalOptions::default()).expect("a journal");
    let index = LogIndex::open(sled, &journal, index_keys, IndexOptions::default()).expect("an index");
    let mut payload = 0;
    let mut events = Votes::of(1);
    for _ in 0..EVENTS / 100 {
        let commit: Vec<Bytes> = events.by_ref().take(100).collect();
        for event in &commit {
            payload += event.len();
            journal.append(event).expect("room");
        }
        journal.sync().expect("a sound disk");
    }
    index.shutdown().expect("it follows");
    payload
}

/// Blocks of all files under a directory, in bytes.
fn blocks(directory: &Path) -> u64 {
    let entries = std::fs::read_dir(directory).expect("a directory");
    let size = |entry: std::io::Result<std::fs::DirEntry>| {
        let entry = entry.expect("an entry");
        let metadata = entry.metadata().expect("metadata");
        if metadata.is_dir() { blocks(&entry.path()) } else { metadata.blocks() * 512 }
    };
    entries.map(size).sum()
}
