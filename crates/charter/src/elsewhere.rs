//! Rules of one asset that look at another, mostly of another chain.
//!
//! What a block of one chain is compared with on another must not hang on which block a node happened to get first. So all of these look back: a block of
//! time t is judged by what the other chain showed at time t less the rule's `lag_s`, and is not judged at all before the other chain has passed that time.

use std::collections::{BTreeMap, BTreeSet};

use alloy_primitives::{Address, U256};
use serde::Serialize;
use watchfire_types::{AssetId, DetectorId};

use crate::expression::Subject;
use crate::watch::{Class, Comparison, Detector, Quantity, Watch};

/// By how much longer than its windows a node looks back for such a rule, seconds: what stood at their beginning was said before it.
const BEFORE_S: u64 = 60;

/// The same code elsewhere: what is found there raises this asset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Sister {
    /// The contract whose code counts as this asset's.
    pub contract: Address,
    /// The other asset.
    pub elsewhere: AssetId,
    /// Its contract of the same code.
    pub elsewhere_contract: Address,
    /// Kinds of findings that count; every kind that may vote where there is none.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub kinds: BTreeSet<String>,
    /// How far back another chain is looked at, seconds of block time.
    pub lag_s: u64,
}

/// Numbers of two chains of which `left * scale_left compare right * scale_right` holds at one time, give or take the tolerance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CrossChain {
    /// Left of the comparison, on this asset's chain.
    pub left: Quantity,
    /// What it is multiplied with.
    pub scale_left: U256,
    /// The comparison.
    pub compare: Comparison,
    /// The other asset.
    pub elsewhere: AssetId,
    /// Right of the comparison, on the other asset's chain.
    pub right: Quantity,
    /// What it is multiplied with.
    pub scale_right: U256,
    /// By how much the comparison may be missed, basis points of the right side.
    pub tolerance_bps: u16,
    /// How far back both are compared, seconds of block time: longer than the other chain takes to be final.
    pub lag_s: u64,
    /// By how much the chains' clocks may differ, seconds: one value of the right side within it is enough.
    pub skew_s: u64,
}

/// A release here that has no event of its own on another chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Release {
    /// The contract that releases.
    pub address: Address,
    /// Its event, as declared.
    pub event: Subject,
    /// The other asset.
    pub elsewhere: AssetId,
    /// The contract there that locks, burns or sends.
    pub elsewhere_address: Address,
    /// Its event, as declared.
    pub elsewhere_event: Subject,
    /// What has to be the same: a parameter here, and the one there.
    pub same: BTreeMap<String, String>,
    /// How long a message takes at most, seconds of block time: no earlier event there counts.
    pub within_s: u64,
    /// How far back a release is looked at first, seconds of block time: longer than the other chain takes to be final.
    pub lag_s: u64,
    /// By how much the chains' clocks may differ, seconds: an event there may be so much later.
    pub skew_s: u64,
    /// How long the finding stands, seconds of block time.
    pub stands_s: u64,
}

impl Release {
    /// How far it looks back, seconds of block time: from a release to the earliest other one of the same message, and from that one to its event.
    #[must_use]
    pub fn span_s(&self) -> u64 {
        let (within_s, skew_s) = (self.within_s, self.skew_s);
        let all = [within_s, within_s, skew_s, skew_s, self.lag_s, self.stands_s, BEFORE_S];
        all.into_iter().fold(0, u64::saturating_add)
    }
}

impl Sister {
    /// How far it looks back, seconds of block time.
    #[must_use]
    pub fn span_s(&self) -> u64 {
        self.lag_s.saturating_add(BEFORE_S)
    }

    /// The rules whose findings count: of the other asset, that may vote; never one of this kind, so that nothing goes in circles.
    pub fn sources<'a>(
        &'a self,
        detectors: &'a BTreeMap<DetectorId, Detector>,
    ) -> impl Iterator<Item = (&'a DetectorId, &'a Detector)> {
        let counts = |detector: &Detector| self.kinds.is_empty() || self.kinds.contains(detector.watch.kind());
        detectors.iter().filter(move |(_, detector)| {
            let sister = matches!(detector.watch, Watch::Sister(_));
            detector.asset == self.elsewhere && detector.class == Class::Decisive && !sister && counts(detector)
        })
    }
}

impl CrossChain {
    /// Whether it is broken by more of what an asset holds, which anybody can send it.
    #[must_use]
    pub(crate) fn is_broken_by_gift(&self) -> bool {
        self.compare.is_broken_by_gift(&self.left, &self.right)
    }

    /// How far it looks back, seconds of block time.
    #[must_use]
    pub fn span_s(&self) -> u64 {
        self.lag_s.saturating_add(self.skew_s).saturating_add(BEFORE_S)
    }
}
