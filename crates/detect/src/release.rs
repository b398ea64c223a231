//! A release on one chain that has no event of its own on the other: what a bridge pays out though nobody locked it there, or pays out twice.
//!
//! Both events are known by the words of their listed parameters, such as a message's number and its amount. A release is looked at once it is `lag_s` back, and
//! is *forged* where the other chain, final past its time and the skew, had no such event in the time that a message takes at most before it. Each event there
//! stands for one release: those of the same words that can have had an event of this one's time take the earliest that is left for each, in the order
//! of their chain, and where nothing is left for this one it is one *again*. What others took is worked out anew for each release from those alone whose times can
//! have had an event in common with it, so that it does not depend on how long a node has been looking. Where the other
//! chain is not final so far, or not all events of either side are known from so early on (a gap, more than are remembered, one that is not as declared),
//! nothing is said of any, so that every node that judges a block says the same.
//!
//! Memory: the newest [`EVENTS_MAX`] events of each side, 128 bytes each, and for those of the other chain half as much again for their index. Time: a release is held
//! against the newest [`SAME_MAX`] before it of the same words. One that is again is found however many others are, since they take nothing; where more than so many had
//! events of their own an older one's may count as left for it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use alloy_primitives::{Address, B256, keccak256};
use watchfire_charter::Release;
use watchfire_charter::expression::{NoAnswer, Subject};
use watchfire_types::{BlockRef, BlockTime, BlockView, ChainId, Log};

use crate::detectors::Evaluation;
use crate::is_settled;

/// Events of either side that are remembered.
pub(crate) const EVENTS_MAX: usize = 16_384;

/// Earlier releases of the same words that one is held against.
const SAME_MAX: usize = 64;

/// One that was emitted: its block, the digest of the words that it is known by, its transaction, and its place among those of its block.
#[derive(Clone, Copy)]
struct Event {
    block: BlockRef,
    words: B256,
    transaction: B256,
    place: u32,
}

/// By what an event of the other chain is found: its words, its time in seconds, its block and its place there.
type Entry = (B256, u64, u64, u32);

/// What a release rests on.
enum Backing {
    /// An event of its own.
    Own,
    /// No event.
    Nothing,
    /// Events that are all taken by releases before it.
    Taken,
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
        let events = known.zip(0..).map(|((words, transaction), place)| Event { block, words, transaction, place });
        self.all.extend(events);
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

    /// Whether every event from a time on is known.
    fn is_known_from(&self, from: BlockTime) -> bool {
        self.known.is_some_and(|(first, _)| first.time < from)
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
    /// The latter.
    index: BTreeSet<Entry>,
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
        let looked_at = |event: &Event| {
            (from..=to).contains(&event.block.time) && floor.is_none_or(|floor| event.block.number > floor.number)
        };
        if !self.released.all.iter().any(looked_at) {
            return Evaluation::Quiet;
        }
        let (mut first, mut count, mut again) = (None, 0_u64, 0_u64);
        // Of each words the newest releases so far.
        let mut before = BTreeMap::<B256, VecDeque<&Event>>::new();
        for release in self.released.all.iter().take_while(|event| event.block.time <= to) {
            let before = before.entry(release.words).or_default();
            if looked_at(release) {
                let Some(backing) = self.backing(release, before) else { return Evaluation::Unknown };
                if !matches!(backing, Backing::Own) {
                    first = first.or(Some(release));
                    count += 1;
                    again += u64::from(matches!(backing, Backing::Taken));
                }
            }
            before.push_back(release);
            if before.len() > SAME_MAX {
                before.pop_front();
            }
        }
        first.map_or(Evaluation::Quiet, |first| self.tell(first, count, again))
    }

    /// The earliest event that can be a release's own.
    fn earliest(&self, release: &Event) -> BlockTime {
        BlockTime::from_secs(release.block.time.as_secs().saturating_sub(self.rule.within_s))
    }

    /// The latest.
    fn latest(&self, release: &Event) -> BlockTime {
        release.block.time.plus_secs(self.rule.skew_s)
    }

