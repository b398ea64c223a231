//! Rates: what they read as, and what is said of wrong ones.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use alloy_primitives::U256;

use crate::expression::Subject;
use crate::model::{Class, Detector, Ewma, Rate, Rated, Watch};
use crate::parse::parse;
use crate::parse::tests::DRILL;

const ADDRESS: &str = "address = \"0x1000000000000000000000000000000000000001\"";

fn with(rule: &str) -> String {
    format!(
        "{DRILL}\n[[detector]]\nid = \"rule\"\nasset = \"vault-core\"\nseverity = \"SEV3\"\nkind = \"rate\"\n{rule}\n"
    )
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

fn bounded(of: &str) -> String {
    format!("{of}\nwindow_s = 3600\nwindows = 24\nfloor = \"10\"\ndeviations = 6")
}

/// Each of the four figures, both bounds, and that such a rule is context whatever its author would like.
#[test]
fn rates_read_as_they_are_written() {
    let events = bounded(&format!("of = \"events\"\n{ADDRESS}\nevent = \"Withdraw(address,uint256)\""));
    let rule = read(&events);
    assert_eq!((rule.class, rule.watch.kind(), rule.watch.span_s()), (Class::Context, "rate", 25 * 3600));
    let Watch::Rate(Rate { of: Rated::Events { event, .. }, window_s, windows, floor, deviations, ewma }) = rule.watch
    else {
        panic!("no rate of events")
    };
    assert_eq!((event.as_str(), window_s, windows), ("Withdraw(address,uint256)", 3600, 24));
    assert_eq!((floor, deviations, ewma), (U256::from(10), Some(6), None));
    assert_eq!(faults(&format!("{events}\nclass = \"decisive\"")), [("never-votes", "rule.class".into())]);
    assert_eq!(read(&format!("{events}\nclass = \"context\"")).class, Class::Context);

    let value = bounded(&format!(
        "of = \"value\"\n{ADDRESS}\nevent = \"Withdraw(address indexed owner, uint256 amount)\"\nfield = \"amount\""
    ));
    let average = "ewma_weight_bps = 2000\newma_limit_bps = 50000";
    let Watch::Rate(rate) = read(&value.replace("deviations = 6", average)).watch else { panic!("no rate") };
    assert!(matches!(&rate.of, Rated::Value { event: Subject::Event { .. }, field, .. } if field == "amount"));
    assert_eq!(rate.ewma, Some(Ewma { weight_bps: 2_000, limit_bps: 50_000 }));

    let Watch::Rate(rate) = read(&bounded(&format!("of = \"transactions\"\n{ADDRESS}"))).watch else {
        panic!("no rate")
    };
    assert!(matches!(rate.of, Rated::Transactions { .. }));
    let native = read(&bounded("of = \"outflow\"")).watch;
    assert_eq!((native.coins().collect::<Vec<_>>(), native.is_of_group()), (vec![None], true));
    let token = read(&bounded(&format!("of = \"outflow\"\n{}", ADDRESS.replace("address", "token")))).watch;
    assert_eq!((token.coins().next(), token.is_of_group()), (None, true), "its logs are enough");
}

#[test]
fn wrong_rates_name_their_key() {
    let events = bounded(&format!("of = \"events\"\n{ADDRESS}\nevent = \"Withdraw(address,uint256)\""));
    let with = |from: &str, to: &str| faults(&events.replace(from, to));
    assert_eq!(with("3600", "0"), [("out-of-bounds", "rule.window_s".into())]);
    assert_eq!(with("= 24", "= 3"), [("out-of-bounds", "rule.windows".into())]);
    assert_eq!(with("= 24", "= 720"), [("out-of-bounds", "rule.windows".into())], "together more than 30 days");
    assert_eq!(with("floor = \"10\"", ""), [("missing", "rule.floor".into())]);
    assert_eq!(with("\"10\"", "\"0\""), [("out-of-bounds", "rule.floor".into())]);
    assert_eq!(with("deviations = 6", ""), [("no-bound", "rule".into())]);
    assert_eq!(with("deviations = 6", "ewma_weight_bps = 2000"), [("no-bound", "rule.ewma_weight_bps".into())]);
    assert_eq!(
        with("deviations = 6", "ewma_weight_bps = 1\newma_limit_bps = 10000"),
        [("out-of-bounds", "rule.ewma_limit_bps".into())]
    );
    assert_eq!(
        with("\"events\"", "\"noise\""),
        [
            ("unknown-kind", "rule.of".into()),
            ("unknown-key", "rule.address".into()),
            ("unknown-key", "rule.event".into())
        ]
    );
    assert_eq!(with("Withdraw(address,uint256)", "Withdraw(money)"), [("bad-event", "rule.event".into())]);
    assert_eq!(faults(&format!("{events}\nlimit = 4")), [("unknown-key", "rule.limit".into())]);
    let value = "of = \"value\"\nevent = \"Withdraw(address indexed owner, uint256 amount)\"\nfield = \"owner\"";
    let value = bounded(&format!("{value}\n{ADDRESS}"));
    assert_eq!(faults(&value), [("not-a-number", "rule.field".into())]);
}
