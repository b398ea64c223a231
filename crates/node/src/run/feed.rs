//! The chains: their blocks, reorgs and silence, and what the submitters say.

use std::collections::BTreeMap;

use watchfire_detect::Detectors;
use watchfire_driver::Answer;
use watchfire_evm::{FeedEvent, SubmitterEvent};
use watchfire_types::input::{Input, SubmissionReport};
use watchfire_types::{B256, BlockRef, BlockTime, BlockView, ChainId, Timestamp};

use super::chains::ChainMessage;
use super::live::LiveFacts;
use super::node::{Node, Turned};
use super::{RunError, describe, now};

/// Blocks remembered below the head, to know the one that a reorg goes back to.
const RECENT_MAX: usize = 512;
/// Age in seconds from which on a block that arrives is past.
const PAST_S: u64 = 60;

/// One chain as the loop knows it.
pub(super) struct ChainState {
    pub(super) detectors: Detectors,
    pub(super) head: Option<(BlockRef, Timestamp)>,
    pub(super) base_fee: Option<u128>,
    pub(super) recent: BTreeMap<u64, BlockRef>,
    pub(super) ready: bool,
    pub(super) trouble: Option<String>,
    /// Up to which block the first start of all left out what its windows would have covered.
    pub(super) unseen: Option<u64>,
    /// The newest final block, as its operators agree by the charter's tag: shown, and decides nothing.
    pub(super) finalized: Option<BlockRef>,
    /// How many blocks of this process came without a proof of their logs, and the first of them.
    pub(super) unproved: Option<(u64, u64)>,
    pub(super) live: LiveFacts,
}

impl Node {
    pub(super) async fn on_chain(&mut self, chain: ChainId, message: ChainMessage) -> Result<Turned, RunError> {
        match message {
            ChainMessage::Connected { client, submitter } => {
                self.evidence.connected(chain, std::sync::Arc::clone(&client));
                self.executor.connected(chain, client, submitter);
                self.trouble(chain, None);
            }
            ChainMessage::Unreachable(cause) => {
                self.trouble(chain, Some(cause.clone()));
                self.input(Input::ChainSilent { chain, cause }).await?;
            }
            ChainMessage::Refused(error) => return Err(error.into()),
            ChainMessage::Submitter(event) => self.on_submitter(event).await?,
            ChainMessage::Feed(event) => self.on_feed(chain, event).await?,
        }
        Ok(Turned::On)
    }

    fn trouble(&mut self, chain: ChainId, cause: Option<String>) {
        let Some(state) = self.chains.get_mut(&chain) else { return };
        if state.trouble == cause {
            return;
        }
        state.trouble.clone_from(&cause);
        if let Some(cause) = cause {
            self.said.remove(&cause);
            self.alarm(cause);
        }
    }

    async fn on_submitter(&mut self, event: SubmitterEvent) -> Result<(), RunError> {
        match event {
            SubmitterEvent::Sending { submitted, release } => {
                self.executor.announce(submitted.clone(), release);
                let report = Input::Submission(SubmissionReport::Sending(submitted.clone()));
                if let Some(Answer { result: Err(rejection), .. }) = self.input(report).await? {
                    tracing::warn!(cause = %rejection, "submission not announced");
                }
                self.executor.drop_unreleased(&submitted);
            }
            SubmitterEvent::Report(report) => {
                tracing::info!(report = ?report, "submitter");
                self.input(Input::Submission(report)).await?;
            }
        }
        Ok(())
    }

    pub(super) async fn on_feed(&mut self, chain: ChainId, event: FeedEvent) -> Result<(), RunError> {
        match event {
            FeedEvent::Block { view, arrived, finalized } => {
                if let Some(state) = self.chains.get_mut(&chain) {
                    state.finalized = finalized.or(state.finalized);
                }
                if let Some(block) = finalized {
                    self.chains.values_mut().for_each(|state| state.detectors.hear_final(&block));
                }
                self.on_block(chain, *view, arrived).await
            }
            FeedEvent::Orphaned { blocks } => self.on_orphaned(chain, blocks).await,
            FeedEvent::Silent { cause } => {
                self.trouble(chain, Some(format!("chain {chain}: {cause}")));
                self.input(Input::ChainSilent { chain, cause }).await.map(drop)
            }
            FeedEvent::Unseen { first, last } => {
                match (first, self.chains.get_mut(&chain)) {
                    (Some(first), _) => drop(self.scanned.leave_out(chain, first, last)),
                    (None, Some(state)) => state.unseen = Some(last),
                    (None, None) => {}
                }
                self.keep_scanned();
                self.alarm(super::alarms::unseen(chain, first, last));
                Ok(())
            }
            FeedEvent::Ready => {
                let head = self.chains.get_mut(&chain).and_then(|state| {
                    state.ready = true;
                    state.head
                });
                if let Some((block, _)) = head {
                    self.look_at(chain, block, true);
                }
                self.ready_now();
                Ok(())
            }
            FeedEvent::EndpointHealth(health) => {
                if !health.healthy {
                    tracing::warn!(endpoint.name = %health.name, cause = %health.cause, "endpoint unusable");
                }
                Ok(())
            }
        }
    }

