//! More of something in a window of block time than in the windows before it.
//!
//! Windows begin at whole multiples of their length since 1970, and the newest one, though it is not over, is held against whole ones: every
//! node that knows them says the same of a block, whenever it was started. One that does not know them all says nothing; so does
//! everybody for the rest of the window in which a recovery was executed.
//!
//! The bounds are those that ordinary days do not move: the median and the median absolute deviation, whose worst windows do not
//! count; and an average in 32 binary places. Below the floor nothing fires, however quiet it was before.
//!
//! Memory: an entry for each window, and for each of the 65 newest blocks.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use alloy_primitives::{Address, U256, U512};
use watchfire_charter::expression::NoAnswer;
use watchfire_charter::privileged::TRANSFER;
use watchfire_charter::{Ewma, Rate, Rated};
use watchfire_types::{BlockRef, BlockView, Log, Read, Transaction};

use crate::detectors::Evaluation;
use crate::expression::{ANY_CALL, EXPLANATION_MAX, Key, cut};
use crate::is_settled;
use crate::outflow::holding_read;

/// Basis points in the whole.
const BPS: u64 = 10_000;
/// Binary places of the average.
const PLACES: usize = 32;
/// Most characters of what is measured in an explanation.
const NAME_MAX: usize = 160;

struct Sample {
    block: BlockRef,
    /// What was counted or summed since this rule began, or the balance that falls; `None` where it was not answered. Wider than what is
    /// summed, so that no sum of a month leaves it.
    level: Option<U512>,
}

/// One rate rule.
pub(crate) struct RateWatch {
    rule: Rate,
    group: BTreeSet<Address>,
    /// Block after block; of those that no reorg takes back only the last of each window.
    samples: VecDeque<Sample>,
    undecodable: u64,
}

/// What the windows before come to.
struct Before {
    median: U512,
    deviation: U512,
}

impl RateWatch {
    pub(crate) fn new(rule: Rate, group: BTreeSet<Address>) -> Self {
        Self { rule, group, samples: VecDeque::new(), undecodable: 0 }
    }

    pub(crate) fn span_s(&self) -> u64 {
        self.rule.span_s()
    }

    pub(crate) fn reads(&self) -> impl Iterator<Item = Read> {
        let held = matches!(self.rule.of, Rated::Outflow { token: None });
        self.group.iter().filter(move |_| held).map(|account| holding_read(None, *account))
    }

    /// By what its logs or transactions are found; balances have none.
    pub(crate) fn key(&self) -> Option<Key> {
        match &self.rule.of {
            Rated::Events { address, topic, .. } => Some(Key::Log(*address, *topic)),
            Rated::Value { address, event, .. } => Some(Key::Log(*address, event.topic()?)),
            Rated::Transactions { address } => Some(Key::Transaction(*address, ANY_CALL)),
            Rated::Outflow { token } => token.map(|token| Key::Log(token, TRANSFER)),
        }
    }

    /// Whether it is about transactions.
    pub(crate) fn is_about_transactions(&self) -> bool {
        matches!(self.rule.of, Rated::Transactions { .. })
    }

    /// Logs that were not as the charter declares the event, since this rule began.
    pub(crate) fn unanswered(&self) -> impl Iterator<Item = (NoAnswer, u64)> {
        (self.undecodable > 0).then_some((NoAnswer::Undecodable, self.undecodable)).into_iter()
    }

    /// Whether it lacks windows to compare the newest one with.
    pub(crate) fn is_learning(&self) -> bool {
        let first = self.samples.back().and_then(|now| self.window(&now.block).checked_sub(self.windows()));
        first.is_none_or(|first| self.before(first).is_none())
    }

