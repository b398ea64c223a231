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
        able: ORGANISATIONS.iter().take(live).map(|id| format!("{id}-1").parse().unwrap()).collect(),
        refuted: None,
        doubt: None,
        simulated: "simulated ok at block 7".to_owned(),
        asks: None,
        balance: Some(1_000_000_000_000_000_000),
        base_fee: Some(1_000_000_000),
        gas: None,
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
    let cases: [Case; 8] = [
        (3, |_| {}, CanPause::AtRisk, "one more loss"),
        (5, |facts| facts.balance = None, CanPause::AtRisk, "not known"),
        (5, |facts| facts.doubt = Some("not simulated yet".to_owned()), CanPause::AtRisk, "not simulated yet"),
        (2, |_| {}, CanPause::No, "too few live"),
        (5, |facts| facts.refuted = Some("guard: GS013".to_owned()), CanPause::No, "guard: GS013"),
        (5, |facts| facts.balance = Some(1), CanPause::No, "no known submitter can pay"),
        // 1 ether at 10 gwei a gas pays for 100 M of it.
        (5, |facts| facts.gas = Some(99_900_000), CanPause::No, "no known submitter can pay"),
        (5, |facts| facts.ready = false, CanPause::No, "does not follow"),
    ];
    for (live, change, expected, reason) in cases {
        let (verdict, line) = judged(live, change);
        assert_eq!(verdict, expected, "{line}");
        assert!(line.contains(reason), "{line}");
    }
}

/// A rule that asks people takes nothing from what the network can do, and the line says so.
#[test]
fn says_that_a_rule_asks_people() {
    let asks = "would ask people where no other rule fires: rule vault-outflow demoted after incident ab12";
    let (verdict, line) = judged(5, |facts| facts.asks = Some(asks.to_owned()));
    assert!(verdict == CanPause::Yes && line.ends_with(asks), "{line}");
}

/// Who is live and says that it could not pause is counted as live, and named as what is missing.
#[test]
fn the_live_are_not_all_able() {
    let (verdict, line) = judged(5, |facts| facts.able = facts.able.iter().take(2).cloned().collect());
    assert_eq!(verdict, CanPause::No);
    assert!(line.contains("NO (only 2 say that they could). 5 of 5 live (3 needed, spare 0"), "{line}");
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

/// A second containment playbook, with its own rule and through a Safe of its own, that a finding of the first one's kind chooses or that only
/// people choose.
fn two_playbooks(rule: &str, threshold: u16, triggered: bool) -> String {
    let text = charter_text(None);
    let between = |from: &str, to: &str| {
        let start = text.find(from).unwrap();
        text[start..start + text[start..].find(to).unwrap()].to_owned()
    };
    let safe = between("[[safe]]", "[[asset]]")
        .replace("guardian-safe", "second-safe")
        .replace("0x5FbDB2315678afecb367f032d93F642f64180aa3", "0x9fE46736679d2D9a65F0992F2272dE9f3c7fa6e0")
        .replace("threshold = 3", &format!("threshold = {threshold}"));
    let mut playbook = between("[[playbook]]", "[[detector]]")
        .replace("contain-vault", "contain-second")
        .replace("guardian-safe", "second-safe")
        .replace("cooldown_s = 0", &format!("cooldown_s = 0\n{rule}"));
    if !triggered {
        let triggers = playbook.find("[[playbook.trigger]]").unwrap()..playbook.find("[[playbook.step]]").unwrap();
        playbook.replace_range(triggers, "");
        playbook = playbook.replace("mode = \"auto\"", "mode = \"propose\"");
    }
    text.replacen("[[asset]]", &format!("{safe}[[asset]]"), 1).replacen(
        "[[detector]]",
        &format!("{playbook}[[detector]]"),
        1,
    )
}

/// Where a finding could choose either of two playbooks the narrower passage of each counts: the stricter rule, the Safe with the higher
/// threshold. One that only people choose takes nothing from what a finding can do.
#[test]
fn the_stricter_of_two_playbooks_counts() {
    let said = |rule: &str, threshold: u16, triggered: bool, live: usize| {
        judged_under(&two_playbooks(rule, threshold, triggered), live, |_| {})
    };
    let (same, strict) = ("", "rule = { organisations = 4, operators = 4 }");
    let (verdict, line) = said(same, 3, true, 4);
    assert!(verdict == CanPause::Yes && line.contains("(3 needed, spare 1), Safe 3 of 5 and Safe 3 of 5"), "{line}");
    for (rule, threshold) in [(strict, 4), (same, 4)] {
        let (verdict, line) = said(rule, threshold, true, 5);
        assert!(
            verdict == CanPause::Yes && line.contains("(4 needed, spare 1), Safe 3 of 5 and Safe 4 of 5"),
            "{line}"
        );
        let (verdict, line) = said(rule, threshold, true, 4);
        assert!(verdict == CanPause::AtRisk && line.contains("4 of 5 live (4 needed, spare 0)"), "{line}");
        let (verdict, line) = said(rule, threshold, true, 3);
        assert!(verdict == CanPause::No && line.contains("too few live"), "{line}");
        let (verdict, line) = said(rule, threshold, false, 4);
        assert!(verdict == CanPause::Yes && line.contains("(3 needed, spare 1), Safe 3 of 5, "), "{line}");
    }
    // Roles count for each of them: here only the second asks for one, and one member alone has it.
    let role = two_playbooks("rule = { organisations = 3, operators = 3, roles = { security = 1 } }", 3, true)
        .replacen("roles = []", "roles = [\"security\"]", 1);
    let (verdict, line) = judged_under(&role, 5, |_| {});
    assert!(verdict == CanPause::AtRisk && line.contains("spare 0"), "{line}");
}
