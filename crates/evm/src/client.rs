//! One chain through several operators' eyes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{broadcast, mpsc, watch};
use tokio::time::Instant;
use watchfire_types::{BlockRef, BlockView, ChainId, OperatorId, Read, ReadOutcome};

use crate::budget::Priority;
use crate::config::ChainConfig;
use crate::endpoint::{EndpointHealth, Remote};
use crate::error::{ConnectError, NotAgreed, RpcError};
use crate::feed::{Backfill, Feed, FeedEvent};
use crate::head::Head;
use crate::quorum::{gather, gather_by};
use crate::read;
use crate::receipts;

/// Health changes kept for a slow listener; older ones are dropped, the state itself is not.
const HEALTH_EVENTS_MAX: usize = 64;
/// Times as long as one request that the watch of standing facts may take.
const WATCH_REQUESTS: u32 = 5;

/// The newest agreed block of the feed, for whoever must know that time passes on the chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeadInfo {
    /// Block.
    pub block: BlockRef,
    /// Its base fee, wei per gas.
    pub base_fee: Option<u128>,
}

/// Connection to one chain. Cheap to share behind an [`Arc`].
#[derive(Debug)]
pub struct ChainClient {
    pub(crate) config: ChainConfig,
    pub(crate) remotes: Vec<Arc<Remote>>,
    pub(crate) health: broadcast::Sender<EndpointHealth>,
    pub(crate) head: watch::Sender<Option<HeadInfo>>,
}

impl ChainClient {
    /// Checks the configuration and that k operators serve this chain now. Endpoints that are down are taken up when they
    /// come back; one that serves another chain is barred for as long as it does, and said to be unhealthy: a single
    /// operator must not be able to keep a node from starting.
    ///
    /// # Errors
    /// [`ConnectError`]; nothing keeps running then. Another chain is the error only where every operator that answers serves one and none
    /// is down: that is a configuration that no wait can mend. Else it may be one operator's lie, and is a cause among the others.
    pub async fn connect(config: ChainConfig) -> Result<Arc<Self>, ConnectError> {
        let client = Self::new(config)?;
        let checks = client
            .remotes
            .iter()
            .filter(|remote| remote.config.is_asked())
            .map(|remote| async move { (remote, remote.check_chain(remote.limits.connect).await) });
        let mut reached = BTreeSet::new();
        let mut foreign = None;
        let mut down = BTreeSet::<OperatorId>::new();
        let mut causes = Vec::new();
        for (remote, result) in futures::future::join_all(checks).await {
            let name = &remote.config.name;
            match result {
                Ok(()) => drop(reached.insert(remote.config.operator.clone())),
                Err(error) => {
                    if let RpcError::WrongChain(found) = error {
                        let expected = client.config.chain;
                        tracing::error!(endpoint.name = %name, expected = %expected, found = found, "endpoint serves another chain and is not used");
                        let (endpoint, found) = (name.clone(), ChainId::new(found));
                        foreign.get_or_insert(ConnectError::WrongChain { endpoint, expected, found });
                    } else {
                        down.insert(remote.config.operator.clone());
                    }
                    causes.push(format!("{name}: {error}"));
                }
            }
        }
        if reached.len() < client.config.agree {
            if let Some(foreign) = foreign.filter(|_| reached.is_empty() && down.is_empty()) {
                return Err(foreign);
            }
            return Err(ConnectError::Unreachable {
                chain: client.config.chain,
                agree: client.config.agree,
                reached: reached.len(),
                causes: causes.join("; "),
            });
        }
        Ok(client)
    }

    fn new(config: ChainConfig) -> Result<Arc<Self>, ConnectError> {
        config.check()?;
        let (chain, limits) = (config.chain, config.limits);
        // Both TLS stacks may be in the tree; the first caller decides, and a second install is no error.
        let http = reqwest::Client::builder()
            .connect_timeout(config.limits.connect)
            .pool_idle_timeout(Duration::from_secs(60))
            .tcp_nodelay(true)
            .no_proxy()
            .build()
            .map_err(|error| ConnectError::Http { cause: error.to_string() })?;
        let (health, _) = broadcast::channel(HEALTH_EVENTS_MAX);
        let endpoints = config.endpoints.iter();
        let remotes = endpoints
            .map(|endpoint| Arc::new(Remote::new(chain, endpoint.clone(), limits, http.clone(), health.clone())))
            .collect();
        Ok(Arc::new(Self { config, remotes, health, head: watch::Sender::new(None) }))
    }

