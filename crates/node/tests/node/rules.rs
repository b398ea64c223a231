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
