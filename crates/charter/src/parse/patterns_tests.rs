//! Patterns of calls: what they read as, and what is said of wrong ones.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use alloy_primitives::{Address, U256, address};

use crate::model::{Calls, Class, Detector, Pattern, Watch};
use crate::parse::parse;
use crate::parse::tests::DRILL;

const LIMITS: &str = "limits = { native = \"5\", \"0x1000000000000000000000000000000000000001\" = \"0\" }\nstands_s = 600\nkind = \"calls\"";

fn with(rule: &str) -> String {
    format!("{DRILL}\n[[detector]]\nid = \"rule\"\nasset = \"vault-core\"\nseverity = \"SEV2\"\n{rule}\n")
}

fn read(rule: &str) -> Detector {
    let (charter, _) = parse(&with(rule)).unwrap_or_else(|faults| panic!("{faults:#?}"));
    charter.detectors[&"rule".parse().unwrap()].clone()
}

fn faults(rule: &str) -> Vec<(&'static str, String)> {
    let faults = parse(&with(rule)).expect_err("it should have faults");
    assert!(faults.iter().all(|fault| fault.line > DRILL.lines().count() && !fault.remedy.is_empty()), "{faults:#?}");
    faults.into_iter().map(|fault| (fault.kind, fault.key.replace("detector[4]", "rule"))).collect()
}

/// With limits alone everything is looked for; such a rule is context whatever its author would like.
#[test]
fn patterns_read_as_they_are_written() {
    let rule = read(LIMITS);
    assert_eq!((rule.class, rule.watch.kind(), rule.watch.span_s()), (Class::Context, "calls", 600));
    let Watch::Calls(Calls { patterns, limits, fresh_blocks, known, .. }) = rule.watch else { panic!("no calls") };
    assert_eq!((patterns.len(), fresh_blocks, known.len()), (Pattern::ALL.len(), 32, 0));
    let token = address!("1000000000000000000000000000000000000001");
    assert_eq!(limits, [(Address::ZERO, U256::from(5)), (token, U256::ZERO)].into());
    let some = read(&format!(
        "{LIMITS}\npatterns = [\"re-entry\", \"foreign-code\"]\nknown = [\"0x1000000000000000000000000000000000000002\"]\nfresh_blocks = 5"
    ));
    let Watch::Calls(Calls { patterns, fresh_blocks, known, .. }) = some.watch else { panic!("no calls") };
    assert_eq!(patterns, [Pattern::ReEntry, Pattern::ForeignCode].into());
    assert_eq!((fresh_blocks, known.len()), (5, 1));
    for pattern in Pattern::ALL {
        assert_eq!(serde_json::to_value(pattern).unwrap(), pattern.name());
    }
}

#[test]
fn wrong_patterns_name_their_key() {
    let with = |from: &str, to: &str| faults(&LIMITS.replace(from, to));
    assert_eq!(faults("kind = \"calls\"\nstands_s = 600"), [("missing", "rule.limits".into())]);
    assert_eq!(faults("kind = \"calls\"\nstands_s = 600\nlimits = {}"), [("no-bound", "rule.limits".into())]);
    assert_eq!(with("native", "ether"), [("bad-address", "rule.limits.ether".into())]);
    assert_eq!(with("\"5\"", "\"5 ether\""), [("malformed", "rule.limits.native".into())]);
    assert_eq!(with("stands_s = 600", ""), [("missing", "rule.stands_s".into())]);
    let more = |more: &str| faults(&format!("{LIMITS}\n{more}"));
    assert_eq!(more("patterns = []"), [("no-bound", "rule.patterns".into())]);
    assert_eq!(more("patterns = [\"reentry\"]"), [("unknown-kind", "rule.patterns[0]".into())]);
    assert_eq!(more("fresh_blocks = 0"), [("out-of-bounds", "rule.fresh_blocks".into())]);
    assert_eq!(more("class = \"decisive\""), [("never-votes", "rule.class".into())]);
    assert_eq!(more("pattern = \"re-entry\""), [("unknown-key", "rule.pattern".into())]);
}
