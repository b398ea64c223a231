//! The chain as a stream: every canonical block once, in order, with what a reorg took said before what replaces it.
//!
//! A head that an endpoint names is only a hint. The block at its height is agreed by k operators, linked to the last emitted
//! block by parent hashes (a gap is filled, a fork walked back to the common ancestor) and read; only then it is emitted. What
//! cannot be agreed or read stays owed: the scanned set has no holes, after any downtime.

mod branch;
mod finality;
mod look;
mod stretch;

use std::collections::{BTreeMap, BTreeSet};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use alloy_primitives::B256;
use futures::future::BoxFuture;
use futures::stream::{FuturesUnordered, StreamExt};
use tokio::sync::{broadcast, mpsc, watch};
use tokio::time::Instant;
use watchfire_types::bounds::BACKFILL_BLOCKS_MAX;
use watchfire_types::{BlockRef, BlockView, Read, Timestamp};

use crate::canonical::{Canonical, Linked};
use crate::client::{ChainClient, HeadInfo};
use crate::endpoint::EndpointHealth;
use crate::head::Head;
use crate::heads::{self, Signal};
use look::{Found, Look, look};
use stretch::Asked;

/// Events waiting for the node; the feed stops reading the chain when it is full.
const EVENTS_MAX: usize = 64;
/// Heads named and not looked at yet.
const SIGNALS_MAX: usize = 64;
/// Blocks by which a head is ahead of the first that is missing, from which on it is a stretch to catch up with.
const PATIENT_FROM: u64 = 8;
/// Between attempts on a block that could not be agreed or read.
const RETRY: Duration = Duration::from_millis(50);
/// Between attempts on heads of doubted endpoints.
const DOUBT: Duration = Duration::from_millis(500);

/// From where the feed starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backfill {
    /// Seconds of block time before the first agreed head: the longest window of the detectors.
    pub window_s: u64,
    /// The last block scanned before a restart: everything after it is scanned again, however long ago.
    pub resume_after: Option<u64>,
    /// At most this many blocks are backfilled; what is older is left out, and told.
    pub blocks_max: u64,
    /// Whether every block comes with its transactions, then and after.
    pub transactions: bool,
}

impl Default for Backfill {
    fn default() -> Self {
        Self { window_s: 0, resume_after: None, blocks_max: BACKFILL_BLOCKS_MAX, transactions: false }
    }
}

/// What the feed says, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FeedEvent {
    /// The next canonical block.
    Block {
        /// The block and everything read at it.
        view: Box<BlockView>,
        /// Newest final block among those emitted, if any.
        finalized: Option<BlockRef>,
        /// When the node first heard of it, on its own clock.
        arrived: Timestamp,
    },
    /// A reorg took these blocks, highest first; the new branch's follow as `Block`.
    Orphaned {
        /// Blocks dropped.
        blocks: Vec<BlockRef>,
    },
    /// No new block for a while; said once, a `Block` ends it.
    Silent {
        /// One line.
        cause: String,
    },
    /// The backfill begins later than it should, at its bound: blocks that nobody here will have seen. Said before the first block; a
    /// later one takes its place.
    Unseen {
        /// The first of them; without one the window's beginning lies somewhere before the last.
        first: Option<u64>,
        /// The last of them.
        last: u64,
    },
    /// The backfill is complete.
    Ready,
    /// An endpoint's health changed.
    EndpointHealth(EndpointHealth),
}

/// Why a head was not followed.
#[derive(Debug)]
enum Stop {
    /// Tried again.
    NotYet(String),
    /// Too few operators have the head that was named: its endpoint is doubted until it names one that they have.
    Doubtful(String),
    /// Nobody reads the events.
    Gone,
}

pub(crate) struct Feed {
    client: Arc<ChainClient>,
    reads: Arc<BTreeSet<Read>>,
    backfill: Backfill,
    out: mpsc::Sender<FeedEvent>,
    chain: Canonical,
    finalized: watch::Receiver<Option<u64>>,
    ready: bool,
    /// Told of what the backfill leaves out.
    unseen: Option<(Option<u64>, u64)>,
    silent: bool,
    moved: Instant,
    /// Endpoints whose named head was not agreed: looked into not often, so that a liar costs few requests.
    doubted: BTreeSet<usize>,
    /// The last head of an endpoint that was not followed, and when it may be looked into again.
    resting: BTreeMap<usize, (B256, Instant)>,
    /// Whether the state of the stretch that is being caught up with is no longer to be had.
    gone: Arc<AtomicBool>,
    /// Heads that are being looked into, by endpoint: one each, so that nobody waits for what another one named.
    looking: BTreeMap<usize, B256>,
}