    fn ready_now(&mut self) {
        if !self.ready && self.chains.values().all(|state| state.ready) {
            self.ready = true;
            tracing::info!("ready");
            self.records.push(describe::plain(now().as_millis(), "ready", "store open, chains backfilled".to_owned()));
        }
    }

    async fn on_block(&mut self, chain: ChainId, view: BlockView, arrived: Timestamp) -> Result<(), RunError> {
        let block = view.block;
        let Some(state) = self.chains.get_mut(&chain) else { return Ok(()) };
        state.head = Some((block, arrived));
        state.base_fee = view.base_fee;
        if view.unproved {
            let (count, first) = state.unproved.unwrap_or((0, block.number));
            state.unproved = Some((count.saturating_add(1), first));
        }
        state.recent.insert(block.number, block);
        while state.recent.len() > RECENT_MAX {
            state.recent.pop_first();
        }
        let mut record =
            describe::plain(arrived.as_millis(), "block", format!("block {} of chain {chain}", block.number));
        record.block = Some(block);
        self.records.push(record);
        self.trouble(chain, None);
        // The block first: it may move the floor from which the detectors' windows start.
        self.input(Input::Block(Box::new(view.clone()))).await?;
        let (floors, announced) = (&self.floors, &self.announced);
        let state = self.chains.get_mut(&chain);
        let standing =
            state.map(|state| state.detectors.observe_announced(&view, floors, announced)).unwrap_or_default();
        self.chains.values_mut().for_each(|state| state.detectors.hear(&view, &standing));
        self.input(Input::Detected { block, standing }).await?;
        self.scanned.note(chain, block.number);
        if self.is_past(block, arrived) && !view.is_read() && self.scanned.leave_out(chain, block.number, block.number)
        {
            self.keep_scanned();
            self.alarm(super::alarms::unseen(chain, Some(block.number), block.number));
        }
        self.look(chain, &view);
        self.trace(chain, &view);
        self.keep_evidence(block).await
    }

    /// Whether a block is older than a minute when it arrives: the node catches up, and nobody will read its state again.
    fn is_past(&self, block: BlockRef, arrived: Timestamp) -> bool {
        arrived.as_millis() / 1_000 > block.time.as_secs().saturating_add(PAST_S)
    }

    async fn on_orphaned(&mut self, chain: ChainId, blocks: Vec<BlockRef>) -> Result<(), RunError> {
        let Some(lowest) = blocks.iter().map(|block| block.number).min() else { return Ok(()) };
        if let Some(state) = self.chains.get_mut(&chain) {
            drop(state.recent.split_off(&lowest));
            // Below what is remembered no detector keeps anything either: any block there rolls back everything.
            let ancestor = state.recent.last_key_value().map(|(_, block)| *block).unwrap_or(BlockRef {
                chain,
                number: lowest.saturating_sub(1),
                hash: B256::ZERO,
                time: BlockTime::default(),
            });
            state.head = state.head.map(|(_, arrived)| (ancestor, arrived));
            self.scanned.note(chain, ancestor.number);
            self.chains.values_mut().for_each(|state| state.detectors.rollback(&ancestor));
        }
        for block in &blocks {
            let mut record =
                describe::plain(now().as_millis(), "orphaned", format!("block {} was orphaned", block.number));
            record.block = Some(*block);
            self.records.push(record);
        }
        self.input(Input::Orphaned { chain, blocks }).await.map(drop)
    }

    pub(super) fn keep_scanned(&mut self) {
        if let Err(error) = self.scanned.keep() {
            self.alarm(format!(
                "cannot keep scanned.json ({error}): after downtime only the longest window is scanned again"
            ));
        }
    }
}

#[cfg(test)]
mod tests;
