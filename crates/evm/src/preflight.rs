//! Would the whole `execTransaction` work now, guard in place, and would the postcondition hold after it?
//!
//! Before the signatures exist the threshold is overridden to 1 and one owner's hash counts as approved; the sender stays the
//! submitter, so that a guard sees what it will see. After, the exact bytes are run without any override.

use std::sync::Arc;

use alloy_primitives::{Address, B256};
use tokio::time::Instant;
use watchfire_types::BlockRef;
use watchfire_types::duty::{Preflight, Submission};
use watchfire_types::input::PreflightOutcome;

use crate::client::ChainClient;
use crate::endpoint::Remote;
use crate::error::RpcError;
use crate::probe::Check;
use crate::quorum::{Agreement, gather};
use crate::refusal::{self, Refusal};
use crate::safe::{self, Revert};
use crate::simulate::{Simulated, Simulation};

/// One endpoint's judgement; equal from k operators it is the outcome.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Judgement {
    Passes,
    Refuted(Refusal),
}

impl ChainClient {
    /// Simulates within [`crate::Limits::preflight`]. Refuted only if k operators say so for the same reason at the same block. Postconditions on
    /// other chains cannot hold within the same call and are not judged.
    pub async fn preflight(&self, preflight: &Preflight) -> PreflightOutcome {
        if preflight.chain != self.config.chain || preflight.at.chain != self.config.chain {
            return PreflightOutcome::Unknown { reason: "the preflight is for another chain".to_owned() };
        }
        let preflight = Arc::new(preflight.clone());
        let cap = self.config.gas_cap;
        let ask = |remote| {
            let preflight = Arc::clone(&preflight);
            async move { vec![judge(&remote, None, &preflight, cap).await] }
        };
        let deadline = Instant::now() + self.config.limits.preflight;
        outcome(gather(&self.remotes, self.config.agree, 1, deadline, true, ask).await.pop())
    }

    /// As [`Self::preflight`], once another transaction of the same Safe, at the nonce before, has executed: whether what was done can be undone. It
    /// takes an endpoint with `eth_simulateV1`, and a refusal has the contract's own name alone.
    pub async fn preflight_after(&self, before: &Preflight, preflight: &Preflight) -> PreflightOutcome {
        let pair = Arc::new((before.clone(), preflight.clone()));
        let cap = self.config.gas_cap;
        let ask = |remote| {
            let pair = Arc::clone(&pair);
            async move { vec![judge(&remote, Some(&pair.0), &pair.1, cap).await] }
        };
        let deadline = Instant::now() + self.config.limits.preflight;
        outcome(gather(&self.remotes, self.config.agree, 1, deadline, true, ask).await.pop())
    }

    /// Why a threshold-signed transaction reverts at a block, equal from k operators; `Ok(None)` if it does not.
    ///
    /// # Errors
    /// One line where they do not agree.
    pub(crate) async fn why_it_reverts(
        &self,
        payer: Address,
        submission: &Submission,
        at: BlockRef,
    ) -> Result<Option<Refusal>, String> {
        let exact = Arc::new(Preflight {
            chain: submission.chain,
            safe: submission.safe,
            transaction: submission.transaction.clone(),
            safe_tx_hash: submission.safe_tx_hash,
            signatures: Some(submission.signatures.clone()),
            owner: payer,
            submitter: payer,
            postconditions: submission.postconditions.clone(),
            at,
        });
        let cap = self.config.gas_cap;
        let ask = |remote| {
            let exact = Arc::clone(&exact);
            async move { vec![refusal(&remote, &exact, cap).await] }
        };
        let deadline = Instant::now() + self.config.limits.send;
        let agreed = gather(&self.remotes, self.config.agree, 1, deadline, true, ask).await.pop();
        agreed.unwrap_or_else(|| Err("nobody was asked".to_owned()))
    }
}

fn outcome(agreed: Option<Agreement<Judgement>>) -> PreflightOutcome {
    match agreed {
        Some(Ok(Judgement::Passes)) => PreflightOutcome::Passes,
        Some(Ok(Judgement::Refuted(refusal))) => {
            PreflightOutcome::Refuted { reason: refusal.to_string(), by_guard: matches!(refusal, Refusal::Guard(_)) }
        }
        Some(Err(cause)) => PreflightOutcome::Unknown { reason: cause },
        None => PreflightOutcome::Unknown { reason: "nobody was asked".to_owned() },
    }
}

async fn refusal(remote: &Arc<Remote>, exact: &Preflight, cap: u64) -> Result<Option<Refusal>, RpcError> {
    let simulation = simulation(exact, Vec::new(), cap);
    match simulation.run(remote, remote.limits.preflight).await? {
        Simulated::Executed { .. } => Ok(None),
        Simulated::WantsMoreGas(cap) => Ok(Some(Refusal::WantsMoreGas { cap })),
        Simulated::Reverted(data) => refusal::name(remote, exact, &simulation, &data).await.map(Some),
    }
}

fn checks(preflight: &Preflight) -> Vec<Check> {
    let checks = preflight.postconditions.iter().filter(|condition| condition.chain == preflight.chain);
    checks.map(|c| Check { read: c.read.clone(), equals: c.equals.clone() }).collect()
}

/// Judges a transaction, on top of another where there is one: what then refuses it has the name that its revert gives, since all that would tell
/// more is asked of the block itself.
async fn judge(
    remote: &Arc<Remote>,
    before: Option<&Preflight>,
    preflight: &Preflight,
    cap: u64,
) -> Result<Judgement, RpcError> {
    let mut simulation = simulation(preflight, checks(preflight), cap);
    if let Some(before) = before {
        let first = self::simulation(before, Vec::new(), cap);
        simulation.before.push(first.data);
        simulation.storage.extend(first.storage);
    }
    match simulation.run(remote, remote.limits.preflight).await? {
        Simulated::Executed { holds } if holds.iter().all(|holds| *holds) => Ok(Judgement::Passes),
        Simulated::Executed { .. } => Ok(Judgement::Refuted(Refusal::NoEffect)),
        Simulated::WantsMoreGas(cap) => Ok(Judgement::Refuted(Refusal::WantsMoreGas { cap })),
        Simulated::Reverted(data) if before.is_some() => {
            Ok(Judgement::Refuted(Refusal::Inner(Revert::of(&data).name().to_owned())))
        }
        Simulated::Reverted(data) => refusal::name(remote, preflight, &simulation, &data).await.map(Judgement::Refuted),
    }
}

fn simulation(preflight: &Preflight, checks: Vec<Check>, cap: u64) -> Simulation {
    let (signatures, storage) = match &preflight.signatures {
        Some(signatures) => (signatures.clone(), Vec::new()),
        None => {
            let approved = safe::approved_hash_key(preflight.owner, preflight.safe_tx_hash);
            let threshold = B256::with_last_byte(safe::THRESHOLD_SLOT);
            let one = safe::word(1);
            (safe::approved_signature(preflight.owner), vec![(threshold, one), (approved, one)])
        }
    };
    Simulation {
        block: preflight.at,
        from: preflight.submitter,
        to: preflight.safe,
        data: safe::exec_transaction(&preflight.transaction, &signatures),
        before: Vec::new(),
        storage,
        checks,
        gas: Some(cap),
    }
}
