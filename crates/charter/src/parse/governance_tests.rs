//! Rules about what is proposed: what they read as, and what is said of wrong ones.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use crate::model::{Class, Watch};
use crate::parse::parse;
use crate::parse::tests::DRILL;

const FROM: &str = "from = [\"0x1000000000000000000000000000000000000001\"]";

fn with(rule: &str) -> String {
    format!("{DRILL}\n[[detector]]\nid = \"rule\"\nasset = \"vault-core\"\nkind = \"governance\"\n{rule}\n")
}

#[test]
fn it_reads_as_it_is_written_and_never_votes() {
    let text = with(&format!("{FROM}\nfunctions = [\"tune(uint256 value)\"]\nstands_s = 600"));
    let (charter, _) = parse(&text).unwrap_or_else(|faults| panic!("{faults:#?}"));
    let rule = &charter.detectors[&"rule".parse().unwrap()];
    let Watch::Governance(watch) = &rule.watch else { panic!("another kind") };
    assert_eq!((rule.class, watch.from.len(), watch.targets.len(), watch.stands_s), (Class::Context, 1, 0, 600));
    assert_eq!(watch.functions.values().collect::<Vec<_>>(), ["tune(uint256)"]);
    assert!(rule.watch.never_votes() && rule.watch.span_s() == 600);
}

#[test]
fn what_is_wrong_is_told() {
    let cases = [
        ("stands_s = 600".to_owned(), "missing", "from"),
        ("from = []\nstands_s = 600".to_owned(), "empty", "from"),
        (FROM.to_owned(), "missing", "stands_s"),
        (format!("{FROM}\nfunctions = [\"tune(uint257)\"]\nstands_s = 600"), "bad-signature", "functions[0]"),
        (format!("{FROM}\nclass = \"decisive\"\nstands_s = 600"), "never-votes", "class"),
        (format!("{FROM}\nmints = true\nstands_s = 600"), "unknown-key", "mints"),
    ];
    for (rule, kind, key) in cases {
        let faults = parse(&with(&rule)).expect_err(&rule);
        let told: Vec<_> = faults.iter().map(|fault| (fault.kind, fault.key.as_str())).collect();
        assert_eq!(told, [(kind, format!("detector[4].{key}").as_str())], "{rule}");
    }
}