impl Feed {
    pub(crate) fn spawn(
        client: Arc<ChainClient>,
        reads: BTreeSet<Read>,
        backfill: Backfill,
    ) -> mpsc::Receiver<FeedEvent> {
        let (out, events) = mpsc::channel(EVENTS_MAX);
        let (signal, signals) = mpsc::channel(SIGNALS_MAX);
        let config = &client.config;
        for (index, remote) in client.remotes.iter().enumerate().filter(|(_, remote)| remote.config.is_asked()) {
            let source = heads::watch(index, Arc::clone(remote), config.chain, config.block_time_ms, signal.clone());
            tokio::spawn(source);
        }
        let (final_number, finalized) = watch::channel(None);
        tokio::spawn(finality::watch(Arc::clone(&client), final_number));
        let health = client.health.subscribe();
        let feed = Self {
            client,
            reads: Arc::new(reads),
            backfill,
            out,
            chain: Canonical::default(),
            finalized,
            ready: false,
            unseen: None,
            silent: false,
            moved: Instant::now(),
            doubted: BTreeSet::new(),
            resting: BTreeMap::new(),
            gone: Arc::default(),
            looking: BTreeMap::new(),
        };
        tokio::spawn(feed.run(signals, health));
        events
    }

    async fn run(mut self, mut signals: mpsc::Receiver<Signal>, mut health: broadcast::Receiver<EndpointHealth>) {
        let silence = Duration::from_millis(self.client.config.silence_ms());
        let out = self.out.clone();
        // The newest head of each endpoint that is not followed yet.
        let mut owed: BTreeMap<usize, Signal> = BTreeMap::new();
        let mut looks: FuturesUnordered<BoxFuture<'static, Look>> = FuturesUnordered::new();
        let mut cause = "no endpoint named a new block".to_owned();
        loop {
            let retry = tokio::time::sleep(RETRY);
            tokio::select! {
                biased;
                () = out.closed() => return,
                Ok(change) = health.recv() => {
                    if self.emit(FeedEvent::EndpointHealth(change)).await.is_err() {
                        return;
                    }
                    continue;
                }
                Some(look) = looks.next() => match self.settle(look, &mut owed).await {
                    Ok(()) => {}
                    Err(Stop::NotYet(why) | Stop::Doubtful(why)) => cause = why,
                    Err(Stop::Gone) => return,
                },
                Some(signal) = signals.recv() => {
                    owed.insert(signal.remote, signal);
                    while let Ok(signal) = signals.try_recv() {
                        owed.insert(signal.remote, signal);
                    }
                }
                () = retry, if !owed.is_empty() => {}
                () = tokio::time::sleep_until(self.moved + silence), if !self.silent => {}
            }
            looks.extend(self.due(&mut owed));
            if !self.silent && self.moved.elapsed() >= silence {
                self.silent = true;
                let cause = self.silence_cause(&cause);
                if self.emit(FeedEvent::Silent { cause }).await.is_err() {
                    return;
                }
            }
        }
    }

    fn silence_cause(&self, cause: &str) -> String {
        let bad: Vec<String> = self
            .client
            .health()
            .into_iter()
            .filter(|endpoint| !endpoint.healthy)
            .map(|e| format!("{}: {}", e.name, e.cause))
            .collect();
        if bad.is_empty() { cause.to_owned() } else { format!("{cause} ({})", bad.join("; ")) }
    }

