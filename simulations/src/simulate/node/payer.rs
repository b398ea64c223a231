//! The gas payer of one node, after the production submitter: sends what is owed once that is durable, bumps what a block passed over,
//! says what reverted, and sends again what a reorg dropped.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use alloy_primitives::{B256, keccak256};
use watchfire_types::body::Submitted;
use watchfire_types::duty::{Duty, Submission};
use watchfire_types::input::{SubmissionFailure, SubmissionReport};
use watchfire_types::{Address, BlockRef};

use crate::simulate::chain::{Call, Chain, Transaction};

/// Tip of a first bid, wei per gas.
const TIP: u128 = 3_000_000_000;

/// One owed submission.
#[derive(Debug, Clone)]
pub(crate) struct Pending {
    pub(crate) submission: Submission,
    told: Option<SubmissionFailure>,
    waits_for_block: bool,
    told_not_included: bool,
    missed: u32,
    bid: Option<(u128, u128)>,
    attempt: u32,
    sent: BTreeSet<B256>,
    at_head: u64,
    included: Option<B256>,
    /// Announced and not yet released.
    announced: Option<Submitted>,
}

/// The payer.
#[derive(Debug, Default)]
pub(crate) struct Payer {
    pending: BTreeMap<B256, Pending>,
}

/// What the payer wants done.
#[derive(Debug)]
pub(crate) enum Want {
    /// Say this to the node.
    Report(SubmissionReport),
    /// Hand this out again: it is durable already.
    Resend(B256),
}

impl Payer {
    /// The whole current set.
    pub(crate) fn set(&mut self, duties: &BTreeSet<Duty>) {
        let owed: BTreeMap<B256, &Submission> = duties
            .iter()
            .filter_map(|duty| match duty {
                Duty::Submit(submission) => Some((submission.safe_tx_hash, submission)),
                Duty::Preflight(_) | Duty::CatchUp { .. } => None,
            })
            .collect();
        self.pending.retain(|hash, _| owed.contains_key(hash));
        for (hash, submission) in owed {
            let fresh = || Pending {
                submission: submission.clone(),
                told: None,
                waits_for_block: false,
                told_not_included: false,
                missed: 0,
                bid: None,
                attempt: 0,
                sent: BTreeSet::new(),
                at_head: 0,
                included: None,
                announced: None,
            };
            self.pending.entry(hash).or_insert_with(fresh).submission = submission.clone();
        }
    }

    /// Owed, and neither sent nor announced nor waiting for a block.
    pub(crate) fn due(&self) -> Vec<Submission> {
        let due = self.pending.values().filter(|one| {
            !one.waits_for_block && one.bid.is_none() && one.announced.is_none() && one.included.is_none()
        });
        due.map(|one| one.submission.clone()).collect()
    }

    /// Tells a failure once and leaves it to the next block.
    pub(crate) fn failed(&mut self, hash: B256, reason: SubmissionFailure) -> Option<SubmissionReport> {
        let pending = self.pending.get_mut(&hash)?;
        pending.waits_for_block = true;
        pending.announced = None;
        if pending.told.as_ref() == Some(&reason) {
            return None;
        }
        pending.told = Some(reason.clone());
        Some(SubmissionReport::Failed { safe_tx_hash: hash, reason })
    }

    /// Announces a bid: the first, or one that tops the last by an eighth once a block has passed that over.
    pub(crate) fn announce(&mut self, hash: B256, payer: Address, base_fee: u128, head: u64) -> Option<Submitted> {
        let pending = self.pending.get_mut(&hash)?;
        // What no block has passed over yet is no reason to pay more, however often it came to be due meanwhile.
        if pending.bid.is_some() && head <= pending.at_head {
            return None;
        }
        let (max_fee, tip) = match pending.bid {
            None => (base_fee.saturating_mul(3) + TIP, TIP),
            Some((max_fee, tip)) => ((max_fee + max_fee / 8 + 1).max(base_fee.saturating_mul(2)), tip + tip / 8 + 1),
        };
        let submitted = Submitted {
            chain: pending.submission.chain,
            safe: pending.submission.safe,
            safe_transaction: hash,
            transaction: outer(payer, &hash, max_fee),
            submitter: payer,
            max_fee_per_gas: max_fee,
            max_priority_fee_per_gas: tip,
            attempt: pending.attempt,
        };
        pending.announced = Some(submitted.clone());
        pending.at_head = head;
        Some(submitted)
    }

