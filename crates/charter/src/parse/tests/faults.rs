//! Every way in which a charter can be wrong is told with its line, key and remedy.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use proptest::prelude::*;

use super::edited;
use crate::fault::Fault;
use crate::parse;

mod playbooks;

use playbooks::PLAYBOOKS;

/// One edit of the drill charter: `from` (its `nth` occurrence) becomes `to`, and the fault of `kind` stands at `key`, on the
/// line of the first text `at` from the edited line on.
struct Case {
    from: &'static str,
    nth: usize,
    to: &'static str,
    kind: &'static str,
    key: &'static str,
    at: &'static str,
}

const fn case(
    from: &'static str,
    nth: usize,
    to: &'static str,
    kind: &'static str,
    key: &'static str,
    at: &'static str,
) -> Case {
    Case { from, nth, to, kind, key, at }
}

fn check(case: &Case) {
    let (source, offset) = edited(case.from, case.nth, case.to);
    let faults = parse(&source).expect_err(case.kind);
    let found = offset + source[offset..].find(case.at).unwrap_or_else(|| panic!("{:?} is not in the edit", case.at));
    let line = source[..found].matches('\n').count() + 1;
    let fits = |fault: &&Fault| fault.kind == case.kind && fault.key == case.key && fault.line == line;
    let fault = faults.iter().find(fits);
    let fault = fault.unwrap_or_else(|| panic!("no {} at {} line {line}: {faults:#?}", case.kind, case.key));
    assert!(!fault.message.is_empty() && !fault.remedy.is_empty(), "{fault} says nothing");
}

const PARTNERS: &[Case] = &[
    case("[\"security\"]", 0, "[\"Sec urity\"]", "malformed", "organisation[0].roles[0]", "roles"),
    case("id = \"birch\"", 0, "id = \"alder\"", "duplicate-id", "organisation[1].id", "id"),
    case(
        "id = \"alder-1\"",
        0,
        "id = \"birch-1\"",
        "duplicate-id",
        "member[1].id",
        "id = \"birch-1\"\norganisation = \"birch\"",
    ),
    case(
        "organisation = \"elm\"",
        0,
        "organisation = \"oak\"",
        "unknown-reference",
        "member[4].organisation",
        "organisation",
    ),
    case("kind = \"guardian\"", 0, "kind = \"boss\"", "malformed", "member[0].kind", "kind"),
    case("kind = \"guardian\"", 0, "kind = \"voter\"", "not-a-guardian", "member[0].guardian", "guardian = "),
    case("\"8a88e3dd", 0, "\"zz88e3dd", "malformed", "member[0].node_key", "node_key"),
    case(
        "8a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c",
        0,
        "0000000000000000000000000000000000000000000000000000000000000000",
        "weak-key",
        "member[0].node_key",
        "0000",
    ),
    case(
        "8139770ea87d175f56a35466c34c7ecccb8d8a91b4ee37a25df60f5b8fc9b394",
        0,
        "8a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c",
        "duplicate-node-key",
        "member[1].node_key",
        "8a88",
    ),
    case(
        "0x1563915e194D8CfBA1943570603F7606A3115508",
        0,
        "0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A",
        "duplicate-account",
        "member[1].guardian",
        "0x19E7",
    ),
    case("0x1563915e194D8CfB", 0, "0x1563915e194d8CfB", "bad-checksum", "member[1].guardian", "0x1563"),
    case(
        "0x1563915e194D8CfBA1943570603F7606A3115508",
        0,
        "0x0000000000000000000000000000000000000000",
        "zero-address",
        "member[1].guardian",
        "0x0000",
    ),
    case(
        "submitter = \"0xeD5970f07eea5A9E7b359D3c5d3F82b34a8F1E15\"\n",
        0,
        "",
        "missing",
        "member[0].submitter",
        "operators",
    ),
    case(
        "0x1563915e194D8CfBA1943570603F7606A3115508",
        0,
        "0x2000000000000000000000000000000000000002",
        "safe-as-account",
        "member[1].guardian",
        "guardian = ",
    ),
    case(
        "0xFA2cBBCafBb04314d07984f6a78C0063f9Bc9eBA",
        0,
        "0x2000000000000000000000000000000000000002",
        "safe-as-account",
        "member[1].submitter",
        "submitter = ",
    ),
    case("[\"op-alder\"]", 0, "[]", "no-operator", "member[0].operators", "operators"),
    case("/ip4/127.0.0.1/tcp/9001", 0, "127.0.0.1:9001", "malformed", "member[0].addresses[0]", "127.0.0.1"),
    case("/ip4/127.0.0.1/tcp/9001", 0, "/ip4/0.0.0.0/tcp/9001", "not-dialable", "member[0].addresses[0]", "0.0.0.0"),
    case("/ip4/127.0.0.1/tcp/9001", 0, "/ip4/192.0.2.1/tcp/0", "not-dialable", "member[0].addresses[0]", "tcp/0"),
    case("/ip4/127.0.0.1/tcp/9001", 0, "/dnsaddr/a.example/tcp/1", "malformed", "member[0].addresses[0]", "dnsaddr"),
    case(
        "kind = \"guardian\"",
        0,
        "kind = \"guardian\"\nnickname = \"x\"",
        "unknown-key",
        "member[0].nickname",
        "nickname",
    ),
];

