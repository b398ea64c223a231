//! `watchfire inspect-trace`: files of every kind, standard input, a node that traces, and what is wrong with any of them.

use std::io::Write as _;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::fixture::{WATCHFIRE, json, stderr, watchfire};

const TX: &str = "0x1111111111111111111111111111111111111111111111111111111111111111";
const OTHER: &str = "0x2222222222222222222222222222222222222222222222222222222222222222";
const CALL: &str = r#"{"type":"CALL","from":"0x1111111111111111111111111111111111111111","to":"0x2222222222222222222222222222222222222222","value":"0x1","input":"0x","gas":"0x1","gasUsed":"0x1"}"#;

fn lines(output: &std::process::Output) -> Vec<Value> {
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// A line a transaction, each with exactly the four keys; contributions add up to the score.
#[test]
fn each_transaction_is_a_line() {
    let base = tempfile::tempdir().unwrap();
    let file = base.path().join("block.json");
    let block = format!(r#"[{{"txHash":"{TX}","result":{CALL}}},{{"txHash":"{OTHER}","result":{CALL}}}]"#);
    std::fs::write(&file, format!(r#"{{"jsonrpc":"2.0","id":1,"result":{block}}}"#)).unwrap();
    let file = file.to_str().unwrap();
    let output = watchfire(&["inspect-trace", file, "--json"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let told = lines(&output);
    assert_eq!(told.iter().map(|line| line["tx"].as_str().unwrap()).collect::<Vec<_>>(), [TX, OTHER]);
    for line in &told {
        let mut keys: Vec<&str> = line.as_object().unwrap().keys().map(String::as_str).collect();
        keys.sort_unstable();
        assert_eq!(keys, ["reasons", "score", "tx", "verdict"]);
        assert_eq!(line["verdict"], "benign");
        let sum: i64 =
            line["reasons"].as_array().unwrap().iter().map(|one| one["contribution"].as_i64().unwrap()).sum();
        assert_eq!(line["score"].as_i64(), Some(sum.clamp(0, 1000)));
        assert!(line["reasons"][0]["feature"].is_string() && line["reasons"][0]["detail"].is_string());
    }
    let one = watchfire(&["inspect-trace", file, "--tx", OTHER, "--json"]);
    assert_eq!((one.status.code(), lines(&one).len(), json(&one)["tx"].clone()), (Some(0), 1, OTHER.into()));
    let people = watchfire(&["inspect-trace", file, "--reasons"]);
    let text = String::from_utf8_lossy(&people.stdout).into_owned();
    assert!(text.contains(TX) && text.contains("benign") && text.contains("  base "), "{text}");
    let none = watchfire(&["inspect-trace", file, "--tx", &format!("0x{}", "33".repeat(32)), "--json"]);
    assert_eq!((none.status.code(), json(&none)["code"].clone()), (Some(3), "not-found".into()));
}

/// What a node could not trace of a block, and a line that is cut off, keep nothing else from being told; the exit code and the error say it.
#[test]
fn one_fault_hides_no_other_transaction() {
    let base = tempfile::tempdir().unwrap();
    let file = base.path().join("traces.json");
    let (one, two) =
        (format!(r#"{{"txHash":"{TX}","result":{CALL}}}"#), format!(r#"{{"txHash":"{OTHER}","result":{CALL}}}"#));
    let failed = format!(r#"{{"txHash":"0x{}","error":"execution timeout"}}"#, "33".repeat(32));
    for (text, kind) in [
        (format!("[{one},{failed},{two}]"), "rpc-error"),
        (format!("{one}\n{failed}\n{two}\n"), "rpc-error"),
        (format!("{one}\n{}\n{two}\n", &two[..100]), "trace-not-json"),
    ] {
        std::fs::write(&file, text).unwrap();
        let output = watchfire(&["inspect-trace", file.to_str().unwrap(), "--json"]);
        let told = lines(&output);
        assert_eq!(told.iter().filter_map(|line| line["tx"].as_str()).collect::<Vec<_>>(), [TX, OTHER]);
        assert_eq!((output.status.code(), &told[2]["code"]), (Some(3), &Value::from(kind)), "{told:?}");
    }
    std::fs::write(&file, format!("{one}\n{failed}\n")).unwrap();
    let people = watchfire(&["inspect-trace", file.to_str().unwrap()]);
    assert!(String::from_utf8_lossy(&people.stdout).contains(TX), "the only one is told, too");
    assert!(stderr(&people).contains("execution timeout"));
}

/// Standard input is read as a file is, compressed too; a trace without a hash has null, and a file's own name may give it.
#[test]
fn standard_input_and_names() {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(CALL.as_bytes()).unwrap();
    for bytes in [CALL.as_bytes().to_vec(), encoder.finish().unwrap()] {
        let mut process = Command::new(WATCHFIRE)
            .args(["inspect-trace", "-", "--json"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        process.stdin.take().unwrap().write_all(&bytes).unwrap();
        let output = process.wait_with_output().unwrap();
        assert_eq!((output.status.code(), json(&output)["tx"].clone()), (Some(0), Value::Null));
    }
    let base = tempfile::tempdir().unwrap();
    let file = base.path().join(format!("{TX}.json"));
    std::fs::write(&file, CALL).unwrap();
    let output = watchfire(&["inspect-trace", file.to_str().unwrap(), "--json"]);
    assert_eq!(json(&output)["tx"], TX);
}

/// A faulty file is named with its place, and does not keep the others from being told.
#[test]
fn a_faulty_file_is_named() {
    let base = tempfile::tempdir().unwrap();
    let (good, cut) = (base.path().join("good.json"), base.path().join("cut.json"));
    std::fs::write(&good, CALL).unwrap();
    std::fs::write(&cut, &CALL[..CALL.len() / 2]).unwrap();
    let (good, cut) = (good.to_str().unwrap(), cut.to_str().unwrap());
    let output = watchfire(&["inspect-trace", cut, good, "--json"]);
    let told = lines(&output);
    assert_eq!((output.status.code(), told.len()), (Some(3), 2), "{}", stderr(&output));
    assert_eq!((told[0]["verdict"].clone(), told[1]["code"].clone()), ("benign".into(), "trace-not-json".into()));
    let error = told[1]["error"].as_str().unwrap();
    assert!(error.contains("cut.json: line 1, column ") && error.contains("; "), "{error}");
    let nowhere = watchfire(&["inspect-trace", "--rpc", "http://127.0.0.1:1", "--tx", TX, "--json"]);
    assert_eq!((nowhere.status.code(), json(&nowhere)["code"].clone()), (Some(3), "no-trace".into()));
    let neither = watchfire(&["inspect-trace", "--rpc", "http://127.0.0.1:1", "--json"]);
    assert_eq!(neither.status.code(), Some(64));
}
