//! One chain beside the loop: connected (again and again until its endpoints answer), then followed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use watchfire_charter::Charter;
use watchfire_evm::{
    Backfill, ChainClient, ChainConfig, ConnectError, Endpoint, FeedEvent, Finality, Limits, Route, Submitter,
    SubmitterEvent,
};
use watchfire_types::{ChainId, MemberId, Read};

use crate::config::ChainSection;
use crate::keys::ring::Payer;

/// Between attempts to reach the endpoints of a chain.
const RECONNECT: Duration = Duration::from_secs(1);

/// What a chain says to the loop.
#[derive(Debug)]
pub(super) enum ChainMessage {
    /// Its endpoints answered; the feed follows.
    Connected {
        /// For reads and simulations.
        client: Arc<ChainClient>,
        /// For transactions, where this member pays gas.
        submitter: Option<Submitter>,
    },
    /// Not reachable yet; tried again.
    Unreachable(String),
    /// Never usable as configured: the node stops.
    Refused(ConnectError),
    /// The feed.
    Feed(FeedEvent),
    /// The submitter.
    Submitter(SubmitterEvent),
}

/// Everything a chain's task needs.
pub(super) struct ChainTask {
    pub(super) config: ChainConfig,
    pub(super) reads: BTreeSet<Read>,
    pub(super) backfill: Backfill,
    pub(super) payer: Option<Arc<Payer>>,
    pub(super) out: mpsc::Sender<(ChainId, ChainMessage)>,
}

/// What the charter and the configuration of this member together say of a chain.
pub(crate) fn config_of(charter: &Charter, member: &MemberId, section: &ChainSection) -> Option<ChainConfig> {
    let chain = charter.chains.get(&section.id)?;
    let labels = charter.members.get(member).map(|member| &member.operators);
    let endpoint = |endpoint: &crate::config::EndpointSection| Endpoint {
        name: endpoint.name.clone(),
        operator: endpoint.operator.clone(),
        http: endpoint.http.clone(),
        ws: endpoint.ws.clone(),
        requests_per_second: endpoint.requests_per_second,
        submit_only: endpoint.submit_only,
        evidence_only: endpoint.evidence_only,
        vouches: labels.is_some_and(|labels| labels.contains(&endpoint.operator)),
    };
    Some(ChainConfig {
        chain: section.id,
        block_time_ms: chain.block_time_ms,
        finality: match chain.finality {
            watchfire_charter::Finality::Finalized => Finality::Finalized,
            watchfire_charter::Finality::Safe => Finality::Safe,
            watchfire_charter::Finality::Depth(depth) => Finality::Depth(depth),
        },
        agree: section.agree,
        endpoints: section.endpoint.iter().map(endpoint).collect(),
        gas_cap: chain.gas_cap,
        route: match chain.route {
            watchfire_charter::Route::PrivateFirst => Route::PrivateFirst,
            watchfire_charter::Route::Public => Route::Public,
            watchfire_charter::Route::Sequencer => Route::Sequencer,
        },
        silence_ms: None,
        limits: match section.patience {
            1 => Limits::default(),
            factor => Limits::default().times(factor, chain.block_time_ms),
        },
    })
}

impl ChainTask {
    /// Connects and follows until the loop is gone. What follows the chain ends by a mistake of the program alone: it is said
    /// and begun again after the last block that was told.
    pub(super) async fn run(mut self) {
        let chain = self.config.chain;
        while let Some(ended) = self.follow().await {
            let cause = format!("chain {chain}: its {ended} ended by itself; it is started again");
            if self.out.send((chain, ChainMessage::Unreachable(cause))).await.is_err() {
                return;
            }
            tokio::time::sleep(RECONNECT).await;
        }
    }

