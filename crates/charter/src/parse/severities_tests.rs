//! The severity matrix of a charter: what it makes of its detectors, and what is said of a wrong one.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use watchfire_types::Severity;

use crate::model::Charter;
use crate::parse::tests::DRILL;
use crate::parse::{parse, parse_rules};

const ROW: &str = "low = \"SEV4\"\nmedium = \"SEV3\"\nhigh = \"SEV3\"\ncritical = \"SEV2\"\n";
const RULE: &str = "[[detector]]\nid = \"rule\"\nasset = \"vault-core\"\nkind = \"event\"\n\
                    address = \"0x1000000000000000000000000000000000000001\"\nevent = \"Unpaused(address)\"\nstands_s = 60\n";

fn severity(charter: &Charter, rule: &str) -> Severity {
    charter.detectors[&rule.parse().unwrap()].severity
}

fn read(text: &str) -> (Charter, Vec<(&'static str, usize)>) {
    let (charter, warnings) = parse(text).unwrap_or_else(|faults| panic!("{faults:#?}"));
    (charter, warnings.iter().map(|warning| (warning.kind, warning.line)).collect())
}

/// A row goes before what is written at a detector, and that before what is usual.
#[test]
fn rows_then_the_detector_then_what_is_usual() {
    let (plain, said) = read(&format!("{DRILL}\n{RULE}"));
    assert_eq!(severity(&plain, "rule"), Severity::Sev1, "critical, and it can be paused");
    let milder = RULE.replace("asset =", "class = \"context\"\nasset =");
    assert_eq!(severity(&read(&format!("{DRILL}\n{milder}")).0, "rule"), Severity::Sev3);
    let written = RULE.replace("asset =", "severity = \"SEV5\"\nasset =");
    let (charter, warned) = read(&format!("{DRILL}\n{written}"));
    assert_eq!(severity(&charter, "rule"), Severity::Sev5);
    assert!(warned.iter().all(|(kind, _)| *kind != "severity-not-used"), "nothing is said without a matrix");

    let matrix = format!("{DRILL}\n{written}\n[[severity]]\nkinds = [\"event\"]\n{ROW}");
    let (charter, warned) = read(&matrix);
    assert_eq!(severity(&charter, "rule"), Severity::Sev2);
    let new: Vec<_> = warned.iter().filter(|one| !said.contains(one)).collect();
    let line = matrix.lines().position(|line| line == "severity = \"SEV5\"").unwrap() + 1;
    assert_eq!(new, [&("severity-not-used", line)]);

    // A row that names the detector goes before the one about its kind; one about assets that nothing pauses is about none here.
    let own = "low = \"SEV4\"\nmedium = \"SEV4\"\nhigh = \"SEV4\"\ncritical = \"SEV4\"\n";
    let rows = format!("[[severity]]\npausable = false\n{ROW}\n[[severity]]\ndetectors = [\"rule\"]\n{own}");
    let (charter, _) = read(&format!("{DRILL}\n{RULE}\n{rows}\n[[severity]]\nkinds = [\"event\"]\n{ROW}"));
    assert_eq!(severity(&charter, "rule"), Severity::Sev4);
    assert_ne!(charter.digest(), plain.digest());
}

/// A text of rules alone does not say what is at stake: everything.
#[test]
fn rules_without_a_charter_are_judged_by_the_worst() {
    let (rules, _) = parse_rules(&RULE.replace("asset =", "class = \"context\"\nasset =")).unwrap();
    assert_eq!(rules.detectors[&"rule".parse().unwrap()].severity, Severity::Sev2);
}

#[test]
fn a_wrong_matrix_is_told_with_its_place() {
    let cases = [
        ("low = \"SEV1\"\nmedium = \"SEV2\"\nhigh = \"SEV2\"\ncritical = \"SEV2\"", "not-monotone", "medium"),
        ("low = \"SEV4\"\nmedium = \"SEV3\"\nhigh = \"SEV3\"", "missing", "critical"),
        (&ROW.replace("SEV4", "SEV9"), "malformed", "low"),
        (&format!("kinds = [\"outflows\"]\n{ROW}"), "unknown-kind", "kinds[0]"),
        (&format!("kinds = [\"containment-failed\"]\n{ROW}"), "out-of-bounds", "kinds[0]"),
        (&format!("detectors = [\"nobody\"]\n{ROW}"), "unknown-reference", "detectors[0]"),
        (&format!("class = \"loud\"\n{ROW}"), "unknown-kind", "class"),
        (&format!("pausable = 1\n{ROW}"), "wrong-type", "pausable"),
        (&format!("value = 1\n{ROW}"), "unknown-key", "value"),
    ];
    for (row, kind, key) in cases {
        let faults = parse(&format!("{DRILL}\n[[severity]]\n{row}\n")).expect_err(row);
        let told: Vec<_> = faults.iter().map(|fault| (fault.kind, fault.key.as_str())).collect();
        assert_eq!(told, [(kind, format!("severity[0].{key}").as_str())], "{row}");
        assert!(faults[0].line > DRILL.lines().count() && !faults[0].remedy.is_empty());
    }
    let twice = format!("{DRILL}\n[[severity]]\n{ROW}\n[[severity]]\nkinds = [\"event\"]\n{ROW}");
    assert!(read(&twice).1.iter().any(|(kind, _)| *kind == "unreachable-row"));
}

/// What is reported from outside is as bad as the matrix says, else as what gives context usually is; a row about detectors is about no report, and no
/// trigger can name one.
#[test]
fn a_report_has_its_row_and_no_trigger() {
    let asset = "vault-core".parse().unwrap();
    let of = |text: &str| read(text).0.severity_of_report(&asset).unwrap();
    assert_eq!(of(DRILL), Severity::Sev3, "critical, and it can be paused");
    assert_eq!(of(&format!("{DRILL}\n[[severity]]\nkinds = [\"report\"]\n{ROW}")), Severity::Sev2);
    assert_eq!(of(&format!("{DRILL}\n[[severity]]\nclass = \"decisive\"\n{ROW}")), Severity::Sev3);
    assert_eq!(of(&format!("{DRILL}\n[[severity]]\ndetectors = [\"vault-outflow\"]\n{ROW}")), Severity::Sev3);
    assert_eq!(read(DRILL).0.severity_of_report(&"nothing".parse().unwrap()), None);
    let trigger = DRILL.replacen("kinds = [\"outflow\", \"event\"]", "kinds = [\"outflow\", \"report\"]", 1);
    let faults = parse(&trigger).expect_err("is refused");
    assert_eq!(faults.iter().map(|fault| fault.kind).collect::<Vec<_>>(), ["unknown-kind"]);
}
