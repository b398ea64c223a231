//! A token that leaves many accounts for one recipient, or through one spender, within a window: what drained allowances look like in logs.
//!
//! `Transfer` logs (EIP-20) do not tell who moved the token, so three groups are counted. By recipient, from logs alone: a run of deposits to one
//! contract looks the same, so that the rule excludes the asset's own addresses and the charter's list, and is of class context unless the charter
//! says otherwise. By who sent the transactions, and by the account that they call (the token itself aside): a spender is one of the two, unless
//! other contracts stand between. There an account counts only where somebody else sent the transaction, so that whoever deposits or sells for himself
//! is no victim; it takes the block's transactions, and without them recipients alone are counted. Mints, burns and amounts below the least do
//! not count: anybody can log a transfer of nothing in another's name.
//!
//! Memory: at most [`PAIRS_MAX`] transfers of about 160 bytes a rule, and those of the newest block, equal ones of a block taken together. Every
//! block is judged with all that is in it before anything is forgotten, and what is beyond the bound goes from those on with the fewest victims: a
//! flood hides nobody who takes enough in one block, and over several only where it has that many transfers in the window, each of or to somebody with at
//! least as many victims. A reorg does not bring back what a flood in the orphaned blocks pushed out.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

use alloy_primitives::{Address, B256, U256};
use watchfire_charter::privileged::TRANSFER;
use watchfire_types::{BlockRef, BlockView, Log, Transaction};

use crate::detectors::Evaluation;
use crate::is_settled;

/// Transfers that are kept beyond the block in which they are.
pub(crate) const PAIRS_MAX: usize = 32_768;

/// Who moved the token, where that was not the account itself.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct By {
    sender: Address,
    /// What the transaction calls, but for the token.
    called: Option<Address>,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Way {
    from: Address,
    to: Address,
    by: Option<By>,
}

/// Whom victims are counted for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Taker {
    Recipient(Address),
    Sender(Address),
    Called(Address),
}

impl Way {
    fn takers(&self) -> impl Iterator<Item = Taker> {
        let called = self.by.and_then(|by| by.called).map(Taker::Called);
        let sender = self.by.map(|by| Taker::Sender(by.sender));
        [Some(Taker::Recipient(self.to)), sender, called].into_iter().flatten()
    }
}

struct Block {
    block: BlockRef,
    /// Each way with what went over it.
    moved: Vec<(Way, U256)>,
}

/// Distinct accounts, and what they lost.
type Takings = BTreeMap<Taker, (BTreeSet<Address>, U256)>;

/// What fires, as in `watchfire_charter::Watch::ApprovalDrain`.
pub(crate) struct Bounds {
    pub(crate) token: Address,
    pub(crate) victims: u16,
    pub(crate) window_s: u64,
    pub(crate) least: U256,
    /// Recipients and spenders that do not count, the asset's own among them.
    pub(crate) exclude: BTreeSet<Address>,
}

/// One approval-drain rule.
pub(crate) struct DrainWatch {
    bounds: Bounds,
    /// Transfers kept.
    most: usize,
    /// Blocks of the window with a transfer that counts.
    blocks: VecDeque<Block>,
}

impl DrainWatch {
    pub(crate) fn new(bounds: Bounds) -> Self {
        Self { bounds, most: PAIRS_MAX, blocks: VecDeque::new() }
    }

    pub(crate) fn window_s(&self) -> u64 {
        self.bounds.window_s
    }

    /// The token, and the first topic of its transfers.
    pub(crate) fn key(&self) -> (Address, B256) {
        (self.bounds.token, TRANSFER)
    }

