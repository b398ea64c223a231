//! The node under test: its loop, told blocks by the test instead of a feed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use watchfire_evm::{ChainClient, ChainConfig, Endpoint, FeedEvent, Finality, Limits, Route};
use watchfire_types::body::Body;
use watchfire_types::input::Input;
use watchfire_types::{Address, BlockView, Bytes, Read, ReadOutcome, U256};

use super::chain::{CHAIN, Operator, block};
use crate::control::records::Records;
use crate::evidence::told::Told;
use crate::run::chains::ChainMessage;
use crate::run::node::{Inbox, Node};
use crate::run::start::{Assembled, assemble, open};
use crate::run::{fixture, now};

const PATIENCE: Duration = Duration::from_secs(240);
const ETHER: u128 = 1_000_000_000_000_000_000;

/// A node's directory, on a chain with ten blocks a second.
pub(super) fn directory() -> (TempDir, PathBuf) {
    let (directory, config) = fixture::directory();
    let charter = directory.path().join("charter.toml");
    let text = std::fs::read_to_string(&charter).unwrap();
    std::fs::write(&charter, text.replace("block_time_ms = 1000", "block_time_ms = 100")).unwrap();
    (directory, config)
}

/// Contracts that a charter may add to the vault: they hold nothing.
pub(super) fn further() -> Vec<Address> {
    (1..=9).map(Address::with_last_byte).collect()
}

/// What the log of a stopped node says.
pub(super) fn events(config: &Path) -> Vec<Body> {
    let config = crate::config::Config::load(config).unwrap();
    let charter = Arc::new(crate::charter_file::load(&config.charter).unwrap().0);
    let kept = crate::kept::look(&config.directory, &charter, &config.member, |_| {}).unwrap();
    assert!(kept.is_sound());
    kept.machine.events().map(|event| event.body.clone()).collect()
}

pub(super) fn endpoints(operators: &[Operator]) -> ChainConfig {
    let endpoint = |operator: &Operator| Endpoint {
        name: operator.name.to_owned(),
        operator: operator.name.parse().unwrap(),
        http: operator.url.parse().unwrap(),
        ws: None,
        requests_per_second: 4_000,
        submit_only: false,
        evidence_only: false,
        vouches: false,
    };
    ChainConfig {
        chain: CHAIN,
        block_time_ms: 100,
        finality: Finality::Depth(1),
        agree: 1,
        endpoints: operators.iter().map(endpoint).collect(),
        gas_cap: 16_777_216,
        route: Route::Public,
        silence_ms: None,
        limits: Limits { connect: PATIENCE, request: PATIENCE, ..Limits::default() },
    }
}

/// A block, after which the vault is drained or not.
pub(super) fn feed(number: u64, drained: bool) -> FeedEvent {
    let ether = if drained { 10 } else { 100 };
    let vault: Address = "0xe7f1725E7734CE288F8367e1Bb143E90bb3F0512".parse().unwrap();
    let balance = Bytes::copy_from_slice(&U256::from(ether * ETHER).to_be_bytes::<32>());
    let held = |account, balance| (Read::Balance { account }, ReadOutcome::Value(balance));
    let nothing = Bytes::copy_from_slice(&[0; 32]);
    let mut reads: BTreeMap<_, _> = further().into_iter().map(|account| held(account, nothing.clone())).collect();
    reads.extend([held(vault, balance)]);
    let view = BlockView {
        block: block(number),
        parent: block(number - 1).hash,
        base_fee: Some(1),
        transactions: Vec::new(),
        logs: Vec::new(),
        reads,
        agreed: ["op-alder", "op-elm"].map(|name| name.parse().unwrap()).into(),
        unproved: false,
    };
    FeedEvent::Block { view: Box::new(view), finalized: None, arrived: now() }
}

