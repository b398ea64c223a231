//! Monitors of our own making in the shape of OpenZeppelin Monitor's files: what becomes of each part.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use serde_json::{Value, json};

use super::*;
use crate::model::{Class, Watch};
use crate::parse_rules;

const VAULT: &str = "0x1000000000000000000000000000000000000001";

fn wishes() -> Wishes {
    let assets = BTreeMap::from([("harbour".to_owned(), "vault-core".to_owned())]);
    Wishes { assets, severity: Severity::Sev3, stands_s: 600 }
}

fn abi() -> Value {
    let input = |name: &str, ty: &str, indexed: bool| json!({ "name": name, "type": ty, "indexed": indexed });
    json!([
        { "type": "event", "name": "Moved", "anonymous": false,
          "inputs": [input("who", "address", true), input("amount", "uint256", false), input("tags", "uint8[]", false)] },
        { "type": "event", "name": "Named", "anonymous": false, "inputs": [input("label", "string", true), input("note", "string", false)] },
        { "type": "function", "name": "place", "stateMutability": "nonpayable", "outputs": [], "inputs": [
            { "name": "order", "type": "tuple", "components": [{ "name": "to", "type": "address" }, { "name": "size", "type": "int128" }] },
            { "name": "in", "type": "bytes4" },
        ] },
    ])
}

fn monitor(change: impl FnOnce(&mut Value)) -> Value {
    let mut monitor = json!({
        "name": "Large Moves", "paused": false, "networks": ["harbour"],
        "addresses": [{ "address": VAULT, "contract_spec": abi() }],
        "match_conditions": { "functions": [], "events": [], "transactions": [] },
        "trigger_conditions": [], "triggers": [],
    });
    change(&mut monitor);
    monitor
}

fn imported(monitor: &Value) -> Import {
    import(&[("m.json".to_owned(), monitor.to_string())], &wishes())
}

/// The expression that an event's or a call's condition becomes, or why it is none.
fn translated(kind: &str, signature: &str, expression: &str) -> Result<String, String> {
    let import = imported(&monitor(|one| {
        one["match_conditions"][kind] = json!([{ "signature": signature, "expression": expression }]);
    }));
    match import.rules.as_slice() {
        [rule] => {
            let (rules, _) = parse_rules(&rule.toml).unwrap_or_else(|faults| panic!("{}: {faults:#?}", rule.toml));
            let Watch::Expression { expression, .. } = &rules.detectors.values().next().unwrap().watch else {
                panic!("no expression: {}", rule.toml)
            };
            Ok(expression.source().to_owned())
        }
        _ => Err(import.left[0].why.clone()),
    }
}

#[test]
fn conditions_mean_the_same_in_cel() {
    let moved = "Moved(address,uint256,uint8[])";
    for (source, expected) in [
        ("amount > 10000000000", "amount > 10000000000"),
        (
            "amount >= 1500000000000000000000 AND amount != 7",
            "amount >= uint256(\"1500000000000000000000\") && amount != 7",
        ),
        (
            "amount > 5 and (amount < 9 OR who == '0xde0b295669a9fd93d5f28d9ec85e40f4cb697bae')",
            "amount > 5 && (amount < 9 || who == \"0xde0B295669a9FD93d5F28D9Ec85E40f4cb697BAe\")",
        ),
        (
            "who != 0xde0b295669a9fd93d5f28d9ec85e40f4cb697bae or amount == 0",
            "who != \"0xde0B295669a9FD93d5F28D9Ec85E40f4cb697BAe\" || amount == 0",
        ),
        ("tags contains '3' AND tags[0] > 2", "3 in tags && tags[0] > 2"),
    ] {
        assert_eq!(translated("events", moved, source).as_deref(), Ok(expected), "{source}");
    }
    for (source, expected) in [
        ("order.size < -5", "order.size < -5"),
        (
            "order.to == '0xde0b295669a9fd93d5f28d9ec85e40f4cb697bae' AND in == '0xDEADBEEF'",
            "order.to == \"0xde0B295669a9FD93d5F28D9Ec85E40f4cb697BAe\" && arg1 == \"0xdeadbeef\"",
        ),
    ] {
        assert_eq!(
            translated("functions", "place((address,int128),bytes4)", source).as_deref(),
            Ok(expected),
            "{source}"
        );
    }
}

