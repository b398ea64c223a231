//! All detectors of one chain, and what they need to read.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use watchfire_charter::Charter;
use watchfire_types::body::{Announced, Finding};
use watchfire_types::{AssetId, BlockRef, BlockView, ChainId, DetectorId, Read, Severity};

use crate::REORG_DEPTH;
use crate::excuse::Excuses;
use crate::expression::{ANY_CALL, Key, call_key};
use crate::index::{Hit, Index};
use crate::interest::{Interest, Strangers};
use elsewhere::Asked;
use watching::Watching;

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

struct Rule {
    id: DetectorId,
    asset: AssetId,
    severity: Severity,
    watching: Watching,
    /// The newest blocks at which it was judged, each with what stood at it, if anything; at most [`REORG_DEPTH`] + 1. At those between,
    /// nothing stood.
    history: VecDeque<(BlockRef, Option<Arc<Finding>>)>,
    /// Blocks in a row that gave no answer to what it watches.
    unread: u64,
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

    /// Takes the next block with the places of the logs, or of the transactions, that are about it; answers what stands.
    fn judge(
        &mut self,
        view: &BlockView,
        places: impl Iterator<Item = usize> + Clone,
        floor: Option<&BlockRef>,
        excuses: &Excuses<'_>,
    ) -> Option<Arc<Finding>> {
        let logs = places.clone().filter_map(|place| view.logs.get(place));
        let standing = self.standing(floor);
        let asset = &self.asset;
        let answered = self.watching.reads(view);
        let evaluation = match &mut self.watching {
            Watching::Outflow(watch) => watch.observe(view, logs, floor),
            Watching::Event(watch) if watch.is_privileged() => {
                watch.observe(view, logs.filter(|log| !excuses.log(asset, log, view)), floor)
            }
            Watching::Event(watch) => watch.observe(view, logs, floor),
            Watching::Authority(watch) => watch.observe(view, logs, floor, asset, excuses),
            Watching::State(watch) => {
                let excused = excuses.contract(asset, watch.contract());
                watch.observe(view, floor, excused)
            }
            Watching::Leap(watch) => watch.observe(view, floor),
            Watching::Invariant(watch) => watch.observe(view),
            Watching::Stale(watch) => watch.observe(view),
            Watching::Drain(watch) => watch.observe(view, logs, floor),
            Watching::Expression(watch) => {
                let transactions = places.filter_map(|place| view.transactions.get(place));
                watch.observe(view, logs, transactions, floor)
            }
            Watching::Rate(watch) => {
                let transactions = places.filter_map(|place| view.transactions.get(place));
                watch.observe(view, logs, transactions, floor)
            }
            Watching::Calls(watch) => watch.observe(view, floor),
            Watching::Governance(watch) => watch.observe(view, logs, floor),
            Watching::Fresh(watch) => watch.observe(view, logs, floor),
            Watching::Sister(watch) => watch.observe(view, floor),
            Watching::Cross(watch) => watch.observe(view),
            Watching::Release(watch) => watch.observe(view, logs, floor),
            Watching::Nonce(watch) => watch.observe(view, logs, floor, asset, excuses),
        };
        // Their figures are those of more than this block.
        let beyond = matches!(
            self.watching,
            Watching::Rate(_) | Watching::Sister(_) | Watching::Cross(_) | Watching::Release(_)
        );
        let lacks = beyond && evaluation == Evaluation::Unknown;
        self.unread = if answered && !lacks { 0 } else { self.unread.saturating_add(1) };
        let standing = match evaluation {
            Evaluation::Quiet => None,
            Evaluation::Unknown => standing,
            Evaluation::Fires { explanation, figures } => Some(Arc::new(Finding {
                asset: self.asset.clone(),
                detector: self.id.clone(),
                kind: self.kind().to_owned(),
                severity: self.severity,
                first: standing.map_or(view.block, |standing| standing.first),
                block: view.block,
                explanation,
                figures,
            })),
        };
        self.remember(view.block, standing.clone());
        standing
    }

    /// By what the logs or transactions that concern it are found.
    fn keys(&self) -> Vec<Key> {
        let log = |(address, topic)| Key::Log(address, topic);
        match &self.watching {
            Watching::Outflow(watch) => watch.key().map(log).into_iter().collect(),
            Watching::Event(watch) => vec![log(watch.key())],
            Watching::Authority(watch) => watch.keys().into_iter().map(log).collect(),
            Watching::Drain(watch) => vec![log(watch.key())],
            Watching::Expression(watch) => vec![watch.key()],
            Watching::Rate(watch) => watch.key().into_iter().collect(),
            Watching::State(_)
            | Watching::Leap(_)
            | Watching::Invariant(_)
            | Watching::Stale(_)
            | Watching::Sister(_)
            | Watching::Cross(_) => Vec::new(),
            Watching::Calls(watch) => watch.keys().map(log).collect(),
            Watching::Governance(watch) => watch.keys().into_iter().map(log).collect(),
            Watching::Fresh(watch) => watch.keys().map(log).collect(),
            Watching::Release(watch) => watch.key().map(log).into_iter().collect(),
            Watching::Nonce(watch) => watch.keys().map(log).to_vec(),
        }
    }

