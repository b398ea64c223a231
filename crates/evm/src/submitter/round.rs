//! One round: what a new block says about what was sent, then what is due is sent or bumped.

use watchfire_types::BlockRef;
use watchfire_types::body::Submitted;
use watchfire_types::duty::Submission;
use watchfire_types::input::{SubmissionFailure, SubmissionReport};

use super::chain::{Mined, Sending, Unsure};
use super::facts::{Estimate, Facts};
use super::slots::{self, Sent};
use super::{Gone, Task};
use crate::client::HeadInfo;
use crate::fees::{self, Bid};
use crate::payer::OuterTransaction;
use crate::refusal;
use crate::safe;

/// Gas of an `execTransaction` that nobody could estimate.
const GAS_UNESTIMATED: u64 = 2_000_000;

/// Rounds for which a used nonce is kept whose receipts lag. Afterwards the pause goes on at another nonce: an operator that keeps its
/// receipts to itself must not stop it.
const UNSURE_MAX: u32 = 4;

impl Task {
    /// Looks at every nonce in use after a block, or after two block times without one.
    pub(super) async fn on_block(&mut self, head: Option<HeadInfo>) -> Result<(), Gone> {
        for pending in self.pending.values_mut() {
            pending.waits_for_block = false;
        }
        let account_nonce = self.client.account_nonce(self.payer.address()).await;
        if let Some(next) = account_nonce {
            self.slots.drop_unreachable(next);
        }
        let nonces: Vec<u64> = self.slots.iter().map(|(nonce, _)| nonce).collect();
        for nonce in nonces {
            let Some(slot) = self.slots.get_mut(nonce) else { continue };
            let (newest, older) = slot.watched();
            let used = account_nonce.is_some_and(|next| next > nonce);
            let mut mined = self.client.mined(&newest).await;
            // Any of a nonce's transactions can be the one that is included; which of many is asked once the nonce is used.
            for some in older.chunks(slots::ASKED_MAX).filter(|_| used) {
                if !matches!(mined, Ok(Some(_))) {
                    let of_these = self.client.mined(some).await;
                    mined = match of_these {
                        Ok(None) => mined,
                        Ok(Some(_)) | Err(_) => of_these,
                    };
                }
            }
            match mined {
                Ok(Some(mined)) => self.on_mined(nonce, &mined, head).await?,
                // One of ours may be in it: asked again in the next round.
                Err(Unsure) if used && self.slots.count_unsure(nonce) <= UNSURE_MAX => {}
                Ok(None) | Err(Unsure) if used => {
                    // Somebody used the account beside this node: nothing of ours is in it.
                    if let Some(slot) = self.slots.remove(nonce) {
                        tracing::warn!(nonce = nonce, submission = %slot.safe_tx_hash, "account nonce was used by a foreign transaction");
                    }
                }
                Ok(None) | Err(Unsure) => self.on_missing(nonce, head).await?,
            }
        }
        Ok(())
    }

    async fn on_mined(&mut self, nonce: u64, mined: &Mined, head: Option<HeadInfo>) -> Result<(), Gone> {
        let Some(slot) = self.slots.get_mut(nonce) else { return Ok(()) };
        let carried = slot.sent.iter().find(|sent| sent.hash == mined.hash).map(|sent| sent.safe_tx_hash);
        if mined.succeeded {
            // Kept while it is owed: should a reorg drop the block, the same bytes are sent again.
            slot.included = Some(mined.block_hash);
            if carried.is_none_or(|hash| !self.pending.contains_key(&hash)) || carried != Some(slot.safe_tx_hash) {
                self.slots.remove(nonce);
            }
            return Ok(());
        }
        self.slots.remove(nonce);
        let Some(pending) = carried.and_then(|hash| self.pending.get_mut(&hash)) else { return Ok(()) };
        pending.waits_for_block = true;
        let submission = pending.submission.clone();
        let Ok(block) = self.client.block_at(mined.block_number).await else { return Ok(()) };
        if block.hash != mined.block_hash {
            return Ok(());
        }
        let reason = match self.client.why_it_reverts(self.payer.address(), &submission, block).await {
            Ok(Some(refusal)) => refusal.at_submission(),
            Ok(None) => SubmissionFailure::Refused("out of gas, or the state has changed within the block".to_owned()),
            Err(cause) => SubmissionFailure::Refused(format!("its reason could not be read: {cause}")),
        };
        tracing::warn!(submission = %submission.safe_tx_hash, block = mined.block_number, head = head.map(|h| h.block.number), reason = ?reason, "submission reverted");
        self.report(SubmissionReport::Reverted { safe_tx_hash: submission.safe_tx_hash, block, reason }).await
    }

