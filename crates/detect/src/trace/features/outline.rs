//! The outline of the transaction: how much is called, how often, and how it begins.

use std::collections::{BTreeMap, BTreeSet};

use alloy_primitives::Address;

use super::loan::has_loan;
use super::{Seen, add, steps};
use crate::trace::scene::Scene;
use crate::trace::selector::{Class, class};

/// Calls of a transaction that still counts as plain.
const PLAIN_FRAMES_MAX: usize = 40;

/// Features with which nothing is plain.
const PREPARED: &[&str] =
    &["fresh-allowances", "created-caller", "approval-drain", "overflow", "allowance-taken", "posing", "forced-trade"];

pub(super) fn see(scene: &Scene<'_>, seen: &mut Vec<Seen>) {
    let frames = scene.frames();
    let gains = scene.profits();
    add(seen, "size", steps(frames.len() as u64, &[80, 160, 320, 640, 1_280]), || format!("{} calls", frames.len()));
    let outsiders: BTreeSet<Address> = scene.calls.iter().map(|index| frames[*index].to).collect();
    add(seen, "outsiders", if gains { steps(outsiders.len() as u64, &[6, 12, 24]) } else { 0 }, || {
        format!("the group calls {} contracts", outsiders.len())
    });
    let mut often: BTreeMap<(Address, [u8; 4]), u64> = BTreeMap::new();
    for index in &scene.calls {
        if let Some(selector) = frames[*index].selector().filter(|_| scene.is_outsider(frames[*index].to)) {
            *often.entry((frames[*index].to, selector)).or_default() += 1;
        }
    }
    let most = often.iter().max_by_key(|(_, times)| **times);
    let level = if gains { most.map_or(0, |(_, times)| steps(*times, &[5, 10, 25, 60])) } else { 0 };
    add(seen, "repetition", level, || {
        most.map_or_else(String::new, |((account, selector), times)| {
            let [a, b, c, d] = selector;
            format!("0x{a:02x}{b:02x}{c:02x}{d:02x} of {account}, {times} times")
        })
    });
    let failed = frames.iter().skip(1).filter(|frame| frame.failed).count();
    add(seen, "failed-calls", u8::from(gains && failed >= 3), || format!("{failed} inner calls failed"));
    honest(scene, &outsiders, seen);
}

/// What speaks for an ordinary transaction.
fn honest(scene: &Scene<'_>, outsiders: &BTreeSet<Address>, seen: &mut Vec<Seen>) {
    let frames = scene.frames();
    let known = class(scene.tree.root().selector());
    let daily = matches!(known, Some(class) if !matches!(class, Class::Authority | Class::Govern | Class::Callback));
    add(seen, "known-entry", u8::from(daily), || "a function that wallets and relayers call first".to_owned());
    let traded = scene.balances.iter().filter(|(account, tokens)| {
        scene.is_outsider(**account) && tokens.values().any(|balance| !balance.loss().is_zero())
    });
    add(seen, "all-paid", u8::from(scene.losers.is_empty() && traded.count() > 0), || {
        "everyone who gave something got something else for it".to_owned()
    });
    let liquidated = frames.iter().find(|frame| {
        let accounts = (0..3).filter_map(|index| frame.address(index));
        class(frame.selector()) == Some(Class::Liquidate)
            && !frame.reverted
            && accounts.into_iter().all(|account| !scene.group.created.contains(&account))
    });
    add(seen, "liquidates", u8::from(liquidated.is_some()), || {
        liquidated.map_or_else(String::new, |frame| format!("at {}", frame.to))
    });
    let few = outsiders.len() <= 2 && scene.calls.len() <= 3 && frames.len() <= PLAIN_FRAMES_MAX;
    // Whoever makes contracts for one transaction, gives allowances in it or has others give them does nothing plain.
    let odd = |one: &Seen| PREPARED.contains(&one.name);
    let prepared = seen.iter().any(odd);
    add(seen, "plain", u8::from(few && !prepared && !has_loan(scene)), || {
        format!("{} calls to {} contracts", scene.calls.len(), outsiders.len())
    });
}