#[test]
fn what_means_something_else_is_named_and_becomes_no_rule() {
    for (signature, source, why) in [
        ("Moved(address,uint256,uint8[])", "amount > 3.5", "whole number"),
        ("Moved(address,uint256,uint8[])", "value > 3", "no field \"value\""),
        ("Moved(address,uint256,uint8[])", "tags == '[1]'", "whole list"),
        ("Moved(address,uint256,uint8[])", "who contains 'ab'", "`contains`"),
        ("Moved(address,uint256,uint8[])", "amount >", "ends too early"),
        ("Moved(address,uint256,uint8[])", "(amount > 3", "not closed"),
        ("Moved(address,uint256,uint8[])", "amount > 3 amount", "should end"),
        ("Moved(address,uint256,uint8[])", "amount > 3; drop", "means nothing"),
        ("Named(string,string)", "note == 'Hello'", "without regard to case"),
        ("Named(string,string)", "label == 'x'", "hash alone"),
        ("Gone(uint256)", "amount > 3", "does not declare"),
    ] {
        let said = translated("events", signature, source).expect_err(source);
        assert!(said.contains(why) && said.contains("no rule"), "{source}: {said}");
    }
    let said = translated("functions", "place((address,int128),bytes4)", "order == (1, 2)").expect_err("a struct");
    assert!(said.contains("struct as a whole"), "{said}");
}

/// Conditions about transactions narrow calls, not events; what a rule cannot know makes it context.
#[test]
fn transactions_scripts_and_statuses() {
    let rule = |change: &dyn Fn(&mut Value)| {
        let import = imported(&monitor(|one| change(one)));
        let parsed = import.rules.iter().map(|rule| parse_rules(&rule.toml).unwrap().0.detectors);
        let rules: Vec<_> = parsed.flat_map(BTreeMap::into_values).collect();
        (rules, import.left.iter().map(|left| format!("{}: {}", left.item, left.why)).collect::<Vec<_>>())
    };
    let whole = |one: &mut Value| {
        one["match_conditions"] = json!({
            "functions": [{ "signature": "place((address,int128),bytes4)" }],
            "events": [{ "signature": "Moved(address,uint256,uint8[])", "expression": null }],
            "transactions": [{ "status": "Any", "expression": "value > 7 AND input starts_with '0xdeadbeef'" }],
        });
    };
    let (rules, left) = rule(&whole);
    assert_eq!(rules.len(), 2);
    let call = rules.iter().find_map(|rule| match &rule.watch {
        Watch::Expression { expression, .. } => Some((expression.source(), rule.class)),
        _ => None,
    });
    assert_eq!(call, Some(("(tx.value > 7 && tx.selector == \"0xdeadbeef\")", Class::Decisive)));
    let event = rules.iter().find(|rule| matches!(rule.watch, Watch::Event { .. })).unwrap();
    assert_eq!((event.class, left.len()), (Class::Context, 1), "{left:?}");

    let (rules, left) = rule(&|one| {
        whole(one);
        one["match_conditions"]["transactions"] = json!([{ "status": "Success", "expression": null }]);
    });
    let classes: Vec<_> = rules.iter().map(|rule| (rule.watch.kind(), rule.class)).collect();
    assert!(
        classes.contains(&("event", Class::Decisive)) && classes.contains(&("expression", Class::Context)),
        "{classes:?}"
    );
    assert!(left[0].contains("succeeded"), "{left:?}");

    let (rules, left) = rule(&|one| {
        whole(one);
        one["match_conditions"]["transactions"] = json!([{ "status": "Failure", "expression": "gas_used > 5" }]);
    });
    assert_eq!((rules.len(), left.len()), (0, 2), "{left:?}");

    let (rules, left) = rule(&|one| {
        whole(one);
        one["match_conditions"]["transactions"] = json!([]);
        one["trigger_conditions"] = json!([{ "script_path": "./filter.sh", "language": "Bash" }]);
        one["triggers"] = json!(["some_channel"]);
    });
    assert!(rules.iter().all(|rule| rule.class == Class::Context));
    assert!(
        left.iter().any(|left| left.contains("filter.sh")) && left.iter().any(|left| left.contains("some_channel"))
    );

    let (rules, _) = rule(&|_| {});
    assert!(matches!(&rules[0].watch, Watch::Expression { expression, .. } if expression.source() == "true"));
}

