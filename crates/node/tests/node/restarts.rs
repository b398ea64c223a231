//! A node that dies and is back before the others noticed.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::author::port_of;
use crate::fixture::{Members, Running, endpoint_of_chain, watchfire};

const PATIENCE: Duration = Duration::from_secs(120);

/// Every member listens on QUIC alone: there nothing says that a process is gone.
fn over_quic(members: &Members) {
    for organisation in members.entries.keys() {
        for file in ["config.toml", "charter.toml"] {
            let path = members.directory(organisation).join(file);
            let text = members.entries.keys().fold(std::fs::read_to_string(&path).unwrap(), |text, of| {
                let port = port_of(members, of);
                text.replace(&format!("/tcp/{port}\""), &format!("/udp/{port}/quic-v1\""))
            });
            std::fs::write(path, text).unwrap();
        }
    }
}

/// Waits until a node's status shows another one as connected.
fn sees(members: &Members, organisation: &str, member: &str) {
    let deadline = Instant::now() + PATIENCE;
    // Each question is a process of its own: the nodes work meanwhile.
    while Instant::now() < deadline {
        let output = watchfire(&["status", "--config", &members.config(organisation), "--json"]);
        let text = String::from_utf8_lossy(&output.stdout);
        let status = text.lines().last().and_then(|line| serde_json::from_str::<Value>(line).ok()).unwrap_or_default();
        let peers = status["peers"].as_array().cloned().unwrap_or_default();
        if peers.iter().any(|peer| peer["member"] == member && peer["connected"] == true) {
            return;
        }
    }
    let log = std::fs::read_to_string(members.directory(organisation).join("stderr.log")).unwrap();
    panic!("{organisation} does not see {member}:\n{log}");
}

/// Killed and started again at once it hears the others, and they hear it, though they still hold what was their connection to it.
#[test]
fn a_node_that_is_back_at_once_hears_and_is_heard() {
    let members = Members::new(&endpoint_of_chain(31_337));
    over_quic(&members);
    let (alder, birch) = (Running::start(&members, "alder"), Running::start(&members, "birch"));
    sees(&members, "alder", "birch-1");
    sees(&members, "birch", "alder-1");
    drop(alder);
    let alder = Running::start(&members, "alder");
    sees(&members, "alder", "birch-1");
    sees(&members, "birch", "alder-1");
    assert_eq!((alder.stop(), birch.stop()), (Some(0), Some(0)));
}
