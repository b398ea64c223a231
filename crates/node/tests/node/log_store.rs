//! The log of a real node: killed, questioned, rebuilt, damaged and repaired.

use std::collections::BTreeSet;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::fixture::{Members, WATCHFIRE, endpoint_of_chain, json, stderr, watchfire};

const KILLS: usize = 5;

fn answer(arguments: &[&str], code: i32) -> Value {
    let output = watchfire(&[arguments, &["--json"]].concat());
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {}", stderr(&output));
    json(&output)
}

/// A node that runs: with the epoch that it says it is in, whose first event is therefore durable.
struct Running(Child);

impl Running {
    fn start(config: &str) -> (Self, String) {
        let mut command = Command::new(WATCHFIRE);
        command.args(["run", "--config", config, "--log", "error"]);
        let said = Path::new(config).with_file_name("said");
        let log = File::create(&said).unwrap();
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().unwrap();
        let mut running = Self(child);
        // Each question is a process of its own: the node starts meanwhile, and answers as long as it runs.
        loop {
            let ended = running.0.try_wait().unwrap();
            assert!(ended.is_none(), "it ended by itself: {}", std::fs::read_to_string(said).unwrap());
            let output = watchfire(&["status", "--config", config, "--json"]);
            let status = json(&output);
            if status["running"] == true {
                return (running, status["epoch"].as_str().unwrap().to_owned());
            }
        }
    }

