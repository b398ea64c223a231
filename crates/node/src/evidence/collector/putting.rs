//! The ways in which a question is put to one operator: as it is wanted, and as one puts it who does not take that.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;
use watchfire_evm::evidence::{self, Touched};
use watchfire_evm::{RawFault, RawRequest};
use watchfire_types::body::{EvidenceCheck, MissCause};
use watchfire_types::{B256, BlockRef, Bytes, OperatorId};

use super::{Asked, Collector, Known, Want, digest};
use crate::evidence::want::cause;
use crate::evidence::{ATTEMPTS_MAX, OBJECT_BYTES_MAX};

/// How long an operator has to answer one request.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);
/// Twice the first wait before asking again; doubles up to the last, or an eighth of the job's patience where that is longer.
const RETRY_MS_MIN: u64 = 250;
const RETRY_MS_MAX: u64 = 4_000;
/// Receipts asked for at a time.
const RECEIPTS_AT_ONCE: u32 = 4;
/// What stands around receipts that came one by one, at most.
const FRAME_BYTES: usize = 16;

/// How a question was put.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Way {
    Wanted,
    /// By the block's number.
    ByNumber(RawRequest),
    /// One by one for these transactions.
    Singly(Vec<B256>),
}

/// A question that was put, and how long its operator had.
pub(super) struct Put {
    pub(super) way: Way,
    pub(super) answer: Result<Bytes, RawFault>,
    pub(super) patience: Duration,
}

impl Way {
    /// As a manifest says it: method, parameters and digest of the request. What came one by one stands for the answer that was wanted.
    pub(super) fn told(&self, want: &Want) -> (String, String, B256) {
        let request = match self {
            Self::ByNumber(request) => request,
            Self::Wanted | Self::Singly(_) => &want.request,
        };
        let (method, params) = match self {
            Self::Singly(transactions) => (evidence::SINGLE_RECEIPT, serde_json::json!(transactions).to_string()),
            Self::Wanted | Self::ByNumber(_) => (request.method, request.params.clone()),
        };
        (method.to_owned(), params, digest(&request.body()))
    }

    /// What proves the answer, or how it does not hold. What names no block, or another one, may be true of another branch: then it is no
    /// lie, and nothing.
    pub(super) fn judge(
        &self,
        want: &Want,
        answer: &[u8],
        block: &BlockRef,
        known: &Known,
        of: &Touched,
    ) -> Result<Result<Option<EvidenceCheck>, String>, String> {
        let judged = want.judge(answer, block, known, of);
        match (self, &judged) {
            (Self::ByNumber(_), Err(why)) => {
                Err(format!("it takes no hash, and what it has at that number does not hold of this block: {why}"))
            }
            (Self::Singly(_), _) if !evidence::are_of(answer, block) => {
                Err("it has no receipts of whole blocks, and a transaction's is of another block".to_owned())
            }
            (Self::Singly(_), Err(why)) if !known.facts.as_ref().is_some_and(|facts| facts.transactions_proved) => {
                Err(format!("it has no receipts of whole blocks, and which transactions there are is unproved: {why}"))
            }
            _ => Ok(judged),
        }
    }
}

impl Collector {
    /// Puts the question, in another way to an operator that does not take it as it is wanted. `None` where the node is stopping.
    pub(super) async fn put(
        &self,
        want: &Want,
        known: &watch::Sender<Known>,
        deadline: Instant,
        state: &mut Asked,
    ) -> Option<Put> {
        let transactions = state.singly.as_ref().and_then(|_| want.singly(&known.borrow()));
        let patience = || REQUEST_TIMEOUT.min(deadline.saturating_duration_since(Instant::now()));
        if let (Some(transactions), Some(held)) = (transactions, &mut state.singly) {
            let before = held.len();
            let answer = self.one_by_one(&state.operator, &transactions, held, deadline).await?;
            // As long as it gives some it is not asked in vain.
            state.attempts = state.attempts.saturating_add(u32::from(held.len() == before));
            return Some(Put { way: Way::Singly(transactions), answer, patience: patience() });
        }
        let permit = self.gate.acquire().await.ok()?;
        state.attempts = state.attempts.saturating_add(1);
        let patience = patience();
        let (mut way, mut answer) =
            (Way::Wanted, self.client.raw(&state.operator, &want.request, OBJECT_BYTES_MAX, patience).await);
        if let (Err(RawFault::Refused(_)), Some(by_number)) = (&answer, &want.by_number) {
            answer = self.client.raw(&state.operator, by_number, OBJECT_BYTES_MAX, patience).await;
            way = Way::ByNumber(by_number.clone());
        }
        drop(permit);
        Some(Put { way, answer, patience })
    }

    /// The receipts of these transactions, a few at a time; `held` has those that came before, in order.
    async fn one_by_one(
        &self,
        operator: &OperatorId,
        transactions: &[B256],
        held: &mut Vec<Bytes>,
        deadline: Instant,
    ) -> Option<Result<Bytes, RawFault>> {
        while let Some(rest) = transactions.get(held.len()..).filter(|rest| !rest.is_empty()) {
            let some = rest.iter().take(RECEIPTS_AT_ONCE as usize);
            let permits = self.gate.acquire_many(RECEIPTS_AT_ONCE).await.ok()?;
            let patience = REQUEST_TIMEOUT.min(deadline.saturating_duration_since(Instant::now()));
            let ask = some.map(|transaction| async move {
                let request = evidence::single_receipt(transaction);
                self.client.raw(operator, &request, OBJECT_BYTES_MAX, patience).await
            });
            let answers = futures::future::join_all(ask).await;
            drop(permits);
            for answer in answers {
                match answer.and_then(|answer| evidence::result(&answer)) {
                    Ok(result) => held.push(result),
                    Err(fault) => return Some(Err(fault)),
                }
            }
            if held.iter().map(|receipt| receipt.len() + 1).sum::<usize>() + FRAME_BYTES > OBJECT_BYTES_MAX {
                return Some(Err(RawFault::TooLong(OBJECT_BYTES_MAX)));
            }
        }
        Some(Ok(evidence::together(held)))
    }

    /// An operator gave nothing: when it is asked again, if it is, and what is said where that brings nothing either.
    pub(super) fn refused(&self, state: &mut Asked, put: &Way, fault: &RawFault, singly: bool, patience: Duration) {
        let refused = matches!(fault, RawFault::Unsupported(_) | RawFault::Refused(_));
        if refused && singly && *put == Way::Wanted {
            // Whoever was not asked yet may have it whole, and comes first.
            state.singly = Some(Vec::new());
            state.last = Some((cause(fault), fault.to_string()));
            return;
        }
        let patience_ms = u64::try_from(self.job.patience.as_millis()).unwrap_or(u64::MAX);
        let most = RETRY_MS_MAX.max(patience_ms / 8);
        let backoff = RETRY_MS_MIN.saturating_mul(1 << state.attempts.min(16)).min(most);
        let asked_for = if let RawFault::RateLimited { retry_after_ms } = fault { *retry_after_ms } else { 0 };
        state.not_before = Instant::now() + Duration::from_millis(backoff.max(asked_for));
        state.open = fault.may_pass() && state.attempts < ATTEMPTS_MAX;
        // One that the job's own end cut short says less than the one before.
        let short = patience < REQUEST_TIMEOUT && cause(fault) == MissCause::Timeout;
        if !short || state.last.is_none() {
            state.last = Some((cause(fault), fault.to_string()));
        }
    }
}

#[cfg(test)]
mod tests;
