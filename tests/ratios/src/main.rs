//! Interleaved ratios of what the node does against what it cannot do without.
//!
//! `decision`: time from the k-th local finding to the threshold-signed transaction at every node that is not silent, divided
//! by the one-way delay d of the links. Five production drivers run in virtual time over links that delay by d; every turn,
//! journal files and fdatasync included, takes the virtual time that it really took, as if each node had a machine of its own.
//! A simulation answers after 5 ms. At most 2.3: two hops and little else.
//!
//! `ingest`: events verified, decided, applied and journalled with fdatasync in commits of up to 256 by one driver on one
//! core, per second, divided by bare `verify_strict` of the same events per second. At least 0.80.
//!
//! `catch-up`: events per second by which a new driver becomes complete from another one, both over journal files, questions and
//! answers encoded and decoded, with all cores at work for both sides, divided by bare `verify_strict` of the same events per second
//! on all cores. At least 0.80.
//!
//! `durable-append`: events per second that the journal acknowledges in commits of 1, 16, 64 and 256, its index following, against
//! raw writes of the same bytes to a file of zeros with one fdatasync a commit. At least 0.80 each; fewer fdatasyncs than commits
//! end the run.
//!
//! `concurrent-append`: 64 tasks that each wait until their event is durable, against 64 times raw commits of one event: at
//! least 0.60 of the rate, and a 99th percentile of at most 3 times the raw one.
//!
//! `merkle-append`: events per second appended to the log's buffer and their author's tree, without a sync, against a bare loop over
//! the two SHA-256 of a leaf and a node. At least 0.50.
//!
//! `disk-bytes`: bytes on disk per byte of events, at most 1.5 for the journal and 3.0 with its index; one round, since sizes do
//! not vary.
//!
//! `cold-open`: opening a log of a million events, every frame and every hash chain checked, against reading and hashing its
//! files. At most 3.
//!
//! `simulated-time`: simulated seconds per wall second on one core, at 25 nodes through one incident. At least 700.
//!
//! `simulator-events`: steps per second of the same runs against a bare binary heap. At least 0.10.
//!
//! `decision-simulated`: the decision in the simulator, in one-way delays, at 5, 13, 25 and 50 guardians: clean and with all silent that
//! are not needed at most 2.3, with equivocators 2.5, with k-1 that lie and spam 4 at the 99th percentile.
//!
//! `growth`: by what power of the number of nodes, from 16 to 64, messages and processor time of one node grow in one incident. At most 1.1.
//!
//! `detect-rules`: blocks per second read from the texts that `watchfire backtest --blocks` takes and judged by 1,000 rules about events, against serde_json
//! into plain logs of the same bytes. At least 0.90. The texts are read as backtest reads them: the header hashed, every log hashed under its receipts' root, and
//! those that concern a rule decoded.
//!
//! `detect-scaling`: time of a block with 10,000 rules against 10 of them, the same ones firing. At most 1.5.
//!
//! `detect-bloom-miss`: time of a block whose bloom concerns none of 1,000 rules against decoding its logs. At most 0.02.
//!
//! `detect-reorg`: taking 64 blocks back and judging them again against judging them first, 1,000 rules of every kind. At most 2.
//!
//! `detect-catch-up`: a real node process that catches up with busy blocks of a real chain, 50 logs each, in the time of the same requests with
//! nothing done to their answers, at least 0.70, and its blocks a second, at least 200; once where its rules read logs and state, once where
//! they need whole blocks. The node is the same as for `finding`.
//!
//! `finding`: no ratio but a plain figure of a real node process over a real chain: milliseconds from a block's arrival at the node to its
//! finding, durable and told. At most 50. The node is the `watchfire` beside this binary, built first if it is missing or old.
//!
//! `idle`: no ratio but two plain figures of a real node process over a quiet real chain: resident memory, at most 100 MiB, and share of
//! one core, at most 2 %. One window of at least 20 s. The node is the same as for `finding`.
//!
//! `drill`: no ratio but a plain figure: seconds of `watchfire drill` from its launch to its verdict. At most 60. The same binary.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod catch_up;
#[path = "../../../crates/driver/tests/driver/chain.rs"]
#[allow(dead_code)]
mod chain;
mod cold_open;
mod concurrent_append;
mod decision;
mod detect;
mod detect_catch_up;
mod disk_bytes;
mod drill;
mod durable_append;
mod finding;
mod idle;
#[path = "../../../crates/node/src/run/indexing.rs"]
#[allow(unreachable_pub)]
mod indexing;
mod ingest;
mod log;
mod merkle_append;
mod node;
mod report;
mod simulated;
#[path = "../../../crates/driver/tests/driver/world.rs"]
#[allow(dead_code)]
mod world;

use std::process::ExitCode;

use clap::{Parser, ValueEnum};
use report::Report;

