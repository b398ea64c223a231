//! RPC operators: each shows the chain late, not at all, or not as it is.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};

use alloy_primitives::{B256, U256};
use watchfire_types::input::PreflightOutcome;
use watchfire_types::{BlockView, Bytes, Log, Read, ReadOutcome};

use super::cast::Cast;
use super::chain::{Block, Chain, Transaction};
use crate::scenario::Lies;

/// A fabricated drain.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Drain {
    pub(crate) from_block: u64,
    pub(crate) wei_per_block: U256,
    pub(crate) blocks: u64,
}

impl Drain {
    /// What seems to have left by this block.
    fn by(&self, block: u64) -> U256 {
        let blocks = (block + 1).saturating_sub(self.from_block).min(self.blocks);
        self.wei_per_block * U256::from(blocks)
    }
}

/// How an operator behaves.
#[derive(Debug, Clone, Default)]
pub(crate) struct Conduct {
    /// Late by this much, ms.
    pub(crate) late_ms: u64,
    /// Does not answer usefully at all.
    pub(crate) down: bool,
    pub(crate) drain: Option<Drain>,
    pub(crate) denies: BTreeSet<Lies>,
}

/// One operator.
#[derive(Debug)]
pub(crate) struct Operator {
    /// The newest block it shows.
    pub(crate) head: B256,
    pub(crate) conduct: Conduct,
    pub(crate) holds_transactions: bool,
    pub(crate) held: Vec<Transaction>,
    /// How often it was asked about a block.
    asked: Cell<u64>,
}

impl Operator {
    pub(crate) fn new(head: B256) -> Self {
        Self { head, conduct: Conduct::default(), holds_transactions: false, held: Vec::new(), asked: Cell::default() }
    }

    /// The untruths that it tells now.
    fn untruths(&self) -> &BTreeSet<Lies> {
        static NONE: BTreeSet<Lies> = BTreeSet::new();
        if self.tells_the_truth() { &NONE } else { &self.conduct.denies }
    }

    fn drain(&self) -> Option<Drain> {
        self.conduct.drain.filter(|_| !self.tells_the_truth())
    }

    /// Whether it is between two untruths.
    fn tells_the_truth(&self) -> bool {
        self.conduct.denies.contains(&Lies::Flips) && self.asked.get().is_multiple_of(2)
    }

    /// What it says of a simulation that truly came out so.
    pub(crate) fn says_of(&self, truly: &PreflightOutcome) -> PreflightOutcome {
        let untruths = self.untruths();
        match () {
            () if untruths.contains(&Lies::Reverts) => {
                PreflightOutcome::Refuted { reason: "execution reverted".to_owned(), by_guard: false }
            }
            () if untruths.contains(&Lies::Passes) => PreflightOutcome::Passes,
            () => truly.clone(),
        }
    }

    fn answer(&self, cast: &Cast, block: &Block, read: &Read) -> ReadOutcome {
        let honest = block.answers.get(read).cloned().unwrap_or_else(|| block.state.read(cast, read));
        let Some(word) = honest.word() else { return honest };
        let denies = |lie| self.untruths().contains(&lie);
        if let Some(contracts) = &cast.contracts {
            let loss = self.drain().map_or(U256::ZERO, |drain| drain.by(block.at.number));
            let told = contracts.told(cast, read, &honest, loss, self.untruths());
            if let Some(told) = told {
                return told;
            }
        }
        let told = match read {
            Read::Balance { account } if *account == cast.vault => {
                let loss = self.drain().map_or(U256::ZERO, |drain| drain.by(block.at.number));
                let shown = if denies(Lies::NoLoss) { cast.scenario.vault.wei } else { word };
                shown.saturating_sub(loss)
            }
            Read::Call { to, data } if *to == cast.vault && is(data, "paused()") => match () {
                () if denies(Lies::Paused) => U256::from(1),
                () if denies(Lies::Unpaused) => U256::ZERO,
                () => word,
            },
            Read::Call { to, data } if *to == cast.safe && is(data, "nonce()") && denies(Lies::NonceTaken) => {
                word + U256::from(1)
            }
            _ => word,
        };
        ReadOutcome::Value(Bytes::copy_from_slice(&told.to_be_bytes::<32>()))
    }

