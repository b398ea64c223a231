//! History replayed through the shipped detectors: what would have fired, when, and what the charter would have made of it.
//!
//! The detectors are those of a running node, fed the same block views; which step a finding votes for is the protocol's own choice. What a replay
//! does not model: people, cooldowns and budgets, recoveries (no window starts anew), and the time a pause takes. It keeps
//! no block: memory is that of the detectors, and one entry for each of [`GAPS_MAX`] gaps.

mod harm;
mod summary;

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use thiserror::Error;
use watchfire_charter::{Asset, Charter, Class, Mode, PlaybookPurpose};
use watchfire_detect::trace::Traced;
use watchfire_detect::{Blindness, BlockTraces, Detectors, Interest};
use watchfire_types::body::Finding;
use watchfire_types::{
    AssetId, B256, BlockRef, BlockView, ChainId, DetectorId, PlaybookId, Read, Severity, StepIndex, Transaction,
};

use harm::Harm;
pub use harm::Saved;
pub use summary::{Blinded, Containment, Gap, NoAnswers, Summary};

/// Gaps that are named; more are counted.
pub const GAPS_MAX: usize = 100;

/// A finding, told at the block where it begins to stand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Told {
    /// Height.
    pub block: u64,
    /// The transaction that caused it, where that is known.
    pub tx: Option<B256>,
    /// Which detector.
    pub detector: DetectorId,
    /// Kind of the finding.
    pub kind: String,
    /// Whether it may carry a vote.
    pub class: Class,
    /// How bad it is.
    pub severity: Severity,
    /// The asset.
    pub asset: AssetId,
    /// One line.
    pub explanation: String,
    /// Named figures.
    pub figures: BTreeMap<String, String>,
}

/// Why a block has no place in the history so far. It is left out, and the history goes on.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Unfit {
    /// Of a chain that is not replayed.
    #[error("block {number} is of chain {found}, which is not replayed here; give blocks of {wanted}")]
    OtherChain {
        /// Height.
        number: u64,
        /// Its chain.
        found: ChainId,
        /// The chains that are.
        wanted: String,
    },
    /// It does not say, and the charter has several.
    #[error("block {number} does not say of which chain it is, and the charter has several; say it with --chain")]
    NoChain {
        /// Height.
        number: u64,
    },
    /// Not above the newest one.
    #[error("block {number} comes after block {newest}; give the files in the order of their blocks")]
    Unordered {
        /// Height.
        number: u64,
        /// The newest height.
        newest: u64,
    },
    /// The next height, of another branch.
    #[error(
        "block {number} is no child of the block before it, its parent is {parent} and not {newest}; they are of two branches or of two chains"
    )]
    NotAChild {
        /// Height.
        number: u64,
        /// Its parent.
        parent: B256,
        /// The block before.
        newest: B256,
    },
}

impl Told {
    /// Whether its rule names no transaction.
    #[must_use]
    pub fn is_unnamed(&self) -> bool {
        !self.figures.contains_key("transaction")
    }
}

impl Unfit {
    /// Its stable name.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::OtherChain { .. } => "other-chain",
            Self::NoChain { .. } => "chain-not-known",
            Self::Unordered { .. } => "blocks-out-of-order",
            Self::NotAChild { .. } => "not-a-child",
        }
    }
}

/// One chain of the history.
struct Line {
    detectors: Detectors,
    newest: Option<BlockRef>,
    /// What stood at the newest block: which detector since when, and how bad.
    standing: BTreeMap<DetectorId, (BlockRef, Severity)>,
}

/// A replay.
pub struct Replay<'a> {
    charter: &'a Charter,
    lines: BTreeMap<ChainId, Line>,
    blind: BTreeMap<DetectorId, Blinded>,
    harm: Harm,
    gaps: Vec<Gap>,
    counts: Counts,
    first_unproved: Option<u64>,
    voted: Option<Containment>,
    asked: Option<Containment>,
}

