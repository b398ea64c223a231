//! The calls inside what touches an asset, asked for beside the loop once the block itself was judged: nothing that may vote waits for them.

use std::sync::Arc;

use tokio::sync::mpsc;
use watchfire_detect::{BlockTraces, CallsJudge, JudgedCalls};
use watchfire_types::{BlockRef, BlockView, ChainId};

use super::node::Node;
use crate::traces::{Asked, traces};

/// Blocks that are traced at the same time; while so many are, the calls of a further one are not asked for.
pub(super) const BLOCKS_MAX: usize = 4;

/// What was traced of a block.
pub(super) struct TraceReport {
    block: BlockRef,
    judged: JudgedCalls,
    fault: Option<String>,
}

/// Judges what was asked for beside the loop too: an operator may make up more calls than the loop has time for.
async fn report(block: BlockRef, judge: CallsJudge, asked: Asked) -> Option<TraceReport> {
    let judged = tokio::task::spawn_blocking(move || {
        let Asked { traces, fault } = asked;
        (judge.judge(BlockTraces { traces: &traces, whole: fault.is_none() }), fault)
    });
    // It ends early with the program alone.
    let (judged, fault) = judged.await.ok()?;
    Some(TraceReport { block, judged, fault })
}

/// Blocks that are being traced.
pub(super) struct Tracing {
    out: mpsc::Sender<TraceReport>,
    blocks: usize,
}

impl Tracing {
    pub(super) fn new() -> (Self, mpsc::Receiver<TraceReport>) {
        let (out, reports) = mpsc::channel(BLOCKS_MAX);
        (Self { out, blocks: 0 }, reports)
    }
}

impl Node {
    /// Asks for the calls inside the transactions of a block that detectors are about; not of blocks from before this node was ready.
    pub(super) fn trace(&mut self, chain: ChainId, view: &BlockView) {
        let Some(state) = self.chains.get_mut(&chain).filter(|state| state.ready) else { return };
        let transactions = state.detectors.to_trace(view);
        if transactions.is_empty() {
            return;
        }
        let client = self.executor.client(chain).filter(|_| self.tracing.blocks < BLOCKS_MAX);
        let Some(client) = client.map(Arc::clone) else {
            let nothing = state.detectors.calls_judge().judge(BlockTraces { traces: &[], whole: false });
            state.detectors.traced(&view.block, nothing);
            return;
        };
        self.tracing.blocks += 1;
        let (out, block, judge) = (self.tracing.out.clone(), view.block, state.detectors.calls_judge());
        tokio::spawn(async move {
            let asked = traces(&client, &block, &transactions).await;
            let Some(report) = report(block, judge, asked).await else { return };
            // The loop may have ended.
            let _ = out.send(report).await;
        });
    }

    /// Hands what was traced to the detectors, which tell it with the next block; what a reorg took meanwhile is nothing.
    pub(super) fn on_traced(&mut self, report: TraceReport) {
        self.tracing.blocks = self.tracing.blocks.saturating_sub(1);
        let TraceReport { block, judged, fault } = report;
        let Some(state) = self.chains.get_mut(&block.chain) else { return };
        if let Some(fault) = &fault {
            tracing::warn!(block.number = block.number, cause = %fault, "calls not traced");
        }
        if state.recent.get(&block.number) == Some(&block) {
            state.detectors.traced(&block, judged);
        }
    }
}

#[cfg(test)]
mod tests;
