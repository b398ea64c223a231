//! Gets threshold-signed transactions into blocks for as long as they are owed.
//!
//! One task per chain owns the gas payer's nonces. It is driven by the current set of [`Submission`]s: a new one is sent at once (the protocol
//! owes it only when its rank's turn has come), bumped with every block that does not include it, sent again when a reorg drops it, and left alone once
//! it is no longer owed (its account nonce is then taken over by what is owed next, so that it blocks nothing). Another
//! member's statement ends nothing. Heads come from the client's feed, which must run; without heads it goes by the clock.

mod chain;
mod facts;
mod round;
mod slots;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use alloy_primitives::{B256, Bytes};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;
use watchfire_types::body::Submitted;
use watchfire_types::duty::Submission;
use watchfire_types::input::{SubmissionFailure, SubmissionReport};

use crate::client::{ChainClient, HeadInfo};
use crate::payer::GasPayer;
use slots::Slots;

/// Events waiting for the node.
const EVENTS_MAX: usize = 64;
/// Most submissions taken at a time; duties are few, more than this is a mistake upstream and the rest waits.
const SUBMISSIONS_MAX: usize = 64;
/// How long the node has to make a `Sending` durable.
const RELEASE_TIMEOUT: Duration = Duration::from_secs(10);

/// What the submitter tells the node.
#[derive(Debug)]
pub enum SubmitterEvent {
    /// A transaction is about to leave. It leaves once `release` is answered, which means that this is durable; it does not
    /// leave when `release` is dropped or not answered within ten seconds.
    Sending {
        /// What will be sent.
        submitted: Submitted,
        /// Answered when durable.
        release: oneshot::Sender<()>,
    },
    /// What became of one.
    Report(SubmissionReport),
}

/// The handle of a chain's submitter; it stops when the handle is dropped.
#[derive(Debug)]
pub struct Submitter {
    owed: watch::Sender<BTreeSet<Submission>>,
}

impl Submitter {
    /// Starts the task of one chain.
    pub fn spawn(client: Arc<ChainClient>, payer: Arc<dyn GasPayer>) -> (Self, mpsc::Receiver<SubmitterEvent>) {
        let (out, events) = mpsc::channel(EVENTS_MAX);
        let (owed, changes) = watch::channel(BTreeSet::new());
        let task =
            Task { client, payer, out, owed: changes.clone(), pending: BTreeMap::new(), slots: Slots::default() };
        tokio::spawn(task.run(changes));
        (Self { owed }, events)
    }

    /// The whole current set; those of other chains are not looked at. What is new starts, what stays goes on, what is gone
    /// stops.
    pub fn set(&self, submissions: BTreeSet<Submission>) {
        self.owed.send_if_modified(|current| {
            let changed = *current != submissions;
            *current = submissions;
            changed
        });
    }
}

/// One owed submission.
struct Pending {
    submission: Submission,
    /// Last failure told, so that it is told once.
    told: Option<SubmissionFailure>,
    /// Waits for the next block after a failure.
    waits_for_block: bool,
    /// Said for the current transaction: not included for two blocks.
    told_not_included: bool,
}

struct Task {
    client: Arc<ChainClient>,
    payer: Arc<dyn GasPayer>,
    out: mpsc::Sender<SubmitterEvent>,
    /// What the node owes at this moment; `pending` is what it owed when the round began.
    owed: watch::Receiver<BTreeSet<Submission>>,
    pending: BTreeMap<B256, Pending>,
    slots: Slots,
}

/// The node is gone.
struct Gone;

impl Task {
    async fn run(mut self, mut owed: watch::Receiver<BTreeSet<Submission>>) {
        let mut heads = self.client.heads();
        let patience = self.client.config.limits.head(self.client.config.block_time_ms);
        let mut last_round = Instant::now();
        loop {
            // Without heads the clock stands in for them, at half their pace.
            let idle = last_round + patience;
            let mut new_head = false;
            tokio::select! {
                changed = owed.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    let set = owed.borrow_and_update().clone();
                    self.take(&set);
                }
                changed = heads.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    new_head = true;
                }
                () = tokio::time::sleep_until(idle), if !self.pending.is_empty() => new_head = true,
            }
            if self.pending.is_empty() && self.slots.is_empty() {
                continue;
            }
            let head = *heads.borrow_and_update();
            if new_head {
                last_round = Instant::now();
                if self.on_block(head).await.is_err() {
                    return;
                }
            }
            if self.send_due(head).await.is_err() {
                return;
            }
        }
    }

    fn take(&mut self, set: &BTreeSet<Submission>) {
        let mine: BTreeMap<B256, &Submission> = set
            .iter()
            .filter(|s| s.chain == self.client.config.chain)
            .take(SUBMISSIONS_MAX)
            .map(|s| (s.safe_tx_hash, s))
            .collect();
        self.pending.retain(|hash, _| mine.contains_key(hash));
        for (hash, submission) in mine {
            let fresh = || Pending {
                submission: submission.clone(),
                told: None,
                waits_for_block: false,
                told_not_included: false,
            };
            // Other signatures for the same hash replace the bytes and keep the turn.
            self.pending.entry(hash).or_insert_with(fresh).submission = submission.clone();
        }
    }

    async fn report(&self, report: SubmissionReport) -> Result<(), Gone> {
        self.out.send(SubmitterEvent::Report(report)).await.map_err(|_| Gone)
    }

    /// Tells a failure once and leaves the submission to the next block.
    async fn failed(&mut self, hash: B256, reason: SubmissionFailure) -> Result<(), Gone> {
        let Some(pending) = self.pending.get_mut(&hash) else { return Ok(()) };
        pending.waits_for_block = true;
        if pending.told.as_ref() == Some(&reason) {
            return Ok(());
        }
        pending.told = Some(reason.clone());
        self.report(SubmissionReport::Failed { safe_tx_hash: hash, reason }).await
    }

    /// The node made this send durable.
    async fn released(&self, submitted: Submitted) -> Result<bool, Gone> {
        let (release, durable) = oneshot::channel();
        self.out.send(SubmitterEvent::Sending { submitted, release }).await.map_err(|_| Gone)?;
        Ok(matches!(tokio::time::timeout(RELEASE_TIMEOUT, durable).await, Ok(Ok(()))))
    }

    /// Hands the same bytes out once more, if they still are owed.
    async fn send_again(&self, safe_tx_hash: &B256, raw: &Bytes) {
        if self.still_owed(safe_tx_hash) {
            self.client.broadcast(raw, false).await;
        }
    }

    /// Whether it was neither cancelled nor replaced since the round began: a round may wait for seconds, and a transaction
    /// that has left cannot be taken back.
    fn still_owed(&self, safe_tx_hash: &B256) -> bool {
        let chain = self.client.config.chain;
        self.owed.borrow().iter().any(|owed| owed.chain == chain && owed.safe_tx_hash == *safe_tx_hash)
    }

    fn base_fee(head: Option<HeadInfo>) -> u128 {
        head.and_then(|head| head.base_fee).unwrap_or_default()
    }
}