    /// What a release rests on, with the newest of the same words before it; `None` where that is not known.
    fn backing(&self, release: &Event, before: &VecDeque<&Event>) -> Option<Backing> {
        let until = self.latest(release);
        // Those before this time can have had no event that this one can have.
        let reach = self.earliest(release).as_secs().saturating_sub(self.rule.skew_s);
        let rivals = || before.iter().copied().filter(|rival| rival.block.time.as_secs() >= reach);
        let from = self.earliest(rivals().next().unwrap_or(release));
        let own = self.released.is_known_from(BlockTime::from_secs(reach));
        if !own || self.passed? <= until || !self.locked.is_known(from, until) {
            return None;
        }
        let mut taken: Option<Entry> = None;
        for rival in rivals() {
            taken = self.next(rival, taken).or(taken);
        }
        Some(match (self.next(release, taken), self.next(release, None)) {
            (Some(_), _) => Backing::Own,
            (None, Some(_)) => Backing::Taken,
            (None, None) => Backing::Nothing,
        })
    }

    /// The earliest event that can be a release's own, after those that are taken.
    fn next(&self, release: &Event, taken: Option<Entry>) -> Option<Entry> {
        let words = release.words;
        let after = taken.map(|(words, time, number, place)| (words, time, number, place.saturating_add(1)));
        let least = after.max(Some((words, self.earliest(release).as_secs(), 0, 0)))?;
        let most = (words, self.latest(release).as_secs(), u64::MAX, u32::MAX);
        // Where a chain's time went back nothing is left of it.
        if least > most { None } else { self.index.range(least..=most).next().copied() }
    }

    /// Forgets every block above `to` of that chain.
    pub(crate) fn rollback(&mut self, to: &BlockRef) {
        if to.chain == self.own {
            self.released.rollback(to);
        }
        if to.chain == self.elsewhere {
            self.locked.rollback(to);
            self.index.retain(|(_, _, number, _)| *number <= to.number);
        }
    }

    /// What no reorg brings back and no block looks at any more, nor can share an event with what one looks at, is dropped.
    fn forget(&mut self, head: &BlockRef) {
        let released = &mut self.released.all;
        let settled = released.partition_point(|event| is_settled(&event.block, head));
        let newest = settled.checked_sub(1).and_then(|last| released.get(last)).map(|event| event.block.time);
        let Release { lag_s, stands_s, within_s, skew_s, .. } = self.rule;
        let back_s = [lag_s, stands_s, within_s, skew_s].into_iter().fold(0, u64::saturating_add);
        let is_old = |event: &Event| newest.is_some_and(|newest| newest.secs_since(event.block.time) > back_s);
        released.drain(..released.partition_point(is_old));
    }

    fn tell(&self, first: &Event, count: u64, again: u64) -> Evaluation {
        let Release { event, elsewhere, .. } = &self.rule;
        let (number, transaction) = (first.block.number, first.transaction);
        let there = format!("{elsewhere} on chain {}", self.elsewhere);
        let what = match again {
            0 => format!("that {there} knows nothing of"),
            again if again == count => format!("of what was released before and {there} knows but once"),
            again => format!("that {there} does not account for, {again} of them of what was released before"),
        };
        let explanation = format!(
            "{count} release(s) {what}, first {:.80} at block {number} in transaction {transaction}",
            event.name()
        );
        let figures = BTreeMap::from([
            ("event_block".to_owned(), number.to_string()),
            ("count".to_owned(), count.to_string()),
            ("again".to_owned(), again.to_string()),
            ("transaction".to_owned(), transaction.to_string()),
            ("elsewhere".to_owned(), elsewhere.to_string()),
            ("elsewhere_chain".to_owned(), self.elsewhere.to_string()),
        ]);
        Evaluation::Fires { explanation, figures }
    }
}

fn entry(event: &Event) -> Entry {
    (event.words, event.block.time.as_secs(), event.block.number, event.place)
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
