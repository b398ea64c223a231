//! Who paid for it.

use std::collections::{BTreeMap, BTreeSet};

use alloy_primitives::{Address, U256};

use super::gain::told;
use super::{Seen, add, steps};
use crate::trace::flow::is_call;
use crate::trace::scene::{Loser, Scene};
use crate::trace::selector::{BATCH_TRANSFER, Class, TRANSFER, TRANSFER_PROXY, class};
use crate::trace::value::{NATIVE, worth};

/// Amounts from here on are above every supply.
const ABSURD_BITS: usize = 160;

pub(super) fn see(scene: &Scene<'_>, seen: &mut Vec<Seen>) {
    if scene.profits() {
        losers(scene, seen);
        drain(scene, seen);
        worthless(scene, seen);
        minted(scene, seen);
        toll(scene, seen);
    }
    overflow(scene, seen);
}

/// Transfers of more than any token has: by the amount asked for, and by sums that functions of many recipients or of fees compute from it.
/// (A `transferFrom` may be of an ERC-721 token, whose number is often a hash.)
pub(super) fn absurd(scene: &Scene<'_>) -> Option<(Address, U256)> {
    let amounts = |selector: [u8; 4]| -> &[usize] {
        match selector {
            TRANSFER | BATCH_TRANSFER => &[1],
            TRANSFER_PROXY => &[2, 3],
            _ => &[],
        }
    };
    scene.frames().iter().filter(|frame| is_call(frame)).find_map(|frame| {
        let words = amounts(frame.selector()?).iter().filter_map(|index| frame.word(*index));
        words.max().filter(|amount| amount.bit_len() > ABSURD_BITS).map(|amount| (frame.to, amount))
    })
}

fn overflow(scene: &Scene<'_>, seen: &mut Vec<Seen>) {
    let absurd = absurd(scene);
    add(seen, "overflow", u8::from(absurd.is_some()), || {
        absurd.map_or_else(String::new, |(token, amount)| format!("{amount} of {token} in one transfer"))
    });
}

fn losers(scene: &Scene<'_>, seen: &mut Vec<Seen>) {
    let both: Vec<&Loser> = scene.losers.iter().filter(|loser| loser.both_ways && !loser.redeemed).collect();
    add(seen, "both-ways-loser", steps(both.len() as u64, &[1, 2]), || {
        both.first().map_or_else(String::new, |loser| {
            format!("{} got some back first and still lost {}", loser.account, told(&loser.lost))
        })
    });
    let called: BTreeSet<Address> =
        scene.frames().iter().filter(|frame| !frame.input.is_empty()).map(|frame| frame.to).collect();
    let contracts: Vec<&Loser> = scene.losers.iter().filter(|loser| called.contains(&loser.account)).collect();
    add(seen, "loser", steps(contracts.len() as u64, &[1, 2, 4]), || {
        contracts.first().map_or_else(String::new, |loser| {
            format!("{} outsiders lost, {} lost {}", contracts.len(), loser.account, told(&loser.lost))
        })
    });
    let many = scene.losers.iter().filter(|loser| !loser.redeemed).max_by_key(|loser| loser.lost.len());
    let level = many.map_or(0, |loser| steps(loser.lost.len() as u64, &[2, 3]));
    add(seen, "loser-of-many", level, || {
        many.map_or_else(String::new, |loser| format!("{} lost {}", loser.account, told(&loser.lost)))
    });
    add(seen, "redeemed", u8::from(!contracts.is_empty() && contracts.iter().all(|loser| loser.redeemed)), || {
        "every contract that paid had its own claims burnt".to_owned()
    });
}

