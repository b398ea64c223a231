//! What an auditor does: a checkpoint of a running node with a witness, proofs from the directory it left, checks without a node.

use std::fs;

use serde_json::Value;

use crate::fixture::{Members, Running, endpoint_of_chain, json, stderr, watchfire};

fn answer(arguments: &[&str], code: i32) -> Value {
    let output = watchfire(&[arguments, &["--json"]].concat());
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {}", stderr(&output));
    json(&output)
}

fn holds(report: &Value, check: &str) -> bool {
    let checks = report["checks"].as_array().unwrap();
    checks.iter().find(|found| found["check"] == check).is_some_and(|found| found["holds"] == true)
}

/// A node's checkpoint is witnessed by another one within moments; what both left behind proves every event of it to anyone who has the
/// charter, and a changed byte proves nothing.
#[test]
fn checkpoints_and_proofs_outlive_their_node() {
    let members = Members::new(&endpoint_of_chain(31_337));
    let (mut alder, mut birch) = (Running::start(&members, "alder"), Running::start(&members, "birch"));
    let config = members.config("alder");
    // Asking takes the node a moment each time: the two find each other meanwhile, as long as both run.
    let taken = loop {
        let output = watchfire(&["log", "checkpoint", "--config", &config, "--json"]);
        let answer = output.status.success().then(|| json(&output));
        let witnessed = |answer: &Value| answer["witnesses"].as_array().is_some_and(|witnesses| !witnesses.is_empty());
        if let Some(answer) = answer.filter(witnessed) {
            break answer;
        }
        for (node, organisation) in [(&mut alder, "alder"), (&mut birch, "birch")] {
            let log = members.directory(organisation).join("stderr.log");
            assert!(node.0.try_wait().unwrap().is_none(), "it ended: {}", fs::read_to_string(log).unwrap());
        }
    };
    assert_eq!(alder.stop(), Some(0));
    assert_eq!(birch.stop(), Some(0));

    let base = members.directory("alder");
    let (file, charter) = (base.join("note"), members.charter());
    let file = file.to_str().unwrap();
    fs::write(file, taken["checkpoint"].as_str().unwrap()).unwrap();
    let report = answer(&["log", "check", file, "--charter", &charter], 0);
    assert_eq!(report["kind"], "checkpoint");
    assert_eq!(report["witnesses"], serde_json::json!(["birch-1"]));
    assert_eq!(answer(&["verify", file, "--charter", &charter], 0)["kind"], "checkpoint");
    answer(&["verify", file], 64);
    let keys = answer(&["log", "keys", file, "--charter", &charter], 0);
    let listed = watchfire(&["log", "keys", file, "--charter", &charter]);
    let (log, birch) = (keys["log"].as_str().unwrap(), keys["witnesses"]["birch-1"].as_str().unwrap());
    assert!(log.starts_with(&format!("{}+", taken["origin"].as_str().unwrap())), "{log}");
    assert!(birch.starts_with(&format!("{}+", taken["witnesses"][0].as_str().unwrap())), "{birch}");
    let lines = String::from_utf8(listed.stdout).unwrap();
    assert!(lines.starts_with(&format!("{log}\n")) && lines.lines().any(|line| line == birch), "{lines}");
    assert_eq!(answer(&["log", "keys", "--charter", &charter], 0)["log"], Value::Null);

    let size = taken["size"].as_u64().unwrap();
    for index in 0..size {
        let proof = answer(&["log", "prove", "--index", &index.to_string(), "--config", &config], 0);
        fs::write(file, proof["proof"].as_str().unwrap()).unwrap();
        let report = answer(&["log", "check", file, "--charter", &charter], 0);
        assert!(holds(&report, "inclusion") && holds(&report, "event"), "{report}");
    }
    let mut changed = fs::read_to_string(file).unwrap();
    let within = changed.find("extra ").unwrap() + 60;
    let other = if changed[within..].starts_with('A') { "B" } else { "A" };
    changed.replace_range(within..=within, other);
    fs::write(file, changed).unwrap();
    let report = answer(&["log", "check", file, "--charter", &charter], 1);
    assert_eq!(report["holds"], false);

    let proof = answer(&["log", "prove", "--from", "1", "--config", &config], 0);
    fs::write(file, proof["proof"].as_str().unwrap()).unwrap();
    assert!(holds(&answer(&["verify", file, "--charter", &charter], 0), "consistency"));
    // The other node's directory proves the same of the first.
    let theirs = members.config("birch");
    let note = answer(&["log", "checkpoint", "--member", "alder-1", "--config", &theirs], 0);
    fs::write(file, note["checkpoint"].as_str().unwrap()).unwrap();
    answer(&["log", "check", file, "--charter", &charter], 0);
    assert_eq!(answer(&["log", "faults", "--config", &theirs], 0)["convictions"], serde_json::json!([]));
    assert_eq!(answer(&["log", "prove", "--index", "9999", "--config", &config], 3)["exit_code"], 3);
}
