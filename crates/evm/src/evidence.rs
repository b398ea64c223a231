//! Raw answers of single operators, for keeping: the bytes exactly as they came, and what a header proves of them.
//!
//! Asked with the lowest priority of the endpoint's budget: evidence leaves half of it untouched, so that no simulation, signature or
//! transaction waits for it. Answers are bounded by the caller; nothing here decides anything.

mod check;
mod singly;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;
use thiserror::Error;
use tokio::time::Instant;
use watchfire_types::OperatorId;

use crate::client::ChainClient;
use crate::endpoint::{RETRY_AFTER_MS_MAX, Remote};
use crate::error::RpcError;

pub use check::{BlockFacts, EvidenceFault, Touched, block, logs, receipt_proofs, receipts, same_result, state_proof};
pub use singly::{SINGLE_RECEIPT, SINGLE_RECEIPTS_MAX, are_of, result, single_receipt, together};

/// One call whose request bytes are fixed, so that their digest names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawRequest {
    /// Method.
    pub method: &'static str,
    /// JSON of the parameters, without blanks.
    pub params: String,
}

impl RawRequest {
    /// The call.
    #[must_use]
    pub fn new(method: &'static str, params: &Value) -> Self {
        Self { method, params: params.to_string() }
    }

    /// The request body, byte for byte as it is sent.
    #[must_use]
    pub fn body(&self) -> Bytes {
        format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{}","params":{}}}"#, self.method, self.params).into()
    }
}

/// Why an operator's bytes could not be had.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RawFault {
    /// The operator no longer keeps that state.
    #[error("state is pruned: {0}")]
    Pruned(String),
    /// Rate limited; wait this long at least.
    #[error("rate limited")]
    RateLimited {
        /// What the operator or the own budget asks for, ms.
        retry_after_ms: u64,
    },
    /// No answer in time.
    #[error("no answer within {0} ms")]
    Timeout(u64),
    /// Not reachable, or no JSON-RPC.
    #[error("unreachable: {0}")]
    Unreachable(String),
    /// Does not offer the method.
    #[error("method not offered: {0}")]
    Unsupported(String),
    /// Does not know the block (`null`, or an error that says so).
    #[error("block not known")]
    UnknownBlock,
    /// Longer than asked for.
    #[error("answer longer than {0} bytes")]
    TooLong(usize),
    /// Any other error, as the operator said it.
    #[error("refused: {0}")]
    Refused(String),
}

impl RawFault {
    /// Whether asking again may help.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        match self {
            Self::RateLimited { .. } | Self::Timeout(_) | Self::Unreachable(_) | Self::UnknownBlock => true,
            Self::Pruned(_) | Self::Unsupported(_) | Self::TooLong(_) | Self::Refused(_) => false,
        }
    }
}

impl From<RpcError> for RawFault {
    fn from(error: RpcError) -> Self {
        if error.method_missing() {
            return Self::Unsupported(error.to_string());
        }
        match error {
            RpcError::Unreachable(cause) => Self::Unreachable(cause),
            RpcError::Timeout(ms) => Self::Timeout(ms),
            RpcError::RateLimited { retry_after_ms } => {
                Self::RateLimited { retry_after_ms: retry_after_ms.unwrap_or(0).min(RETRY_AFTER_MS_MAX) }
            }
            RpcError::BackingOff => Self::RateLimited { retry_after_ms: 0 },
            RpcError::Http(status) if status >= 500 => Self::Unreachable(format!("http status {status}")),
            RpcError::TooLong(max) => Self::TooLong(max),
            RpcError::UnknownBlock => Self::UnknownBlock,
            RpcError::Node { ref message, .. } if is_pruned(message) => Self::Pruned(error.to_string()),
            RpcError::Http(_)
            | RpcError::Garbage(_)
            | RpcError::WrongChain(_)
            | RpcError::Unable(_)
            | RpcError::Node { .. } => Self::Refused(error.to_string()),
        }
    }
}

/// What geth, erigon, nethermind, besu, reth and hosted providers say of state that they do not keep.
fn is_pruned(message: &str) -> bool {
    let message = message.to_ascii_lowercase();
    let known = [
        "missing trie node",
        "not available",
        "pruned",
        "historical state",
        "no state available",
        "distance to target block exceeds",
    ];
    known.iter().any(|known| message.contains(known))
}

impl ChainClient {
    /// Operators that may be asked for evidence, in the order of the configuration, each once.
    #[must_use]
    pub fn evidence_operators(&self) -> Vec<OperatorId> {
        let mut seen = BTreeSet::new();
        let asked = self.remotes.iter().filter(|remote| !remote.config.submit_only);
        asked.map(|remote| remote.config.operator.clone()).filter(|operator| seen.insert(operator.clone())).collect()
    }

    /// The raw answer of one operator: its endpoints are tried in order, all within `timeout`.
    ///
    /// # Errors
    /// The last endpoint's [`RawFault`].
    pub async fn raw(
        &self,
        operator: &OperatorId,
        request: &RawRequest,
        bytes_max: usize,
        timeout: Duration,
    ) -> Result<Bytes, RawFault> {
        let deadline = Instant::now() + timeout;
        let of = |remote: &&Arc<Remote>| remote.config.operator == *operator && !remote.config.submit_only;
        let mut fault = RawFault::Unreachable("no endpoint of this operator is configured".to_owned());
        for remote in self.remotes.iter().filter(of) {
            let left = deadline.saturating_duration_since(Instant::now());
            match remote.raw(request.body(), bytes_max, left).await {
                Ok(bytes) if check::is_null(&bytes) => fault = RawFault::UnknownBlock,
                Ok(bytes) => return Ok(bytes),
                Err(error) => fault = error.into(),
            }
        }
        Err(fault)
    }
}