    /// Takes a block with those of its logs or transactions, in order, that have [`Self::key`]; others among them do no harm.
    pub(crate) fn observe<'a>(
        &mut self,
        view: &BlockView,
        logs: impl Iterator<Item = &'a Log>,
        transactions: impl Iterator<Item = &'a Transaction>,
        floor: Option<&BlockRef>,
    ) -> Evaluation {
        // Blocks are missing in between: nothing is known of the windows that they belong to.
        if self.samples.back().is_some_and(|newest| newest.block.hash != view.parent) {
            self.samples.clear();
        }
        let level = self.level(view, logs, transactions);
        self.samples.push_back(Sample { block: view.block, level });
        self.forget(&view.block);
        self.evaluate(&view.block, floor)
    }

    pub(crate) fn rollback(&mut self, to: &BlockRef) {
        while self.samples.back().is_some_and(|sample| sample.block.number > to.number) {
            self.samples.pop_back();
        }
        // Deeper than what is kept: what the windows held then is gone.
        if self.samples.back().is_some_and(|newest| newest.block != *to) {
            self.samples.clear();
        }
    }

    fn windows(&self) -> u64 {
        u64::from(self.rule.windows)
    }

    fn window(&self, block: &BlockRef) -> u64 {
        block.time.as_secs() / self.rule.window_s.max(1)
    }

    fn level<'a>(
        &mut self,
        view: &BlockView,
        logs: impl Iterator<Item = &'a Log>,
        transactions: impl Iterator<Item = &'a Transaction>,
    ) -> Option<U512> {
        let key = self.key();
        let logs = logs.filter(|log| key == log.topics.first().map(|topic| Key::Log(log.address, *topic)));
        let mut undecodable = 0_u64;
        let more = match &self.rule.of {
            Rated::Events { .. } => U512::from(logs.count()),
            Rated::Transactions { address } => U512::from(transactions.filter(|one| one.to == Some(*address)).count()),
            Rated::Value { event, field, .. } => {
                let one = |sum: U512, log: &Log| match event.number(field, log, &view.block) {
                    Ok(number) => sum.saturating_add(U512::from(number)),
                    Err(_) => {
                        undecodable += 1;
                        sum
                    }
                };
                logs.fold(U512::ZERO, one)
            }
            Rated::Outflow { token: Some(_) } => left(&self.group, logs),
            Rated::Outflow { token: None } => return self.balance(view).map(U512::from),
        };
        self.undecodable = self.undecodable.saturating_add(undecodable);
        let so_far = self.samples.back().and_then(|newest| newest.level).unwrap_or_default();
        Some(so_far.saturating_add(more))
    }

    fn balance(&self, view: &BlockView) -> Option<U256> {
        self.reads().try_fold(U256::ZERO, |sum, read| sum.checked_add(view.reads.get(&read)?.word()?))
    }

    /// Keeps of the settled blocks the last of each window that a head which a reorg may leave compares with, and the one before them.
    fn forget(&mut self, head: &BlockRef) {
        let mut settled = self.samples.partition_point(|sample| is_settled(&sample.block, head));
        while settled >= 2
            && self.window(&self.samples[settled - 2].block) == self.window(&self.samples[settled - 1].block)
        {
            self.samples.remove(settled - 2);
            settled -= 1;
        }
        let Some(newest) = settled.checked_sub(1).map(|last| self.window(&self.samples[last].block)) else { return };
        let first = newest.saturating_sub(self.windows());
        while settled >= 2 && self.window(&self.samples[1].block) < first {
            self.samples.pop_front();
            settled -= 1;
        }
    }

    /// The newest block before a window.
    fn before(&self, window: u64) -> Option<&Sample> {
        let after = self.samples.partition_point(|sample| self.window(&sample.block) < window);
        self.samples.get(after.checked_sub(1)?)
    }

    /// What happened between two blocks; `None` where either was not answered.
    fn between(&self, earlier: &Sample, later: &Sample) -> Option<U512> {
        let (earlier, later) = (earlier.level?, later.level?);
        Some(match self.rule.of {
            Rated::Outflow { token: None } => earlier.saturating_sub(later),
            _ => later.saturating_sub(earlier),
        })
    }

    fn evaluate(&self, head: &BlockRef, floor: Option<&BlockRef>) -> Evaluation {
        let window = self.window(head);
        if floor.is_some_and(|floor| self.window(floor) >= window) {
            return Evaluation::Quiet;
        }
        let (Some(now), false) = (self.samples.back(), self.is_learning()) else { return Evaluation::Unknown };
        let Some(figure) = self.before(window).and_then(|start| self.between(start, now)) else {
            return Evaluation::Unknown;
        };
        if figure <= U512::from(self.rule.floor) {
            return Evaluation::Quiet;
        }
        let whole = (window.saturating_sub(self.windows())..window)
            .map(|window| self.between(self.before(window)?, self.before(window + 1)?));
        let Some(whole) = whole.collect::<Option<Vec<U512>>>() else { return Evaluation::Unknown };
        self.compare(window, figure, &whole)
    }

    /// Holds the newest window against those before it, oldest first.
    fn compare(&self, window: u64, figure: U512, whole: &[U512]) -> Evaluation {
        let before = Before::of(whole);
        let average = self.rule.ewma.map(|ewma| average(ewma, whole));
        let most = self.rule.deviations.map(|deviations| {
            let many = before.deviation.saturating_mul(U512::from(deviations));
            before.median.saturating_add(many)
        });
        let above = most.is_none_or(|most| figure > most);
        let limit = average
            .zip(self.rule.ewma)
            .map(|(average, ewma)| average.saturating_mul(U512::from(ewma.limit_bps)) / (U512::from(BPS) << PLACES));
        if !above || limit.is_some_and(|limit| figure <= limit) {
            return Evaluation::Quiet;
        }
        let (from, until) =
            (window.saturating_mul(self.rule.window_s), (window + 1).saturating_mul(self.rule.window_s));
        let (median, deviation) = (shown(before.median), shown(before.deviation));
        let figure = shown(figure);
        let mut bounds = Vec::new();
        let mut figures = BTreeMap::from([
            ("figure".to_owned(), figure.to_string()),
            ("floor".to_owned(), self.rule.floor.to_string()),
            ("window_from".to_owned(), from.to_string()),
            ("window_until".to_owned(), until.to_string()),
            ("windows".to_owned(), self.rule.windows.to_string()),
            ("median".to_owned(), median.to_string()),
            ("deviation".to_owned(), deviation.to_string()),
        ]);
        if let Some((deviations, most)) = self.rule.deviations.zip(most) {
            let most = shown(most);
            bounds.push(format!("limit {most} ({deviations} deviations)"));
            figures.insert("limit".to_owned(), most.to_string());
        }
        if let Some((average, limit)) = average.zip(limit) {
            let (average, limit) = (shown(average >> PLACES), shown(limit));
            bounds.push(format!("limit {limit} for an average of {average}"));
            figures.insert("average".to_owned(), average.to_string());
            figures.insert("average_limit".to_owned(), limit.to_string());
        }
        let name: String = self.rule.of.name().chars().take(NAME_MAX).collect();
        let explanation = format!(
            "{figure} {name} in the window {from} to {until} so far; in the {} before it a median of {median}, median deviation {deviation}; {}; \
             floor {}",
            self.rule.windows,
            bounds.join(", "),
            self.rule.floor
        );
        Evaluation::Fires { explanation: cut(&explanation, EXPLANATION_MAX), figures }
    }
}

