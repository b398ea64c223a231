//! Acknowledged events per second against raw writes of the same bytes to a file of zeros, each followed by fdatasync. Both begin at rest,
//! with zeros ahead.

use std::time::Instant;

use watchfire_journal::{IndexOptions, Journal, JournalOptions, LogIndex};
use watchfire_types::Bytes;

use crate::indexing::index_keys;
use crate::log::{Counted, Raw, Votes};
use crate::report::{Bound, Report};

const FLOOR: f64 = 0.80;
/// Events of one commit, and commits of one slice: about a tenth of a second each.
const SETTINGS: [(usize, usize); 4] = [(1, 512), (16, 384), (64, 256), (256, 128)];
/// Slices of each side in one round.
const SLICES: usize = 3;

/// All settings, one round of each in turn. The index follows on its timer while the log's slices run; what it has left is
/// waited for between the slices, where nobody's time is taken, so that it disturbs no raw slice.
pub(crate) fn measure(rounds: u32) -> Vec<Report> {
    let mut ratios: Vec<Vec<f64>> = vec![Vec::new(); SETTINGS.len()];
    for _ in 0..rounds {
        for (index, (batch, commits)) in SETTINGS.iter().enumerate() {
            ratios[index].push(round(*batch, *commits));
        }
    }
    let report = |((batch, _), ratios): (&(usize, usize), Vec<f64>)| {
        Report::new("durable-append", format!("batch {batch}, sled following"), ratios, Bound::Least(FLOOR))
    };
    SETTINGS.iter().zip(ratios).map(report).collect()
}

fn round(batch: usize, commits: usize) -> f64 {
    let directory = tempfile::tempdir().expect("a directory");
    let records: Vec<Bytes> = Votes::of(1).take(batch * commits).collect();
    let bytes: usize = records.iter().map(Bytes::len).sum();
    let storage = Counted::new(&directory.path().join("journal"));
    let mut journal = Journal::open(storage.clone(), JournalOptions::default()).expect("a journal");
    journal.prepare().expect("room");
    let index = LogIndex::open(&directory.path().join("sled"), &journal, index_keys, IndexOptions::default())
        .expect("an index");
    let mut raw = Raw::new(&directory.path().join("raw"), (SLICES * bytes + (1 << 20)) as u64);
    let (mut raw_s, mut own_s) = (0.0, 0.0);
    for _ in 0..SLICES {
        let clock = Instant::now();
        for commit in records.chunks(batch) {
            raw.commit(&commit.concat());
        }
        raw_s += clock.elapsed().as_secs_f64();
        let before = storage.syncs();
        let clock = Instant::now();
        for commit in records.chunks(batch) {
            for record in commit {
                journal.append(record).expect("room");
            }
            journal.sync().expect("a sound disk");
        }
        own_s += clock.elapsed().as_secs_f64();
        assert!(storage.syncs() - before >= commits as u64, "fewer fdatasyncs than commits");
        index.catch_up().expect("it follows");
    }
    raw_s / own_s
}
