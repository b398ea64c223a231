//! What one transaction's calls come to for a rule, apart from all others.

use std::collections::{BTreeMap, BTreeSet};

use alloy_primitives::{Address, B256, U256};
use watchfire_charter::{Calls, Pattern};

use super::CREATED_MAX;
use crate::trace::{CallKind, CallTree, Falls, Model, Seen as Feature, Traced, Verdict, features};

/// Precompiled contracts have addresses below this: running them is no foreign code.
const PRECOMPILED: Address = {
    let mut bytes = [0; 20];
    bytes[18] = 2;
    Address::new(bytes)
};
/// A rule with the addresses that it is about.
#[derive(Debug)]
pub(crate) struct Judging {
    pub(super) rule: Calls,
    /// The asset's contracts and internal addresses.
    pub(super) group: BTreeSet<Address>,
}

/// What a transaction comes to.
#[derive(Debug, Clone)]
pub(crate) struct Judged {
    pub(super) transaction: Option<B256>,
    /// Contracts that it created and that stayed, where the rule asks for them; at most [`CREATED_MAX`].
    pub(super) created: Vec<Address>,
    /// Outsiders that call the asset, each with the contract that it calls first, where the asset lost something; at most [`CREATED_MAX`].
    pub(super) callers: Vec<(Address, Address)>,
    pub(super) found: Vec<(Pattern, String)>,
    /// The coin, what was lost of it, and what may be.
    pub(super) lost: Option<(Address, U256, U256)>,
    pub(super) score: u16,
}

impl Judging {
    /// What a transaction comes to, whatever came before it. A trace of a million calls takes a second: not for whoever others wait for.
    pub(crate) fn judge(&self, traced: &Traced, model: Option<&Model>) -> Judged {
        let tree = &traced.tree;
        let touches = |address: &Address| self.group.contains(address);
        let foreign = self.foreign_code(tree);
        let falls = Falls::of(tree, &self.group);
        let over = self.rule.limits.iter().map(|(coin, limit)| (*coin, falls.coin(*coin), *limit));
        let lost = over.filter(|(_, lost, limit)| lost > limit).max_by_key(|(coin, lost, _)| (*lost, *coin));
        let mut found = Vec::new();
        let mut score = 0;
        if lost.is_some() {
            let met = features(tree);
            let scored = model.map(|model| model.judge(met.clone()));
            score = scored.as_ref().map_or(0, |scored| scored.score);
            let suspicious = scored.is_some_and(|scored| scored.verdict != Verdict::Benign);
            let touched =
                tree.frames().iter().any(|frame| !frame.reverted && (touches(&frame.to) || touches(&frame.account)));
            let mut add = |pattern, detail: Option<String>| found.extend(detail.map(|detail| (pattern, detail)));
            add(Pattern::ReEntry, re_entered(tree, &self.group));
            add(Pattern::FlashLoanProfit, of_two(&met, &["flash-loan"], &["free-gain", "profit"]).filter(|_| touched));
            let priced = of(&met, &["price-moved", "priced-after-trade", "read-only-re-entry"]);
            add(Pattern::PriceMoved, priced.filter(|_| touched));
            add(Pattern::SenderProfit, of(&met, &["free-gain", "profit"]).filter(|_| suspicious));
        }
        found.extend(foreign.map(|detail| (Pattern::ForeignCode, detail)));
        found.retain(|(pattern, _)| self.rule.patterns.contains(pattern));
        let fresh = self.rule.patterns.contains(&Pattern::FreshContract);
        let created = created(tree).filter(|_| fresh).take(CREATED_MAX).collect();
        let callers = if fresh && lost.is_some() { self.callers(tree) } else { Vec::new() };
        Judged { transaction: traced.tx, created, callers, found, lost, score }
    }

    /// A contract of the asset that runs code as its own which nobody named.
    fn foreign_code(&self, tree: &CallTree) -> Option<String> {
        let foreign = tree.frames().iter().find(|frame| {
            matches!(frame.kind, CallKind::DelegateCall | CallKind::CallCode)
                && !frame.reverted
                && self.group.contains(&frame.account)
                && !self.group.contains(&frame.to)
                && !self.rule.known.contains(&frame.to)
                && frame.to >= PRECOMPILED
        })?;
        Some(format!("{} ran the code of {} as its own", foreign.account, foreign.to))
    }

    fn callers(&self, tree: &CallTree) -> Vec<(Address, Address)> {
        let calls = tree.frames().iter().filter(|frame| {
            !frame.reverted
                && frame.kind == CallKind::Call
                && self.group.contains(&frame.to)
                && !self.group.contains(&frame.from)
        });
        let mut known = BTreeSet::new();
        calls.filter(|frame| known.insert(frame.from)).take(CREATED_MAX).map(|frame| (frame.from, frame.to)).collect()
    }
}

/// What was created and stayed.
fn created(tree: &CallTree) -> impl Iterator<Item = Address> {
    let stays =
        tree.frames().iter().filter(|frame| frame.kind == CallKind::Create && !frame.reverted && !frame.to.is_zero());
    stays.map(|frame| frame.to)
}

/// The first of these features that was met, in its own words.
fn of(met: &[Feature], names: &[&str]) -> Option<String> {
    met.iter().find(|one| names.contains(&one.name)).map(|one| one.detail.clone())
}

/// One of each.
fn of_two(met: &[Feature], names: &[&str], others: &[&str]) -> Option<String> {
    of(met, names).filter(|_| of(met, others).is_some())
}

/// A watched contract that is called while it calls an outsider: how often, and the first.
fn re_entered(tree: &CallTree, group: &BTreeSet<Address>) -> Option<String> {
    // The calls on the way down, by where they end; of each watched contract the outermost of them, and where an outsider was last called.
    let mut ends: Vec<(usize, Address)> = Vec::new();
    let mut outermost: BTreeMap<Address, Vec<usize>> = BTreeMap::new();
    let mut outsiders: Vec<usize> = Vec::new();
    let (mut first, mut times) = (None, 0_u64);
    for (index, frame) in tree.frames().iter().enumerate() {
        while ends.last().is_some_and(|(end, _)| *end <= index) {
            if let Some((_, closed)) = ends.pop() {
                if group.contains(&closed) {
                    outermost.get_mut(&closed).and_then(Vec::pop);
                } else {
                    outsiders.pop();
                }
            }
        }
        if frame.reverted || frame.kind != CallKind::Call {
            continue;
        }
        let depth = ends.len();
        if group.contains(&frame.to) {
            let open = outermost.entry(frame.to).or_default();
            let around = open.first().zip(outsiders.last()).filter(|(outer, outside)| outer < outside);
            // Coin that comes back without a call is paid, not asked for.
            if around.is_some() && !frame.input.is_empty() {
                times += 1;
                first.get_or_insert((frame.to, frame.from));
            }
            open.push(depth);
        } else {
            outsiders.push(depth);
        }
        ends.push((frame.end, frame.to));
    }
    let (contract, from) = first?;
    Some(format!("{contract} was called again {times} time(s) while it called others, first by {from}"))
}
