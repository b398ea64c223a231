//! Who belongs together: the sender, what it called, what they created, who hands on all that it gets from them, and who only gets what
//! they pay or name it for.

use std::collections::{BTreeMap, BTreeSet};

use alloy_primitives::Address;

use super::flow::{Balance, Flow, is_call};
use super::selector::class;
use super::tree::{CallKind, CallTree, Frame, word};

/// Words of a call's data in which accounts are looked for.
const NAMED_WORDS: usize = 16;

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

/// Contracts made earlier that only work for the group: nobody else calls them, and of every token that they got they gave on just as
/// much. (Who keeps something, or gives more than it got, is looked at as somebody else.)
pub(super) fn helpers(tree: &CallTree, flows: &[Flow], group: &Group) -> BTreeSet<Address> {
    let mut called: BTreeSet<Address> = BTreeSet::new();
    let mut works: BTreeSet<Address> = BTreeSet::new();
    let mut by_others: BTreeSet<Address> = BTreeSet::new();
    for frame in tree.frames().iter().filter(|frame| is_call(frame) && !group.has(frame.to)) {
        match group.has(frame.from) {
            true if frame.selector().is_some() && class(frame.selector()).is_none() => {
                called.insert(frame.to);
            }
            true => {}
            false => {
                by_others.insert(frame.to);
            }
        }
        works.insert(frame.from);
    }
    let mut moved: BTreeMap<(Address, Address), Balance> = BTreeMap::new();
    for flow in flows {
        for (account, got) in [(flow.from, false), (flow.to, true)] {
            if called.contains(&account) {
                let balance = moved.entry((account, flow.token)).or_default();
                let side = if got { &mut balance.into } else { &mut balance.out };
                *side = side.saturating_add(flow.amount);
            }
        }
    }
    let mut through: BTreeMap<Address, bool> = BTreeMap::new();
    for ((account, _), balance) in &moved {
        let all = through.entry(*account).or_insert(true);
        *all &= balance.into == balance.out;
    }
    let works = |account: &Address| !by_others.contains(account) && works.contains(account);
    through.into_iter().filter(|(_, all)| *all).map(|(account, _)| account).filter(works).collect()
}

/// Receivers that contracts of the group name as an argument of a call to somebody else: where it lets itself be paid.
fn named(tree: &CallTree, group: &Group, receivers: &BTreeSet<Address>) -> BTreeSet<Address> {
    let calls = tree.frames().iter().skip(1).filter(|frame| is_call(frame) && group.has(frame.from));
    // Arguments of the call itself, and of a call that is an argument of it.
    let offsets = || (0..NAMED_WORDS).flat_map(|index| [4 + 32 * index, 8 + 32 * index]);
    let words = calls.flat_map(|frame| offsets().filter_map(|at| word(&frame.input, at)));
    let accounts = words.filter(|word| word.bit_len() <= 160).map(|word| Address::from_word(word.into()));
    accounts.filter(|account| receivers.contains(account)).collect()
}

/// Accounts without code of their own at work that the group pays, or lets others pay, and that pay nobody: its wallets, its block
/// builder.
pub(super) fn payees(tree: &CallTree, flows: &[Flow], group: &Group) -> BTreeSet<Address> {
    let receivers: BTreeSet<Address> = flows.iter().map(|flow| flow.to).collect();
    let named = named(tree, group, &receivers);
    let to_own = |flow: &&Flow| group.has(flow.from) || named.contains(&flow.to);
    let paid: BTreeSet<Address> = flows.iter().filter(to_own).map(|flow| flow.to).collect();
    let gives: BTreeSet<Address> = flows.iter().map(|flow| flow.from).collect();
    let frames = tree.frames();
    let works = |(index, frame): (usize, &Frame)| {
        let works = !frame.input.is_empty() || frame.end > index + 1 || frame.kind == CallKind::Create;
        works.then_some(frame.to)
    };
    let works: BTreeSet<Address> = frames.iter().enumerate().filter_map(works).collect();
    let only_paid = |account: &Address| {
        !account.is_zero() && !gives.contains(account) && !works.contains(account) && !group.has(*account)
    };
    paid.into_iter().filter(only_paid).collect()
}