    /// Not in a block: bumped if owed, left alone if not.
    async fn on_missing(&mut self, nonce: u64, head: Option<HeadInfo>) -> Result<(), Gone> {
        let base_fee = Self::base_fee(head);
        let Some(slot) = self.slots.get_mut(nonce) else { return Ok(()) };
        let hash = slot.safe_tx_hash;
        let Some(last) = slot.sent.last().cloned() else { return Ok(()) };
        let Some(pending) = self.pending.get_mut(&hash) else { return Ok(()) };
        if slot.included.take().is_some() {
            tracing::warn!(submission = %hash, "a reorg dropped the submission: sent again");
            self.send_again(&hash, &last.raw).await;
            return Ok(());
        }
        let now = head.map_or(last.at_head, |head| head.block.number);
        if now == last.at_head {
            // No block has passed it over: a chain or a feed that stands still is no reason to pay more.
            self.send_again(&hash, &last.raw).await;
            return Ok(());
        }
        if last.bid.suffices(base_fee) {
            slot.missed = slot.missed.saturating_add(1);
        }
        let say = (slot.missed >= 2 && !pending.told_not_included).then_some(()).and(head);
        let submission = pending.submission.clone();
        pending.told_not_included |= say.is_some();
        if let Some(head) = say {
            self.report(SubmissionReport::NotIncluded { safe_tx_hash: hash, block: head.block }).await?;
        }
        self.bid(&submission, Some(nonce), head).await
    }

    /// Sends what is owed and has not been sent.
    pub(super) async fn send_due(&mut self, head: Option<HeadInfo>) -> Result<(), Gone> {
        let mut due: Vec<Submission> = self
            .pending
            .values()
            .filter(|p| !p.waits_for_block && !self.slots.holds(&p.submission.safe_tx_hash))
            .map(|p| p.submission.clone())
            .collect();
        due.sort_by(|a, b| b.severity.cmp(&a.severity).then(a.safe_tx_hash.cmp(&b.safe_tx_hash)));
        for submission in due {
            self.bid(&submission, None, head).await?;
        }
        Ok(())
    }

    /// Makes one bid, at `nonce` if this replaces a transaction of that nonce.
    async fn bid(&mut self, submission: &Submission, nonce: Option<u64>, head: Option<HeadInfo>) -> Result<(), Gone> {
        let hash = submission.safe_tx_hash;
        let Some(facts) = self.client.submission_facts(self.payer.address(), submission).await else {
            return self.failed(hash, SubmissionFailure::Refused("no endpoint answers".to_owned())).await;
        };
        let cap = self.client.config.gas_cap;
        if facts.gas != Estimate::Unknown && facts.gas_least.is_some_and(|gas| gas > cap) {
            return self.failed(hash, SubmissionFailure::AboveGasCap { cap }).await;
        }
        let gas = match &facts.gas {
            Estimate::Gas(gas) => fees::gas_limit(*gas, cap),
            Estimate::Unknown => GAS_UNESTIMATED.min(cap),
            Estimate::Reverts(data) => {
                let reason = self.failure(submission, data, head.map(|head| head.block)).await;
                return self.failed(hash, reason).await;
            }
        };
        let nonce =
            nonce.unwrap_or_else(|| self.slots.choose(facts.account_nonce, |hash| self.pending.contains_key(hash)));
        let Some(bid) = self.price(nonce, gas, &facts, submission, Self::base_fee(head)) else {
            return self.failed(hash, SubmissionFailure::Unfunded).await;
        };
        if let Some(before) = self.slots.highest(nonce).filter(|before| !bid.replaces(*before)) {
            // Nodes would refuse it as underpriced. The standing one may still get in, where they have not forgotten it.
            tracing::warn!(submission = %hash, max_fee = before.max_fee, "balance or cap allows no higher bid");
            if let Some(raw) = self.slots.standing(nonce, &hash) {
                self.send_again(&hash, &raw).await;
            }
            return self.failed(hash, SubmissionFailure::Capped).await;
        }
        let transaction = OuterTransaction {
            chain: submission.chain,
            nonce,
            to: submission.safe,
            data: safe::exec_transaction(&submission.transaction, &submission.signatures),
            gas,
            max_fee_per_gas: bid.max_fee,
            max_priority_fee_per_gas: bid.tip,
        };
        self.send(submission, &transaction, bid, head).await
    }

