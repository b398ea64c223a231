//! What a transaction that touches the asset looks like from inside: patterns of calls, with what the asset lost in it.
//!
//! From call traces, which no header proves and which come later than their block, or never: what is found is told from the block on at
//! which the trace was there, stands for a stated time after its own block, and never votes. Nothing fires unless the asset's contracts
//! together lose more of a coin than the charter allows in one transaction; code that the charter does not name is the exception, for it takes
//! nothing yet.
//!
//! Memory: one finding and one balance for each of 65 blocks, and the newest [`CREATED_MAX`] contracts that traces saw created.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use alloy_primitives::{Address, B256, U256};
use watchfire_charter::privileged::TRANSFER;
use watchfire_charter::{Calls, Pattern};
use watchfire_types::{BlockRef, BlockView, Read};

use crate::detectors::Evaluation;
use crate::expression::{EXPLANATION_MAX, cut};
use crate::outflow::holding_read;
use crate::sightings::Sightings;
use crate::{REORG_DEPTH, is_settled};
pub(crate) use judging::{Judged, Judging};

mod judging;

/// Contracts of which it is remembered that they are fresh.
pub(crate) const CREATED_MAX: usize = 4_096;
/// Most bytes of what is told of one pattern, and of all.
const DETAIL_MAX: usize = 160;
const DETAILS_MAX: usize = 260;

/// One transaction in which something was found.
struct Seen {
    transaction: Option<B256>,
    /// Transactions of the block in which something was found.
    count: u64,
    found: Vec<(Pattern, String)>,
    /// The coin, what was lost of it, and what may be; nothing, where foreign code ran and nothing was lost.
    lost: Option<(Address, U256, U256)>,
    score: u16,
}

/// Whether the newest block that touched the asset was traced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sight {
    Traced,
    Untraced,
}

/// One rule about calls.
pub(crate) struct CallsWatch {
    judging: Arc<Judging>,
    seen: Sightings<Seen>,
    created: VecDeque<(BlockRef, Address)>,
    /// What the asset held of the native coin at the newest blocks, where it was answered.
    held: VecDeque<(BlockRef, Option<U256>)>,
    sight: Sight,
}

impl CallsWatch {
    pub(crate) fn new(rule: Calls, group: BTreeSet<Address>) -> Self {
        let seen = Sightings::new(rule.stands_s);
        let judging = Arc::new(Judging { rule, group });
        Self { judging, seen, created: VecDeque::new(), held: VecDeque::new(), sight: Sight::Traced }
    }

    fn rule(&self) -> &Calls {
        &self.judging.rule
    }

    pub(crate) fn stands_s(&self) -> u64 {
        self.rule().stands_s
    }

    /// Whether the transactions that it should have judged last were traced.
    pub(crate) fn sees(&self) -> bool {
        self.sight == Sight::Traced
    }

    /// The balances by which it is seen that native coin left without an event.
    pub(crate) fn reads(&self) -> impl Iterator<Item = Read> {
        let native = self.rule().limits.contains_key(&Address::ZERO);
        self.judging.group.iter().filter(move |_| native).map(|account| holding_read(None, *account))
    }

    /// The transfers of tokens by which its transactions are found.
    pub(crate) fn keys(&self) -> impl Iterator<Item = (Address, B256)> {
        self.rule().limits.keys().filter(|coin| !coin.is_zero()).map(|token| (*token, TRANSFER))
    }

    /// Adds the transactions of a block that it should judge: those that call the asset's contracts, make them emit something, or move tokens out of
    /// them; where fresh contracts are looked for, those that create one; and every call, where more native coin left than may.
    pub(crate) fn to_trace(&self, view: &BlockView, into: &mut BTreeSet<B256>) {
        let fresh = self.rule().patterns.contains(&Pattern::FreshContract);
        let drained = self.drained(view);
        let calls = view.transactions.iter().filter(|one| {
            let about = one.to.map_or(fresh, |to| self.judging.group.contains(&to));
            (about || drained && !one.input.is_empty()) && one.succeeded != Some(false)
        });
        into.extend(calls.map(|one| one.hash));
        let emits = view.logs.iter().filter(|log| {
            let moved =
                matches!(log.topics[..], [TRANSFER, from, ..] if self.judging.group.contains(&Address::from_word(from)));
            moved || self.judging.group.contains(&log.address)
        });
        into.extend(emits.map(|log| log.transaction));
    }

    /// Whether the asset holds less native coin than at the block before, by more than may be lost.
    fn drained(&self, view: &BlockView) -> bool {
        let Some(limit) = self.rule().limits.get(&Address::ZERO) else { return false };
        let before = self.held.iter().rev().find(|(block, _)| block.number < view.block.number);
        let before = before.and_then(|(_, held)| *held);
        before.zip(self.balance(view)).is_some_and(|(before, now)| before.saturating_sub(now) > *limit)
    }

    fn balance(&self, view: &BlockView) -> Option<U256> {
        self.reads().try_fold(U256::ZERO, |sum, read| sum.checked_add(view.reads.get(&read)?.word()?))
    }

    /// What judges transactions for it, apart from it.
    pub(crate) fn judging(&self) -> Arc<Judging> {
        Arc::clone(&self.judging)
    }