    /// Takes a block with those of its logs that have [`Self::key`], in order; others among them do no harm.
    pub(crate) fn observe<'a>(
        &mut self,
        view: &BlockView,
        logs: impl Iterator<Item = &'a Log>,
        floor: Option<&BlockRef>,
    ) -> Evaluation {
        let moved = self.counting(view, logs);
        if !moved.is_empty() {
            self.blocks.push_back(Block { block: view.block, moved });
        }
        let takings = self.takings(&view.block, floor);
        let evaluation = self.evaluate(&takings);
        self.forget(&view.block, &takings);
        evaluation
    }

    pub(crate) fn rollback(&mut self, to: &BlockRef) {
        while self.blocks.back().is_some_and(|block| block.block.number > to.number) {
            self.blocks.pop_back();
        }
    }

    fn counting<'a>(&self, view: &BlockView, logs: impl Iterator<Item = &'a Log>) -> Vec<(Way, U256)> {
        let Bounds { token, least, exclude, .. } = &self.bounds;
        let mut moved: BTreeMap<Way, U256> = BTreeMap::new();
        let mut sent: Option<BTreeMap<B256, &Transaction>> = None;
        for log in logs.filter(|log| log.address == *token && log.data.len() == 32) {
            let [TRANSFER, from, to] = log.topics[..] else { continue };
            let (from, to) = (Address::from_word(from), Address::from_word(to));
            let amount = U256::from_be_slice(&log.data);
            if from.is_zero() || to.is_zero() || from == to || exclude.contains(&to) || amount < *least {
                continue;
            }
            let sent = sent.get_or_insert_with(|| view.transactions.iter().map(|one| (one.hash, one)).collect());
            let by = sent
                .get(&log.transaction)
                .filter(|one| one.from != from)
                .map(|one| By { sender: one.from, called: one.to.filter(|to| to != token) });
            let by = by.filter(|by| !by.called.is_some_and(|called| exclude.contains(&called)));
            let by = by.filter(|by| !exclude.contains(&by.sender));
            let all = moved.entry(Way { from, to, by }).or_default();
            *all = all.saturating_add(amount);
        }
        moved.into_iter().collect()
    }

    /// Forgets what is in the window of no head that a reorg may leave, and of what is too much that with the fewest victims, least amount and oldest
    /// first.
    fn forget(&mut self, head: &BlockRef, takings: &Takings) {
        let settled = |block: &&Block| is_settled(&block.block, head);
        let newest = self.blocks.iter().rev().find(settled).map(|block| block.block.time.as_secs());
        let starts = newest.map_or(0, |newest| newest.saturating_sub(self.bounds.window_s));
        while self.blocks.front().filter(settled).is_some_and(|oldest| oldest.block.time.as_secs() <= starts) {
            self.blocks.pop_front();
        }
        let kept: usize = self.blocks.iter().map(|block| block.moved.len()).sum();
        let Some(excess) = kept.checked_sub(self.most).filter(|excess| *excess > 0) else { return };
        let victims = |taker| takings.get(&taker).map_or(0, |(victims, _): &(BTreeSet<Address>, U256)| victims.len());
        let ways = self.blocks.iter().zip(0_usize..).flat_map(|(block, at)| {
            let ranked = move |(way, amount): &(Way, U256)| (way.takers().map(victims).max(), *amount, at, *way);
            block.moved.iter().map(ranked)
        });
        let mut ranked: Vec<_> = ways.collect();
        ranked.sort_unstable();
        let gone: BTreeSet<(usize, Way)> = ranked.into_iter().take(excess).map(|(.., at, way)| (at, way)).collect();
        for (block, at) in self.blocks.iter_mut().zip(0_usize..) {
            block.moved.retain(|(way, _)| !gone.contains(&(at, *way)));
        }
        self.blocks.retain(|block| !block.moved.is_empty());
    }

    fn takings(&self, head: &BlockRef, floor: Option<&BlockRef>) -> Takings {
        let starts = head.time.as_secs().saturating_sub(self.bounds.window_s);
        let mut takings = Takings::new();
        for block in self.blocks.iter().rev() {
            let over = floor.is_some_and(|floor| block.block.number <= floor.number);
            if over || block.block.time.as_secs() <= starts {
                break;
            }
            for (way, amount) in &block.moved {
                for taker in way.takers() {
                    let (victims, taken) = takings.entry(taker).or_default();
                    victims.insert(way.from);
                    *taken = taken.saturating_add(*amount);
                }
            }
        }
        takings
    }

    fn evaluate(&self, takings: &Takings) -> Evaluation {
        // Of several, the one with the most victims, then recipients before spenders, then the lowest address.
        let most = takings.iter().max_by_key(|(taker, (victims, _))| (victims.len(), Reverse(**taker)));
        match most.filter(|(_, (victims, _))| victims.len() >= usize::from(self.bounds.victims)) {
            Some((taker, (victims, taken))) => self.fires(*taker, victims.len(), *taken),
            None => Evaluation::Quiet,
        }
    }

    fn fires(&self, taker: Taker, victims: usize, taken: U256) -> Evaluation {
        let Bounds { token, window_s, .. } = &self.bounds;
        let (way, figure, account) = match taker {
            Taker::Recipient(to) => ("to", "recipient", to),
            Taker::Sender(sender) => ("in transactions that were not theirs, of", "sender", sender),
            Taker::Called(called) => ("in transactions that were not theirs, to", "spender", called),
        };
        Evaluation::Fires {
            explanation: format!(
                "{taken} base units of {token} went from {victims} accounts {way} {account} within {window_s} s; {} are a drain",
                self.bounds.victims
            ),
            figures: BTreeMap::from([
                ("token".to_owned(), token.to_string()),
                (figure.to_owned(), account.to_string()),
                ("victims".to_owned(), victims.to_string()),
                ("victims_allowed".to_owned(), self.bounds.victims.saturating_sub(1).to_string()),
                ("amount".to_owned(), taken.to_string()),
                ("window_s".to_owned(), window_s.to_string()),
            ]),
        }
    }
}

#[cfg(test)]
mod tests;
