//! The library parses, and each kind of mistake is named with file, line and key.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;

/// Every scenario of the library parses under its own name and can be simulated, but those about what only a real chain has: receipts and proofs
/// to collect, and methods to lack.
#[test]
fn the_library_is_whole() {
    assert!(NAMES.len() >= 50);
    assert!(NAMES.contains(&DEFAULT));
    for name in NAMES {
        let scenario = find(name).unwrap().unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(scenario.name, *name);
        let of_the_chain = ["evidence-under-stress", "plain-operators"];
        assert!(scenario.runs.contains(&Stage::Simulate) || of_the_chain.contains(name), "{name}");
    }
    assert!(find("no-such").is_none());
}

const SMALL: &str = "name = \"x\"\ntitle = \"x\"\nruns = [\"drill\"]\nseconds_max = 30\n[attack]\nkind = \"reentrancy\"\n\
                after = \"ready\"\ntransactions = 3\nwei = \"1\"\ntimes = 5\n[expect]\npaused = true\n";

fn fault(change: impl Fn(&str) -> String) -> String {
    parse("x.toml", SMALL).unwrap();
    parse("x.toml", &change(SMALL)).unwrap_err().to_string()
}

/// Wrong types, unknown keys, missing keys, strangers and contradictions.
#[test]
fn mistakes_are_named() {
    let message = fault(|text| text.replace("seconds_max = 30", "seconds_max = \"soon\""));
    assert!(message.starts_with("x.toml:4: seconds_max: invalid type"), "{message}");
    let message = fault(|text| text.replace("paused = true", "paused = true\npasued = true"));
    assert!(message.starts_with("x.toml:13: pasued: unknown field"), "{message}");
    let message = fault(|text| text.replace("paused = true", ""));
    assert!(message.starts_with("x.toml:11: expect: missing field `paused`"), "{message}");
    let message = fault(|text| text.replace("times = 5", "times = 1"));
    assert!(message.starts_with("x.toml:10: times: "), "{message}");
    let message = fault(|text| format!("{text}[[fault]]\nat = \"ready\"\nkind = \"kill\"\nmember = \"zed-1\"\n"));
    assert!(message.starts_with("x.toml:16: member: zed-1 does not take part"), "{message}");
    let message = fault(|text| format!("{text}cause = \"guard-blocks\"\n"));
    assert!(message.starts_with("x.toml:13: cause: "), "{message}");
}

/// Where there is no key, as in an empty file, none is named.
#[test]
fn an_empty_file_has_no_key() {
    let message = parse("s6.toml", "").unwrap_err().to_string();
    assert!(message.starts_with("s6.toml:1: missing field"), "{message}");
}

/// A name that is neither lists what there is, and only what can be played there.
#[test]
fn unknown_names_list_the_library() {
    let message = load("vault-drian", Stage::Drill).unwrap_err().to_string();
    assert!(message.contains("vault-drain, submitter-down"), "{message}");
    assert!(message.contains("evidence-under-stress") && !message.contains("walk-through"), "{message}");
    let message = load("vault-drian", Stage::Simulate).unwrap_err().to_string();
    assert!(!message.contains("evidence-under-stress") && message.contains("walk-through"), "{message}");
}

/// What is no regular file, or too large, is not read to its end, which it may not have.
#[test]
fn endless_files_are_refused() {
    for device in ["/dev/null", "/dev/zero", "/dev"] {
        let message = load(device, Stage::Drill).unwrap_err().to_string();
        assert!(message.contains("nor a file: not a regular file;"), "{message}");
    }
    let large = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(large.path(), vec![b' '; (256 << 10) + 1]).unwrap();
    let message = load(large.path().to_str().unwrap(), Stage::Drill).unwrap_err().to_string();
    assert!(message.contains("larger than 262144 bytes;"), "{message}");
}

/// A way between strangers, one that loses too much and one of nobody in particular are refused on their own line; a live drill has the links
/// of its machine.
#[test]
fn wrong_ways_are_named() {
    let ways = |more: &str| {
        fault(|text| format!("{}[[link]]\nfrom = \"alder\"\n{more}", text.replace("\"drill\"", "\"simulate\"")))
    };
    let message = ways("to = \"cedar\"\n[[link]]\nto = \"alder-1\"\nfrom = \"zed-1\"\n");
    assert!(message.starts_with("x.toml:18: from: zed-1 does not take part; name one of alder, birch"), "{message}");
    let message = ways("loss_permille = 501\n");
    assert!(message.starts_with("x.toml:15: loss_permille: at most 500"), "{message}");
    let message = ways("bytes_per_second = 0\n");
    assert!(message.starts_with("x.toml:15: bytes_per_second: must be"), "{message}");
    let message = ways("[[link]]\ndelay_ms = [9, 8]\n");
    assert!(message.starts_with("x.toml:15: link: is from anybody to anybody"), "{message}");
    let message = ways("delay_ms = [9, 8]\n");
    assert!(message.starts_with("x.toml:15: delay_ms: least and most"), "{message}");
    let message = fault(|text| format!("{text}[[link]]\nfrom = \"alder\"\n"));
    assert!(message.starts_with("x.toml:13: link: only a simulation"), "{message}");
}