/// What is counted.
#[derive(Default)]
struct Counts {
    blocks: u64,
    transactions: u64,
    findings: u64,
    decisive: u64,
    gaps: u64,
    unproved: u64,
}

/// What a block came to.
#[derive(Debug, Default)]
pub struct Taken {
    /// Findings that began to stand at it, or became worse.
    pub told: Vec<Told>,
    /// Detectors that could not judge it, and could all before.
    pub blinded: Vec<(DetectorId, Blindness)>,
    /// Blocks that are missing before it.
    pub gap: Option<Gap>,
}

impl<'a> Replay<'a> {
    /// A replay of the charter's chains, or of one of them.
    #[must_use]
    pub fn new(charter: &'a Charter, only: Option<ChainId>) -> Self {
        let chains = charter.chains.keys().copied().filter(|chain| only.is_none_or(|only| only == *chain));
        let line = |chain| Line { detectors: Detectors::new(charter, chain), newest: None, standing: BTreeMap::new() };
        Self {
            charter,
            lines: chains.map(|chain| (chain, line(chain))).collect(),
            blind: BTreeMap::new(),
            harm: Harm::default(),
            gaps: Vec::new(),
            counts: Counts::default(),
            first_unproved: None,
            voted: None,
            asked: None,
        }
    }

    /// The chain of a block that says this of itself.
    ///
    /// # Errors
    /// [`Unfit::NoChain`] and [`Unfit::OtherChain`].
    pub fn chain_of(&self, number: u64, stated: Option<ChainId>) -> Result<ChainId, Unfit> {
        let mut chains = self.lines.keys().copied();
        match (stated, chains.next(), chains.next()) {
            (Some(found), ..) if !self.lines.contains_key(&found) => Err(self.other(number, found)),
            (Some(found), ..) => Ok(found),
            (None, Some(only), None) => Ok(only),
            (None, ..) => Err(Unfit::NoChain { number }),
        }
    }

    fn other(&self, number: u64, found: ChainId) -> Unfit {
        let wanted: Vec<String> = self.lines.keys().map(|chain| format!("chain {chain}")).collect();
        Unfit::OtherChain { number, found, wanted: wanted.join(" or ") }
    }

    /// What has to be read at every block of this chain.
    #[must_use]
    pub fn reads(&self, chain: ChainId) -> BTreeSet<Read> {
        self.lines.get(&chain).map(|line| line.detectors.reads()).unwrap_or_default()
    }

    /// The logs of this chain that detectors are about, or that tell which transaction a finding is of.
    #[must_use]
    pub fn interest(&self, chain: ChainId) -> Option<Interest> {
        let assets = self.charter.assets.values().filter(|asset| asset.chain == chain);
        let contracts = assets.flat_map(|asset| &asset.contracts);
        Some(self.lines.get(&chain)?.detectors.interest().with_contracts(contracts))
    }

    /// The same for every chain of the replay: of which one a block is, is known only once it was read.
    #[must_use]
    pub fn interests(&self) -> Vec<Interest> {
        self.lines.keys().filter_map(|chain| self.interest(*chain)).collect()
    }

    /// Whether detectors of a chain are about transactions.
    #[must_use]
    pub fn wants_transactions(&self, chain: ChainId) -> bool {
        self.lines.get(&chain).is_some_and(|line| line.detectors.wants_transactions())
    }

    /// Names the transaction behind each finding whose rule names none, of a block that was taken without its transactions.
    pub fn name(&self, told: &mut [Told], view: &BlockView, transactions: &[Transaction]) {
        for one in told.iter_mut().filter(|one| one.is_unnamed()) {
            one.tx = self.charter.assets.get(&one.asset).and_then(|asset| touching(asset, view, transactions));
        }
    }

    /// Whether detectors of a chain are about the calls inside transactions.
    #[must_use]
    pub fn wants_traces(&self) -> bool {
        self.lines.values().any(|line| line.detectors.wants_traces())
    }

