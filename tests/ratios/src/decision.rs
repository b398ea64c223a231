//! From the k-th finding to the threshold-signed transaction everywhere, in one-way delays.

use std::collections::{BTreeMap, BTreeSet};

use watchfire_journal::FileStorage;

use crate::report::{Bound, Report};
use crate::world::World;

const FLOOR: f64 = 2.3;
const DELAYS_MS: [u64; 3] = [20, 50, 100];
/// Findings come this long after one another, µs.
const APART_US: u64 = 2_000;
/// Organisations that must agree, and signatures that the Safe wants.
const THRESHOLD: usize = 3;

/// All settings, one round of each in turn.
pub(crate) fn measure(rounds: u32) -> Vec<Report> {
    let settings = DELAYS_MS.iter().flat_map(|delay| [(*delay, 0), (*delay, 5 - THRESHOLD)]);
    let settings: Vec<(u64, usize)> = settings.collect();
    let mut measured: BTreeMap<(u64, usize), Vec<f64>> = BTreeMap::new();
    for _ in 0..rounds {
        for (delay_ms, silent) in &settings {
            measured.entry((*delay_ms, *silent)).or_default().push(round(*delay_ms, *silent));
        }
    }
    let report = |((delay_ms, silent), rounds)| {
        Report::new("decision", format!("d={delay_ms}ms silent={silent}"), rounds, Bound::Most(FLOOR))
    };
    measured.into_iter().map(report).collect()
}

fn round(delay_ms: u64, silent: usize) -> f64 {
    let directories: Vec<_> = (0..5).map(|_| tempfile::tempdir().expect("a directory")).collect();
    let storages =
        directories.iter().map(|directory| FileStorage::open(directory.path()).expect("a journal")).collect();
    let delay_us = delay_ms * 1_000;
    let mut world = World::new(storages, delay_us, true);
    world.mine(&[], &[]);
    world.silent = (5 - silent..5).collect();
    world.chain.mine(&[]);
    world.now_us += 1_000_000;
    let begins_us = world.now_us;
    let awake: BTreeSet<usize> = (0..5 - silent).collect();
    for (index, at_us) in awake.iter().zip((begins_us..).step_by(usize::try_from(APART_US).expect("small"))) {
        world.show(at_us, *index, &["vault-outflow"]);
    }
    let kth_us = begins_us + (THRESHOLD as u64 - 1) * APART_US;
    let mut waiting = awake;
    let mut done_us = None;
    world.run(begins_us + 5_000_000, |world, index, at_us| {
        if waiting.contains(&index) && world.signatures(index) >= THRESHOLD {
            waiting.remove(&index);
        }
        if waiting.is_empty() {
            done_us = Some(at_us);
        }
        waiting.is_empty()
    });
    let done_us = done_us.expect("every node holds the threshold-signed transaction");
    (done_us - kth_us) as f64 / delay_us as f64
}
