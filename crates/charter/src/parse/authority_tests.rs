//! Rules about authority: what they read as, and what is said of wrong ones.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use alloy_primitives::keccak256;

use crate::model::{Class, Detector, Watch};
use crate::parse::parse;
use crate::parse::tests::DRILL;

fn with(rule: &str) -> String {
    format!(
        "{DRILL}\n[[detector]]\nid = \"rule\"\nasset = \"vault-core\"\nseverity = \"SEV1\"\nkind = \"authority\"\n{rule}\n"
    )
}

fn read(rule: &str) -> Detector {
    let (charter, _) = parse(&with(rule)).unwrap_or_else(|faults| panic!("{faults:#?}"));
    charter.detectors[&"rule".parse().unwrap()].clone()
}

fn faults(rule: &str) -> Vec<(&'static str, String)> {
    let faults = parse(&with(rule)).expect_err("it should have faults");
    assert!(faults.iter().all(|fault| !fault.remedy.is_empty()));
    faults.into_iter().map(|fault| (fault.kind, fault.key.replace("detector[4]", "rule"))).collect()
}

/// The least that is said is how long it stands; what every rule knows need not be named, and is no other rule if it is.
#[test]
fn rules_read_as_they_are_written() {
    let plain = read("stands_s = 600");
    assert_eq!(plain.class, Class::Decisive);
    assert!(matches!(&plain.watch, Watch::Authority { targets, dormant_s: 0, mints: false, .. } if targets.is_empty()));
    assert_eq!(plain, read("events = [\"Upgraded(address)\"]\nstands_s = 600"));
    assert_eq!((plain.watch.kind(), plain.watch.span_s()), ("authority", 600));
    let whole = read(
        "targets = [\"0x1000000000000000000000000000000000000009\"]\nevents = [\"Tuned(uint256)\"]\n\
         functions = [\"mint(address,uint256)\"]\nthrough = [\"0x1000000000000000000000000000000000000007\"]\nmints = true\nadmins = [\"0x1000000000000000000000000000000000000008\"]\n\
         dormant_s = 86400\nstands_s = 600",
    );
    let Watch::Authority { targets, events, functions, through, mints, admins, dormant_s, .. } = &whole.watch else {
        panic!("no rule about authority")
    };
    assert_eq!((targets.len(), through.len(), admins.len(), *mints, *dormant_s), (1, 1, 1, true, 86_400));
    assert_eq!(events[&keccak256("Tuned(uint256)")], "Tuned(uint256)");
    let (selector, name) = functions.first_key_value().unwrap();
    assert_eq!((selector.to_string().as_str(), name.as_str()), ("0x40c10f19", "mint(address,uint256)"));
    assert_eq!(whole.watch.span_s(), 87_000);
}

/// Every part that is wrong is told at its place.
#[test]
fn wrong_rules_are_told() {
    assert_eq!(faults(""), [("missing", "rule.stands_s".into())]);
    let (event, function) =
        ("events = [\"Tuned(uint)x\"]\nstands_s = 1", "functions = [\"mint(nothing)\"]\nstands_s = 1");
    assert_eq!(faults(event), [("bad-signature", "rule.events[0]".into())]);
    assert_eq!(faults(function), [("bad-signature", "rule.functions[0]".into())]);
    let between = "through = [\"0x1000000000000000000000000000000000000008\"]\nstands_s = 1";
    assert_eq!(faults(between), [("no-bound", "rule.through".into())]);
    let silent = "admins = [\"0x1000000000000000000000000000000000000008\"]\nstands_s = 1";
    assert_eq!(faults(silent), [("no-bound", "rule.admins".into())]);
    assert_eq!(faults("dormant_s = 60\nstands_s = 1"), [("no-bound", "rule.admins".into())]);
    assert_eq!(faults("mints = 1\nstands_s = 1"), [("wrong-type", "rule.mints".into())]);
}

/// No outsider has authority: an automatic pause may rest on such a rule.
#[test]
fn authority_is_nothing_that_money_buys() {
    let source = with("stands_s = 600").replace("kinds = [\"outflow\", \"event\"]", "kinds = [\"authority\"]");
    let source = source.replace("kinds = [\"outflow\", \"state\", \"containment-failed\"]", "kinds = [\"authority\"]");
    let (_, warnings) = parse(&source).unwrap_or_else(|faults| panic!("{faults:#?}"));
    assert!(warnings.iter().all(|warning| warning.kind != "outsider-can-trigger"), "{warnings:#?}");
}
