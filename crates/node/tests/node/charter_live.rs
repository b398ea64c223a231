//! `charter check` against a real chain and against members' signed entries.

use serde_json::{Value, json};
use watchfire_simulations::anvil::{Anvil, locate};
use watchfire_simulations::rpc::Rpc;

use crate::fixture::{Members, json as answer, watchfire};

/// Contract that answers every call with one word: 1 (`paused()` is true) or 0.
fn answering(word: u8) -> String {
    format!("0x60{word:02x}60005260206000f3")
}

fn of_kind(live: &Value, kind: &str) -> Vec<Value> {
    live.as_array().unwrap().iter().filter(|finding| finding["kind"] == kind).cloned().collect()
}

/// An empty chain yields faults as objects and a step named by playbook that cannot be simulated; a paused asset says just
/// that it is paused.
#[test]
fn judges_a_real_chain() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let path = locate(&|_| {}).unwrap();
    let anvil = runtime.block_on(Anvil::start(&path, 31337)).unwrap();
    let rpc = Rpc::new(anvil.url().clone()).unwrap();
    let members = Members::new(anvil.url().as_str());
    let check = || {
        let output = watchfire(&["charter", "check", &members.charter(), "--rpc", anvil.url().as_str(), "--json"]);
        assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
        answer(&output)["live"].clone()
    };
    let empty = check();
    for finding in empty.as_array().unwrap() {
        for key in ["severity", "kind", "subject", "message", "remedy"] {
            assert!(finding[key].is_string(), "{key} of {finding}");
        }
    }
    assert_eq!(empty[0]["severity"], "fault");
    assert!(!of_kind(&empty, "no-contract").is_empty(), "{empty}");
    let untried = of_kind(&empty, "not-simulated");
    assert_eq!(untried.len(), 1, "{empty}");
    assert_eq!(untried[0]["subject"], "playbook contain-vault step 1 (pause)");
    let vault = "0xe7f1725E7734CE288F8367e1Bb143E90bb3F0512";
    runtime.block_on(rpc.call("anvil_setCode", json!([vault, answering(1)]))).unwrap();
    let paused = check();
    let contained = of_kind(&paused, "already-contained");
    assert_eq!(contained.len(), 1, "{paused}");
    assert_eq!((&contained[0]["severity"], &contained[0]["subject"]), (&json!("info"), &untried[0]["subject"]));
    assert!(of_kind(&paused, "not-simulated").is_empty() && of_kind(&paused, "refuted").is_empty(), "{paused}");
    runtime.block_on(anvil.stop());
}

/// An entry as its member made it holds; one that was changed, and one that the charter has otherwise, do not.
#[test]
fn checks_signed_entries() {
    let base = tempfile::tempdir().unwrap();
    let mut members = Members::new("http://127.0.0.1:1");
    let entry = members.entries.remove("birch").unwrap();
    let file = base.path().join("birch.json");
    let check = |entry: &Value, charter: &str| {
        std::fs::write(&file, entry.to_string()).unwrap();
        let output = watchfire(&["charter", "check", charter, "--entry", file.to_str().unwrap(), "--json"]);
        (output.status.code(), answer(&output)["entries"].clone())
    };
    assert_eq!(check(&entry, &members.charter()), (Some(0), json!([])));
    let mut changed = entry.clone();
    changed["member"]["operators"] = json!(["op-other"]);
    let (code, found) = check(&changed, &members.charter());
    assert_eq!((code, &found[0]["kind"]), (Some(1), &json!("entry-not-signed")), "{found}");
    let (code, found) = check(&json!({}), &members.charter());
    assert_eq!((code, &found[0]["kind"]), (Some(1), &json!("entry-malformed")), "{found}");
    let charter = base.path().join("charter.toml");
    let text = std::fs::read_to_string(members.charter()).unwrap().replace("op-birch", "op-burch");
    std::fs::write(&charter, text).unwrap();
    let (code, found) = check(&entry, charter.to_str().unwrap());
    assert_eq!((code, &found[0]["kind"]), (Some(1), &json!("entry-differs")), "{found}");
    assert!(found[0]["message"].as_str().unwrap().contains("operators"), "{found}");
}
