//! Would the whole `execTransaction` work now, guard in place, and would the postcondition hold after it?
//!
//! Before the signatures exist the threshold is overridden to 1 and one owner's hash counts as approved; the sender stays the
//! submitter, so that a guard sees what it will see. After, the exact bytes are run without any override.

use std::sync::Arc;

use alloy_primitives::B256;
use bytes::Bytes;
use tokio::time::Instant;
use watchfire_types::duty::Preflight;
use watchfire_types::input::PreflightOutcome;
use watchfire_types::{Read, ReadOutcome};

use crate::budget::Priority;
use crate::client::ChainClient;
use crate::endpoint::Remote;
use crate::error::RpcError;
use crate::probe::Check;
use crate::quorum::gather;
use crate::read;
use crate::safe::{self, Revert};
use crate::simulate::{Simulated, Simulation};

/// One endpoint's judgement; equal from k operators it is the outcome.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Judgement {
    Passes,
    Refuted { reason: String, by_guard: bool },
}

impl ChainClient {
    /// Simulates within [`crate::Limits::preflight`]. Refuted only if k operators say so for the same reason at the same block. Postconditions on
    /// other chains cannot hold within the same call and are not judged.
    pub async fn preflight(&self, preflight: &Preflight) -> PreflightOutcome {
        if preflight.chain != self.config.chain || preflight.at.chain != self.config.chain {
            return PreflightOutcome::Unknown { reason: "the preflight is for another chain".to_owned() };
        }
        let preflight = Arc::new(preflight.clone());
        let ask = |remote| {
            let preflight = Arc::clone(&preflight);
            async move { vec![judge(&remote, &preflight).await] }
        };
        let deadline = Instant::now() + self.config.limits.preflight;
        let mut agreed = gather(&self.remotes, self.config.agree, 1, deadline, true, ask).await;
        match agreed.pop() {
            Some(Ok(Judgement::Passes)) => PreflightOutcome::Passes,
            Some(Ok(Judgement::Refuted { reason, by_guard })) => PreflightOutcome::Refuted { reason, by_guard },
            Some(Err(cause)) => PreflightOutcome::Unknown { reason: cause },
            None => PreflightOutcome::Unknown { reason: "nobody was asked".to_owned() },
        }
    }
}

async fn judge(remote: &Arc<Remote>, preflight: &Preflight) -> Result<Judgement, RpcError> {
    let (signatures, storage) = match &preflight.signatures {
        Some(signatures) => (signatures.clone(), Vec::new()),
        None => {
            let approved = safe::approved_hash_key(preflight.owner, preflight.safe_tx_hash);
            let threshold = B256::with_last_byte(safe::THRESHOLD_SLOT);
            let one = safe::word(1);
            (safe::approved_signature(preflight.owner), vec![(threshold, one), (approved, one)])
        }
    };
    let checks = preflight.postconditions.iter().filter(|condition| condition.chain == preflight.chain);
    let simulation = Simulation {
        block: preflight.at,
        from: preflight.submitter,
        to: preflight.safe,
        data: safe::exec_transaction(&preflight.transaction, &signatures),
        storage,
        checks: checks.map(|c| Check { read: c.read.clone(), equals: c.equals.clone() }).collect(),
    };
    match simulation.run(remote, remote.limits.preflight).await? {
        Simulated::Executed { holds } if holds.iter().all(|holds| *holds) => Ok(Judgement::Passes),
        Simulated::Executed { .. } => {
            Ok(Judgement::Refuted { reason: "postcondition does not hold after".to_owned(), by_guard: false })
        }
        Simulated::Reverted(data) => name(remote, preflight, &simulation, &data).await,
    }
}

/// Names a revert: GS025 and GS026 by the nonce at the same block, GS013 by the inner call, a guard by running without it.
async fn name(
    remote: &Arc<Remote>,
    preflight: &Preflight,
    simulation: &Simulation,
    data: &Bytes,
) -> Result<Judgement, RpcError> {
    let guard_slot = Read::Storage { account: preflight.safe, slot: safe::GUARD_SLOT };
    let nonce = Read::Call { to: preflight.safe, data: safe::nonce_call() };
    let facts = Arc::new(vec![guard_slot, nonce]);
    let answers =
        read::reads(Arc::clone(remote), preflight.at, facts, Priority::Decision, remote.limits.preflight).await;
    let words: Vec<_> = answers.into_iter().collect::<Result<Vec<ReadOutcome>, RpcError>>()?;
    let word = |index: usize| words.get(index).and_then(ReadOutcome::word);
    let revert = Revert::of(data);
    let signature_code = matches!(revert.name(), "GS020" | "GS021" | "GS022" | "GS023" | "GS024" | "GS025" | "GS026");
    if let (Revert::Safe(code), true) = (&revert, signature_code) {
        let reason = match word(1) {
            Some(nonce) if nonce != preflight.transaction.nonce && code != "GS020" => {
                format!("nonce taken: the Safe is at {nonce} ({code})")
            }
            _ if code == "GS026" && preflight.signatures.is_none() => {
                format!("GS026: {} is no owner of the Safe", preflight.owner)
            }
            _ => format!("{code}: {}", safe::meaning(code).unwrap_or_default()),
        };
        return Ok(Judgement::Refuted { reason, by_guard: false });
    }
    if word(0).is_some_and(|guard| !guard.is_zero()) {
        let mut without = Simulation { checks: Vec::new(), ..simulation.clone() };
        without.storage.push((safe::GUARD_SLOT, B256::ZERO));
        if matches!(without.run(remote, remote.limits.preflight).await?, Simulated::Executed { .. }) {
            return Ok(Judgement::Refuted { reason: format!("guard: {}", revert.name()), by_guard: true });
        }
    }
    let reason = match &revert {
        // Up to 1.4.1 the Safe hides why the inner call failed; the call alone tells.
        Revert::Safe(code) if code == "GS013" => match inner(remote, preflight).await? {
            Some(inner) => format!("GS013: {}", inner.name()),
            None => "GS013: the inner call failed".to_owned(),
        },
        Revert::Safe(code) => format!("{code}: {}", safe::meaning(code).unwrap_or_default()),
        Revert::Other(name) => name.clone(),
    };
    Ok(Judgement::Refuted { reason, by_guard: false })
}

/// What the inner call alone reverts with, from the Safe.
async fn inner(remote: &Arc<Remote>, preflight: &Preflight) -> Result<Option<Revert>, RpcError> {
    let simulation = Simulation {
        block: preflight.at,
        from: preflight.safe,
        to: preflight.transaction.to,
        data: preflight.transaction.data.clone(),
        storage: Vec::new(),
        checks: Vec::new(),
    };
    Ok(match simulation.run(remote, remote.limits.preflight).await? {
        Simulated::Reverted(data) => Some(Revert::of(&data)),
        Simulated::Executed { .. } => None,
    })
}