    fn kill(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may be dead already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn started(config: &str) -> BTreeSet<String> {
    let found = answer(&["log", "query", "--kind", "started", "--author", "alder-1", "--config", config], 0);
    let events = found["events"].as_array().unwrap();
    events.iter().map(|event| event["epoch"].as_str().unwrap().to_owned()).collect()
}

/// Killed again and again a node keeps the first event of every epoch that it told of, which the index or the journal finds,
/// beside the node and after it; nothing rebuilds or repairs under a running node.
#[test]
fn a_killed_node_keeps_what_it_said() {
    let members = Members::new(&endpoint_of_chain(31_337));
    let config = &members.config("alder");
    let mut told = BTreeSet::new();
    for kill in 0..KILLS {
        let (mut node, epoch) = Running::start(config);
        told.insert(epoch);
        if kill == 0 {
            assert_eq!(started(config), told, "beside the node");
            for command in ["rebuild", "repair"] {
                let refused = answer(&["log", command, "--config", config], 3);
                assert!(refused["error"].as_str().unwrap().contains("in use by another process"), "{refused}");
            }
        }
        node.kill();
        let held = started(config);
        assert!(told.is_subset(&held), "{told:?} {held:?}");
        let verified = answer(&["log", "verify", "--config", config], 0);
        assert_eq!(verified["faults"], serde_json::json!([]));
    }
    let events = answer(&["log", "verify", "--config", config], 0)["events"].as_u64().unwrap();
    assert_eq!(answer(&["log", "rebuild", "--config", config], 0)["events"], events);
    let verified = answer(&["log", "verify", "--config", config], 0);
    assert_eq!((&verified["index"], verified["index_behind"].as_u64()), (&"compared".into(), Some(0)));
    assert!(told.is_subset(&started(config)));
    let last = answer(&["log", "query", "--limit", "1", "--since", "2020-01-01T00:00:00Z", "--config", config], 0);
    assert_eq!(last["events"].as_array().unwrap().len(), 1);
}

/// A damaged journal keeps the node from starting, by name; the repair keeps what is sound, and the node starts again.
#[test]
fn a_damaged_journal_is_named_and_repaired() {
    let members = Members::new(&endpoint_of_chain(31_337));
    let config = &members.config("birch");
    for _ in 0..2 {
        Running::start(config).0.kill();
    }
    assert_eq!(answer(&["log", "repair", "--config", config], 0)["lost"], 0);
    let segment = members.directory("birch").join("journal/00000000.log");
    let mut bytes = std::fs::read(&segment).unwrap();
    bytes[100] ^= 1;
    std::fs::write(&segment, &bytes).unwrap();
    let refused = watchfire(&["run", "--config", config]);
    let said = stderr(&refused);
    assert!(!refused.status.success() && said.contains("00000000.log") && said.contains("log repair"), "{said}");
    assert_eq!(answer(&["log", "verify", "--config", config], 1)["log_verified"], false);
    let repaired = answer(&["log", "repair", "--config", config], 0);
    assert_eq!(repaired["lost"], 1, "{repaired}");
    let aside = repaired["repaired"][0]["set_aside"].as_str().unwrap();
    assert_eq!(std::fs::read(members.directory("birch").join("journal").join(aside)).unwrap(), bytes);
    let (mut node, _) = Running::start(config);
    node.kill();
    assert_eq!(answer(&["log", "verify", "--config", config], 0)["log_verified"], true);
}

/// What witnesses said is read by nothing while it is damaged: the check names it, an export leaves nothing out in silence, and the repair brings
/// the rest back.
#[test]
fn a_damaged_witness_state_is_named_and_repaired() {
    let members = Members::new(&endpoint_of_chain(31_337));
    let config = &members.config("alder");
    Running::start(config).0.kill();
    assert_eq!(answer(&["log", "verify", "--config", config], 0)["witness_lines"], 0);
    let segment = members.directory("alder").join("witness/0/00000000.log");
    let mut bytes = std::fs::read(&segment).unwrap();
    bytes[100] ^= 1;
    std::fs::write(&segment, &bytes).unwrap();
    let verified = answer(&["log", "verify", "--config", config], 1);
    let faults = verified["faults"].to_string();
    assert!(faults.contains("witness/0/00000000.log") && faults.contains("log repair"), "{faults}");
    let told = watchfire(&["log", "verify", "--config", config]);
    let text = String::from_utf8_lossy(&told.stdout).into_owned();
    assert!(text.contains("WHAT WITNESSES SAID CANNOT BE READ, the journal holds"), "{text}");
    let archive = members.base.path().join("archive");
    let export = ["log", "export", "--format", "jsonl", "-o", archive.to_str().unwrap(), "--config", config];
    let refused = answer(&export, 3);
    assert!(refused["error"].as_str().unwrap().contains("witness/0/00000000.log"), "{refused}");
    assert!(!archive.exists());
    answer(&["log", "repair", "--config", config], 0);
    assert_eq!(answer(&["log", "verify", "--config", config], 0)["log_verified"], true);
    answer(&export, 0);
}

/// A record that a power cut left unfinished is no damage: it was never acknowledged. It is told in bytes, to people and in JSON.
#[test]
fn an_unfinished_record_is_told_and_is_no_damage() {
    let members = Members::new(&endpoint_of_chain(31_337));
    let config = &members.config("cedar");
    for _ in 0..2 {
        Running::start(config).0.kill();
    }
    let whole = answer(&["log", "verify", "--config", config], 0);
    assert_eq!(whole["incomplete_bytes"], 0);
    let path = members.directory("cedar").join("journal/00000000.log");
    let bytes = std::fs::read(&path).unwrap();
    let last = bytes.iter().rposition(|byte| *byte != 0).unwrap();
    File::options().write(true).open(&path).unwrap().write_all_at(&[0; 21], last as u64 - 20).unwrap();
    // What the journal lost before it was acknowledged no index has seen either.
    std::fs::remove_dir_all(members.directory("cedar").join("sled")).unwrap();
    let torn = answer(&["log", "verify", "--config", config], 0);
    assert_eq!((&torn["log_verified"], &torn["faults"]), (&true.into(), &serde_json::json!([])));
    assert_eq!(torn["events"].as_u64().unwrap() + 1, whole["events"].as_u64().unwrap());
    let unfinished = torn["incomplete_bytes"].as_u64().unwrap();
    assert!(unfinished > 20, "{torn}");
    let told = watchfire(&["log", "verify", "--config", config]);
    let text = String::from_utf8_lossy(&told.stdout).into_owned();
    assert!(text.contains(&format!("\n{unfinished} bytes of an unfinished record at the end\n")), "{text}");
}

/// An acknowledged record that is gone from the log's end without a trace keeps the node from starting, since its index knows it; the repair
/// notes the loss, once, and the node starts again.
#[test]
fn a_lost_tail_is_told_and_noted() {
    let members = Members::new(&endpoint_of_chain(31_337));
    let config = &members.config("dogwood");
    for _ in 0..2 {
        Running::start(config).0.kill();
    }
    let events = answer(&["log", "rebuild", "--config", config], 0)["events"].as_u64().unwrap();
    let path = members.directory("dogwood").join("journal/00000000.log");
    let bytes = std::fs::read(&path).unwrap();
    let last = bytes.iter().rposition(|byte| *byte != 0).unwrap();
    File::options().write(true).open(&path).unwrap().write_all_at(&[0; 21], last as u64 - 20).unwrap();
    let refused = watchfire(&["run", "--config", config]);
    let said = stderr(&refused);
    let told = ["1 records that were acknowledged", "00000000.log", "log repair"];
    assert!(!refused.status.success() && told.iter().all(|told| said.contains(told)), "{said}");
    let refused = answer(&["log", "rebuild", "--config", config], 3);
    assert!(refused["code"] == "tail-lost" && refused["error"].as_str().unwrap().contains("log repair"), "{refused}");
    let repaired = answer(&["log", "repair", "--config", config], 0);
    assert_eq!(repaired["lost"], 1, "nothing took away what knows it: {repaired}");
    assert_eq!(answer(&["log", "repair", "--config", config], 0)["lost"], 0, "noted once");
    let (mut node, _) = Running::start(config);
    node.kill();
    let verified = answer(&["log", "verify", "--config", config], 0);
    assert_eq!((&verified["log_verified"], &verified["faults"]), (&true.into(), &serde_json::json!([])), "{verified}");
    assert!(verified["events"].as_u64().unwrap() >= events, "{verified}");
}
