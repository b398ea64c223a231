//! A member that signs two histories and shows them to one node; real nodes convict it, everywhere, for anyone.

use std::fs;
use std::time::{Duration, Instant};

use serde_json::Value;
use watchfire_types::body::{Body, Checkpoint};
use watchfire_types::{B256, Bytes, EventHash};
use watchfire_wire::CatchUpResponse;

use crate::author::{self, Author, port_of};
use crate::fixture::{Members, Running, json, stderr, watchfire};
use crate::port;

const PATIENCE: Duration = Duration::from_secs(120);

/// What it signs that no honest member would.
impl Author {
    /// A checkpoint over the first event with this root, in place `seq`.
    fn checkpoint(&self, seq: u64, prev: EventHash, root: [u8; 32]) -> (EventHash, Bytes) {
        let origin = watchfire_transparency::Origin {
            network: self.charter.network_id(),
            member: self.member.clone(),
            epoch: self.epoch,
        };
        let checkpoint = watchfire_transparency::Checkpoint { origin, size: 1, root };
        let signature = Self::sign(checkpoint.text().as_bytes());
        let member = self.member.clone();
        self.says(seq, prev, Body::Checkpoint(Checkpoint { member, size: 1, root: B256::from(root), signature }))
    }

    /// Two second events of one epoch.
    fn two_histories(&self) -> Vec<Bytes> {
        let (first, started) = self.started();
        vec![started, self.note(1, first, "we saw nothing").1, self.note(1, first, "we saw everything").1]
    }

    /// One chain in which it signs two trees over the same first event.
    fn two_trees(&self) -> Vec<Bytes> {
        let (first, started) = self.started();
        let (second, honest) = self.checkpoint(1, first, watchfire_transparency::leaf_hash(&started));
        let (_, false_one) = self.checkpoint(2, second, [9; 32]);
        vec![started, honest, false_one]
    }
}

/// Waits until a running node's status shows the member as faulty.
fn shows_faulty(members: &Members, organisation: &str) -> bool {
    let deadline = Instant::now() + PATIENCE;
    // Each question is a process of its own: the nodes work meanwhile.
    while Instant::now() < deadline {
        let output = watchfire(&["status", "--config", &members.config(organisation), "--json"]);
        let text = String::from_utf8_lossy(&output.stdout);
        let status = text.lines().last().and_then(|line| serde_json::from_str::<Value>(line).ok()).unwrap_or_default();
        let peers = status["peers"].as_array().cloned().unwrap_or_default();
        if peers.iter().any(|peer| peer["member"] == "elm-1" && peer["faulty"] == true) {
            return true;
        }
    }
    false
}

/// Plays it: alder is shown the events, birch never meets their author; both convict it, status says so, and each keeps an object that
/// convinces anyone who has the charter, until a byte of it is changed.
async fn convicted(events: impl Fn(&Author) -> Vec<Bytes>, verdict: &str) {
    let port = port::free().unwrap().port();
    let (members, equivocator) = author::members_who_know(port);
    let (alder, birch) = (Running::start(&members, "alder"), Running::start(&members, "birch"));
    let events = events(&equivocator);
    let handle = equivocator.joins(port, port_of(&members, "alder"), move |_| CatchUpResponse {
        events: events.clone(),
        complete: true,
        ..CatchUpResponse::default()
    });
    let members = tokio::task::spawn_blocking(move || {
        for organisation in ["alder", "birch"] {
            let log = || fs::read_to_string(members.directory(organisation).join("stderr.log")).unwrap();
            assert!(shows_faulty(&members, organisation), "{organisation} does not show it:\n{}", log());
        }
        assert_eq!(alder.stop(), Some(0));
        assert_eq!(birch.stop(), Some(0));
        members
    })
    .await
    .unwrap();
    handle.shutdown().await;
    for organisation in ["alder", "birch"] {
        let folder = members.base.path().join(format!("faults-of-{organisation}"));
        fs::create_dir(&folder).unwrap();
        let config = members.config(organisation);
        let verified = watchfire(&["log", "verify", "--config", &config, "--json"]);
        assert!(verified.status.success(), "a liar's word is no fault of the log: {}", json(&verified));
        let output = watchfire(&["log", "faults", "--output", folder.to_str().unwrap(), "--config", &config, "--json"]);
        assert!(output.status.success(), "{}", stderr(&output));
        let convictions = json(&output)["convictions"].as_array().unwrap().clone();
        assert_eq!(convictions.len(), 1, "{convictions:#?}");
        assert_eq!(convictions[0]["member"], "elm-1");
        assert!(convictions[0]["verdict"].as_str().unwrap().contains(verdict), "{convictions:#?}");
        let file = convictions[0]["file"].as_str().unwrap();
        let verified = |code: i32| {
            let output = watchfire(&["verify", file, "--charter", &members.charter(), "--json"]);
            assert_eq!(output.status.code(), Some(code), "{}", stderr(&output));
            json(&output)
        };
        assert_eq!(verified(0)["holds"], true);
        let mut bytes = fs::read(file).unwrap();
        let last = bytes.len() - 1;
        bytes[last] ^= 1;
        fs::write(file, bytes).unwrap();
        let output = watchfire(&["verify", file, "--charter", &members.charter(), "--json"]);
        assert_ne!(output.status.code(), Some(0), "a changed object convicts too");
    }
}

/// Two events at one place of one epoch.
#[tokio::test(flavor = "multi_thread")]
async fn two_histories_convict() {
    convicted(Author::two_histories, "two events at position 1").await;
}

/// Two signed trees over the same events.
#[tokio::test(flavor = "multi_thread")]
async fn two_trees_convict() {
    convicted(Author::two_trees, "checkpoint").await;
}
