//! Loans, and value that goes in and comes out again.

use std::collections::{BTreeMap, BTreeSet};

use alloy_primitives::{Address, U256};

use super::{Seen, add, steps};
use crate::trace::flow::is_call;
use crate::trace::scene::Scene;
use crate::trace::selector::{Class, class};
use crate::trace::value::{NATIVE, worth};

/// Callbacks looked at for a loan around them.
const CALLBACKS_MAX: usize = 256;
/// Movements looked at on either side of a callback.
const FLOWS_MAX: usize = 4_096;
/// Movements looked at inside one call for the way that a token takes.
const FLOWS_OF_CALL_MAX: usize = 64;

pub(super) fn see(scene: &Scene<'_>, seen: &mut Vec<Seen>) {
    let loans = loans(scene);
    let largest = loans.iter().map(|(_, token, amount)| worth(*token, *amount).unwrap_or(0)).max();
    let level = largest.map_or(0, |largest| 1 + steps(largest, &[500_000, 5_000_000]));
    add(seen, "flash-loan", level, || {
        let most = loans.iter().max_by_key(|(_, token, amount)| worth(*token, *amount).unwrap_or(0));
        most.map_or_else(String::new, |(lender, token, amount)| {
            let what = if *token == NATIVE { "wei".to_owned() } else { format!("of {token}") };
            format!("{} loans, {amount} {what} from {lender} and back", loans.len())
        })
    });
    trips(scene, seen);
}

/// Whether the transaction borrows and returns within itself.
pub(super) fn has_loan(scene: &Scene<'_>) -> bool {
    !loans(scene).is_empty()
}

/// Lender, token and amount of each loan: given to the group before the lender's side called it back, and returned, that much at least,
/// before the call of the group that took it was over.
fn loans(scene: &Scene<'_>) -> BTreeSet<(Address, Address, U256)> {
    let frames = scene.frames();
    let mut loans = BTreeSet::new();
    let callback = |index: &usize| {
        let frame = &frames[*index];
        is_call(frame) && !frame.input.is_empty() && scene.group.has(frame.to) && !scene.group.has(frame.from)
    };
    for back in (1..frames.len()).filter(callback).take(CALLBACKS_MAX) {
        let taken = |index: &usize| scene.group.has(frames[*index].from) && !scene.group.has(frames[*index].to);
        let Some(around) = scene.tree.around(back).find(taken) else { continue };
        let from = scene.flows.partition_point(|flow| flow.frame < around);
        let middle = scene.flows.partition_point(|flow| flow.frame < back);
        let until = scene.flows.partition_point(|flow| flow.frame < frames[around].end);
        let mut given: BTreeMap<(Address, Address), U256> = BTreeMap::new();
        for flow in scene.flows[from..middle].iter().take(FLOWS_MAX) {
            if scene.is_outsider(flow.from) && scene.group.has(flow.to) {
                let sum = given.entry((flow.from, flow.token)).or_default();
                *sum = sum.saturating_add(flow.amount);
            }
        }
        let mut returned: BTreeMap<(Address, Address), U256> = BTreeMap::new();
        for flow in scene.flows[middle..until].iter().rev().take(FLOWS_MAX) {
            if scene.group.has(flow.from) {
                let sum = returned.entry((flow.to, flow.token)).or_default();
                *sum = sum.saturating_add(flow.amount);
            }
        }
        for ((lender, token), amount) in given {
            if returned.get(&(lender, token)).is_some_and(|back| *back >= amount) {
                loans.insert((lender, token, amount));
            }
        }
    }
    loans
}

/// Entering and leaving the same contract, and borrowing against what was put in.
fn trips(scene: &Scene<'_>, seen: &mut Vec<Seen>) {
    let mut entered: BTreeMap<Address, u64> = BTreeMap::new();
    let mut left: BTreeMap<Address, u64> = BTreeMap::new();
    let (mut borrowed, mut repaid) = (None, None);
    for index in &scene.calls {
        let frame = &scene.frames()[*index];
        let Some(class) = class(frame.selector()).filter(|_| scene.is_outsider(frame.to)) else { continue };
        match class {
            Class::Enter | Class::Wrap => *entered.entry(frame.to).or_default() += 1,
            Class::Exit | Class::Unwrap => *left.entry(frame.to).or_default() += 1,
            Class::Borrow => borrowed = Some(frame.to),
            Class::Repay => repaid = Some(frame.to),
            _ => {}
        }
    }
    for (account, times) in moved_both_ways(scene) {
        for side in [&mut entered, &mut left] {
            let known = side.entry(account).or_default();
            *known = (*known).max(times);
        }
    }
    let trips = entered.iter().filter_map(|(account, times)| Some((*account, (*times).min(*left.get(account)?))));
    let most = trips.max_by_key(|(_, times)| *times);
    add(seen, "round-trip", most.map_or(0, |(_, times)| steps(times, &[1, 3, 8])), || {
        most.map_or_else(String::new, |(account, times)| format!("{times} times into and out of {account}"))
    });
    let earlier = repaid.filter(|_| borrowed.is_none());
    add(seen, "repays", u8::from(earlier.is_some()), || {
        earlier.map_or_else(String::new, |account| format!("to {account}, what was borrowed before this transaction"))
    });
    let free = scene.gains_freely() && !entered.is_empty();
    add(seen, "enter-and-borrow", u8::from(free && borrowed.is_some()), || {
        borrowed
            .map_or_else(String::new, |account| format!("from {account}, and what was put in was not the group's own"))
    });
}

/// How often a contract took a token from the group in one call and gave that token back in another: going in and out by whatever names.
fn moved_both_ways(scene: &Scene<'_>) -> BTreeMap<Address, u64> {
    let mut trips: BTreeMap<(Address, Address), (u64, u64)> = BTreeMap::new();
    for index in &scene.calls {
        let call = &scene.frames()[*index];
        if matches!(class(call.selector()), Some(Class::Swap | Class::Flash | Class::Callback | Class::Entry)) {
            continue;
        }
        let from = scene.flows.partition_point(|flow| flow.frame < *index);
        let until = scene.flows.partition_point(|flow| flow.frame < call.end);
        // Whether each token went in, and whether it came out.
        let mut ways: BTreeMap<Address, (bool, bool)> = BTreeMap::new();
        for flow in scene.flows[from..until].iter().take(FLOWS_OF_CALL_MAX) {
            let way = ways.entry(flow.token).or_default();
            way.0 |= flow.to == call.to && scene.group.has(flow.from);
            way.1 |= flow.from == call.to && scene.group.has(flow.to);
        }
        for (token, way) in ways {
            let trip = trips.entry((call.to, token)).or_default();
            match way {
                (true, false) => trip.0 += 1,
                (false, true) => trip.1 += 1,
                _ => {}
            }
        }
    }
    let mut all: BTreeMap<Address, u64> = BTreeMap::new();
    for ((account, _), (into, out)) in trips {
        let both = into.min(out);
        if both > 0 {
            let most = all.entry(account).or_default();
            *most = (*most).max(both);
        }
    }
    all
}