    /// What it was connected with.
    #[must_use]
    pub fn config(&self) -> &ChainConfig {
        &self.config
    }

    /// The newest block that the feed has emitted; empty until a feed runs.
    #[must_use]
    pub fn heads(&self) -> watch::Receiver<Option<HeadInfo>> {
        self.head.subscribe()
    }

    /// Endpoints and whether each is usable now.
    #[must_use]
    pub fn health(&self) -> Vec<EndpointHealth> {
        let agreed_s = self.head.borrow().map_or(0, |head| head.block.time.as_secs());
        let states = self.remotes.iter().map(|remote| {
            let cause = remote.cause().or_else(|| remote.lags(agreed_s));
            EndpointHealth {
                name: remote.config.name.clone(),
                operator: remote.config.operator.clone(),
                healthy: cause.is_none(),
                cause: cause.unwrap_or_default(),
            }
        });
        states.collect()
    }

    /// Follows the chain: every canonical block in order, with the answers to `reads` at it. Runs until the receiver is
    /// dropped; the queue holds 64 events, a slow reader holds the feed back and loses nothing.
    pub fn feed(self: &Arc<Self>, reads: BTreeSet<Read>, backfill: Backfill) -> mpsc::Receiver<FeedEvent> {
        Feed::spawn(Arc::clone(self), reads, backfill)
    }

    /// Answers to these reads at this block, each equal from k operators, within five times what a request may take: they wait for what
    /// decides and for the feed. A read without agreement is [`ReadOutcome::Unavailable`] with the cause.
    pub async fn read_at(&self, block: BlockRef, reads: &BTreeSet<Read>) -> BTreeMap<Read, ReadOutcome> {
        self.reads_at(block, reads, Priority::Watch, self.config.limits.request * WATCH_REQUESTS, true).await.0
    }

    /// The newest block that k operators have: the lowest of the k highest heads, agreed at its height.
    ///
    /// # Errors
    /// [`NotAgreed`] names what each operator said.
    pub async fn latest(&self) -> Result<HeadInfo, NotAgreed> {
        let tag = serde_json::json!("latest");
        let chain = self.config.chain;
        let asked = self.remotes.iter().filter(|remote| remote.config.is_asked()).map(|remote| {
            let (tag, timeout) = (&tag, self.config.limits.request);
            async move {
                let head = read::header(remote, chain, tag, Priority::Decision, timeout).await;
                (remote.config.operator.clone(), head)
            }
        });
        let mut heights: BTreeMap<_, u64> = BTreeMap::new();
        let mut causes = Vec::new();
        for (operator, head) in futures::future::join_all(asked).await {
            match head {
                Ok(head) => {
                    let height = heights.entry(operator).or_default();
                    *height = head.block.number.max(*height);
                }
                Err(error) => causes.push(format!("{operator}: {error}")),
            }
        }
        let mut heights: Vec<u64> = heights.into_values().collect();
        heights.sort_unstable_by(|a, b| b.cmp(a));
        let Some(number) = heights.get(self.config.agree - 1) else {
            return Err(self.not_agreed("the newest block".to_owned(), causes.join("; ")));
        };
        let head = self.head_at(*number).await?;
        Ok(HeadInfo { block: head.block, base_fee: head.base_fee })
    }

    /// The block at a height, equal from k operators.
    ///
    /// # Errors
    /// [`NotAgreed`] names what each operator said.
    pub async fn block_at(&self, number: u64) -> Result<BlockRef, NotAgreed> {
        self.head_at(number).await.map(|head| head.block)
    }

    pub(crate) async fn head_at(&self, number: u64) -> Result<Head, NotAgreed> {
        let mut heads = self.heads_at(vec![number], true).await;
        heads.pop().unwrap_or_else(|| Err(self.not_agreed(format!("block {number}"), String::new())))
    }

