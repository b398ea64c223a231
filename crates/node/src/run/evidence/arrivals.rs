//! Until when a block's evidence is tried for: sixteen blocks from the finding, not from when there was time to begin.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;
use watchfire_types::{B256, BlockRef, ChainId};

use super::STATE_BLOCKS;

/// Least time for a block whose time is over when it is begun: one question may still be answered.
const LATE: Duration = Duration::from_secs(5);

/// When the last [`STATE_BLOCKS`] blocks of each chain came here, and their branches.
#[derive(Debug, Default)]
pub(super) struct Arrivals(BTreeMap<(ChainId, u64, B256), Instant>);

impl Arrivals {
    /// A block has come.
    pub(super) fn note(&mut self, block: &BlockRef, at: Instant) {
        let BlockRef { chain, number, hash, .. } = *block;
        self.0.retain(|(of, old, _), _| *of != chain || old + STATE_BLOCKS > number);
        self.0.entry((chain, number, hash)).or_insert(at);
    }

    /// The end of trying for `block`: `patience` after it came, or after the first block of its attack did, whichever is later. What an
    /// earlier process saw counts from now on.
    pub(super) fn deadline(&self, block: &BlockRef, first: u64, patience: Duration, now: Instant) -> Instant {
        let came = self.0.get(&(block.chain, block.number, block.hash));
        let found = self.0.range((block.chain, first, B256::ZERO)..=(block.chain, first, B256::repeat_byte(0xff)));
        let since = came.into_iter().chain(found.map(|(_, at)| at)).max().copied().unwrap_or(now);
        (since + patience).max(now + LATE)
    }
}

#[cfg(test)]
mod tests;
