//! The event loop.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};
use watchfire_charter::Charter;
use watchfire_driver::{Answer, Door, Driver, Output};
use watchfire_gossip::{GossipEvent, Handle};
use watchfire_journal::{FileStorage, LogIndex};
use watchfire_types::body::Announced;
use watchfire_types::duty::Preflight;
use watchfire_types::input::{Input, PreflightOutcome};
use watchfire_types::{AssetId, B256, BlockRef, ChainId, EventHash, MemberKey, OrganisationId, Timestamp};

use super::baseline::Baseline;
use super::calls::{TraceReport, Tracing};
use super::catch_up::{CatchingUp, Prepared};
use super::chains::{ChainMessage, Scanned};
use super::evidence::Keeper;
use super::executor::Executor;
use super::feed::ChainState;
use super::intake::Intake;
use super::live::LiveReport;
use super::signals::Signals;
use super::silence::Silence;
use super::supervisor::Supervisor;
use super::{RunError, now};
use crate::config::Config;
use crate::control::records::Records;
use crate::control::server::Ask;
use crate::evidence::told::Told;
use crate::intake::Delivery;
use crate::keys::KeyRing;
use crate::keys::sealing::Opener;

/// How often a heartbeat leaves.
const HEARTBEAT: Duration = Duration::from_secs(3);
/// How long after a member connected a heartbeat leaves for it: those who come together, as at a start, are greeted with one, and whoever comes
/// and goes all the time cannot make a node speak to everybody each time.
const GREETING: Duration = Duration::from_millis(500);
/// How often every connected member is asked for what is missing, in turn.
const CATCH_UP: Duration = Duration::from_secs(10);

/// The longest time without a look at the clock.
const IDLE: Duration = Duration::from_secs(1);

/// Everything that reaches the loop.
pub(super) struct Inbox {
    pub(super) gossip: mpsc::Receiver<GossipEvent>,
    pub(super) chains: mpsc::Receiver<(ChainId, ChainMessage)>,
    pub(super) preflights: mpsc::Receiver<(Preflight, PreflightOutcome)>,
    pub(super) live: mpsc::Receiver<LiveReport>,
    pub(super) traced: mpsc::Receiver<TraceReport>,
    pub(super) asks: mpsc::Receiver<Ask>,
    pub(super) reports: mpsc::Receiver<Delivery>,
    pub(super) prepared: mpsc::Receiver<Prepared>,
    pub(super) evidence: mpsc::Receiver<Told>,
}

/// The node.
pub(super) struct Node {
    pub(super) config: Config,
    pub(super) charter: Arc<Charter>,
    pub(super) organisation: OrganisationId,
    pub(super) opener: Opener,
    pub(super) driver: Driver<FileStorage, KeyRing>,
    pub(super) gossip: Handle,
    pub(super) index: LogIndex,
    pub(super) records: Records,
    pub(super) executor: Executor,
    pub(super) evidence: Keeper,
    pub(super) chains: BTreeMap<ChainId, ChainState>,
    pub(super) scanned: Scanned,
    pub(super) baseline: Baseline,
    pub(super) live_out: mpsc::Sender<LiveReport>,
    pub(super) tracing: Tracing,
    pub(super) intake: Intake,
    pub(super) silence: Silence,
    pub(super) floors: BTreeMap<AssetId, BlockRef>,
    /// Planned changes about which the detectors are quiet.
    pub(super) announced: Vec<Announced>,
    pub(super) connected: BTreeSet<MemberKey>,
    /// When the next heartbeat leaves for who has just connected.
    pub(super) greets: Option<Instant>,
    pub(super) seen: BTreeMap<MemberKey, Timestamp>,
    /// When each event came here, for people: 40 bytes an event of this process, as bounded as the log itself.
    pub(super) arrivals: BTreeMap<EventHash, u64>,
    pub(super) signed: BTreeSet<B256>,
    pub(super) said: BTreeSet<String>,
    pub(super) standing: BTreeMap<&'static str, String>,
    pub(super) ready: bool,
    pub(super) next_catch_up: usize,
    pub(super) catching_up: CatchingUp,
}

