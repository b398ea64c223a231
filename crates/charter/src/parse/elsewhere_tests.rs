//! Rules that look at another asset: what they read as, what is said of wrong ones, and who can cause what they find.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use crate::model::{Class, Comparison, Watch};
use crate::parse::tests::DRILL;
use crate::parse::{parse, parse_rules};

/// The drill charter with a second chain and a second vault on it.
fn both() -> String {
    let part = |from: &str, to: &str| &DRILL[DRILL.find(from).unwrap()..DRILL.find(to).unwrap()];
    let chain = part("[[chain]]", "[[safe]]").replace("31337", "1337").replace("\"drill\"", "\"drill-two\"");
    let asset = part("[[asset]]", "[rules.contain]").replace("31337", "1337").replace("vault-core", "vault-two");
    format!("{DRILL}\n{chain}\n{asset}")
}

fn with(rule: &str) -> String {
    format!("{}\n[[detector]]\nid = \"rule\"\nasset = \"vault-two\"\n{rule}\n", both())
}

const SISTER: &str = "kind = \"sister\"
contract = \"0x1000000000000000000000000000000000000001\"
elsewhere = \"vault-core\"
elsewhere_contract = \"0x1000000000000000000000000000000000000001\"";

const CROSS: &str = "kind = \"cross-chain\"
left = { target = \"0x1000000000000000000000000000000000000001\", call = \"totalSupply() returns (uint256)\" }
compare = \"<=\"
elsewhere = \"vault-core\"
right = { held = \"native\" }
lag_s = 1200";

const RELEASE: &str = "kind = \"release\"
address = \"0x1000000000000000000000000000000000000001\"
event = \"Released(bytes32 indexed id, address to, uint256 amount, string note)\"
elsewhere = \"vault-core\"
elsewhere_address = \"0x1000000000000000000000000000000000000001\"
elsewhere_event = \"Locked(uint256 value, bytes32 message)\"
same = { id = \"message\", amount = \"value\" }
within_s = 86400
lag_s = 1200
stands_s = 600";

#[test]
fn they_read_as_they_are_written() {
    let (charter, _) = parse(&with(SISTER)).unwrap_or_else(|faults| panic!("{faults:#?}"));
    let rule = &charter.detectors[&"rule".parse().unwrap()];
    let Watch::Sister(sister) = &rule.watch else { panic!("another kind") };
    assert_eq!(
        (rule.class, sister.lag_s, rule.watch.span_s(), rule.watch.never_votes()),
        (Class::Context, 30, 90, false)
    );
    let sources = |sister: &crate::model::Sister| sister.sources(&charter.detectors).count();
    assert_eq!(sources(sister), 4);
    let narrow = crate::model::Sister { kinds: ["state".to_owned()].into(), ..sister.clone() };
    assert_eq!(sources(&narrow), 1);
    let (charter, _) = parse(&with(CROSS)).unwrap_or_else(|faults| panic!("{faults:#?}"));
    let rule = &charter.detectors[&"rule".parse().unwrap()];
    let Watch::CrossChain(cross) = &rule.watch else { panic!("another kind") };
    assert_eq!((rule.class, cross.compare, cross.lag_s, cross.skew_s), (Class::Decisive, Comparison::AtMost, 1_200, 0));
    assert_eq!((rule.watch.calls().count(), rule.watch.coins().count(), rule.watch.span_s()), (1, 0, 1_260));
    let (charter, _) = parse(&with(RELEASE)).unwrap_or_else(|faults| panic!("{faults:#?}"));
    let rule = &charter.detectors[&"rule".parse().unwrap()];
    let Watch::Release(release) = &rule.watch else { panic!("another kind") };
    assert_eq!((rule.class, release.same.len(), rule.watch.span_s()), (Class::Context, 2, 174_660));
    // Rules alone name assets that are declared elsewhere.
    let alone = format!("[[detector]]\nid = \"rule\"\nasset = \"vault-two\"\n{CROSS}\n");
    assert!(parse_rules(&alone).is_ok_and(|(rules, _)| rules.detectors.len() == 1));
}

#[test]
fn what_is_wrong_is_told() {
    let edit = |rule: &str, from: &str, to: &str| {
        assert!(rule.contains(from), "{from}");
        with(&rule.replacen(from, to, 1))
    };
    let cases = [
        (edit(SISTER, "elsewhere = \"vault-core\"", "elsewhere = \"vault-two\""), "self-dependency", "elsewhere"),
        (edit(SISTER, "elsewhere = \"vault-core\"", "elsewhere = \"vault-none\""), "unknown-reference", "elsewhere"),
        (edit(SISTER, "\nelsewhere_contract", "\nlag_s = 0\nelsewhere_contract"), "out-of-bounds", "lag_s"),
        (
            edit(SISTER, "\nelsewhere_contract", "\nkinds = [\"sister\"]\nelsewhere_contract"),
            "unknown-kind",
            "kinds[0]",
        ),
        (edit(SISTER, "contract = ", "contracts = "), "missing", "contract"),
        (edit(CROSS, "lag_s = 1200", ""), "missing", "lag_s"),
        (edit(CROSS, "\"<=\"", "\"<\""), "unknown-kind", "compare"),
        (edit(CROSS, "right = ", "rite = "), "missing", "right"),
        (edit(RELEASE, "amount = \"value\"", "amount = \"sum\""), "unknown-field", "same.amount"),
        (edit(RELEASE, "amount = \"value\"", "note = \"value\""), "unknown-field", "same.note"),
        (edit(RELEASE, "{ id = \"message\", amount = \"value\" }", "{ }"), "out-of-bounds", "same"),
        (edit(RELEASE, "Locked(uint256 value, ", "Locked(uint257 value, "), "bad-event", "elsewhere_event"),
        (edit(RELEASE, "within_s = 86400\n", ""), "missing", "within_s"),
    ];
    for (text, kind, key) in cases {
        let faults = parse(&text).expect_err(key);
        let told = faults.iter().any(|fault| fault.kind == kind && fault.key == format!("detector[4].{key}"));
        assert!(told, "{kind} {key}: {faults:#?}");
    }
    let here = with(CROSS).replacen(
        "id = \"vault-two\"\nname = \"Core vault\"\nchain = 1337",
        "id = \"vault-two\"\nname = \"Core vault\"\nchain = 31337",
        1,
    );
    assert!(parse(&here).unwrap_err().iter().any(|fault| fault.kind == "same-chain"));
}

fn warned(text: &str, kind: &str) -> Vec<String> {
    let (_, warnings) = parse(text).unwrap_or_else(|faults| panic!("{faults:#?}"));
    warnings
        .into_iter()
        .filter(|warning| warning.kind == kind && warning.key.starts_with("detector[4]"))
        .map(|warning| warning.message.clone())
        .collect()
}

#[test]
fn what_can_find_nothing_is_told() {
    assert_eq!(warned(&with(SISTER), "always-behind"), [""; 0]);
    let short = warned(&with(&format!("{SISTER}\nlag_s = 1")), "always-behind");
    assert_eq!(short, ["1 s back chain 31337 is mostly not known yet: it would seldom be judged"]);
    let deep = |lag: &str| {
        let text = with(&CROSS.replace("lag_s = 1200", lag)).replacen(
            "finality = \"finalized\"",
            "finality = { depth = 64 }",
            1,
        );
        warned(&text, "always-behind").len()
    };
    assert_eq!((deep("lag_s = 66"), deep("lag_s = 65"), deep("lag_s = 70\nskew_s = 5")), (0, 1, 1));
    let none = warned(&with(&format!("{SISTER}\nkinds = [\"stale\"]")), "idle-detector");
    assert_eq!(none, ["no rule of vault-core that may vote finds anything of these kinds: it raises nothing"]);
}

/// What money causes at a sister it causes here, where the rule may vote; a balance takes gifts, and who may claim may claim late.
#[test]
fn an_outsider_elsewhere_is_an_outsider_here() {
    let text = |rule: &str| {
        let kind = rule.split('"').nth(1).unwrap();
        let part = |from: &str, to: &str| &DRILL[DRILL.find(from).unwrap()..DRILL.find(to).unwrap()];
        let safe = part("[[safe]]", "[[asset]]").replace("31337", "1337").replace("guardian-safe", "other-safe");
        let playbook = part("[[playbook]]", "[[playbook]]\nid = \"recover-vault\"");
        let playbook = playbook.replace("31337", "1337").replace("guardian-safe", "other-safe");
        let playbook = playbook.replace("contain-vault", "contain-two").replace("vault-core", "vault-two");
        let playbook = playbook.replace("\"outflow\", \"event\"", &format!("\"{kind}\""));
        format!("{}\n{safe}\n{playbook}", with(rule))
    };
    let warned = |rule: &str| {
        let (_, warnings) = parse(&text(rule)).unwrap_or_else(|faults| panic!("{faults:#?}"));
        let of = |message: &str| message.starts_with("anybody can set contain-two off");
        warnings.into_iter().find(|warning| of(&warning.message)).map(|warning| warning.message.clone())
    };
    assert_eq!(warned(SISTER), None);
    let decisive = format!("{SISTER}\nclass = \"decisive\"");
    assert!(warned(&decisive).unwrap().ends_with("by rule (what an outsider causes at its sister)"));
    assert_eq!(warned(&format!("{decisive}\nkinds = [\"state\"]")), None);
    // More locked than minted is no harm, and more minted than locked is no gift.
    assert_eq!(warned(CROSS), None);
    let gift = warned(&CROSS.replace("\"<=\"", "\">=\""));
    assert!(gift.unwrap().ends_with("by rule (a gift to a balance that it compares)"));
    assert_eq!(warned(RELEASE), None);
    let late = warned(&format!("{RELEASE}\nclass = \"decisive\""));
    assert!(late.unwrap().ends_with("by rule (a message claimed later than within_s)"));
}