    /// Takes what is made of a block's traces, or that something which it should judge was not traced. Blocks need not come in order.
    pub(crate) fn traced(&mut self, block: &BlockRef, judged: Vec<Judged>, whole: bool) {
        self.sight = if whole { Sight::Traced } else { Sight::Untraced };
        // All first: nobody calls from a contract that is made later, and traces come in any order.
        judged.iter().for_each(|one| self.remember_created(block, &one.created));
        let mut seen: Option<Seen> = None;
        for found in judged.into_iter().filter_map(|one| self.seen_in(block, one)) {
            let count = seen.as_ref().map_or(0, |seen| seen.count) + 1;
            // Of several the one with the most patterns, then the lowest hash: traces come in any order.
            let rank = |seen: &Seen| (seen.found.len(), std::cmp::Reverse(seen.transaction));
            let worse = seen.as_ref().is_none_or(|seen| rank(&found) > rank(seen));
            match &mut seen {
                Some(seen) if !worse => seen.count = count,
                _ => seen = Some(Seen { count, ..found }),
            }
        }
        if let Some(seen) = seen {
            self.seen.add(block, seen);
        }
    }

    /// What was found in a transaction, and whether a young contract called.
    fn seen_in(&self, block: &BlockRef, judged: Judged) -> Option<Seen> {
        let fresh = self.fresh_caller(block, &judged);
        let Judged { transaction, mut found, lost, score, .. } = judged;
        found.extend(fresh.map(|detail| (Pattern::FreshContract, detail)));
        found.sort_unstable();
        (!found.is_empty()).then_some(Seen { transaction, count: 1, found, lost, score })
    }

    /// A young contract that calls the asset.
    fn fresh_caller(&self, block: &BlockRef, judged: &Judged) -> Option<String> {
        let here: BTreeSet<&Address> = judged.created.iter().collect();
        let young = |made: &BlockRef| {
            made.number <= block.number && made.number.saturating_add(self.rule().fresh_blocks.into()) >= block.number
        };
        let earlier = self.created.iter().filter(|(made, _)| young(made));
        let earlier: BTreeMap<Address, u64> = earlier.map(|(made, address)| (*address, made.number)).collect();
        judged.callers.iter().find_map(|(from, to)| match earlier.get(from) {
            _ if here.contains(from) => Some(format!("{from}, made in this transaction, calls {to}")),
            Some(number) => Some(format!("{from}, made at block {number}, calls {to}")),
            None => None,
        })
    }

    /// Takes the next block; what was traced of it may come before or after.
    pub(crate) fn observe(&mut self, view: &BlockView, floor: Option<&BlockRef>) -> Evaluation {
        self.seen.take(&view.block, None);
        self.held.push_back((view.block, self.balance(view)));
        while self.held.get(1).is_some_and(|(second, _)| is_settled(second, &view.block)) {
            self.held.pop_front();
        }
        while self.created.front().is_some_and(|(block, _)| self.is_old(block, &view.block)) {
            self.created.pop_front();
        }
        match self.seen.standing(&view.block, floor) {
            Some((block, seen)) => fires(block, seen),
            None => Evaluation::Quiet,
        }
    }

    pub(crate) fn rollback(&mut self, to: &BlockRef) {
        self.seen.rollback(to);
        self.created.retain(|(block, _)| block.number <= to.number);
        self.held.retain(|(block, _)| block.number <= to.number);
    }

    /// Whether what was created at a block is fresh at no head that a reorg may leave.
    fn is_old(&self, block: &BlockRef, head: &BlockRef) -> bool {
        let kept = u64::from(self.rule().fresh_blocks) + REORG_DEPTH;
        is_settled(block, head) && block.number.saturating_add(kept) < head.number
    }

    fn remember_created(&mut self, block: &BlockRef, created: &[Address]) {
        if !created.is_empty() {
            let at = self.created.partition_point(|(other, _)| other.number <= block.number);
            let later = self.created.split_off(at);
            self.created.extend(created.iter().map(|address| (*block, *address)));
            self.created.extend(later);
            let over = self.created.len().saturating_sub(CREATED_MAX);
            self.created.drain(..over);
        }
    }
}

fn fires(block: &BlockRef, seen: &Seen) -> Evaluation {
    let Seen { transaction, count, found, lost, score } = seen;
    let names: Vec<&str> = found.iter().map(|(pattern, _)| pattern.name()).collect();
    let names = names.join(", ");
    let details: Vec<String> = found.iter().map(|(_, detail)| cut(detail, DETAIL_MAX)).collect();
    let details = cut(&details.join("; "), DETAILS_MAX);
    let mut figures = BTreeMap::from([
        ("event_block".to_owned(), block.number.to_string()),
        ("count".to_owned(), count.to_string()),
        ("patterns".to_owned(), names.clone()),
        ("score".to_owned(), score.to_string()),
    ]);
    figures.extend(transaction.map(|hash| ("transaction".to_owned(), hash.to_string())));
    let took = match lost {
        Some((coin, amount, limit)) => {
            figures.insert("lost".to_owned(), amount.to_string());
            figures.insert("limit".to_owned(), limit.to_string());
            let unit = if coin.is_zero() { "wei".to_owned() } else { format!("base units of {coin}") };
            figures.insert("coin".to_owned(), if coin.is_zero() { "native".to_owned() } else { coin.to_string() });
            format!("the asset lost {amount} {unit} (limit {limit})")
        }
        None => "the asset lost nothing above its limits".to_owned(),
    };
    let explanation = format!("{names} at block {}: {took}; {details}", block.number);
    Evaluation::Fires { explanation: cut(&explanation, EXPLANATION_MAX), figures }
}

#[cfg(test)]
mod tests;
