//! Evidence taken out of the directory of a node that does not run: noted before a byte leaves, and said by the next start, once.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use sha2::{Digest as _, Sha256};
use watchfire_journal::{FileStorage, Journal, JournalOptions, Position, scan};
use watchfire_protocol::incident_id;
use watchfire_types::body::{
    AccessAction, Body, Custodian, Custody, EvidenceAccessed, EvidenceCheck, EvidenceCollected, EvidenceItem,
    EvidenceKind, Finding, Human,
};
use watchfire_types::{AssetId, B256, BlockRef, BlockTime, ChainId, Severity, Timestamp};
use watchfire_wire::bundle::Bundle;
use watchfire_wire::decode_signed;

use crate::author::{self, Author};
use crate::fixture::{Members, Running, json, stderr, watchfire};

const OBJECT: &[u8] = br#"{"jsonrpc":"2.0","id":1,"result":[]}"#;

fn answer(arguments: &[&str], code: i32) -> Value {
    let output = watchfire(&[arguments, &["--json"]].concat());
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {}", stderr(&output));
    json(&output)
}

/// Lies in the store, and no event ever spoke of it.
const STRAY: &[u8] = br#"{"jsonrpc":"2.0","id":1,"result":[1]}"#;

/// Elm found something and collected an object, of which alder holds a copy.
fn filled(members: &Members, elm: &Author) -> B256 {
    let asset: AssetId = "vault-core".parse().unwrap();
    let time = BlockTime::from_secs(1_700_000_000);
    let block = BlockRef { chain: ChainId::new(31_337), number: 100, hash: B256::repeat_byte(1), time };
    let (first, started) = elm.started();
    let finding = Finding {
        asset: asset.clone(),
        detector: "vault-outflow".parse().unwrap(),
        kind: "outflow".into(),
        severity: Severity::Sev2,
        first: block,
        block,
        explanation: "it loses too much".into(),
        figures: Default::default(),
    };
    let (basis, found) = elm.says(1, first, Body::Finding(finding));
    let object = B256::from_slice(&Sha256::digest(OBJECT));
    let item = EvidenceItem {
        kind: EvidenceKind::Logs,
        block,
        operator: "op-elm".parse().unwrap(),
        method: "eth_getLogs".into(),
        params: "[]".into(),
        request: B256::repeat_byte(2),
        object,
        size: OBJECT.len() as u64,
        at: Timestamp::from_millis(1_700_000_001_000),
        check: EvidenceCheck::OneOperator,
    };
    let incident = incident_id(elm.charter.network_id(), &asset, 0);
    let custody = Custody { tool: "test".into(), clock: "a test's".into() };
    let manifest = EvidenceCollected { incident, asset, basis, custody, items: vec![item] };
    let (_, collected) = elm.says(2, basis, Body::EvidenceCollected(manifest));
    let directory = members.directory("alder");
    let storage = FileStorage::open(&directory.join("journal")).unwrap();
    let mut journal = Journal::open(storage, JournalOptions::default()).unwrap();
    for record in [started, found, collected] {
        journal.append(&record).unwrap();
    }
    journal.sync().unwrap();
    fs::create_dir(directory.join("evidence")).unwrap();
    fs::write(directory.join(format!("evidence/{object:x}")), OBJECT).unwrap();
    fs::write(directory.join(format!("evidence/{:x}", B256::from_slice(&Sha256::digest(STRAY)))), STRAY).unwrap();
    object
}

fn owed(directory: &Path) -> Vec<PathBuf> {
    let paths = fs::read_dir(directory.join("evidence")).unwrap().map(|entry| entry.unwrap().path());
    paths.filter(|path| path.extension().is_some_and(|extension| extension == "owed")).collect()
}

/// What alder says was done with evidence, with the process that said the newest of it stopped.
fn said(members: &Members, count: usize) -> Vec<EvidenceAccessed> {
    let mut running = Running::start(members, "alder");
    running.answers(members, "alder");
    let config = members.config("alder");
    let query = ["log", "query", "--kind", "evidence-accessed", "--author", "alder-1", "--config", &config];
    // Each question is a process of its own: the node works meanwhile.
    while answer(&query, 0)["events"].as_array().unwrap().len() < count || !owed(&members.directory("alder")).is_empty()
    {
        assert!(running.0.try_wait().unwrap().is_none(), "it ended");
    }
    assert_eq!(running.stop(), Some(0));
    let mut accesses = Vec::new();
    let storage = FileStorage::read_only(&members.directory("alder").join("journal"));
    scan(&storage, Position::START, |record| {
        if let Body::EvidenceAccessed(accessed) = &decode_signed(record.bytes).unwrap().event().body {
            accesses.push(accessed.clone());
        }
    })
    .unwrap();
    accesses
}

#[test]
fn what_leaves_a_stopped_node_is_said_by_its_next_start() {
    let (members, elm) = author::members();
    let object = filled(&members, &elm);
    let (config, directory) = (members.config("alder"), members.directory("alder"));
    let bundle = |name: &str, more: &[&str]| {
        let file = members.base.path().join(name);
        answer(
            &[&["incident", "bundle", "latest", "-o", file.to_str().unwrap(), "--config", &config], more].concat(),
            0,
        )
    };
    let made = bundle("one.bundle", &["--person", "p-7", "--reason", "for the auditor"]);
    assert_eq!(
        (&made["custody_recorded"], &made["custody_owed"], &made["objects"]),
        (&false.into(), &true.into(), &1.into())
    );
    let written = Bundle::decode(&fs::read(members.base.path().join("one.bundle")).unwrap().into()).unwrap();
    assert_eq!(written.objects.iter().map(|held| held.digest).collect::<Vec<_>>(), [object], "what was announced");
    let kept = owed(&directory);
    assert_eq!(kept.len(), 2, "that it was read, and that it is outside");
    let again: Vec<Vec<u8>> = kept.iter().map(|path| fs::read(path).unwrap()).collect();

    let events = said(&members, 2);
    assert_eq!(events.len(), 2, "{events:?}");
    let human = Human { person: "p-7".into(), role: "responder".into(), reason: "for the auditor".into() };
    let (read, exported) = ((AccessAction::Read, "for the evidence bundle"), (AccessAction::Exported, "SHA-256 "));
    for (event, (action, what)) in events.iter().zip([read, exported]) {
        assert_eq!((event.action, &event.by), (action, &Custodian::Human(human.clone())));
        assert_eq!(event.objects, [object]);
        assert!(
            event.detail.starts_with(what) && event.detail.contains("one.bundle; while no node ran, 20"),
            "{event:?}"
        );
    }
    // As after a kill between the event and the removal; and one that cannot be read hides nothing.
    kept.iter().zip(again).for_each(|(path, bytes)| fs::write(path, bytes).unwrap());
    fs::write(directory.join("evidence/broken.owed"), "{").unwrap();
    let mut running = Running::start(&members, "alder");
    running.answers(&members, "alder");
    while owed(&directory).len() > 1 {
        assert!(running.0.try_wait().unwrap().is_none(), "it ended");
        running.answers(&members, "alder");
    }
    assert_eq!(running.stop(), Some(0));
    fs::remove_file(directory.join("evidence/broken.owed")).unwrap();
    assert_eq!(said(&members, 2), events, "said once");
    assert_eq!(bundle("two.bundle", &[])["custody_owed"], true, "whoever it was");
}
