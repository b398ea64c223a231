//! Questions to a log of some length, a page at a time: beside the node that holds its index, and after it.

use std::collections::BTreeSet;

use serde_json::Value;
use watchfire_journal::{FileStorage, Journal, JournalOptions};

use crate::author::{self, Author};
use crate::fixture::{Members, Running, json, stderr, watchfire};

/// What elm said before the node was started.
const NOTES: u64 = 600;

fn answer(members: &Members, arguments: &[&str], code: i32) -> Value {
    let config = members.config("alder");
    let output = watchfire(&[&["log", "query", "--config", &config, "--json"], arguments].concat());
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {}", stderr(&output));
    json(&output)
}

/// A log in alder's directory in which elm says much.
fn filled(members: &Members, elm: &Author) {
    let mut journal = Journal::open(
        FileStorage::open(&members.directory("alder").join("journal")).unwrap(),
        JournalOptions::default(),
    )
    .unwrap();
    let (mut prev, started) = elm.started();
    journal.append(&started).unwrap();
    for seq in 1..=NOTES {
        let (hash, note) = elm.note(seq, prev, "seen");
        journal.append(&note).unwrap();
        prev = hash;
    }
    journal.sync().unwrap();
}

fn seqs(answer: &Value) -> Vec<u64> {
    answer["events"].as_array().unwrap().iter().map(|event| event["seq"].as_u64().unwrap()).collect()
}

/// Walks through all pages of a question; every page but the last is full.
fn walked(members: &Members, question: &[&str], backwards: bool) -> Vec<u64> {
    let (way, cursor) = if backwards { ("--before", "previous") } else { ("--after", "next") };
    let mut place = if backwards { "4294967295:4294967295" } else { "0:0" }.to_owned();
    let mut pages: Vec<Vec<u64>> = Vec::new();
    loop {
        let page = answer(members, &[question, &["--limit", "250", way, &place]].concat(), 0);
        pages.push(seqs(&page));
        if page["more"] == false {
            break;
        }
        assert_eq!(pages.last().unwrap().len(), 250);
        place = page[cursor].as_str().unwrap().to_owned();
    }
    if backwards {
        pages.reverse();
    }
    pages.concat()
}

fn questions(members: &Members) {
    let notes: Vec<u64> = (1..=NOTES).collect();
    let (epoch, all) = ("e1".repeat(16), (0..=NOTES).collect::<Vec<_>>());
    let since = ["--since", "2023-11-14T22:13:20Z", "--until", "2023-11-15T00:00:00Z"];
    for backwards in [false, true] {
        assert_eq!(walked(members, &["--kind", "note"], backwards), notes);
        assert_eq!(walked(members, &["--author", "elm-1"], backwards), all);
        assert_eq!(
            walked(members, &["--author", "elm-1", "--epoch", &epoch, "--seq", "7-400"], backwards),
            all[7..=400]
        );
        assert_eq!(walked(members, &since, backwards), all);
    }
    let whole = walked(members, &[], false);
    assert_eq!((&whole[..all.len()], whole.len() > all.len()), (&all[..], true));
    // The node may have said more meanwhile.
    assert!(walked(members, &[], true).starts_with(&whole));
    let last = answer(members, &["--kind", "note", "--limit", "2"], 0);
    assert_eq!((seqs(&last), &last["more"]), (vec![NOTES - 1, NOTES], &true.into()));
    let none = answer(members, &["--kind", "note", "--after", last["next"].as_str().unwrap()], 0);
    assert_eq!((seqs(&none), &none["next"], &none["more"]), (vec![], &last["next"], &false.into()));
    for wrong in [&["--after", "5"][..], &["--after", "0:0", "--before", "1:0"], &["--limit", "0"]] {
        answer(members, wrong, 64);
    }
}

/// Own first events of the node, by kind.
fn started(members: &Members) -> BTreeSet<String> {
    let found = answer(members, &["--kind", "started", "--author", "alder-1"], 0);
    found["events"].as_array().unwrap().iter().map(|event| event["epoch"].as_str().unwrap().to_owned()).collect()
}

/// Pages hold all of it and nothing twice, from either end, beside the node and after it. What is asked for is found through the index: damage
/// among what nobody asked for, where reading the journal from its begin would end, hides nothing.
#[test]
fn pages_of_a_long_log() {
    let (members, elm) = author::members();
    filled(&members, &elm);
    let mut node = Running::start(&members, "alder");
    node.answers(&members, "alder");
    questions(&members);
    // Indexed is what a quarter of a second later the node has looked at; until then the journal is read.
    let indexed = || answer_status(&members)["index_lag"] == 0;
    assert!((0..600).any(|_| indexed()), "the index does not follow");
    let epochs = started(&members);
    assert_eq!(epochs.len(), 1);
    let segment = members.directory("alder").join("journal/00000000.log");
    let sound = std::fs::read(&segment).unwrap();
    let mut bytes = sound.clone();
    bytes[10_000] ^= 1;
    write_within(&segment, &bytes[10_000..10_001]);
    assert_eq!(started(&members), epochs, "beside the node");
    write_within(&segment, &sound[10_000..10_001]);
    assert_eq!(node.stop(), Some(0));
    assert_eq!(walked(&members, &["--kind", "note"], true), (1..=NOTES).collect::<Vec<_>>());
    let mut bytes = std::fs::read(&segment).unwrap();
    bytes[10_000] ^= 1;
    std::fs::write(&segment, bytes).unwrap();
    assert_eq!(started(&members), epochs, "after the node");
    std::fs::remove_dir_all(members.directory("alder").join("sled")).unwrap();
    assert_eq!(started(&members), BTreeSet::new(), "without an index the damage hides it");
}

fn answer_status(members: &Members) -> Value {
    json(&watchfire(&["status", "--config", &members.config("alder"), "--json"]))
}

/// Writes bytes at offset 10,000 of a file that a node has open.
fn write_within(path: &std::path::Path, bytes: &[u8]) {
    use std::os::unix::fs::FileExt as _;
    std::fs::File::options().write(true).open(path).unwrap().write_all_at(bytes, 10_000).unwrap();
}
