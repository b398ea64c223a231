//! The second verifier, tests/verify_bundle.py, against the first: on good bundles and on damaged ones they say the same.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use watchfire_bundle::{Outcome, verify};
use watchfire_types::Bytes;
use watchfire_wire::bundle::Bundle;

use crate::fixture::{charter, whole};
use crate::verdicts::{falsehoods, omissions};

const REQUIREMENTS: &str = include_str!("../../../../tests/requirements.txt");

/// Checks that the second verifier leaves out.
const LEFT_OUT: &[&str] =
    &["charter-text", "reference", "threshold", "evidence-missed", "receipt", "account", "slot", "execution"];

#[derive(Deserialize)]
struct Verdict {
    holds: bool,
    first_failure: Option<Check>,
    checks: Vec<Check>,
}

#[derive(Deserialize)]
struct Check {
    name: String,
    outcome: String,
    detail: String,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// Tells on stderr, also from within a test that passes.
fn tell(line: &str) {
    writeln!(std::io::stderr().lock(), "{line}").unwrap();
}

fn run(command: &mut Command) -> Output {
    let shown = format!("{command:?}");
    command.output().unwrap_or_else(|error| panic!("{shown}: {error}"))
}

fn must(command: &mut Command, why: &str) {
    let shown = format!("{command:?}");
    let output = run(command);
    assert!(output.status.success(), "{why}: {shown}\n{}", String::from_utf8_lossy(&output.stderr));
}

/// Whether this machine has a Python for the second verifier. Where it has none the second verifier is not checked, and that is told;
/// `WATCHFIRE_PYTHON=required`, as `.ci/run` has it, makes it a failure.
fn has_python() -> bool {
    let probe = "import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 11))";
    let found = Command::new("python3").args(["-c", probe]).stderr(Stdio::null()).status();
    if found.is_ok_and(|status| status.success()) {
        return true;
    }
    let need = "it needs Python 3.11 or later with venv and pip (Debian: apt install python3-venv)";
    let required = std::env::var("WATCHFIRE_PYTHON").is_ok_and(|value| value == "required");
    assert!(!required, "the second verifier of bundles: {need}");
    tell(&format!("NOT CHECKED: the second verifier of bundles, tests/verify_bundle.py: {need}"));
    false
}

/// A Python with the pinned packages: made once, kept beside the build, safely from several processes.
fn python() -> PathBuf {
    let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join("python");
    let hash = hex::encode(Sha256::digest(REQUIREMENTS));
    let (python, stamp) = (home.join("bin/python3"), home.join(".watchfire-installed"));
    fs::create_dir_all(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let guard = File::create(Path::new(env!("CARGO_TARGET_TMPDIR")).join("python.lock")).unwrap();
    guard.lock().unwrap();
    if fs::read_to_string(&stamp).is_ok_and(|held| held == hash) {
        return python;
    }
    let file = root().join("tests/requirements.txt");
    tell(&format!("fetching the Python packages of {} into {} ...", file.display(), home.display()));
    must(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&home), "no virtual environment can be made");
    let install = [
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--only-binary",
        ":all:",
        "--require-hashes",
        "-r",
    ];
    let why = "the packages of tests/requirements.txt cannot be fetched: make pip's index reachable (`pip config list` names it) and run this again";
    must(Command::new(&python).args(install).arg(file), why);
    fs::write(stamp, hash).unwrap();
    python
}

/// The descriptors of the format's document, without protoc.
fn descriptors(to: &Path) -> PathBuf {
    let proto = root().join("proto");
    let files = ["bundle.proto", "event.proto"].map(|name| proto.join("watchfire/v1").join(name));
    let mut compiler = protox::Compiler::new([&proto]).unwrap();
    compiler.include_imports(true).open_files(files).unwrap();
    let path = to.join("descriptors");
    fs::write(&path, compiler.encode_file_descriptor_set()).unwrap();
    path
}

/// What the second verifier says of each file.
fn second(files: &[(String, Bytes)]) -> Vec<Verdict> {
    let python = python();
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path();
    let mut command = Command::new(python);
    command.arg(root().join("tests/verify_bundle.py")).arg("--descriptors").arg(descriptors(home));
    command.args(["--digest", &charter().digest().to_string()]);
    for (index, (_, bytes)) in files.iter().enumerate() {
        let path = home.join(format!("{index}.bundle"));
        fs::write(&path, bytes).unwrap();
        command.arg(path);
    }
    let output = run(&mut command);
    let text = String::from_utf8(output.stdout).unwrap();
    let verdicts: Vec<Verdict> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(verdicts.len(), files.len(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(i32::from(!verdicts.iter().all(|verdict| verdict.holds))));
    verdicts
}

/// The worst outcome under each name, of the checks that both make.
fn first_outcomes(file: &Bytes) -> BTreeMap<String, String> {
    let mut worst: BTreeMap<&str, Outcome> = BTreeMap::new();
    for check in verify(file, Some(&charter())).checks {
        let entry = worst.entry(check.name).or_insert(check.outcome);
        *entry = (*entry).max(check.outcome);
    }
    let name = |outcome| match outcome {
        Outcome::Holds => "holds",
        Outcome::Open => "open",
        Outcome::Fails => "fails",
    };
    let made = worst.into_iter().filter(|(check, _)| !LEFT_OUT.contains(check));
    made.map(|(check, outcome)| (check.to_owned(), name(outcome).to_owned())).collect()
}

fn second_outcomes(verdict: &Verdict) -> BTreeMap<String, String> {
    let mut worst: BTreeMap<String, String> = BTreeMap::new();
    let rank = |outcome: &str| ["holds", "open", "fails"].iter().position(|name| *name == outcome).unwrap();
    for check in &verdict.checks {
        let entry = worst.entry(check.name.clone()).or_insert_with(|| check.outcome.clone());
        if rank(&check.outcome) > rank(entry) {
            *entry = check.outcome.clone();
        }
    }
    worst
}

/// On the whole story both make the same checks with the same outcomes.
#[test]
fn both_accept_the_whole_story() {
    if !has_python() {
        return;
    }
    let verdicts = second(&[("whole".to_owned(), whole())]);
    let why: Vec<_> =
        verdicts[0].checks.iter().filter(|check| check.outcome != "holds").map(|c| (&c.name, &c.detail)).collect();
    assert!(verdicts[0].holds, "{why:?}");
    assert_eq!(second_outcomes(&verdicts[0]), first_outcomes(&whole()), "{why:?}");
}

/// On every falsehood and omission that the first verifier is tested with, the second says the same.
#[test]
fn both_name_the_same_failure() {
    if !has_python() {
        return;
    }
    let mut files: Vec<(String, Bytes)> = Vec::new();
    for (what, change) in falsehoods().into_iter().map(|(what, _, change)| (what, change)).chain(omissions()) {
        let mut bundle = Bundle::decode(&whole()).unwrap();
        change(&mut bundle);
        files.push((what.to_owned(), bundle.encode().unwrap()));
    }
    let whole = whole();
    for length in [0, 1, 18, 26, 27, 500, whole.len() - 33, whole.len() - 1] {
        files.push((format!("cut to {length}"), whole.slice(..length)));
    }
    for at in (0..whole.len()).step_by(3_999) {
        let mut bytes = whole.to_vec();
        bytes[at] ^= 4;
        files.push((format!("flipped at {at}"), bytes.into()));
    }
    for ((what, file), verdict) in files.iter().zip(second(&files)) {
        let first = verify(file, Some(&charter())).first_failure;
        let left_out = first.as_ref().is_some_and(|check| LEFT_OUT.contains(&check.name));
        if left_out {
            continue;
        }
        let found = verdict.first_failure.as_ref().map(|check| check.name.as_str());
        let detail = verdict.first_failure.as_ref().map(|check| &check.detail);
        assert_eq!(found, first.as_ref().map(|check| check.name), "{what}: {detail:?} against {first:?}");
        if first.is_none() {
            assert_eq!(second_outcomes(&verdict), first_outcomes(file), "{what}");
        }
    }
}
