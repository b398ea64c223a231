//! Contracts that are called again while they call the group.

use std::collections::BTreeMap;

use alloy_primitives::Address;

use super::{Seen, add};
use crate::trace::scene::Scene;
use crate::trace::selector::{Class, class};
use crate::trace::tree::{CallKind, Frame};

/// A call on the way down to where the walk is.
struct Open {
    end: usize,
    to: Address,
    selector: Option<[u8; 4]>,
    /// Lends or holds a lock for its caller: being called again is what it is for.
    lends: bool,
}

/// One contract entered again.
#[derive(Default)]
struct Again {
    times: u64,
    same: u64,
    after_loan: bool,
}

pub(super) fn see(scene: &Scene<'_>, seen: &mut Vec<Seen>) {
    let mut again: BTreeMap<Address, Again> = BTreeMap::new();
    let mut read = None;
    // Outsiders on the way down, and where the group was last called back: a contract below that index is being called again.
    let mut open: Vec<Open> = Vec::new();
    let mut on_the_way: BTreeMap<Address, Vec<usize>> = BTreeMap::new();
    let mut group_at: Vec<(usize, usize)> = Vec::new();
    for (index, frame) in scene.frames().iter().enumerate() {
        while open.last().is_some_and(|last| last.end <= index) {
            if let Some(closed) = open.pop()
                && let Some(places) = on_the_way.get_mut(&closed.to)
            {
                places.pop();
            }
        }
        while group_at.last().is_some_and(|(end, _)| *end <= index) {
            group_at.pop();
        }
        if frame.reverted || !matches!(frame.kind, CallKind::Call | CallKind::StaticCall) {
            continue;
        }
        if scene.group.has(frame.to) {
            group_at.push((frame.end, open.len()));
            continue;
        }
        let below = group_at.last().map_or(0, |(_, depth)| *depth);
        let outer = on_the_way
            .get(&frame.to)
            .and_then(|places| places.partition_point(|place| *place < below).checked_sub(1).map(|at| &places[at]));
        if let Some(outer) = outer.map(|place| &open[*place]).filter(|_| scene.is_outsider(frame.to)) {
            entered(scene, frame, outer, &mut again, &mut read);
        }
        if frame.kind == CallKind::Call {
            on_the_way.entry(frame.to).or_default().push(open.len());
            let lends = matches!(class(frame.selector()), Some(Class::Flash));
            open.push(Open { end: frame.end, to: frame.to, selector: frame.selector(), lends });
        }
    }
    let most = again.iter().filter(|(_, again)| !again.after_loan).max_by_key(|(_, again)| (again.same, again.times));
    let level = most.map_or(0, |(_, again)| match (again.same, again.times) {
        (0, _) => 1,
        (1..3, _) => 2,
        _ => 3,
    });
    add(seen, "re-entry", level, || {
        most.map_or_else(String::new, |(account, again)| {
            format!("{account} was entered again {} times, {} of them by the same function", again.times, again.same)
        })
    });
    add(seen, "read-only-re-entry", u8::from(read.is_some()), || {
        read.map_or_else(String::new, |(reader, asked)| format!("{reader} read a price of {asked} during its own call"))
    });
}

fn entered(
    scene: &Scene<'_>,
    frame: &Frame,
    outer: &Open,
    again: &mut BTreeMap<Address, Again>,
    read: &mut Option<(Address, Address)>,
) {
    let class = class(frame.selector());
    if frame.kind == CallKind::StaticCall {
        if class == Some(Class::Price) && scene.is_outsider(frame.from) && frame.from != frame.to && !outer.lends {
            read.get_or_insert((frame.from, frame.to));
        }
        return;
    }
    let token = matches!(class, Some(Class::Transfer | Class::TransferFrom | Class::Token | Class::Price));
    // A pair that was asked for a flash swap is paid and synchronised in its callback.
    if token || frame.input.is_empty() {
        return;
    }
    let entry = again.entry(frame.to).or_default();
    entry.times += 1;
    entry.after_loan |= outer.lends;
    entry.same += u64::from(outer.selector == frame.selector());
}
