//! Every command of the command line, walked through as clap knows it: explained, answering in JSON, and failing by name on whatever it
//! is given. A command that is added is tested here without a line for it, but for what its arguments may be.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command as Process, Output, Stdio};

use clap::{Arg, Command};
use serde_json::Value;

use crate::fixture::{Members, WATCHFIRE, endpoint_of_chain, json, stderr, watchfire};

/// The leaves with the words that lead to them.
fn leaves() -> Vec<(Vec<String>, Command)> {
    fn walk(command: &Command, path: &[String], leaves: &mut Vec<(Vec<String>, Command)>) {
        let subcommands: Vec<&Command> = command.get_subcommands().filter(|one| one.get_name() != "help").collect();
        if subcommands.is_empty() {
            leaves.push((path.to_vec(), command.clone()));
        }
        for one in subcommands {
            walk(one, &[path, &[one.get_name().to_owned()]].concat(), leaves);
        }
    }
    let mut root = watchfire_node::cli::command();
    root.build();
    let mut leaves = Vec::new();
    walk(&root, &[], &mut leaves);
    assert!(leaves.len() > 35, "{}", leaves.len());
    leaves
}

fn own_arguments(command: &Command) -> impl Iterator<Item = &Arg> {
    command.get_arguments().filter(|argument| !["help", "version", "json"].contains(&argument.get_id().as_str()))
}

/// A value that parses, whether or not there is such a thing.
fn value(argument: &Arg) -> String {
    let text = match argument.get_id().as_str() {
        "organisation" => "alder",
        "incident" => "latest",
        "object" | "what" | "event" | "change" => "ab",
        "reason" | "text" | "name" | "asset" | "rule" | "summary" => "vault-core",
        "outcome" => "false",
        "output" => "/nowhere/out",
        "archives" | "blocks" | "charter" | "file" | "scenarios" | "scenario" => "/nowhere/file",
        "chain_id" | "nonce" | "index" => "1",
        "opens" => "1",
        "closes" => "2",
        "directory" | "key" => "/nowhere/here",
        "release" => "app 1.4.2",
        "safe" | "to" | "target" => "0x1111111111111111111111111111111111111111",
        "shell" => "bash",
        "severity" => "SEV2",
        "minutes" => "1",
        other => panic!("what is a value of the argument {other:?}? say it here"),
    };
    text.to_owned()
}

/// Command line words with a value for everything that must be given.
fn words(path: &[String], command: &Command) -> Vec<OsString> {
    let mut words = path.to_vec();
    for argument in own_arguments(command).filter(|argument| argument.is_required_set()) {
        words.extend(argument.get_long().map(|long| format!("--{long}")));
        words.push(value(argument));
    }
    let has = |id: &str| own_arguments(command).any(|argument| argument.get_id() == id);
    let either: [(&str, &[&str]); 4] = [
        ("person", &["--person", "p-1"]),
        ("index", &["--index", "0"]),
        ("scenarios", &["/nowhere/file"]),
        ("function", &["--function", "pause()"]),
    ];
    for (id, given) in either {
        if has(id) && !(id == "person" && path[0] == "incident" && path[1] == "bundle") {
            words.extend(given.iter().map(ToString::to_string));
        }
    }
    words.into_iter().map(OsString::from).collect()
}

fn run(words: &[OsString], more: &[&OsStr]) -> Output {
    let mut process = Process::new(WATCHFIRE);
    process.args(words).args(more).arg("--json").stdin(Stdio::null()).env_remove("WATCHFIRE_LOG");
    process.output().unwrap()
}

