//! Tricks with tokens, allowances and pairs that honest transactions hardly ever need.

use std::collections::{BTreeMap, BTreeSet};

use alloy_primitives::{Address, U256};

use super::{Seen, add, steps};
use crate::trace::flow::{Flow, is_call};
use crate::trace::scene::Scene;
use crate::trace::selector::{APPROVE, BALANCE_OF, Class, SKIM, SYNC, class};
use crate::trace::tree::Frame;

/// Frames around one that are looked at.
const AROUND_MAX: usize = 64;
/// Movements looked at inside one call.
const FLOWS_MAX: usize = 256;
/// Outsiders from which on allowances that they give the group are odd even unspent.
const GIVERS: usize = 5;

pub(super) fn see(scene: &Scene<'_>, seen: &mut Vec<Seen>) {
    approvals(scene, seen);
    allowance(scene, seen);
    pair_forced(scene, seen);
    empty_moves(scene, seen);
    forced_trade(scene, seen);
    posing(scene, seen);
}

/// Allowances that contracts of the group give to outsiders. A bot gave its own long ago; what was deployed for one transaction has to
/// give them in it.
fn approvals(scene: &Scene<'_>, seen: &mut Vec<Seen>) {
    let gives = |frame: &&Frame| {
        is_call(frame)
            && frame.selector() == Some(APPROVE)
            && scene.group.has(frame.from)
            && frame.word(1).is_some_and(|amount| !amount.is_zero())
    };
    let given: BTreeSet<(Address, Option<Address>)> =
        scene.frames().iter().skip(1).filter(gives).map(|frame| (frame.to, frame.address(0))).collect();
    let level = if scene.profits() { steps(given.len() as u64, &[1, 3, 6]) } else { 0 };
    add(seen, "fresh-allowances", level, || {
        format!("the sender's side gives {} allowances before it gains", given.len())
    });
}

/// Outsiders are made to give the group allowances: one that is spent in the same transaction, or many.
fn allowance(scene: &Scene<'_>, seen: &mut Vec<Seen>) {
    let mut given: BTreeMap<(Address, Address), usize> = BTreeMap::new();
    for (index, frame) in scene.frames().iter().enumerate().filter(|(_, frame)| is_call(frame)) {
        let Some(spender) = frame.address(0).filter(|_| frame.selector() == Some(APPROVE)) else { continue };
        let entered = spender == scene.tree.root().to && class(scene.tree.root().selector()).is_some();
        if scene.is_outsider(frame.from) && scene.group.has(spender) && !entered {
            given.entry((frame.to, frame.from)).or_insert(index);
        }
    }
    let taken = scene.frames().iter().enumerate().find(|(index, frame)| {
        let from = frame.address(0).filter(|_| class(frame.selector()) == Some(Class::TransferFrom));
        let before = from.and_then(|from| given.get(&(frame.to, from)));
        is_call(frame) && scene.group.has(frame.from) && before.is_some_and(|before| before < index)
    });
    let givers: BTreeSet<Address> = given.keys().map(|(_, giver)| *giver).collect();
    let many = givers.len() >= GIVERS;
    add(seen, "allowance-taken", u8::from(taken.is_some() || many), || {
        let first =
            taken.and_then(|(_, frame)| frame.address(0)).or_else(|| givers.first().copied()).unwrap_or_default();
        format!("{} outsiders gave the sender's side allowances, such as {first}", givers.len())
    });
}

/// The group itself makes pairs pay out what is above their books, or write their books anew.
fn pair_forced(scene: &Scene<'_>, seen: &mut Vec<Seen>) {
    let forced =
        |frame: &&Frame| is_call(frame) && scene.group.has(frame.from) && matches!(frame.selector(), Some(SKIM | SYNC));
    let all: Vec<&Frame> = scene.frames().iter().skip(1).filter(forced).collect();
    add(seen, "pair-forced", steps(all.len() as u64, &[1, 4]), || {
        let first = all.first().map(|frame| frame.to.to_string()).unwrap_or_default();
        format!("skim or sync of {first}, {} times", all.len())
    });
}

/// Transfers by the group that move nothing: of no amount, or from an account to itself. Tokens with fees, dividends or mirrored balances
/// are driven by them.
fn empty_moves(scene: &Scene<'_>, seen: &mut Vec<Seen>) {
    let empty = |frame: &&Frame| {
        let (from, to, amount) = match class(frame.selector()) {
            Some(Class::Transfer) => (Some(frame.from), frame.address(0), frame.word(1)),
            Some(Class::TransferFrom) => (frame.address(0), frame.address(1), frame.word(2)),
            _ => return false,
        };
        is_call(frame) && scene.group.has(frame.from) && (from == to || amount == Some(U256::ZERO))
    };
    let all: Vec<&Frame> = scene.frames().iter().skip(1).filter(empty).collect();
    add(seen, "empty-moves", steps(all.len() as u64, &[1, 4]), || {
        let first = all.first().map(|frame| frame.to.to_string()).unwrap_or_default();
        format!("{} transfers of {first} that move nothing", all.len())
    });
}

