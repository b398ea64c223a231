//! What an auditor gets from a node whose log was pruned, with the binary alone: the rest proved as before, and the archive named for what went.

use std::fs;
use std::path::Path;

use serde_json::Value;
use sha2::{Digest as _, Sha256};
use watchfire_journal::{FileStorage, Journal, JournalOptions};
use watchfire_protocol::incident_id;
use watchfire_transparency::{Checkpoint, Frontier, Origin, Statement};
use watchfire_types::body::{self, Body, Finding, Human, HumanStatement};
use watchfire_types::{AssetId, B256, BlockRef, BlockTime, Bytes, ChainId, Epoch, EventHash, IncidentId, Severity};

use crate::author::{self, Author};
use crate::fixture::{Members, Running, json, stderr, watchfire};

const SMALL: JournalOptions = JournalOptions { segment_bytes: 4096, chunk_bytes: 4096, reserve_bytes: 0 };
const OLD: [u8; 16] = [0xe0; 16];

/// One epoch of elm's that grows.
struct Epoched {
    author: Author,
    seq: u64,
    prev: EventHash,
    tree: Frontier,
}

impl Epoched {
    fn new(charter: &watchfire_charter::Charter, epoch: [u8; 16]) -> (Self, Bytes) {
        let (charter, member) = (charter.clone(), "elm-1".parse().unwrap());
        let author = Author { charter, member, epoch: Epoch::from_bytes(epoch) };
        let (prev, started) = author.started();
        let mut tree = Frontier::new();
        tree.push(&started);
        (Self { author, seq: 1, prev, tree }, started)
    }

    fn says(&mut self, body: Body) -> Bytes {
        let leaf = !matches!(body, Body::Checkpoint(_));
        let (hash, event) = self.author.says(self.seq, self.prev, body);
        (self.seq, self.prev) = (self.seq + 1, hash);
        if leaf {
            self.tree.push(&event);
        }
        event
    }

    fn notes(&mut self, count: u64, incident: IncidentId) -> Vec<Bytes> {
        let human = |n| Human { person: "p-1".into(), role: "lead".into(), reason: format!("note {n}") };
        (0..count).map(|n| self.says(Body::Note(HumanStatement { incident, human: human(n) }))).collect()
    }

    fn checkpoint(&mut self) -> Bytes {
        let Author { charter, member, epoch } = &self.author;
        let origin = Origin { network: charter.network_id(), member: member.clone(), epoch: *epoch };
        let stated = Checkpoint { origin, size: self.tree.size(), root: self.tree.root() };
        let signature = Author::sign(Statement::Checkpoint(&stated).text().as_bytes());
        let (member, root) = (member.clone(), B256::from(stated.root));
        self.says(Body::Checkpoint(body::Checkpoint { member, size: stated.size, root, signature }))
    }
}

fn finding(asset: AssetId) -> Body {
    let time = BlockTime::from_secs(1_700_000_000);
    let block = BlockRef { chain: ChainId::new(31_337), number: 100, hash: B256::repeat_byte(1), time };
    Body::Finding(Finding {
        asset,
        detector: "vault-outflow".parse().unwrap(),
        kind: "outflow".into(),
        severity: Severity::Sev2,
        first: block,
        block,
        explanation: "it loses too much".into(),
        figures: Default::default(),
    })
}

/// Elm's word in alder's directory: an old epoch that ends with a checkpoint, and one with an incident that nobody closed. Answers the
/// number of leaves of the second.
fn filled(members: &Members, charter: &watchfire_charter::Charter) -> u64 {
    let (asset, other): (AssetId, _) = ("vault-core".parse().unwrap(), IncidentId::from_bytes([7; 32]));
    let incident = incident_id(charter.network_id(), &asset, 0);
    let (mut old, started) = Epoched::new(charter, OLD);
    let mut records = vec![started];
    records.extend(old.notes(10, other));
    records.push(old.checkpoint());
    let (mut new, started) = Epoched::new(charter, [0xe1; 16]);
    records.extend([started, new.says(finding(asset))]);
    records.extend(new.notes(60, other));
    records.push(new.checkpoint());
    records.extend(new.notes(20, incident));
    // The last commit stands in one segment, whenever the others were begun.
    let mut last = new.notes(5, incident);
    last.push(new.checkpoint());
    let storage = FileStorage::open(&members.directory("alder").join("journal")).unwrap();
    let mut journal = Journal::open(storage, SMALL).unwrap();
    for record in &records {
        journal.append(record).unwrap();
        journal.sync().unwrap();
    }
    for record in &last {
        journal.append(record).unwrap();
    }
    journal.sync().unwrap();
    new.tree.size()
}

fn answer(arguments: &[&str], code: i32) -> Value {
    let output = watchfire(&[arguments, &["--json"]].concat());
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {}", stderr(&output));
    json(&output)
}

