//! Why an `execTransaction` would revert, by name: the same names before the signatures exist, at submission and after a revert on chain.

use std::fmt;
use std::sync::Arc;

use alloy_primitives::{Address, B256, U256};
use bytes::Bytes;
use watchfire_types::duty::Preflight;
use watchfire_types::input::SubmissionFailure;
use watchfire_types::{Operation, Read, ReadOutcome, multi_send};

use crate::budget::Priority;
use crate::endpoint::Remote;
use crate::error::RpcError;
use crate::read;
use crate::safe::{self, Revert};
use crate::simulate::{Simulated, Simulation};

/// One endpoint's reason; equal from k operators it is the outcome.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The Safe is at another nonce.
    NonceTaken { at: U256, code: String },
    /// Nobody signed yet, and the owner that the simulation asks is none.
    NoOwner { owner: Address, code: String },
    /// Another code of the Safe.
    Code(String),
    /// Without the guard it executes.
    Guard(String),
    /// The inner call reverts, and every postcondition already holds at that block: read, whatever the reason says.
    AlreadyContained(String),
    /// The inner call reverts.
    Inner(String),
    /// It executes, and a postcondition does not hold after it.
    NoEffect,
    /// It executes, and not with the gas that a transaction of this chain may have.
    WantsMoreGas { cap: u64 },
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NonceTaken { at, code } => write!(f, "nonce taken: the Safe is at {at} ({code})"),
            Self::NoOwner { owner, code } => write!(f, "{code}: {owner} is no owner of the Safe"),
            Self::Code(code) => write!(f, "{code}: {}", safe::meaning(code).unwrap_or_default()),
            Self::Guard(reason) => write!(f, "guard: {reason}"),
            Self::AlreadyContained(reason) => write!(f, "already contained: {reason}"),
            Self::Inner(reason) => f.write_str(reason),
            Self::NoEffect => f.write_str("postcondition does not hold after"),
            Self::WantsMoreGas { cap } => write!(f, "needs more gas than the chain's cap of {cap}"),
        }
    }
}

impl Refusal {
    /// As what the submitter tells.
    pub(crate) fn at_submission(self) -> SubmissionFailure {
        match self {
            Self::NonceTaken { .. } => SubmissionFailure::NonceTaken,
            Self::Code(code) if code == "GS020" => SubmissionFailure::TooFewSignatures,
            Self::Code(code) if of_signatures(&code) => SubmissionFailure::BadSignatures,
            Self::Guard(reason) => SubmissionFailure::GuardRefuses { reason },
            Self::AlreadyContained(reason) => SubmissionFailure::AlreadyContained { reason },
            Self::Inner(reason) => SubmissionFailure::InnerReverted { reason },
            Self::WantsMoreGas { cap } => SubmissionFailure::AboveGasCap { cap },
            other @ (Self::NoOwner { .. } | Self::Code(_) | Self::NoEffect) => {
                SubmissionFailure::Refused(format!("would revert: {other}"))
            }
        }
    }
}

/// By the bytes of the revert alone, where no k operators agree on more. A stale nonce changes the hash, so that every signature looks
/// bad: without the nonce GS025 and GS026 name nothing.
pub(crate) fn unexplained(data: &[u8], why: &str) -> SubmissionFailure {
    match Revert::of(data) {
        Revert::Safe(code) if code == "GS020" => SubmissionFailure::TooFewSignatures,
        Revert::Safe(code) if code == "GS013" => SubmissionFailure::InnerReverted { reason: code },
        revert => SubmissionFailure::Refused(format!("would revert: {} ({why})", revert.name())),
    }
}

fn of_signatures(code: &str) -> bool {
    matches!(code, "GS020" | "GS021" | "GS022" | "GS023" | "GS024" | "GS025" | "GS026")
}

