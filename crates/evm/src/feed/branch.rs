//! From the last emitted block to an agreed head: where to go on, and the headers in between.

use watchfire_types::BlockTime;

use super::{Feed, FeedEvent, Stop};
use crate::head::Head;

/// Headers asked for in one batch.
pub(super) const HEADERS_AT_ONCE: u64 = 32;

impl Feed {
    /// Whether the last emitted block is still canonical though `agreed` is not above it and not known: an endpoint that lags
    /// behind what is kept, or that sits on a fork of its own, names such heads.
    pub(super) async fn tip_stands_above(&self, agreed: &Head) -> bool {
        let Some(tip) = self.chain.tip().filter(|tip| tip.number >= agreed.block.number) else { return false };
        let heads = self.client.heads_at(vec![tip.number], false).await;
        heads.into_iter().any(|head| head.is_ok_and(|head| head.block.hash == tip.hash))
    }

    /// The first height to emit on the way to `agreed`. Blocks that are no longer canonical are dropped and told.
    pub(super) async fn first_after_ancestor(&mut self, agreed: &Head) -> Result<u64, Stop> {
        let Some((tip, oldest)) = self.chain.tip().copied().zip(self.chain.oldest().copied()) else {
            return self.start(agreed).await;
        };
        let mut from = tip.number.min(agreed.block.number);
        let mut at_once = 1;
        // Walks down from the tip; below what is kept there is nothing to compare with.
        let ancestor = loop {
            let lowest = oldest.number.max(from.saturating_sub(at_once - 1));
            let heads = self.heads(lowest, from).await?;
            let known = heads.iter().rev().find(|head| self.chain.holds(head.block.number, head.block.hash));
            match known {
                Some(head) => break Some(head.block.number),
                None if lowest <= oldest.number => break None,
                None => from = lowest - 1,
            }
            at_once = HEADERS_AT_ONCE;
        };
        let (keep, first) = match ancestor {
            Some(number) => (Some(number), number + 1),
            None => (oldest.number.checked_sub(1), oldest.number.min(agreed.block.number)),
        };
        let orphaned = match keep {
            Some(number) => self.chain.orphan_above(number),
            None => self.chain.orphan_all(),
        };
        if !orphaned.is_empty() {
            tracing::warn!(blocks = orphaned.len(), first = first, "reorg");
            self.emit(FeedEvent::Orphaned { blocks: orphaned }).await?;
        }
        Ok(first)
    }

    /// Where the first backfill begins: the block before the window, or the one after the last that was scanned. What its bound cuts off
    /// is told.
    async fn start(&mut self, head: &Head) -> Result<u64, Stop> {
        let target = BlockTime::from_secs(head.block.time.as_secs().saturating_sub(self.backfill.window_s));
        let floor = head.block.number.saturating_sub(self.backfill.blocks_max);
        let by_window =
            if self.backfill.window_s == 0 { head.block.number } else { self.newest_at(head, target, floor).await? };
        let resume = self.backfill.resume_after.map(|number| number.saturating_add(1));
        let first = resume.map_or(by_window, |number| number.min(by_window)).max(floor);
        let missed = resume.filter(|resume| *resume < first);
        let window_cut = by_window == floor && floor > 0 && self.time_of(floor).await? > target;
        let unseen = (missed.is_some() || window_cut).then(|| (missed, first.saturating_sub(1)));
        if let Some((first, last)) = unseen.filter(|_| unseen != self.unseen) {
            self.unseen = unseen;
            self.emit(FeedEvent::Unseen { first, last }).await?;
        }
        Ok(first)
    }

    /// The newest block not later than `time` (the oldest there is, if none): a doubling walk down, then halving.
    async fn newest_at(&self, head: &Head, time: BlockTime, floor: u64) -> Result<u64, Stop> {
        let estimate = head.block.time.secs_since(time).saturating_mul(1000) / self.client.config.block_time_ms;
        let mut stride = estimate.max(1);
        let (mut low, mut high) = (head.block.number, head.block.number);
        while low > floor {
            high = low;
            low = low.saturating_sub(stride).max(floor);
            stride = stride.saturating_mul(2);
            if self.time_of(low).await? <= time {
                break;
            }
        }
        while low + 1 < high {
            let middle = low + (high - low) / 2;
            if self.time_of(middle).await? <= time {
                low = middle;
            } else {
                high = middle;
            }
        }
        Ok(low)
    }

    async fn time_of(&self, number: u64) -> Result<BlockTime, Stop> {
        let head = self.client.head_at(number).await.map_err(|error| Stop::NotYet(error.cause))?;
        Ok(head.block.time)
    }

    /// Agreed headers `from..=to`, at most [`HEADERS_AT_ONCE`] of them.
    async fn heads(&self, from: u64, to: u64) -> Result<Vec<Head>, Stop> {
        let heads = self.client.heads_at((from..=to).collect(), true).await;
        heads.into_iter().map(|head| head.map_err(|error| Stop::NotYet(error.cause))).collect()
    }
}
