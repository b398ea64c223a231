//! A killed launcher takes its processes with it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::{ChildStdin, ChildStdout};

use super::*;

/// What the launcher below does: `tied` or `gated`.
const LAUNCHER: &str = "WATCHFIRE_TEST_LAUNCHER";
const WAIT_MAX: Duration = Duration::from_secs(300);

/// Not a test by itself: the launcher that the next tests kill. Starts a process from a thread that ends at once.
#[test]
fn launcher() {
    let Some(kind) = std::env::var_os(LAUNCHER) else { return };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let handle = runtime.handle().clone();
    let start = move || {
        let _runtime = handle.enter();
        let mut sleeper = command("sh");
        sleeper.args(["-c", "echo; echo started; exec sleep 600"]);
        spawn(if kind == "gated" { gated(&sleeper) } else { sleeper }).unwrap()
    };
    let mut child = std::thread::spawn(start).join().unwrap();
    assert!(child.try_wait().unwrap().is_none());
    runtime.block_on(std::future::pending::<()>());
}

/// The same command, held up before its first step until a line comes in.
fn gated(command: &Command) -> Command {
    let mut gate = Command::new("sh");
    gate.args(["-c", "echo; echo waiting; read line; exec \"$@\"", "gate"]);
    gate.arg(command.as_std().get_program()).args(command.as_std().get_args());
    gate
}

/// Starts the launcher, kills it when its process says this word, and answers what that process reads from and writes to.
async fn killed_launcher(kind: &str, word: &str) -> (ChildStdin, BufReader<ChildStdout>) {
    let mut launcher = Command::new(std::env::current_exe().unwrap())
        .args(["child::tests::launcher", "--exact", "--nocapture"])
        .env(LAUNCHER, kind)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut out = BufReader::new(launcher.stdout.take().unwrap());
    let mut line = String::new();
    while line.trim() != word {
        line.clear();
        assert_ne!(out.read_line(&mut line).await.unwrap(), 0, "the launcher ended");
    }
    let stdin = launcher.stdin.take().unwrap();
    launcher.kill().await.unwrap();
    (stdin, out)
}

/// The pipe ends when nobody holds it any more: neither the launcher, which is killed, nor what it started.
#[tokio::test]
async fn children_end_with_a_killed_launcher() {
    if !*BINDS {
        return;
    }
    let ends = tokio::time::timeout(WAIT_MAX, async {
        let (_stdin, mut out) = killed_launcher("tied", "started").await;
        out.read_to_end(&mut Vec::new()).await.unwrap();
    });
    ends.await.expect("what the launcher started still runs");
}

/// A process whose launcher was killed before the kernel was told of the tie finds another parent, and never becomes what it was to be.
#[tokio::test]
async fn a_child_of_a_launcher_killed_too_early_ends() {
    if !*BINDS {
        return;
    }
    let ends = tokio::time::timeout(WAIT_MAX, async {
        let (mut stdin, mut out) = killed_launcher("gated", "waiting").await;
        stdin.write_all(b"\n").await.unwrap();
        let mut said = String::new();
        out.read_to_string(&mut said).await.unwrap();
        said
    });
    assert_eq!(ends.await.expect("what the launcher started still runs"), "");
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
