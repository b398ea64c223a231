//! Prices that move, and who believes them.

use std::collections::{BTreeMap, BTreeSet};

use alloy_primitives::Address;

use super::trick::asks_balance;
use super::{Seen, add, steps};
use crate::trace::flow::is_call;
use crate::trace::scene::Scene;
use crate::trace::selector::{Class, class};
use crate::trace::tree::{CallKind, Frame};

/// Answers kept of one question.
const QUESTIONS_MAX: usize = 16_384;

pub(super) fn see(scene: &Scene<'_>, seen: &mut Vec<Seen>) {
    moved(scene, seen);
    after_trade(scene, seen);
    traded_back(scene, seen);
    donation(scene, seen);
}

/// A static call about a price.
fn asks(frame: &Frame) -> bool {
    matches!(frame.kind, CallKind::StaticCall | CallKind::Call)
        && !frame.reverted
        && class(frame.selector()) == Some(Class::Price)
}

/// The same question with another answer later; what pairs and tokens ask of themselves does not count.
fn moved(scene: &Scene<'_>, seen: &mut Vec<Seen>) {
    let mut answers: BTreeMap<(Address, &[u8]), &[u8]> = BTreeMap::new();
    let mut changed: BTreeMap<Address, u64> = BTreeMap::new();
    for frame in scene.frames().iter().filter(|frame| asks(frame) && !frame.output.is_empty()) {
        if answers.len() >= QUESTIONS_MAX {
            break;
        }
        let before = answers.insert((frame.to, &frame.input), &frame.output);
        if before.is_some_and(|before| before != frame.output) && scene.is_outsider(frame.from) {
            *changed.entry(frame.to).or_default() += 1;
        }
    }
    let times = changed.values().sum();
    let most = changed.iter().max_by_key(|(_, times)| **times);
    add(seen, "price-moved", steps(times, &[1, 2, 4]), || {
        most.map_or_else(String::new, |(account, _)| format!("{times} times, most often what {account} answers"))
    });
}

/// A protocol (no exchange) that reads a price where the group has traded, in a call in which it pays the group.
fn after_trade(scene: &Scene<'_>, seen: &mut Vec<Seen>) {
    let mut first_trade: BTreeMap<Address, usize> = BTreeMap::new();
    for flow in &scene.flows {
        if scene.group.has(flow.from) && scene.is_outsider(flow.to) {
            first_trade.entry(flow.to).or_insert(flow.frame);
        }
    }
    let found = scene.calls.iter().find_map(|index| {
        let call = &scene.frames()[*index];
        let known = class(call.selector());
        if matches!(known, Some(Class::Swap | Class::Flash | Class::Entry | Class::Callback)) {
            return None;
        }
        let from = scene.flows.partition_point(|flow| flow.frame < *index);
        let until = scene.flows.partition_point(|flow| flow.frame < call.end);
        let inside = &scene.flows[from..until];
        let pays = inside.iter().any(|flow| scene.group.has(flow.to) && !scene.group.has(flow.from));
        if !pays || !scene.is_outsider(call.to) {
            return None;
        }
        let paid: BTreeSet<Address> = inside.iter().flat_map(|flow| [flow.from, flow.to]).collect();
        scene.frames()[*index..call.end].iter().find_map(|frame| {
            // What a pair holds of a token is asked of the token, and is a price to whoever divides by it.
            let asked = asks_balance(frame).or_else(|| asks(frame).then_some(frame.to))?;
            let traded = first_trade.get(&asked).is_some_and(|trade| trade < index);
            // The contract's own figures are its own business, and a router asks a pair before it trades there.
            let foreign = asked != call.to && scene.is_outsider(frame.from) && frame.from != asked;
            (traded && foreign && !paid.contains(&asked)).then_some((call.to, asked))
        })
    });
    add(seen, "priced-after-trade", u8::from(found.is_some()), || {
        found.map_or_else(String::new, |(reader, asked)| format!("{reader} paid out after a look at {asked}"))
    });
}

/// Contracts that the group gave A for B and later B for A.
fn traded_back(scene: &Scene<'_>, seen: &mut Vec<Seen>) {
    let mut back = 0;
    let mut first = None;
    for (account, tokens) in scene.balances.iter().filter(|(account, _)| scene.is_outsider(**account)) {
        let both = tokens.values().filter(|balance| !balance.into.is_zero() && !balance.out.is_zero()).count();
        let through = tokens.values().all(|balance| balance.into == balance.out);
        if both < 2 || through {
            continue;
        }
        let with_group = |flow: &&crate::trace::flow::Flow| {
            (flow.from == *account && scene.group.has(flow.to)) || (flow.to == *account && scene.group.has(flow.from))
        };
        let traded: BTreeSet<(bool, Address)> =
            scene.flows.iter().filter(with_group).map(|flow| (flow.from == *account, flow.token)).collect();
        let directions =
            tokens.keys().filter(|token| traded.contains(&(true, **token)) && traded.contains(&(false, **token)));
        if directions.count() >= 2 {
            back += 1;
            first.get_or_insert(*account);
        }
    }
    add(seen, "traded-back", steps(back, &[1, 3]), || {
        first.map_or_else(String::new, |account| format!("{back} contracts, such as {account}"))
    });
}

/// Tokens sent to a contract outside of any call to it, which was used before and pays the group afterwards, and is no pair that the
/// group pays this way for a swap.
fn donation(scene: &Scene<'_>, seen: &mut Vec<Seen>) {
    if !scene.profits() {
        return;
    }
    let swaps: BTreeSet<Address> = scene
        .frames()
        .iter()
        .filter(|frame| is_call(frame) && class(frame.selector()) == Some(Class::Swap))
        .map(|frame| frame.to)
        .collect();
    let gives = |flow: &crate::trace::flow::Flow| flow.spender.is_none() && scene.group.has(flow.from);
    let called_at = |account: Address| scene.calls.iter().filter(move |index| scene.frames()[**index].to == account);
    let gift = scene.flows.iter().filter(|flow| gives(flow) && scene.is_outsider(flow.to)).take(512).find(|flow| {
        let frame = &scene.frames()[flow.frame];
        let direct = class(frame.selector()) == Some(Class::Transfer) && scene.group.has(frame.from);
        let inside = scene.tree.around(flow.frame).take(64).any(|around| scene.frames()[around].to == flow.to);
        let before = called_at(flow.to).any(|index| *index < flow.frame);
        let after = called_at(flow.to).any(|index| *index > flow.frame);
        let pays = scene.flows.iter().any(|later| later.frame > flow.frame && later.from == flow.to);
        direct && !inside && before && (after || pays) && !swaps.contains(&flow.to)
    });
    add(seen, "donation", u8::from(gift.is_some()), || {
        gift.map_or_else(String::new, |flow| format!("{} of {} to {}", flow.amount, flow.token, flow.to))
    });
}