/// Why the loop goes on or ends.
pub(super) enum Turned {
    On,
    Stop,
}

impl Node {
    /// Runs until a signal or a cause to stop. On return nothing is left to release.
    pub(super) async fn run(mut self, mut inbox: Inbox, opened: Output) -> Result<(), RunError> {
        self.take(opened).await?;
        let mut heartbeat = interval(HEARTBEAT);
        let mut catch_up = interval(CATCH_UP);
        heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        catch_up.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut signals = Signals::new()?;
        let supervisor = Supervisor::of_environment();
        supervisor.ready();
        let mut ticked = Instant::now();
        loop {
            let timeout = self.timeout(ticked);
            let greets = self.greets;
            let turned = tokio::select! {
                // Own sight first, then what others say; people and housekeeping last. Each source is bounded.
                biased;
                () = signals.any() => Turned::Stop,
                Some((chain, message)) = inbox.chains.recv() => self.on_chain(chain, message).await?,
                Some((preflight, outcome)) = inbox.preflights.recv() => {
                    let input = self.executor.answered(preflight, outcome);
                    self.input(input).await?;
                    Turned::On
                }
                Some(event) = inbox.gossip.recv() => self.on_gossip(event, &mut inbox.gossip).await?,
                Some(prepared) = inbox.prepared.recv() => { self.on_prepared(prepared).await?; Turned::On }
                () = sleep_until(timeout) => {
                    ticked = Instant::now();
                    self.input(Input::Tick).await?;
                    self.tend_evidence().await?;
                    Turned::On
                }
                Some(ask) = inbox.asks.recv() => { self.on_ask(ask).await?; Turned::On }
                Some(report) = inbox.reports.recv() => { self.on_report(report).await?; Turned::On }
                Some(told) = inbox.evidence.recv() => { self.on_told(told).await?; Turned::On }
                Some(report) = inbox.live.recv() => { self.on_live(report); Turned::On }
                Some(report) = inbox.traced.recv() => { self.on_traced(report); Turned::On }
                () = sleep_until(greets.unwrap_or(timeout)), if greets.is_some() => {
                    self.greets = None;
                    self.on_heartbeat().await?;
                    Turned::On
                }
                _ = heartbeat.tick() => { supervisor.alive(); self.on_heartbeat().await?; Turned::On }
                _ = catch_up.tick() => { self.on_catch_up().await?; Turned::On }
                else => Turned::Stop,
            };
            if matches!(turned, Turned::Stop) {
                break;
            }
        }
        supervisor.stopping();
        self.stop().await
    }

    pub(super) async fn stop(mut self) -> Result<(), RunError> {
        tracing::info!("stopping");
        self.keep_scanned();
        self.say_evidence(true).await?;
        // A last checkpoint covers all that this process said; whoever is connected may still witness it.
        let closed = self.driver.close(now())?;
        self.take(closed).await?;
        self.gossip.shutdown().await;
        // The journal is durable after every turn; the index only has to catch up.
        if let Err(error) = self.index.shutdown() {
            tracing::warn!(cause = %error, "index did not catch up; it does at the next start");
        }
        Ok(())
    }

    /// When the clock itself is looked at next.
    fn timeout(&self, ticked: Instant) -> Instant {
        // Once a second at least, however often people ask meanwhile: what only time changes (expiry, silence, room on the disk) is
        // noticed then.
        let idle = ticked + IDLE;
        let due = |at: Timestamp| Instant::now() + Duration::from_millis(at.millis_since(now()));
        self.driver.next_timeout().map_or(idle, |at| due(at).min(idle))
    }

    /// A member connected: a heartbeat leaves soon.
    pub(super) fn greet(&mut self) {
        self.greets.get_or_insert_with(|| Instant::now() + GREETING);
    }

    pub(super) async fn input(&mut self, input: Input) -> Result<Option<Answer>, RunError> {
        Ok(self.turn(vec![Door::Input(input)]).await?.pop())
    }

    /// One turn of the driver and everything that it released.
    pub(super) async fn turn(&mut self, door: Vec<Door>) -> Result<Vec<Answer>, RunError> {
        let output = self.driver.handle(now(), door)?;
        self.take(output).await
    }
}
