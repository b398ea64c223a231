//! What a node is told about one chain and the endpoints it may ask.

use std::collections::BTreeSet;

use url::Url;
use watchfire_types::{ChainId, OperatorId};

use crate::error::ConnectError;
use crate::limits::Limits;

/// When a block is final.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finality {
    /// The node's `finalized` tag.
    Finalized,
    /// The node's `safe` tag.
    Safe,
    /// This many blocks below the head.
    Depth(u64),
}

/// How transactions reach a chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route {
    /// Endpoints marked `submit_only` (private builders) first, every endpoint one block later.
    PrivateFirst,
    /// Every endpoint at once.
    Public,
    /// Every endpoint at once; those marked `submit_only` are the rollup's sequencer.
    Sequencer,
}

/// One named endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Name for people, unique within the chain.
    pub name: String,
    /// Who runs it: agreement counts operators, never endpoints.
    pub operator: OperatorId,
    /// JSON-RPC over HTTP.
    pub http: Url,
    /// `newHeads` over WebSocket; without it the endpoint is polled.
    pub ws: Option<Url>,
    /// Calls per second, a batch of n counting n; at least 1.
    pub requests_per_second: u32,
    /// Takes transactions and is never asked: a private builder or a sequencer.
    pub submit_only: bool,
    /// Asked for evidence only ([`ChainClient::raw`](crate::ChainClient::raw)): neither a decision nor a transaction goes through it.
    pub evidence_only: bool,
    /// Its operator is a label that the charter gives this member: only where such an operator is among those that agreed
    /// on a block can the member vote on it. Asked first, and waited for a little.
    pub vouches: bool,
}

impl Endpoint {
    /// Whether what it answers counts for views and decisions.
    pub(crate) fn is_asked(&self) -> bool {
        !self.submit_only && !self.evidence_only
    }
}

/// One chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChainConfig {
    /// EIP-155 id; an endpoint that answers another one is never used.
    pub chain: ChainId,
    /// Expected time between blocks, ms; at least 1.
    pub block_time_ms: u64,
    /// Which blocks are final.
    pub finality: Finality,
    /// k: equal answers from this many distinct operators; at least 1.
    pub agree: usize,
    /// Endpoints, in order of preference.
    pub endpoints: Vec<Endpoint>,
    /// Most gas one transaction may use.
    pub gas_cap: u64,
    /// Route.
    pub route: Route,
    /// The feed says `Silent` after this long without a new block, ms; `None` = four block times, at least 5 s.
    pub silence_ms: Option<u64>,
    /// How long operators are waited for.
    pub limits: Limits,
}

impl ChainConfig {
    /// One endpoint, believed alone and waited for patiently: what a check of a charter or a tool uses, never a guardian in production.
    #[must_use]
    pub fn single(chain: ChainId, operator: OperatorId, http: Url) -> Self {
        const BLOCK_TIME_MS: u64 = 12_000;
        let endpoint = Endpoint {
            name: operator.to_string(),
            operator,
            http,
            ws: None,
            requests_per_second: 100,
            submit_only: false,
            evidence_only: false,
            vouches: false,
        };
        Self {
            chain,
            block_time_ms: BLOCK_TIME_MS,
            finality: Finality::Finalized,
            agree: 1,
            endpoints: vec![endpoint],
            gas_cap: 16_777_216,
            route: Route::Public,
            silence_ms: None,
            limits: Limits::default().times(5, BLOCK_TIME_MS),
        }
    }

    /// What can be wrong with it before anybody is asked.
    ///
    /// # Errors
    /// [`ConnectError::Zero`], [`ConnectError::TooFewOperators`].
    pub fn check(&self) -> Result<(), ConnectError> {
        let chain = self.chain;
        let numbers = [("agree", self.agree as u64), ("block_time_ms", self.block_time_ms)];
        if let Some((key, _)) = numbers.into_iter().find(|(_, value)| *value == 0) {
            return Err(ConnectError::Zero { chain, key });
        }
        let asked = self.endpoints.iter().filter(|endpoint| endpoint.is_asked());
        let operators = asked.map(|endpoint| &endpoint.operator).collect::<BTreeSet<_>>().len();
        if operators < self.agree {
            return Err(ConnectError::TooFewOperators { chain, agree: self.agree, operators });
        }
        Ok(())
    }

    pub(crate) fn silence_ms(&self) -> u64 {
        self.silence_ms.unwrap_or_else(|| self.block_time_ms.saturating_mul(4).max(5_000))
    }
}
