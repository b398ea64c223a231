//! A release on one chain that has no event of its own on the other: what a bridge pays out though nobody locked it there.
//!
//! Both events are known by the words of their listed parameters, such as a message's number and its amount. A release is looked at once it is `lag_s` back, and
//! is *forged* where the other chain, final past its time and the skew, had no such event in the time that a message takes at most before it. Where the other
//! chain is not final so far, or not all events of either side are known from so early on (a gap, more than are remembered, one that is not as declared),
//! nothing is said of any, so that every node that judges a block says the same.
//!
//! Memory: the newest [`EVENTS_MAX`] events of each side, 120 bytes each, and for those of the other chain as much again for their index.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use alloy_primitives::{Address, B256, keccak256};
use watchfire_charter::Release;
use watchfire_charter::expression::{NoAnswer, Subject};
use watchfire_types::{BlockRef, BlockTime, BlockView, ChainId, Log};

use crate::detectors::Evaluation;
use crate::is_settled;

/// Events of either side that are remembered.
pub(crate) const EVENTS_MAX: usize = 16_384;

/// One that was emitted: its block, the digest of the words that it is known by, and its transaction.
#[derive(Clone, Copy)]
struct Event {
    block: BlockRef,
    words: B256,
    transaction: B256,
}

/// Events of one chain.
#[derive(Default)]
struct Events {
    /// In the order of their blocks.
    all: VecDeque<Event>,
    /// Between two blocks without a gap, the newest of them the last seen. Whatever was emitted in the second of the first one, or before it, may be missing.
    known: Option<(BlockRef, BlockRef)>,
}

/// The digest of the words that an event is known by, and its transaction.
type Known = Result<(B256, B256), NoAnswer>;

/// What came of a block's events.
struct Taken {
    /// Those that are not remembered any more.
    gone: Vec<Event>,
    undecodable: u64,
}

impl Events {
    /// Takes the next block with its events.
    fn take(&mut self, block: BlockRef, found: Vec<Known>) -> Taken {
        let goes_on = self.known.filter(|(_, newest)| newest.number.checked_add(1) == Some(block.number));
        let mut gone: Vec<Event> = if goes_on.is_some() { Vec::new() } else { self.all.drain(..).collect() };
        let mut first = goes_on.map_or(block, |(first, _)| first);
        let undecodable = found.iter().filter(|found| found.is_err()).count() as u64;
        let known = found.into_iter().flatten();
        self.all.extend(known.map(|(words, transaction)| Event { block, words, transaction }));
        if undecodable > 0 {
            first = block;
        }
        while self.all.len() > EVENTS_MAX {
            let Some(oldest) = self.all.pop_front() else { break };
            // Both are blocks of this chain, in which time never goes back.
            first = if oldest.block.number > first.number { oldest.block } else { first };
            gone.push(oldest);
        }
        self.known = Some((first, block));
        Taken { gone, undecodable }
    }

    /// Whether every event from a time to another, both included, is known.
    fn is_known(&self, from: BlockTime, to: BlockTime) -> bool {
        self.known.is_some_and(|(first, newest)| first.time < from && newest.time > to)
    }

    /// Forgets every block above `to`.
    fn rollback(&mut self, to: &BlockRef) {
        self.all.retain(|event| event.block.number <= to.number);
        self.known = self.known.filter(|(first, _)| first.number <= to.number);
        self.known = self.known.map(|(first, newest)| (first, if newest.number > to.number { *to } else { newest }));
    }
}

/// One rule about releases.
pub(crate) struct ReleaseWatch {
    rule: Release,
    own: ChainId,
    elsewhere: ChainId,
    released: Events,
    locked: Events,
    /// The latter by its words, time in seconds and block.
    index: BTreeSet<(B256, u64, u64)>,
    /// Time of the other chain's newest final block.
    passed: Option<BlockTime>,
    undecodable: u64,
}

impl ReleaseWatch {
    pub(crate) fn new(rule: Release, own: ChainId, elsewhere: ChainId) -> Self {
        Self {
            rule,
            own,
            elsewhere,
            released: Events::default(),
            locked: Events::default(),
            index: BTreeSet::new(),
            passed: None,
            undecodable: 0,
        }
    }

    /// How far it looks back, seconds of block time.
    pub(crate) fn span_s(&self) -> u64 {
        self.rule.span_s()
    }

    /// The log of its own chain that it is about.
    pub(crate) fn key(&self) -> Option<(Address, B256)> {
        Some((self.rule.address, self.rule.event.topic()?))
    }

    /// How often an event was not as declared.
    pub(crate) fn unanswered(&self) -> impl Iterator<Item = (NoAnswer, u64)> {
        Some((NoAnswer::Undecodable, self.undecodable)).filter(|(_, count)| *count > 0).into_iter()
    }

