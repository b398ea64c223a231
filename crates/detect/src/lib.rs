//! Detection: one canonical block in, every finding that stands at it out.
//!
//! Promise: pure and integer. The same blocks give byte-equal findings on every node, whatever the order in which nodes
//! started or which operator answered. A finding explains itself in one line with the figures that fired.
//!
//! Terms: a finding *stands* at a block when its rule holds there; it may go on standing for a stated time after an event.
//! A *floor* is the block of an asset's last executed recovery: windows start there, or the outflow of a finished attack
//! would contain the asset again.

mod abi;
mod authority;
mod calls;
mod cross;
mod detectors;
mod drain;
mod event;
mod excuse;
mod expression;
#[cfg(test)]
mod fixture;
mod footprint;
mod fresh;
mod governance;
mod index;
mod interest;
mod invariant;
mod json;
mod leap;
mod measure;
mod nested;
mod nonce;
mod outflow;
mod rate;
mod release;
mod sightings;
mod sister;
mod stale;
mod state;
pub mod trace;
mod track;

pub use detectors::{Blind, Blindness, BlockTraces, CallsJudge, Detectors, Holding, JudgedCalls, Unanswered};
pub use footprint::footprint;
pub use interest::Interest;

/// Blocks kept below the newest one whatever a window says, so that a reorg this deep rolls back without a new backfill.
pub const REORG_DEPTH: u64 = 64;

/// Whether no reorg within the depth takes this block back once `head` was seen. Whatever is forgotten at `head` is judged by the blocks of
/// which this is true: a window that a rolled-back node stands in began earlier than the one at `head`.
pub(crate) fn is_settled(block: &watchfire_types::BlockRef, head: &watchfire_types::BlockRef) -> bool {
    block.number.saturating_add(REORG_DEPTH) <= head.number
}
