//! A node under a service manager.

use std::os::unix::net::UnixDatagram;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::fixture::{Members, Running, WATCHFIRE, endpoint_of_chain, json, watchfire};

/// The manager hears that the node runs, that it still does, and that it stops when told to.
#[test]
fn a_service_manager_is_told() {
    let members = Members::new(&endpoint_of_chain(31_337));
    let path = members.base.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(300))).unwrap();
    let hear = || {
        let mut bytes = [0; 64];
        let length = socket.recv(&mut bytes).unwrap();
        String::from_utf8_lossy(&bytes[..length]).into_owned()
    };
    let mut node = Command::new(WATCHFIRE)
        .args(["run", "--config", &members.config("alder")])
        .env("NOTIFY_SOCKET", &path)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    assert_eq!([hear(), hear()], ["READY=1\n", "WATCHDOG=1\n"]);
    assert!(Command::new("kill").args(["-TERM", &node.id().to_string()]).status().unwrap().success());
    let last = std::iter::repeat_with(hear).find(|message| message != "WATCHDOG=1\n").unwrap();
    assert_eq!(last, "STOPPING=1\n");
    assert_eq!(node.wait().unwrap().code(), Some(0));
}

/// A monitor is told figures of a node that runs, and of one that does not that it does not.
#[test]
fn a_monitor_reads_figures() {
    let members = Members::new(&endpoint_of_chain(31_337));
    let config = &members.config("birch");
    let figures = || {
        let text = watchfire(&["metrics", "--config", config]);
        let answer = watchfire(&["metrics", "--config", config, "--json"]);
        assert_eq!(text.status.code(), answer.status.code());
        let samples = json(&answer)["metrics"].as_array().unwrap().clone();
        (text.status.code(), String::from_utf8(text.stdout).unwrap(), samples)
    };
    let (code, text, samples) = figures();
    assert_eq!((code, samples.len()), (Some(1), 1), "{text}");
    assert!(text.contains("watchfire_running 0.0\n") && text.ends_with("# EOF\n"), "{text}");
    let mut node = Running::start(&members, "birch");
    let status = node.answers(&members, "birch");
    let (code, text, samples) = figures();
    assert_eq!(code, Some(0), "{text}");
    // Its one endpoint names no block: nothing can be paused.
    for line in ["watchfire_running 1.0", "watchfire_can_pause_verdict{asset=\"vault-core\"} 2.0"] {
        assert!(text.lines().any(|one| one == line), "{line}: {text}");
    }
    let peers = samples.iter().filter(|sample| sample["name"] == "watchfire_peer_connected").count();
    assert_eq!(peers, status["peers"].as_array().unwrap().len());
}
