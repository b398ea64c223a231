//! Sixty-four tasks that each wait for their event to be durable, against 64 times raw commits of one event each.
//!
//! The tasks meet the log as in the node: through the bounded queue of the one loop that owns it, which takes everything that
//! waits at its door into one commit; how far the log is durable is then told to all.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, watch};
use watchfire_journal::{IndexOptions, Journal, JournalOptions, LogIndex};
use watchfire_types::Bytes;

use crate::indexing::index_keys;
use crate::log::{Counted, Raw, Votes};
use crate::report::{Bound, Report};

const FLOOR: f64 = 0.60;
const P99_MOST: f64 = 3.0;
const TASKS: usize = 64;
/// Events of each task in one round.
const EACH: usize = 150;
/// Raw commits of one round.
const RAW: usize = 1_200;

/// Throughput and 99th percentile of the time that one event takes, round by round.
pub(crate) fn measure(rounds: u32) -> Vec<Report> {
    let (throughput, p99): (Vec<f64>, Vec<f64>) = (0..rounds).map(|_| round()).unzip();
    vec![
        Report::new("concurrent-append", format!("{TASKS} tasks, events/s"), throughput, Bound::Least(FLOOR)),
        Report::new("concurrent-append", format!("{TASKS} tasks, p99"), p99, Bound::Most(P99_MOST)),
    ]
}

fn round() -> (f64, f64) {
    let directory = tempfile::tempdir().expect("a directory");
    let records: Vec<Bytes> = Votes::of(1).take(TASKS * EACH).collect();
    let mut raw = Raw::new(&directory.path().join("raw"), 4 << 20);
    let raw_first = commits(&mut raw, &records[..RAW / 2]);
    let storage = Counted::new(&directory.path().join("journal"));
    let mut journal = Journal::open(storage, JournalOptions::default()).expect("a journal");
    journal.prepare().expect("room");
    let index = LogIndex::open(&directory.path().join("sled"), &journal, index_keys, IndexOptions::default())
        .expect("an index");
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let clock = Instant::now();
    let mut took = runtime.block_on(together(journal, &records));
    let own_s = clock.elapsed().as_secs_f64();
    index.shutdown().expect("it follows");
    let mut raw_took = commits(&mut raw, &records[RAW / 2..RAW]);
    raw_took.extend(raw_first);
    let raw_s: f64 = raw_took.iter().map(Duration::as_secs_f64).sum();
    let (raw_rate, own_rate) = (RAW as f64 / raw_s, records.len() as f64 / own_s);
    (own_rate / (TASKS as f64 * raw_rate), p99(&mut took) / p99(&mut raw_took))
}

fn commits(raw: &mut Raw, records: &[Bytes]) -> Vec<Duration> {
    let commit = |record: &Bytes| {
        let clock = Instant::now();
        raw.commit(record);
        clock.elapsed()
    };
    records.iter().map(commit).collect()
}

async fn together(mut journal: Journal<Counted>, records: &[Bytes]) -> Vec<Duration> {
    let (door, mut waiting) = mpsc::channel::<Bytes>(TASKS);
    let (tell, durable) = watch::channel(0u64);
    let records: Arc<[Bytes]> = records.into();
    // The queue keeps its order, so that a task knows its event's number by counting what went in.
    let sent = Arc::new(AtomicU64::new(0));
    let tasks: Vec<_> = (0..TASKS)
        .map(|task| {
            let (door, mut durable) = (door.clone(), durable.clone());
            let (records, sent) = (Arc::clone(&records), Arc::clone(&sent));
            tokio::spawn(async move {
                let mut took = Vec::with_capacity(EACH);
                for record in &records[task * EACH..(task + 1) * EACH] {
                    let clock = Instant::now();
                    let place = door.reserve().await.expect("the loop runs");
                    let number = sent.fetch_add(1, Ordering::Relaxed) + 1;
                    place.send(record.clone());
                    durable.wait_for(|through| *through >= number).await.expect("the loop runs");
                    took.push(clock.elapsed());
                }
                took
            })
        })
        .collect();
    drop((door, durable));
    let mut taken = Vec::with_capacity(TASKS);
    while waiting.recv_many(&mut taken, TASKS).await > 0 {
        for record in taken.drain(..) {
            journal.append(&record).expect("room");
        }
        let durable = journal.sync().expect("a sound disk");
        tell.send_replace(durable.records());
    }
    let mut took = Vec::new();
    for task in tasks {
        took.extend(task.await.expect("a task"));
    }
    took
}

fn p99(took: &mut [Duration]) -> f64 {
    took.sort_unstable();
    took[took.len() * 99 / 100].as_secs_f64()
}
