//! The simulator's own pace, and what it says of large networks: scenarios written here, played by `watchfire_simulations` on one thread.

use std::collections::BinaryHeap;
use std::io::Write;
use std::time::Instant;

use watchfire_simulations::simulate::{ScenarioReport, SimulateOptions, simulate};

use crate::report::{Bound, Report};

/// One-way delay of every link, ms.
const DELAY_MS: u64 = 50;
/// Simulated seconds per wall second at [`PACE_NODES`] nodes.
const PACE: f64 = 700.0;
const PACE_NODES: u16 = 25;
/// Simulated seconds that follow an incident where an hour is played.
const AFTERWARDS_S: u64 = 3_450;
/// From block to block on mainnet, ms.
const MAINNET_MS: u64 = 12_000;
/// Steps of the simulator per step of a bare heap.
const STEPS: f64 = 0.10;
/// Entries of the bare heap, as many as a run of 25 nodes has on its agenda, and steps of one round of it.
const HEAP: (u64, u64) = (1_000, 1_000_000);
/// Networks of the decision, and bounds of each kind of trouble.
const DECISION_NODES: [u16; 4] = [5, 13, 25, 50];
const CLEAN: f64 = 2.3;
const EQUIVOCATORS: f64 = 2.5;
const BYZANTINE: f64 = 4.0;
/// Networks between which growth is measured, and the most that its exponent may be.
const GROWTH_NODES: (u16, u16) = (16, 64);
const GROWTH: f64 = 1.1;

/// A kind of trouble: its name, how many misbehave how, and what is held to.
type Trouble = (&'static str, Vec<(u16, &'static str)>, f64);

/// Who contains: half of the partners, at most five fewer than all.
fn threshold(guardians: u16) -> u16 {
    (guardians / 2 + 1).min(guardians - 2).max(2)
}

/// What is played: seconds after the end of an incident, and from block to block.
#[derive(Debug, Clone, Copy)]
struct Time {
    afterwards_s: u64,
    block_ms: u64,
}

impl Time {
    /// An incident on a chain with a block a second.
    const INCIDENT: Self = Self { afterwards_s: 0, block_ms: 1_000 };
}

/// A drain of one transaction a block over links without chance; the first so many members misbehave.
fn play(guardians: u16, misbehave: &[(u16, &str)], time: Time, seed: u64) -> ScenarioReport {
    let Time { afterwards_s, block_ms } = time;
    let contain = threshold(guardians);
    let mut text = format!(
        "name = \"ratio\"\ntitle = \"ratio\"\nruns = [\"simulate\"]\nseconds_max = {}\nguardians = {guardians}\n\
         [governance]\ncontain = {contain}\nsafe_threshold = {contain}\n[links]\ndelay_ms = [{DELAY_MS}, {DELAY_MS}]\n\
         [chain]\nblock_time_ms = {block_ms}\n[attack]\nkind = \"reentrancy\"\nafter = \"ready\"\ntransactions = 6\nwei = \"1000000000000000000\"\ntimes = 11\n\
         [expect]\npaused = true\n",
        150 + afterwards_s
    );
    if afterwards_s > 0 {
        let delay_ms = afterwards_s * 1_000;
        text.push_str(&format!("[[fault]]\nat = \"contained\"\ndelay_ms = {delay_ms}\nkind = \"heal-all\"\n"));
    }
    let mut next = 1;
    for (count, kind) in misbehave {
        for number in next..next + count {
            text.push_str(&format!("[[adversary]]\nmember = \"org-{number:02}-1\"\nkind = \"{kind}\"\n"));
        }
        next += count;
    }
    let mut file = tempfile::NamedTempFile::new().expect("a file");
    file.write_all(text.as_bytes()).expect("a scenario");
    let options = SimulateOptions {
        scenarios: vec![file.path().to_str().expect("a plain path").to_owned()],
        seeds: seed..seed + 1,
        jobs: 1,
        faults: None,
        charter: None,
    };
    let mut reports = simulate(&options, |_| {}).expect("the scenario is sound");
    let report = reports.pop().expect("one scenario");
    assert_eq!(report.failed, 0, "{}", report.summary());
    report
}

