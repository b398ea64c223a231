//! Whoever is named is meant, the last word counts, and what passes a narrow way takes its turn.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::scenario::{Stage, parse, text_of};

/// Of the usual five: alder, birch, cedar, dune and ember, in this order.
fn ways(entries: &str) -> Ways {
    let text = text_of("vault-drain", Stage::Simulate).unwrap().1.replace("\"drill\", ", "");
    Ways::new(&Cast::new(parse("x.toml", &format!("{text}\n{entries}")).unwrap()).unwrap())
}

#[test]
fn the_last_word_counts_in_its_direction() {
    let ways = ways(
        "[[link]]\nfrom = \"cedar\"\ndelay_ms = [100, 200]\n\
         [[link]]\nfrom = \"cedar-1\"\nto = \"dune\"\ndelay_ms = [300, 300]\nloss_permille = 500\n\
         [[link]]\nto = \"ember-1\"\nloss_permille = 7\n",
    );
    let said = |from, to| (ways.of(from, to).delay, ways.of(from, to).loss_permille);
    assert_eq!(said(2, 0), ((100 * MILLI, 200 * MILLI), 0));
    assert_eq!(said(2, 3), ((300 * MILLI, 300 * MILLI), 500));
    assert_eq!(said(3, 2), ((20 * MILLI, 60 * MILLI), 0));
    assert_eq!(said(2, 4), ((100 * MILLI, 200 * MILLI), 7));
    assert_eq!(said(4, 2), ((20 * MILLI, 60 * MILLI), 0));
}

#[test]
fn messages_take_turns_on_a_narrow_way() {
    let mut ways = ways("[[link]]\nto = \"cedar\"\nbytes_per_second = 1000\n");
    assert_eq!(ways.pass(0, 2, 0, 1_000), Some(SECOND));
    assert_eq!(ways.pass(0, 2, 0, 500), Some(1_500 * MILLI));
    // Every sender has a way of its own, and the other direction is wide.
    assert_eq!(ways.pass(1, 2, 0, 1_000), Some(SECOND));
    assert_eq!(ways.pass(2, 0, 0, 1_000), Some(0));
    assert_eq!(ways.pass(0, 2, 0, 4_000), Some(5_500 * MILLI));
    // It would wait for more than five seconds; what is sent a little later would not.
    assert_eq!(ways.pass(0, 2, 0, 1), None);
    assert_eq!(ways.pass(0, 2, 600 * MILLI, 1), Some(5_501 * MILLI));
    // A catch-up that is given up was in the way until then.
    assert_eq!(ways.pass_by(0, 2, 600 * MILLI, 1_000, 6 * SECOND), None);
    assert_eq!(ways.pass(0, 2, 2 * SECOND, 500), Some(6_500 * MILLI));
    assert_eq!(ways.pass_by(0, 2, 2 * SECOND, 500, 7 * SECOND), Some(7 * SECOND));
}