    fn logs(&self, block: &Block) -> Vec<Log> {
        if self.untruths().contains(&Lies::NoLogs) { Vec::new() } else { block.logs.to_vec() }
    }
}

fn is(data: &[u8], signature: &str) -> bool {
    data.starts_with(&alloy_primitives::keccak256(signature)[..4])
}

/// The newest block that `agree` of these operators have on their branch.
pub(crate) fn agreed_head(chain: &Chain, operators: &[Operator], asks: &[usize], agree: usize) -> Option<B256> {
    let heads: Vec<&Block> = asks
        .iter()
        .filter_map(|place| operators.get(*place))
        .filter(|operator| !operator.conduct.down)
        .filter_map(|operator| chain.block(&operator.head))
        .collect();
    if heads.len() < agree {
        return None;
    }
    let mut candidates: Vec<&Block> = heads.clone();
    candidates.sort_by_key(|block| std::cmp::Reverse((block.at.number, block.at.hash)));
    // The k-th highest head bounds what k have; below it the branches meet.
    candidates.into_iter().find_map(|candidate| {
        let holders = heads.iter().filter(|head| descends(chain, head, candidate)).count();
        (holders >= agree).then_some(candidate.at.hash)
    })
}

/// Whether `block` is `ancestor` or comes after it on the same branch.
fn descends(chain: &Chain, block: &Block, ancestor: &Block) -> bool {
    let mut at = block;
    while at.at.number > ancestor.at.number {
        match chain.block(&at.parent) {
            Some(parent) => at = parent,
            None => return false,
        }
    }
    at.at.hash == ancestor.at.hash
}

/// What a node that asks these operators knows of a block: each answer equal from `agree` of them.
pub(crate) fn view(cast: &Cast, block: &Block, operators: &[Operator], asks: &[usize], agree: usize) -> BlockView {
    let up: Vec<(usize, &Operator)> = asks
        .iter()
        .filter_map(|place| Some((*place, operators.get(*place)?)))
        .filter(|(_, operator)| !operator.conduct.down)
        .collect();
    up.iter().for_each(|(_, operator)| operator.asked.set(operator.asked.get() + 1));
    let mut agreed: BTreeSet<usize> = up.iter().map(|(place, _)| *place).collect();
    let honest = |operator: &Operator| operator.drain().is_none() && operator.untruths().is_empty();
    if up.len() >= agree.max(1) && up.iter().all(|(_, operator)| honest(operator)) {
        // Where everyone tells the truth there is nothing to compare.
        return BlockView {
            block: block.at,
            parent: block.parent,
            base_fee: Some(block.base_fee),
            transactions: Vec::new(),
            logs: block.logs.to_vec(),
            reads: (*block.answers).clone(),
            agreed: agreed.iter().filter_map(|place| cast.operators.get(*place).cloned()).collect(),
            unproved: false,
        };
    }
    let mut reads = BTreeMap::new();
    for read in &cast.reads {
        let mut tally: Vec<(ReadOutcome, BTreeSet<usize>)> = Vec::new();
        for (place, operator) in &up {
            let answer = operator.answer(cast, block, read);
            match tally.iter_mut().find(|(other, _)| *other == answer) {
                Some((_, by)) => drop(by.insert(*place)),
                None => tally.push((answer, BTreeSet::from([*place]))),
            }
        }
        let found = tally.into_iter().find(|(_, by)| by.len() >= agree);
        let outcome = match found {
            Some((outcome, by)) => {
                agreed.retain(|place| by.contains(place));
                outcome
            }
            None => ReadOutcome::Unavailable("operators disagree".to_owned()),
        };
        reads.insert(read.clone(), outcome);
    }
    // Logs are proved by the header's receipt root, so that one truthful operator is enough; without one the lie stands.
    let logs = up.iter().map(|(_, operator)| operator.logs(block)).max_by_key(Vec::len).unwrap_or_default();
    BlockView {
        block: block.at,
        parent: block.parent,
        base_fee: Some(block.base_fee),
        transactions: Vec::new(),
        logs,
        reads,
        agreed: agreed.iter().filter_map(|place| cast.operators.get(*place).cloned()).collect(),
        unproved: false,
    }
}
