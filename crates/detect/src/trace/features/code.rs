//! Code that is made, exchanged, destroyed or lent in the transaction, and authority that is taken.

use std::collections::BTreeSet;

use alloy_primitives::Address;

use super::loan::has_loan;
use super::{Seen, add, steps};
use crate::trace::flow::is_call;
use crate::trace::scene::Scene;
use crate::trace::selector::{Class, class};
use crate::trace::tree::CallKind;

pub(super) fn see(scene: &Scene<'_>, seen: &mut Vec<Seen>) {
    created(scene, seen);
    let frames = scene.frames();
    let lent = frames.iter().find(|frame| {
        frame.kind == CallKind::DelegateCall
            && !frame.reverted
            && scene.is_outsider(frame.account)
            && scene.group.has(frame.to)
            && frame.to != scene.tree.root().from
    });
    add(seen, "delegated-to-group", u8::from(lent.is_some()), || {
        lent.map_or_else(String::new, |frame| format!("{} ran the code of {}", frame.account, frame.to))
    });
    let lost: BTreeSet<Address> = scene.losers.iter().map(|loser| loser.account).collect();
    let taken =
        scene.calls.iter().map(|index| &frames[*index]).find(|frame| {
            class(frame.selector()) == Some(Class::Authority) && scene.profits() && lost.contains(&frame.to)
        });
    // A direct call to the contract itself, which then pays its caller, stands in the group's place.
    add(seen, "authority", u8::from(taken.is_some()), || {
        taken.map_or_else(String::new, |frame| format!("over {}, which lost value", frame.to))
    });
    let governs = frames
        .iter()
        .find(|frame| is_call(frame) && class(frame.selector()) == Some(Class::Govern) && scene.group.has(frame.from));
    let level = governs.is_some_and(|_| has_loan(scene) || scene.gains_freely());
    add(seen, "governance", u8::from(level), || governs.map_or_else(String::new, |frame| format!("at {}", frame.to)));
}

fn created(scene: &Scene<'_>, seen: &mut Vec<Seen>) {
    let frames = scene.frames();
    let callers: BTreeSet<Address> =
        scene.calls.iter().map(|index| frames[*index].from).filter(|from| scene.group.created.contains(from)).collect();
    let level = if scene.profits() { steps(callers.len() as u64, &[1, 2, 5]) } else { 0 };
    add(seen, "created-caller", level, || {
        let first = callers.iter().next().map(ToString::to_string).unwrap_or_default();
        format!("{} contracts made in this transaction call outsiders, such as {first}", callers.len())
    });
    let under_construction = scene.flows.iter().find(|flow| {
        scene.is_outsider(flow.from)
            && scene.group.has(flow.to)
            && scene.tree.around(flow.frame).take(64).any(|around| {
                let frame = &frames[around];
                frame.kind == CallKind::Create && scene.group.created.contains(&frame.to)
            })
    });
    let level = under_construction.is_some() && scene.profits();
    add(seen, "constructor", u8::from(level), || {
        under_construction.map_or_else(String::new, |flow| format!("{} paid while it ran", flow.from))
    });
    let destroyed = frames.iter().find(|frame| {
        frame.kind == CallKind::SelfDestruct && !frame.reverted && scene.group.has(frame.from) && scene.profits()
    });
    add(seen, "self-destruct", u8::from(destroyed.is_some()), || {
        destroyed.map_or_else(String::new, |frame| format!("of {}", frame.from))
    });
}
