//! What people say through a running node: sealed words stay sealed, names stay at home, and the log travels as a file.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::fixture::{Members, WATCHFIRE, endpoint_of_chain, json, stderr, watchfire};

const NAME: &str = "Ada Lovelace";
const WORDS: &str = "the price feed can be moved within one block";

/// A running node, killed when dropped.
struct Running(Child);

impl Running {
    fn start(members: &Members, organisation: &str) -> Self {
        let file = |name: &str| fs::File::create(members.directory(organisation).join(name)).unwrap();
        let child = Command::new(WATCHFIRE)
            .args(["run", "--json", "--config", &members.config(organisation)])
            .stdin(Stdio::null())
            .stdout(file("stdout.log"))
            .stderr(file("stderr.log"))
            .spawn()
            .unwrap();
        let mut running = Self(child);
        // A node answers as soon as its socket is there, which it comes to as long as it runs.
        while !watchfire(&["vulnerability", "list", "--config", &members.config(organisation)]).status.success() {
            let log = members.directory(organisation).join("stderr.log");
            assert!(running.0.try_wait().unwrap().is_none(), "it ended: {}", fs::read_to_string(log).unwrap());
        }
        running
    }

    fn stop(mut self) -> Option<i32> {
        assert!(Command::new("kill").args(["-TERM", &self.0.id().to_string()]).status().unwrap().success());
        self.0.wait().unwrap().code()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn answer(arguments: &[&str]) -> Value {
    let output = watchfire(&[arguments, &["--json"]].concat());
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", stderr(&output));
    json(&output)
}

/// Every file under a directory that holds one of these texts.
fn holding(directory: &Path, texts: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(holding(&path, texts));
        } else if path.is_file() {
            let bytes = fs::read(&path).unwrap();
            if texts.iter().any(|text| bytes.windows(text.len()).any(|window| window == text.as_bytes())) {
                found.push(path.file_name().unwrap().to_string_lossy().into_owned());
            }
        }
    }
    found
}

/// Words that this member can open are shown to a third party, who checks them with the charter alone; words that were altered are not believed.
fn discloses(members: &Members, config: &str, event: &str) {
    let file = members.base.path().join("disclosed");
    let path = file.to_str().unwrap();
    answer(&["disclose", event, "-o", path, "--config", config]);
    let checked = answer(&["verify", path, "--charter", &members.charter()]);
    assert_eq!((&checked["kind"], &checked["disclosed"]["words"]), (&"disclosure".into(), &WORDS.into()));
    assert!(stderr(&watchfire(&["disclose", event, "-o", path, "--config", config])).contains("cannot write"));
    assert!(stderr(&watchfire(&["disclose", "ffff", "-o", "x", "--config", config])).contains("no sealed event"));
    fs::write(&file, fs::read_to_string(&file).unwrap().replace("one block", "two blocks")).unwrap();
    assert_eq!(watchfire(&["verify", path, "--charter", &members.charter()]).status.code(), Some(1));
    fs::remove_file(file).unwrap();
}

/// A report sealed by default to the guardians is read by its author through the running node; neither its words nor the person's name
/// are in any file of the node but the table of names. The log travels as a file into a new directory of that member, and on.
#[test]
fn sealed_words_and_names_stay_where_they_belong() {
    let members = Members::new(&endpoint_of_chain(31_337));
    let (directory, config) = (members.directory("alder"), members.config("alder"));
    let node = Running::start(&members, "alder");
    let pseudonym = answer(&["people", "set", NAME, "--config", &config])["pseudonym"].as_str().unwrap().to_owned();
    let report = members.base.path().join("report.txt");
    fs::write(&report, WORDS).unwrap();
    let file = report.to_str().unwrap();
    let said = ["vulnerability", "report", file, "--asset", "vault-core", "--as", NAME, "--config", &config];
    answer(&said);
    let list = answer(&["vulnerability", "list", "--config", &config]);
    let listed = &list["reports"][0];
    assert_eq!(listed["opened"]["words"], WORDS, "{list}");
    assert_eq!(listed["human"]["person"], pseudonym.as_str());
    assert_eq!(listed["to"].as_array().unwrap().len(), 5, "all guardians");
    discloses(&members, &config, listed["event"].as_str().unwrap());
    let stranger = ["vulnerability", "report", file, "--asset", "vault-core", "--as", "Bob", "--config", &config];
    assert!(stderr(&watchfire(&stranger)).contains("nobody is called \"Bob\""));
    let nowhere = ["vulnerability", "report", file, "--asset", "attic", "--as", NAME, "--config", &config];
    assert!(stderr(&watchfire(&nowhere)).contains("no asset attic"));

    let beside = members.base.path().join("beside.jsonl");
    answer(&["log", "export", "-o", beside.to_str().unwrap(), "--config", &config]);
    assert_eq!(node.stop(), Some(0));
    let last = fs::read_to_string(directory.join("stdout.log")).unwrap();
    assert!(serde_json::from_str::<Value>(last.lines().last().unwrap()).unwrap().is_object(), "{last}");
    assert_eq!(holding(&directory, &[NAME, "Lovelace"]), ["people.toml"]);
    assert!(holding(&directory, &[WORDS]).is_empty());
    assert!(holding(members.base.path(), &[&pseudonym]).len() >= 2, "the log has the pseudonym");

    let archive = members.base.path().join("archive.jsonl");
    answer(&["log", "export", "-o", archive.to_str().unwrap(), "--config", &config]);
    for place in ["journal", "sled"] {
        let _ = fs::remove_dir_all(directory.join(place));
    }
    let imported = answer(&["log", "import", archive.to_str().unwrap(), "--config", &config]);
    assert!(imported["events"].as_u64().unwrap() >= 2, "{imported}");
    // So young a log has nothing that may go, and says why.
    let pruned = answer(&["log", "prune", "--archive", archive.to_str().unwrap(), "--config", &config]);
    assert!(pruned["pruned"] == 0 && pruned["reason"].is_string(), "{pruned}");
    assert_eq!(answer(&["log", "verify", "--config", &config])["pruned"], serde_json::json!([]));
    let again = members.base.path().join("again.jsonl");
    answer(&["log", "export", "-o", again.to_str().unwrap(), "--config", &config]);
    assert_eq!(fs::read(&again).unwrap(), fs::read(&archive).unwrap());
    answer(&["log", "verify", "--config", &config]);
    let node = Running::start(&members, "alder");
    let list = answer(&["vulnerability", "list", "--config", &config]);
    assert_eq!(list["reports"][0]["opened"]["words"], WORDS, "a new epoch continues with what was imported");
    drop(node);
    assert!(
        stderr(&watchfire(&["log", "import", archive.to_str().unwrap(), "--config", &config]))
            .contains("holds a log already")
    );
}
