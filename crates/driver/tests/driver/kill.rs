//! Kill -9 at random moments under load: whatever was said to be durable is there after the restart, and the log holds together.
//!
//! 200 kills by default; `WATCHFIRE_KILLS=5000 cargo test -p watchfire-driver --test driver kill` makes a longer run.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::io::Write as _;
use std::path::Path;

use watchfire_journal::{ChainLink, FileStorage, HashChains, MemoryStorage, verify_log};
use watchfire_types::Bytes;
use watchfire_wire::decode_signed;

use crate::load::{Load, Process, Said};
use crate::world::charter;

const KILLS: u32 = 200;
/// Kills of one log: what it holds is read and verified at each start.
const KILLS_OF_ONE: u32 = 5;
/// Acknowledgements of one process before it is killed.
const DURABLE_MAX: u64 = 60;

/// SplitMix64: which moments are tried is told by the run's number.
fn random(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mixed = (*state ^ (*state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}

/// Starts the process, kills it after some acknowledgements, and adds them to what must be held from now on. Gives what it held
/// when it started, and how many acknowledgements it gave.
fn start_and_kill(directory: &Path, epoch: u32, after: u64, acknowledged: &mut BTreeSet<String>) -> (usize, u64) {
    let mut process = Process::start(directory, epoch, None, &[]).unwrap();
    let mut held = BTreeSet::new();
    let mut durable = 0;
    let mut killed = false;
    while let Some(said) = process.next() {
        match said {
            Said::Held(hash) => assert!(held.insert(hash), "held twice"),
            Said::Open => {
                let lost: Vec<_> = acknowledged.difference(&held).collect();
                assert!(lost.is_empty(), "{} of {} acknowledged events are gone", lost.len(), acknowledged.len());
            }
            Said::Durable(hash) => {
                durable += 1;
                acknowledged.insert(hash);
            }
            Said::Commits(_) => panic!("it ended by itself"),
        }
        if !killed && durable >= after {
            // It runs on until this very moment; what it still said is read to the end.
            process.kill();
            killed = true;
        }
    }
    assert!(killed, "it died by itself");
    (held.len(), durable)
}

/// Every frame, signature and hash chain of what is left.
fn check(directory: &Path, acknowledged: &BTreeSet<String>) {
    let mut chains = HashChains::new();
    let mut held = BTreeSet::new();
    let network = charter().network_id();
    let report = verify_log(&FileStorage::read_only(directory), None, |record| {
        let event = decode_signed(Bytes::clone(&record.bytes)).unwrap().verify(network).unwrap();
        held.insert(event.hash().to_string());
        let (author, epoch, seq, prev) = (event.author, event.epoch, event.seq, event.prev);
        chains.push(ChainLink { author, epoch, seq, prev, hash: event.hash() });
        Ok(())
    })
    .unwrap();
    assert!(report.is_sound(), "{report:?}");
    assert_eq!(chains.faults(), []);
    assert!(acknowledged.is_subset(&held));
}

/// The kills, over logs of ten each: a node that is killed at any moment loses nothing that it acknowledged.
#[test]
fn no_acknowledged_event_is_lost_to_a_kill() {
    let kills = std::env::var("WATCHFIRE_KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(KILLS);
    let mut state = 7;
    let (mut killed, mut events, mut segments) = (0, 0, 0);
    while killed < kills {
        let directory = tempfile::tempdir().unwrap();
        let mut acknowledged = BTreeSet::new();
        for _ in 0..KILLS_OF_ONE.min(kills - killed) {
            let after = random(&mut state) % DURABLE_MAX;
            let (_, durable) = start_and_kill(directory.path(), killed, after, &mut acknowledged);
            killed += 1;
            events += durable;
        }
        check(directory.path(), &acknowledged);
        segments += std::fs::read_dir(directory.path()).unwrap().count();
    }
    assert!(events > u64::from(kills) * DURABLE_MAX / 4, "{events} events before {kills} kills");
    assert!(segments > kills as usize / 5 * 3, "{segments} files: segments change under the load");
    println!("{kills} kills, {events} acknowledged events, {segments} files");
}

/// Turns of the load whose syncs are counted; each commits.
const TURNS: u32 = 60;

/// Each commit is a sync of its own, as the storage counts them.
#[test]
fn a_commit_is_a_sync() {
    let storage = MemoryStorage::new();
    let (mut load, _) = Load::open(storage.clone(), 0);
    let counted = storage.file_syncs();
    (0..TURNS).for_each(|_| drop(load.turn()));
    assert!(storage.file_syncs() - counted >= u64::from(TURNS));
}

/// Whether strace is there and may trace. Where it does not, what the system is really asked for is not looked at, and that is told past the
/// test's own output; `WATCHFIRE_STRACE=required`, as `.ci/run` has it where it can, makes it a failure.
fn can_trace() -> bool {
    let traced = std::process::Command::new("strace").args(["-o", "/dev/null", "true"]).output();
    if traced.is_ok_and(|traced| traced.status.success()) {
        return true;
    }
    let required = std::env::var("WATCHFIRE_STRACE").is_ok_and(|value| value == "required");
    assert!(!required, "strace is not there or may not trace here");
    let told = "NOT CHECKED: that a commit is an fdatasync of the system: strace is not there or may not trace here";
    writeln!(std::io::stderr().lock(), "{told}").unwrap();
    false
}

/// Each commit is an fdatasync of its own, seen from outside the process by strace.
#[test]
fn a_commit_is_an_fdatasync() {
    if !can_trace() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let text = traced(directory.path(), "fdatasync");
    let mut by_thread: BTreeMap<&str, u32> = BTreeMap::new();
    for line in text.lines().filter(|line| line.contains("fdatasync(") && !line.contains("unfinished")) {
        *by_thread.entry(line.split_whitespace().next().unwrap()).or_default() += 1;
    }
    for line in text.lines().filter(|line| line.contains("fdatasync(") && line.contains("unfinished")) {
        *by_thread.entry(line.split_whitespace().next().unwrap()).or_default() += 1;
    }
    // The thread beside the writer syncs too: what counts is the writer's own, the most.
    let writer = by_thread.values().max().copied().unwrap_or(0);
    assert!(writer >= TURNS, "{writer} fdatasyncs for {TURNS} commits: {by_thread:?}");
}

/// The name of each file that is made, or comes by a rename, is synced with its directory, seen from outside the process by strace.
#[test]
fn a_name_is_a_sync_of_its_directory() {
    if !can_trace() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let text = traced(directory.path(), "openat,rename,renameat,renameat2,fsync");
    let journal = directory.path().join("journal");
    let synced = format!("<{}>", journal.to_str().unwrap());
    let within = format!("{}/", journal.to_str().unwrap());
    let mut unsynced = Vec::new();
    let (mut made, mut syncs) = (0, 0);
    for line in text.lines() {
        if line.contains("fsync(") && line.contains(&synced) {
            unsynced.clear();
            syncs += 1;
        } else if line.contains(&within) && (line.contains("rename") || line.contains("O_CREAT")) {
            unsynced.push(line);
            made += 1;
        }
    }
    // What is prepared beside the writer may be under way when the process ends.
    unsynced.retain(|line| !line.contains("next.tmp"));
    assert!(made > 0 && syncs > 0 && unsynced.is_empty(), "{made} names, {syncs} syncs, left: {unsynced:?}");
}

/// What strace says of these calls of a process that takes its turns and ends, descriptors with their paths.
fn traced(directory: &Path, calls: &str) -> String {
    let (trace, calls) = (directory.join("trace"), format!("trace={calls}"));
    let before = ["strace", "-f", "-qq", "-y", "-e", &calls, "-o", trace.to_str().unwrap()].map(OsStr::new);
    let process = Process::start(&directory.join("journal"), 0, Some(TURNS), &before).unwrap();
    let mut said = Vec::new();
    while let Some(line) = process.next() {
        said.push(line);
    }
    assert_eq!(said.last(), Some(&Said::Commits(u64::from(TURNS))));
    std::fs::read_to_string(&trace).unwrap()
}
