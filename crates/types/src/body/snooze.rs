//! People who know of something and need not be told again for a while.

use super::Human;
use crate::block::BlockRef;
use crate::id::{AssetId, DetectorId};
use crate::time::BlockTime;

/// Longest that a snooze lasts, seconds of block time of the asset's chain.
pub const SNOOZE_MAX_S: u64 = 7 * 24 * 3600;

/// An organisation's people want no attention of their own for what only gives context of an asset, by one rule or by all. It binds what this
/// organisation's nodes say to its people and nothing else: no vote, no event, no other organisation. Of several about the same the last holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snoozed {
    /// Asset.
    pub asset: AssetId,
    /// The rule; `None` for every rule of the asset that only gives context.
    pub detector: Option<DetectorId>,
    /// Head of the asset's chain when it was said.
    pub head: BlockRef,
    /// Block time up to which it lasts, at most [`SNOOZE_MAX_S`] after the head's; at or before the head's it ends one.
    pub until: BlockTime,
    /// Who and why.
    pub human: Human,
}
