//! The verdict's line and colour for a network of five with a 3-of-5 Safe.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;

use crate::run::fixture::{ORGANISATIONS, charter_text};

fn judged(live: usize, change: impl FnOnce(&mut Facts<'_>)) -> (CanPause, String) {
    let charter = watchfire_charter::parse(&charter_text(None)).unwrap().0;
    let asset = "vault-core".parse().unwrap();
    let mut facts = Facts {
        charter: &charter,
        asset: &asset,
        live: ORGANISATIONS.iter().take(live).map(|id| format!("{id}-1").parse().unwrap()).collect(),
        refuted: None,
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
    let cases: [Case; 6] = [
        (3, |_| {}, CanPause::AtRisk, "one more loss"),
        (5, |facts| facts.balance = None, CanPause::AtRisk, "not known"),
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
