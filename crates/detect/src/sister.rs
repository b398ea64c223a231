//! What is found on one deployment raises those with the same code, on every chain.
//!
//! The code of both contracts is read at each block, so that a deployment whose code was changed is a sister no longer, and one that got the same code is one.
//! A block of time t is judged by what stood at the sister's newest block up to t less the lag, and by nothing before the sister's chain has passed that
//! time: every node that judges it says the same. On one chain it is the block before. It stands as long as the sister's finding does.
//!
//! Memory: one [`Track`].

use std::collections::{BTreeMap, BTreeSet};

use alloy_primitives::{Address, B256, KECCAK256_EMPTY};
use watchfire_charter::Sister;
use watchfire_types::body::Finding;
use watchfire_types::{BlockRef, BlockTime, BlockView, ChainId, DetectorId, Read, ReadOutcome};

use crate::detectors::Evaluation;
use crate::track::Track;

/// What a block of the sister's chain says of it.
#[derive(Debug, PartialEq)]
struct Seen {
    /// Of its contract.
    code: B256,
    /// The newest of the findings that count.
    raised: Option<Raised>,
}

/// A finding on a sister, without what changes while it stands. Ordered by when it began.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Raised {
    since: BlockTime,
    block: u64,
    detector: DetectorId,
    kind: String,
}

/// One rule about a sister.
pub(crate) struct SisterWatch {
    rule: Sister,
    own: ChainId,
    elsewhere: ChainId,
    /// The rules of the sister whose findings count.
    sources: BTreeSet<DetectorId>,
    /// None at blocks where the code was not read, or where a finding goes on standing that nobody judged there.
    seen: Track<Option<Seen>>,
}

impl SisterWatch {
    pub(crate) fn new(rule: Sister, own: ChainId, elsewhere: ChainId, sources: BTreeSet<DetectorId>) -> Self {
        Self { rule, own, elsewhere, sources, seen: Track::new() }
    }

    pub(crate) fn read(&self) -> Read {
        code_read(self.rule.contract)
    }

    /// How far it looks back, seconds of block time.
    pub(crate) fn span_s(&self) -> u64 {
        self.rule.span_s()
    }

    /// Takes a block of any chain with what stands at it.
    pub(crate) fn hear(&mut self, view: &BlockView, standing: &[Finding]) {
        if view.block.chain != self.elsewhere {
            return;
        }
        let counts =
            |finding: &&Finding| finding.asset == self.rule.elsewhere && self.sources.contains(&finding.detector);
        let code = code(view, self.rule.elsewhere_contract);
        // Who could not read goes on with what stood, on the evidence of an earlier block: whoever could may know better.
        let judged = standing.iter().filter(counts).all(|finding| finding.block == view.block);
        let raised = standing.iter().filter(counts).map(|finding| Raised {
            since: finding.first.time,
            block: finding.first.number,
            detector: finding.detector.clone(),
            kind: finding.kind.clone(),
        });
        let seen = code.filter(|_| judged).map(|code| Seen { code, raised: raised.max() });
        self.seen.take(&view.block, seen);
    }

    /// Judges a block of its own chain. What began at a sister up to a recovery of this asset is no reason to contain it again.
    pub(crate) fn observe(&self, view: &BlockView, floor: Option<&BlockRef>) -> Evaluation {
        let Some(own) = code(view, self.rule.contract) else { return Evaluation::Unknown };
        let Some(Seen { code, raised }) = self.seen_at(&view.block) else { return Evaluation::Unknown };
        let raised = raised.as_ref().filter(|raised| floor.is_none_or(|floor| raised.since > floor.time));
        match raised {
            Some(raised) if *code == own && own != KECCAK256_EMPTY => self.tell(raised, &own),
            _ => Evaluation::Quiet,
        }
    }

    fn seen_at(&self, block: &BlockRef) -> Option<&Seen> {
        if self.own == self.elsewhere {
            return self.seen.newest_before(block)?.as_ref();
        }
        let at = BlockTime::from_secs(block.time.as_secs().saturating_sub(self.rule.lag_s));
        self.seen.over(at, at)?.next_back()?.as_ref()
    }

    /// Forgets every block above `to` of that chain.
    pub(crate) fn rollback(&mut self, to: &BlockRef) {
        if to.chain == self.elsewhere {
            self.seen.rollback(to);
        }
    }

    fn tell(&self, raised: &Raised, code: &B256) -> Evaluation {
        let Raised { block, detector, kind, .. } = raised;
        let (sister, chain) = (&self.rule.elsewhere, self.elsewhere);
        let explanation = format!(
            "{sister} on chain {chain} runs the same code, and {detector} ({kind}) stands there since block {block}"
        );
        let figures = BTreeMap::from([
            ("sister".to_owned(), sister.to_string()),
            ("sister_chain".to_owned(), chain.to_string()),
            ("sister_block".to_owned(), block.to_string()),
            ("sister_detector".to_owned(), detector.to_string()),
            ("sister_kind".to_owned(), kind.clone()),
            ("code_hash".to_owned(), code.to_string()),
        ]);
        Evaluation::Fires { explanation, figures }
    }
}

pub(crate) const fn code_read(account: Address) -> Read {
    Read::CodeHash { account }
}

fn code(view: &BlockView, account: Address) -> Option<B256> {
    match view.reads.get(&code_read(account))? {
        ReadOutcome::Value(hash) => B256::try_from(hash.as_ref()).ok(),
        ReadOutcome::Reverted(_) | ReadOutcome::Unavailable(_) => None,
    }
}

#[cfg(test)]
mod tests;
