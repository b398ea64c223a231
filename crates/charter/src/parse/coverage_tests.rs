//! What only several parts of a charter together show: postconditions that contradict each other, detectors that vote for nothing or look
//! further back than a node reads, more assets than a heartbeat carries.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use watchfire_types::bounds::{ASSETS_MAX, BACKFILL_BLOCKS_MAX};

use crate::parse;
use crate::parse::tests::DRILL;

fn faults(source: &str) -> Vec<(&'static str, String)> {
    parse(source).err().unwrap_or_default().iter().map(|fault| (fault.kind, fault.key.clone())).collect()
}

/// The warnings of a sound charter of this kind: their keys and lines' texts.
fn warned(source: &str, kind: &str) -> Vec<(String, String)> {
    let (_, warnings) = parse(source).unwrap_or_else(|faults| panic!("{faults:#?}"));
    let line = |line: usize| source.lines().nth(line - 1).unwrap_or_default().to_owned();
    warnings.iter().filter(|w| w.kind == kind).map(|w| (w.key.clone(), line(w.line))).collect()
}

/// A containment that expects what the recovery expects counts as done before anybody voted.
#[test]
fn containment_and_recovery_expect_opposites() {
    let [contained, recovered] =
        ["true", "false"].map(|b| format!("paused() returns (bool)\", arguments = [], equals = \"{b}\""));
    let mode = |contain: u8, recover: u8| {
        let view = |mode: u8| format!("mode() returns (uint8)\", arguments = [], equals = \"{mode}\"");
        assert!(DRILL.contains(&contained) && DRILL.contains(&recovered));
        faults(&DRILL.replace(&contained, &view(contain)).replace(&recovered, &view(recover)))
    };
    assert_eq!(mode(2, 1), []);
    let at = "playbook[0].step[1].action[0].postcondition".to_owned();
    assert_eq!(mode(1, 1), [("inverted-postcondition", at.clone())]);
    // Where both expect the unpaused value that is told too, whatever the other one says of it.
    assert!(
        faults(&DRILL.replace(&contained, &recovered))
            .iter()
            .all(|fault| *fault == ("inverted-postcondition", at.clone()))
    );
    assert!(!faults(&DRILL.replace(&contained, &recovered)).is_empty());
}

/// What a project's own view means its author may know better than its name.
#[test]
fn a_custom_call_that_expects_the_other_direction_is_warned_of() {
    let limited = "withdrawalsLimited() returns (bool)\", arguments = [], equals = \"true\"";
    assert!(DRILL.contains(limited));
    assert_eq!(warned(DRILL, "inverted-postcondition"), []);
    let inverted = warned(&DRILL.replace(limited, &limited.replace("true", "false")), "inverted-postcondition");
    assert_eq!(inverted[0].0, "playbook[0].step[0].action[0].postcondition");
    // Views that say the same in other words, and one that is no flag at all.
    for view in [
        "unlocked() returns (bool)\", equals = \"false\"",
        "limit() returns (uint256)\", equals = \"0\"",
        "open() returns (bool)\", equals = \"false\"",
    ] {
        assert_eq!(warned(&DRILL.replace(limited, view), "inverted-postcondition"), [], "{view}");
    }
}

/// A detector whose findings no trigger takes watches for nothing.
#[test]
fn a_detector_that_triggers_nothing_is_warned_of() {
    let widest = "kinds = [\"outflow\", \"state\", \"containment-failed\"]";
    assert!(DRILL.contains(widest));
    assert_eq!(warned(DRILL, "idle-detector"), []);
    let without = |kinds: &str| warned(&DRILL.replace(widest, kinds), "idle-detector");
    assert_eq!(
        without("kinds = [\"outflow\", \"containment-failed\"]"),
        [("detector[2].id".to_owned(), "id = \"vault-owner\"".to_owned())]
    );
    assert_eq!(
        without("kinds = [\"outflow\", \"state\"]"),
        [("asset[0].id".to_owned(), "id = \"vault-core\"".to_owned())]
    );
    // Severity: what is found at SEV3 is below what either trigger asks for.
    let early = "id = \"vault-outflow-early\"\nasset = \"vault-core\"\nseverity = \"SEV2\"";
    assert!(DRILL.contains(early));
    let mild = warned(&DRILL.replace(early, &early.replace("SEV2", "SEV3")), "idle-detector");
    assert_eq!(mild, [("detector[1].id".to_owned(), "id = \"vault-outflow-early\"".to_owned())]);
    // Without any playbook that contains, that is said once.
    let uncontained =
        format!("{}{}", &DRILL[..DRILL.find("[[playbook]]").unwrap()], &DRILL[DRILL.find("[[detector]]").unwrap()..]);
    assert_eq!(warned(&uncontained, "idle-detector"), []);
    assert_eq!(warned(&uncontained, "not-contained").len(), 1);
}

/// A window of more blocks than a node reads when it starts is not full after a restart.
#[test]
fn a_window_beyond_the_backfill_is_warned_of() {
    let window = |seconds: u64| {
        let fast = DRILL.replace("block_time_ms = 1000", "block_time_ms = 250");
        warned(&fast.replacen("window_s = 60", &format!("window_s = {seconds}"), 1), "beyond-backfill")
    };
    assert_eq!(window(BACKFILL_BLOCKS_MAX / 4), []);
    assert_eq!(
        window(BACKFILL_BLOCKS_MAX / 4 + 1),
        [("detector[0].id".to_owned(), "id = \"vault-outflow\"".to_owned())]
    );
    let stands = DRILL.replacen("stands_s = 600", "stands_s = 250000", 1);
    assert_eq!(warned(&stands, "beyond-backfill")[0].0, "detector[2].id");
}

/// Heartbeats say of each asset whether it can be contained; what they cannot carry is no charter.
#[test]
fn more_assets_than_a_heartbeat_carries_are_refused() {
    let asset = &DRILL[DRILL.find("[[asset]]").unwrap()..DRILL.find("[rules.contain]").unwrap()];
    let with = |count: usize| {
        let more: String = (1..count).map(|n| asset.replace("\"vault-core\"", &format!("\"vault-{n}\""))).collect();
        faults(&DRILL.replacen(asset, &format!("{asset}{more}"), 1))
    };
    assert_eq!(with(ASSETS_MAX), []);
    assert_eq!(with(ASSETS_MAX + 1), [("too-many", "asset".to_owned())]);
}