/// Simulated seconds per wall second, and steps per second against a bare heap, of the same runs.
pub(crate) fn pace(rounds: u32) -> Vec<Report> {
    let hour = Time { afterwards_s: AFTERWARDS_S, ..Time::INCIDENT };
    let settings = [
        ("a drain", Time::INCIDENT),
        ("a drain within an hour", hour),
        ("the same on mainnet's blocks", Time { block_ms: MAINNET_MS, ..hour }),
    ];
    let mut times = settings.map(|_| Vec::new());
    let mut steps = settings.map(|_| Vec::new());
    for round in 0..rounds {
        for (at, (_, time)) in settings.iter().enumerate() {
            let heap = heap();
            let report = play(PACE_NODES, &[], *time, round.into());
            times[at].push(report.simulated_s as f64 / report.wall_s);
            steps[at].push(report.steps as f64 / report.wall_s / heap);
        }
    }
    let named = |name: &'static str, figures: [Vec<f64>; 3], bound: Bound| {
        let told = settings.into_iter().zip(figures);
        told.map(|((setting, _), figures)| Report::new(name, format!("{PACE_NODES} nodes, {setting}"), figures, bound))
            .collect::<Vec<_>>()
    };
    let times = named("simulated-time", times, Bound::Least(PACE));
    times.into_iter().chain(named("simulator-events", steps, Bound::Least(STEPS))).collect()
}

/// Steps per second of a queue that does nothing but hand out its earliest entry and take a later one.
fn heap() -> f64 {
    let (entries, steps) = HEAP;
    let mut heap: BinaryHeap<std::cmp::Reverse<(u64, u64)>> =
        (0..entries).map(|at| std::cmp::Reverse((at, at))).collect();
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let clock = Instant::now();
    for number in 0..steps {
        let std::cmp::Reverse((at, _)) = heap.pop().expect("never empty");
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        heap.push(std::cmp::Reverse((at + state % entries, entries + number)));
    }
    assert_eq!(heap.len() as u64, entries);
    steps as f64 / clock.elapsed().as_secs_f64()
}

/// From the k-th honest vote to the threshold-signed transaction at every honest node, in one-way delays.
pub(crate) fn decision(rounds: u32) -> Vec<Report> {
    let mut reports = Vec::new();
    for guardians in DECISION_NODES {
        let silent = guardians - threshold(guardians);
        let liars = (threshold(guardians) - 1).min(silent);
        // Of the k-1 one fills the logs, the others say two things.
        let mixed = [(liars - liars.min(1), "equivocator"), (liars.min(1), "spammer")];
        let settings: [Trouble; 4] = [
            ("clean", vec![], CLEAN),
            ("n-t silent", vec![(silent, "silent")], CLEAN),
            ("equivocators", vec![(liars, "equivocator")], EQUIVOCATORS),
            ("k-1 byzantine, p99", mixed.to_vec(), BYZANTINE),
        ];
        for (name, misbehave, most) in settings {
            let decided = |seed: u32| play(guardians, &misbehave, Time::INCIDENT, seed.into()).hops.p50;
            let mut hops: Vec<f64> = (0..rounds).map(|seed| decided(seed).expect("a decision")).collect();
            if name.ends_with("p99") {
                // Of fewer than a hundred rounds the worst is their 99th percentile: it is what is held to the bound.
                let worst = hops.iter().copied().fold(0.0, f64::max);
                hops.fill(worst);
            }
            let setting = format!("{guardians} guardians, {name}");
            reports.push(Report::new("decision-simulated", setting, hops, Bound::Most(most)));
        }
    }
    reports
}

/// By what power of the number of nodes messages and processor time of one node grow in one incident.
pub(crate) fn growth(rounds: u32) -> Vec<Report> {
    let (few, many) = GROWTH_NODES;
    let power = |ratio: f64| ratio.ln() / (f64::from(many) / f64::from(few)).ln();
    let mut messages = Vec::new();
    let mut processor = Vec::new();
    for seed in 0..rounds {
        let [small, large] = [few, many].map(|guardians| play(guardians, &[], Time::INCIDENT, seed.into()));
        messages.push(power(large.messages_per_node as f64 / small.messages_per_node as f64));
        let each = |report: &ScenarioReport, nodes: u16| report.wall_s / f64::from(nodes);
        processor.push(power(each(&large, many) / each(&small, few)));
    }
    let setting = |what: &str| format!("{what} per node, {few} to {many}");
    vec![
        Report::new("growth", setting("messages"), messages, Bound::Most(GROWTH)),
        Report::new("growth", setting("processor time"), processor, Bound::Most(GROWTH)),
    ]
}
