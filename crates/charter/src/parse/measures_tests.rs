//! Rules over numbers and transfers: what they read as, and what is said of wrong ones.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use alloy_primitives::U256;

use crate::model::{Class, Comparison, Detector, Quantity, Watch};
use crate::parse::parse;
use crate::parse::tests::DRILL;

const TARGET: &str = "target = \"0x1000000000000000000000000000000000000001\"";

fn with(rule: &str) -> String {
    format!("{DRILL}\n[[detector]]\nid = \"rule\"\nasset = \"vault-core\"\nseverity = \"SEV3\"\n{rule}\n")
}

fn read(rule: &str) -> Detector {
    let (charter, _) = parse(&with(rule)).unwrap_or_else(|faults| panic!("{faults:#?}"));
    charter.detectors[&"rule".parse().unwrap()].clone()
}

/// Kinds and keys of the faults of a rule.
fn faults(rule: &str) -> Vec<(&'static str, String)> {
    let faults = parse(&with(rule)).expect_err("it should have faults");
    let line = DRILL.lines().count();
    assert!(faults.iter().all(|fault| fault.line > line), "{faults:#?}");
    assert!(faults.iter().all(|fault| !fault.remedy.is_empty()));
    faults.into_iter().map(|fault| (fault.kind, fault.key.replace("detector[4]", "rule"))).collect()
}

#[test]
fn rules_read_as_they_are_written() {
    let price = "call = \"convertToAssets(uint256) returns (uint256)\"\narguments = [\"1000\"]";
    let rule = read(&format!("kind = \"leap\"\n{TARGET}\n{price}\nrise_bps = 200\nfall_bps = 100\nstands_s = 600"));
    assert_eq!(rule.class, Class::Decisive);
    let Watch::Leap { of: Quantity::Call { text, word, signed, .. }, rise_bps, fall_bps, window_s, stands_s } =
        rule.watch
    else {
        panic!("no leap")
    };
    assert_eq!((text.as_str(), word, signed), ("convertToAssets(uint256) returns (uint256)", 0, false));
    assert_eq!((rise_bps, fall_bps, window_s, stands_s), (Some(200), Some(100), 0, 600));

    let left = format!("left = {{ {TARGET}, call = \"totalAssets() returns (uint256)\" }}");
    let rule = read(&format!(
        "kind = \"invariant\"\nclass = \"context\"\n{left}\nright = {{ held = \"native\" }}\ncompare = \"<=\"\n\
         scale_left = \"1000000000000\"\ntolerance_bps = 10"
    ));
    assert_eq!(rule.class, Class::Context);
    let Watch::Invariant { scale_left, compare, right, scale_right, tolerance_bps, .. } = rule.watch else {
        panic!("no invariant")
    };
    assert_eq!((scale_left, scale_right), (U256::from(1_000_000_000_000_u64), U256::from(1)));
    assert_eq!((compare, right, tolerance_bps), (Comparison::AtMost, Quantity::Held { token: None }, 10));

    let feed = "call = \"latestRoundData() returns (uint80,int256,uint256,uint256,uint80)\"\nresult = 4";
    let rule = read(&format!("kind = \"stale\"\n{TARGET}\n{feed}\nage_s = 4500"));
    let Watch::Stale { of: Quantity::Call { word, .. }, age_s } = rule.watch else { panic!("no staleness") };
    assert_eq!((word, age_s), (3, 4_500));
}

/// What a Safe with other work does every day votes only where the charter's author says so.
#[test]
fn a_safes_nonce_gives_context_unless_it_says_otherwise() {
    let rule = "kind = \"safe-nonce\"\nsafe = \"0x2000000000000000000000000000000000000002\"\nstands_s = 600";
    let usual = read(rule);
    assert_eq!((usual.class, usual.watch.span_s(), usual.watch.never_votes()), (Class::Context, 600, false));
    assert_eq!(read(&format!("{rule}\nclass = \"decisive\"")).class, Class::Decisive);
}

/// Drained allowances look like deposits in logs: such a rule votes only where its author says so.
#[test]
fn an_approval_drain_gives_context_unless_it_says_otherwise() {
    let rule = "kind = \"approval-drain\"\ntoken = \"0x1000000000000000000000000000000000000002\"\nvictims = 8\nwindow_s = 600";
    assert_eq!(read(rule).class, Class::Context);
    assert_eq!(read(&format!("{rule}\nclass = \"decisive\"")).class, Class::Decisive);
    assert_eq!(faults(&format!("{rule}\nleast = \"0\"")), [("out-of-bounds", "rule.least".into())]);
    assert_eq!(faults(&rule.replace("= 8", "= 1")), [("out-of-bounds", "rule.victims".into())]);
    assert_eq!(faults(&format!("{rule}\nclass = \"maybe\"")), [("unknown-kind", "rule.class".into())]);
}

#[test]
fn wrong_rules_name_their_key() {
    let supply = "call = \"totalSupply() returns (uint256)\"";
    let leap = |more: &str| format!("kind = \"leap\"\n{TARGET}\n{supply}\nstands_s = 600\n{more}");
    assert_eq!(faults(&leap("")), [("no-bound", "rule".into())]);
    assert_eq!(faults(&leap("fall_bps = 10000")), [("out-of-bounds", "rule.fall_bps".into())]);
    assert_eq!(faults(&leap("rise_bps = 1\nwindow_s = 0")), [("out-of-bounds", "rule.window_s".into())]);
    let name = leap("rise_bps = 1").replace("totalSupply() returns (uint256)", "name() returns (string)");
    assert_eq!(faults(&name), [("not-a-number", "rule".into())]);
    let silent = leap("rise_bps = 1").replace(" returns (uint256)", "");
    assert_eq!(faults(&silent), [("no-result", "rule.call".into())]);

    let side = format!("{{ {TARGET}, {supply} }}");
    let invariant = |left: &str, right: &str, more: &str| {
        format!("kind = \"invariant\"\nleft = {left}\nright = {right}\ncompare = \">=\"\n{more}")
    };
    assert_eq!(faults(&invariant(&side, &side, "")), [("no-bound", "rule".into())]);
    let held = "{ held = \"native\" }";
    assert_eq!(faults(&invariant(&side, held, "scale_right = \"0\"")), [("out-of-bounds", "rule.scale_right".into())]);
    let compared = invariant(&side, held, "").replace(">=", ">");
    assert_eq!(faults(&compared), [("unknown-kind", "rule.compare".into())]);
    let both = "{ held = \"native\", call = \"totalSupply() returns (uint256)\" }";
    assert_eq!(faults(&invariant(&side, both, "")), [("unknown-key", "rule.right.call".into())]);
    assert_eq!(faults(&format!("kind = \"stale\"\n{TARGET}\n{supply}")), [("missing", "rule.age_s".into())]);
}

/// A charter without a class has the canonical form that it had before there were classes.
#[test]
fn a_decisive_rule_says_nothing_of_its_class() {
    let (charter, _) = parse(DRILL).unwrap();
    let written = |charter: &crate::Charter| serde_json::to_string(&charter.detectors).unwrap();
    assert!(!written(&charter).contains("class"));
    let (context, _) =
        parse(&DRILL.replacen("kind = \"outflow\"", "class = \"context\"\nkind = \"outflow\"", 1)).unwrap();
    assert!(written(&context).contains("\"class\":\"context\""));
    assert_ne!(context.digest(), charter.digest());
    let (said, _) = parse(&DRILL.replace("kind = \"outflow\"", "class = \"decisive\"\nkind = \"outflow\"")).unwrap();
    assert_eq!(said.digest(), charter.digest());
}