    /// Whether nothing but what its key finds, and time, changes what it says.
    fn is_event(&self) -> bool {
        matches!(self.watching, Watching::Event(_) | Watching::Expression(_) | Watching::Governance(_))
    }

    /// Whether it is a rule about an event that may stand at the next block, or whose standing ends there.
    fn is_open(&self, at: &BlockRef) -> bool {
        let may_stand = match &self.watching {
            Watching::Event(watch) => watch.may_stand_after(at),
            Watching::Expression(watch) => watch.may_stand_after(at),
            Watching::Governance(watch) => watch.may_stand_after(at),
            _ => return false,
        };
        may_stand || self.history.back().is_some_and(|(_, standing)| standing.is_some())
    }

    fn kind(&self) -> &'static str {
        match self.watching {
            Watching::Outflow(_) => "outflow",
            Watching::Event(_) => "event",
            Watching::Authority(_) => "authority",
            Watching::State(_) => "state",
            Watching::Leap(_) => "leap",
            Watching::Invariant(_) => "invariant",
            Watching::Stale(_) => "stale",
            Watching::Drain(_) => "approval-drain",
            Watching::Expression(_) => "expression",
            Watching::Rate(_) => "rate",
            Watching::Calls(_) => "calls",
            Watching::Governance(ref watch) => watch.kind(),
            Watching::Fresh(_) => "fresh-code",
            Watching::Sister(_) => "sister",
            Watching::Cross(_) => "cross-chain",
            Watching::Release(_) => "release",
            Watching::Nonce(_) => "safe-nonce",
        }
    }
}

/// The detectors of one chain.
///
/// Memory: per outflow and leap rule one entry (about 150 bytes) for each block of its window; per event, expression, governance and state rule one entry
/// for each firing that still stands; per rule about authority one for each of 65 blocks with an act, and of
/// 65 for each account that it lists; per approval-drain rule at most 32,768 transfers of about 160 bytes; per rate rule one entry for each of its windows and of
/// 65 blocks; per rule about calls one finding for each of 65 blocks and 4,096 contracts that were created; per rule about fresh code 4,096 fundings and
/// those of 64 blocks; per rule about a sister 4,096 changes of what stands there, per rule about two chains 4,096 of each side, per rule about releases
/// 16,384 events of each side; per rule one finding for each block at which it was found; never less than [`crate::REORG_DEPTH`] blocks.
///
/// Time: a block costs one look into a table for each of its logs, and what the rules cost that it concerns. A rule about an event, or an expression, is
/// judged at blocks with such an event and as long as one may still stand; every other is judged at every block.
pub struct Detectors {
    chain: ChainId,
    /// In the order of their ids.
    rules: Vec<Rule>,
    /// Of logs, by contract and first topic.
    index: Index,
    /// Of transactions, by account and selector, for rules about calls and transactions.
    calls: Index,
    /// Rules that are judged at every block.
    every: Vec<u32>,
    /// Rules about events that are judged at the next block, whatever is in it.
    open: BTreeSet<u32>,
    /// What rules of other chains ask of this one.
    asked: Asked,
}

impl Detectors {
    /// The detectors that the charter asks for on this chain.
    #[must_use]
    pub fn new(charter: &Charter, chain: ChainId) -> Self {
        let mut rules = Vec::new();
        for (id, detector) in &charter.detectors {
            let Some(asset) = charter.assets.get(&detector.asset).filter(|asset| asset.chain == chain) else {
                continue;
            };
            let watching = Watching::of(&detector.watch, asset, charter);
            rules.push(Rule {
                id: id.clone(),
                asset: detector.asset.clone(),
                severity: detector.severity,
                watching,
                history: VecDeque::new(),
                unread: 0,
            });
        }
        Self { asked: Asked::of(charter, chain), ..Self::of(chain, rules) }
    }

