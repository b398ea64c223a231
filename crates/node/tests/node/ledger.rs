//! The ledger of rules on the command line: of a running node and of the log that it left, and the words that are refused.

use std::collections::BTreeMap;

use serde_json::Value;
use watchfire_journal::{FileStorage, Journal, JournalOptions};
use watchfire_types::body::{Body, Finding};
use watchfire_types::{B256, BlockRef, BlockTime, Severity};

use crate::author;
use crate::fixture::{Members, Running, json, stderr, watchfire};

fn stats(members: &Members) -> Value {
    let output = watchfire(&["rules", "stats", "--config", &members.config("alder"), "--json"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    json(&output)["rules"].clone()
}

/// What one member found stands in the ledger as one member's word, the same beside the node and after it; a rule that is not demoted is not
/// promoted, and a word that is no outcome is none.
#[test]
fn the_ledger_is_read_with_and_without_a_node() {
    let (members, elm) = author::members();
    let (rule, detector) = elm.charter.detectors.iter().next().unwrap();
    let chain = elm.charter.assets[&detector.asset].chain;
    let block = BlockRef { chain, number: 7, hash: B256::repeat_byte(7), time: BlockTime::from_secs(1_700_000_007) };
    let finding = Finding {
        asset: detector.asset.clone(),
        detector: rule.clone(),
        kind: detector.watch.kind().into(),
        severity: Severity::Sev2,
        first: block,
        block,
        explanation: "found".into(),
        figures: BTreeMap::new(),
    };
    let storage = FileStorage::open(&members.directory("alder").join("journal")).unwrap();
    let mut journal = Journal::open(storage, JournalOptions::default()).unwrap();
    let (prev, started) = elm.started();
    journal.append(&started).unwrap();
    journal.append(&elm.says(1, prev, Body::Finding(finding)).1).unwrap();
    journal.sync().unwrap();
    drop(journal);

    let kept = stats(&members);
    let of = |stats: &Value| {
        let all = stats.as_array().unwrap();
        assert_eq!(all.len(), elm.charter.detectors.len(), "a line a rule");
        all.iter().find(|stats| stats["rule"] == rule.as_str()).unwrap().clone()
    };
    let told = of(&kept);
    for (key, value) in [("fired", 0), ("confirmed", 0), ("false", 0), ("unjudged", 0), ("open", 0), ("alone", 1)] {
        assert_eq!(told[key], value, "{told}");
    }
    assert_eq!((&told["demoted"], &told["last_fired"]), (&Value::Null, &Value::Null));
    let mut node = Running::start(&members, "alder");
    node.answers(&members, "alder");
    assert_eq!(stats(&members), kept);
    let config = members.config("alder");
    let who = ["--person", "p-1", "--role", "lead", "--reason", "fine now", "--config", &config, "--json"];
    let refused = watchfire(&[&["rules", "promote", "no-such-rule"], &who[..]].concat());
    assert!(refused.status.code() == Some(3) && json(&refused)["error"].as_str().unwrap().contains("no-such-rule"));
    assert_eq!(node.stop(), Some(0));
    assert_eq!(stats(&members), kept);
    let close = ["incident", "close", "latest", "--outcome", "maybe", "--person", "p-1", "--reason", "x", "--json"];
    let output = watchfire(&close);
    assert_eq!(output.status.code(), Some(64));
    assert!(json(&output)["error"].as_str().unwrap().contains("confirmed or false"));
}
