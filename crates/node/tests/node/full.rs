//! A whole node whose disk is full: it says so, says nothing more, loses nothing, and goes on once there is room.
//!
//! First with files that may not grow, which any kernel can be asked for; then on a small filesystem of its own, where one can be mounted
//! without privileges: there this test binary is also the process that plays it inside.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::fixture::{Members, Running, WATCHFIRE, endpoint_of_chain, json, watchfire};

const INSIDE: &str = "WATCHFIRE_TEST_FULL_NODE";
const PLAYED: &str = "played on a full filesystem";
/// Bytes of a report: sealed, it is an event of some more.
const REPORT: usize = 12_000;

/// What alder was told to say, and what it answered.
struct Reporter<'a> {
    members: &'a Members,
    config: String,
    file: String,
    acknowledged: BTreeSet<String>,
}

impl<'a> Reporter<'a> {
    fn new(members: &'a Members) -> Self {
        let file = members.base.path().join("report");
        fs::write(&file, "x".repeat(REPORT)).unwrap();
        let file = file.to_str().unwrap().to_owned();
        Self { members, config: members.config("alder"), file, acknowledged: BTreeSet::new() }
    }

    /// A report: said, or why not.
    fn says(&mut self) -> Result<(), String> {
        let said = ["--person", "p-1", "--role", "lead"];
        let report =
            ["vulnerability", "report", &self.file, "--asset", "vault-core", "--config", &self.config, "--json"];
        let output = watchfire(&[&report[..], &said].concat());
        let answer = json(&output);
        if output.status.success() {
            let events = answer["events"].as_array().unwrap_or_else(|| panic!("{answer}"));
            self.acknowledged.extend(events.iter().map(|event| event.as_str().unwrap().to_owned()));
            return Ok(());
        }
        Err(answer["error"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned())
    }

    /// Says reports until it is told that the disk is full; the alarm stood before.
    fn until_full(&mut self) {
        let mut announced = None;
        let refused = (0..600).find_map(|turn| {
            if self.alarm().is_some() {
                announced.get_or_insert(turn);
            }
            self.says().err().map(|refusal| (turn, refusal))
        });
        let (turn, refusal) = refused.expect("it never became full");
        let log = fs::read_to_string(self.members.directory("alder").join("stderr.log")).unwrap();
        assert!(refusal.contains("disk is full"), "{refusal}: {log}");
        assert!(announced.is_some_and(|at| at < turn), "announced {announced:?}, refused at {turn}");
        assert!(self.alarm().is_some());
        assert!(self.says().is_err());
    }

    fn status(&self) -> Value {
        json(&watchfire(&["status", "--config", &self.config, "--json"]))
    }

    fn alarm(&self) -> Option<String> {
        let status = self.status();
        let alarms = status["alarms"].as_array().unwrap_or_else(|| panic!("{status}"));
        let mut alarms = alarms.iter().filter_map(Value::as_str);
        alarms.find(|alarm| alarm.starts_with("disk-full")).map(str::to_owned)
    }

    /// Everything acknowledged is in the log, which verifies.
    fn holds(&self) {
        let output = watchfire(&["log", "verify", "--config", &self.config, "--json"]);
        let verified = json(&output);
        assert_eq!((output.status.code(), &verified["faults"]), (Some(0), &serde_json::json!([])), "{verified}");
        let query = ["log", "query", "--kind", "sealed", "--limit", "10000", "--config", &self.config, "--json"];
        let found = json(&watchfire(&query));
        let held = found["events"].as_array().unwrap().iter().map(|event| event["event"].as_str().unwrap().to_owned());
        let held: BTreeSet<String> = held.collect();
        assert!(self.acknowledged.is_subset(&held), "{} of {}", held.len(), self.acknowledged.len());
    }

    /// A node with room says again what it is told to.
    fn goes_on(&mut self) {
        let mut node = Running::start(self.members, "alder");
        node.answers(self.members, "alder");
        assert_eq!(self.alarm(), None);
        self.says().unwrap();
        assert_eq!(node.stop(), Some(0));
        self.holds();
    }
}

/// A node whose files may have at most so many units of 512 bytes. The signal that comes with the refusal is ignored, as a service manager
/// may have it.
fn limited(members: &Members, units: u32) -> Running {
    let script = format!("trap '' XFSZ; ulimit -f {units} && exec \"$0\" run --config \"$1\"");
    let mut command = Command::new("sh");
    command.args(["-c", &script, WATCHFIRE, &members.config("alder")]);
    Running(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log(members)).spawn().unwrap())
}

