//! How much a rule remembers at most.

use watchfire_charter::{StateExpectation, Watch};

use crate::REORG_DEPTH;
use crate::{calls, drain, fresh, release, track};

/// Bytes of an entry: a block with what was measured at it.
const ENTRY: u64 = 160;
/// Blocks that a reorg may take back, and one before them.
const KEPT: u64 = REORG_DEPTH + 1;

/// What an expression was seen to hold of takes as much as this many entries: its fields as text.
const SEEN_ENTRIES: u64 = 64;

/// Most bytes that a rule keeps of blocks, events and transfers on a chain of this time between blocks. Not counted: the answers of calls that
/// must not change, one for each of 65 blocks, and of what it finds one finding for each of 65 blocks.
#[must_use]
pub fn footprint(watch: &Watch, block_time_ms: u64) -> u64 {
    let blocks = |window_s: u64| (window_s.saturating_mul(1000) / block_time_ms.max(1)).saturating_add(2);
    let entries = match watch {
        Watch::Outflow { window_s, .. } => blocks(*window_s).saturating_add(KEPT),
        Watch::Leap { window_s, .. } => blocks(*window_s).saturating_add(KEPT).saturating_add(KEPT),
        Watch::Event { .. } => KEPT,
        Watch::SafeNonce { .. } => KEPT + KEPT,
        Watch::Governance(_) | Watch::BorrowedVotes(_) | Watch::ThinMarket(_) => KEPT * 4,
        // A funding takes half an entry; of those of the newest blocks as many again.
        Watch::FreshCode(_) => KEPT * 2 + fresh::FUNDED_MAX as u64,
        Watch::Sister(_) => track::CHANGES_MAX as u64 * 2,
        Watch::CrossChain(_) => track::CHANGES_MAX as u64 * 2,
        // An event of the other chain has an entry in the index too.
        Watch::Release(_) => release::EVENTS_MAX as u64 * 2,
        Watch::Expression { .. } => KEPT * SEEN_ENTRIES,
        Watch::Authority { admins, .. } => KEPT.saturating_mul(1 + admins.len() as u64),
        Watch::State { expect: StateExpectation::Unchanged, .. } => KEPT + KEPT,
        Watch::State { .. } | Watch::Invariant { .. } | Watch::Stale { .. } => 0,
        Watch::Rate(rate) => u64::from(rate.windows).saturating_add(KEPT + 3),
        // A contract that was created takes half an entry.
        Watch::Calls(_) => KEPT * SEEN_ENTRIES + calls::CREATED_MAX as u64 / 2,
        Watch::ApprovalDrain { .. } => drain::PAIRS_MAX as u64,
    };
    entries.saturating_mul(ENTRY)
}
