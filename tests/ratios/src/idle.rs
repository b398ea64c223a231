//! What a node costs that has nothing to do: a real process of it, over a quiet real chain with a block every second, its four partners
//! down. Memory is the most that was resident in any second; processor time is the whole window's.

use std::process::Command;
use std::time::{Duration, Instant};

use crate::node::{Node, RULES, directories, runtime, ticking};
use crate::report::{Bound, Report};

const RESIDENT_MIB_MOST: f64 = 100.0;
const CORE_PERCENT_MOST: f64 = 2.0;
/// Between ready and the window: the first simulations and looks are no idling.
const SETTLING: Duration = Duration::from_secs(5);

/// One window of so many seconds.
pub(crate) fn measure(seconds: u64) -> [Report; 2] {
    let runtime = runtime();
    let (_anvil, _, address) = runtime.block_on(ticking());
    let base = tempfile::tempdir().expect("a directory");
    let config = directories(base.path(), &address, RULES);
    let node = Node::start(&config);
    std::thread::sleep(SETTLING);
    let (mut most_kib, before, clock) = (0, node.ticks(), Instant::now());
    for second in 1..=seconds {
        std::thread::sleep(Duration::from_secs(second).saturating_sub(clock.elapsed()));
        most_kib = node.resident_kib().max(most_kib);
    }
    let core = (node.ticks() - before) as f64 / ticks_per_second() / clock.elapsed().as_secs_f64();
    let memory = vec![most_kib as f64 / 1024.0];
    [
        Report::new("idle", format!("resident MiB, most in {seconds} s"), memory, Bound::Most(RESIDENT_MIB_MOST)),
        Report::new(
            "idle",
            format!("% of a core over {seconds} s"),
            vec![100.0 * core],
            Bound::Most(CORE_PERCENT_MOST),
        ),
    ]
}

fn ticks_per_second() -> f64 {
    let output = Command::new("getconf").arg("CLK_TCK").output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    // Every Linux since 2.6 says 100.
    text.trim().parse().unwrap_or(100.0)
}
