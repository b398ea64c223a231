//! The socket over a real file, with a loop that answers by hand.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::os::unix::fs::MetadataExt as _;

use tokio::io::AsyncReadExt as _;
use watchfire_types::control::Record;

use super::*;
use crate::control::{client, socket_path};
use crate::run::describe;

fn record(text: &str) -> Record {
    describe::plain(1, "note", text.to_owned())
}

/// A request is answered by the loop; the socket is 0600 and gone after the guard.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_requests() {
    let directory = tempfile::tempdir().unwrap();
    let path = socket_path(directory.path());
    let (guard, mut asks) = spawn(&path, Records::default()).unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
    tokio::spawn(async move {
        while let Some(ask) = asks.recv().await {
            let _ = ask.reply.send(Reply::Incidents { incidents: Vec::new() });
        }
    });
    let here = directory.path().to_owned();
    let reply = tokio::task::spawn_blocking(move || client::ask(&here, &Request::Incidents)).await.unwrap().unwrap();
    assert_eq!(reply, Reply::Incidents { incidents: Vec::new() });
    drop(guard);
    let error = client::ask(directory.path(), &Request::Status).unwrap_err();
    assert!(matches!(error, client::ClientError::NotRunning { .. }), "{error}");
}

/// A follower gets what was before it came and what comes after.
#[tokio::test]
async fn follows_records() {
    let directory = tempfile::tempdir().unwrap();
    let path = socket_path(directory.path());
    let records = Records::default();
    records.push(record("before"));
    let (_guard, _asks) = spawn(&path, records.clone()).unwrap();
    let mut stream = UnixStream::connect(&path).await.unwrap();
    stream.write_all(b"{\"request\":\"follow\"}\n").await.unwrap();
    let mut lines = BufReader::new(stream).lines();
    let first: Record = serde_json::from_str(&lines.next_line().await.unwrap().unwrap()).unwrap();
    records.push(record("after"));
    let second: Record = serde_json::from_str(&lines.next_line().await.unwrap().unwrap()).unwrap();
    assert_eq!((first.text.as_str(), second.text.as_str()), ("before", "after"));
}

/// Garbage is told; a line over the bound ends the connection.
#[tokio::test]
async fn bounds_requests() {
    let directory = tempfile::tempdir().unwrap();
    let path = socket_path(directory.path());
    let (_guard, _asks) = spawn(&path, Records::default()).unwrap();
    let mut stream = UnixStream::connect(&path).await.unwrap();
    stream.write_all(b"nonsense\n").await.unwrap();
    let (read, mut write) = stream.into_split();
    let mut read = BufReader::new(read);
    let mut line = String::new();
    read.read_line(&mut line).await.unwrap();
    assert!(line.contains("malformed"), "{line}");
    // The server may close while the line is still being written.
    let _ = write.write_all(&vec![b'x'; REQUEST_BYTES_MAX + 2]).await;
    let mut rest = Vec::new();
    let _ = read.read_to_end(&mut rest).await;
    assert!(rest.is_empty());
}