/// Names a revert: codes of signatures by the nonce at the same block, a guard by running without it, the inner call by running it
/// alone and by reading whether what it is for holds already.
pub(crate) async fn name(
    remote: &Arc<Remote>,
    preflight: &Preflight,
    simulation: &Simulation,
    data: &Bytes,
) -> Result<Refusal, RpcError> {
    let guard_slot = Read::Storage { account: preflight.safe, slot: safe::GUARD_SLOT };
    let nonce = Read::Call { to: preflight.safe, data: safe::nonce_call() };
    let words = read_all(remote, preflight, vec![guard_slot, nonce]).await?;
    let word = |index: usize| words.get(index).and_then(ReadOutcome::word);
    let revert = Revert::of(data);
    if let Revert::Safe(code) = &revert
        && of_signatures(code)
    {
        let code = code.clone();
        return Ok(match word(1) {
            Some(at) if at != preflight.transaction.nonce && code != "GS020" => Refusal::NonceTaken { at, code },
            _ if code == "GS026" && preflight.signatures.is_none() => Refusal::NoOwner { owner: preflight.owner, code },
            _ => Refusal::Code(code),
        });
    }
    if word(0).is_some_and(|guard| !guard.is_zero()) {
        let mut without = Simulation { checks: Vec::new(), gas: None, ..simulation.clone() };
        without.storage.push((safe::GUARD_SLOT, B256::ZERO));
        if matches!(without.run(remote, remote.limits.preflight).await?, Simulated::Executed { .. }) {
            return Ok(Refusal::Guard(revert.name().to_owned()));
        }
    }
    let reason = match revert {
        // Up to 1.4.1 the Safe hides why the inner call failed; the call alone tells.
        Revert::Safe(code) if code == "GS013" => match inner(remote, preflight).await? {
            Some(inner) => format!("GS013: {}", inner.name()),
            None => "GS013: the inner call failed".to_owned(),
        },
        Revert::Safe(code) => return Ok(Refusal::Code(code)),
        Revert::Other(name) => name,
    };
    Ok(if holds_already(remote, preflight).await? { Refusal::AlreadyContained(reason) } else { Refusal::Inner(reason) })
}

/// What the inner call alone reverts with, from the Safe; of several in one transaction the first that does.
async fn inner(remote: &Arc<Remote>, preflight: &Preflight) -> Result<Option<Revert>, RpcError> {
    let transaction = &preflight.transaction;
    let calls = match transaction.operation {
        Operation::Call => vec![(transaction.to, transaction.data.clone())],
        Operation::DelegateCall => multi_send::unpack(&transaction.data).unwrap_or_default(),
    };
    for (to, data) in calls {
        let simulation = Simulation {
            block: preflight.at,
            from: preflight.safe,
            to,
            data,
            before: Vec::new(),
            storage: Vec::new(),
            checks: Vec::new(),
            gas: None,
        };
        if let Simulated::Reverted(data) = simulation.run(remote, remote.limits.preflight).await? {
            return Ok(Some(Revert::of(&data)));
        }
    }
    Ok(None)
}

/// Whether every postcondition on this chain holds at the block itself; without any nothing is contained.
async fn holds_already(remote: &Arc<Remote>, preflight: &Preflight) -> Result<bool, RpcError> {
    let here: Vec<_> = preflight.postconditions.iter().filter(|c| c.chain == preflight.chain).collect();
    let said = read_all(remote, preflight, here.iter().map(|condition| condition.read.clone()).collect()).await?;
    let holds = |(condition, said): (&&_, &ReadOutcome)| {
        let condition: &watchfire_types::duty::Postcondition = condition;
        matches!(said, ReadOutcome::Value(value) if *value == condition.equals)
    };
    Ok(!here.is_empty() && here.iter().zip(&said).all(holds))
}

async fn read_all(remote: &Arc<Remote>, preflight: &Preflight, of: Vec<Read>) -> Result<Vec<ReadOutcome>, RpcError> {
    let timeout = remote.limits.preflight;
    let answers = read::reads(Arc::clone(remote), preflight.at, Arc::new(of), Priority::Decision, timeout).await;
    answers.into_iter().collect()
}
