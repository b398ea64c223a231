//! What `watchfire status` shows of the index.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use watchfire_journal::{FileStorage, IndexOptions, Journal, JournalOptions, LogIndex};
use watchfire_types::IncidentId;
use watchfire_types::body::{Body, Human, HumanStatement};

use super::*;
use crate::run::{fixture, index_keys};

/// Of a node that stopped before its index had everything, text and JSON tell by how much it is behind; of one that is not, the text says nothing.
#[test]
fn a_kept_index_that_is_behind() {
    let (directory, path) = fixture::directory();
    let config = Config::load(&path).unwrap();
    let charter = load(&config.charter).unwrap().0;
    let human = Human { person: "p-1".into(), role: "lead".into(), reason: "a word".into() };
    let note = Body::Note(HumanStatement { incident: IncidentId::from_bytes([7; 32]), human });
    let records = fixture::chain(&charter, 2, vec![note; 4]);
    let storage = FileStorage::open(&directory.path().join("journal")).unwrap();
    let mut journal = Journal::open(storage, JournalOptions::default()).unwrap();
    let (indexed, later) = records.split_at(2);
    for record in indexed {
        journal.append(record).unwrap();
    }
    journal.sync().unwrap();
    let index = LogIndex::open(&directory.path().join("sled"), &journal, index_keys, IndexOptions::default()).unwrap();
    index.shutdown().unwrap();
    let shown = || {
        let status = kept(&config, Output { json: false }).unwrap();
        (serde_json::to_value(&status).unwrap()["index_lag"].clone(), text(&status))
    };
    let (lag, text) = shown();
    assert!(lag == 0 && text.contains("2 events, state"), "{text}");
    for record in later {
        journal.append(record).unwrap();
    }
    journal.sync().unwrap();
    drop(journal);
    let (lag, text) = shown();
    assert!(lag == 3 && text.contains("5 events (index 3 behind), state"), "{text}");
}
