//! Commands that answer without a running node.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
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
            "--address",
            "/dns4/alder.example/tcp/9001",
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

/// Told nothing but the organisation and where its password is, `init` makes a directory of the member's name, whose entry leads to
/// this machine, and says so.
#[test]
fn init_takes_the_organisation_alone() {
    let base = tempfile::tempdir().unwrap();
    crate::fixture::private_file(&base.path().join("password"), "word\n");
    let output = Command::new(env!("CARGO_BIN_EXE_watchfire"))
        .args(["init", "--organisation", "alder", "--password-file", "password", "--light-key-derivation", "--json"])
        .current_dir(base.path())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    let member = json(&output)["member"].clone();
    assert_eq!(member["id"], "alder-1");
    assert_eq!(member["operators"], serde_json::json!(["op-alder"]));
    let addresses: Vec<&str> = member["addresses"].as_array().unwrap().iter().filter_map(|one| one.as_str()).collect();
    let named = addresses.iter().all(|one| one.starts_with("/dns4/") || one.starts_with("/ip4/127.0.0.1/"));
    assert!(
        named && addresses[0].ends_with("/tcp/9001") && addresses[1].ends_with("/udp/9001/quic-v1"),
        "{addresses:?}"
    );
    assert!(stderr(&output).contains("warning") && stderr(&output).contains("--address"), "{}", stderr(&output));
    let made = base.path().join("alder-1");
    assert!(made.join("config.toml").is_file() && made.join("keys/node.pem").is_file());
}

/// Nothing goes into a signed entry that partners could not dial, and nothing is made then; an address that only leads to
/// one's own machine is worth a word.
#[test]
fn init_signs_no_address_that_nobody_can_dial() {
    let base = tempfile::tempdir().unwrap();
    let (directory, password) = (base.path().join("node"), base.path().join("password"));
    crate::fixture::private_file(&password, "word\n");
    let init = |arguments: &[&str]| {
        let fixed = ["init", "--organisation", "alder", "--light-key-derivation", "--json", "--directory"];
        let places = [directory.to_str().unwrap(), "--password-file", password.to_str().unwrap()];
        watchfire(&[&fixed[..], &places[..], arguments].concat())
    };
    for arguments in [
        &["--listen", "/ip4/0.0.0.0/tcp/9001"][..],
        &["--listen", "/ip4/192.0.2.1/tcp/0"],
        &["--listen", "/ip6/::/udp/9001/quic-v1"],
        &["--address", "/ip4/0.0.0.0/tcp/9001"],
        &["--listen", "/dns4/node.example.org/tcp/9001"],
    ] {
        let refused = init(arguments);
        assert_eq!(refused.status.code(), Some(64), "{arguments:?}: {}", stderr(&refused));
        assert!(!directory.exists(), "{arguments:?}");
    }
    let everywhere = init(&["--listen", "/ip4/0.0.0.0/tcp/9001"]);
    assert!(stderr(&everywhere).contains("--address /dns4/"), "{}", stderr(&everywhere));
    let made = init(&["--address", "/dns4/node.example.org/tcp/9001"]);
    assert_eq!(json(&made)["member"]["addresses"][0], "/dns4/node.example.org/tcp/9001", "{}", stderr(&made));
    assert!(!stderr(&made).contains("warning"), "{}", stderr(&made));
    std::fs::remove_dir_all(&directory).unwrap();
    let loopback = init(&["--listen", "/ip4/127.0.0.1/tcp/9001"]);
    assert!(loopback.status.success() && stderr(&loopback).contains("own machine"), "{}", stderr(&loopback));
}

/// What `run` would refuse, `config check` faults: agreement that only endpoints never asked could give, a name to listen on,
/// a directory too deep for a socket, no endpoint whose operator is the member's, a guardian key of another network.
#[test]
fn config_check_faults_what_run_refuses() {
    let members = Members::new("http://127.0.0.1:1");
    let path = members.config("birch");
    let good = std::fs::read_to_string(&path).unwrap();
    let listen = good.lines().find(|line| line.starts_with("listen")).unwrap();
    let cases = [
        ("operator = \"op-birch\"", "operator = \"op-birch\"\nevidence_only = true", "have 0"),
        ("operator = \"op-birch\"", "operator = \"op-birch\"\nsubmit_only = true", "have 0"),
        ("operator = \"op-birch\"", "operator = \"op-alder\"", "op-birch"),
        (listen, "listen = [\"/dns4/node.example.org/tcp/9001\"]", "not a name"),
    ];
    for (from, to, expected) in cases {
        crate::fixture::private_file(Path::new(&path), &good.replacen(from, to, 1));
        for command in [&["config", "check"][..], &["run"]] {
            let output = watchfire(&[command, &["--config", &path]].concat());
            let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), stderr(&output));
            assert!(!output.status.success() && said.contains(expected), "{command:?} {to}: {said}");
        }
    }
    crate::fixture::private_file(Path::new(&path), &good);
    let deep = members.directory("birch").join("d".repeat(90));
    std::fs::create_dir(&deep).unwrap();
    for name in ["config.toml", "charter.toml", "password", "keys"] {
        std::fs::rename(members.directory("birch").join(name), deep.join(name)).unwrap();
    }
    let config = deep.join("config.toml").to_str().unwrap().to_owned();
    let guardian = || std::fs::read(deep.join("keys/guardian.json")).unwrap();
    let before = guardian();
    for command in [&["config", "check"][..], &["run"]] {
        let output = watchfire(&[command, &["--config", &config]].concat());
        let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), stderr(&output));
        assert!(!output.status.success() && said.contains("socket's path"), "{command:?}: {said}");
    }
    assert_eq!(guardian(), before, "bound to a network though the node cannot run there");
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

/// On a chain where things are real, one operator believed alone is worth a word; in a drill it is how drills are.
#[test]
fn warns_of_one_operator_alone() {
    let members = Members::new("http://127.0.0.1:1");
    let warned = || {
        let checked = json(&watchfire(&["config", "check", "--config", &members.config("birch"), "--json"]));
        let warnings = checked["warnings"].as_array().unwrap().clone();
        warnings.into_iter().find(|warning| warning["kind"] == "one-operator")
    };
    assert_eq!(warned(), None);
    let directory = members.directory("birch");
    for (file, from, to) in [
        ("charter.toml", "drill = true", "drill = false"),
        ("charter.toml", "31337", "1"),
        ("config.toml", "31337", "1"),
    ] {
        let path = directory.join(file);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{file} {from}");
        crate::fixture::private_file(&path, &text.replace(from, to));
    }
    let warning = warned().expect("a warning");
    assert!(warning["at"].as_str().unwrap().ends_with("chain 1: agree"), "{warning}");
    assert!(warning["remedy"].as_str().unwrap().contains("agree = 2"), "{warning}");
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