    /// These rules, which are in the order of their ids.
    fn of(chain: ChainId, rules: Vec<Rule>) -> Self {
        let keys = |rule: &Rule, place: u32| rule.keys().into_iter().map(move |key| (key, place));
        let keys = || rules.iter().zip(0..).flat_map(|(rule, place)| keys(rule, place));
        let index = Index::new(keys().filter_map(|(key, place)| match key {
            Key::Log(address, topic) => Some((address, topic, place)),
            Key::Transaction(..) => None,
        }));
        let calls = Index::new(keys().filter_map(|(key, place)| match key {
            Key::Transaction(address, call) => Some((address, call, place)),
            Key::Log(..) => None,
        }));
        let every = rules.iter().zip(0..).filter(|(rule, _)| !rule.is_event()).map(|(_, place)| place).collect();
        Self { chain, rules, index, calls, every, open: BTreeSet::new(), asked: Asked::default() }
    }

    /// The logs that concern these rules, or rules of other chains; all others may be left out of what they observe, but for those of transactions of which it
    /// is not known whether they succeeded. Rules about calls find by any log what has to be traced.
    #[must_use]
    pub fn interest(&self) -> Interest {
        let own = self.rules.iter().flat_map(Rule::keys).filter_map(|key| match key {
            Key::Log(address, topic) => Some((address, topic)),
            Key::Transaction(..) => None,
        });
        let lists = |rule: &Rule| matches!(&rule.watching, Watching::Governance(watch) if watch.is_about_supplies());
        let strangers = match () {
            () if self.wants_traces() => Strangers::All,
            () if self.rules.iter().any(lists) => Strangers::Supplies,
            () => Strangers::Ignored,
        };
        Interest::new(own.chain(self.asked.keys.iter().copied()), strangers)
    }

    /// Whether a rule is about transactions, so that blocks have to come with theirs, each with whether it succeeded.
    #[must_use]
    pub fn wants_transactions(&self) -> bool {
        let drains = |rule: &Rule| matches!(rule.watching, Watching::Drain(_));
        self.about_transactions().next().is_some() || self.wants_traces() || self.rules.iter().any(drains)
    }

    /// Rules that find nothing without transactions, each with what it is for.
    pub fn about_transactions(&self) -> impl Iterator<Item = (&DetectorId, &AssetId)> {
        let about = |rule: &&Rule| match &rule.watching {
            Watching::Authority(_) | Watching::Fresh(_) => true,
            Watching::Expression(watch) => matches!(watch.key(), Key::Transaction(..)),
            Watching::Rate(watch) => watch.is_about_transactions(),
            _ => false,
        };
        self.rules.iter().filter(about).map(|rule| (&rule.id, &rule.asset))
    }