    /// The transactions of a block whose calls detectors are about.
    #[must_use]
    pub fn to_trace(&self, view: &BlockView) -> BTreeSet<B256> {
        self.lines.get(&view.block.chain).map(|line| line.detectors.to_trace(view)).unwrap_or_default()
    }

    /// Takes the next block of its chain; `transactions` is how many it has. The newest block once more is taken for nothing.
    ///
    /// # Errors
    /// [`Unfit`]; nothing has changed then.
    pub fn take(&mut self, view: &BlockView, transactions: usize) -> Result<Taken, Unfit> {
        self.take_traced(view, transactions, Vec::new())
    }

    /// As [`Self::take`], with what is known of the calls inside its transactions; those of other blocks' transactions are left out.
    ///
    /// # Errors
    /// [`Unfit`]; nothing has changed then.
    pub fn take_traced(&mut self, view: &BlockView, transactions: usize, traces: Vec<Traced>) -> Result<Taken, Unfit> {
        let block = view.block;
        let Some(newest) = self.lines.get(&block.chain).map(|line| line.newest) else {
            return Err(self.other(block.number, block.chain));
        };
        let mut gap = None;
        if let Some(newest) = newest {
            if newest == block {
                return Ok(Taken::default());
            }
            let (number, parent) = (block.number, view.parent);
            if number <= newest.number {
                return Err(Unfit::Unordered { number, newest: newest.number });
            }
            if number - 1 > newest.number {
                gap = Some(Gap { chain: block.chain, first: newest.number + 1, last: number - 1 });
            } else if parent != newest.hash {
                return Err(Unfit::NotAChild { number, parent, newest: newest.hash });
            }
        }
        self.counts.blocks += 1;
        self.counts.transactions += transactions as u64;
        self.counts.gaps += u64::from(gap.is_some());
        if view.unproved {
            self.counts.unproved += 1;
            self.first_unproved.get_or_insert(block.number);
        }
        self.gaps.extend(gap.filter(|_| self.gaps.len() < GAPS_MAX));
        self.trace(view, traces);
        let (found, blinded) = self.observe(view, transactions);
        let standing: Vec<&Finding> = found.iter().collect();
        for finding in &found {
            self.vote(block, finding, &standing);
        }
        Ok(Taken { told: self.told(view, &found), blinded, gap })
    }

    fn trace(&mut self, view: &BlockView, mut traces: Vec<Traced>) {
        let Some(line) = self.lines.get_mut(&view.block.chain).filter(|line| line.detectors.wants_traces()) else {
            return;
        };
        let own: BTreeSet<B256> = view.transactions.iter().map(|one| one.hash).collect();
        traces.retain(|traced| own.is_empty() || traced.tx.is_none_or(|hash| own.contains(&hash)));
        let mut wanted = line.detectors.to_trace(view);
        for traced in &traces {
            match traced.tx {
                Some(hash) => drop(wanted.remove(&hash)),
                // A file that names no transaction at its traces has them all, or nothing could be said of any.
                None => wanted.clear(),
            }
        }
        let whole = wanted.is_empty();
        if !traces.is_empty() || !whole {
            let judged = line.detectors.calls_judge().judge(BlockTraces { traces: &traces, whole });
            line.detectors.traced(&view.block, judged);
        }
    }

    /// What stands at this block, and who could not read it for the first time.
    fn observe(&mut self, view: &BlockView, transactions: usize) -> (Vec<Finding>, Vec<(DetectorId, Blindness)>) {
        let Some(line) = self.lines.get_mut(&view.block.chain) else { return Default::default() };
        line.newest = Some(view.block);
        let found = line.detectors.observe(view, &BTreeMap::new());
        // What is past is final.
        for line in self.lines.values_mut() {
            line.detectors.hear(view, &found);
            line.detectors.hear_final(&view.block);
        }
        let Some(line) = self.lines.get_mut(&view.block.chain) else { return Default::default() };
        let mut blinded = Vec::new();
        let blind = line.detectors.blind(1).map(|blind| (blind.detector, blind.asset, blind.why));
        // Hashes where transactions should be tell rules about transactions nothing.
        let named_only = view.transactions.len() != transactions;
        let untold = line.detectors.about_transactions().filter(|_| named_only);
        let untold = untold.map(|(detector, asset)| (detector.clone(), asset.clone(), Blindness::Unread));
        for (detector, asset, why) in blind.chain(untold) {
            let entry = self.blind.entry(detector.clone()).or_insert_with(|| {
                blinded.push((detector.clone(), why));
                Blinded { detector, asset, blocks: 0, why }
            });
            entry.blocks += 1;
        }
        self.harm.at(view.block, line.detectors.holdings(&view.block));
        (found, blinded)
    }