    /// Takes a block of any chain. Where both assets are on one, as only in a trial, there is nothing to look for.
    pub(crate) fn hear(&mut self, view: &BlockView) {
        let block = view.block;
        if block.chain != self.elsewhere || self.own == self.elsewhere {
            return;
        }
        let event = &self.rule.elsewhere_event;
        let topic = event.topic();
        let own = |log: &&Log| log.address == self.rule.elsewhere_address && log.topics.first().copied() == topic;
        let found = view.logs.iter().filter(own).map(|log| known_by(event, self.rule.same.values(), log)).collect();
        let Taken { gone, undecodable } = self.locked.take(block, found);
        self.undecodable = self.undecodable.saturating_add(undecodable);
        self.index.extend(self.locked.all.iter().rev().take_while(|event| event.block == block).map(entry));
        // One of the same block and words may be left: of that block nothing is known any more.
        for event in &gone {
            self.index.remove(&entry(event));
        }
    }

    /// Takes that a block of any chain is final.
    pub(crate) fn hear_final(&mut self, block: &BlockRef) {
        if block.chain == self.elsewhere {
            self.passed = self.passed.max(Some(block.time));
        }
    }

    /// Takes and judges a block of its own chain, with those of its logs that have [`Self::key`]. A release up to a recovery is no reason to contain again.
    pub(crate) fn observe<'a>(
        &mut self,
        view: &BlockView,
        logs: impl Iterator<Item = &'a Log>,
        floor: Option<&BlockRef>,
    ) -> Evaluation {
        let found = logs.map(|log| known_by(&self.rule.event, self.rule.same.keys(), log)).collect();
        let Taken { undecodable, .. } = self.released.take(view.block, found);
        self.undecodable = self.undecodable.saturating_add(undecodable);
        self.forget(&view.block);
        let back = |seconds: u64| BlockTime::from_secs(view.block.time.as_secs().saturating_sub(seconds));
        let (from, to) = (back(self.rule.lag_s.saturating_add(self.rule.stands_s)), back(self.rule.lag_s));
        if !self.released.is_known(from, to) {
            return Evaluation::Unknown;
        }
        let looked_at = |event: &&Event| {
            (from..=to).contains(&event.block.time) && floor.is_none_or(|floor| event.block.number > floor.number)
        };
        let (mut first, mut count) = (None, 0_u64);
        for release in self.released.all.iter().filter(looked_at) {
            match self.is_forged(release) {
                None => return Evaluation::Unknown,
                Some(true) => {
                    first = first.or(Some(release));
                    count += 1;
                }
                Some(false) => {}
            }
        }
        first.map_or(Evaluation::Quiet, |first| self.tell(first, count))
    }

    /// Whether a release has no event on the other chain; `None` where that is not known.
    fn is_forged(&self, release: &Event) -> Option<bool> {
        let until = release.block.time.plus_secs(self.rule.skew_s);
        let from = BlockTime::from_secs(release.block.time.as_secs().saturating_sub(self.rule.within_s));
        let known = self.passed? > until && self.locked.is_known(from, until);
        let times = (release.words, from.as_secs(), 0)..=(release.words, until.as_secs(), u64::MAX);
        known.then(|| self.index.range(times).next().is_none())
    }

    /// Forgets every block above `to` of that chain.
    pub(crate) fn rollback(&mut self, to: &BlockRef) {
        if to.chain == self.own {
            self.released.rollback(to);
        }
        if to.chain == self.elsewhere {
            self.locked.rollback(to);
            self.index.retain(|(_, _, number)| *number <= to.number);
        }
    }

    /// What no reorg brings back and no block looks at any more is dropped.
    fn forget(&mut self, head: &BlockRef) {
        let released = &mut self.released.all;
        let settled = released.partition_point(|event| is_settled(&event.block, head));
        let newest = settled.checked_sub(1).and_then(|last| released.get(last)).map(|event| event.block.time);
        let stands_s = self.rule.lag_s.saturating_add(self.rule.stands_s);
        let is_old = |event: &Event| newest.is_some_and(|newest| newest.secs_since(event.block.time) > stands_s);
        released.drain(..released.partition_point(is_old));
    }

    fn tell(&self, first: &Event, count: u64) -> Evaluation {
        let Release { event, elsewhere, .. } = &self.rule;
        let (number, transaction) = (first.block.number, first.transaction);
        let explanation = format!(
            "{count} release(s) that {elsewhere} on chain {} knows nothing of, first {:.80} at block {number} in transaction {transaction}",
            self.elsewhere,
            event.name()
        );
        let figures = BTreeMap::from([
            ("event_block".to_owned(), number.to_string()),
            ("count".to_owned(), count.to_string()),
            ("transaction".to_owned(), transaction.to_string()),
            ("elsewhere".to_owned(), elsewhere.to_string()),
            ("elsewhere_chain".to_owned(), self.elsewhere.to_string()),
        ]);
        Evaluation::Fires { explanation, figures }
    }
}

/// By what an event of the other chain is found.
fn entry(event: &Event) -> (B256, u64, u64) {
    (event.words, event.block.time.as_secs(), event.block.number)
}

fn known_by<'a>(event: &Subject, fields: impl Iterator<Item = &'a String>, log: &Log) -> Known {
    let mut words = Vec::new();
    for field in fields {
        words.extend(event.word(field, log)?);
    }
    Ok((keccak256(words), log.transaction))
}

#[cfg(test)]
mod tests;
