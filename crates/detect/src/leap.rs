//! A number that moves too far at once, in either direction: a donation raises a share price as a theft lowers it.
//!
//! Measured against the block before (the newest one that was read), or against the least and the most within a sliding window of
//! block time. From zero no share can be told: the first deposit into a vault, which sets its price, is no leap; a fall to zero is one.
//!
//! Memory: a number (about 130 bytes) for each block of the window and of the [`crate::REORG_DEPTH`] above it, and one before; of leaps at most
//! as many as that depth and one.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use alloy_primitives::aliases::I512;
use alloy_primitives::{U256, U512};
use watchfire_types::{BlockRef, BlockView, Read};

use crate::detectors::Evaluation;
use crate::is_settled;
use crate::measure::{BPS, Measure};

struct Sample {
    block: BlockRef,
    value: I512,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Direction {
    Rose,
    Fell,
}

struct Leap {
    from: BlockRef,
    to: BlockRef,
    before: I512,
    after: I512,
    direction: Direction,
}

/// Bounds of a leap rule, as in `watchfire_charter::Watch::Leap`.
pub(crate) struct Bounds {
    pub(crate) rise_bps: Option<u32>,
    pub(crate) fall_bps: Option<u32>,
    pub(crate) window_s: u64,
    pub(crate) stands_s: u64,
}

/// One leap rule.
pub(crate) struct LeapWatch {
    measure: Measure,
    bounds: Bounds,
    samples: VecDeque<Sample>,
    leaps: VecDeque<Leap>,
}

impl LeapWatch {
    pub(crate) fn new(measure: Measure, bounds: Bounds) -> Self {
        Self { measure, bounds, samples: VecDeque::new(), leaps: VecDeque::new() }
    }

    pub(crate) fn reads(&self) -> BTreeSet<Read> {
        self.measure.reads().cloned().collect()
    }

    pub(crate) fn answered(&self, view: &BlockView) -> bool {
        self.measure.value(view).is_some()
    }

    pub(crate) fn span_s(&self) -> u64 {
        self.bounds.window_s.saturating_add(self.bounds.stands_s)
    }

    pub(crate) fn observe(&mut self, view: &BlockView, floor: Option<&BlockRef>) -> Evaluation {
        let Some(value) = self.measure.value(view) else { return Evaluation::Unknown };
        if self.samples.back().is_some_and(|newest| newest.block.number >= view.block.number) {
            return Evaluation::Unknown;
        }
        let now = Sample { block: view.block, value };
        self.leaps.extend(self.leap(&now, floor));
        self.samples.push_back(now);
        self.forget(&view.block);
        self.standing(view, floor)
    }

    pub(crate) fn rollback(&mut self, to: &BlockRef) {
        while self.samples.back().is_some_and(|sample| sample.block.number > to.number) {
            self.samples.pop_back();
        }
        while self.leaps.back().is_some_and(|leap| leap.to.number > to.number) {
            self.leaps.pop_back();
        }
    }

    /// The leap that ends at this block, if there is one: a fall before a rise, where a window has both.
    fn leap(&self, now: &Sample, floor: Option<&BlockRef>) -> Option<Leap> {
        let starts = now.block.time.as_secs().saturating_sub(self.bounds.window_s);
        let allowed = |sample: &&Sample| floor.is_none_or(|floor| sample.block.number >= floor.number);
        let in_window = |sample: &&Sample| self.bounds.window_s > 0 && sample.block.time.as_secs() > starts;
        // The newest block at or before the window's start is what the window starts from; without a window the block before is all.
        let start = self.samples.iter().rev().filter(allowed).find(|sample| !in_window(sample));
        let bases = || start.into_iter().chain(self.samples.iter().filter(allowed).filter(in_window));
        let most = bases().max_by_key(|sample| sample.value);
        let least = bases().filter(|sample| !sample.value.is_zero()).min_by_key(|sample| sample.value);
        let fell = most.filter(|base| base.value > now.value && exceeds(base.value, now.value, self.bounds.fall_bps));
        let rose = least.filter(|base| base.value < now.value && exceeds(base.value, now.value, self.bounds.rise_bps));
        let leap = |base: &Sample, direction| Leap {
            from: base.block,
            to: now.block,
            before: base.value,
            after: now.value,
            direction,
        };
        fell.map(|base| leap(base, Direction::Fell)).or_else(|| rose.map(|base| leap(base, Direction::Rose)))
    }

    /// Keeps the window of every head that a reorg may leave, and the block that it starts from; of leaps the last that no reorg takes back.
    fn forget(&mut self, head: &BlockRef) {
        while self.leaps.get(1).is_some_and(|second| is_settled(&second.to, head)) {
            self.leaps.pop_front();
        }
        let settled = self.samples.iter().rev().find(|sample| is_settled(&sample.block, head));
        let Some(settled) = settled.map(|sample| sample.block.time.as_secs()) else { return };
        let starts = settled.saturating_sub(self.bounds.window_s);
        while self.samples.get(1).is_some_and(|second| second.block.time.as_secs() <= starts) {
            self.samples.pop_front();
        }
    }

    fn standing(&self, view: &BlockView, floor: Option<&BlockRef>) -> Evaluation {
        let stands = |leap: &&Leap| {
            view.block.time.secs_since(leap.to.time) <= self.bounds.stands_s
                && floor.is_none_or(|floor| leap.to.number > floor.number)
        };
        match self.leaps.iter().rev().find(stands) {
            Some(leap) => self.fires(leap),
            None => Evaluation::Quiet,
        }
    }

    fn fires(&self, leap: &Leap) -> Evaluation {
        let (verb, allowed) = match leap.direction {
            Direction::Rose => ("rose", self.bounds.rise_bps),
            Direction::Fell => ("fell", self.bounds.fall_bps),
        };
        let (moved, allowed) = (moved_bps(leap.before, leap.after), allowed.unwrap_or_default());
        Evaluation::Fires {
            explanation: format!(
                "{} {verb} by {moved} bps, from {} at block {} to {} at block {}; {allowed} bps are allowed",
                self.measure.name(),
                leap.before,
                leap.from.number,
                leap.after,
                leap.to.number,
            ),
            figures: BTreeMap::from([
                ("before".to_owned(), leap.before.to_string()),
                ("after".to_owned(), leap.after.to_string()),
                ("moved_bps".to_owned(), moved.to_string()),
                ("allowed_bps".to_owned(), allowed.to_string()),
                ("direction".to_owned(), verb.to_owned()),
                ("from_block".to_owned(), leap.from.number.to_string()),
                ("leap_block".to_owned(), leap.to.number.to_string()),
            ]),
        }
    }
}

fn distance(before: I512, after: I512) -> U512 {
    after.saturating_sub(before).unsigned_abs()
}

/// Whether the way from `before` is more than `bps` basis points of it, exactly: distance x 10000 > |before| x bps.
fn exceeds(before: I512, after: I512, bps: Option<u32>) -> bool {
    let far = |bps: u32| {
        distance(before, after).saturating_mul(U512::from(BPS)) > before.unsigned_abs().saturating_mul(U512::from(bps))
    };
    bps.is_some_and(far)
}

/// Basis points of the way, rounded down; never asked of a number that was zero, which moved by no share.
fn moved_bps(before: I512, after: I512) -> U512 {
    let whole = before.unsigned_abs();
    distance(before, after).saturating_mul(U512::from(BPS)).checked_div(whole).unwrap_or(U512::from(U256::MAX))
}

#[cfg(test)]
mod tests;
