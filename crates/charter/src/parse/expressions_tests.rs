//! Rules in CEL: what they read as, what the check says of wrong ones, and that an outsider may cause them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use crate::expression::Subject;
use crate::model::{Class, Detector, Watch};
use crate::parse::tests::DRILL;
use crate::parse::{parse, parse_rules};

const ADDRESS: &str = "address = \"0x1000000000000000000000000000000000000001\"";
const TRANSFER: &str =
    "over = \"event\"\nevent = \"Transfer(address indexed from, address indexed to, uint256 value)\"";

fn with(rule: &str) -> String {
    format!(
        "{DRILL}\n[[detector]]\nid = \"rule\"\nasset = \"vault-core\"\nseverity = \"SEV1\"\nkind = \"expression\"\n{rule}\n"
    )
}

fn read(rule: &str) -> Detector {
    let (charter, _) = parse(&with(rule)).unwrap_or_else(|faults| panic!("{faults:#?}"));
    charter.detectors[&"rule".parse().unwrap()].clone()
}

#[test]
fn rules_read_as_they_are_written() {
    let rule = read(&format!("{TRANSFER}\n{ADDRESS}\nexpression = '''\nvalue > 5 &&\n  to != from'''\nstands_s = 60"));
    assert_eq!(rule.class, Class::Decisive);
    let Watch::Expression { over: Subject::Event { signature, .. }, expression, stands_s, .. } = &rule.watch else {
        panic!("no expression over an event")
    };
    assert_eq!((signature.as_str(), *stands_s), ("Transfer(address,address,uint256)", 60));
    assert_eq!(expression.source(), "value > 5 &&\n  to != from");
    assert_eq!(expression.fields().collect::<Vec<_>>(), ["from", "to", "value"]);

    let call = format!(
        "over = \"call\"\nfunction = \"withdraw(uint256 amount)\"\n{ADDRESS}\nclass = \"context\"\nexpression = \"amount > 5\"\nstands_s = 60"
    );
    let rule = read(&call);
    assert_eq!(rule.class, Class::Context);
    let Watch::Expression { over: Subject::Call { selector, .. }, .. } = rule.watch else { panic!("no call") };
    assert_eq!(selector, [0x2e, 0x1a, 0x7d, 0x4d]);

    let rule = read(&format!("over = \"transaction\"\n{ADDRESS}\nexpression = \"tx.value > 5\"\nstands_s = 60"));
    assert!(matches!(rule.watch, Watch::Expression { over: Subject::Transaction, .. }));
}

/// What a rule means is in the digest: its text, the names of the parameters, and what it is about.
#[test]
fn the_digest_depends_on_every_part() {
    let digest = |rule: String| parse(&with(&rule)).unwrap().0.digest();
    let rule = |event: &str, expression: &str, stands_s: u8| {
        format!(
            "over = \"event\"\nevent = \"{event}\"\n{ADDRESS}\nexpression = \"{expression}\"\nstands_s = {stands_s}"
        )
    };
    let digests = [
        digest(rule("E(uint256 a, uint256 b)", "a > 1", 60)),
        digest(rule("E(uint256 b, uint256 a)", "a > 1", 60)),
        digest(rule("E(uint256 indexed a, uint256 b)", "a > 1", 60)),
        digest(rule("E(uint256 a, uint256 b)", "a > 2", 60)),
        digest(rule("E(uint256 a, uint256 b)", "a > 1", 61)),
        digest(format!("over = \"transaction\"\n{ADDRESS}\nexpression = \"tx.value > 1\"\nstands_s = 60")),
    ];
    let distinct: std::collections::BTreeSet<_> = digests.iter().map(ToString::to_string).collect();
    assert_eq!(distinct.len(), digests.len());
}

#[test]
fn faults_name_the_line_the_key_and_the_part() {
    let source = with(&format!("{TRANSFER}\n{ADDRESS}\nexpression = \"value > 5 && valeu < 9\"\nstands_s = 60"));
    let faults = parse(&source).expect_err("a field is unknown");
    let [fault] = faults.as_slice() else { panic!("{faults:#?}") };
    let line = source.lines().position(|line| line.starts_with("expression")).unwrap() + 1;
    assert_eq!((fault.line, fault.key.as_str(), fault.kind), (line, "detector[4].expression", "unknown-field"));
    let told = fault.to_string();
    let (_, excerpt) = told.split_once('\n').unwrap();
    assert_eq!(excerpt, "    value > 5 && valeu < 9\n                 ^^^^^");
    assert!(told.contains("use one of from, to, value, block.number"), "{told}");

    // The same where the text holds nothing but rules.
    let rules = &source[DRILL.len()..];
    assert_eq!(parse_rules(rules).expect_err("a field is unknown")[0].kind, "unknown-field");
    for (rule, kind) in [
        (format!("over = \"log\"\n{ADDRESS}\nexpression = \"true\"\nstands_s = 60"), "unknown-kind"),
        (
            format!("over = \"event\"\nevent = \"E(uint7 a)\"\n{ADDRESS}\nexpression = \"true\"\nstands_s = 60"),
            "bad-event",
        ),
        (format!("over = \"call\"\nfunction = \"f(\"\n{ADDRESS}\nexpression = \"true\"\nstands_s = 60"), "bad-call"),
        (format!("{TRANSFER}\nexpression = \"true\"\nstands_s = 60"), "missing"),
        (format!("{TRANSFER}\n{ADDRESS}\nexpression = \" \"\nstands_s = 60"), "bad-text"),
        (format!("{TRANSFER}\n{ADDRESS}\nexpression = \"true\"\nstands_s = 60\nfunction = \"f()\""), "unknown-key"),
    ] {
        let faults = parse(&with(&rule)).expect_err(&rule);
        assert!(faults.iter().any(|fault| fault.kind == kind), "{rule}: {faults:#?}");
    }
}

/// Anybody can emit what an expression holds of, or call what it is about.
#[test]
fn an_automatic_playbook_on_an_expression_is_warned_of() {
    let rule = format!("{TRANSFER}\n{ADDRESS}\nexpression = \"value > 5\"\nstands_s = 60");
    let source = with(&rule).replace("kinds = [\"outflow\", \"event\"]", "kinds = [\"expression\"]");
    let (_, warnings) = parse(&source).unwrap_or_else(|faults| panic!("{faults:#?}"));
    let told = warnings.iter().find(|warning| warning.0.kind == "outsider-can-trigger").unwrap();
    assert!(told.0.message.contains("rule (an expression over an event)"), "{told}");
}
