//! The second verifier of evidence bundles, verify_bundle.py, run by the tests: of made-up bundles and of a real drill's.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde::Deserialize;
use sha2::{Digest as _, Sha256};

const REQUIREMENTS: &str = include_str!("requirements.txt");

/// Checks that the second verifier leaves out: none of them fails, but the text of a charter.
pub(crate) const LEFT_OUT: &[&str] = &[
    "charter-text",
    "outside",
    "left-out",
    "as-of",
    "reference",
    "statement",
    "authority",
    "threshold",
    "receipts-left-out",
    "state-left-out",
    "execution",
    "custody",
    "evidence-missed",
];

/// What it says of one file.
#[derive(Deserialize)]
pub(crate) struct Verdict {
    pub(crate) holds: bool,
    pub(crate) first_failure: Option<Check>,
    pub(crate) checks: Vec<Check>,
}

/// One check, as both verifiers write it.
#[derive(Debug, Deserialize)]
pub(crate) struct Check {
    pub(crate) name: String,
    pub(crate) outcome: String,
    pub(crate) detail: String,
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
pub(crate) fn has_python() -> bool {
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

/// What it says of each file, under a charter digest known from elsewhere.
pub(crate) fn verdicts(files: &[PathBuf], digest: &str) -> Vec<Verdict> {
    let python = python();
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(python);
    command.arg(root().join("tests/verify_bundle.py")).arg("--descriptors").arg(descriptors(folder.path()));
    let output = run(command.args(["--digest", digest]).args(files));
    let text = String::from_utf8(output.stdout).unwrap();
    let verdicts: Vec<Verdict> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(verdicts.len(), files.len(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(i32::from(!verdicts.iter().all(|verdict| verdict.holds))));
    verdicts
}

/// The worst outcome under each name, of the checks that both verifiers make.
pub(crate) fn outcomes<'a>(checks: impl Iterator<Item = (&'a str, &'a str)>) -> BTreeMap<String, String> {
    let mut worst: BTreeMap<String, String> = BTreeMap::new();
    let rank = |outcome: &str| ["holds", "open", "fails"].iter().position(|name| *name == outcome).unwrap();
    for (name, outcome) in checks.filter(|(name, _)| !LEFT_OUT.contains(name)) {
        let entry = worst.entry(name.to_owned()).or_insert_with(|| outcome.to_owned());
        if rank(outcome) > rank(entry) {
            *entry = outcome.to_owned();
        }
    }
    worst
}

impl Verdict {
    /// As [`outcomes`].
    pub(crate) fn outcomes(&self) -> BTreeMap<String, String> {
        outcomes(self.checks.iter().map(|check| (check.name.as_str(), check.outcome.as_str())))
    }
}
