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
    let faults = json(&check)["faults"].as_array().unwrap().clone();
    assert_eq!(faults.len(), 3, "one for each key file: {faults:?}");
    for fault in faults {
        assert!(
            fault["kind"] == "wrong-password" && fault["message"].as_str().unwrap().contains("wrong password"),
            "{fault}"
        );
    }
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

/// Mistakes in all three places are told together, each with where and what to do, and the answer is no: a faulty configuration is
/// no failure of the command.
#[test]
fn config_check_tells_all_faults_of_config_charter_and_keys() {
    let members = Members::new("http://127.0.0.1:1");
    let path = members.config("alder");
    let text = std::fs::read_to_string(&path).unwrap();
    let text = text.replace("member = \"alder-1\"", "member = \"Alder 1\"").replace("agree = 1", "agree = 7");
    private_file(std::path::Path::new(&path), &text.replace("http = \"http:", "htpt = \"http:"));
    let charter = std::fs::read_to_string(members.charter()).unwrap().replace("threshold = 3", "threshold = 9");
    std::fs::write(members.charter(), charter).unwrap();
    for key in ["node.pem", "guardian.json"] {
        let key = members.directory("alder").join("keys").join(key);
        std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
    }
    let check = watchfire(&["config", "check", "--config", &path, "--json"]);
    assert_eq!(check.status.code(), Some(1), "{}", stderr(&check));
    let faults = json(&check)["faults"].as_array().unwrap().clone();
    for (at, kind) in [
        ("config.toml line 2: member", "malformed"),
        ("endpoint[0].http", "missing"),
        ("endpoint[0].htpt", "unknown-key"),
        ("charter.toml line", "above-members"),
        ("alder/keys", "key-permissions"),
    ] {
        let found = faults.iter().find(|fault| fault["at"].as_str().unwrap().contains(at) && fault["kind"] == kind);
        assert!(found.is_some(), "{at} {kind}: {faults:#?}");
    }
    assert_eq!(faults.iter().filter(|fault| fault["kind"] == "key-permissions").count(), 2, "{faults:#?}");
    for fault in &faults {
        assert!(["at", "message", "remedy"].iter().all(|key| !fault[*key].as_str().unwrap().is_empty()), "{fault}");
    }
    let told = watchfire(&["config", "check", "--config", &path]);
    let told = String::from_utf8_lossy(&told.stdout).into_owned();
    assert!(told.ends_with(&format!("{} fault(s); this node would not start\n", faults.len())), "{told}");
    // Without a file there is nothing to judge.
    let missing = watchfire(&["config", "check", "--config", "/nowhere/config.toml", "--json"]);
    assert_eq!((missing.status.code(), json(&missing)["code"].clone()), (Some(3), "config-missing".into()));
}

/// Bytes that are no UTF-8, and a charter that is not there, are faults of the configuration like any other.
#[test]
fn config_check_tells_of_what_is_no_text() {
    let members = Members::new("http://127.0.0.1:1");
    let path = members.config("alder");
    let faults = || {
        let check = watchfire(&["config", "check", "--config", &path, "--json"]);
        assert_eq!(check.status.code(), Some(1), "{}", stderr(&check));
        json(&check)["faults"].as_array().unwrap().clone()
    };
    let good = std::fs::read(members.charter()).unwrap();
    std::fs::write(members.charter(), [&good[..10], b"\n\xff\n"].concat()).unwrap();
    let found = faults();
    assert_eq!((found.len(), &found[0]["kind"]), (1, &"not-utf-8".into()), "{found:?}");
    assert!(found[0]["at"].as_str().unwrap().contains("charter.toml line 2"), "{found:?}");
    let checked = watchfire(&["charter", "check", &members.charter(), "--json"]);
    assert_eq!((checked.status.code(), json(&checked)["faults"][0]["line"].clone()), (Some(1), 2.into()));
    std::fs::remove_file(members.charter()).unwrap();
    let found = faults();
    assert_eq!((found.len(), &found[0]["kind"]), (1, &"charter-unreadable".into()), "{found:?}");
    assert!(found[0]["remedy"].as_str().unwrap().contains("put it there"), "{found:?}");
    std::fs::write(members.charter(), &good).unwrap();
    std::fs::write(&path, b"member = \"\xff\"\n").unwrap();
    let found = faults();
    assert!(found[0]["message"].as_str().unwrap().contains("not UTF-8"), "{found:?}");
}

/// A node that never ran has no log, one whose journal is empty has none either: every command about the log says so, none calls it
/// sound or writes an archive of nothing.
#[test]
fn no_log_is_no_sound_log() {
    let members = Members::new("http://127.0.0.1:1");
    let config = &members.config("alder");
    let archive = members.base.path().join("archive");
    let archive = archive.to_str().unwrap();
    let commands: [&[&str]; 11] = [
        &["log", "verify"],
        &["log", "repair"],
        &["log", "rebuild"],
        &["log", "query"],
        &["log", "checkpoint"],
        &["log", "prove", "--index", "0"],
        &["log", "export"],
        &["log", "export", "--output", archive],
        &["log", "faults"],
        &["disclose", "ab", "--output", archive],
        &["incident", "bundle", "latest", "--output", archive],
    ];
    for command in commands {
        let output = watchfire(&[command, &["--config", config, "--json"]].concat());
        assert_eq!(output.status.code(), Some(3), "{command:?}: {}", stderr(&output));
        let answer = json(&output);
        assert_eq!(answer["code"], "no-log", "{command:?}: {answer}");
        assert!(answer["error"].as_str().unwrap().contains("has not run yet"), "{command:?}: {answer}");
        assert!(!members.directory("alder").join("journal").exists() && !std::path::Path::new(archive).exists());
    }
    std::fs::create_dir(members.directory("alder").join("journal")).unwrap();
    for command in commands.iter().filter(|command| !["repair", "rebuild", "ab"].contains(&command[1])) {
        let output = watchfire(&[command, &["--config", config, "--json"][..]].concat());
        assert_eq!(output.status.code(), Some(3), "{command:?}: {}", stderr(&output));
        assert_eq!(json(&output)["code"], "empty-log", "{command:?}");
        assert!(!std::path::Path::new(archive).exists() && !std::path::Path::new(&format!("{archive}.part")).exists());
    }
    let plain = watchfire(&["log", "export", "--config", config]);
    assert!(plain.stdout.is_empty() && stderr(&plain).contains("is empty"), "{}", stderr(&plain));
}
