//! The simulator on itself: determinism, and that the library's scenarios hold.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::{SimulateOptions, simulate};

fn options(names: &[&str], seeds: std::ops::Range<u64>, jobs: usize) -> SimulateOptions {
    SimulateOptions { scenarios: names.iter().map(|name| (*name).to_owned()).collect(), seeds, jobs, faults: None }
}

/// The main job holds.
#[test]
fn a_drain_is_contained() {
    let reports = simulate(&options(&["vault-drain"], 0..4, 2), |report| println!("{}", report.summary())).unwrap();
    assert!(reports.iter().all(|report| report.failed == 0), "{}", reports[0].summary());
}
