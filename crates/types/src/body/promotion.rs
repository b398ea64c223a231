//! What people say of a rule after the fact: what an incident turned out to be, and that a rule that was wrong may act by itself again.

use serde::{Deserialize, Serialize};

use super::Human;
use crate::block::BlockRef;
use crate::id::{AssetId, CharterVersion, DetectorId, OperatorId};
use crate::time::BlockTime;

/// What an incident turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// What was found was there.
    Confirmed,
    /// A false alarm.
    False,
}

impl Outcome {
    /// Its name as in JSON and on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Confirmed => "confirmed",
            Self::False => "false",
        }
    }
}

/// An organisation's people want a rule to vote by itself again, though a pause that it carried was a false alarm: the first such event proposes
/// it, every other one supports it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PromotionSupported {
    /// Charter version under which it was said.
    pub version: CharterVersion,
    /// Asset that the rule watches.
    pub asset: AssetId,
    /// The rule.
    pub detector: DetectorId,
    /// Close of the newest incident that is forgiven; those before it are too, those after it are not.
    pub through: BlockTime,
    /// Operator label: whose endpoint gave the head.
    pub operator: OperatorId,
    /// Head of the asset's chain when it was said.
    pub head: BlockRef,
    /// Who and why.
    pub human: Human,
}
