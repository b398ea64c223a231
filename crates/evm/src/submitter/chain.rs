//! What the submitter asks the chain and tells it.

use std::sync::Arc;
use std::time::Duration;

use alloy_primitives::{Address, B256, Bytes as AlloyBytes, U64, U128};
use serde::Deserialize;
use serde_json::json;
use tokio::time::Instant;
use watchfire_types::duty::Submission;

use super::facts::{self, Facts, Said};

use crate::budget::Priority;
use crate::client::ChainClient;
use crate::config::Route;
use crate::endpoint::{Remote, decode};
use crate::error::RpcError;
use crate::quorum::gather;
use crate::rpc::{Request, cut};
use crate::safe;

/// How long the other endpoints have once k operators have answered.
const STRAGGLERS: Duration = Duration::from_millis(60);
/// Percentile of the tips in recent blocks.
const TIP_PERCENTILE: u64 = 90;

/// A mined transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mined {
    pub(super) hash: B256,
    pub(super) block_hash: B256,
    pub(super) block_number: u64,
    pub(super) succeeded: bool,
}

/// That one of the transactions may be mined: too few operators say of each whether it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unsure;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Receipt {
    block_hash: B256,
    block_number: U64,
    status: Option<U64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct FeeHistory {
    #[serde(default)]
    reward: Option<Vec<Vec<U128>>>,
}

/// What an endpoint answered to a transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Sending {
    /// At least one endpoint has it.
    Accepted,
    /// Every endpoint says that the account nonce is used.
    NonceUsed,
    /// Every endpoint wants a higher bid.
    Underpriced,
    /// No endpoint has it, and one or more say that the balance does not suffice.
    Unfunded,
    /// Every endpoint refused; the first cause.
    Refused(String),
}

impl ChainClient {
    fn asked(&self) -> impl Iterator<Item = &Arc<Remote>> {
        self.remotes.iter().filter(|remote| remote.config.is_asked())
    }

    /// Everything before a send, in one batch per endpoint.
    pub(super) async fn submission_facts(&self, payer: Address, submission: &Submission) -> Option<Facts> {
        let data = AlloyBytes::from(safe::exec_transaction(&submission.transaction, &submission.signatures));
        let call = json!({ "from": payer, "to": submission.safe, "data": data });
        let requests = Arc::new(vec![
            Request::new("eth_getTransactionCount", json!([payer, "latest"])),
            Request::new("eth_getBalance", json!([payer, "latest"])),
            Request::new("eth_feeHistory", json!(["0x5", "latest", [TIP_PERCENTILE]])),
            // Pending state would hold this submission's own earlier bids.
            Request::new("eth_estimateGas", json!([call, "latest"])),
        ]);
        let asked = self.asked().map(|remote| {
            let requests = Arc::clone(&requests);
            async move {
                (
                    remote.config.operator.clone(),
                    said(remote.ask(Priority::Decision, &requests, remote.limits.send).await),
                )
            }
        });
        // A slow endpoint must not hold up a pause: once k operators agree the others have a moment more.
        let mut running: futures::stream::FuturesUnordered<_> = asked.collect();
        let mut deadline = Instant::now() + self.config.limits.send;
        let agree = self.config.agree;
        let mut heard = Vec::new();
        let mut settled = false;
        loop {
            tokio::select! {
                next = futures::StreamExt::next(&mut running) => match next {
                    Some(answer) => {
                        heard.push(answer);
                        if !settled && facts::settled(&heard, agree) {
                            settled = true;
                            deadline = deadline.min(Instant::now() + STRAGGLERS);
                        }
                    }
                    None => break,
                },
                () = tokio::time::sleep_until(deadline) => break,
            }
        }
        facts::weigh(&heard, agree)
    }

    /// Hands a signed transaction to every endpoint of the route at once; the first acceptance is enough to go on.
    pub(super) async fn broadcast(&self, raw: &AlloyBytes, private_only: bool) -> Sending {
        let has_private = self.remotes.iter().any(|remote| remote.config.submit_only);
        let only_private = private_only && has_private && self.config.route == Route::PrivateFirst;
        let request = Request::new("eth_sendRawTransaction", json!([raw]));
        let mut refusals = Vec::new();
        let mut running: futures::stream::FuturesUnordered<_> = self
            .remotes
            .iter()
            .filter(|remote| !remote.config.evidence_only && (!only_private || remote.config.submit_only))
            .map(|remote| {
                let (remote, request) = (Arc::clone(remote), request.clone());
                // Detached, so that the slower endpoints get it too though the first acceptance ends the wait.
                tokio::spawn(async move {
                    remote.ask(Priority::Decision, std::slice::from_ref(&request), remote.limits.send).await.pop()
                })
            })
            .collect();
        while let Some(answer) = futures::StreamExt::next(&mut running).await {
            match answer.ok().flatten().unwrap_or(Err(RpcError::BackingOff)) {
                Ok(_) => return Sending::Accepted,
                Err(error) => match refusal(&error) {
                    Sending::Accepted => return Sending::Accepted,
                    other => refusals.push(other),
                },
            }
        }
        let first = refusals.first().cloned().unwrap_or(Sending::Refused("no endpoint takes transactions".to_owned()));
        if refusals.iter().all(|refusal| *refusal == first) {
            return first;
        }
        let causes: Vec<String> = refusals.iter().map(|refusal| format!("{refusal:?}")).collect();
        // Endpoints disagree: the milder answer keeps the submission going.
        if refusals.contains(&Sending::Underpriced) {
            Sending::Underpriced
        } else if refusals.contains(&Sending::Unfunded) {
            Sending::Unfunded
        } else {
            Sending::Refused(cut(&causes.join("; ")))
        }
    }

