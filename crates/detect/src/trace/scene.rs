//! What every feature looks at, computed once: the tree, the group, what moved, who gained and who lost.

use std::collections::{BTreeMap, BTreeSet};

use alloy_primitives::{Address, U256};

use super::flow::{Balance, Flow, balances, flows, is_call, wrapped};
use super::group::{Group, group, helpers, payees};
use super::selector::{Class, class};
use super::tree::{CallKind, CallTree, Frame};
use super::value::worth;

/// An outsider that gave and got nothing that counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Loser {
    /// Who.
    pub(super) account: Address,
    /// What it lost, by token.
    pub(super) lost: BTreeMap<Address, U256>,
    /// Whether it first got some of what it lost: value went in, and more came out.
    pub(super) both_ways: bool,
    /// Whether a claim on it was given back, which explains a loss.
    pub(super) redeemed: bool,
}

/// A transaction as features see it.
#[derive(Debug)]
pub(super) struct Scene<'a> {
    /// Its calls.
    pub(super) tree: &'a CallTree,
    /// The sender's side.
    pub(super) group: Group,
    /// Wrapped native coins.
    pub(super) wrapped: BTreeSet<Address>,
    /// What moved.
    pub(super) flows: Vec<Flow>,
    /// Balances by account and token.
    pub(super) balances: BTreeMap<Address, BTreeMap<Address, Balance>>,
    /// The group's gains by token, without tokens that it made itself.
    pub(super) gains: BTreeMap<Address, U256>,
    /// The group's losses by token, likewise.
    pub(super) losses: BTreeMap<Address, U256>,
    /// Who lost, largest number of tokens first.
    pub(super) losers: Vec<Loser>,
    /// Frames in which the group calls an outsider, changing something.
    pub(super) calls: Vec<usize>,
}

impl<'a> Scene<'a> {
    /// Looks at a tree.
    pub(super) fn new(tree: &'a CallTree) -> Self {
        let mut group = group(tree);
        let wrapped = wrapped(tree);
        for coin in &wrapped {
            group.all.remove(coin);
        }
        let flows = flows(tree, &wrapped);
        let own = helpers(tree, &flows, &group);
        group.all.extend(own);
        let paid = payees(tree, &flows, &group);
        group.all.extend(paid);
        let balances = balances(&flows);
        let calls = outward(tree, &group);
        let mut scene = Self {
            tree,
            group,
            wrapped,
            flows,
            balances,
            gains: BTreeMap::new(),
            losses: BTreeMap::new(),
            losers: Vec::new(),
            calls,
        };
        (scene.gains, scene.losses) = scene.own();
        scene.losers = scene.who_lost();
        scene
    }

