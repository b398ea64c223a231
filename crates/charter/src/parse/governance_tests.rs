//! Rules about what is proposed: what they read as, and what is said of wrong ones.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use crate::model::{Class, Detector, Watch};
use crate::parse::parse;
use crate::parse::tests::DRILL;

const FROM: &str = "from = [\"0x1000000000000000000000000000000000000001\"]";

fn of_kind(kind: &str, rule: &str) -> String {
    format!("{DRILL}\n[[detector]]\nid = \"rule\"\nasset = \"vault-core\"\nkind = \"{kind}\"\n{rule}\n")
}

fn with(rule: &str) -> String {
    of_kind("governance", rule)
}

fn read(text: &str) -> Detector {
    let (charter, _) = parse(text).unwrap_or_else(|faults| panic!("{faults:#?}"));
    charter.detectors[&"rule".parse().unwrap()].clone()
}

/// Kind and key of each fault of a rule.
fn faults(text: &str) -> Vec<(&'static str, String)> {
    parse(text).expect_err(text).iter().map(|fault| (fault.kind, fault.key.clone())).collect()
}

#[test]
fn it_reads_as_it_is_written_and_votes_only_where_that_is_said() {
    let text = with(&format!("{FROM}\nfunctions = [\"tune(uint256 value)\"]\nstands_s = 600"));
    let rule = read(&text);
    let Watch::Governance(watch) = &rule.watch else { panic!("another kind") };
    assert_eq!((rule.class, watch.from.len(), watch.targets.len(), watch.stands_s), (Class::Context, 1, 0, 600));
    assert_eq!(watch.functions.values().collect::<Vec<_>>(), ["tune(uint256)"]);
    assert!(!rule.watch.never_votes() && rule.watch.span_s() == 600);
    assert_eq!(read(&format!("{text}class = \"decisive\"\n")).class, Class::Decisive);
}

#[test]
fn what_is_wrong_is_told() {
    let cases = [
        ("stands_s = 600".to_owned(), "missing", "from"),
        ("from = []\nstands_s = 600".to_owned(), "empty", "from"),
        (FROM.to_owned(), "missing", "stands_s"),
        (format!("{FROM}\nfunctions = [\"tune(uint257)\"]\nstands_s = 600"), "bad-signature", "functions[0]"),
        (format!("{FROM}\nmints = true\nstands_s = 600"), "unknown-key", "mints"),
    ];
    for (rule, kind, key) in cases {
        assert_eq!(faults(&with(&rule)), [(kind, format!("detector[4].{key}"))], "{rule}");
    }
}

const TOKEN: &str = "token = \"0x1000000000000000000000000000000000000002\"";

#[test]
fn borrowed_votes_read_as_they_are_written() {
    let events = "events = [\"Decided(uint256 id)\", \"ProposalExecuted(uint256)\"]";
    let text = of_kind("borrowed-votes", &format!("{FROM}\n{events}\n{TOKEN}\nleast = \"1000\"\nstands_s = 600"));
    let rule = read(&text);
    let Watch::BorrowedVotes(watch) = &rule.watch else { panic!("another kind") };
    assert_eq!((rule.class, watch.least.to::<u64>(), watch.stands_s), (Class::Context, 1_000, 600));
    // What every such rule knows says nothing more.
    assert_eq!(watch.events.values().collect::<Vec<_>>(), ["Decided(uint256)"]);
    assert_eq!(read(&format!("{text}class = \"decisive\"\n")).class, Class::Decisive);
    let cases = [
        (format!("{TOKEN}\nleast = \"1\"\nstands_s = 600"), "missing", "from"),
        (format!("from = []\n{TOKEN}\nleast = \"1\"\nstands_s = 600"), "empty", "from"),
        (format!("{FROM}\nleast = \"1\"\nstands_s = 600"), "missing", "token"),
        (format!("{FROM}\n{TOKEN}\nstands_s = 600"), "missing", "least"),
        (format!("{FROM}\n{TOKEN}\nleast = \"0\"\nstands_s = 600"), "out-of-bounds", "least"),
        (format!("{FROM}\n{TOKEN}\nleast = \"1\"\nstands_s = 600\nevents = [\"no\"]"), "bad-signature", "events[0]"),
    ];
    for (rule, kind, key) in cases {
        assert_eq!(faults(&of_kind("borrowed-votes", &rule)), [(kind, format!("detector[4].{key}"))], "{rule}");
    }
}

#[test]
fn a_thin_market_reads_as_it_is_written() {
    let lister = "address = \"0x1000000000000000000000000000000000000001\"";
    let event = "event = \"MarketListed(address cToken)\"\nmarket = \"cToken\"";
    let rule = read(&of_kind("thin-market", &format!("{lister}\n{event}\nfloor = \"1000\"\nstands_s = 600")));
    let Watch::ThinMarket(watch) = &rule.watch else { panic!("another kind") };
    assert_eq!((rule.class, &*watch.market, watch.floor.to::<u64>()), (Class::Context, "cToken", 1_000));
    assert_eq!((rule.watch.kind(), rule.watch.span_s()), ("thin-market", 600));
    let cases = [
        (format!("{event}\nfloor = \"1\"\nstands_s = 600"), "missing", "address"),
        (format!("{lister}\nmarket = \"cToken\"\nfloor = \"1\"\nstands_s = 600"), "missing", "event"),
        (format!("{lister}\nevent = \"Listed(\"\nmarket = \"a\"\nfloor = \"1\"\nstands_s = 600"), "bad-event", "event"),
        (
            format!("{lister}\nevent = \"Listed(uint256 id)\"\nmarket = \"id\"\nfloor = \"1\"\nstands_s = 600"),
            "unknown-field",
            "market",
        ),
        (format!("{lister}\n{event}\nfloor = \"0\"\nstands_s = 600"), "out-of-bounds", "floor"),
    ];
    for (rule, kind, key) in cases {
        assert_eq!(faults(&of_kind("thin-market", &rule)), [(kind, format!("detector[4].{key}"))], "{rule}");
    }
}
