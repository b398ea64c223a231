//! What the chain must say for the charter to hold there, watched while the node runs: read at most every 12 s and at once
//! after an event of a contract that matters, judged, and said loudly in status and heartbeat before any attack.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::time::Instant;
use watchfire_charter::Charter;
use watchfire_charter::live::{Fact, FactSeverity, NOT_READ, changes, judge, reads};
use watchfire_evm::GasCall;
use watchfire_types::{Address, AssetId, BlockRef, BlockView, ChainId, Read, ReadOutcome};

use super::node::Node;
use super::now;
use super::{alarms, describe};

/// Between two looks without an occasion.
const PERIOD: Duration = Duration::from_secs(12);
/// How long the last answers are taken for what holds now.
const UNREAD_MAX: Duration = Duration::from_secs(60);
/// The answers of one look.
#[derive(Debug)]
pub(super) struct LiveReport {
    pub(super) chain: ChainId,
    pub(super) block: BlockRef,
    pub(super) answers: BTreeMap<Read, ReadOutcome>,
    /// Gas of the calls of each asset's widest step that could be estimated.
    pub(super) gas: BTreeMap<AssetId, u64>,
}

/// What is known of one chain.
pub(super) struct LiveFacts {
    reads: BTreeSet<Read>,
    watched: BTreeSet<Address>,
    payer: Option<Address>,
    looked: Option<Instant>,
    looking: bool,
    /// Something happened during a look: look again.
    again: bool,
    answers: BTreeMap<Read, ReadOutcome>,
    facts: Vec<Fact>,
    /// What differs from what this node first saw, a restart included.
    changed: Vec<Fact>,
    /// Since when something that must hold had no answer.
    unread_since: Option<Instant>,
    pub(super) balance: Option<u128>,
    /// Calls of the widest step of each containment playbook, by asset.
    steps: Vec<(AssetId, Vec<GasCall>)>,
    /// Newest estimate of their gas, the dearest of an asset's playbooks. One that is in effect cannot be estimated and keeps its last one.
    gas: BTreeMap<AssetId, u64>,
    /// Whether the operators agreed at the last look; if not, an alarm's line.
    not_agreed: Option<String>,
}

impl LiveFacts {
    pub(super) fn new(charter: &Charter, chain: ChainId, payer: Option<Address>) -> Self {
        let mut reads = reads(charter, chain);
        reads.extend(payer.map(|account| Read::Balance { account }));
        let safes = charter.safes.values().filter(|safe| safe.chain == chain).map(|safe| safe.address);
        let actions = charter.playbooks.values().flat_map(|playbook| playbook.actions());
        let targets = actions.filter(|action| action.chain == chain).map(|action| action.target);
        Self {
            reads,
            watched: safes.chain(targets).collect(),
            payer,
            looked: None,
            looking: false,
            again: false,
            answers: BTreeMap::new(),
            facts: Vec::new(),
            changed: Vec::new(),
            unread_since: None,
            balance: None,
            steps: widest_steps(charter, chain),
            gas: BTreeMap::new(),
            not_agreed: None,
        }
    }

    /// Wei that an account of the charter held at the last look.
    pub(super) fn balance_at(&self, account: Address) -> Option<u128> {
        let wei = self.answers.get(&Read::Balance { account })?.word()?;
        Some(u128::try_from(wei).unwrap_or(u128::MAX))
    }

    /// Gas of the calls of an asset's widest containment, where it was ever estimated.
    pub(super) fn gas_of(&self, asset: &AssetId) -> Option<u64> {
        self.gas.get(asset).copied()
    }

    /// Whether a block holds an event of a contract that matters.
    fn is_occasion(&self, view: &BlockView) -> bool {
        view.logs.iter().any(|log| self.watched.contains(&log.address))
    }

    /// Whether to look now.
    fn wants(&mut self, occasion: bool) -> bool {
        let due = self.looked.is_none_or(|looked| looked.elapsed() >= PERIOD);
        if self.looking {
            self.again |= occasion;
            return false;
        }
        due || occasion || std::mem::take(&mut self.again)
    }

    /// Takes the answers; returns what was not said before.
    fn take(&mut self, charter: &Charter, baseline: &BTreeMap<Read, ReadOutcome>, report: LiveReport) -> Vec<Fact> {
        self.looking = false;
        self.not_agreed = alarms::not_agreed(report.chain, &report.answers);
        self.gas.extend(report.gas);
        let unread = judge(charter, report.chain, &report.answers).into_iter().filter(|fact| fact.kind == NOT_READ);
        let unread: Vec<Fact> = unread.collect();
        self.unread_since = (!unread.is_empty()).then(|| self.unread_since.unwrap_or_else(Instant::now));
        let balance = self.payer.and_then(|account| report.answers.get(&Read::Balance { account })?.word());
        self.balance = balance.map(|wei| u128::try_from(wei).unwrap_or(u128::MAX)).or(self.balance);
        // An answer that is missing now must not make the next one look like a change, nor end one, nor make a fault forgotten.
        let known = report.answers.into_iter().filter(|(_, answer)| !matches!(answer, ReadOutcome::Unavailable(_)));
        self.answers.extend(known);
        let mut facts = judge(charter, report.chain, &self.answers);
        facts.retain(|fact| fact.kind != NOT_READ);
        facts.extend(unread);
        let changed = changes(charter, report.chain, baseline, &self.answers);
        let news = facts.iter().filter(|fact| !self.facts.contains(fact));
        let news: Vec<Fact> = news.chain(changed.iter().filter(|fact| !self.changed.contains(fact))).cloned().collect();
        self.facts = facts;
        self.changed = changed;
        news
    }