    /// Which of these transactions is mined, equal from k operators; the error where none is and k operators do not say so of each.
    pub(super) async fn mined(&self, hashes: &[B256]) -> Result<Option<Mined>, Unsure> {
        let requests: Arc<Vec<Request>> =
            Arc::new(hashes.iter().map(|hash| Request::new("eth_getTransactionReceipt", json!([hash]))).collect());
        let ask = |remote: Arc<Remote>| {
            let requests = Arc::clone(&requests);
            async move {
                let answers = remote.ask(Priority::Decision, &requests, remote.limits.send).await;
                answers.into_iter().zip(hashes).map(|(answer, hash)| mined(*hash, answer)).collect()
            }
        };
        let deadline = Instant::now() + self.config.limits.send;
        let agreed = gather(&self.remotes, self.config.agree, hashes.len(), deadline, false, ask).await;
        let sure = agreed.iter().all(Result::is_ok);
        match agreed.into_iter().filter_map(Result::ok).flatten().next() {
            Some(mined) => Ok(Some(mined)),
            None if sure => Ok(None),
            None => Err(Unsure),
        }
    }

    /// The payer's nonce over mined transactions, equal from k operators.
    pub(super) async fn account_nonce(&self, payer: Address) -> Option<u64> {
        let request = Request::new("eth_getTransactionCount", json!([payer, "latest"]));
        let ask = |remote: Arc<Remote>| {
            let request = request.clone();
            async move {
                let nonce = remote.one::<U64>(Priority::Decision, request, remote.limits.send).await;
                vec![nonce.map(|nonce| nonce.map(|nonce| nonce.to::<u64>()))]
            }
        };
        let deadline = Instant::now() + self.config.limits.send;
        gather(&self.remotes, self.config.agree, 1, deadline, false, ask).await.pop()?.ok()?
    }
}

fn said(answers: Vec<crate::rpc::Answer>) -> Said {
    let mut answers = answers.into_iter();
    let mut next = || answers.next().unwrap_or(Err(RpcError::BackingOff));
    let nonce = next().ok().and_then(|raw| decode::<U64>(&raw).ok().flatten()).map(|nonce| nonce.to::<u64>());
    let balance = next().ok().and_then(|raw| decode::<alloy_primitives::U256>(&raw).ok().flatten());
    let history = next().ok().and_then(|raw| decode::<FeeHistory>(&raw).ok().flatten());
    let tips = history.and_then(|history| history.reward).unwrap_or_default();
    let tip = tips.into_iter().filter_map(|block| block.first().map(|tip| tip.to::<u128>())).max();
    let gas = match next() {
        Ok(raw) => decode::<U64>(&raw).ok().flatten().map(|gas| Ok(gas.to::<u64>())),
        Err(error) => error.revert_data().map(Err),
    };
    Said { nonce, balance: balance.map(|balance| balance.saturating_to()), tip, gas }
}

fn mined(hash: B256, answer: crate::rpc::Answer) -> Result<Option<Mined>, RpcError> {
    let receipt = decode::<Receipt>(&answer?)?;
    Ok(receipt.map(|receipt| Mined {
        hash,
        block_hash: receipt.block_hash,
        block_number: receipt.block_number.to(),
        succeeded: receipt.status.is_some_and(|status| !status.is_zero()),
    }))
}

/// Nodes agree on no codes here, so the texts of geth, nethermind, besu, erigon, reth and anvil are matched.
fn refusal(error: &RpcError) -> Sending {
    let text = error.to_string().to_ascii_lowercase();
    let has = |known: &[&str]| known.iter().any(|known| text.contains(known));
    if has(&["already known", "already imported", "known transaction", "alreadyknown"]) {
        Sending::Accepted
    } else if has(&["nonce too low", "oldnonce", "nonce is too low"]) {
        Sending::NonceUsed
    } else if has(&["underpriced", "feetoolow", "fee too low", "max fee per gas less than block base fee"]) {
        Sending::Underpriced
    } else if has(&["insufficient funds", "insufficientfunds", "upfront cost exceeds"]) {
        Sending::Unfunded
    } else {
        Sending::Refused(cut(&text))
    }
}