/// What outsiders lost that got nothing and whose claims were not given back.
fn toll(scene: &Scene<'_>, seen: &mut Vec<Seen>) {
    let lost = |loser: &Loser| {
        let worth = loser.lost.iter().filter_map(|(token, amount)| worth(*token, *amount));
        worth.fold(0_u64, u64::saturating_add)
    };
    let most = scene.losers.iter().filter(|loser| !loser.redeemed).max_by_key(|loser| lost(loser));
    let sum = most.map_or(0, lost);
    add(seen, "toll", steps(sum, &[10_000, 100_000, 1_000_000]), || {
        most.map_or_else(String::new, |loser| {
            format!("{} lost about {}.{:03} native coins for nothing", loser.account, sum / 1000, sum % 1000)
        })
    });
}

/// Victims whose tokens an outsider's allowance moved, and who had no part in the transaction.
fn drain(scene: &Scene<'_>, seen: &mut Vec<Seen>) {
    let active: BTreeSet<Address> =
        scene.frames().iter().filter(|frame| is_call(frame)).map(|frame| frame.to).collect();
    let lost: BTreeSet<Address> = scene.losers.iter().map(|loser| loser.account).collect();
    let victims: BTreeMap<Address, Address> = scene
        .flows
        .iter()
        .filter(|flow| lost.contains(&flow.from) && !active.contains(&flow.from))
        .filter_map(|flow| Some((flow.from, flow.spender?)))
        .filter(|(_, spender)| !scene.group.created.contains(spender))
        .filter(|(_, spender)| scene.is_outsider(*spender) || scene.tree.root().to == *spender)
        .collect();
    let through_outsider = victims.values().any(|spender| scene.is_outsider(*spender));
    let level = match victims.len() {
        0 => 0,
        1..5 if !through_outsider => 0,
        1..5 => 1,
        _ if through_outsider => 2,
        _ => 1,
    };
    add(seen, "approval-drain", level, || {
        let first = victims.iter().next().map(|(victim, spender)| format!("{victim} through {spender}"));
        format!("{} accounts that took no part lost tokens, {}", victims.len(), first.unwrap_or_default())
    });
}

/// Outsiders that gave something real and got only what the group made here.
fn worthless(scene: &Scene<'_>, seen: &mut Vec<Seen>) {
    let paid = scene.losers.iter().find(|loser| {
        let got = scene.balances.get(&loser.account);
        got.is_some_and(|got| {
            got.iter().any(|(token, balance)| scene.group.created.contains(token) && !balance.gain().is_zero())
        })
    });
    add(seen, "worthless-pay", u8::from(paid.is_some()), || {
        paid.map_or_else(String::new, |loser| {
            format!("{} gave {} for tokens made in this transaction", loser.account, told(&loser.lost))
        })
    });
}

/// Tokens that a call minted for the group, which gave them on for something else: asked for by an outsider, or by the group itself.
fn minted(scene: &Scene<'_>, seen: &mut Vec<Seen>) {
    let mut made: BTreeMap<Address, (U256, bool)> = BTreeMap::new();
    for flow in scene.flows.iter().filter(|flow| flow.token != NATIVE && !scene.group.created.contains(&flow.token)) {
        let frame = &scene.frames()[flow.frame];
        let asked = class(frame.selector()) == Some(Class::MintTo);
        if asked && flow.from.is_zero() && scene.group.has(flow.to) {
            let (sum, own) = made.entry(flow.token).or_default();
            *sum = sum.saturating_add(flow.amount);
            *own |= scene.group.has(frame.from);
        }
    }
    let given: BTreeSet<Address> = scene
        .flows
        .iter()
        .filter(|flow| scene.group.has(flow.from) && scene.is_outsider(flow.to) && flow.to != flow.token)
        .map(|flow| flow.token)
        .collect();
    let sold = made.iter().filter(|(token, _)| given.contains(*token)).max_by_key(|(_, (_, own))| *own);
    add(seen, "minted-and-sold", sold.map_or(0, |(_, (_, own))| 1 + u8::from(*own)), || {
        sold.map_or_else(String::new, |(token, (amount, _))| format!("{amount} of {token} were minted for the group"))
    });
}
