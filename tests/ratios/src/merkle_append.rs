//! Tamper-evident append without a sync: framing with its checksum, and the tree, against the two hashes that no tree does without.

use std::hint::black_box;
use std::time::Instant;

use watchfire_journal::{Journal, JournalOptions, MemoryStorage};
use watchfire_transparency::Frontier;
use watchfire_types::{Bytes, sha256};

use crate::log::Votes;
use crate::report::{Bound, Report};

const LEAST: f64 = 0.50;
/// Events of a round.
const EVENTS: usize = 20_000;

/// Events a second appended to the log's buffer and the author's tree, in those of a bare loop over a leaf hash and a node hash each.
pub(crate) fn measure(rounds: u32) -> Report {
    let events: Vec<Bytes> = Votes::of(1).take(EVENTS).collect();
    let ratio = |_| {
        let bare = seconds(|| two_hashes(&events));
        let whole = seconds(|| append(&events));
        bare / whole
    };
    let rounds = (0..rounds).map(ratio).collect();
    Report::new("merkle-append", format!("{EVENTS} votes"), rounds, Bound::Least(LEAST))
}

fn append(events: &[Bytes]) {
    let mut journal = Journal::open(MemoryStorage::new(), JournalOptions::default()).expect("a journal");
    let mut tree = Frontier::new();
    for event in events {
        journal.append(event).expect("room");
        tree.push(event);
    }
    black_box(tree.root());
}

fn two_hashes(events: &[Bytes]) {
    let mut node = [0; 32];
    for event in events {
        let leaf = sha256(&[&[0], event]);
        node = sha256(&[&[1], &node, &leaf]);
    }
    black_box(node);
}

#[allow(clippy::disallowed_methods)]
fn seconds(work: impl FnOnce()) -> f64 {
    let start = Instant::now();
    work();
    start.elapsed().as_secs_f64()
}