/// A flap is of members, counted or healed at some time, and no live drill has one; a mistake is named on the line of its own fault.
#[test]
fn wrong_flaps_are_named() {
    let flap = |more: &str| {
        let first = "[[fault]]\nat = \"ready\"\nkind = \"flap\"\nside = [\"alder-1\"]\nperiod_ms = 900\ntimes = 2\n";
        let simulated = |text: &str| text.replace("\"drill\"", "\"simulate\"");
        fault(|text| format!("{}{first}[[fault]]\nat = \"ready\"\nkind = \"flap\"\n{more}", simulated(text)))
    };
    let message = flap("period_ms = 900\ntimes = 2\nside = [\"zed-1\"]\n");
    assert!(message.starts_with("x.toml:24: side: zed-1 does not take part"), "{message}");
    let message = flap("side = [\"birch-1\"]\nperiod_ms = 99\ntimes = 2\n");
    assert!(message.starts_with("x.toml:23: period_ms: must be 100"), "{message}");
    let message = flap("side = [\"birch-1\"]\nperiod_ms = 100\ntimes = 0\n");
    assert!(message.starts_with("x.toml:24: times: must be 1"), "{message}");
    let message = flap("side = [\"birch-1\"]\nperiod_ms = 100\n");
    assert!(message.starts_with("x.toml:21: kind: goes on for ever"), "{message}");
    let live = "[[fault]]\nat = \"ready\"\nkind = \"flap\"\nside = [\"alder-1\"]\nperiod_ms = 900\ntimes = 2\n";
    let message = fault(|text| format!("{text}{live}"));
    assert!(message.starts_with("x.toml:13: fault: only a simulation"), "{message}");
}

/// The people of a live drill approve, veto, decline and sleep; the rest is simulated.
#[test]
fn what_people_of_a_drill_do() {
    for act in ["recover", "close-false", "promote"] {
        let part = "[[human]]\nat = \"ready\"\norganisations = [\"alder\"]\nreason = \"x\"\n";
        let message = fault(|text| format!("{text}{part}act = {act:?}\n"));
        assert!(message.starts_with("x.toml:17: act: only a simulation"), "{message}");
    }
}

/// Every wave of a script is an attack, says when it begins, and is simulated; a mistake is named on the line of its own step.
#[test]
fn wrong_waves_are_named() {
    let step = |more: &str| {
        let first = "[[attack.step]]\nafter_ms = 9\nkind = \"infinite-mint\"\ntransactions = 2\nwei = \"1\"\n";
        let simulated = |text: &str| text.replace("\"drill\"", "\"simulate\"");
        fault(|text| format!("{}{first}[[attack.step]]\nwei = \"1\"\ntransactions = 2\n{more}", simulated(text)))
    };
    let message = step("after_ms = 9\nkind = \"reentrancy\"\ntimes = 1\n");
    assert!(message.starts_with("x.toml:23: times: a reentrant"), "{message}");
    let message = step("after_ms = 9\nkind = \"withdrawal\"\n");
    assert!(message.starts_with("x.toml:22: kind: a withdrawal"), "{message}");
    let message = step("after_ms = 3600001\nkind = \"infinite-mint\"\n");
    assert!(message.starts_with("x.toml:21: after_ms: must be"), "{message}");
    let message = step("kind = \"infinite-mint\"\n");
    assert!(message.starts_with("x.toml:18: attack.step: missing field `after_ms`"), "{message}");
    let live = "[[attack.step]]\nafter_ms = 9\nkind = \"reentrancy\"\ntransactions = 2\nwei = \"1\"\ntimes = 5\n";
    let message = fault(|text| format!("{text}{live}"));
    assert!(message.starts_with("x.toml:13: attack.step: only a simulation"), "{message}");
}

/// No number of faults is drawn without end, and an operator's lag begins when its fault does.
#[test]
fn chaos_is_bounded_and_operators_lag() {
    let simulated = |text: &str| text.replace("\"drill\"", "\"simulate\"");
    for part in ["reorgs = 10001", "crashes = 1000000000000", "within_s = 86401"] {
        let message = fault(|text| format!("{}[chaos]\n{part}\n", simulated(text)));
        assert!(message.contains("chaos: at most 10000 of each, within 86400 s"), "{message}");
    }
    let lag = "[[fault]]\nat = \"ready\"\ndelay_ms = 7\nkind = \"lag\"\noperators = [\"op-alder\"]\nlate_ms = 500\n";
    let scenario = parse("x.toml", &format!("{}{lag}", simulated(SMALL))).unwrap();
    let late = scenario.faults.last().map(|fault| (fault.delay_ms, &fault.what));
    assert!(matches!(late, Some((7, FaultKind::Lag { delay_ms: 500, .. }))), "{late:?}");
}