    /// Everything that does not hold, a line each, faults first; `base_fee` in wei per gas.
    pub(super) fn alarms(&self, chain: ChainId, base_fee: Option<u128>) -> Vec<String> {
        let facts = self.facts.iter().chain(&self.changed);
        let mut lines: Vec<String> = facts.map(told).collect();
        lines.extend(self.not_agreed.clone());
        let funds = self.payer.zip(self.balance);
        let dearest = self.gas.values().max().copied();
        lines.extend(funds.and_then(|(payer, balance)| alarms::unfunded(chain, payer, balance, base_fee, dearest)));
        lines
    }

    /// The first fault that concerns this asset.
    pub(super) fn fault_of(&self, asset: &AssetId) -> Option<&Fact> {
        self.facts.iter().find(|fact| fact.severity == FactSeverity::Fault && fact.assets.contains(asset))
    }

    /// What makes it unsure whether this asset could be paused: something was exchanged since this node first saw it, a fault of the chain
    /// concerns no asset in particular, or what must hold has not been read for a minute.
    pub(super) fn doubt_of(&self, asset: &AssetId) -> Option<&Fact> {
        let concerns = |fact: &&Fact| fact.assets.contains(asset) || fact.assets.is_empty();
        let mut faults =
            self.facts.iter().filter(|fact| fact.severity == FactSeverity::Fault && fact.assets.is_empty());
        let unread = || {
            let long = self.unread_since.is_some_and(|since| since.elapsed() > UNREAD_MAX);
            self.facts.iter().find(|fact| long && fact.kind == NOT_READ)
        };
        self.changed.iter().find(concerns).or_else(|| faults.next()).or_else(unread)
    }
}

fn widest_steps(charter: &Charter, chain: ChainId) -> Vec<(AssetId, Vec<GasCall>)> {
    let assets = charter.assets.iter().filter(|(_, asset)| asset.chain == chain).map(|(id, _)| id);
    let playbooks =
        assets.flat_map(|id| charter.containment_of(id).into_iter().map(move |(_, playbook)| (id, playbook)));
    let steps = playbooks.filter_map(|(id, playbook)| {
        let calls = playbook.steps.last()?.actions.iter().filter(|action| action.chain == chain).filter_map(|action| {
            let safe = charter.safes.get(&action.safe)?;
            Some((safe.address, action.target, action.calldata.clone()))
        });
        Some((id.clone(), calls.collect()))
    });
    steps.collect()
}

/// A fact in one line: its name, what it is, and what to do.
fn told(fact: &Fact) -> String {
    format!("{}: {}; {}", fact.kind, fact.text, fact.remedy())
}

impl Node {
    /// Looks at the chain beside the loop, if this block is an occasion. Blocks of a backfill are none: what they say is over.
    pub(super) fn look(&mut self, chain: ChainId, view: &BlockView) {
        let Some(state) = self.chains.get(&chain).filter(|state| state.ready) else { return };
        let occasion = state.live.is_occasion(view);
        self.look_at(chain, view.block, occasion);
    }

    /// Looks at the chain at this block, if it is time or there is an occasion.
    pub(super) fn look_at(&mut self, chain: ChainId, block: BlockRef, occasion: bool) {
        let Some(client) = self.executor.client(chain).cloned() else { return };
        let Some(live) = self.chains.get_mut(&chain).map(|state| &mut state.live) else { return };
        if !live.wants(occasion) {
            return;
        }
        live.looking = true;
        live.looked = Some(Instant::now());
        let (reads, steps, out) = (live.reads.clone(), live.steps.clone(), self.live_out.clone());
        tokio::spawn(async move {
            let answers = client.read_at(block, &reads).await;
            let mut gas: BTreeMap<AssetId, u64> = BTreeMap::new();
            for (asset, calls) in steps {
                if let Some(found) = client.gas_of(&calls).await {
                    let dearest = gas.entry(asset).or_default();
                    *dearest = found.max(*dearest);
                }
            }
            // The loop is gone only when the node stops.
            let _ = out.send(LiveReport { chain, block, answers, gas }).await;
        });
    }

    /// Says what a look found.
    pub(super) fn on_live(&mut self, report: LiveReport) {
        let block = report.block;
        let charter = std::sync::Arc::clone(&self.charter);
        if let Err(error) = self.baseline.note(report.chain, &report.answers) {
            let text = format!(
                "cannot keep baseline.json ({error}): what is exchanged while this node is down will not be seen"
            );
            self.stands("baseline", text);
        }
        let baseline = self.baseline.of(report.chain);
        let Some(state) = self.chains.get_mut(&report.chain) else { return };
        for fact in state.live.take(&charter, &baseline, report) {
            match fact.severity {
                FactSeverity::Fault => tracing::error!(fact.kind = fact.kind, "{}", fact.text),
                FactSeverity::Warning => tracing::warn!(fact.kind = fact.kind, "{}", fact.text),
            }
            let mut record = describe::plain(now().as_millis(), "alarm", told(&fact));
            record.block = Some(block);
            record.asset = fact.assets.first().cloned();
            self.records.push(record);
        }
    }
}

#[cfg(test)]
mod tests;
