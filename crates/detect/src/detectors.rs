//! All detectors of one chain, and what they need to read.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use alloy_primitives::U256;
use watchfire_charter::{Asset, Charter, Quantity, Watch};
use watchfire_types::body::Finding;
use watchfire_types::{AssetId, BlockRef, BlockView, ChainId, DetectorId, Read, ReadOutcome, Severity};

use crate::REORG_DEPTH;
use crate::drain::{self, DrainWatch};
use crate::event::EventWatch;
use crate::invariant::{InvariantWatch, Side};
use crate::leap::{self, LeapWatch};
use crate::measure::Measure;
use crate::outflow::OutflowWatch;
use crate::stale::StaleWatch;
use crate::state::StateWatch;

/// What a rule says of one block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Evaluation {
    /// It does not hold.
    Quiet,
    /// It cannot be judged: a read gave no answer. Never a finding, and never the end of one either: what stood goes on standing, on the
    /// evidence of the block where it was judged last.
    Unknown,
    /// It holds, with its explanation and figures.
    Fires {
        /// One line.
        explanation: String,
        /// Named figures.
        figures: BTreeMap<String, String>,
    },
}

enum Watching {
    Outflow(OutflowWatch),
    Event(EventWatch),
    State(StateWatch),
    Leap(LeapWatch),
    Invariant(InvariantWatch),
    Stale(StaleWatch),
    Drain(DrainWatch),
}

struct Rule {
    asset: AssetId,
    severity: Severity,
    watching: Watching,
    /// Newest blocks, each with what stood at it, if anything; at most [`REORG_DEPTH`] + 1.
    history: VecDeque<(BlockRef, Option<Arc<Finding>>)>,
    /// Blocks in a row that gave no answer to what it watches.
    unread: u64,
}

/// A detector that sees nothing of what it watches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blind {
    /// Which.
    pub detector: DetectorId,
    /// What it is for.
    pub asset: AssetId,
    /// Newest blocks in a row that it could not read.
    pub blocks: u64,
}

impl Watching {
    fn of(watch: &Watch, asset: &Asset) -> Self {
        let group = || asset.contracts.union(&asset.internal).copied().collect();
        let measure = |quantity: &Quantity| Measure::new(quantity, &group());
        match watch {
            Watch::Outflow { token, window_s, limit, share_bps } => {
                Self::Outflow(OutflowWatch::new(group(), *token, *window_s, *limit, *share_bps))
            }
            Watch::Event { address, event, topic, topics, stands_s } => {
                Self::Event(EventWatch::new(*address, event.clone(), *topic, topics.clone(), *stands_s))
            }
            Watch::State { what, read, expect, stands_s } => {
                Self::State(StateWatch::new(what.clone(), read.clone(), expect.clone(), *stands_s))
            }
            Watch::Leap { of, rise_bps, fall_bps, window_s, stands_s } => {
                let (rise_bps, fall_bps, window_s, stands_s) = (*rise_bps, *fall_bps, *window_s, *stands_s);
                Self::Leap(LeapWatch::new(measure(of), leap::Bounds { rise_bps, fall_bps, window_s, stands_s }))
            }
            Watch::Invariant { left, scale_left, compare, right, scale_right, tolerance_bps } => {
                let side = |quantity, scale: &U256| Side { measure: measure(quantity), scale: *scale };
                let (left, right) = (side(left, scale_left), side(right, scale_right));
                Self::Invariant(InvariantWatch::new(left, *compare, right, *tolerance_bps))
            }
            Watch::Stale { of, age_s } => Self::Stale(StaleWatch::new(measure(of), *age_s)),
            Watch::ApprovalDrain { token, victims, window_s, least, exclude } => {
                let exclude = group().union(exclude).copied().collect();
                let (token, victims, window_s, least) = (*token, *victims, *window_s, *least);
                Self::Drain(DrainWatch::new(drain::Bounds { token, victims, window_s, least, exclude }))
            }
        }
    }

    /// Whether this block answers what it watches.
    fn reads(&self, view: &BlockView) -> bool {
        match self {
            Self::Outflow(watch) => watch.balance(view).is_some(),
            Self::Event(_) | Self::Drain(_) => true,
            Self::Leap(watch) => watch.answered(view),
            Self::Invariant(watch) => watch.answered(view),
            Self::Stale(watch) => watch.answered(view),
            Self::State(watch) => {
                matches!(view.reads.get(watch.read()), Some(ReadOutcome::Value(_) | ReadOutcome::Reverted(_)))
            }
        }
    }
}

impl Rule {
    /// The unbroken standing that `floor` does not end.
    fn standing(&self, floor: Option<&BlockRef>) -> Option<Arc<Finding>> {
        let (_, standing) = self.history.back()?;
        standing.clone().filter(|standing| floor.is_none_or(|floor| standing.first.number > floor.number))
    }

    fn remember(&mut self, block: BlockRef, standing: Option<Arc<Finding>>) {
        self.history.push_back((block, standing));
        while self.history.front().is_some_and(|(old, _)| old.number.saturating_add(REORG_DEPTH) < block.number) {
            self.history.pop_front();
        }
    }

    fn kind(&self) -> &'static str {
        match self.watching {
            Watching::Outflow(_) => "outflow",
            Watching::Event(_) => "event",
            Watching::State(_) => "state",
            Watching::Leap(_) => "leap",
            Watching::Invariant(_) => "invariant",
            Watching::Stale(_) => "stale",
            Watching::Drain(_) => "approval-drain",
        }
    }
}

