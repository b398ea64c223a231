//! What a whole replay came to.

use serde::Serialize;
use watchfire_detect::Blindness;
use watchfire_types::{AssetId, ChainId, DetectorId, PlaybookId, StepIndex};

use super::{Replay, Saved};

/// Blocks that were not given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Gap {
    /// Chain.
    pub chain: ChainId,
    /// First height that is missing.
    pub first: u64,
    /// Last height that is missing.
    pub last: u64,
}

/// A detector that could not judge some blocks, because what it reads was not there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Blinded {
    /// Which.
    pub detector: DetectorId,
    /// What it is for.
    pub asset: AssetId,
    /// How many blocks.
    pub blocks: u64,
    /// Why, at the first of them.
    pub why: Blindness,
}

/// The first time that a containment playbook was triggered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Containment {
    /// Height.
    pub block: u64,
    /// The asset.
    pub asset: AssetId,
    /// Playbook.
    pub playbook: PlaybookId,
    /// The step voted for.
    pub step: StepIndex,
    /// Whose finding.
    pub detector: DetectorId,
}

/// An expression that had no answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NoAnswers {
    /// Which detector.
    pub detector: DetectorId,
    /// What it is for.
    pub asset: AssetId,
    /// Why, in kebab-case.
    pub cause: &'static str,
    /// Of how many logs or transactions.
    pub count: u64,
}

/// All of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Summary {
    /// Blocks replayed.
    pub blocks: u64,
    /// Transactions in them.
    pub transactions: u64,
    /// Findings told.
    pub findings: u64,
    /// Those that may carry a vote.
    pub decisive: u64,
    /// Whether a playbook in mode `auto` would have voted to contain.
    pub would_contain: bool,
    /// Height of the first such vote.
    pub first_containment_block: Option<u64>,
    /// How long it took.
    pub seconds: f64,
    /// The first such vote.
    pub containment: Option<Containment>,
    /// The first time that a playbook in mode `propose` would have asked people.
    pub proposal: Option<Containment>,
    /// What a pause in the block after would have kept, where it is known.
    pub saved: Vec<Saved>,
    /// Detectors that could not judge some blocks.
    pub blind: Vec<Blinded>,
    /// Expressions that had no answer, and why.
    pub unanswered: Vec<NoAnswers>,
    /// Blocks that were not given, the first hundred stretches.
    pub gaps: Vec<Gap>,
    /// Stretches of blocks that were not given.
    pub gap_count: u64,
    /// Blocks whose logs their receipts root does not prove, as where a receipt is of a type that is not known.
    pub unproved_blocks: u64,
    /// Height of the first of them.
    pub first_unproved_block: Option<u64>,
    /// Parts of the input that were refused.
    pub rejected: u64,
}

impl Replay<'_> {
    /// What it came to, after so long; `rejected` parts of the input were left out.
    #[must_use]
    pub fn summary(&self, seconds: f64, rejected: u64) -> Summary {
        let containment = self.voted.clone();
        Summary {
            blocks: self.counts.blocks,
            transactions: self.counts.transactions,
            findings: self.counts.findings,
            decisive: self.counts.decisive,
            would_contain: containment.is_some(),
            first_containment_block: containment.as_ref().map(|first| first.block),
            seconds,
            containment,
            proposal: self.asked.clone(),
            saved: self.harm.saved(),
            blind: self.blind.values().cloned().collect(),
            unanswered: self.unanswered(),
            gaps: self.gaps.clone(),
            gap_count: self.counts.gaps,
            unproved_blocks: self.counts.unproved,
            first_unproved_block: self.first_unproved,
            rejected,
        }
    }

    /// How often expressions had no answer so far.
    pub(super) fn unanswered(&self) -> Vec<NoAnswers> {
        let all = self.lines.values().flat_map(|line| line.detectors.unanswered());
        let one = |one: watchfire_detect::Unanswered| NoAnswers {
            detector: one.detector,
            asset: one.asset,
            cause: one.cause.name(),
            count: one.count,
        };
        all.map(one).collect()
    }

    /// Blocks replayed so far.
    #[must_use]
    pub fn blocks(&self) -> u64 {
        self.counts.blocks
    }
}
