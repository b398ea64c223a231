//! All detectors of one chain, and what they need to read.

use std::collections::{BTreeMap, BTreeSet};

use watchfire_charter::{Charter, Watch};
use watchfire_types::body::Finding;
use watchfire_types::{AssetId, BlockRef, BlockView, ChainId, DetectorId, Read, Severity};

use crate::event::EventWatch;
use crate::outflow::OutflowWatch;
use crate::state::StateWatch;

/// What a rule says of one block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Evaluation {
    /// It does not hold.
    Quiet,
    /// It cannot be judged: a read gave no answer. Never a finding, and never the end of one either.
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
}

struct Rule {
    asset: AssetId,
    severity: Severity,
    watching: Watching,
    /// First block of the present unbroken standing.
    since: Option<BlockRef>,
}

impl Rule {
    fn kind(&self) -> &'static str {
        match self.watching {
            Watching::Outflow(_) => "outflow",
            Watching::Event(_) => "event",
            Watching::State(_) => "state",
        }
    }
}

/// The detectors of one chain.
///
/// Memory: per outflow rule one entry (about 150 bytes) for each block of its window; per event and state rule one entry
/// for each firing that still stands; never less than [`crate::REORG_DEPTH`] blocks.
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
            let watching = match &detector.watch {
                Watch::Outflow { token, window_s, limit, share_bps } => {
                    let group = asset.contracts.union(&asset.internal).copied().collect();
                    Watching::Outflow(OutflowWatch::new(group, *token, *window_s, *limit, *share_bps))
                }
                Watch::Event { address, event, topic, topics, stands_s } => {
                    Watching::Event(EventWatch::new(*address, event.clone(), *topic, topics.clone(), *stands_s))
                }
                Watch::State { what, read, expect, stands_s } => {
                    Watching::State(StateWatch::new(what.clone(), read.clone(), expect.clone(), *stands_s))
                }
            };
            let rule = Rule { asset: detector.asset.clone(), severity: detector.severity, watching, since: None };
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
                Watching::Event(_) => {}
                Watching::State(watch) => {
                    reads.insert(watch.read().clone());
                }
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
        };
        self.rules.values().map(window).max().unwrap_or(0)
    }

    /// Takes the next canonical block and returns every finding that stands at it, in detector order.
    ///
    /// A block of another chain, or one not above the newest seen, is judged by nobody and returns nothing: the caller
    /// rolls back first.
    pub fn observe(&mut self, view: &BlockView, floors: &BTreeMap<AssetId, BlockRef>) -> Vec<Finding> {
        if view.block.chain != self.chain {
            return Vec::new();
        }
        let mut standing = Vec::new();
        for (id, rule) in &mut self.rules {
            let floor = floors.get(&rule.asset).filter(|floor| floor.chain == view.block.chain);
            if rule.since.is_some_and(|since| floor.is_some_and(|floor| since.number <= floor.number)) {
                rule.since = None;
            }
            let evaluation = match &mut rule.watching {
                Watching::Outflow(watch) => watch.observe(view, floor),
                Watching::Event(watch) => watch.observe(view, floor),
                Watching::State(watch) => watch.observe(view, floor),
            };
            match evaluation {
                Evaluation::Quiet => rule.since = None,
                Evaluation::Unknown => {}
                Evaluation::Fires { explanation, figures } => {
                    let first = *rule.since.get_or_insert(view.block);
                    standing.push(Finding {
                        asset: rule.asset.clone(),
                        detector: id.clone(),
                        kind: rule.kind().to_owned(),
                        severity: rule.severity,
                        first,
                        block: view.block,
                        explanation,
                        figures,
                    });
                }
            }
        }
        standing
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
            }
            if rule.since.is_some_and(|since| since.number > to.number) {
                rule.since = None;
            }
        }
    }
}

#[cfg(test)]
mod tests;
