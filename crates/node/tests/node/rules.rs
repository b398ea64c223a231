//! `rules packs`, `pack` and `check`: what is printed can be pasted, and what it costs is told.

use crate::fixture::{Members, json, watchfire};

const SAFE: &str = "safe=0x1000000000000000000000000000000000000001";

/// A pack is printed as text that the charter takes, alone and pasted.
#[test]
fn a_pack_is_pasted_into_a_charter() {
    let members = Members::new("http://127.0.0.1:1");
    let printed = watchfire(&["rules", "pack", "safe-guard", "--asset", "vault-core", "--set", SAFE]);
    assert_eq!(printed.status.code(), Some(0), "{}", String::from_utf8_lossy(&printed.stderr));
    let toml = String::from_utf8(printed.stdout).unwrap();
    let fragment = members.base.path().join("rules.toml");
    std::fs::write(&fragment, &toml).unwrap();
    let alone = watchfire(&["rules", "check", fragment.to_str().unwrap(), "--json"]);
    assert_eq!(alone.status.code(), Some(0), "{}", String::from_utf8_lossy(&alone.stdout));
    let rules = json(&alone)["rules"].as_array().unwrap().clone();
    assert_eq!(rules.len(), toml.matches("[[detector]]").count());
    let owners = rules.iter().find(|rule| rule["id"] == "safe-guard-owners").unwrap();
    assert_eq!((&owners["class"], &owners["reads"], &owners["kind"]), (&"decisive".into(), &1.into(), &"state".into()));

    let charter = members.charter();
    let before = watchfire(&["rules", "check", &charter, "--json"]);
    let whole = format!("{}\n{toml}", std::fs::read_to_string(&charter).unwrap());
    std::fs::write(&charter, whole).unwrap();
    let after = watchfire(&["rules", "check", &charter, "--json"]);
    assert_eq!(after.status.code(), Some(0), "{}", String::from_utf8_lossy(&after.stdout));
    let count = |value: &serde_json::Value| value["rules"].as_array().unwrap().len();
    assert_eq!(count(&json(&after)), count(&json(&before)) + rules.len());
}

/// Every pack is listed with its parameters; what is missing, unknown or could leave its place is refused by name.
#[test]
fn packs_say_what_they_need() {
    let listed = json(&watchfire(&["rules", "packs", "--json"]));
    let packs = listed["packs"].as_array().unwrap();
    let proxy = packs.iter().find(|pack| pack["name"] == "proxy").unwrap();
    assert_eq!(proxy["parameters"][0]["key"], "proxy");
    let pack =
        |more: &[&str]| watchfire(&[&["rules", "pack", "proxy", "--asset", "vault-core", "--json"], more].concat());
    for (set, told) in [
        (&[][..], "needs proxy"),
        (&["--set", "prxy=1"], "no parameter"),
        (&["--set", "proxy=\"\n[[detector]]"], "cannot be the value"),
        (&["--set", "proxy=1", "proxy=2"], "set twice"),
        (&["--set", "proxy"], "KEY=VALUE"),
    ] {
        let output = pack(set);
        assert_eq!(output.status.code(), Some(64), "{set:?}");
        assert!(json(&output)["error"].as_str().unwrap().contains(told), "{set:?}: {}", json(&output));
    }
    let unknown = watchfire(&["rules", "pack", "nothing", "--asset", "vault-core", "--json"]);
    assert_eq!((unknown.status.code(), json(&unknown)["code"].clone()), (Some(3), "not-found".into()));
}

/// A fragment's faults have lines, keys and remedies; what is neither a charter nor detectors alone is judged as a charter.
#[test]
fn a_fragments_faults_are_told() {
    let members = Members::new("http://127.0.0.1:1");
    let file = members.base.path().join("rules.toml");
    let check = |text: &str| {
        std::fs::write(&file, text).unwrap();
        let output = watchfire(&["rules", "check", file.to_str().unwrap(), "--json"]);
        assert_eq!(output.status.code(), Some(1));
        json(&output)["faults"].as_array().unwrap().clone()
    };
    let faults = check("[[detector]]\nid = \"x\"\nasset = \"any\"\nseverity = \"SEV1\"\nkind = \"leap\"\n");
    assert!(faults.iter().any(|fault| fault["kind"] == "no-bound" && fault["key"] == "detector[0]"), "{faults:?}");
    assert!(check("name = \"half a charter\"\n").len() > 1);
}

