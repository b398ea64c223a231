//! The event loop.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};
use watchfire_charter::Charter;
use watchfire_detect::Detectors;
use watchfire_driver::{Answer, Door, Driver, Notice, Output, Refusal};
use watchfire_evm::{FeedEvent, SubmitterEvent};
use watchfire_gossip::{GossipEvent, Handle, SendError};
use watchfire_journal::{FileStorage, Frontier, LogIndex};
use watchfire_types::body::Body;
use watchfire_types::control::{Reply, Request};
use watchfire_types::duty::Preflight;
use watchfire_types::input::{Input, PreflightOutcome, SubmissionReport};
use watchfire_types::{
    AssetId, B256, BlockRef, Bytes, ChainId, Event, EventHash, MemberKey, OrganisationId, Timestamp, Verdict, Verified,
};
use watchfire_wire::{CatchUpRequest, CatchUpResponse};

use super::chains::{ChainMessage, Scanned};
use super::executor::Executor;
use super::live::{LiveFacts, LiveReport};
use super::{RunError, describe, now};
use crate::config::Config;
use crate::control::records::Records;
use crate::control::server::Ask;
use crate::keys::KeyRing;

/// How often a heartbeat leaves.
const HEARTBEAT: Duration = Duration::from_secs(3);
/// How often every connected member is asked for what is missing, in turn.
const CATCH_UP: Duration = Duration::from_secs(10);
/// Messages of the network taken into one turn, so that they share a sync.
const BATCH_MAX: usize = 256;
/// Blocks remembered below the head, to know the one that a reorg goes back to.
const RECENT_MAX: usize = 512;

/// Alarms remembered as said.
const SAID_MAX: usize = 1_024;

/// One chain as the loop knows it.
pub(super) struct ChainState {
    pub(super) detectors: Detectors,
    pub(super) head: Option<(BlockRef, Timestamp)>,
    pub(super) base_fee: Option<u128>,
    pub(super) recent: BTreeMap<u64, BlockRef>,
    pub(super) ready: bool,
    pub(super) trouble: Option<String>,
    pub(super) live: LiveFacts,
}

/// Everything that reaches the loop.
pub(super) struct Inbox {
    pub(super) gossip: mpsc::Receiver<GossipEvent>,
    pub(super) chains: mpsc::Receiver<(ChainId, ChainMessage)>,
    pub(super) preflights: mpsc::Receiver<(Preflight, PreflightOutcome)>,
    pub(super) live: mpsc::Receiver<LiveReport>,
    pub(super) asks: mpsc::Receiver<Ask>,
}

/// The node.
pub(super) struct Node {
    pub(super) config: Config,
    pub(super) charter: Arc<Charter>,
    pub(super) organisation: OrganisationId,
    pub(super) driver: Driver<FileStorage, KeyRing>,
    pub(super) gossip: Handle,
    pub(super) index: LogIndex,
    pub(super) records: Records,
    pub(super) executor: Executor,
    pub(super) chains: BTreeMap<ChainId, ChainState>,
    pub(super) scanned: Scanned,
    pub(super) live_out: mpsc::Sender<LiveReport>,
    pub(super) floors: BTreeMap<AssetId, BlockRef>,
    pub(super) connected: BTreeSet<MemberKey>,
    pub(super) seen: BTreeMap<MemberKey, Timestamp>,
    /// When each event came here, for people: 40 bytes an event of this process, as bounded as the log itself.
    pub(super) arrivals: BTreeMap<EventHash, u64>,
    pub(super) own_tree: Frontier,
    pub(super) signed: BTreeSet<B256>,
    pub(super) said: BTreeSet<String>,
    pub(super) standing: BTreeMap<&'static str, String>,
    pub(super) ready: bool,
    pub(super) next_catch_up: usize,
}

