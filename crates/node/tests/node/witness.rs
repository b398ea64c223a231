//! Witnesses' lines that a node missed, asked for and given over real swarms by catch-up.

use std::fs;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use serde_json::Value;
use watchfire_transparency::{Checkpoint, SignedCheckpoint, Witnessed};
use watchfire_types::{Bytes, MemberKey};
use watchfire_wire::{CatchUpRequest, CatchUpResponse, WitnessTag};

use crate::author::{self, Author, port_of};
use crate::fixture::{Members, Running, json, stderr, watchfire};
use crate::port;

const PATIENCE: Duration = Duration::from_secs(120);

fn answer(members: &Members, arguments: &[&str]) -> Value {
    let config = members.config("alder");
    let output = watchfire(&[arguments, &["--config", &config, "--json"]].concat());
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", stderr(&output));
    json(&output)
}

/// The message with elm's line under alder's checkpoint, as a witness says it.
fn line(note: &SignedCheckpoint, elm: &Author, text_of: impl Fn(&Checkpoint, u64) -> String) -> Bytes {
    let time_s = 1_700_000_000;
    let signature = Author::sign(text_of(note.checkpoint(), time_s).as_bytes());
    let mut note = note.clone();
    note.witnessed(&Witnessed { witness: elm.member.clone(), time_s, signature }, &author::key());
    note.to_string().into_bytes().into()
}

fn tag(key: &MemberKey) -> WitnessTag {
    *key.as_bytes().first_chunk().unwrap()
}

/// Alder has a checkpoint that nobody witnessed; then elm comes, and answers every question with this line. `done` is told of each question
/// whether alder lacks elm's line; then alder is stopped. Answers who witnessed its first event, as its directory proves it to anyone.
async fn played(
    text_of: impl Fn(&Checkpoint, u64) -> String + Send + 'static,
    done: impl Fn(&Members, &mpsc::Receiver<bool>) + Send + 'static,
) -> Value {
    let port = port::free().unwrap().port();
    let (members, elm) = author::members_who_know(port);
    let (members, alder, note) = tokio::task::spawn_blocking(move || {
        let mut alder = Running::start(&members, "alder");
        alder.answers(&members, "alder");
        let taken = answer(&members, &["log", "checkpoint"]);
        assert_eq!(taken["witnesses"], serde_json::json!([]), "nobody is there");
        let note = SignedCheckpoint::parse(taken["checkpoint"].as_str().unwrap()).unwrap();
        (members, alder, note)
    })
    .await
    .unwrap();
    let message = line(&note, &elm, text_of);
    let (lacking, asked) = mpsc::channel();
    let handle = elm.joins(port, port_of(&members, "alder"), move |request: &CatchUpRequest| {
        let Checkpoint { origin, size, .. } = note.checkpoint();
        let of_note = request.wanted.iter().find(|wanted| wanted.epoch == origin.epoch && wanted.size >= *size);
        if let Some(wanted) = of_note {
            // The test may be through.
            let _ = lacking.send(!wanted.held.contains(&tag(&author::key())));
        }
        CatchUpResponse { complete: true, witnesses: vec![message.clone()], ..CatchUpResponse::default() }
    });
    let witnesses = tokio::task::spawn_blocking(move || {
        done(&members, &asked);
        assert_eq!(alder.stop(), Some(0));
        witnesses(&members)
    })
    .await
    .unwrap();
    handle.shutdown().await;
    witnesses
}

fn witnesses(members: &Members) -> Value {
    let proof = answer(members, &["log", "prove", "--index", "0"]);
    let file = members.base.path().join("proof");
    fs::write(&file, proof["proof"].as_str().unwrap()).unwrap();
    answer(members, &["log", "check", file.to_str().unwrap()])["witnesses"].clone()
}

/// A line that came by catch-up is kept, durably, proves something to others, and is not asked for again.
#[tokio::test(flavor = "multi_thread")]
async fn lines_come_by_catch_up() {
    let witnesses = played(Checkpoint::cosigned_text, |_, asked| {
        assert!(asked.recv_timeout(PATIENCE).unwrap(), "at first it is lacking");
        assert!(!asked.recv_timeout(PATIENCE).unwrap(), "the second question names what is held");
    });
    assert_eq!(witnesses.await, serde_json::json!(["elm-1"]));
}

/// A line that does not verify is an alarm that names who served it, who is then left alone; it proves nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_false_line_names_who_served_it() {
    let witnesses = played(
        |checkpoint, time_s| checkpoint.cosigned_text(time_s + 1),
        |members, asked| {
            assert!(asked.recv_timeout(PATIENCE).unwrap());
            let log = || fs::read_to_string(members.directory("alder").join("stderr.log")).unwrap();
            let deadline = Instant::now() + PATIENCE;
            while !log().contains("catch-up-garbage: elm-1 served") {
                assert!(Instant::now() < deadline, "{}", log());
                answer(members, &["log", "verify"]);
            }
        },
    );
    assert_eq!(witnesses.await, serde_json::json!([]));
}