/// Alder runs until it has witnessed the newest checkpoints of both epochs: nothing goes that nobody witnessed.
fn witnessed(members: &Members) {
    let mut running = Running::start(members, "alder");
    running.answers(members, "alder");
    let config = members.config("alder");
    for epoch in ["e0", "e1"] {
        let of = ["log", "checkpoint", "--member", "elm-1", "--epoch", epoch, "--config", &config];
        // Each question is a process of its own: the node works meanwhile.
        while answer(&of, 0)["witnesses"] == serde_json::json!([]) {
            assert!(running.0.try_wait().unwrap().is_none(), "it ended");
        }
    }
    assert_eq!(running.stop(), Some(0));
}

fn sha256(file: &Path) -> String {
    hex::encode(Sha256::digest(fs::read(file).unwrap()))
}

/// What stays after a pruning is proved as before; what went is named with the archive that holds it, and is proved again once that is imported.
#[test]
fn a_pruned_log_proves_the_rest_and_names_its_archive() {
    let (members, elm) = author::members();
    let size = filled(&members, &elm.charter);
    witnessed(&members);
    let (config, charter) = (members.config("alder"), members.charter());
    let (archive, file) = (members.base.path().join("archive.jsonl"), members.base.path().join("file"));
    let (archive, file) = (archive.to_str().unwrap(), file.to_str().unwrap());
    answer(&["log", "export", "-o", archive, "--config", &config], 0);
    let pruned = ["log", "prune", "--archive", archive, "--keep-days", "60", "--config", &config];
    assert!(answer(&pruned, 0)["pruned"].as_u64().unwrap() > 60);
    let named = sha256(Path::new(archive));

    let of_elm = ["--member", "elm-1", "--epoch", "e1", "--config", &config];
    let prove = |what: &[&str], code| answer(&[&["log", "prove"], what, &of_elm].concat(), code);
    let holds = |proof: &Value| {
        fs::write(file, proof["proof"].as_str().or(proof["checkpoint"].as_str()).unwrap()).unwrap();
        assert_eq!(answer(&["verify", file, "--charter", &charter], 0)["holds"], true);
    };
    let gone = (0..size).find(|index| {
        let proof = watchfire(&[&["log", "prove", "--index", &index.to_string(), "--json"], &of_elm[..]].concat());
        proof.status.success()
    });
    let gone = gone.expect("the last events are proved");
    assert!(gone > 62 && gone < size, "{gone} of {size}");
    for index in gone..size {
        holds(&prove(&["--index", &index.to_string()], 0));
    }
    for what in [["--index", "0"], ["--index", &(gone - 1).to_string()], ["--from", "1"]] {
        let refused = prove(&what, 3);
        let said = refused["error"].as_str().unwrap();
        assert!(refused["code"] == "pruned" && said.contains(&named) && said.contains("log import"), "{said}");
    }
    holds(&prove(&["--from", &gone.to_string()], 0));
    // Of an epoch that went as a whole its last checkpoint is left.
    let of_old = ["log", "checkpoint", "--member", "elm-1", "--epoch", "e0", "--config", &config];
    let old = answer(&of_old, 0);
    assert_eq!(old["size"], 11);
    holds(&old);

    let bundle = |name: &str| {
        let path = members.base.path().join(name);
        let made = answer(&["incident", "bundle", "latest", "-o", path.to_str().unwrap(), "--config", &config], 0);
        (made, answer(&["verify", path.to_str().unwrap(), "--charter", &charter], 0))
    };
    let proved = |report: &Value| {
        let checks = report["checks"].as_array().unwrap();
        let inclusion = checks.iter().find(|check| check["name"] == "inclusion").unwrap();
        (inclusion["outcome"].clone(), inclusion["detail"].as_str().unwrap().to_owned())
    };
    // A node that runs makes checkpoints of its own over what was pruned.
    let mut running = Running::start(&members, "alder");
    running.answers(&members, "alder");
    let taken = watchfire(&["log", "checkpoint", "--config", &config, "--json"]);
    let log = members.directory("alder").join("stderr.log");
    assert!(taken.status.success(), "{}{}", stderr(&taken), fs::read_to_string(log).unwrap());
    holds(&json(&taken));
    let (made, report) = bundle("pruned.bundle");
    assert!(made["pruned"].as_str().unwrap().contains(&named), "{made}");
    let (outcome, detail) = proved(&report);
    assert!(outcome == "open" && detail.contains("had pruned") && !detail.starts_with("0 events"), "{detail}");
    assert_eq!(running.stop(), Some(0));

    assert!(answer(&["log", "import", archive, "--config", &config], 0)["events"].as_u64().unwrap() > size);
    holds(&prove(&["--index", "0"], 0));
    holds(&prove(&["--from", "1"], 0));
    let (made, report) = bundle("whole.bundle");
    assert_eq!(made["pruned"], Value::Null);
    assert_eq!(proved(&report), ("holds".into(), "all 86 events".to_owned()));
}