/// The detectors of one chain.
///
/// Memory: per outflow and leap rule one entry (about 150 bytes) for each block of its window; per event and state rule one entry
/// for each firing that still stands; per approval-drain rule at most 33,024 transfers of about 120 bytes; per rule one finding for each block at which it was found; never less than [`crate::REORG_DEPTH`] blocks.
pub struct Detectors {
    chain: ChainId,
    rules: BTreeMap<DetectorId, Rule>,
}

impl Detectors {
    /// The detectors that the charter asks for on this chain.
    #[must_use]
    pub fn new(charter: &Charter, chain: ChainId) -> Self {
        let mut rules = BTreeMap::new();
        for (id, detector) in &charter.detectors {
            let Some(asset) = charter.assets.get(&detector.asset).filter(|asset| asset.chain == chain) else {
                continue;
            };
            let watching = Watching::of(&detector.watch, asset);
            let rule = Rule {
                asset: detector.asset.clone(),
                severity: detector.severity,
                watching,
                history: VecDeque::new(),
                unread: 0,
            };
            rules.insert(id.clone(), rule);
        }
        Self { chain, rules }
    }

    /// What has to be read at every block.
    #[must_use]
    pub fn reads(&self) -> BTreeSet<Read> {
        let mut reads = BTreeSet::new();
        for rule in self.rules.values() {
            match &rule.watching {
                Watching::Outflow(watch) => reads.extend(watch.reads()),
                Watching::Event(_) | Watching::Drain(_) => {}
                Watching::State(watch) => {
                    reads.insert(watch.read().clone());
                }
                Watching::Leap(watch) => reads.extend(watch.reads()),
                Watching::Invariant(watch) => reads.extend(watch.reads()),
                Watching::Stale(watch) => reads.extend(watch.reads()),
            }
        }
        reads
    }

    /// The longest window, seconds of block time: how far a node backfills before it is ready.
    #[must_use]
    pub fn window_s_max(&self) -> u64 {
        let window = |rule: &Rule| match &rule.watching {
            Watching::Outflow(watch) => watch.window_s(),
            Watching::Event(watch) => watch.stands_s(),
            Watching::State(watch) => watch.stands_s(),
            Watching::Leap(watch) => watch.span_s(),
            Watching::Drain(watch) => watch.window_s(),
            Watching::Invariant(_) | Watching::Stale(_) => 0,
        };
        self.rules.values().map(window).max().unwrap_or(0)
    }

    /// Takes the next canonical block and returns every finding that stands at it, in detector order. One that this block gives no answer
    /// for still names the block where it was judged last: the block is its evidence, and nobody may vote on what nobody read.
    ///
    /// A block of another chain, or one not above the newest seen, is judged by nobody and returns nothing: the caller
    /// rolls back first.
    pub fn observe(&mut self, view: &BlockView, floors: &BTreeMap<AssetId, BlockRef>) -> Vec<Finding> {
        if view.block.chain != self.chain {
            return Vec::new();
        }
        let mut found = Vec::new();
        for (id, rule) in &mut self.rules {
            let floor = floors.get(&rule.asset).filter(|floor| floor.chain == view.block.chain);
            let standing = rule.standing(floor);
            rule.unread = if rule.watching.reads(view) { 0 } else { rule.unread.saturating_add(1) };
            let evaluation = match &mut rule.watching {
                Watching::Outflow(watch) => watch.observe(view, floor),
                Watching::Event(watch) => watch.observe(view, floor),
                Watching::State(watch) => watch.observe(view, floor),
                Watching::Leap(watch) => watch.observe(view, floor),
                Watching::Invariant(watch) => watch.observe(view),
                Watching::Stale(watch) => watch.observe(view),
                Watching::Drain(watch) => watch.observe(view, floor),
            };
            let standing = match evaluation {
                Evaluation::Quiet => None,
                Evaluation::Unknown => standing,
                Evaluation::Fires { explanation, figures } => Some(Arc::new(Finding {
                    asset: rule.asset.clone(),
                    detector: id.clone(),
                    kind: rule.kind().to_owned(),
                    severity: rule.severity,
                    first: standing.map_or(view.block, |standing| standing.first),
                    block: view.block,
                    explanation,
                    figures,
                })),
            };
            found.extend(standing.as_deref().cloned());
            rule.remember(view.block, standing);
        }
        found
    }

    /// Detectors to which at least `blocks` blocks in a row, up to the newest, gave no answer: a call that reverts where a balance should
    /// be, or a read on which too few operators agree. They find nothing meanwhile, which nobody else would notice.
    pub fn blind(&self, blocks: u64) -> impl Iterator<Item = Blind> {
        let blind = self.rules.iter().filter(move |(_, rule)| rule.unread >= blocks);
        blind.map(|(id, rule)| Blind { detector: id.clone(), asset: rule.asset.clone(), blocks: rule.unread })
    }

    /// Forgets every block above `to`, which stays canonical.
    pub fn rollback(&mut self, to: &BlockRef) {
        if to.chain != self.chain {
            return;
        }
        for rule in self.rules.values_mut() {
            match &mut rule.watching {
                Watching::Outflow(watch) => watch.rollback(to),
                Watching::Event(watch) => watch.rollback(to),
                Watching::State(watch) => watch.rollback(to),
                Watching::Leap(watch) => watch.rollback(to),
                Watching::Drain(watch) => watch.rollback(to),
                // These judge one block alone.
                Watching::Invariant(_) | Watching::Stale(_) => {}
            }
            while rule.history.back().is_some_and(|(block, _)| block.number > to.number) {
                rule.history.pop_back();
            }
        }
    }
}

#[cfg(test)]
mod reorg_tests;
#[cfg(test)]
mod tests;
