//! The verdict's line and colour for a network of five with a 3-of-5 Safe.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;

use crate::run::fixture::{ORGANISATIONS, charter_text};

fn judged(live: usize, change: impl FnOnce(&mut Facts<'_>)) -> (CanPause, String) {
    judged_under(&charter_text(None), live, change)
}

fn judged_under(text: &str, live: usize, change: impl FnOnce(&mut Facts<'_>)) -> (CanPause, String) {
    let charter = watchfire_charter::parse(text).unwrap().0;
    let asset = "vault-core".parse().unwrap();
    let mut facts = Facts {
        charter: &charter,
        asset: &asset,
        live: ORGANISATIONS.iter().take(live).map(|id| format!("{id}-1").parse().unwrap()).collect(),
        refuted: None,
        doubt: None,
        simulated: "simulated ok at block 7".to_owned(),
        balance: Some(1_000_000_000_000_000_000),
        base_fee: Some(1_000_000_000),
        ready: true,
    };
    change(&mut facts);
    judge(&facts)
}

/// With a spare: yes, and the line has every figure.
#[test]
fn says_yes_with_a_spare() {
    let (verdict, line) = judged(4, |_| {});
    assert_eq!(verdict, CanPause::Yes);
    let expected = "CAN PAUSE vault-core: yes. 4 of 5 live (3 needed, spare 1), Safe 3 of 5, simulated ok at block 7, \
                    funds for 333 pauses at 10x fee";
    assert_eq!(line, expected);
}

/// No spare, unknown funds: at risk. Too few, refuted, no funds, not following: no, each with its reason.
#[test]
fn says_what_stands_in_the_way() {
    type Case = (usize, fn(&mut Facts<'_>), CanPause, &'static str);
    let cases: [Case; 7] = [
        (3, |_| {}, CanPause::AtRisk, "one more loss"),
        (5, |facts| facts.balance = None, CanPause::AtRisk, "not known"),
        (5, |facts| facts.doubt = Some("not simulated yet".to_owned()), CanPause::AtRisk, "not simulated yet"),
        (2, |_| {}, CanPause::No, "too few live"),
        (5, |facts| facts.refuted = Some("guard: GS013".to_owned()), CanPause::No, "guard: GS013"),
        (5, |facts| facts.balance = Some(1), CanPause::No, "no known submitter can pay"),
        (5, |facts| facts.ready = false, CanPause::No, "does not follow"),
    ];
    for (live, change, expected, reason) in cases {
        let (verdict, line) = judged(live, change);
        assert_eq!(verdict, expected, "{line}");
        assert!(line.contains(reason), "{line}");
    }
}

/// Nobody is spared whose role or operator the rule asks for, however many others are live: one of two that hold the role, two
/// of four that read through one operator.
#[test]
fn spares_nobody_whom_the_rule_needs() {
    let text = charter_text(None);
    let roles = text
        .replacen("roles = []", "roles = [\"security\"]", 1)
        .replace("operators = 3", "operators = 3\nroles = { security = 1 }");
    let (verdict, line) = judged_under(&roles, 5, |_| {});
    assert!(verdict == CanPause::AtRisk && line.contains("spare 0"), "{line}");
    let two = roles.replacen("roles = []", "roles = [\"security\"]", 1);
    assert_eq!(judged_under(&two, 5, |_| {}).0, CanPause::Yes, "another one holds the role");

    let shared = text.replace("\"op-birch\"", "\"op-alder\"").replace("\"op-cedar\"", "\"op-alder\"");
    let (verdict, line) = judged_under(&shared, 5, |_| {});
    assert!(verdict == CanPause::AtRisk && line.contains("spare 0"), "{line}");
}
