//! Commands that answer without a running node.

use std::os::unix::fs::MetadataExt as _;
use std::process::Command;

use watchfire_node::keys::member_entry::SignedEntry;

use crate::fixture::{Members, WATCHFIRE, init, json, stderr, watchfire};

/// `init` makes private files and prints an entry that verifies under its own keys; a second `init` overwrites nothing.
#[test]
fn init_makes_a_directory_once() {
    let base = tempfile::tempdir().unwrap();
    let directory = base.path().join("node");
    let answer = init(&directory, "alder", 9001);
    let entry: SignedEntry = serde_json::from_value(answer).unwrap();
    assert!(entry.holds());
    for file in ["config.toml", "keys/node.pem", "keys/guardian.json", "keys/submitter.json"] {
        let mode = std::fs::metadata(directory.join(file)).unwrap().mode() & 0o777;
        assert_eq!(mode, 0o600, "{file}");
    }
    let before = std::fs::read(directory.join("keys/guardian.json")).unwrap();
    let password = directory.join("password");
    let again = watchfire(&[
        "init",
        "--organisation",
        "alder",
        "--directory",
        directory.to_str().unwrap(),
        "--password-file",
        password.to_str().unwrap(),
    ]);
    assert_eq!(again.status.code(), Some(3));
    assert!(stderr(&again).contains("exists already"), "{}", stderr(&again));
    assert_eq!(std::fs::read(directory.join("keys/guardian.json")).unwrap(), before);
}

/// An imported guardian key is the one in the entry, from raw digits and from a keystore.
#[test]
fn init_imports_keys() {
    let base = tempfile::tempdir().unwrap();
    let raw = base.path().join("raw");
    crate::fixture::private_file(&raw, "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80\n");
    let password = base.path().join("password");
    crate::fixture::private_file(&password, "word\n");
    let make = |name: &str, import: &str| {
        let directory = base.path().join(name);
        let output = watchfire(&[
            "init",
            "--organisation",
            "alder",
            "--directory",
            directory.to_str().unwrap(),
            "--password-file",
            password.to_str().unwrap(),
            "--import-guardian",
            import,
            "--light-key-derivation",
            "--json",
        ]);
        assert!(output.status.success(), "{}", stderr(&output));
        json(&output)["member"]["guardian"].as_str().unwrap().to_owned()
    };
    let first = make("one", raw.to_str().unwrap());
    assert_eq!(first, "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266");
    assert_eq!(make("two", base.path().join("one/keys/guardian.json").to_str().unwrap()), first);
}

/// A whole charter and configuration are accepted, and the digest names the network.
#[test]
fn checks_a_good_charter_and_config() {
    let members = Members::new("http://127.0.0.1:1");
    let checked = watchfire(&["charter", "check", &members.charter(), "--json"]);
    assert_eq!(checked.status.code(), Some(0), "{}", String::from_utf8_lossy(&checked.stdout));
    let digest = watchfire(&["charter", "digest", &members.charter()]);
    assert_eq!(String::from_utf8_lossy(&digest.stdout).trim(), json(&checked)["digest"].as_str().unwrap());
    let config = watchfire(&["config", "check", "--config", &members.config("birch"), "--json"]);
    assert_eq!(config.status.code(), Some(0), "{}", String::from_utf8_lossy(&config.stdout));
}

/// A charter's faults are all told, each with its line, and the exit code says no.
#[test]
fn tells_all_faults_of_a_charter() {
    let members = Members::new("http://127.0.0.1:1");
    let path = members.charter();
    let text = std::fs::read_to_string(&path).unwrap();
    let broken = text
        .replace("threshold = 3", "threshold = 9")
        .replace("asset = \"vault-core\"\nseverity", "asset = \"nothing\"\nseverity");
    std::fs::write(&path, broken).unwrap();
    let checked = watchfire(&["charter", "check", &path, "--json"]);
    assert_eq!(checked.status.code(), Some(1));
    let faults = json(&checked)["faults"].as_array().unwrap().clone();
    assert!(faults.len() >= 2, "{faults:?}");
    assert!(faults.iter().all(|fault| fault["line"].as_u64().is_some_and(|line| line > 0)), "{faults:?}");
}

/// The hashes of one transaction under the two kinds of domain, to the last digit (recomputed apart from this code by the
/// formulas of `Safe.sol`; the safeTxHash of 1.5.0 is also the golden one of `watchfire_types`). Wrong arguments are told.
#[test]
fn hashes_a_safe_transaction() {
    let hash = |version: &str| {
        let output = watchfire(&[
            "safe",
            "hash",
            "--chain-id",
            "31337",
            "--safe",
            "0x5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a",
            "--to",
            "0x1111111111111111111111111111111111111111",
            "--data",
            "0x8456cb59",
            "--nonce",
            "7",
            "--safe-version",
            version,
            "--json",
        ]);
        assert!(output.status.success(), "{}", stderr(&output));
        json(&output)
    };
    let (old, new) = (hash("1.1.1"), hash("1.4.1"));
    let expected = |domain: &str, safe_tx: &str| {
        serde_json::json!({
            "domain_hash": domain,
            "message_hash": "0x54e88ea213f700b44fc6ee9902bf02c44655307eaf1525e4bd93c7ee2750be43",
            "safe_tx_hash": safe_tx,
        })
    };
    assert_eq!(
        new,
        expected(
            "0x1faebfc46ce92aa873adaa9c8c657eef6e611d50b649bb402f2be0bcbc1a8421",
            "0x8f3fcfc6bcc1fe6dd3bdcd7cc16d8ebd388f25dc0bf6984b75125cb8df4b10e7"
        )
    );
    assert_eq!(
        old,
        expected(
            "0xb1c4e31e090466fcbec6b3323fdc9b4c6bcc47d74b8f5aa15f7b8c78b5eb48c5",
            "0x8133683fe886cdf9a37d7073f66e523986ac79961567a2f150a6765f9ada160f"
        )
    );
    for version in ["1.3.0", "1.5.0"] {
        assert_eq!(hash(version), new);
    }
    assert_eq!(hash("1.0.0"), old);
    for (arguments, complaint) in [
        (["--to", "0x5fbDB2315678afecb367f032d93F642f64180aa3", "--nonce", "7"], "checksum"),
        (["--to", "0x5FbDB2315678afecb367f032d93F642f64180aa3", "--nonce", "seven"], "decimal"),
    ] {
        let safe = ["safe", "hash", "--chain-id", "1", "--safe", "0x1234567890123456789012345678901234567890"];
        let output = watchfire(&[&safe[..], &arguments[..]].concat());
        assert_eq!(output.status.code(), Some(64));
        assert!(stderr(&output).contains(complaint), "{}", stderr(&output));
    }
}

/// Completions come for every shell, and a wrong command line has its own exit code.
#[test]
fn completes_and_refuses_nonsense() {
    for shell in ["bash", "zsh", "fish"] {
        let output = watchfire(&["completions", shell]);
        assert!(output.status.success() && String::from_utf8_lossy(&output.stdout).contains("watchfire"));
    }
    assert_eq!(watchfire(&["nonsense"]).status.code(), Some(64));
    assert_eq!(Command::new(WATCHFIRE).arg("--help").output().unwrap().status.code(), Some(0));
}