    /// The frames.
    pub(super) fn frames(&self) -> &'a [Frame] {
        self.tree.frames()
    }

    /// Whether the group ends with something more and, but for dust, nothing less.
    pub(super) fn gains_freely(&self) -> bool {
        !self.gains.is_empty() && self.losses.iter().all(|(token, amount)| is_dust(*token, *amount))
    }

    /// Gains less losses, in thousandths of a native coin, of the tokens with a price.
    pub(super) fn profit(&self) -> u64 {
        let sum = |side: &BTreeMap<Address, U256>| {
            side.iter()
                .filter_map(|(token, amount)| worth(*token, *amount))
                .fold(0_u64, |sum, worth| sum.saturating_add(worth))
        };
        sum(&self.gains).saturating_sub(sum(&self.losses))
    }

    /// Whether the group ends better off as far as this can be told.
    pub(super) fn profits(&self) -> bool {
        self.gains_freely() || self.profit() > 0
    }

    /// Whether the account is a contract that is called in this transaction.
    pub(super) fn is_outsider(&self, account: Address) -> bool {
        !account.is_zero() && !self.group.has(account) && !self.wrapped.contains(&account)
    }

    fn own(&self) -> (BTreeMap<Address, U256>, BTreeMap<Address, U256>) {
        let mut own: BTreeMap<Address, Balance> = BTreeMap::new();
        for flow in self.flows.iter().filter(|flow| !self.group.created.contains(&flow.token)) {
            match (self.group.has(flow.from), self.group.has(flow.to)) {
                (true, false) => {
                    let balance = own.entry(flow.token).or_default();
                    balance.out = balance.out.saturating_add(flow.amount);
                }
                (false, true) => {
                    let balance = own.entry(flow.token).or_default();
                    balance.into = balance.into.saturating_add(flow.amount);
                }
                _ => {}
            }
        }
        let side = |amount: fn(Balance) -> U256| -> BTreeMap<Address, U256> {
            let some = own.iter().map(|(token, balance)| (*token, amount(*balance)));
            some.filter(|(_, amount)| !amount.is_zero()).collect()
        };
        let minters = self.minters();
        let mut losses = side(Balance::loss);
        losses.retain(|token, _| !minters.contains(token));
        (side(Balance::gain), losses)
    }

    /// Tokens that may have been made for the group without a call that says so, where the trace has no logs: their contract was asked for
    /// claims, or ran a function that is not known. Giving such a token away is no loss of something that the group had.
    fn minters(&self) -> BTreeSet<Address> {
        if self.frames().iter().any(|frame| !frame.logs.is_empty()) {
            return BTreeSet::new();
        }
        let mints = |frame: &&Frame| {
            let known = class(frame.selector());
            is_call(frame)
                && frame.selector().is_some()
                && matches!(known, None | Some(Class::Enter | Class::Borrow | Class::MintTo))
        };
        self.frames().iter().filter(mints).map(|frame| frame.to).collect()
    }

    fn who_lost(&self) -> Vec<Loser> {
        let redeemed = self.redeemed();
        let plumbing = self.plumbing();
        let mut losers = Vec::new();
        let outsiders = self.balances.iter().filter(|(account, _)| self.is_outsider(**account));
        for (account, tokens) in outsiders.filter(|(account, _)| !plumbing.contains(*account)) {
            let counts = |token: &Address| !self.group.created.contains(token);
            let got = tokens.iter().filter(|(token, balance)| counts(token) && !balance.gain().is_zero());
            let got: Vec<(Address, U256)> = got.map(|(token, balance)| (*token, balance.gain())).collect();
            let lost = tokens.iter().filter(|(token, balance)| {
                counts(token) && !balance.loss().is_zero() && worth(**token, balance.loss()) != Some(0)
            });
            let lost: BTreeMap<Address, Balance> = lost.map(|(token, balance)| (*token, *balance)).collect();
            if lost.is_empty() || is_paid(&got, &lost) {
                continue;
            }
            losers.push(Loser {
                account: *account,
                both_ways: lost.values().any(|balance| !balance.into.is_zero()),
                lost: lost.into_iter().map(|(token, balance)| (token, balance.loss())).collect(),
                redeemed: redeemed.contains(account),
            });
        }
        losers.sort_by_key(|loser| std::cmp::Reverse(loser.lost.len()));
        losers
    }

    /// Contracts that only paid what an exchange, in a swap that the group asked for, took out of them to serve it: the exchange gave
    /// claims back, which is not seen without logs.
    fn plumbing(&self) -> BTreeSet<Address> {
        let mut inside: BTreeSet<Address> = BTreeSet::new();
        let mut beside: BTreeSet<Address> = BTreeSet::new();
        for flow in self.flows.iter().filter(|flow| self.is_outsider(flow.from)) {
            let mut left = false;
            let mut served = false;
            for around in self.tree.around(flow.frame).take(64) {
                let frame = &self.frames()[around];
                if self.group.has(frame.from) {
                    served = class(frame.selector()) == Some(Class::Swap) && frame.to != flow.from;
                    break;
                }
                left |= matches!(class(frame.selector()), Some(Class::Exit | Class::Unwrap));
            }
            let side = if left && served { &mut inside } else { &mut beside };
            side.insert(flow.from);
        }
        inside.difference(&beside).copied().collect()
    }

    /// Contracts whose claims were burnt beyond what was made of them here, and who burnt them.
    fn redeemed(&self) -> BTreeSet<Address> {
        let mut supply: BTreeMap<Address, Balance> = BTreeMap::new();
        let mut burners: BTreeMap<Address, BTreeSet<Address>> = BTreeMap::new();
        for flow in &self.flows {
            let of = supply.entry(flow.token).or_default();
            if flow.from.is_zero() {
                of.into = of.into.saturating_add(flow.amount);
            }
            if flow.to.is_zero() {
                of.out = of.out.saturating_add(flow.amount);
                burners.entry(flow.token).or_default().insert(self.frames()[flow.frame].from);
            }
        }
        let burnt = supply.iter().filter(|(_, balance)| !balance.loss().is_zero()).map(|(token, _)| *token);
        burnt.flat_map(|token| burners.remove(&token).unwrap_or_default().into_iter().chain([token])).collect()
    }
}

/// Base units up to which an amount of any token is dust.
const DUST: U256 = U256::from_limbs([1_000, 0, 0, 0]);

/// Whether an amount is next to nothing.
fn is_dust(token: Address, amount: U256) -> bool {
    amount <= DUST || worth(token, amount) == Some(0)
}

/// Whether what an outsider got is something: not dust, and not a fiftieth of what it gave where both have a price. (Prices here are
/// coarse, and a native coin was worth between a hundred and five thousand dollars.)
fn is_paid(got: &[(Address, U256)], lost: &BTreeMap<Address, Balance>) -> bool {
    let priced = |sum: Option<u64>, (token, amount): (Address, U256)| Some(sum?.saturating_add(worth(token, amount)?));
    let real = got.iter().any(|(_, amount)| *amount > DUST);
    let got = got.iter().copied().fold(Some(0), priced);
    let lost = lost.iter().map(|(token, balance)| (*token, balance.loss())).fold(Some(0), priced);
    let sums = got.zip(lost);
    real && !sums.is_some_and(|(got, lost)| lost > 1_000 && got.saturating_mul(50) < lost)
}

/// Frames in which the group calls an outsider, changing something; functions of tokens are not among them.
fn outward(tree: &CallTree, group: &Group) -> Vec<usize> {
    let tokens = [Class::Transfer, Class::TransferFrom, Class::Token];
    let outward = |frame: &Frame| {
        is_call(frame)
            && group.has(frame.from)
            && !group.has(frame.to)
            && frame.kind == CallKind::Call
            && !class(frame.selector()).is_some_and(|class| tokens.contains(&class))
    };
    tree.frames().iter().enumerate().filter(|(_, frame)| outward(frame)).map(|(index, _)| index).collect()
}