    /// Headers at these heights, each equal from k operators.
    pub(crate) async fn heads_at(&self, numbers: Vec<u64>, patient: bool) -> Vec<Result<Head, NotAgreed>> {
        let (chain, timeout) = (self.config.chain, self.config.limits.request);
        let ask = |remote| read::headers(remote, chain, numbers.clone(), Priority::Feed, timeout);
        let deadline = Instant::now() + self.live_timeout();
        let heads = gather(&self.remotes, self.config.agree, numbers.len(), deadline, patient, ask).await;
        let named = heads.into_iter().zip(&numbers);
        named.map(|(head, number)| head.map_err(|cause| self.not_agreed(format!("block {number}"), cause))).collect()
    }

    /// Answers to reads, and the operators that gave all those that were agreed; nobody, where no read was.
    pub(crate) async fn reads_at(
        &self,
        block: BlockRef,
        reads: &BTreeSet<Read>,
        priority: Priority,
        timeout: Duration,
        patient: bool,
    ) -> (BTreeMap<Read, ReadOutcome>, BTreeSet<OperatorId>) {
        if reads.is_empty() {
            return Default::default();
        }
        let list = Arc::new(reads.iter().cloned().collect::<Vec<_>>());
        let ask = |remote| read::reads(remote, block, Arc::clone(&list), priority, timeout);
        let deadline = Instant::now() + timeout;
        let agreed = gather_by(&self.remotes, self.config.agree, list.len(), deadline, patient, ask).await;
        let by = agreed.iter().flatten().map(|(_, by)| by.clone()).reduce(|all, by| &all & &by).unwrap_or_default();
        let outcomes =
            agreed.into_iter().map(|agreed| agreed.map_or_else(ReadOutcome::Unavailable, |(outcome, _)| outcome));
        (list.iter().cloned().zip(outcomes).collect(), by)
    }

    /// Everything about one block: logs proved by the header, reads agreed. Logs are never left out; a read that is not
    /// answered in time is.
    pub(crate) async fn view(&self, head: &Head, reads: &BTreeSet<Read>, live: bool) -> Result<BlockView, NotAgreed> {
        let timeout = if live { self.live_timeout() } else { self.config.limits.request };
        let (logs, (answers, by)) = tokio::join!(
            receipts::logs(&self.remotes, self.config.agree, head, timeout, live),
            self.reads_at(head.block, reads, Priority::Feed, timeout, live),
        );
        let (logs, stated) =
            logs.map_err(|cause| self.not_agreed(format!("logs of block {}", head.block.number), cause))?;
        // Who answers for a block's state has the block: only where nothing was read, the header itself is asked about.
        let by = if reads.is_empty() { self.holders(head, timeout).await } else { by };
        let unproved = stated.is_some();
        let agreed = stated.map_or_else(|| by.clone(), |stated| &by & &stated);
        Ok(BlockView {
            block: head.block,
            parent: head.parent,
            base_fee: head.base_fee,
            transactions: Vec::new(),
            logs,
            reads: answers,
            agreed,
            unproved,
        })
    }

    /// Operators that have this block at its height.
    async fn holders(&self, head: &Head, timeout: Duration) -> BTreeSet<OperatorId> {
        let (chain, deadline) = (self.config.chain, Instant::now() + timeout);
        let ask = |remote| read::headers(remote, chain, vec![head.block.number], Priority::Feed, timeout);
        let agreed = gather_by(&self.remotes, self.config.agree, 1, deadline, false, ask).await;
        agreed.into_iter().flatten().filter(|(held, _)| held == head).flat_map(|(_, by)| by).collect()
    }

    /// How long a new block's data may take.
    pub(crate) fn live_timeout(&self) -> Duration {
        self.config.limits.block(self.config.block_time_ms)
    }

    pub(crate) fn not_agreed(&self, what: String, cause: String) -> NotAgreed {
        NotAgreed { chain: self.config.chain, agree: self.config.agree, what, cause }
    }
}