    /// What has to be read at every block.
    #[must_use]
    pub fn reads(&self) -> BTreeSet<Read> {
        let mut reads = self.asked.reads.clone();
        for rule in &self.rules {
            match &rule.watching {
                Watching::Outflow(watch) => reads.extend(watch.reads()),
                Watching::Event(_)
                | Watching::Authority(_)
                | Watching::Drain(_)
                | Watching::Expression(_)
                | Watching::Governance(_)
                | Watching::Fresh(_)
                | Watching::Release(_) => {}
                Watching::Calls(watch) => reads.extend(watch.reads()),
                Watching::State(watch) => {
                    reads.insert(watch.read().clone());
                }
                Watching::Leap(watch) => reads.extend(watch.reads()),
                Watching::Invariant(watch) => reads.extend(watch.reads()),
                Watching::Stale(watch) => reads.extend(watch.reads()),
                Watching::Rate(watch) => reads.extend(watch.reads()),
                Watching::Sister(watch) => {
                    reads.insert(watch.read());
                }
                Watching::Cross(watch) => reads.extend(watch.reads()),
                Watching::Nonce(watch) => reads.extend([watch.read()]),
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
            Watching::Authority(watch) => watch.span_s(),
            Watching::State(watch) => watch.stands_s(),
            Watching::Leap(watch) => watch.span_s(),
            Watching::Drain(watch) => watch.window_s(),
            Watching::Expression(watch) => watch.stands_s(),
            Watching::Rate(watch) => watch.span_s(),
            Watching::Calls(watch) => watch.stands_s(),
            Watching::Governance(watch) => watch.stands_s(),
            Watching::Fresh(watch) => watch.span_s(),
            Watching::Sister(watch) => watch.span_s(),
            Watching::Cross(watch) => watch.span_s(),
            Watching::Release(watch) => watch.span_s(),
            Watching::Nonce(watch) => watch.stands_s(),
            Watching::Invariant(_) | Watching::Stale(_) => 0,
        };
        self.rules.iter().map(window).max().unwrap_or(0).max(self.asked.span_s)
    }

    /// Takes the next canonical block and returns every finding that stands at it, in detector order. One that this block gives no answer
    /// for still names the block where it was judged last: the block is its evidence, and nobody may vote on what nobody read.
    ///
    /// A block of another chain, or one not above the newest seen, is judged by nobody and returns nothing: the caller
    /// rolls back first.
    pub fn observe(&mut self, view: &BlockView, floors: &BTreeMap<AssetId, BlockRef>) -> Vec<Finding> {
        self.observe_announced(view, floors, &[])
    }

    /// As [`Self::observe`], where changes are announced: rules about authority, events that only authority causes, and state that must not change are
    /// quiet about what one of these covers. What was judged once is judged by what was announced then.
    pub fn observe_announced(
        &mut self,
        view: &BlockView,
        floors: &BTreeMap<AssetId, BlockRef>,
        announced: &[Announced],
    ) -> Vec<Finding> {
        if view.block.chain != self.chain {
            return Vec::new();
        }
        let hits = self.hits(view);
        let hit = hits.iter().map(|(rule, _)| *rule);
        let mut due: Vec<u32> = self.every.iter().chain(&self.open).copied().chain(hit).collect();
        due.sort_unstable();
        due.dedup();
        self.judge(view, floors, &Excuses::of(announced, view), &due, &hits)
    }

    /// Every rule with every log or transaction that it is about, each by its place; no rule is about both.
    fn hits(&self, view: &BlockView) -> Vec<Hit> {
        let mut hits = self.index.hits(&view.logs);
        if self.calls.is_empty() || view.transactions.is_empty() {
            return hits;
        }
        for (one, place) in view.transactions.iter().zip(0..) {
            let selector = one.input.first_chunk().copied();
            let called = one.to.zip(selector).map(|(to, selector)| (to, call_key(selector)));
            let ends = [called, one.to.map(|to| (to, ANY_CALL)), Some((one.from, ANY_CALL))];
            for (account, call) in ends.into_iter().flatten() {
                hits.extend(self.calls.rules(&account, &call).map(|rule| (rule, place)));
            }
        }
        hits.sort_unstable();
        // An account that sends to itself is found by both ends.
        hits.dedup();
        hits
    }

    /// Judges these rules, each by its own hits; both are in order. At a block at which a rule is not judged nothing of it stands.
    fn judge(
        &mut self,
        view: &BlockView,
        floors: &BTreeMap<AssetId, BlockRef>,
        excuses: &Excuses<'_>,
        due: &[u32],
        mut hits: &[Hit],
    ) -> Vec<Finding> {
        let mut found = Vec::new();
        for place in due {
            let Some(rule) = self.rules.get_mut(*place as usize) else { continue };
            let (own, others) = hits.split_at(hits.iter().take_while(|(rule, _)| rule == place).count());
            hits = others;
            let places = own.iter().map(|(_, place)| *place as usize);
            let floor = floors.get(&rule.asset).filter(|floor| floor.chain == view.block.chain);
            let standing = rule.judge(view, places, floor, excuses);
            if rule.is_open(&view.block) {
                self.open.insert(*place);
            } else {
                self.open.remove(place);
            }
            found.extend(standing.as_deref().cloned());
        }
        found
    }

    /// Forgets every block of a chain above `to`, which stays canonical: of this chain, and what was heard of another.
    pub fn rollback(&mut self, to: &BlockRef) {
        self.unhear(to);
        if to.chain != self.chain {
            return;
        }
        for (rule, place) in self.rules.iter_mut().zip(0..) {
            match &mut rule.watching {
                Watching::Outflow(watch) => watch.rollback(to),
                Watching::Event(watch) => watch.rollback(to),
                Watching::Authority(watch) => watch.rollback(to),
                Watching::State(watch) => watch.rollback(to),
                Watching::Leap(watch) => watch.rollback(to),
                Watching::Drain(watch) => watch.rollback(to),
                Watching::Expression(watch) => watch.rollback(to),
                Watching::Rate(watch) => watch.rollback(to),
                Watching::Calls(watch) => watch.rollback(to),
                Watching::Governance(watch) => watch.rollback(to),
                Watching::Fresh(watch) => watch.rollback(to),
                Watching::Nonce(watch) => watch.rollback(to),
                // The first two judge one block alone, and the others forgot it above.
                Watching::Invariant(_)
                | Watching::Stale(_)
                | Watching::Sister(_)
                | Watching::Cross(_)
                | Watching::Release(_) => {}
            }
            while rule.history.back().is_some_and(|(block, _)| block.number > to.number) {
                rule.history.pop_back();
            }
            if rule.is_open(to) {
                self.open.insert(place);
            } else {
                self.open.remove(&place);
            }
        }
    }
}

mod elsewhere;
mod told;
mod watching;

pub use told::{Blind, Blindness, BlockTraces, CallsJudge, Holding, JudgedCalls, Unanswered};

#[cfg(test)]
mod indexed_tests;
#[cfg(test)]
mod reorg_tests;
#[cfg(test)]
mod tests;