/// Every part that is left out is named: foreign chains, unknown keys, files of another kind, things that are no monitors.
#[test]
fn nothing_is_dropped_in_silence() {
    let named = |change: &dyn Fn(&mut Value), item: &str| {
        let import = imported(&monitor(|one| {
            one["match_conditions"]["events"] = json!([{ "signature": "Paused(address)" }]);
            change(one);
        }));
        let found =
            import.left.iter().any(|left| left.item.contains(item) && left.file == "m.json" && !left.why.is_empty());
        assert!(found, "{item}: {:?}", import.left);
        import.rules.len()
    };
    assert_eq!(named(&|one| one["networks"] = json!(["stellar_mainnet", "harbour"]), "stellar_mainnet"), 1);
    assert_eq!(named(&|one| one["addresses"][0]["address"] = "GBBDEF".into(), "GBBDEF"), 0);
    assert_eq!(named(&|one| one["addresses"] = json!([]), "addresses"), 0);
    assert_eq!(named(&|one| one["paused"] = true.into(), "paused"), 0);
    assert_eq!(named(&|one| one["colour"] = "red".into(), "colour"), 1);
    assert_eq!(named(&|one| one["match_conditions"]["blocks"] = json!([]), "blocks"), 1);
    assert_eq!(named(&|one| one["match_conditions"]["events"][0]["depth"] = 3.into(), "depth"), 1);
    assert_eq!(named(&|one| one["match_conditions"]["events"][0]["signature"] = "Bad\"\n[[x]]".into(), "Bad"), 0);
    assert_eq!(named(&|one| one["match_conditions"]["events"] = json!({}), "events"), 1);
    assert_eq!(named(&|one| one["addresses"][0]["contract_spec"] = json!({ "wasm": 1 }), "contract_spec"), 1);

    let files = [
        ("net.json", json!({ "slug": "harbour", "network_type": "Stellar" }).to_string()),
        ("trigger.json", json!({ "page": { "name": "Page", "trigger_type": "slack", "config": {} } }).to_string()),
        ("bad.json", "{".to_owned()),
        ("odd.json", "7".to_owned()),
        ("m.json", json!([monitor(|_| {})]).to_string()),
    ];
    let import = import(&files.map(|(name, text)| (name.to_owned(), text)), &wishes());
    let files: BTreeSet<&str> = import.left.iter().map(|left| left.file.as_str()).collect();
    assert_eq!(files, BTreeSet::from(["trigger.json", "bad.json", "odd.json", "m.json"]), "{:?}", import.left);
    assert!(import.rules.is_empty() && import.left.iter().any(|left| left.why.contains("stellar")));
}

/// Ids are distinct and assets are what was asked for, however many addresses and networks there are.
#[test]
fn each_address_on_each_network_has_a_rule() {
    let import = imported(&monitor(|one| {
        one["name"] = "Größe & Moves!".into();
        one["networks"] = json!(["harbour", "Other_Net"]);
        one["addresses"] = json!([{ "address": VAULT }, { "address": "0x2000000000000000000000000000000000000002" }]);
        one["match_conditions"]["events"] = json!([{ "signature": "Paused(address)", "expression": "" }]);
    }));
    let (rules, _) = parse_rules(&import.toml()).unwrap();
    let ids: Vec<String> = rules.detectors.keys().map(ToString::to_string).collect();
    assert_eq!(ids, ["gr-e-moves-paused", "gr-e-moves-paused-2", "gr-e-moves-paused-3", "gr-e-moves-paused-4"]);
    let assets: BTreeSet<String> = rules.detectors.values().map(|rule| rule.asset.to_string()).collect();
    assert_eq!(assets, BTreeSet::from(["other-net".to_owned(), "vault-core".to_owned()]));
    assert!(import.left.is_empty(), "{:?}", import.left);
}
