//! Who can set an automatic pause off for money, and what the charter's author is told.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use crate::fault::Warning;
use crate::parse::parse;
use crate::parse::tests::DRILL;

fn warned(source: &str) -> Option<Warning> {
    let (_, warnings) = parse(source).unwrap_or_else(|faults| panic!("{faults:#?}"));
    warnings.into_iter().find(|warning| warning.kind == "outsider-can-trigger")
}

/// The warning names each such rule with its reason, at the playbook.
#[test]
fn an_automatic_pause_for_the_price_of_a_withdrawal_is_warned_of() {
    let warning = warned(DRILL).unwrap();
    assert_eq!(warning.key, "playbook[0].id");
    assert_eq!(
        warning.message,
        "anybody can set contain-vault off alone, with funds of their own, by vault-outflow (an outflow above an absolute \
         amount), vault-outflow-early (an outflow above an absolute amount), vault-unpaused (an event)"
    );
    assert!(warning.remedy.contains("two independent kinds"), "{}", warning.remedy);
}

/// It goes where people decide, where the rules only give context, where a share is measured, and where authority changed.
#[test]
fn what_money_alone_does_not_cause_is_not_warned_of() {
    assert!(warned(&DRILL.replacen("mode = \"auto\"", "mode = \"propose\"", 1)).is_none());
    let context = DRILL
        .replace("kind = \"outflow\"\n", "kind = \"outflow\"\nclass = \"context\"\n")
        .replace("kind = \"event\"\n", "kind = \"event\"\nclass = \"context\"\n");
    assert!(warned(&context).is_none());
    let shares = DRILL
        .replace("limit = \"25000000000000000000\"", "share_bps = 500")
        .replace("limit = \"5000000000000000000\"", "share_bps = 100");
    assert!(warned(&shares.replace("Unpaused(address)", "Upgraded(address)")).is_none());
    assert!(warned(&shares).unwrap().message.ends_with("by vault-unpaused (an event)"));
}

/// Two kinds of which money buys one are no outsider's; two that it buys both are.
#[test]
fn two_kinds_of_which_money_buys_one_are_not_warned_of() {
    let sole = DRILL.replacen(
        "[[playbook.trigger]]\nkinds = [\"outflow\", \"event\"]\nseverity = \"SEV2\"\nstep = 1\n",
        "",
        1,
    );
    assert_ne!(sole, DRILL);
    let together = |kinds: &str| {
        let both = format!("kinds = [{kinds}]\ntogether = 2\nwithin_s = 600");
        sole.replacen("kinds = [\"outflow\", \"state\", \"containment-failed\"]", &both, 1)
            .replace("severity = \"SEV2\"", "severity = \"SEV1\"")
    };
    assert!(warned(&sole).is_some());
    assert!(warned(&together("\"outflow\", \"state\"")).is_none(), "state changes by authority alone");
    assert!(warned(&together("\"outflow\", \"event\"")).unwrap().message.contains("vault-outflow"));
}