    /// The findings that are new, or worse than they were.
    fn told(&mut self, view: &BlockView, found: &[Finding]) -> Vec<Told> {
        let Some(line) = self.lines.get_mut(&view.block.chain) else { return Vec::new() };
        let standing =
            found.iter().map(|finding| (finding.detector.clone(), (finding.first, finding.severity))).collect();
        let before = std::mem::replace(&mut line.standing, standing);
        let new = found.iter().filter(|finding| {
            let said = before.get(&finding.detector);
            !said.is_some_and(|(first, severity)| *first == finding.first && *severity >= finding.severity)
        });
        let told: Vec<Told> = new
            .map(|finding| Told {
                block: view.block.number,
                tx: self.charter.assets.get(&finding.asset).and_then(|asset| cause(finding, asset, view)),
                detector: finding.detector.clone(),
                kind: finding.kind.clone(),
                class: self.charter.class_of(&finding.detector),
                severity: finding.severity,
                asset: finding.asset.clone(),
                explanation: finding.explanation.clone(),
                figures: finding.figures.clone(),
            })
            .collect();
        self.counts.findings += told.len() as u64;
        self.counts.decisive += told.iter().filter(|told| told.class == Class::Decisive).count() as u64;
        told
    }

    /// What the charter's containment playbooks make of a finding that stands.
    fn vote(&mut self, block: BlockRef, finding: &Finding, standing: &[&Finding]) {
        let playbooks =
            self.charter.playbooks.iter().filter(|(_, playbook)| {
                playbook.purpose == PlaybookPurpose::Contain && playbook.asset == finding.asset
            });
        for (id, playbook) in playbooks {
            let Some(step) = watchfire_protocol::triggered(self.charter, playbook, finding, standing) else { continue };
            match playbook.mode {
                Mode::Observe => {}
                Mode::Propose => drop(self.asked.get_or_insert_with(|| first(block, finding, id, step))),
                Mode::Auto => {
                    self.harm.contained(&finding.asset, block);
                    self.voted.get_or_insert_with(|| first(block, finding, id, step));
                }
            }
        }
    }
}

fn first(block: BlockRef, finding: &Finding, playbook: &PlaybookId, step: StepIndex) -> Containment {
    Containment {
        block: block.number,
        asset: finding.asset.clone(),
        playbook: playbook.clone(),
        step,
        detector: finding.detector.clone(),
    }
}

/// The transaction behind a finding: the one that it names, else the only one of the block that touches the asset.
fn cause(finding: &Finding, asset: &Asset, view: &BlockView) -> Option<B256> {
    if let Some(named) = finding.figures.get("transaction") {
        return named.parse().ok();
    }
    touching(asset, view, &view.transactions)
}

/// The only transaction of a block that calls the asset's contracts or makes them emit something.
fn touching(asset: &Asset, view: &BlockView, transactions: &[Transaction]) -> Option<B256> {
    let calls = transactions.iter().filter(|one| one.to.is_some_and(|to| asset.contracts.contains(&to)));
    let emits = view.logs.iter().filter(|log| asset.contracts.contains(&log.address));
    let touching: BTreeSet<B256> = calls.map(|one| one.hash).chain(emits.map(|log| log.transaction)).collect();
    let mut touching = touching.into_iter();
    touching.next().filter(|_| touching.next().is_none())
}

#[cfg(test)]
mod tests;