#[test]
fn faults_of_partners() {
    // A missing key is told at its table's header, so its line is taken from there.
    for case in PARTNERS.iter().filter(|case| case.kind != "missing") {
        check(case);
    }
}

/// A kind with a typo, or an organisation that nobody declares, hides no fault elsewhere.
#[test]
fn one_uncounted_member_hides_no_other_fault() {
    for (right, typo) in
        [("kind = \"guardian\"", "kind = \"gaurdian\""), ("organisation = \"alder\"", "organisation = \"alter\"")]
    {
        let source = super::DRILL.replacen(right, typo, 1);
        let kinds = |source: &str| parse(source).unwrap_err().iter().map(|fault| fault.kind).collect::<Vec<_>>();
        assert_eq!(kinds(&source).len(), 1, "{typo}: {:?}", parse(&source));
        assert!(kinds(&source.replace("threshold = 3", "threshold = 2")).contains(&"below-contain"), "{typo}");
    }
    let typo = super::DRILL.replacen("kind = \"guardian\"", "kind = \"gaurdian\"", 1);
    let faults = parse(&typo.replace("threshold = 3", "threshold = 5")).unwrap_err();
    assert!(faults.iter().any(|fault| fault.kind == "n-of-n"), "{faults:#?}");
}

const PLACES: &[Case] = &[
    case("id = 31337\n", 0, "id = 1\n", "drill-chain", "chain[0].id", "id = 1"),
    case("drill = true", 0, "drill = false", "drill-chain", "chain[0].id", "id = 31337"),
    case("block_time_ms = 1000", 0, "block_time_ms = 0", "out-of-bounds", "chain[0].block_time_ms", "block_time_ms"),
    case("block_time_ms = 1000", 0, "block_time_ms = \"1 s\"", "wrong-type", "chain[0].block_time_ms", "block_time_ms"),
    case(
        "finality = \"finalized\"",
        0,
        "finality = { depth = 0 }",
        "out-of-bounds",
        "chain[0].finality.depth",
        "finality",
    ),
    case("route = \"public\"", 0, "route = \"pigeon\"", "malformed", "chain[0].route", "route"),
    case("\nchain = 31337", 0, "\nchain = 1337", "unknown-reference", "safe[0].chain", "chain = 1337"),
    case("version = \"1.5.0\"", 0, "version = \"1.2.0\"", "safe-version", "safe[0].version", "version = \"1.2.0\""),
    case("version = \"1.5.0\"", 0, "version = \"new\"", "malformed", "safe[0].version", "version"),
    case("threshold = 3", 0, "threshold = 5", "n-of-n", "safe[0].threshold", "threshold"),
    case("threshold = 3", 0, "threshold = 6", "above-members", "safe[0].threshold", "threshold"),
    case("threshold = 3", 0, "threshold = 2", "below-contain", "safe[0].threshold", "threshold"),
    case(
        "threshold = 3",
        0,
        "threshold = 3\nother_owners = [\"0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A\"]",
        "duplicate-account",
        "safe[0].other_owners[0]",
        "other_owners",
    ),
    case(
        "[[asset]]",
        0,
        "[[safe]]\nid = \"second\"\nchain = 31337\naddress = \"0x2000000000000000000000000000000000000002\"\n\
         version = \"1.5.0\"\nthreshold = 3\n[[asset]]",
        "duplicate-safe",
        "safe[1].address",
        "address",
    ),
    case(
        "threshold = 3",
        0,
        "threshold = 3\nguardians = [\"oak-1\"]",
        "unknown-reference",
        "safe[0].guardians[0]",
        "oak-1",
    ),
    case(
        "contracts = [\"0x1000000000000000000000000000000000000001\"]",
        0,
        "contracts = []",
        "empty",
        "asset[0].contracts",
        "contracts",
    ),
    case(
        "contracts = [\"0x1000000000000000000000000000000000000001\"]",
        0,
        "contracts = [\"0x2000000000000000000000000000000000000002\"]",
        "safe-as-asset",
        "asset[0].contracts[0]",
        "contracts",
    ),
    case(
        "criticality = \"critical\"",
        0,
        "criticality = \"vital\"",
        "malformed",
        "asset[0].criticality",
        "criticality",
    ),
    case(
        "internal = []",
        0,
        "dependencies = [\"vault-core\"]",
        "self-dependency",
        "asset[0].dependencies[0]",
        "dependencies",
    ),
];

