//! The main job as a new user starts it: `watchfire drill`, from its launch to its verdict, everything fetched and built.

use std::time::Instant;

use crate::node::node_command;
use crate::report::{Bound, Report};

const SECONDS_MOST: f64 = 60.0;

/// So many drills, one after another; one that does not pass ends the run.
pub(crate) fn measure(rounds: u32) -> Report {
    let took = (0..rounds).map(|_| {
        let clock = Instant::now();
        let output = node_command(&["drill", "--json"]).output().expect("a process");
        assert!(output.status.success(), "the drill: {}", String::from_utf8_lossy(&output.stderr));
        clock.elapsed().as_secs_f64()
    });
    Report::new("drill", "s from launch to verdict".to_owned(), took.collect(), Bound::Most(SECONDS_MOST))
}
