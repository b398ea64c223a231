//! Who belongs together: the sender, what it called, what they created, and who only gets what they pay.

use std::collections::BTreeSet;

use alloy_primitives::Address;

use super::flow::Flow;
use super::tree::{CallKind, CallTree};

/// The sender's side of a transaction.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Group {
    /// Everyone in it.
    pub(super) all: BTreeSet<Address>,
    /// What it created in this transaction.
    pub(super) created: BTreeSet<Address>,
}

impl Group {
    /// Whether an account belongs to it.
    pub(super) fn has(&self, account: Address) -> bool {
        self.all.contains(&account)
    }
}

/// Sender, called contract, and everything that accounts of the group create.
pub(super) fn group(tree: &CallTree) -> Group {
    let root = tree.root();
    let mut group = Group { all: BTreeSet::from([root.from, root.to]), created: BTreeSet::new() };
    for frame in tree.frames() {
        let creates = frame.kind == CallKind::Create && !frame.reverted && !frame.to.is_zero();
        if creates && group.has(frame.from) {
            group.all.insert(frame.to);
            group.created.insert(frame.to);
        }
    }
    group.all.remove(&Address::ZERO);
    group
}

/// Accounts without code of their own at work that the group pays and that pay nobody: its wallets, its block builder.
pub(super) fn payees(tree: &CallTree, flows: &[Flow], group: &Group) -> BTreeSet<Address> {
    let paid: BTreeSet<Address> = flows.iter().filter(|flow| group.has(flow.from)).map(|flow| flow.to).collect();
    let gives: BTreeSet<Address> = flows.iter().map(|flow| flow.from).collect();
    let frames = tree.frames();
    let works = |(index, frame): (usize, &super::tree::Frame)| {
        let works = !frame.input.is_empty() || frame.end > index + 1 || frame.kind == CallKind::Create;
        works.then_some(frame.to)
    };
    let works: BTreeSet<Address> = frames.iter().enumerate().filter_map(works).collect();
    let only_paid = |account: &Address| {
        !account.is_zero() && !gives.contains(account) && !works.contains(account) && !group.has(*account)
    };
    paid.into_iter().filter(only_paid).collect()
}