    /// A first bid, or one that tops everything sent at the nonce.
    fn price(&self, nonce: u64, gas: u64, facts: &Facts, submission: &Submission, base_fee: u128) -> Option<Bid> {
        let before = self.slots.highest(nonce);
        let wanted = before.map_or_else(|| Bid::first(base_fee, facts.tip), |bid| bid.bumped(base_fee, facts.tip));
        wanted.within(gas, facts.balance, base_fee, submission.severity)
    }

    async fn send(
        &mut self,
        submission: &Submission,
        transaction: &OuterTransaction,
        bid: Bid,
        head: Option<HeadInfo>,
    ) -> Result<(), Gone> {
        let hash = submission.safe_tx_hash;
        let signed = match transaction.signed_by(self.payer.as_ref()) {
            Ok(signed) => signed,
            Err(cause) => return self.failed(hash, SubmissionFailure::Refused(cause)).await,
        };
        let attempt = self.slots.attempts(transaction.nonce, &hash);
        let submitted = Submitted {
            chain: submission.chain,
            safe: submission.safe,
            safe_transaction: hash,
            transaction: signed.hash,
            submitter: self.payer.address(),
            max_fee_per_gas: bid.max_fee,
            max_priority_fee_per_gas: bid.tip,
            attempt,
        };
        if !self.released(submitted).await? {
            return self.failed(hash, SubmissionFailure::Refused("the node did not release it".to_owned())).await;
        }
        if !self.still_owed(&hash) {
            tracing::info!(submission = %hash, "no longer owed when it was released: not sent");
            return Ok(());
        }
        let at_head = head.map_or(0, |head| head.block.number);
        // Recorded before it leaves: an endpoint that drops the connection may have passed it on.
        self.slots.record(
            transaction.nonce,
            Sent { safe_tx_hash: hash, hash: signed.hash, raw: signed.raw.clone(), bid, at_head, void: false },
        );
        match self.client.broadcast(&signed.raw, attempt == 0).await {
            Sending::Accepted => {
                if let Some(pending) = self.pending.get_mut(&hash) {
                    pending.told = None;
                }
                Ok(())
            }
            // The next round reads the receipts and takes another nonce, or bids higher.
            Sending::NonceUsed | Sending::Underpriced => Ok(()),
            Sending::Unfunded => {
                // The next block's bid is made from the balance of then and has nothing to top.
                self.slots.void(transaction.nonce, signed.hash);
                self.failed(hash, SubmissionFailure::Unfunded).await
            }
            Sending::Refused(cause) => self.failed(hash, SubmissionFailure::Refused(cause)).await,
        }
    }

    /// What the reason of a revert is called; where k operators agree on none, what its bytes alone tell.
    async fn failure(&self, submission: &Submission, data: &[u8], at: Option<BlockRef>) -> SubmissionFailure {
        let Some(at) = at else { return refusal::unexplained(data, "no block is known to try it at") };
        match self.client.why_it_reverts(self.payer.address(), submission, at).await {
            Ok(Some(refusal)) => refusal.at_submission(),
            Ok(None) => refusal::unexplained(data, "not at the head that this node knows"),
            Err(cause) => refusal::unexplained(data, &cause),
        }
    }
}
