//! Bad input of an operator: each has a named error, and nothing is lost.

use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Child, Command, Stdio};

use crate::fixture::{Members, WATCHFIRE, endpoint_of_chain, json, private_file, stderr, watchfire};

/// A node that runs until dropped, with its log lines.
struct Running {
    child: Child,
    log: BufReader<std::process::ChildStderr>,
}

impl Running {
    fn start(config: &str) -> Self {
        let mut child = Command::new(WATCHFIRE)
            .args(["run", "--config", config])
            .stderr(Stdio::piped())
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        let log = BufReader::new(child.stderr.take().unwrap());
        Self { child, log }
    }

    /// Reads its log until a line holds `wanted`.
    fn wait_for(&mut self, wanted: &str) {
        let mut line = String::new();
        while !line.contains(wanted) {
            line.clear();
            assert_ne!(self.log.read_line(&mut line).unwrap(), 0, "the node ended before saying {wanted:?}");
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A wrong password is told as such, with the file, by every command that needs it.
#[test]
fn wrong_password() {
    let members = Members::new("http://127.0.0.1:1");
    private_file(&members.directory("alder").join("password"), "another word\n");
    let run = watchfire(&["run", "--config", &members.config("alder")]);
    assert_eq!(run.status.code(), Some(3));
    assert!(stderr(&run).contains("wrong password") && stderr(&run).contains("node.pem"), "{}", stderr(&run));
    let check = watchfire(&["config", "check", "--config", &members.config("alder"), "--json"]);
    assert_eq!(check.status.code(), Some(1));
    assert!(json(&check)["faults"][0].as_str().unwrap().contains("wrong password"));
}

/// A key that others can read is refused by name.
#[test]
fn loose_permissions() {
    let members = Members::new("http://127.0.0.1:1");
    let key = members.directory("alder").join("keys/guardian.json");
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
    let run = watchfire(&["run", "--config", &members.config("alder")]);
    assert_eq!(run.status.code(), Some(3));
    assert!(stderr(&run).contains("chmod 600"), "{}", stderr(&run));
}

/// A guardian key that served one network is refused for another.
#[test]
fn guardian_bound_to_its_network() {
    let members = Members::new(&endpoint_of_chain(1));
    let first = watchfire(&["run", "--config", &members.config("alder")]);
    assert!(stderr(&first).contains("serves chain"), "{}", stderr(&first));
    let charter = members.charter();
    let text = std::fs::read_to_string(&charter).unwrap().replace("test guardians", "other guardians");
    std::fs::write(&charter, text).unwrap();
    let second = watchfire(&["run", "--config", &members.config("alder")]);
    assert_eq!(second.status.code(), Some(3));
    assert!(stderr(&second).contains("is bound to network"), "{}", stderr(&second));
}

/// Keys that are not those of the charter's entry are refused before the guardian key is bound: it stays free for the
/// network that it is made for.
#[test]
fn strange_keys_are_not_bound() {
    let members = Members::new("http://127.0.0.1:1");
    let keys = |organisation: &str| members.directory(organisation).join("keys");
    for (file, complaint) in
        [("guardian.json", "the guardian is"), ("submitter.json", "the submitter is"), ("node.pem", "the node key is")]
    {
        let own = keys("alder").join(file);
        let kept = std::fs::read(&own).unwrap();
        std::fs::copy(keys("birch").join(file), &own).unwrap();
        let guardian = std::fs::read_to_string(keys("alder").join("guardian.json")).unwrap();
        let run = watchfire(&["run", "--config", &members.config("alder")]);
        assert_eq!(run.status.code(), Some(3));
        assert!(stderr(&run).contains(complaint) && stderr(&run).contains("in the charter"), "{}", stderr(&run));
        let after = std::fs::read_to_string(keys("alder").join("guardian.json")).unwrap();
        assert!(after == guardian && !after.contains("network"), "{file}: the guardian key was bound");
        std::fs::write(&own, kept).unwrap();
    }
}

/// An endpoint of another chain stops the node with the endpoint's name; the log stays whole.
#[test]
fn another_chain() {
    let members = Members::new(&endpoint_of_chain(1));
    let run = watchfire(&["run", "--config", &members.config("alder"), "--json"]);
    assert_eq!(run.status.code(), Some(3));
    let error = json(&run)["error"].as_str().unwrap().to_owned();
    assert!(error.contains("endpoint \"own\" serves chain 1") && error.contains("31337"), "{error}");
    let verified = watchfire(&["log", "verify", "--config", &members.config("alder"), "--json"]);
    assert_eq!(verified.status.code(), Some(0), "{}", stderr(&verified));
    assert_eq!(json(&verified)["events"], 1);
}

/// Two processes on one directory: the second is refused by name. The first answers, says that it cannot pause while its
/// chain is away, stops on SIGTERM with 0, and its kept directory still tells.
#[test]
fn directory_in_use() {
    let members = Members::new("http://127.0.0.1:1");
    let config = members.config("alder");
    let mut running = Running::start(&config);
    running.wait_for("started");
    let second = watchfire(&["run", "--config", &config]);
    assert_eq!(second.status.code(), Some(3));
    assert!(stderr(&second).contains("in use by another process"), "{}", stderr(&second));
    let status = watchfire(&["status", "--config", &config, "--json"]);
    assert_eq!(status.status.code(), Some(2), "{}", stderr(&status));
    assert_eq!((json(&status)["running"].clone(), json(&status)["ready"].clone()), (true.into(), false.into()));
    let verified = watchfire(&["log", "verify", "--config", &config, "--json"]);
    assert_eq!(verified.status.code(), Some(0), "{}", stderr(&verified));
    let root = json(&status)["log_root"].clone();
    assert_eq!(root, json(&verified)["log_root"]);
    let stop = Command::new("kill").arg(running.child.id().to_string()).status().unwrap();
    assert!(stop.success());
    assert_eq!(running.child.wait().unwrap().code(), Some(0));
    let kept = watchfire(&["status", "--config", &config, "--json"]);
    assert_eq!(kept.status.code(), Some(2));
    assert_eq!((json(&kept)["running"].clone(), json(&kept)["log_root"].clone()), (false.into(), root));
}

/// A full disk is told as such, by a limit on file size that the system reports like one.
#[test]
fn full_disk() {
    let members = Members::new("http://127.0.0.1:1");
    let script = "trap '' XFSZ; ulimit -f 64; exec \"$0\" run --config \"$1\"";
    let run = Command::new("sh")
        .args(["-c", script, WATCHFIRE, &members.config("alder")])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(matches!(run.status.code(), Some(3 | 4)), "{:?} {}", run.status, stderr(&run));
    assert!(stderr(&run).contains("disk full"), "{}", stderr(&run));
    let config = members.config("alder");
    let mut running = Running::start(&config);
    running.wait_for("started");
}

/// A malformed configuration is told with its line; one that does not fit the charter with all that does not fit.
#[test]
fn malformed_config() {
    let members = Members::new("http://127.0.0.1:1");
    let path = members.config("alder");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace("agree = 1", "agre = 1")).unwrap();
    let run = watchfire(&["run", "--config", &path]);
    assert_eq!(run.status.code(), Some(3));
    assert!(stderr(&run).contains("agre") && stderr(&run).contains("line"), "{}", stderr(&run));
    std::fs::write(&path, text.replace("id = 31337", "id = 1")).unwrap();
    let check = watchfire(&["config", "check", "--config", &path, "--json"]);
    assert_eq!(json(&check)["faults"].as_array().unwrap().len(), 2, "{}", json(&check));
    let missing = watchfire(&["run", "--config", "/nowhere/config.toml"]);
    assert_eq!(missing.status.code(), Some(3));
    assert!(stderr(&missing).contains("/nowhere/config.toml"), "{}", stderr(&missing));
}
