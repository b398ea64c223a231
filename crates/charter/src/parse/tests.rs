//! Whole charters: the drill's and the example load, and say what their partners should know.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::{SOURCE_MAX, is_drill_chain, parse};
use crate::fault::Warning;

mod faults;

pub(crate) const DRILL: &str = include_str!("../../tests-data/drill.charter.toml");
const PRODUCTION: &str = include_str!("../../../../deploy/charter.example.toml");

/// The drill charter with the `nth` occurrence of `from` replaced, and where the edited line starts.
pub(crate) fn edited(from: &str, nth: usize, to: &str) -> (String, usize) {
    let offset = DRILL.match_indices(from).nth(nth).unwrap_or_else(|| panic!("{from:?} occurs less often")).0;
    let start_of_line = DRILL[..offset].rfind('\n').map_or(0, |newline| newline + 1);
    (format!("{}{to}{}", &DRILL[..offset], &DRILL[offset + from.len()..]), start_of_line)
}

/// All faults come at once, in line order, and no fault in one place makes a reference to it look unknown.
#[test]
fn all_faults_come_at_once() {
    let source = edited("version = \"1.5.0\"", 0, "version = \"1.2.0\"").0;
    let source =
        source.replace("function = \"pause()\"", "function = \"pause(foo)\"").replace("window_s = 60", "window_s = 0");
    let faults = parse(&source).unwrap_err();
    let kinds: Vec<_> = faults.iter().map(|fault| fault.kind).collect();
    assert_eq!(kinds, ["safe-version", "bad-call", "out-of-bounds", "out-of-bounds"], "{faults:#?}");
    assert!(faults.is_sorted_by_key(|fault| fault.line));
}

#[test]
fn text_that_is_no_toml_names_its_lines() {
    let faults = parse("name = \"x\"\nversion = = 1\nname = \"y\"\n").unwrap_err();
    assert!(faults.iter().all(|fault| fault.kind == "syntax"), "{faults:#?}");
    assert!(faults.iter().any(|fault| fault.line == 2), "{faults:#?}");
    assert_eq!(parse(&"#".repeat(SOURCE_MAX + 1)).unwrap_err()[0].kind, "too-long");
    assert!(parse("").unwrap_err().len() >= 3);
}

/// A later version names its network, the first one makes it.
#[test]
fn only_later_versions_name_the_network() {
    let network = "network = \"6a59541155b6ec71c9433d3a292ff1e48600529a5de565df2e8b6f30a6d509c6\"";
    let second = DRILL.replace("version = 1\n", &format!("version = 2\n{network}\n"));
    let (charter, _) = parse(&second).unwrap();
    assert_eq!(charter.network_id().to_string(), network[11..75]);
    assert_ne!(charter.digest().to_string(), charter.network_id().to_string());
    assert_eq!(parse(&DRILL.replace("version = 1\n", "version = 2\n")).unwrap_err()[0].kind, "missing");
    let first = parse(&DRILL.replace("version = 1\n", &format!("version = 1\n{network}\n"))).unwrap_err();
    assert_eq!(first[0].kind, "network-of-first");
}

#[test]
fn drills_run_on_their_own_chains() {
    for id in [31337, 1337, 2_004_221_952, 2_004_287_487] {
        assert!(is_drill_chain(id));
    }
    for id in [1, 10, 31338, 2_004_221_951, 2_004_287_488] {
        assert!(!is_drill_chain(id));
    }
}

/// Two guardians of one organisation on one Safe would count twice on chain and once in the rules.
#[test]
fn one_guardian_of_each_organisation_on_a_safe() {
    let source =
        DRILL.replace("id = \"birch-1\"\norganisation = \"birch\"", "id = \"birch-1\"\norganisation = \"alder\"");
    let faults = parse(&source).unwrap_err();
    assert!(faults.iter().any(|f| f.kind == "two-guardians" && f.key == "safe[0].guardians"), "{faults:#?}");
}

#[test]
fn the_drill_charter_loads_with_the_warnings_it_deserves() {
    let (charter, warnings) = parse(DRILL).unwrap_or_else(|faults| panic!("{faults:#?}"));
    let kinds: Vec<_> = warnings.iter().map(|warning| (warning.kind, warning.key.as_str())).collect();
    assert_eq!(kinds, [("not-bound-by-chain", "rules.recover"), ("outsider-can-trigger", "playbook[0].id")]);
    assert_eq!(charter.members.len(), 5);
    assert_eq!(charter.playbooks.len(), 2);
    assert_eq!(charter.network_id().as_bytes(), charter.digest().as_bytes());
}

#[test]
fn the_production_example_loads() {
    let (charter, warnings) = parse(PRODUCTION).unwrap_or_else(|faults| panic!("{faults:#?}"));
    assert!(!charter.drill);
    assert_eq!(charter.organisations.len(), 5);
    let deserved = ["not-bound-by-chain", "outsider-can-trigger"];
    assert!(warnings.iter().all(|w| deserved.contains(&w.kind)), "{warnings:#?}");
}

/// Warnings: a rule that hangs on one, a trigger that nothing fires, an asset that nobody recovers.
#[test]
fn warnings_name_what_hangs_on_one() {
    let warned = |source: &str, kind: &str, text: &str| {
        let (_, warnings) = parse(source).unwrap_or_else(|faults| panic!("{faults:#?}"));
        assert!(warnings.iter().any(|w| w.kind == kind && w.message.contains(text)), "no {kind}: {warnings:#?}");
    };
    let role = DRILL.replace("operators = 3", "operators = 3\nroles = { dao = 1 }");
    warned(&role, "single-point", "without organisation dogwood");
    let shared = DRILL.replace("\"op-birch\"", "\"op-alder\"").replace("\"op-cedar\"", "\"op-alder\"");
    warned(&shared, "single-point", "without operator");
    let trigger =
        edited("kinds = [\"outflow\", \"event\"]", 0, "detectors = [\"vault-owner\"]\nkinds = [\"outflow\"]").0;
    warned(&trigger, "dead-trigger", "no detector");
    let lost = DRILL.find("[[playbook]]\nid = \"recover-vault\"").unwrap();
    let rest = DRILL.find("[[detector]]").unwrap();
    warned(&format!("{}{}", &DRILL[..lost], &DRILL[rest..]), "no-recovery", "vault-core");
    let owner =
        edited("threshold = 3", 0, "threshold = 3\nother_owners = [\"0x3000000000000000000000000000000000000003\"]").0;
    warned(&owner, "other-owners", "1 owners");
    let unreachable = edited("addresses = [\"/ip4/127.0.0.1/tcp/9001\", \"/ip4/127.0.0.1/udp/9001/quic-v1\"]", 0, "").0;
    warned(&unreachable, "no-address", "dialled by nobody");
    let empty = unreachable.replace("operators = [\"op-alder\"]", "operators = [\"op-alder\"]\naddresses = []");
    warned(&empty, "no-address", "dialled by nobody");
}

/// Members of a drill may share a machine; of a real network a loopback address is worth a word.
#[test]
fn a_loopback_address_is_warned_of_outside_drills() {
    let loopback = |warnings: &[Warning]| warnings.iter().any(|warning| warning.kind == "loopback-address");
    assert!(!loopback(&parse(DRILL).unwrap().1));
    let real = DRILL.replace("drill = true", "drill = false").replace("31337", "1");
    let (_, warnings) = parse(&real).unwrap();
    assert!(loopback(&warnings), "{warnings:#?}");
    assert!(!loopback(&parse(&real.replace("127.0.0.1", "192.0.2.1")).unwrap().1));
}