impl Before {
    fn of(whole: &[U512]) -> Self {
        let median = median(whole.to_vec());
        let deviations = whole.iter().map(|figure| figure.abs_diff(median)).collect();
        Self { median, deviation: self::median(deviations) }
    }
}

/// For people: what leaves 256 bits is as good as the most that they hold.
fn shown(figure: U512) -> U256 {
    U256::saturating_from(figure)
}

/// The middle one; of two the half of their sum, rounded down.
fn median(mut figures: Vec<U512>) -> U512 {
    figures.sort_unstable();
    let half = figures.len() / 2;
    let at = |index: usize| figures.get(index).copied().unwrap_or_default();
    if figures.len() % 2 == 1 { at(half) } else { at(half.saturating_sub(1)).saturating_add(at(half)) >> 1 }
}

/// The average of the windows, oldest first, in so many binary places: below 2^330, whatever they hold.
fn average(ewma: Ewma, whole: &[U512]) -> U512 {
    let (new, old) = (U512::from(ewma.weight_bps), U512::from(BPS.saturating_sub(u64::from(ewma.weight_bps))));
    let mut figures = whole.iter().map(|figure| *figure << PLACES);
    let oldest = figures.next().unwrap_or_default();
    figures.fold(oldest, |average, figure| (average * old + figure * new) / U512::from(BPS))
}

/// What a block's transfers took out of the group beyond what they brought: a loan that comes back in its block is nothing.
fn left<'a>(group: &BTreeSet<Address>, logs: impl Iterator<Item = &'a Log>) -> U512 {
    let (mut out, mut into) = (U512::ZERO, U512::ZERO);
    for log in logs {
        let [TRANSFER, from, to] = log.topics[..] else { continue };
        if log.data.len() != 32 {
            continue;
        }
        let amount = U512::from(U256::from_be_slice(&log.data));
        match (group.contains(&Address::from_word(from)), group.contains(&Address::from_word(to))) {
            (true, false) => out = out.saturating_add(amount),
            (false, true) => into = into.saturating_add(amount),
            (true, true) | (false, false) => {}
        }
    }
    out.saturating_sub(into)
}

#[cfg(test)]
mod tests;