/// A node in a runtime of its own, which ends with it as a process does.
pub(super) struct Running {
    pub(super) records: Records,
    read: u64,
    seen: BTreeMap<String, usize>,
    chains: mpsc::Sender<(watchfire_types::ChainId, ChainMessage)>,
    /// What the keeper's tasks tell the loop.
    pub(super) told: mpsc::Sender<Told>,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
    runtime: Option<Runtime>,
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Running {
    pub(super) async fn start(config: &Path, operators: &[Operator]) -> Self {
        Self::start_patient(config, operators, 120_000).await
    }

    /// With so long to try for a block's evidence.
    pub(super) async fn start_patient(config: &Path, operators: &[Operator], patience_ms: u64) -> Self {
        let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let (chains, told) = mpsc::channel(64);
        let (stop, stopped) = oneshot::channel();
        let (path, endpoints) = (config.to_owned(), endpoints(operators));
        let (ready, started) = oneshot::channel();
        let out = chains.clone();
        let task = runtime.spawn(async move {
            let Assembled { mut node, mut inbox, output, socket } = assemble(open(&path).unwrap()).unwrap();
            node.evidence.patience_ms_min = patience_ms;
            node.take(output).await.unwrap();
            // The configured endpoint is nobody's: what the chain says comes from the test.
            inbox.chains = told;
            let client = ChainClient::connect(endpoints).await.unwrap();
            out.send((CHAIN, ChainMessage::Connected { client, submitter: None })).await.unwrap();
            ready.send((node.records.clone(), node.evidence.out.clone())).unwrap();
            let _socket = socket;
            turn(node, inbox, stopped).await;
        });
        let (records, told) = started.await.unwrap();
        Self { records, read: 0, seen: BTreeMap::new(), chains, told, stop, task, runtime: Some(runtime) }
    }

    /// A new block, after which the vault is drained or not.
    pub(super) async fn block(&self, number: u64, drained: bool) {
        self.chains.send((CHAIN, ChainMessage::Feed(feed(number, drained)))).await.unwrap();
        self.chains.send((CHAIN, ChainMessage::Feed(FeedEvent::Ready))).await.unwrap();
    }

    /// Waits until so many records of a kind were told.
    pub(super) async fn until(&mut self, kind: &str, count: usize) {
        let wait = async {
            let mut end = self.records.end();
            loop {
                let (records, next) = self.records.from(self.read);
                self.read = next;
                for record in &records {
                    *self.seen.entry(record.kind.clone()).or_default() += 1;
                }
                if self.seen.get(kind).copied().unwrap_or(0) >= count {
                    return;
                }
                if records.is_empty() {
                    end.wait_for(|end| *end > next).await.unwrap();
                }
            }
        };
        let waited = timeout(PATIENCE, wait).await;
        let texts = || self.records.all().iter().map(|record| record.text.clone()).collect::<Vec<_>>().join("\n");
        assert!(waited.is_ok(), "{count} x {kind} did not come: {:?}\n{}", self.seen, texts());
    }

    /// Waits for a record of a kind with such a text, from the first one on.
    pub(super) async fn until_text(&mut self, kind: &str, part: &str) {
        let wait = async {
            let mut end = self.records.end();
            loop {
                let seen = *end.borrow_and_update();
                if self.records.all().iter().any(|record| record.kind == kind && record.text.contains(part)) {
                    return;
                }
                end.wait_for(|end| *end > seen).await.unwrap();
            }
        };
        let waited = timeout(PATIENCE, wait).await;
        let texts =
            || self.records.all().iter().map(|record| format!("{}: {}", record.kind, record.text)).collect::<Vec<_>>();
        assert!(waited.is_ok(), "no {kind} with {part:?}:\n{}", texts().join("\n"));
    }

    pub(super) async fn said(&mut self, kind: &str) {
        self.until(kind, 1).await;
    }

    /// Waits until the evidence of so many blocks is through.
    pub(super) async fn ended(&mut self, blocks: usize) {
        self.until("evidence-ended", blocks).await;
    }

    /// SIGTERM.
    pub(super) async fn stop(mut self) {
        let (stop, _) = oneshot::channel();
        std::mem::replace(&mut self.stop, stop).send(()).unwrap();
        (&mut self.task).await.unwrap();
        self.end().await;
    }

    /// SIGKILL.
    pub(super) async fn kill(mut self) {
        self.task.abort();
        assert!((&mut self.task).await.unwrap_err().is_cancelled());
        self.end().await;
    }

    async fn end(mut self) {
        let runtime = self.runtime.take().unwrap();
        tokio::task::spawn_blocking(move || runtime.shutdown_timeout(PATIENCE)).await.unwrap();
    }
}

async fn turn(mut node: Node, mut inbox: Inbox, mut stopped: oneshot::Receiver<()>) {
    let mut tick = tokio::time::interval(Duration::from_millis(100));
    loop {
        tokio::select! {
            biased;
            _ = &mut stopped => break,
            Some((chain, message)) = inbox.chains.recv() => drop(node.on_chain(chain, message).await.unwrap()),
            Some((preflight, outcome)) = inbox.preflights.recv() => {
                let input = node.executor.answered(preflight, outcome);
                node.input(input).await.unwrap();
            }
            Some(event) = inbox.gossip.recv() => drop(node.on_gossip(event, &mut inbox.gossip).await.unwrap()),
            Some(prepared) = inbox.prepared.recv() => node.on_prepared(prepared).await.unwrap(),
            Some(ask) = inbox.asks.recv() => node.on_ask(ask).await.unwrap(),
            Some(told) = inbox.evidence.recv() => node.on_told(told).await.unwrap(),
            _ = tick.tick() => {
                node.input(Input::Tick).await.unwrap();
                node.tend_evidence().await.unwrap();
            }
        }
    }
    node.stop().await.unwrap();
}
