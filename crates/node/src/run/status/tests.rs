//! What a running node says of its index.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::mpsc;

use watchfire_journal::index::{IndexOptions, LogIndex};

use crate::run::fixture;
use crate::run::start::{Assembled, assemble, open};

/// While its first event is being indexed the index is behind by all of them, and the status says so.
#[tokio::test]
async fn the_status_tells_the_lag_of_the_index() {
    let (directory, config) = fixture::directory();
    let Assembled { mut node, inbox: _inbox, output, socket: _socket } = assemble(open(&config).unwrap()).unwrap();
    node.take(output).await.unwrap();
    let (let_go, held) = mpsc::channel::<()>();
    let indexer = move |_: &[u8]| {
        assert!(held.recv().is_err(), "nothing comes until the test is over");
        None
    };
    let path = directory.path().join("held");
    node.index = LogIndex::open(&path, node.driver.journal(), indexer, IndexOptions::default()).unwrap();
    let status = node.status();
    assert!(status.events > 0);
    assert_eq!(status.index_lag, status.events);
    drop(let_go);
    node.index.catch_up().unwrap();
    assert_eq!(node.status().index_lag, 0);
}