    /// Starts to look into the heads that are owed, highest first; one that another endpoint already led to is done.
    fn due(&mut self, owed: &mut BTreeMap<usize, Signal>) -> Vec<BoxFuture<'static, Look>> {
        owed.retain(|remote, signal| {
            let done = self.chain.holds(signal.head.block.number, signal.head.block.hash);
            if done {
                self.doubted.remove(remote);
            }
            !done
        });
        let mut heads: Vec<&Signal> = owed.values().collect();
        heads
            .sort_by_key(|signal| (self.doubted.contains(&signal.remote), std::cmp::Reverse(signal.head.block.number)));
        let now = Instant::now();
        let mut due: Vec<BoxFuture<'static, Look>> = Vec::new();
        for signal in heads {
            let hash = signal.head.block.hash;
            let doubted = self.doubted.contains(&signal.remote);
            let rests = self.resting.get(&signal.remote);
            let rests = rests.is_some_and(|(failed, until)| now < *until && (doubted || *failed == hash));
            let looking =
                self.looking.contains_key(&signal.remote) || self.looking.values().any(|other| *other == hash);
            if rests || looking {
                continue;
            }
            self.looking.insert(signal.remote, hash);
            let (client, reads) = (Arc::clone(&self.client), Arc::clone(&self.reads));
            due.push(Box::pin(look(
                client,
                reads,
                self.backfill.transactions,
                signal.clone(),
                self.is_next(&signal.head),
                !doubted,
            )));
        }
        due
    }

    fn is_next(&self, head: &Head) -> bool {
        self.chain.tip().is_some_and(|tip| head.parent == tip.hash && head.block.number == tip.number + 1)
    }

    /// Follows a head that was looked into.
    async fn settle(&mut self, look: Look, owed: &mut BTreeMap<usize, Signal>) -> Result<(), Stop> {
        let Look { signal, outcome } = look;
        let (remote, block) = (signal.remote, signal.head.block);
        self.looking.remove(&remote);
        let followed = match outcome {
            _ if self.chain.holds(block.number, block.hash) => Ok(()),
            Ok(found) => self.follow(&signal, found).await,
            Err(stop) => Err(stop),
        };
        let wait = match &followed {
            Ok(()) => {
                if owed.get(&remote).is_some_and(|newest| newest.head.block.hash == block.hash) {
                    owed.remove(&remote);
                }
                if self.chain.holds(block.number, block.hash) {
                    self.doubted.remove(&remote);
                }
                return Ok(());
            }
            Err(Stop::Gone | Stop::NotYet(_)) => RETRY,
            Err(Stop::Doubtful(_)) => {
                self.doubted.insert(remote);
                DOUBT
            }
        };
        self.resting.insert(remote, (block.hash, Instant::now() + wait));
        followed
    }

    async fn follow(&mut self, signal: &Signal, found: Found) -> Result<(), Stop> {
        let Found { agreed, view } = found;
        if self.chain.holds(agreed.block.number, agreed.block.hash) {
            return Ok(());
        }
        match view {
            Some(view) if self.is_next(&agreed) => self.emit_block(view, signal.arrived).await?,
            _ => {
                if self.tip_stands_above(&agreed).await {
                    return Ok(());
                }
                let first = self.first_after_ancestor(&agreed).await?;
                self.emit_range(first, agreed.block.number, signal.arrived).await?;
            }
        }
        if !self.ready {
            self.ready = true;
            self.emit(FeedEvent::Ready).await?;
        }
        Ok(())
    }

    /// Reads and emits the agreed blocks `first..=to`, each the child of the one before.
    async fn emit_range(&mut self, first: u64, to: u64, arrived: Timestamp) -> Result<(), Stop> {
        let asked = Asked {
            client: Arc::clone(&self.client),
            reads: Arc::clone(&self.reads),
            transactions: self.backfill.transactions,
            patient: !self.ready || to.saturating_sub(first) >= PATIENT_FROM,
            live: to == first,
            gone: Arc::clone(&self.gone),
        };
        let mut blocks = pin!(asked.blocks(self.chain.tip().map(|tip| tip.hash), first, to));
        while let Some(view) = blocks.next().await {
            self.emit_block(view?, arrived).await?;
        }
        Ok(())
    }

    async fn emit_block(&mut self, view: BlockView, arrived: Timestamp) -> Result<(), Stop> {
        if self.chain.push(view.block, view.parent) == Linked::No {
            return Err(Stop::NotYet(format!("block {} is no child of the last one", view.block.number)));
        }
        let finalized = self.finalized.borrow().and_then(|number| self.newest_final(number));
        self.moved = Instant::now();
        self.silent = false;
        self.client.head.send_replace(Some(HeadInfo { block: view.block, base_fee: view.base_fee }));
        self.emit(FeedEvent::Block { view: Box::new(view), finalized, arrived }).await
    }

    fn newest_final(&self, number: u64) -> Option<BlockRef> {
        let tip = self.chain.tip()?;
        self.chain.at(number.min(tip.number)).copied()
    }

    async fn emit(&self, event: FeedEvent) -> Result<(), Stop> {
        self.out.send(event).await.map_err(|_| Stop::Gone)
    }
}