#[test]
fn faults_of_chains_safes_and_assets() {
    PLACES.iter().for_each(check);
}

const RULES: &[Case] = &[
    case(
        "[rules.contain]\norganisations = 3",
        0,
        "[rules.contain]\norganisations = 4",
        "rule-order",
        "rules.extend",
        "[rules.extend]",
    ),
    case(
        "[rules.contain]\norganisations = 3",
        0,
        "[rules.contain]\norganisations = 5",
        "n-of-n",
        "rules.contain",
        "[rules.contain]",
    ),
    case(
        "[rules.contain]\norganisations = 3",
        0,
        "[rules.contain]\norganisations = 6",
        "above-members",
        "rules.contain",
        "[rules.contain]",
    ),
    case(
        "[rules.contain]\norganisations = 3",
        0,
        "[rules.contain]\norganisations = 0",
        "out-of-bounds",
        "rules.contain.organisations",
        "organisations = 0",
    ),
    case(
        "[rules.recover]\norganisations = 4",
        0,
        "[rules.recover]\norganisations = 3",
        "recover-as-contain",
        "rules.recover",
        "[rules.recover]",
    ),
    case(
        "[rules.amend]\norganisations = 4",
        0,
        "[rules.amend]\norganisations = 3",
        "amend-not-exclusive",
        "rules.amend",
        "[rules.amend]",
    ),
    case(
        "organisations = 3\noperators = 3",
        2,
        "organisations = 3\noperators = 4",
        "rule-order",
        "rules.amend",
        "[rules.amend]",
    ),
    case("operators = 3", 0, "operators = 6", "unmeetable", "rules.contain", "[rules.contain]"),
    case("operators = 3", 0, "operators = 3\nroles = { wizard = 1 }", "unmeetable", "rules.contain", "[rules.contain]"),
    case(
        "operators = 3",
        0,
        "operators = 3\nroles = { security = 3 }",
        "unmeetable",
        "rules.contain",
        "[rules.contain]",
    ),
    case(
        "expiry_s = 120",
        0,
        "expiry_s = 120\nrule = { organisations = 2, operators = 3 }",
        "rule-order",
        "playbook[0].rule",
        "rule =",
    ),
    case(
        "expiry_s = 120",
        0,
        "expiry_s = 120\nrule = { organisations = 5, operators = 3 }",
        "n-of-n",
        "playbook[0].rule",
        "rule =",
    ),
];

#[test]
fn faults_of_rules() {
    for case in RULES {
        // Rules that others are measured by stand before them: the marker is looked for from the start.
        let (source, _) = edited(case.from, case.nth, case.to);
        let line = source[..source.find(case.at).unwrap()].matches('\n').count() + 1;
        let faults = parse(&source).expect_err(case.kind);
        let fits = |fault: &&Fault| fault.kind == case.kind && fault.key == case.key && fault.line == line;
        assert!(faults.iter().any(|fault| fits(&fault)), "no {} at {} line {line}: {faults:#?}", case.kind, case.key);
    }
}

/// The bound on amendments is strict: with 5 organisations and contain 2, three could amend twice past one liar.
#[test]
fn amendments_exclude_each_other() {
    let ladder = |contain: u16, recover: u16, amend: u16| {
        let (head, rest) = super::DRILL.split_at(super::DRILL.find("[rules.contain]").unwrap());
        let rest = &rest[rest.find("[[playbook]]").unwrap()..];
        let rule = |name: &str, organisations: u16| {
            format!("[rules.{name}]\norganisations = {organisations}\noperators = 2\n")
        };
        let rules =
            [("contain", contain), ("extend", contain), ("recover", recover), ("amend", amend), ("tune", contain)];
        let rules: String = rules.iter().map(|(name, organisations)| rule(name, *organisations)).collect();
        parse(&format!("{head}{rules}{rest}"))
            .err()
            .unwrap_or_default()
            .iter()
            .map(|fault| fault.kind)
            .collect::<Vec<_>>()
    };
    assert_eq!(ladder(2, 3, 3), ["amend-not-exclusive"]);
    assert_eq!(ladder(2, 3, 4), [""; 0]);
    assert_eq!(ladder(1, 2, 3), [""; 0]);
    assert_eq!(ladder(1, 2, 2), ["amend-not-exclusive"]);
}