const RULES: &str = r#"
[[detector]]
id = "large"
asset = "vault"
severity = "SEV2"
kind = "expression"
over = "event"
event = "Moved(address indexed to, uint256 amount)"
address = "0x1000000000000000000000000000000000000001"
expression = "1000 / amount < 100"
stands_s = 1
[[detector]]
id = "called"
asset = "vault"
severity = "SEV2"
kind = "expression"
over = "call"
function = "withdraw(uint256 amount)"
address = "0x1000000000000000000000000000000000000001"
expression = "amount == 20 && tx.value == 7"
stands_s = 1
"#;

/// Rules alone over blocks of our own making: each says where it fired and what it had no answer about, and expectations are held against that.
#[test]
fn rules_are_tried_on_past_blocks() {
    let members = Members::new("http://127.0.0.1:1");
    let path = |name: &str| members.base.path().join(name).to_str().unwrap().to_owned();
    let write = |name: &str, text: &str| std::fs::write(path(name), text).unwrap();
    let blocks: String =
        crate::made_blocks::chain(&[&[5, 20], &[], &[0], &[30]]).iter().map(|block| format!("{block}\n")).collect();
    write("blocks.jsonl", &blocks);
    write("rules.toml", RULES);
    let (rules, blocks) = (path("rules.toml"), path("blocks.jsonl"));
    let run = |more: &[&str]| watchfire(&[&["rules", "test", &rules, "--blocks", &blocks], more].concat());
    let lines = |output: &std::process::Output| -> Vec<serde_json::Value> {
        String::from_utf8_lossy(&output.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let output = run(&["--json"]);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let told = lines(&output);
    let [called, large, last] = told.as_slice() else { panic!("{told:?}") };
    assert_eq!(
        (&called["rule"], &called["fired"], &called["blocks"]),
        (&"called".into(), &1.into(), &serde_json::json!([1]))
    );
    assert_eq!((&large["fired"], &large["blocks"]), (&2.into(), &serde_json::json!([1, 4])));
    assert_eq!(large["no_answer"], serde_json::json!({ "division-by-zero": 1 }));
    assert_eq!((&large["as_expected"], &last["summary"]["blocks"]), (&serde_json::Value::Null, &4.into()));

    write("good.toml", "[large]\nfired = 2\nblocks = [1, 4]\n[called]\nfired = 1\n");
    let good = run(&["--expect", &path("good.toml"), "--json"]);
    assert_eq!((good.status.code(), &lines(&good)[2]["summary"]["as_expected"]), (Some(0), &true.into()));
    write("bad.toml", "[large]\nblocks = [1]\n[called]\nfired = 0\n");
    let bad = run(&["--expect", &path("bad.toml")]);
    let text = String::from_utf8_lossy(&bad.stdout).into_owned();
    assert_eq!((bad.status.code(), text.matches("MISSED").count()), (Some(1), 2), "{text}");
    write("odd.toml", "[nothing]\nfired = 0\n[large]\n");
    let odd = json(&run(&["--expect", &path("odd.toml"), "--json"]));
    assert_eq!(odd["code"], "expectation-faults");
    assert!(odd["error"].as_str().unwrap().contains("line 1"), "{odd}");
}

/// A monitor's file becomes rules that `rules check` takes; what has no counterpart is named.
#[test]
fn monitors_are_imported() {
    let members = Members::new("http://127.0.0.1:1");
    let path = |name: &str| members.base.path().join(name).to_str().unwrap().to_owned();
    let monitor = serde_json::json!({
        "name": "Big Moves", "paused": false, "networks": ["harbour"], "triggers": ["pager"], "trigger_conditions": [],
        "addresses": [{ "address": "0x1000000000000000000000000000000000000001", "contract_spec": [
            { "type": "event", "name": "Moved", "anonymous": false, "inputs": [{ "name": "amount", "type": "uint256", "indexed": false }] },
        ] }],
        "match_conditions": { "functions": [], "transactions": [], "events": [
            { "signature": "Moved(uint256)", "expression": "amount > 1000" }, { "signature": "Moved(uint256)", "expression": "amount > 1.5" },
        ] },
    });
    std::fs::write(path("monitor.json"), monitor.to_string()).unwrap();
    let output = watchfire(&[
        "rules",
        "import",
        &path("monitor.json"),
        "--asset",
        "harbour=vault-core",
        "--severity",
        "SEV2",
        "--json",
    ]);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let answer = json(&output);
    assert_eq!(
        (answer["rules"].as_array().unwrap().len(), answer["not_translated"].as_array().unwrap().len()),
        (1, 2),
        "{answer}"
    );
    std::fs::write(path("imported.toml"), answer["toml"].as_str().unwrap()).unwrap();
    let checked = json(&watchfire(&["rules", "check", &path("imported.toml"), "--json"]));
    assert_eq!((&checked["ok"], &checked["rules"][0]["asset"]), (&true.into(), &"vault-core".into()), "{checked}");
}