fn log(members: &Members) -> fs::File {
    fs::File::create(members.directory("alder").join("stderr.log")).unwrap()
}

/// Files that may not grow: announced, refused, stopped in order; with room again the node goes on where it was.
#[test]
fn files_that_may_not_grow() {
    let members = Members::new(&endpoint_of_chain(31_337));
    let mut reporter = Reporter::new(&members);
    let mut node = limited(&members, 2_800);
    node.answers(&members, "alder");
    reporter.until_full();
    assert!(reporter.acknowledged.len() > 10, "{}", reporter.acknowledged.len());
    reporter.holds();
    assert_eq!(node.stop(), Some(0));
    reporter.holds();
    reporter.goes_on();
}

/// On a filesystem without room the same; once there is room it goes on by itself, and killed then it has lost nothing.
#[test]
fn a_filesystem_without_room() {
    if let Some(place) = std::env::var_os(INSIDE) {
        inside(Path::new(&place));
        println!("{PLAYED}");
        return;
    }
    let place = tempfile::tempdir().unwrap();
    let script = format!(
        "mount -t tmpfs -o size=64m none '{}' && exec \"$0\" --exact full::a_filesystem_without_room --nocapture",
        place.path().display()
    );
    let mut command = Command::new("unshare");
    command.args(["-Urm", "sh", "-c", &script]).arg(std::env::current_exe().unwrap());
    let output = command.env(INSIDE, place.path()).env("TMPDIR", place.path()).output();
    let text = output.map(|output| [output.stdout, output.stderr].concat()).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    if !text.contains("running 1 test") {
        // Told past the test's own output; `.ci/run` makes it a failure where it can.
        let required = std::env::var("WATCHFIRE_MOUNT").is_ok_and(|value| value == "required");
        let told = "NOT CHECKED: a node on a full filesystem: none can be mounted here without privileges";
        assert!(!required, "{told}: {text}");
        writeln!(std::io::stderr().lock(), "{told}: {}", text.trim()).unwrap();
        return;
    }
    assert!(text.contains(PLAYED), "{text}");
}

fn inside(place: &Path) {
    let members = Members::new(&endpoint_of_chain(31_337));
    assert!(members.base.path().starts_with(place));
    let mut reporter = Reporter::new(&members);
    let mut node = Running::start(&members, "alder");
    node.answers(&members, "alder");
    assert_eq!(node.stop(), Some(0));
    let other = place.join("other");
    leave_room(&members.directory("alder").join("journal"), &other);
    // The node's own log is a file of that disk too.
    let mut node = Running::start(&members, "alder");
    node.answers(&members, "alder");
    reporter.until_full();
    reporter.holds();
    fs::remove_file(&other).unwrap();
    let again = (0..600).any(|_| reporter.says().is_ok());
    assert!(again, "{:?}", reporter.alarm());
    node.0.kill().unwrap();
    node.0.wait().unwrap();
    reporter.holds();
    reporter.goes_on();
}

/// Gives back what the log had taken ahead, and fills the disk with something else until little is left.
fn leave_room(journal: &Path, other: &Path) {
    for entry in fs::read_dir(journal).unwrap() {
        let path = entry.unwrap().path();
        let bytes = fs::read(&path).unwrap();
        match bytes.iter().rposition(|byte| *byte != 0) {
            Some(last) => fs::File::options().write(true).open(&path).unwrap().set_len(last as u64 + 8).unwrap(),
            None if path.extension().is_some_and(|extension| extension == "log") => fs::remove_file(&path).unwrap(),
            None => {}
        }
    }
    let mut file = fs::File::create(other).unwrap();
    let full = (0..100_000).any(|_| file.write_all(&[7; 4_096]).is_err());
    assert!(full, "it never became full");
    file.set_len(file.metadata().unwrap().len() - (3 << 19)).unwrap();
}
