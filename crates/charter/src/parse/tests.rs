//! Whole charters: the drill's and the example load, and say what their partners should know.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::{SOURCE_MAX, is_drill_chain, parse, read};
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

/// A text with faults is no charter, whatever of it could be read; that is there to be compared, without the parts that have faults.
#[test]
fn a_faulty_text_is_no_charter_and_can_be_compared() {
    let sound = parse(DRILL).unwrap().0;
    let member = sound.members.keys().next().unwrap();
    for (source, members) in [
        (DRILL.replace("[rules.contain]", "[rules.contains]"), sound.members.len()),
        (DRILL.replacen("name = ", "names = ", 1), sound.members.len()),
        (edited("node_key = \"", 0, "node_key = \"zz").0, sound.members.len() - 1),
    ] {
        let document = read(&source);
        assert!(document.charter().is_none() && !document.faults().is_empty(), "{document:?}");
        assert_eq!(sound.members.keys().filter(|id| document.member(id).is_some()).count(), members);
        assert_eq!(document.chains(), sound.chains.keys().copied().collect());
        let chain = *sound.chains.keys().next().unwrap();
        let reads = document.reads(chain);
        assert!(!reads.is_empty() && reads.is_subset(&crate::live::reads(&sound, chain)), "{reads:?}");
        assert!(document.into_charter().is_err());
    }
    let nothing = read("name = = 1");
    assert!(nothing.member(member).is_none() && nothing.chains().is_empty() && nothing.charter().is_none());
    assert_eq!(read(DRILL).charter().map(|charter| charter.digest()), Some(sound.digest()));
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
    let single = parse(&role).unwrap().1.into_iter().find(|warning| warning.kind == "single-point").unwrap();
    let line = role.lines().position(|line| line == "[rules.contain]").unwrap() + 1;
    assert_eq!((single.key.as_str(), single.line), ("rules.contain", line));
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
