//! A killed launcher takes its processes with it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};

use super::*;

const LAUNCHER: &str = "WATCHFIRE_TEST_LAUNCHER";

/// Not a test by itself: the launcher that the next test kills. Starts a process from a thread that ends at once.
#[test]
fn launcher() {
    if std::env::var_os(LAUNCHER).is_none() {
        return;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let handle = runtime.handle().clone();
    let start = move || {
        let _runtime = handle.enter();
        // Its own word says that it is tied by now: a launcher killed before that leaves it behind.
        let mut sleeper = command("sh");
        sleeper.args(["-c", "echo; echo started; exec sleep 600"]);
        spawn(sleeper).unwrap()
    };
    let mut child = std::thread::spawn(start).join().unwrap();
    assert!(child.try_wait().unwrap().is_none());
    runtime.block_on(std::future::pending::<()>());
}

/// The pipe ends when nobody holds it any more: neither the launcher, which is killed, nor what it started.
#[tokio::test]
async fn children_end_with_a_killed_launcher() {
    if !*BINDS {
        return;
    }
    let mut launcher = Command::new(std::env::current_exe().unwrap())
        .args(["child::tests::launcher", "--exact", "--nocapture"])
        .env(LAUNCHER, "1")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let ends = tokio::time::timeout(Duration::from_secs(20), async {
        let mut out = BufReader::new(launcher.stdout.take().unwrap());
        let mut line = String::new();
        while line.trim() != "started" {
            line.clear();
            assert_ne!(out.read_line(&mut line).await.unwrap(), 0, "the launcher ended");
        }
        launcher.kill().await.unwrap();
        out.read_to_end(&mut Vec::new()).await.unwrap();
    });
    ends.await.expect("what the launcher started still runs");
}

/// The id of a tied process is its own, so that a signal reaches it and not a wrapper.
#[tokio::test]
async fn a_tied_process_keeps_its_id() {
    let mut shell = command("sh");
    shell.args(["-c", "echo $$"]).stdout(Stdio::piped());
    let shell = spawn(shell).unwrap();
    let id = shell.id().unwrap();
    let said = shell.wait_with_output().await.unwrap().stdout;
    assert_eq!(String::from_utf8(said).unwrap().trim(), id.to_string());
}
