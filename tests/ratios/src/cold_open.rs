//! Opening a log of a million events, its hash chains checked, against reading and hashing its files.

use std::path::Path;
use std::time::Instant;

use watchfire_journal::{ChainLink, FileStorage, HashChains, Journal, JournalOptions};
use watchfire_types::sha256;
use watchfire_wire::decode_signed;

use crate::log::Votes;
use crate::report::{Bound, Report};

const MOST: f64 = 3.0;
const EVENTS: usize = 1_000_000;
/// Authors whose chains take turns in the log.
const AUTHORS: u8 = 5;

/// All rounds, over one log.
pub(crate) fn measure(rounds: u32) -> Report {
    let directory = tempfile::tempdir().expect("a directory");
    fill(directory.path());
    // Once each, so that the first round finds the files in memory as the later ones do.
    hashed(directory.path());
    let ratios = (0..rounds).map(|_| {
        let before_s = hashed(directory.path());
        let opened_s = opened(directory.path());
        opened_s / f64::midpoint(before_s, hashed(directory.path()))
    });
    let setting = format!("{EVENTS} events, {AUTHORS} authors");
    Report::new("cold-open", setting, ratios.collect(), Bound::Most(MOST))
}

fn fill(directory: &Path) {
    let storage = FileStorage::open(directory).expect("a journal");
    let mut journal = Journal::open(storage, JournalOptions::default()).expect("a journal");
    let mut chains: Vec<Votes> = (1..=AUTHORS).map(Votes::of).collect();
    for number in 0..EVENTS {
        let author = number % chains.len();
        journal.append(&chains[author].next().expect("endless")).expect("room");
        if number % 256 == 255 {
            journal.sync().expect("a sound disk");
        }
    }
    journal.sync().expect("a sound disk");
}

/// Seconds to read every file and hash it.
fn hashed(directory: &Path) -> f64 {
    let clock = Instant::now();
    for entry in std::fs::read_dir(directory).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.extension().is_some_and(|extension| extension == "log") {
            let bytes = std::fs::read(path).expect("a file");
            std::hint::black_box(sha256(&[&bytes]));
        }
    }
    clock.elapsed().as_secs_f64()
}

/// Seconds to open the journal, and to check that each author's every event names the one before it.
fn opened(directory: &Path) -> f64 {
    let clock = Instant::now();
    let storage = FileStorage::open(directory).expect("a journal");
    let journal = Journal::open(storage, JournalOptions::default()).expect("a journal");
    let mut chains = HashChains::new();
    for record in journal.replay().expect("a journal") {
        let bytes = record.expect("sound").bytes;
        let signed = decode_signed(bytes).expect("an event");
        let (head, hash) = (signed.event(), signed.hash());
        chains.push(ChainLink { author: head.author, epoch: head.epoch, seq: head.seq, prev: head.prev, hash });
    }
    assert_eq!(journal.records(), EVENTS as u64);
    assert_eq!(chains.faults(), [], "every chain holds");
    clock.elapsed().as_secs_f64()
}
