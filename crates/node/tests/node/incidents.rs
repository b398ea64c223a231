//! Two incidents at once at a real node, and what a person says to each.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::Value;
use watchfire_types::body::{Body, Finding};
use watchfire_types::{B256, BlockRef, BlockTime, Bytes, ChainId, Severity};
use watchfire_wire::CatchUpResponse;

use crate::author::{self, Author, port_of};
use crate::fixture::{Members, Running, json, stderr, watchfire};
use crate::port;

const PATIENCE: Duration = Duration::from_secs(120);

const SECOND_ASSET: &str = "[[asset]]\nid = \"market\"\nname = \"Market\"\nchain = 31337\n\
    contracts = [\"0x9fE46736679d2D9a65F0992F2272dE9f3c7fa6e0\"]\ninternal = []\ncriticality = \"high\"\nrto_s = 3600\nrpo_s = 60\n";

/// Two findings of the vault by one rule, and one of the market, which is later.
fn found(author: &Author) -> Vec<Bytes> {
    let (mut prev, started) = author.started();
    let mut events = vec![started];
    for (seq, asset) in (1..).zip(["vault-core", "vault-core", "market"]) {
        let time = BlockTime::from_secs(1_700_000_000 + seq);
        let block = BlockRef { chain: ChainId::new(31_337), number: 100 + seq, hash: B256::repeat_byte(1), time };
        let (hash, event) = author.says(
            seq,
            prev,
            Body::Finding(Finding {
                asset: asset.parse().unwrap(),
                detector: "vault-outflow".parse().unwrap(),
                kind: "outflow".into(),
                severity: Severity::Sev2,
                first: block,
                block,
                explanation: format!("{asset} loses too much"),
                figures: BTreeMap::new(),
            }),
        );
        prev = hash;
        events.push(event);
    }
    events
}

fn answer(members: &Members, arguments: &[&str], code: i32) -> Value {
    let output = watchfire(&[arguments, &["--config", &members.config("alder"), "--json"]].concat());
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {}", stderr(&output));
    json(&output)
}

/// Waits until both are known.
fn both(members: &Members) -> Vec<Value> {
    let deadline = Instant::now() + PATIENCE;
    // Each question is a process of its own: the node works meanwhile.
    while Instant::now() < deadline {
        let output = watchfire(&["incident", "list", "--config", &members.config("alder"), "--json"]);
        let text = String::from_utf8_lossy(&output.stdout);
        let answer = text.lines().last().and_then(|line| serde_json::from_str::<Value>(line).ok()).unwrap_or_default();
        if let Some(incidents) = answer["incidents"].as_array().filter(|incidents| incidents.len() == 2) {
            return incidents.clone();
        }
    }
    panic!("no two incidents: {}", std::fs::read_to_string(members.directory("alder").join("stderr.log")).unwrap());
}

/// Two findings of one rule at two blocks.
fn findings_of_one_rule_are_one_line(members: &Members, incident: &str, firings: &Value) {
    assert_eq!((firings.as_array().unwrap().len(), &firings[0]["count"]), (1, &2.into()), "{firings}");
    assert_eq!((&firings[0]["first"]["number"], &firings[0]["last"]["number"]), (&101.into(), &102.into()));
    let text = |all: &[&str]| {
        let shown = watchfire(&[&["incident", "show", incident, "--config", &members.config("alder")], all].concat());
        String::from_utf8_lossy(&shown.stdout).into_owned()
    };
    let line = "SEV2 vault-outflow: vault-core loses too much [never fired before] (2 times, blocks 101 to 102, by ";
    assert!(text(&[]).contains(line), "{}", text(&[]));
    assert_eq!((text(&[]).matches("loses").count(), text(&["--all"]).matches("loses").count()), (1, 2));
}

/// No chain is read here, so that no time is known that would end a snooze.
fn nobody_snoozes_without_a_chain(members: &Members, incident: &str) {
    let who = ["--person", "p-1", "--role", "lead", "--reason", "a test"];
    let config = members.config("alder");
    let snooze = [&["incident", "snooze", incident, "--minutes", "60", "--config", &config], &who[..]].concat();
    let refused = watchfire(&snooze);
    assert!(stderr(&refused).contains("no agreed head"), "{}", stderr(&refused));
    assert_ne!(refused.status.code(), Some(0));
    let status = json(&watchfire(&["status", "--json", "--config", &config]));
    let told: Vec<_> = status["incidents"].as_array().unwrap().iter().map(|one| one["severity"].clone()).collect();
    assert_eq!((told, &status["snoozes"]), (vec!["SEV2".into(), "SEV4".into()], &Value::Array(vec![])));
}

/// Nobody acts on the wrong one of two, and every word stands in the incident that it is about.
#[tokio::test(flavor = "multi_thread")]
async fn a_person_speaks_to_one_of_two() {
    let port = port::free().unwrap().port();
    let (members, author) = author::members_who_know(port);
    let text = std::fs::read_to_string(members.charter()).unwrap().replacen(
        "[rules.contain]",
        &format!("{SECOND_ASSET}[rules.contain]"),
        1,
    );
    for organisation in members.entries.keys() {
        std::fs::write(members.directory(organisation).join("charter.toml"), &text).unwrap();
    }
    let author = Author { charter: watchfire_charter::parse(&text).unwrap().0, ..author };
    let alder = Running::start(&members, "alder");
    let events = found(&author);
    let handle = author.joins(port, port_of(&members, "alder"), move |_| CatchUpResponse {
        events: events.clone(),
        complete: true,
        ..CatchUpResponse::default()
    });
    tokio::task::spawn_blocking(move || {
        let open = both(&members);
        assert_eq!(open[0]["asset"], "market", "the newest first");
        let who = ["--person", "p-1", "--role", "lead", "--reason", "a test"];
        let refused = answer(&members, &[&["incident", "ack", "latest"], &who[..]].concat(), 64);
        assert_eq!(refused["code"], "ambiguous");
        assert!(refused["error"].as_str().unwrap().contains("of vault-core"), "{refused}");
        let vault = open[1]["id"].as_str().unwrap();
        for command in ["ack", "reject"] {
            let done = answer(&members, &[&["incident", command, vault], &who[..]].concat(), 0);
            assert_eq!(done["events"].as_array().unwrap().len(), 1, "{command}");
        }
        answer(&members, &[&["incident", "classify", vault, "--severity", "SEV4"], &who[..]].concat(), 0);
        answer(&members, &["incident", "note", vault, "called the team", "--person", "p-1", "--role", "lead"], 0);
        let shown = answer(&members, &["incident", "show", vault], 0);
        let kinds: Vec<&str> =
            shown["records"].as_array().unwrap().iter().map(|record| record["kind"].as_str().unwrap()).collect();
        for kind in ["finding", "acknowledged", "rejected", "classified", "note"] {
            assert!(kinds.contains(&kind), "{kind}: {kinds:?}");
        }
        findings_of_one_rule_are_one_line(&members, vault, &shown["firings"]);
        nobody_snoozes_without_a_chain(&members, vault);
        let market = answer(&members, &["incident", "show", open[0]["id"].as_str().unwrap()], 0);
        assert_eq!(market["records"].as_array().unwrap().len(), 1, "{market}");
        let both = both(&members);
        let severity =
            |asset: &str| both.iter().find(|incident| incident["asset"] == asset).unwrap()["severity"].clone();
        assert_eq!((severity("vault-core"), severity("market")), ("SEV4".into(), "SEV2".into()));
        assert_eq!(alder.stop(), Some(0));
    })
    .await
    .unwrap();
    handle.shutdown().await;
}