    /// Which part ended though the loop still listens.
    async fn follow(&mut self) -> Option<&'static str> {
        let chain = self.config.chain;
        let client = self.connect().await?;
        let (submitter, mut submitted) = match &self.payer {
            Some(payer) => {
                let (submitter, events) = Submitter::spawn(Arc::clone(&client), Arc::clone(payer) as _);
                (Some(submitter), Some(events))
            }
            None => (None, None),
        };
        let mut feed = client.feed(self.reads.clone(), self.backfill);
        self.out.send((chain, ChainMessage::Connected { client, submitter })).await.ok()?;
        self.pass(&mut feed, &mut submitted).await
    }

    async fn pass(
        &mut self,
        feed: &mut mpsc::Receiver<FeedEvent>,
        submitted: &mut Option<mpsc::Receiver<SubmitterEvent>>,
    ) -> Option<&'static str> {
        loop {
            let message = tokio::select! {
                event = feed.recv() => {
                    let Some(event) = event else { return Some("feed") };
                    if let FeedEvent::Block { view, .. } = &event {
                        self.backfill = Backfill { window_s: 0, resume_after: Some(view.block.number), ..self.backfill };
                    }
                    ChainMessage::Feed(event)
                }
                event = next(submitted) => {
                    let Some(event) = event else { return Some("submitter") };
                    ChainMessage::Submitter(event)
                }
            };
            self.out.send((self.config.chain, message)).await.ok()?;
        }
    }

    async fn connect(&self) -> Option<Arc<ChainClient>> {
        let chain = self.config.chain;
        let mut told = String::new();
        loop {
            let message = match ChainClient::connect(self.config.clone()).await {
                Ok(client) => return Some(client),
                Err(error @ ConnectError::Unreachable { .. }) => error.to_string(),
                Err(error) => {
                    let _ = self.out.send((chain, ChainMessage::Refused(error))).await;
                    return None;
                }
            };
            if message != told {
                told.clone_from(&message);
                self.out.send((chain, ChainMessage::Unreachable(message))).await.ok()?;
            }
            tokio::time::sleep(RECONNECT).await;
        }
    }
}

/// The next event of a submitter; never, where there is none.
async fn next(events: &mut Option<mpsc::Receiver<SubmitterEvent>>) -> Option<SubmitterEvent> {
    match events {
        Some(events) => events.recv().await,
        None => std::future::pending().await,
    }
}

/// How far each chain was scanned, and what was left out, kept in the node directory so that a restart scans everything after it and still says
/// what nobody here has seen. Losing it costs only what lies beyond the longest window.
#[derive(Debug)]
pub(super) struct Scanned {
    path: PathBuf,
    chains: BTreeMap<ChainId, ScannedChain>,
    kept: BTreeMap<ChainId, ScannedChain>,
}

/// One chain.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct ScannedChain {
    /// The last block that was turned into durable events.
    last: Option<u64>,
    /// First and last blocks of what was left out, newest last: at most [`UNSEEN_MAX`]. A person who looked there takes them out.
    #[serde(default)]
    unseen: Vec<(u64, u64)>,
}

/// Stretches remembered that were left out.
const UNSEEN_MAX: usize = 16;

impl Scanned {
    /// Reads what an earlier process kept; a file that is not there or not readable counts as none.
    pub(super) fn load(directory: &Path) -> Self {
        let path = directory.join("scanned.json");
        let kept: BTreeMap<String, ScannedChain> =
            std::fs::read(&path).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default();
        let chains: BTreeMap<ChainId, ScannedChain> =
            kept.into_iter().filter_map(|(id, chain)| Some((ChainId::new(id.parse().ok()?), chain))).collect();
        Self { path, kept: chains.clone(), chains }
    }

    pub(super) fn last(&self, chain: ChainId) -> Option<u64> {
        self.chains.get(&chain)?.last
    }

    /// What was left out since somebody last took it out of the file.
    pub(super) fn unseen(&self, chain: ChainId) -> impl Iterator<Item = (u64, u64)> {
        self.chains.get(&chain).into_iter().flat_map(|chain| chain.unseen.iter().copied())
    }

    /// The last block that was turned into durable events.
    pub(super) fn note(&mut self, chain: ChainId, number: u64) {
        self.chains.entry(chain).or_default().last = Some(number);
    }

    /// Blocks that nobody here will ever have seen, or not whole. One that follows the newest stretch lengthens it; of too many stretches the
    /// two oldest become one, with what lies between: too much is looked at by people rather than too little. Answers whether it is a new
    /// stretch.
    pub(super) fn leave_out(&mut self, chain: ChainId, first: u64, last: u64) -> bool {
        let unseen = &mut self.chains.entry(chain).or_default().unseen;
        if unseen.iter().any(|(from, to)| *from <= first && last <= *to) {
            return false;
        }
        if let Some((_, to)) = unseen.last_mut().filter(|(from, to)| *from <= first && first <= to.saturating_add(1)) {
            *to = last;
            return false;
        }
        unseen.push((first, last));
        if unseen.len() > UNSEEN_MAX {
            let (oldest, next) = (unseen.remove(0), &mut unseen[0]);
            *next = (oldest.0.min(next.0), oldest.1.max(next.1));
        }
        true
    }

    /// Writes it if it changed, whole or not at all.
    pub(super) fn keep(&mut self) -> std::io::Result<()> {
        if self.kept == self.chains {
            return Ok(());
        }
        let named: BTreeMap<String, &ScannedChain> =
            self.chains.iter().map(|(id, chain)| (id.to_string(), chain)).collect();
        let new = self.path.with_extension("json.new");
        std::fs::write(&new, serde_json::to_vec(&named)?)?;
        std::fs::rename(&new, &self.path)?;
        self.kept.clone_from(&self.chains);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
