//! Each shipped scenario is played whole by the binary that users run; what it expects stands in its own file.
//!
//! One at a time: a scenario keeps five nodes and a chain busy, and two at once would measure the machine.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use watchfire_simulations::drill::{self, DrillOptions, DrillReport, Quiet};

static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// The `watchfire` binary that `cargo test --workspace` has built beside this test's own.
fn executable() -> PathBuf {
    let own = std::env::current_exe().unwrap();
    let folder = own.ancestors().nth(2).unwrap();
    let executable = folder.join(format!("watchfire{}", std::env::consts::EXE_SUFFIX));
    assert!(executable.exists(), "{} is missing: run `cargo test --workspace`", executable.display());
    executable
}

fn play(scenario: &str) -> DrillReport {
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let options =
        DrillOptions { scenario: scenario.to_owned(), keep: None, rpc: None, funder: None, executable: executable() };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let report =
        runtime.block_on(drill::run(options, Arc::new(Quiet))).unwrap_or_else(|error| panic!("{scenario}: {error}"));
    let missed: Vec<_> = report.expectations.iter().filter(|expectation| !expectation.passed).collect();
    assert!(report.passed, "{scenario}: {missed:#?}\n{:#?}", report.timeline_ms);
    report
}

/// The main job: a drain is noticed, agreed on, co-signed, and the vault is paused by one Safe transaction.
#[test]
fn vault_drain() {
    let report = play("vault-drain");
    assert!(report.pause_tx.is_some() && report.cause.is_none());
    assert_eq!(report.safe.nonce_after, report.safe.nonce_before + 1);
    let digests: std::collections::BTreeSet<_> = report.nodes.iter().map(|node| node.state_digest).collect();
    assert_eq!((report.nodes.len(), digests.len()), (5, 1), "five nodes hold one shared state");
}

/// A killed first submitter costs a rank, not the pause.
#[test]
fn submitter_down() {
    play("submitter-down");
}

/// A taken nonce is re-targeted.
#[test]
fn nonce_stolen() {
    let report = play("nonce-stolen");
    assert!(report.safe.nonce_after >= report.safe.nonce_before + 2);
}

/// Two nodes that see a fabricated attack pause nothing.
#[test]
fn minority() {
    let report = play("minority");
    assert!(report.pause_tx.is_none() && report.cause.is_some());
}

/// A node that was cut off ends complete.
#[test]
fn partition() {
    play("partition");
}

/// A base fee that jumps tenfold is outbid.
#[test]
fn gas_spike() {
    play("gas-spike");
}

/// A large legitimate withdrawal under the limit pauses nothing.
#[test]
fn false_alarm() {
    assert!(play("false-alarm").pause_tx.is_none());
}

/// A guard that blocks is seen before the attack, and named after it.
#[test]
fn guard_blocks() {
    assert_eq!(play("guard-blocks").cause.as_deref(), Some("guard-blocks"));
}

/// People decide: a veto by the contain rule's number of organisations stops what two approved.
#[test]
fn human_veto() {
    assert_eq!(play("human-veto").cause.as_deref(), Some("cancelled"));
}
