//! Rules about fresh code: what they read as, and what is said of wrong ones.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use crate::model::{Class, Watch};
use crate::parse::parse;
use crate::parse::tests::DRILL;

const SOURCES: &str = "sources = [\"0x1000000000000000000000000000000000000001\"]";

fn with(rule: &str) -> String {
    format!("{DRILL}\n[[detector]]\nid = \"rule\"\nasset = \"vault-core\"\nkind = \"fresh-code\"\n{rule}\n")
}

#[test]
fn it_reads_as_it_is_written_and_never_votes() {
    let text = with(&format!("{SOURCES}\nfunded_s = 3600\nstands_s = 600"));
    let (charter, _) = parse(&text).unwrap_or_else(|faults| panic!("{faults:#?}"));
    let rule = &charter.detectors[&"rule".parse().unwrap()];
    let Watch::FreshCode(watch) = &rule.watch else { panic!("another kind") };
    assert_eq!((rule.class, watch.sources.len(), watch.funded_s, watch.stands_s), (Class::Context, 1, 3_600, 600));
    // A node that starts has to see who was funded before what it is told of.
    assert!(rule.watch.never_votes() && rule.watch.span_s() == 4_200);
}

#[test]
fn what_is_wrong_is_told() {
    let cases = [
        ("funded_s = 1\nstands_s = 600".to_owned(), "missing", "sources"),
        ("sources = []\nfunded_s = 1\nstands_s = 600".to_owned(), "empty", "sources"),
        (format!("{SOURCES}\nstands_s = 600"), "missing", "funded_s"),
        (format!("{SOURCES}\nfunded_s = 0\nstands_s = 600"), "out-of-bounds", "funded_s"),
        (format!("{SOURCES}\nclass = \"decisive\"\nfunded_s = 1\nstands_s = 600"), "never-votes", "class"),
        (format!("{SOURCES}\nfunded_s = 1\nstands_s = 600\nlimit = \"1\""), "unknown-key", "limit"),
    ];
    for (rule, kind, key) in cases {
        let faults = parse(&with(&rule)).expect_err(&rule);
        let told: Vec<_> = faults.iter().map(|fault| (fault.kind, fault.key.as_str())).collect();
        assert_eq!(told, [(kind, format!("detector[4].{key}").as_str())], "{rule}");
    }
}
