//! When the thread beside the writer begins with what it was asked for.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::time::Duration;

use super::*;
use crate::storage::FileStorage;

const PREPARE: Job = Job::Prepare { number: 1, length: 4_096 };
const EXTEND: Job = Job::Extend { number: 0, from: 64, to: 128 };
const PATIENCE: Duration = Duration::from_secs(60);

/// Zeros in the current segment are never put off; the next segment is until the writer rests, or somebody is in a hurry.
#[test]
fn a_burst_passes_before_the_next_segment() {
    let silence = Err(RecvTimeoutError::Timeout);
    let mut patient = Patient::default();
    assert_eq!(patient.hear(Ok(Order::Do(PREPARE)), || true), Turn::Listen);
    assert_eq!(patient.hear(silence, || true), Turn::Listen);
    assert_eq!(patient.hear(Ok(Order::Do(EXTEND)), || true), Turn::Run(EXTEND));
    assert_eq!(patient.hear(silence, || false), Turn::Run(PREPARE));
    assert_eq!(patient.hear(silence, || false), Turn::Listen);
    assert_eq!(patient.hear(Ok(Order::Hurry), || true), Turn::Listen);
    assert_eq!(patient.hear(Ok(Order::Do(PREPARE)), || true), Turn::Listen);
    assert_eq!(patient.hear(Ok(Order::Hurry), || true), Turn::Run(PREPARE));
    assert_eq!(patient.hear(Err(RecvTimeoutError::Disconnected), || true), Turn::End);
}

/// A writer that rests needs no second call: the segment is prepared by itself.
#[test]
fn at_rest_the_next_segment_comes_by_itself() {
    let directory = tempfile::tempdir().unwrap();
    let storage = FileStorage::open(directory.path()).unwrap();
    let mut background = Background::new(storage);
    background.writes();
    background.start(PREPARE);
    let Hands::Thread(worker) = &background.hands else { panic!("a thread for real files") };
    let done = worker.done.recv_timeout(PATIENCE).unwrap();
    assert_eq!(done.job, PREPARE);
    done.result.unwrap();
    assert_eq!(std::fs::metadata(directory.path().join("00000001.log")).unwrap().len(), 4_096);
}

/// Whoever waits for a segment is in a hurry, however busy the writer is.
#[test]
fn waiting_is_a_hurry() {
    let directory = tempfile::tempdir().unwrap();
    let mut background = Background::new(FileStorage::open(directory.path()).unwrap());
    background.start(PREPARE);
    assert!(background.patient);
    assert_eq!(background.wait().unwrap().job, PREPARE);
    assert!(!background.patient);
}