    /// The announcement is durable: the transaction to hand out, if it still is owed.
    pub(crate) fn released(&mut self, submitted: &Submitted) -> Option<Transaction> {
        let pending = self.pending.get_mut(&submitted.safe_transaction)?;
        if pending.announced.as_ref() != Some(submitted) {
            return None;
        }
        pending.announced = None;
        pending.bid = Some((submitted.max_fee_per_gas, submitted.max_priority_fee_per_gas));
        pending.attempt += 1;
        pending.sent.insert(submitted.transaction);
        Some(transaction(submitted.submitter, pending))
    }

    /// What was sent last, to be handed out again.
    pub(crate) fn again(&self, hash: &B256, payer: Address) -> Option<Transaction> {
        let pending = self.pending.get(hash)?;
        pending.bid.is_some().then(|| transaction(payer, pending))
    }

    /// What a new head says about everything that was sent; afterwards [`Payer::bumps`] says what to bid higher for.
    pub(crate) fn on_block(&mut self, chain: &Chain, canonical: &BTreeMap<u64, BlockRef>) -> Vec<Want> {
        let Some(head) = canonical.last_key_value().map(|(_, head)| *head) else { return Vec::new() };
        let mut wants = Vec::new();
        for (hash, pending) in &mut self.pending {
            pending.waits_for_block = false;
            if pending.bid.is_none() {
                continue;
            }
            let on_branch = |block: &B256| {
                chain.block(block).is_some_and(|b| canonical.get(&b.at.number).is_some_and(|c| c.hash == *block))
            };
            if let Some(block) = pending.included {
                if !on_branch(&block) {
                    pending.included = None;
                    wants.push(Want::Resend(*hash));
                }
                continue;
            }
            let mined = canonical.range(pending.at_head..).rev().find_map(|(_, at)| {
                let block = chain.block(&at.hash)?;
                let one = block.included.iter().find(|one| pending.sent.contains(&one.transaction.hash))?;
                Some((block.at, one.result))
            });
            match mined {
                Some((at, Ok(()))) => pending.included = Some(at.hash),
                Some((block, Err(reason))) => {
                    pending.bid = None;
                    pending.sent.clear();
                    pending.waits_for_block = true;
                    let reason = SubmissionFailure::Refused(reason.to_owned());
                    wants.push(Want::Report(SubmissionReport::Reverted { safe_tx_hash: *hash, block, reason }));
                }
                None if head.number > pending.at_head => {
                    let base_fee = chain.block(&head.hash).map_or(0, |block| block.base_fee);
                    if pending.bid.is_some_and(|(max_fee, _)| max_fee >= base_fee) {
                        pending.missed += 1;
                    }
                    if pending.missed >= 2 && !pending.told_not_included {
                        pending.told_not_included = true;
                        wants.push(Want::Report(SubmissionReport::NotIncluded { safe_tx_hash: *hash, block: head }));
                    }
                }
                None => wants.push(Want::Resend(*hash)),
            }
        }
        wants
    }

    /// What the newest block passed over and is to be bid higher for.
    pub(crate) fn bumps(&self, head: u64) -> Vec<B256> {
        let passed = self.pending.iter().filter(|(_, one)| {
            one.bid.is_some() && one.included.is_none() && one.announced.is_none() && one.at_head < head
        });
        passed.map(|(hash, _)| *hash).collect()
    }
}

fn transaction(payer: Address, pending: &Pending) -> Transaction {
    let submission = &pending.submission;
    let (max_fee, tip) = pending.bid.unwrap_or_default();
    Transaction {
        hash: outer(payer, &submission.safe_tx_hash, max_fee),
        from: payer,
        slot: slot(payer, &submission.safe_tx_hash),
        call: Call::Execute {
            transaction: Rc::new(submission.transaction.clone()),
            signatures: submission.signatures.clone(),
        },
        max_fee,
        tip,
    }
}

/// Hash of one bid's transaction.
fn outer(payer: Address, safe_tx_hash: &B256, max_fee: u128) -> B256 {
    keccak256([payer.as_slice(), safe_tx_hash.as_slice(), &max_fee.to_be_bytes()].concat())
}

/// Where a payer's transactions for one Safe transaction replace each other.
pub(crate) fn slot(payer: Address, safe_tx_hash: &B256) -> B256 {
    keccak256([payer.as_slice(), safe_tx_hash.as_slice()].concat())
}