/// An outsider is made to trade where the group has just traded and trades again afterwards: whoever it trades with, the group set the
/// price.
fn forced_trade(scene: &Scene<'_>, seen: &mut Vec<Seen>) {
    let mut first: BTreeMap<Address, usize> = BTreeMap::new();
    let mut last: BTreeMap<Address, usize> = BTreeMap::new();
    for flow in &scene.flows {
        for (own, other) in [(flow.from, flow.to), (flow.to, flow.from)] {
            if scene.group.has(own) && scene.is_outsider(other) {
                first.entry(other).or_insert(flow.frame);
                last.insert(other, flow.frame);
            }
        }
    }
    let found = scene.calls.iter().find_map(|index| {
        let call = &scene.frames()[*index];
        if matches!(class(call.selector()), Some(Class::Swap | Class::Flash | Class::Callback | Class::Entry)) {
            return None;
        }
        let from = scene.flows.partition_point(|flow| flow.frame < *index);
        let until = scene.flows.partition_point(|flow| flow.frame < call.end);
        let inside = || scene.flows[from..until].iter().take(FLOWS_MAX);
        let around = |place: Address| {
            first.get(&place).is_some_and(|first| first < index)
                && last.get(&place).is_some_and(|last| *last >= call.end)
        };
        // Where the group itself trades in this call it is its own trade.
        let mut own: BTreeSet<Address> = BTreeSet::from([call.to]);
        let mut paid: BTreeMap<Address, BTreeSet<Address>> = BTreeMap::new();
        for flow in inside() {
            if scene.group.has(flow.from) || scene.group.has(flow.to) {
                own.extend([flow.from, flow.to]);
            } else {
                paid.entry(flow.from).or_default().insert(flow.token);
            }
        }
        let trades = |flow: &&Flow| {
            let outsiders = scene.is_outsider(flow.from) && scene.is_outsider(flow.to);
            let other = paid.get(&flow.to).is_some_and(|tokens| tokens.iter().any(|token| *token != flow.token));
            outsiders && other && around(flow.to) && !own.contains(&flow.to)
        };
        inside().find(trades).map(|flow| (flow.from, flow.to))
    });
    add(seen, "forced-trade", u8::from(found.is_some()), || {
        found.map_or_else(String::new, |(who, place)| {
            format!("{who} traded at {place} between two trades of the sender's side there")
        })
    });
}

/// An outsider that is no exchange and no lender, called by the group, calls a function of the group that is no callback known, or takes it
/// for a token: what was given to it as an argument was not checked.
fn posing(scene: &Scene<'_>, seen: &mut Vec<Seen>) {
    let called = scene.tree.root().selector();
    let own =
        |account: Address| scene.group.has(account) && (account != scene.tree.root().to || class(called).is_none());
    let found = scene.frames().iter().enumerate().skip(1).find(|(index, frame)| {
        let known = class(frame.selector());
        let odd = matches!(known, None | Some(Class::Transfer | Class::TransferFrom | Class::Enter | Class::Exit));
        is_call(frame)
            && odd
            && frame.selector().is_some()
            && scene.is_outsider(frame.from)
            && own(frame.to)
            && scene
                .tree
                .around(*index)
                .take(AROUND_MAX)
                .find(|around| scene.group.has(scene.frames()[*around].from))
                .is_some_and(|around| {
                    let asked = class(scene.frames()[around].selector());
                    around > 0 && !matches!(asked, Some(Class::Swap | Class::Flash | Class::Callback | Class::Token))
                })
    });
    let level = if scene.profits() { u8::from(found.is_some()) } else { 0 };
    add(seen, "posing", level, || {
        found.map_or_else(String::new, |(_, frame)| {
            let [a, b, c, d] = frame.selector().unwrap_or_default();
            format!("{} called 0x{a:02x}{b:02x}{c:02x}{d:02x} of the sender's side", frame.from)
        })
    });
}

/// The account of which a frame asks how much of a token it holds.
pub(super) fn asks_balance(frame: &Frame) -> Option<Address> {
    frame.address(0).filter(|_| frame.selector() == Some(BALANCE_OF))
}
