//! A market that begins with little in it: it fires at the block that lists it and stands for a stated time.
//!
//! Whoever owns nearly all of a market's token sets by a gift what one is worth, and rounding pays him the rest (Hundred Finance, April 2023; Sonne Finance,
//! May 2024); so a market is begun with some that nobody can take out. What counts is what came into being in the block that lists it less what ended
//! there, by the token's own transfers from nobody and to nobody, or from and to itself where a token keeps its books so (Compound v2): a token that
//! existed before it was listed has more than that.
//!
//! Memory: 65 blocks with such a listing. Time: a look at each log of a block that lists one.

use alloy_primitives::{Address, B256, U256};
use watchfire_charter::ThinMarket;
use watchfire_charter::expression::NoAnswer;
use watchfire_charter::privileged::TRANSFER;
use watchfire_types::{BlockRef, BlockView, Log};

use crate::abi::address;
use crate::detectors::Evaluation;
use crate::sightings::Sightings;

/// Markets of one block that begin with too little: the first, and how many.
struct Seen {
    market: Address,
    supply: U256,
    transaction: B256,
    count: u64,
}

/// One rule about new markets.
pub(crate) struct MarketWatch {
    rule: ThinMarket,
    undecodable: u64,
    seen: Sightings<Seen>,
}

impl MarketWatch {
    pub(crate) fn new(rule: ThinMarket) -> Self {
        let seen = Sightings::new(rule.stands_s);
        Self { rule, undecodable: 0, seen }
    }

    pub(super) fn seen(&self) -> &Sightings<impl Sized> {
        &self.seen
    }

    pub(super) fn keys(&self) -> Vec<(Address, B256)> {
        self.rule.event.topic().map(|topic| (self.rule.address, topic)).into_iter().collect()
    }

    pub(super) fn unanswered(&self) -> Option<(NoAnswer, u64)> {
        (self.undecodable > 0).then_some((NoAnswer::Undecodable, self.undecodable))
    }

    /// Takes a block with the logs that list a market; what is made of its token is looked for among all of the block's.
    pub(super) fn observe<'a>(
        &mut self,
        view: &BlockView,
        logs: impl Iterator<Item = &'a Log>,
        floor: Option<&BlockRef>,
    ) -> Evaluation {
        let mut seen: Option<Seen> = None;
        let topic = self.rule.event.topic();
        for log in logs.filter(|log| log.address == self.rule.address && log.topics.first() == topic.as_ref()) {
            let named = self.rule.event.word(&self.rule.market, log).ok();
            let Some(market) = named.and_then(|word| address(&word)) else {
                self.undecodable = self.undecodable.saturating_add(1);
                continue;
            };
            let supply = made(market, view);
            if supply < self.rule.floor {
                let first = seen.get_or_insert(Seen { market, supply, transaction: log.transaction, count: 0 });
                first.count += 1;
            }
        }
        self.seen.take(&view.block, seen);
        let standing = self.seen.standing(&view.block, floor);
        standing.map_or(Evaluation::Quiet, |(block, seen)| seen.tell(block.number, &self.rule))
    }

    pub(super) fn rollback(&mut self, to: &BlockRef) {
        self.seen.rollback(to);
    }
}

/// What came into being of a token in a block beyond what ended there.
fn made(token: Address, view: &BlockView) -> U256 {
    let nobody = |word: &B256| address(word).is_some_and(|of| of.is_zero() || of == token);
    let (mut into, mut out) = (U256::ZERO, U256::ZERO);
    for log in view.logs.iter().filter(|log| log.address == token) {
        let [TRANSFER, from, to] = &log.topics[..] else { continue };
        let Some(amount) = log.data.get(..32).map(U256::from_be_slice) else { continue };
        match (nobody(from), nobody(to)) {
            (true, false) => into = into.saturating_add(amount),
            (false, true) => out = out.saturating_add(amount),
            (true, true) | (false, false) => {}
        }
    }
    into.saturating_sub(out)
}

/// Whether a log is one by which [`made`] is worked out, of whatever token.
pub(crate) fn makes_or_ends(address: &Address, topics: &[B256]) -> bool {
    let nobody = |word: &B256| self::address(word).is_some_and(|of| of.is_zero() || of == *address);
    matches!(topics, [TRANSFER, from, to] if nobody(from) != nobody(to))
}

impl Seen {
    fn tell(&self, block: u64, rule: &ThinMarket) -> Evaluation {
        let Self { market, supply, transaction, count } = self;
        let more = if *count > 1 { format!(", and {} more such in it", count - 1) } else { String::new() };
        Evaluation::Fires {
            explanation: format!(
                "{} lists {market} with {supply} base units of it (floor {}), in transaction {transaction} of block {block}{more}",
                rule.address, rule.floor
            ),
            figures: super::figures([
                ("lister", rule.address.to_string()),
                ("market", market.to_string()),
                ("supply", supply.to_string()),
                ("floor", rule.floor.to_string()),
                ("transaction", transaction.to_string()),
                ("event_block", block.to_string()),
                ("count", count.to_string()),
            ]),
        }
    }
}

#[cfg(test)]
#[path = "market_tests.rs"]
mod tests;
