//! One look at a chain through one URL: what `charter check --rpc` judges.

use std::collections::{BTreeMap, BTreeSet};

use url::Url;
use watchfire_types::{BlockRef, ChainId, OperatorId, Read, ReadOutcome};

use crate::client::ChainClient;
use crate::config::ChainConfig;
use crate::error::{ConnectError, NotAgreed};

/// State at one block, as one endpoint tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// Block of the answers.
    pub block: BlockRef,
    /// Answers.
    pub answers: BTreeMap<Read, ReadOutcome>,
}

/// Why there is no snapshot.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SnapshotError {
    /// The endpoint cannot be used.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// It does not tell its newest block.
    #[error(transparent)]
    Read(#[from] NotAgreed),
}

/// Connects to one URL, refuses another chain's, and reads at its newest block.
///
/// # Errors
/// [`SnapshotError`]; a single read that fails is [`ReadOutcome::Unavailable`] in the answers instead.
pub async fn snapshot(
    chain: ChainId,
    operator: OperatorId,
    url: Url,
    reads: &BTreeSet<Read>,
) -> Result<Snapshot, SnapshotError> {
    let client = ChainClient::connect(ChainConfig::single(chain, operator, url)).await?;
    let block = client.latest().await?.block;
    Ok(Snapshot { block, answers: client.read_at(block, reads).await })
}
