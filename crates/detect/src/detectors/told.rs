//! What rules say of themselves beside findings: what they could not see, and what they saw held.

use std::collections::BTreeSet;
use std::sync::Arc;

use alloy_primitives::{Address, U256};
use serde::Serialize;
use watchfire_charter::expression::NoAnswer;
use watchfire_types::{AssetId, B256, BlockRef, BlockView, DetectorId};

use super::{Detectors, Rule, Watching};
use crate::calls::{Judged, Judging};
use crate::trace::{Model, Traced};

/// A detector that sees nothing of what it watches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blind {
    /// Which.
    pub detector: DetectorId,
    /// What it is for.
    pub asset: AssetId,
    /// Newest blocks in a row that it could not judge.
    pub blocks: u64,
    /// Why.
    pub why: Blindness,
}

/// Why a detector sees nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Blindness {
    /// What it reads was not answered.
    Unread,
    /// It has not seen the windows yet that it compares with.
    Learning,
    /// Nobody gave the calls inside the transactions that it should judge.
    Untraced,
    /// The other chain that it looks at has not passed the time that it judges, or did not answer there; or its own did not.
    Behind,
}

/// How often an expression had no answer, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unanswered {
    /// Which detector.
    pub detector: DetectorId,
    /// What it is for.
    pub asset: AssetId,
    /// Why.
    pub cause: NoAnswer,
    /// Logs or transactions.
    pub count: u64,
}

/// What an outflow detector saw its group hold at the newest block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holding {
    /// Which detector.
    pub detector: DetectorId,
    /// What it is for.
    pub asset: AssetId,
    /// ERC-20 contract, or `None` for the native coin.
    pub token: Option<Address>,
    /// Sum over the group, base units.
    pub amount: U256,
}

/// What is known of the calls inside a block's transactions.
#[derive(Debug, Clone, Copy)]
pub struct BlockTraces<'a> {
    /// Those that were traced.
    pub traces: &'a [Traced],
    /// Whether they are all that [`Detectors::to_trace`] asked for.
    pub whole: bool,
}

/// Judges traces for the rules of one chain's detectors, apart from them. Cloning is cheap.
#[derive(Debug, Clone)]
pub struct CallsJudge(Vec<Option<Arc<Judging>>>);

/// What a block's traces come to, rule by rule.
#[derive(Debug)]
pub struct JudgedCalls {
    of_rules: Vec<Vec<Judged>>,
    whole: bool,
}

impl CallsJudge {
    /// What these traces come to: seconds of work where an operator makes up a million calls in each.
    #[must_use]
    pub fn judge(&self, known: BlockTraces<'_>) -> JudgedCalls {
        // The weights that come with the program; a test reads them.
        let model = Model::shipped().ok();
        let of_rule = |judging: &Option<Arc<Judging>>| {
            let traces = judging.iter().flat_map(|judging| known.traces.iter().map(move |traced| (judging, traced)));
            traces.map(|(judging, traced)| judging.judge(traced, model.as_ref())).collect()
        };
        JudgedCalls { of_rules: self.0.iter().map(of_rule).collect(), whole: known.whole }
    }
}

impl Detectors {
    /// Whether a rule is about the calls inside transactions.
    #[must_use]
    pub fn wants_traces(&self) -> bool {
        self.rules.iter().any(|rule| matches!(rule.watching, Watching::Calls(_)))
    }

    /// The transactions of a block whose calls rules are about, in the order of their hashes.
    #[must_use]
    pub fn to_trace(&self, view: &BlockView) -> BTreeSet<B256> {
        let mut hashes = BTreeSet::new();
        for rule in &self.rules {
            if let Watching::Calls(watch) = &rule.watching {
                watch.to_trace(view, &mut hashes);
            }
        }
        hashes
    }

    /// What judges calls for these rules, to be done where it may take long.
    #[must_use]
    pub fn calls_judge(&self) -> CallsJudge {
        let judging = |rule: &Rule| match &rule.watching {
            Watching::Calls(watch) => Some(watch.judging()),
            _ => None,
        };
        CallsJudge(self.rules.iter().map(judging).collect())
    }

    /// Takes the calls inside transactions of a block: before [`Self::observe`] of it they are judged with it, after it with the next one.
    /// The block has to be canonical; what a reorg takes is forgotten by [`Self::rollback`].
    pub fn traced(&mut self, block: &BlockRef, judged: JudgedCalls) {
        let JudgedCalls { of_rules, whole } = judged;
        for (rule, judged) in self.rules.iter_mut().zip(of_rules) {
            if let Watching::Calls(watch) = &mut rule.watching {
                watch.traced(block, judged, whole);
            }
        }
    }

    /// How often expressions had no answer so far: such a log or transaction is no finding, and nobody else would notice. In the order of the
    /// detectors; blocks that a reorg took back count as well.
    pub fn unanswered(&self) -> impl Iterator<Item = Unanswered> {
        self.rules.iter().flat_map(|rule| {
            let causes: Vec<(NoAnswer, u64)> = match &rule.watching {
                Watching::Expression(watch) => watch.unanswered().collect(),
                Watching::Rate(watch) => watch.unanswered().collect(),
                Watching::Governance(watch) => watch.unanswered(),
                Watching::Release(watch) => watch.unanswered().collect(),
                _ => Vec::new(),
            };
            causes.into_iter().map(|(cause, count)| Unanswered {
                detector: rule.id.clone(),
                asset: rule.asset.clone(),
                cause,
                count,
            })
        })
    }

    /// Detectors to which at least `blocks` blocks in a row, up to the newest, gave no answer: a call that reverts where a balance should
    /// be, or a read on which too few operators agree. They find nothing meanwhile, which nobody else would notice.
    pub fn blind(&self, blocks: u64) -> impl Iterator<Item = Blind> {
        let blind = self.rules.iter().filter(move |rule| rule.unread >= blocks);
        blind.map(|rule| {
            let why = match &rule.watching {
                Watching::Rate(watch) if watch.is_learning() => Blindness::Learning,
                Watching::Calls(_) => Blindness::Untraced,
                Watching::Sister(_) | Watching::Cross(_) | Watching::Release(_) => Blindness::Behind,
                _ => Blindness::Unread,
            };
            Blind { detector: rule.id.clone(), asset: rule.asset.clone(), blocks: rule.unread, why }
        })
    }

    /// What each outflow detector that could read its group's balances at `block` saw there.
    pub fn holdings(&self, block: &BlockRef) -> impl Iterator<Item = Holding> {
        self.rules.iter().filter_map(move |rule| {
            let Watching::Outflow(watch) = &rule.watching else { return None };
            let amount = watch.held(block)?;
            Some(Holding { detector: rule.id.clone(), asset: rule.asset.clone(), token: watch.token(), amount })
        })
    }
}
