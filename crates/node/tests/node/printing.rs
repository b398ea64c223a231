//! What reaches stdout: one last JSON object whatever happens, nothing lost in silence, no complaint to a reader who left.

use std::fs::File;
use std::process::{Command, Output, Stdio};

use crate::fixture::{Members, WATCHFIRE, init, json, stderr, watchfire};

const HASH: [&str; 8] = [
    "safe",
    "hash",
    "--chain-id",
    "1",
    "--safe",
    "0x1234567890123456789012345678901234567890",
    "--to",
    "0x1234567890123456789012345678901234567890",
];

/// Runs it with stdout going there.
fn into(stdout: Stdio, arguments: &[&str]) -> Output {
    Command::new(WATCHFIRE).args(arguments).stdin(Stdio::null()).stdout(stdout).output().unwrap()
}

/// A reader who hung up is no error and no panic; a full disk is an error.
#[test]
fn lost_output_is_a_failure() {
    for arguments in
        [&["completions", "bash"][..], &["completions", "bash", "--json"], &[&HASH[..], &["--nonce", "1"]].concat()]
    {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let hung_up = into(writer.into(), arguments);
        assert_eq!((hung_up.status.code(), stderr(&hung_up)), (Some(0), String::new()), "{arguments:?}");
        let full = into(File::options().write(true).open("/dev/full").unwrap().into(), arguments);
        assert_eq!(full.status.code(), Some(3), "{arguments:?}");
        assert!(stderr(&full).contains("cannot be written"), "{}", stderr(&full));
    }
    let help = into(File::options().write(true).open("/dev/full").unwrap().into(), &["--help"]);
    assert_eq!(help.status.code(), Some(3));
}

/// Completions and wrong command lines answer in JSON when asked to.
#[test]
fn json_everywhere() {
    let script = json(&watchfire(&["completions", "zsh", "--json"]));
    assert_eq!(script["shell"], "zsh");
    assert!(script["script"].as_str().unwrap().contains("watchfire"));
    for wrong in [&["nonsense", "--json"][..], &["--json"], &["safe", "hash", "--json"], &["--json", "log", "--nope"]] {
        let output = watchfire(wrong);
        assert_eq!(output.status.code(), Some(64), "{wrong:?}");
        assert_eq!(json(&output)["exit_code"], 64);
        assert!(!json(&output)["error"].as_str().unwrap().is_empty());
    }
}

/// Every command's help tells its exit codes.
#[test]
fn help_tells_exit_codes() {
    for command in [
        &["init"][..],
        &["run"],
        &["status"],
        &["incident", "approve"],
        &["log", "verify"],
        &["charter", "check"],
        &["config", "check"],
        &["safe", "hash"],
        &["drill"],
        &["completions"],
    ] {
        let help = watchfire(&[command, &["--help"]].concat());
        let text = String::from_utf8_lossy(&help.stdout).into_owned();
        assert!(text.contains("Exit codes:") && text.contains("64  the command line is wrong"), "{command:?}: {text}");
    }
}

/// Numbers, versions, addresses and ids that only look right are refused.
#[test]
fn refuses_what_only_looks_right() {
    for (arguments, complaint) in [
        (&["--nonce", "0x1_0"][..], "decimal digits or 0x hex"),
        (&["--nonce", "1", "--safe-version", "2.0.0"], "1.MINOR.PATCH"),
        (&["--nonce", "1", "--safe-version", "01.3.0"], "1.MINOR.PATCH"),
        (&["--nonce", "1", "--safe-version", "1.03.0"], "1.MINOR.PATCH"),
        (&["--nonce", "1", "--safe-version", "1.3"], "1.MINOR.PATCH"),
    ] {
        let output = watchfire(&[&HASH[..], arguments].concat());
        assert_eq!(output.status.code(), Some(64), "{arguments:?}");
        assert!(stderr(&output).contains(complaint), "{}", stderr(&output));
    }
    assert_eq!(
        watchfire(&[&HASH[..], &["--nonce", "0x1F", "--safe-version", "1.4.1+L2"]].concat()).status.code(),
        Some(0)
    );
    let listen =
        watchfire(&["init", "--organisation", "alder", "--directory", "/nowhere/node", "--listen", "/foo/bar"]);
    assert_eq!(listen.status.code(), Some(64), "{}", stderr(&listen));
    assert!(stderr(&listen).contains("/foo/bar"), "{}", stderr(&listen));
    let directory = watchfire(&["charter", "check", "/etc"]);
    assert_eq!(directory.status.code(), Some(3));
    assert!(!stderr(&directory).contains("config.toml"), "{}", stderr(&directory));
    let members = Members::new("http://127.0.0.1:1");
    let incident = watchfire(&["incident", "show", "", "--config", &members.config("alder")]);
    assert_eq!(incident.status.code(), Some(64));
    assert!(stderr(&incident).contains("hex digits"), "{}", stderr(&incident));
}

/// The text of `init` has the signatures that the JSON has, as comments of the block to paste.
#[test]
fn init_prints_signatures_as_comments() {
    let base = tempfile::tempdir().unwrap();
    let first = base.path().join("first");
    init(&first, "alder", 9001);
    let (second, password) = (base.path().join("second"), first.join("password"));
    let output = watchfire(&[
        "init",
        "--organisation",
        "alder",
        "--directory",
        second.to_str().unwrap(),
        "--password-file",
        password.to_str().unwrap(),
        "--address",
        "/dns4/alder.example/tcp/9001",
        "--light-key-derivation",
    ]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    for name in ["node_signature", "guardian_signature"] {
        assert!(text.contains(&format!("# {name} = \"")), "{text}");
    }
}

/// A damaged index does not hide that the journal is whole: the verdict names the index.
#[test]
fn a_damaged_index_does_not_hide_the_journal() {
    let members = Members::new(&crate::fixture::endpoint_of_chain(1));
    let config = members.config("alder");
    assert_eq!(watchfire(&["run", "--config", &config]).status.code(), Some(3));
    let verify = || watchfire(&["log", "verify", "--config", &config, "--json"]);
    assert_eq!(verify().status.code(), Some(0));
    let mut directories = vec![members.directory("alder").join("sled")];
    while let Some(directory) = directories.pop() {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                directories.push(path);
            } else if matches!(path.file_name().and_then(|name| name.to_str()), Some("conf" | "db")) {
                std::fs::write(&path, b"not what sled wrote").unwrap();
            }
        }
    }
    let output = verify();
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    let answer = json(&output);
    assert_eq!((&answer["events"], &answer["log_verified"]), (&1.into(), &false.into()), "{answer}");
    assert!(answer["index"].as_str().unwrap().starts_with("unusable: "), "{answer}");
}