/// What can be measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Ratio {
    /// Delay of a decision in one-way delays; at most 2.3.
    Decision,
    /// Speed of taking events in bare signature checks; at least 0.80.
    Ingest,
    /// Speed of a full catch-up in bare signature checks on all cores; at least 0.80.
    CatchUp,
    /// Speed of durable commits in raw ones; at least 0.80.
    DurableAppend,
    /// Speed of 64 tasks in 64 times raw commits; at least 0.60, p99 at most 3.
    ConcurrentAppend,
    /// Speed of appending without a sync in that of two bare hashes; at least 0.50.
    MerkleAppend,
    /// Bytes on disk in bytes of events; at most 1.5, with indexes 3.0.
    DiskBytes,
    /// Time to open a million events in time to hash their files; at most 3.
    ColdOpen,
    /// Speed of reading and judging blocks with 1,000 rules in that of plain decoding; at least 0.90.
    DetectRules,
    /// Time of a block with 10,000 rules in that with 10; at most 1.5.
    DetectScaling,
    /// Time of a block that concerns no rule in that of decoding it; at most 0.02.
    DetectBloomMiss,
    /// Time of a 64-deep reorg in that of the first processing; at most 2.
    DetectReorg,
    /// The simulator's pace: simulated seconds per second, at least 700, and steps in those of a bare heap, at least 0.10; measured when named.
    SimulatedTime,
    /// Delay of a decision in the simulator, up to 50 guardians; measured when named.
    DecisionSimulated,
    /// Growth of messages and processor time with the number of nodes; measured when named.
    Growth,
    /// Speed of a node that catches up with its chain in that of the bare requests, at least 0.70, and blocks a second, at least 200.
    DetectCatchUp,
    /// Milliseconds from a block's arrival to a durable finding; at most 50.
    Finding,
    /// Memory and processor time of a node that has nothing to do; at most 100 MiB and 2 % of a core.
    Idle,
    /// Seconds of the default drill; at most 60.
    Drill,
}

/// Measures ratios of the node's own parts on this machine: medians over interleaved rounds, each held to a bound.
///
/// Exit code 0 when every median holds its bound, 1 when one misses, 2 for wrong arguments.
#[derive(Debug, Parser)]
struct Arguments {
    /// Which to measure; all but those of the simulator, if none is named.
    #[arg(value_name = "NAME")]
    names: Vec<Ratio>,
    /// Rounds of each setting, at least 15.
    #[arg(long, default_value_t = 15, value_parser = clap::value_parser!(u32).range(15..))]
    rounds: u32,
    /// Seconds for which `idle` watches, at least 20.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(20..))]
    idle_seconds: u64,
    /// Print one JSON line for each setting in place of the table.
    #[arg(long)]
    json: bool,
}

impl Ratio {
    /// What takes minutes is measured when it is named.
    fn waits_to_be_named(self) -> bool {
        matches!(self, Self::SimulatedTime | Self::DecisionSimulated | Self::Growth)
    }

    fn measure(self, arguments: &Arguments) -> Vec<Report> {
        let rounds = arguments.rounds;
        match self {
            Self::Decision => decision::measure(rounds),
            Self::Ingest => vec![ingest::measure(rounds)],
            Self::CatchUp => vec![catch_up::measure(rounds)],
            Self::DurableAppend => durable_append::measure(rounds),
            Self::ConcurrentAppend => concurrent_append::measure(rounds),
            Self::MerkleAppend => vec![merkle_append::measure(rounds)],
            Self::DiskBytes => disk_bytes::measure(),
            Self::ColdOpen => vec![cold_open::measure(rounds)],
            Self::DetectRules => vec![detect::rules(rounds)],
            Self::DetectScaling => vec![detect::scaling(rounds)],
            Self::DetectBloomMiss => vec![detect::bloom_miss(rounds)],
            Self::DetectReorg => vec![detect::reorg(rounds)],
            Self::SimulatedTime => simulated::pace(rounds),
            Self::DecisionSimulated => simulated::decision(rounds),
            Self::Growth => simulated::growth(rounds),
            Self::DetectCatchUp => detect_catch_up::measure(rounds),
            Self::Finding => vec![finding::measure(rounds)],
            Self::Idle => idle::measure(arguments.idle_seconds).into(),
            Self::Drill => vec![drill::measure(rounds)],
        }
    }
}

/// Tells each ratio as soon as it is measured: one that ends the run takes no other with it.
fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let chosen = |ratio: &&Ratio| match arguments.names.as_slice() {
        [] => !ratio.waits_to_be_named(),
        names => names.contains(ratio),
    };
    if !arguments.json {
        print!("{}", report::heading());
    }
    let mut passed = true;
    for ratio in Ratio::value_variants().iter().filter(chosen) {
        eprintln!(
            "measuring {}",
            ratio.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
        );
        for report in ratio.measure(&arguments) {
            passed &= report.passed;
            if arguments.json {
                println!("{}", serde_json::to_string(&report).expect("a report is plain data"));
            } else {
                print!("{}", report.line());
            }
        }
    }
    if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