/// What is missing is told at the table that misses it.
#[test]
fn missing_keys_stand_at_their_table() {
    for case in PARTNERS.iter().chain(PLAYBOOKS).filter(|case| case.kind == "missing") {
        let (source, offset) = edited(case.from, case.nth, case.to);
        let header = source[..offset].rfind("[[").unwrap();
        let line = source[..header].matches('\n').count() + 1;
        let faults = parse(&source).unwrap_err();
        let found = faults.iter().find(|fault| fault.kind == "missing").expect("a missing key is a fault");
        assert_eq!((found.key.as_str(), found.line), (case.key, line));
    }
    let detector = edited("limit = \"25000000000000000000\"", 0, "").0;
    assert!(parse(&detector).unwrap_err().iter().any(|fault| fault.kind == "no-bound" && fault.key == "detector[0]"));
    let owner = edited("unchanged = true", 0, "min = \"1\"").0;
    assert!(parse(&owner).unwrap_err().iter().any(|f| f.kind == "not-a-number" && f.key == "detector[2]"));
    for (slot, kind) in [("", "missing"), ("slot = \"0x00\"", "")] {
        let source = edited("what = \"owner\"", 0, &format!("what = \"slot\"\n{slot}")).0;
        let faults = parse(&source).unwrap_err();
        assert!(
            faults.iter().any(|f| f.kind.contains(kind) && f.key.starts_with("detector[2]")),
            "{slot}: {faults:#?}"
        );
    }
}

/// Where one edit of a line cannot make the fault: mode auto without triggers, and a trigger on another asset's detector.
#[test]
fn faults_of_triggers() {
    let at = |source: &str, kind: &str| {
        let faults = parse(source).expect_err(kind);
        let found = faults.iter().find(|fault| fault.kind == kind);
        let found = found.unwrap_or_else(|| panic!("no {kind}: {faults:#?}"));
        (found.key.clone(), source.lines().nth(found.line - 1).unwrap_or_default().to_owned())
    };
    let drill = super::DRILL;
    let (triggers, steps) = (drill.find("[[playbook.trigger]]").unwrap(), drill.find("[[playbook.step]]").unwrap());
    let silent = format!("{}{}", &drill[..triggers], &drill[steps..]);
    assert_eq!(at(&silent, "no-trigger"), ("playbook[0]".to_owned(), "[[playbook]]".to_owned()));

    let asset = &drill[drill.find("[[asset]]").unwrap()..drill.find("[rules.contain]").unwrap()];
    let other = asset.replace("vault-core", "vault-side").replace("0x10000000000000000000", "0x30000000000000000000");
    let moved =
        drill.replace("id = \"vault-owner\"\nasset = \"vault-core\"", "id = \"vault-owner\"\nasset = \"vault-side\"");
    let line = "detectors = [\"vault-owner\"]";
    let moved = moved.replacen(asset, &format!("{asset}{other}"), 1).replace("kinds = [\"outflow\", \"event\"]", line);
    assert_eq!(at(&moved, "other-asset"), ("playbook[0].trigger[0].detectors[0]".to_owned(), line.to_owned()));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// Whatever stands in the file, the answer is a charter or faults, and never one without the other.
    #[test]
    fn no_text_panics(
        at in 0..super::DRILL.len(),
        length in 0..40_usize,
        filler in prop_oneof![
            "[\\[\\]={}\"'#\n., a-z0-9\u{1b}]{0,24}",
            prop::sample::select(vec!["\n[[member]]\n", "\"\"", "[[]]", "= 1e9", "{ a = { b = [] } }", "0x", "-1", "1979-05-27"]).prop_map(str::to_owned),
        ],
    ) {
        let end = (at + length).min(super::DRILL.len());
        let source = format!("{}{filler}{}", &super::DRILL[..at], &super::DRILL[end..]);
        let lines = source.lines().count() + 1;
        if let Err(faults) = parse(&source) {
            prop_assert!(!faults.is_empty());
            for fault in faults {
                prop_assert!((1..=lines).contains(&fault.line), "{fault}");
                prop_assert!(!fault.to_string().contains('\u{1b}'), "{fault:?}");
            }
        }
    }
}
