//! Acknowledged events per second against raw writes of the same bytes to a file of zeros, each followed by fdatasync. Both have zeros ahead all
//! the while: the log is given time for its own after each burst, which nobody's clock counts. What goes on for longer writes its zeros too.

use std::time::{Duration, Instant};

use watchfire_journal::{IndexOptions, Journal, JournalOptions, LogIndex};
use watchfire_types::Bytes;

use crate::indexing::index_keys;
use crate::log::{Counted, Raw, Votes};
use crate::report::{Bound, Report};

const FLOOR: f64 = 0.80;
/// Events of one commit.
const SETTINGS: [usize; 4] = [1, 16, 64, 256];
/// How long the log is written to in one round: more than twice as long as the index waits between looking for what is new, so that it works
/// meanwhile as it does beside a node.
const SLICE: Duration = Duration::from_millis(600);
/// Events at hand; with these a slice may end earlier.
const EVENTS: usize = 400_000;
/// Bytes of a burst: half of what the least zeros ahead of a log at rest take.
const BURST: usize = 8 << 20;

/// All settings, one round of each in turn. What the index has left when a slice ends is waited for before the raw one, where nobody's time is taken.
pub(crate) fn measure(rounds: u32) -> Vec<Report> {
    let records: Vec<Bytes> = Votes::of(1).take(EVENTS).collect();
    let mut ratios: Vec<Vec<f64>> = vec![Vec::new(); SETTINGS.len()];
    for _ in 0..rounds {
        for (ratios, batch) in ratios.iter_mut().zip(SETTINGS) {
            ratios.push(round(batch, &records));
        }
    }
    let report = |(batch, ratios): (usize, Vec<f64>)| {
        Report::new("durable-append", format!("batch {batch}, sled following"), ratios, Bound::Least(FLOOR))
    };
    SETTINGS.into_iter().zip(ratios).map(report).collect()
}

fn round(batch: usize, records: &[Bytes]) -> f64 {
    let directory = tempfile::tempdir().expect("a directory");
    let storage = Counted::new(&directory.path().join("journal"));
    let mut journal = Journal::open(storage.clone(), JournalOptions::default()).expect("a journal");
    journal.prepare().expect("room");
    let index = LogIndex::open(&directory.path().join("sled"), &journal, index_keys, IndexOptions::default())
        .expect("an index");
    let before = storage.syncs();
    let (mut own, mut commits, mut left) = (Duration::ZERO, 0, records.chunks(batch).peekable());
    while own < SLICE && left.peek().is_some() {
        let (clock, mut bytes) = (Instant::now(), 0);
        while let Some(commit) = left.next_if(|_| bytes < BURST && own + clock.elapsed() < SLICE) {
            for record in commit {
                journal.append(record).expect("room");
                bytes += record.len();
            }
            journal.sync().expect("a sound disk");
            commits += 1;
        }
        own += clock.elapsed();
        journal.prepare().expect("room");
    }
    assert!(storage.syncs() - before >= commits as u64, "fewer fdatasyncs than commits");
    index.catch_up().expect("it follows");
    let written = || records.chunks(batch).take(commits);
    let bytes: usize = written().flatten().map(Bytes::len).sum();
    let mut raw = Raw::new(&directory.path().join("raw"), (bytes + (1 << 20)) as u64);
    let clock = Instant::now();
    written().for_each(|commit| raw.commit(&commit.concat()));
    clock.elapsed().as_secs_f64() / own.as_secs_f64()
}
