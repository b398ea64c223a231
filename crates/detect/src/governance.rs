//! Governance: what it is about to do, with whose votes it does it, and what a market that it lists begins with.

use std::collections::BTreeMap;

use alloy_primitives::{Address, B256};
use watchfire_charter::expression::NoAnswer;
use watchfire_types::{BlockRef, BlockView, Log};

use crate::detectors::Evaluation;
pub(crate) use market::{MarketWatch, makes_or_ends};
pub(crate) use plans::PlansWatch;
pub(crate) use votes::VotesWatch;

mod decode;
mod market;
mod plans;
mod votes;

/// Most characters of a signature in a line, and of a figure.
const NAME_MAX: usize = 128;

/// One rule about governance.
pub(crate) enum GovernanceWatch {
    Plans(PlansWatch),
    Votes(VotesWatch),
    Market(MarketWatch),
}

impl GovernanceWatch {
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Plans(_) => "governance",
            Self::Votes(_) => "borrowed-votes",
            Self::Market(_) => "thin-market",
        }
    }

    pub(crate) fn stands_s(&self) -> u64 {
        match self {
            Self::Plans(watch) => watch.seen().stands_s(),
            Self::Votes(watch) => watch.seen().stands_s(),
            Self::Market(watch) => watch.seen().stands_s(),
        }
    }

    /// The contracts and first topics of its events.
    pub(crate) fn keys(&self) -> Vec<(Address, B256)> {
        match self {
            Self::Plans(watch) => watch.keys(),
            Self::Votes(watch) => watch.keys(),
            Self::Market(watch) => watch.keys(),
        }
    }

    /// Whether it may stand at a block after this one that has nothing for it.
    pub(crate) fn may_stand_after(&self, at: &BlockRef) -> bool {
        match self {
            Self::Plans(watch) => watch.seen().may_stand_after(at),
            Self::Votes(watch) => watch.seen().may_stand_after(at),
            Self::Market(watch) => watch.seen().may_stand_after(at),
        }
    }

    /// Whether it looks at how much of a token is made, of whichever token.
    pub(crate) fn is_about_supplies(&self) -> bool {
        matches!(self, Self::Market(_))
    }

    /// How many of its logs were not read, and why.
    pub(crate) fn unanswered(&self) -> Vec<(NoAnswer, u64)> {
        match self {
            Self::Plans(watch) => watch.unanswered().collect(),
            Self::Votes(_) => Vec::new(),
            Self::Market(watch) => watch.unanswered().into_iter().collect(),
        }
    }

    /// Takes a block with those of its logs that have one of [`Self::keys`], in order; others among them do no harm.
    pub(crate) fn observe<'a>(
        &mut self,
        view: &BlockView,
        logs: impl Iterator<Item = &'a Log>,
        floor: Option<&BlockRef>,
    ) -> Evaluation {
        match self {
            Self::Plans(watch) => watch.observe(view, logs, floor),
            Self::Votes(watch) => watch.observe(view, logs, floor),
            Self::Market(watch) => watch.observe(view, logs, floor),
        }
    }

    pub(crate) fn rollback(&mut self, to: &BlockRef) {
        match self {
            Self::Plans(watch) => watch.rollback(to),
            Self::Votes(watch) => watch.rollback(to),
            Self::Market(watch) => watch.rollback(to),
        }
    }
}

/// What a contract calls something, cut to what a line takes.
fn told(name: &str) -> String {
    name.chars().take(NAME_MAX).collect()
}

fn figures<const N: usize>(named: [(&str, String); N]) -> BTreeMap<String, String> {
    named.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}