/// One JSON object on stdout, with the error and its stable name; the exit code that it says; no panic.
#[track_caller]
fn assert_fails(output: &Output, about: &dyn std::fmt::Debug) -> Value {
    let code = output.status.code();
    assert!(!matches!(code, None | Some(0 | 101)), "{about:?}: {code:?} {}", stderr(output));
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(stdout.lines().count(), 1, "{about:?}: {stdout}");
    let answer = json(output);
    if code == Some(1) && answer.get("error").is_none() {
        return answer;
    }
    assert_eq!(answer["exit_code"].as_i64(), code.map(i64::from), "{about:?}: {answer}");
    for key in ["error", "code"] {
        assert!(answer[key].as_str().is_some_and(|text| !text.is_empty()), "{about:?}: {answer}");
    }
    let name = answer["code"].as_str().unwrap();
    assert!(name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-'), "{answer}");
    answer
}

/// Every command and every argument says what it is, with more than its own name, and every command its exit codes.
#[test]
fn all_is_explained() {
    for (path, command) in leaves() {
        assert!(command.get_about().is_some_and(|about| about.to_string().len() > 15), "{path:?}");
        let codes = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        assert!(
            ["Exit codes:", "  0   ", "  3   ", "  64  "].iter().all(|line| codes.contains(line)),
            "{path:?}: {codes}"
        );
        for argument in own_arguments(&command) {
            let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
            let words = help.split_whitespace().count();
            assert!(words >= 3, "{path:?} {}: {help:?} explains nothing", argument.get_id());
        }
    }
}

/// The README's table names every command with each of its subcommands.
#[test]
fn the_readme_names_every_command() {
    let readme = include_str!("../../../../README.md");
    let rows: Vec<&str> =
        readme.lines().filter_map(|line| line.strip_prefix("| `watchfire ")?.split(" | ").next()).collect();
    for (path, _) in leaves() {
        let named = |row: &&str| {
            path.iter().all(|word| row.split(|c: char| !c.is_ascii_alphanumeric() && c != '-').any(|name| name == word))
        };
        assert!(rows.iter().any(named), "{path:?} is in no row of the README's table of commands");
    }
}

/// Help and version are JSON too, and a wrong command line is one error object with exit code 64.
#[test]
fn all_takes_json() {
    let version = watchfire(&["--version", "--json"]);
    assert_eq!((version.status.code(), json(&version)["name"].clone()), (Some(0), "watchfire".into()));
    assert_eq!(String::from_utf8_lossy(&version.stdout).lines().count(), 1);
    for words in [&["--json"][..], &["log", "--json"], &["nonsense", "--json"], &["help", "nonsense", "--json"]] {
        let output = watchfire(words);
        assert_eq!(assert_fails(&output, &words)["code"], "usage");
        assert_eq!(output.status.code(), Some(64), "{words:?}");
    }
    for (path, _) in leaves() {
        let path: Vec<OsString> = path.into_iter().map(OsString::from).collect();
        let help = run(&path, &[OsStr::new("--help")]);
        assert_eq!((help.status.code(), help.stderr.len()), (Some(0), 0), "{path:?}");
        assert!(json(&help)["help"].as_str().unwrap().contains("Exit codes:"), "{path:?}");
        let nonsense = run(&path, &[OsStr::new("--no-such-flag")]);
        assert_eq!(nonsense.status.code(), Some(64), "{path:?}: {}", stderr(&nonsense));
        assert_eq!(assert_fails(&nonsense, &path)["code"], "usage");
    }
}

/// A path where nothing is, a directory, and files that are empty, no text, cut off after `cut`, and of a name that is no UTF-8.
fn bad_files(base: &Path, cut: &str) -> [PathBuf; 6] {
    let at = |name: &[u8]| base.join(OsStr::from_bytes(name));
    let directory = at(b"directory");
    std::fs::create_dir(&directory).unwrap();
    let file = |name: &[u8], content: &[u8]| {
        std::fs::write(at(name), content).unwrap();
        at(name)
    };
    let (empty, bytes, cut) = (file(b"empty", b""), file(b"bytes", &[0xff, 0xfe, 0x00]), file(b"cut", cut.as_bytes()));
    [at(b"missing"), directory, empty, bytes, cut, file(b"no-\xff-utf-8", b"nonsense")]
}

/// Whatever the configuration is (not there, a directory, empty, cut off, no text, a name that is no UTF-8), the command says so: by name,
/// with what to do.
#[test]
fn bad_configurations_are_told() {
    let base = tempfile::tempdir().unwrap();
    let bad = bad_files(base.path(), "member = \"alder-1\"\norganisation = \"al");
    for (path, command) in leaves() {
        if !own_arguments(&command).any(|argument| argument.get_id() == "config") {
            continue;
        }
        for file in &bad {
            // It looks at the file that it is to check first.
            let output = run(&words(&path, &command), &[OsStr::new("--config"), file.as_os_str()]);
            let answer = assert_fails(&output, &(&path, file));
            let told = answer.to_string();
            assert!(told.contains("; ") || answer["faults"].is_array(), "{path:?}: no remedy: {told}");
        }
    }
}

/// Commands about a file say what is wrong with one that is not there, a directory, empty, cut off, or of another kind.
#[test]
fn bad_files_are_told() {
    let members = Members::new("http://127.0.0.1:1");
    let config = members.config("alder");
    let charter = members.charter();
    let base = tempfile::tempdir().unwrap();
    let bad = bad_files(base.path(), "watchfire-bundle/1\n\0\0\0\x10abc");
    let commands: [&[&str]; 20] = [
        &["backtest", "--blocks", "/nowhere/blocks", "--charter"],
        &["backtest", "--charter", &charter, "--blocks"],
        &["charter", "check"],
        &["rules", "check"],
        &["charter", "digest"],
        &["charter", "check", &charter, "--entry"],
        &["verify"],
        &["verify", "--charter", &charter],
        &["verify", &charter, "--charter"],
        &["log", "check", "--charter", &charter],
        &["log", "check", "--config", &config],
        &["log", "import", "--config", &config],
        &["log", "prune", "--config", &config, "--archive"],
        &["vulnerability", "report", "--asset", "vault-core", "--person", "p-1", "--config", &config],
        &["inspect-trace"],
        &["simulate"],
        &["drill"],
        &["drill", "--rpc", "http://127.0.0.1:1", "--funder"],
        &[
            "init",
            "--organisation",
            "alder",
            "--directory",
            "/nowhere/node",
            "--address",
            "/dns4/a.example/tcp/1",
            "--password-file",
        ],
        &["run", "--config"],
    ];
    for command in commands {
        let words: Vec<OsString> = command.iter().map(OsString::from).collect();
        for file in &bad {
            let output = run(&words, &[file.as_os_str()]);
            let answer = assert_fails(&output, &(command, file));
            let error = answer["error"].as_str().unwrap_or("; ");
            assert!(error.contains("; "), "{command:?} {file:?}: no remedy: {error}");
        }
    }
}

/// What needs no node and no chain answers in one JSON object; what a running node answers, too, and `--watch` one a line.
#[test]
fn good_input_is_answered_in_json() {
    let members = Members::new(&endpoint_of_chain(1));
    let config = &members.config("alder");
    // Its endpoint serves another chain: it ends with a log of one event.
    assert_eq!(watchfire(&["run", "--config", config]).status.code(), Some(3));
    let archive = members.base.path().join("archive");
    let archive = archive.to_str().unwrap();
    let set = "proxy=0x1000000000000000000000000000000000000001";
    let commands: [(&[&str], i32); 19] = [
        (&["charter", "check", &members.charter()], 0),
        (&["rules", "check", &members.charter()], 0),
        (&["rules", "packs"], 0),
        (&["rules", "pack", "proxy", "--asset", "vault-core", "--set", set, "prefix=core"], 0),
        (&["charter", "digest", &members.charter()], 0),
        (&["config", "check", "--config", config], 0),
        (&["rules", "stats", "--config", config], 0),
        (&["status", "--config", config], 2),
        (&["log", "verify", "--config", config], 0),
        (&["log", "query", "--config", config], 0),
        (&["log", "faults", "--config", config], 0),
        (&["log", "repair", "--config", config], 0),
        (&["log", "rebuild", "--config", config], 0),
        (&["log", "export", "--output", archive, "--config", config], 0),
        (&["log", "prune", "--archive", archive, "--dry-run", "--config", config], 0),
        (&["log", "import", archive, "--config", &members.config("birch")], 0),
        (&["people", "set", "Ada", "--config", config], 0),
        (&["people", "list", "--config", config], 0),
        (&["completions", "bash"], 0),
    ];
    for (command, code) in commands {
        let output = watchfire(&[command, &["--json"]].concat());
        assert_eq!(output.status.code(), Some(code), "{command:?}: {}", stderr(&output));
        assert_eq!(String::from_utf8_lossy(&output.stdout).lines().count(), 1, "{command:?}");
        assert!(json(&output).is_object(), "{command:?}");
    }
    assert!(Path::new(archive).exists());
    let again = watchfire(&["log", "export", "--output", archive, "--config", config, "--json"]);
    assert_eq!((assert_fails(&again, &"export")["code"].clone(), again.status.code()), ("exists".into(), Some(64)));
    watch(config);
}

/// Two looks are two lines, each an object.
fn watch(config: &str) {
    use std::io::{BufRead as _, BufReader};
    let mut process = Process::new(WATCHFIRE)
        .args(["status", "--watch", "--json", "--config", config])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(process.stdout.take().unwrap()).lines();
    for line in lines.take(2) {
        let value: Value = serde_json::from_str(&line.unwrap()).unwrap();
        assert!(value["assets"].is_array(), "{value}");
    }
    process.kill().unwrap();
    process.wait().unwrap();
}