/// Why the loop goes on or ends.
enum Turned {
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
        loop {
            let timeout = self.timeout();
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
                () = sleep_until(timeout) => { self.input(Input::Tick).await?; Turned::On }
                Some(ask) = inbox.asks.recv() => { self.on_ask(ask).await?; Turned::On }
                Some(report) = inbox.live.recv() => { self.on_live(report); Turned::On }
                _ = heartbeat.tick() => { self.on_heartbeat().await?; Turned::On }
                _ = catch_up.tick() => { self.on_catch_up().await?; Turned::On }
                else => Turned::Stop,
            };
            if matches!(turned, Turned::Stop) {
                break;
            }
        }
        self.stop().await
    }

    async fn stop(mut self) -> Result<(), RunError> {
        tracing::info!("stopping");
        self.keep_scanned();
        self.gossip.shutdown().await;
        // The journal is durable after every turn; the index only has to catch up.
        if let Err(error) = self.index.shutdown() {
            tracing::warn!(cause = %error, "index did not catch up; it does at the next start");
        }
        Ok(())
    }

    fn timeout(&self) -> Instant {
        // Once a second at least: what only time changes (expiry, silence) is noticed then.
        let idle_ms = 1_000;
        let wait = self.driver.next_timeout().map_or(idle_ms, |at| at.millis_since(now()).min(idle_ms));
        Instant::now() + Duration::from_millis(wait)
    }

    async fn input(&mut self, input: Input) -> Result<Option<Answer>, RunError> {
        Ok(self.turn(vec![Door::Input(input)]).await?.pop())
    }

    /// One turn of the driver and everything that it released.
    async fn turn(&mut self, door: Vec<Door>) -> Result<Vec<Answer>, RunError> {
        let output = self.driver.handle(now(), door)?;
        self.take(output).await
    }

    /// Releases a turn: what others wait for first, then what people look at.
    async fn take(&mut self, output: Output) -> Result<Vec<Answer>, RunError> {
        for bytes in output.publish {
            self.publish(bytes).await?;
        }
        self.executor.release(&output.released);
        for (id, verdict, refusal) in output.verdicts {
            self.refused(verdict, refusal.as_ref());
            self.gossip.verdict(id, verdict).await?;
        }
        self.floors = output.window_floors;
        for member in self.executor.set(output.duties) {
            self.ask(member).await?;
        }
        let at = now();
        for heartbeat in &output.heartbeats {
            self.seen.insert(heartbeat.author(), at);
        }
        for event in &output.appended {
            self.record_event(event, at);
        }
        if output.appended.iter().any(|event| matches!(event.body, Body::CoSignature(_) | Body::Certificate(_))) {
            self.record_thresholds(at);
        }
        for page in output.pages {
            tracing::warn!(page.kind = page.kind, page.severity = %page.severity, "{}", page.text);
            let mut record = describe::plain(at.as_millis(), "page", format!("{}: {}", page.kind, page.text));
            record.asset = page.asset;
            self.records.push(record);
        }
        for notice in &output.notices {
            self.on_notice(notice);
        }
        for caught_up in &output.caught_up {
            if let Some(reason) = &caught_up.reason {
                let from = caught_up.from.short();
                tracing::info!(peer = %from, refused = caught_up.refused, cause = %reason, "events of a catch-up refused");
            }
        }
        Ok(output.answers)
    }

    async fn publish(&mut self, bytes: Bytes) -> Result<(), RunError> {
        match self.gossip.publish(bytes).await {
            Ok(()) => Ok(()),
            Err(error @ SendError::TooLarge { .. }) => {
                // The driver seals within the bounds; should it ever not, catch-up still carries the event.
                self.alarm(format!("an own message was not published: {error}"));
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }

    fn refused(&mut self, verdict: Verdict, refusal: Option<&Refusal>) {
        let Some(refusal) = refusal else { return };
        match verdict {
            Verdict::Reject => tracing::warn!(cause = %refusal, "gossip message rejected"),
            Verdict::Accept | Verdict::Ignore => tracing::debug!(cause = %refusal, "gossip message ignored"),
        }
    }

    fn record_event(&mut self, event: &Verified<Event>, at: Timestamp) {
        self.arrivals.insert(event.hash(), at.as_millis());
        let machine = self.driver.machine();
        if event.epoch == machine.epoch() {
            self.own_tree.push(event.outer());
        }
        let record = describe::event(event, at.as_millis(), &self.charter);
        tracing::info!(event.kind = %record.kind, event.hash = %event.hash().short(), "{}", record.text);
        self.records.push(record);
    }

    /// Each Safe transaction whose signatures reached the threshold is said once.
    fn record_thresholds(&mut self, at: Timestamp) {
        for count in self.driver.machine().signatures() {
            let reached = count.threshold.is_some_and(|threshold| count.owners.len() as u64 >= threshold);
            if !reached || !self.signed.insert(count.safe_tx_hash) {
                continue;
            }
            let text = format!("{} signatures for {} at nonce {}", count.owners.len(), count.safe_tx_hash, count.nonce);
            let mut record = describe::plain(at.as_millis(), "threshold-signed", text);
            record.safe = Some(count.safe);
            record.safe_tx_hash = Some(count.safe_tx_hash);
            if let Some((decision, step)) = count.step {
                record.asset = Some(decision.asset);
                record.step = Some(step.get());
            }
            self.records.push(record);
        }
    }

    fn on_notice(&mut self, notice: &Notice) {
        match notice {
            Notice::KeyRefused { chain, safe, cause } => {
                self.alarm(format!("guardian key gave no signature for safe {safe} on chain {chain}: {cause}"));
            }
            Notice::Unsealable { kind, cause } => self.alarm(format!("an own {kind} could not be made: {cause}")),
            Notice::SigningStopped { violation } => {
                self.stands(
                    "signing-stopped",
                    format!("this node signs no more: {violation}; restart it and look at its log"),
                );
            }
            Notice::Unsettled { rounds } => tracing::info!(rounds, "protocol goes on at the next turn"),
        }
    }

    /// Says something loudly, once a process.
    pub(super) fn alarm(&mut self, text: String) {
        // Causes carry others' words: what was said long ago may be said again, but nothing grows without end.
        if self.said.len() >= SAID_MAX {
            self.said.clear();
        }
        if self.said.insert(text.clone()) {
            tracing::error!("{text}");
            self.records.push(describe::plain(now().as_millis(), "alarm", text));
        }
    }

    /// Says something loudly that is then shown in status and heartbeat until it no longer holds.
    pub(super) fn stands(&mut self, key: &'static str, text: String) {
        if self.standing.insert(key, text.clone()).as_ref() != Some(&text) {
            tracing::error!("{text}");
            self.records.push(describe::plain(now().as_millis(), "alarm", text));
        }
    }

    async fn on_gossip(
        &mut self,
        first: GossipEvent,
        more: &mut mpsc::Receiver<GossipEvent>,
    ) -> Result<Turned, RunError> {
        let mut doors = Vec::new();
        let mut event = Some(first);
        while let Some(current) = event.take() {
            match current {
                GossipEvent::Message { id, bytes, .. } => doors.push(Door::Gossip { id, bytes }),
                GossipEvent::CatchUpResponse { from, result } => self.answered(from, result, &mut doors).await?,
                other => {
                    // Order matters between messages and connections: what came before is taken first.
                    if !doors.is_empty() {
                        self.turn(std::mem::take(&mut doors)).await?;
                    }
                    self.on_peer(other).await?;
                }
            }
            if doors.len() < BATCH_MAX {
                event = more.try_recv().ok();
            }
        }
        if !doors.is_empty() {
            self.turn(doors).await?;
        }
        Ok(Turned::On)
    }

    async fn answered(
        &mut self,
        from: MemberKey,
        result: Result<Bytes, watchfire_gossip::CatchUpError>,
        doors: &mut Vec<Door>,
    ) -> Result<(), RunError> {
        let bytes = match result {
            Ok(bytes) => bytes,
            Err(error) => {
                tracing::debug!(peer = %from.short(), cause = %error, "no catch-up answer");
                return Ok(());
            }
        };
        let response = match CatchUpResponse::decode(bytes) {
            Ok(response) => response,
            Err(error) => {
                tracing::warn!(peer = %from.short(), cause = %error, "catch-up answer is malformed");
                return Ok(());
            }
        };
        let more = !response.complete && !response.events.is_empty();
        if !response.events.is_empty() {
            doors.push(Door::CaughtUp { from, events: response.events });
        }
        if more {
            // The rest is asked for from where this answer leads to, so it must be taken first.
            self.turn(std::mem::take(doors)).await?;
            self.ask(from).await?;
        }
        Ok(())
    }

    async fn on_peer(&mut self, event: GossipEvent) -> Result<(), RunError> {
        let at = now().as_millis();
        match event {
            GossipEvent::Connected(member) => {
                self.connected.insert(member);
                self.records.push(self.peer_record(at, "peer-connected", member));
                self.input(Input::Peer { member, connected: true }).await?;
                self.ask(member).await?;
                self.on_heartbeat().await?;
            }
            GossipEvent::Disconnected(member) => {
                self.connected.remove(&member);
                self.records.push(self.peer_record(at, "peer-disconnected", member));
                self.input(Input::Peer { member, connected: false }).await?;
            }
            GossipEvent::CatchUpRequest { from, bytes, reply } => match CatchUpRequest::decode(bytes) {
                Ok(request) => {
                    let response = self.driver.answer_catch_up(&request).map_err(watchfire_driver::Halted::from)?;
                    self.gossip.reply(reply, response.encode()).await?;
                }
                // Dropping the token tells the asker at once.
                Err(error) => tracing::warn!(peer = %from.short(), cause = %error, "catch-up request is malformed"),
            },
            GossipEvent::DialFailed { member, cause } => {
                tracing::info!(peer = %member.short(), cause = %cause, "member cannot be reached");
            }
            GossipEvent::Listening(address) => tracing::info!(%address, "listening"),
            GossipEvent::ListenerLost { addresses, problem } => {
                self.stands("listener-lost", format!("no longer listening on {}: {problem}", addresses.join(", ")));
            }
            GossipEvent::Message { .. } | GossipEvent::CatchUpResponse { .. } => {}
        }
        Ok(())
    }

    fn peer_record(&self, at_ms: u64, kind: &str, member: MemberKey) -> watchfire_types::control::Record {
        let name = self.charter.member_by_key(&member).map_or_else(|| member.short(), |(id, _)| id.to_string());
        let mut record = describe::plain(at_ms, kind, name);
        record.author = Some(member);
        record.organisation = self.charter.organisation_of(&member).cloned();
        record
    }

    async fn ask(&mut self, member: MemberKey) -> Result<(), RunError> {
        if !self.connected.contains(&member) {
            return Ok(());
        }
        let request = self.driver.catch_up_request().encode();
        match self.gossip.request_catch_up(member, request).await {
            Ok(()) => Ok(()),
            Err(error @ SendError::TooLarge { .. }) => {
                self.alarm(format!("catch-up request not sent: {error}"));
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Everyone in turn, one at a time: each answer holds everything that is missing here and there.
    async fn on_catch_up(&mut self) -> Result<(), RunError> {
        let connected: Vec<MemberKey> = self.connected.iter().copied().collect();
        let Some(member) = connected.get(self.next_catch_up % connected.len().max(1)) else { return Ok(()) };
        self.next_catch_up = self.next_catch_up.wrapping_add(1);
        self.ask(*member).await
    }

    async fn on_heartbeat(&mut self) -> Result<(), RunError> {
        self.keep_scanned();
        let facts = self.heartbeat_facts();
        match self.driver.heartbeat(now(), facts) {
            Ok(bytes) => self.publish(bytes).await,
            Err(error) => {
                self.alarm(format!("no heartbeat could be made: {error}"));
                Ok(())
            }
        }
    }

    fn keep_scanned(&mut self) {
        if let Err(error) = self.scanned.keep() {
            self.alarm(format!(
                "cannot keep scanned.json ({error}): after downtime only the longest window is scanned again"
            ));
        }
    }

    async fn on_chain(&mut self, chain: ChainId, message: ChainMessage) -> Result<Turned, RunError> {
        match message {
            ChainMessage::Connected { client, submitter } => {
                self.executor.connected(chain, client, submitter);
                self.trouble(chain, None);
            }
            ChainMessage::Unreachable(cause) => {
                self.trouble(chain, Some(cause.clone()));
                self.input(Input::ChainSilent { chain, cause }).await?;
            }
            ChainMessage::Refused(error) => return Err(error.into()),
            ChainMessage::Submitter(event) => self.on_submitter(event).await?,
            ChainMessage::Feed(event) => self.on_feed(chain, event).await?,
        }
        Ok(Turned::On)
    }

    fn trouble(&mut self, chain: ChainId, cause: Option<String>) {
        let Some(state) = self.chains.get_mut(&chain) else { return };
        if state.trouble == cause {
            return;
        }
        state.trouble.clone_from(&cause);
        if let Some(cause) = cause {
            self.said.remove(&cause);
            self.alarm(cause);
        }
    }

    async fn on_submitter(&mut self, event: SubmitterEvent) -> Result<(), RunError> {
        match event {
            SubmitterEvent::Sending { submitted, release } => {
                self.executor.announce(submitted.clone(), release);
                let report = Input::Submission(SubmissionReport::Sending(submitted.clone()));
                if let Some(Answer { result: Err(rejection), .. }) = self.input(report).await? {
                    tracing::warn!(cause = %rejection, "submission not announced");
                }
                self.executor.drop_unreleased(&submitted);
            }
            SubmitterEvent::Report(report) => {
                tracing::info!(report = ?report, "submitter");
                self.input(Input::Submission(report)).await?;
            }
        }
        Ok(())
    }

    async fn on_feed(&mut self, chain: ChainId, event: FeedEvent) -> Result<(), RunError> {
        match event {
            FeedEvent::Block { view, arrived, .. } => self.on_block(chain, *view, arrived).await,
            FeedEvent::Orphaned { blocks } => self.on_orphaned(chain, blocks).await,
            FeedEvent::Silent { cause } => {
                self.trouble(chain, Some(format!("chain {chain}: {cause}")));
                self.input(Input::ChainSilent { chain, cause }).await.map(drop)
            }
            FeedEvent::Ready => {
                let head = self.chains.get_mut(&chain).and_then(|state| {
                    state.ready = true;
                    state.head
                });
                if let Some((block, _)) = head {
                    self.look_at(chain, block, true);
                }
                self.ready_now();
                Ok(())
            }
            FeedEvent::EndpointHealth(health) => {
                if !health.healthy {
                    tracing::warn!(endpoint.name = %health.name, cause = %health.cause, "endpoint unusable");
                }
                Ok(())
            }
        }
    }

    fn ready_now(&mut self) {
        if !self.ready && self.chains.values().all(|state| state.ready) {
            self.ready = true;
            tracing::info!("ready");
            self.records.push(describe::plain(now().as_millis(), "ready", "store open, chains backfilled".to_owned()));
        }
    }

    async fn on_block(
        &mut self,
        chain: ChainId,
        view: watchfire_types::BlockView,
        arrived: Timestamp,
    ) -> Result<(), RunError> {
        let block = view.block;
        let Some(state) = self.chains.get_mut(&chain) else { return Ok(()) };
        state.head = Some((block, arrived));
        state.base_fee = view.base_fee;
        state.recent.insert(block.number, block);
        while state.recent.len() > RECENT_MAX {
            state.recent.pop_first();
        }
        let mut record =
            describe::plain(arrived.as_millis(), "block", format!("block {} of chain {chain}", block.number));
        record.block = Some(block);
        self.records.push(record);
        self.trouble(chain, None);
        // The block first: it may move the floor from which the detectors' windows start.
        self.input(Input::Block(Box::new(view.clone()))).await?;
        let floors = &self.floors;
        let standing =
            self.chains.get_mut(&chain).map(|state| state.detectors.observe(&view, floors)).unwrap_or_default();
        self.input(Input::Detected { block, standing }).await?;
        self.scanned.note(chain, block.number);
        self.look(chain, &view);
        Ok(())
    }

    async fn on_orphaned(&mut self, chain: ChainId, blocks: Vec<BlockRef>) -> Result<(), RunError> {
        let Some(lowest) = blocks.iter().map(|block| block.number).min() else { return Ok(()) };
        if let Some(state) = self.chains.get_mut(&chain) {
            drop(state.recent.split_off(&lowest));
            // Below what is remembered no detector keeps anything either: any block there rolls back everything.
            let ancestor = state.recent.last_key_value().map(|(_, block)| *block).unwrap_or(BlockRef {
                chain,
                number: lowest.saturating_sub(1),
                hash: B256::ZERO,
                time: watchfire_types::BlockTime::default(),
            });
            state.detectors.rollback(&ancestor);
            state.head = state.head.map(|(_, arrived)| (ancestor, arrived));
            self.scanned.note(chain, ancestor.number);
        }
        for block in &blocks {
            let mut record =
                describe::plain(now().as_millis(), "orphaned", format!("block {} was orphaned", block.number));
            record.block = Some(*block);
            self.records.push(record);
        }
        self.input(Input::Orphaned { chain, blocks }).await.map(drop)
    }

    async fn on_ask(&mut self, ask: Ask) -> Result<(), RunError> {
        let reply = match ask.request {
            Request::Status => Reply::Status(Box::new(self.status())),
            Request::Incidents => Reply::Incidents { incidents: self.incidents() },
            Request::Act { act } => self.act(act).await?,
            // Answered by the socket itself.
            Request::Follow => Reply::Error { error: "follow is answered by the stream".to_owned() },
        };
        send_reply(ask.reply, reply);
        Ok(())
    }

    async fn act(&mut self, act: watchfire_types::input::HumanAct) -> Result<Reply, RunError> {
        Ok(match self.input(Input::Human(act)).await? {
            Some(Answer { result: Ok(events), .. }) => Reply::Done { events },
            Some(Answer { result: Err(rejection), .. }) => Reply::Error { error: rejection.to_string() },
            None => Reply::Error { error: "the act was not answered; look at the node's log".to_owned() },
        })
    }
}

fn send_reply(to: oneshot::Sender<Reply>, reply: Reply) {
    // Whoever asked may have hung up.
    let _ = to.send(reply);
}

/// SIGTERM (systemd) and SIGINT (a person).
struct Signals {
    term: tokio::signal::unix::Signal,
    int: tokio::signal::unix::Signal,
}

impl Signals {
    fn new() -> Result<Self, RunError> {
        use tokio::signal::unix::{SignalKind, signal};
        let failed = |source| RunError::System { doing: "watch for signals", source };
        Ok(Self {
            term: signal(SignalKind::terminate()).map_err(failed)?,
            int: signal(SignalKind::interrupt()).map_err(failed)?,
        })
    }

    async fn any(&mut self) {
        tokio::select! {
            _ = self.term.recv() => {}
            _ = self.int.recv() => {}
        }
    }
}
