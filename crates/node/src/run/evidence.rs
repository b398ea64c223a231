//! The evidence keeper's place in the loop: what to collect at each block, and what became of it.

mod access;
mod arrivals;
mod copying;
mod saying;
mod unbegun;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use tokio::sync::{Semaphore, mpsc};
use tokio::time::Instant;
use watchfire_charter::{Charter, PlaybookPurpose};
use watchfire_evm::ChainClient;
use watchfire_protocol::IncidentStatus;
use watchfire_types::body::{Body, Custody, EvidenceKind, EvidenceMissed, MissCause};
use watchfire_types::{
    AssetId, B256, BlockRef, ChainId, Event, EventHash, IncidentId, MemberKey, OperatorId, Read, Timestamp, Verified,
};

use self::arrivals::Arrivals;
use self::saying::Unsaid;
use self::unbegun::Unbegun;
use super::node::Node;
use super::{RunError, describe, now};
use crate::config::Config;
use crate::evidence::bench::Bench;
use crate::evidence::collector::{Collector, Earlier, Job};
use crate::evidence::copies::Incoming;
use crate::evidence::ledger::Ledger;
use crate::evidence::owed::Owed;
use crate::evidence::scene::Scene;
use crate::evidence::store::{Store, StoreError};
use crate::evidence::told::{Ended, Told};
use crate::evidence::want::Watched;
use crate::evidence::{BEGUN_MAX, BLOCKS_MAX, HOLD_BLOCKS_MAX, INCIDENT_BYTES_MAX, REQUESTS_MAX, TOOL};

/// Messages of the keeper's tasks that wait for the loop.
const TOLD_MAX: usize = 64;
/// Least time that a block's evidence is tried for, and that a decision may hold evidence back, ms.
const PATIENCE_MS_MIN: u64 = 16_000;
const HOLD_MS_MIN: u64 = 1_000;
/// Blocks below the head whose state full nodes keep: an attack further back is not looked for again after a restart.
const STATE_BLOCKS: u64 = 128;

/// What was taken of a block, by operator and request.
type Taken = BTreeMap<(OperatorId, B256), Earlier>;
/// What was given up of a block, by kind and operator.
type Missed = BTreeMap<(EvidenceKind, OperatorId), MissCause>;

/// A block that is being taken, or was.
struct Begun {
    /// Whole, and not its state alone.
    full: bool,
    /// How it ended: with everything, or not.
    ended: Option<bool>,
}

/// The keeper.
pub(super) struct Keeper {
    store: Store,
    bench: Bench,
    out: mpsc::Sender<Told>,
    gate: Arc<Semaphore>,
    clients: BTreeMap<ChainId, Arc<ChainClient>>,
    /// Blocks begun in this process.
    begun: BTreeMap<(IncidentId, B256), Begun>,
    /// Bytes that each incident may still take.
    rooms: BTreeMap<IncidentId, Arc<AtomicU64>>,
    ledger: Ledger,
    /// Copies under way, at most one of each member; `None` while its bytes are checked.
    incoming: BTreeMap<MemberKey, (B256, Option<Incoming>)>,
    unsaid: Unsaid,
    /// Since when something is owed for a decision.
    deciding: Option<Timestamp>,
    /// Chains with blocks that were not looked at.
    fresh: BTreeSet<ChainId>,
    arrivals: Arrivals,
    unbegun: Unbegun,
    /// Incidents as of the last block.
    incidents: BTreeSet<IncidentId>,
    /// Incidents about whose completeness something changed, and what was said.
    changed: BTreeSet<IncidentId>,
    said: BTreeSet<(IncidentId, usize)>,
    /// Blocks of an attack from before this process, and attacks that were asked about.
    former: BTreeMap<(ChainId, u64), BlockRef>,
    sought: BTreeSet<(IncidentId, u64)>,
    /// What was handed out while no node ran and is not said yet.
    owed: Vec<(PathBuf, Owed)>,
    /// Closed incidents of which nothing more is looked for.
    over: BTreeSet<IncidentId>,
    /// Incidents of which it was said that two operators are not there.
    few: BTreeSet<IncidentId>,
    patience_ms_min: u64,
}

impl Keeper {
    /// Opens the store; messages come out of the receiver. `events` is what the log holds.
    pub(super) fn open<'a>(
        config: &Config,
        charter: &Charter,
        own: MemberKey,
        events: impl Iterator<Item = &'a Verified<Event>>,
    ) -> Result<(Self, mpsc::Receiver<Told>), StoreError> {
        let (out, told) = mpsc::channel(TOLD_MAX);
        let store = Store::open(&config.directory)?;
        let thread =
            |source| StoreError::System { doing: "start a thread for", path: config.directory.clone(), source };
        let bench = Bench::start().map_err(thread)?;
        let mut ledger = Ledger::new(charter, config.member.clone(), own);
        let at = now();
        events.for_each(|event| ledger.note(event, charter, at));
        let held: BTreeSet<B256> = ledger.own().filter(|object| store.has(object)).collect();
        held.into_iter().for_each(|object| ledger.kept(object));
        let keeper = Self {
            store,
            bench,
            out,
            gate: Arc::new(Semaphore::new(REQUESTS_MAX)),
            clients: BTreeMap::new(),
            begun: BTreeMap::new(),
            rooms: BTreeMap::new(),
            ledger,
            incoming: BTreeMap::new(),
            unsaid: Unsaid::default(),
            deciding: None,
            fresh: BTreeSet::new(),
            arrivals: Arrivals::default(),
            unbegun: Unbegun::default(),
            incidents: BTreeSet::new(),
            changed: BTreeSet::new(),
            said: BTreeSet::new(),
            former: BTreeMap::new(),
            sought: BTreeSet::new(),
            owed: Owed::kept(&config.directory),
            over: BTreeSet::new(),
            few: BTreeSet::new(),
            patience_ms_min: PATIENCE_MS_MIN,
        };
        Ok((keeper, told))
    }

    pub(super) fn connected(&mut self, chain: ChainId, client: Arc<ChainClient>) {
        self.clients.insert(chain, client);
        self.fresh.insert(chain);
    }

    /// Takes what an event says about objects.
    pub(super) fn note(&mut self, event: &Verified<Event>, charter: &Charter, at: Timestamp) {
        let incident = match &event.body {
            Body::EvidenceCollected(collected) => collected.incident,
            Body::EvidenceAccessed(accessed) => accessed.incident,
            _ => return,
        };
        self.ledger.note(event, charter, at);
        self.changed.insert(incident);
    }

    fn room(&mut self, incident: IncidentId) -> Arc<AtomicU64> {
        let left = INCIDENT_BYTES_MAX.saturating_sub(self.ledger.bytes(&incident));
        Arc::clone(self.rooms.entry(incident).or_insert_with(|| Arc::new(AtomicU64::new(left))))
    }
}

/// An incident with what its evidence rests on.
struct Case<'a> {
    status: &'a IncidentStatus,
    scene: Scene,
    /// The own events about evidence.
    own: Vec<&'a Verified<Event>>,
}

impl Node {
    pub(super) fn own_key(&self) -> Option<MemberKey> {
        self.charter.members.get(&self.config.member).map(|member| member.node_key)
    }

    fn custody(&self, chain: ChainId) -> Custody {
        let head = self.chains.get(&chain).and_then(|state| state.head);
        let clock = head.map_or_else(
            || "system clock, UTC".to_owned(),
            |(block, arrived)| {
                let late = i128::from(arrived.as_millis()) - i128::from(block.time.as_secs()) * 1_000;
                format!("system clock, UTC; block {} of chain {chain} came {late} ms after its own time", block.number)
            },
        );
        Custody { tool: TOOL.to_owned(), clock }
    }

    /// Whether evidence is to wait for a decision: something is owed for one, for no longer than [`HOLD_BLOCKS_MAX`] blocks.
    fn is_held(&mut self) -> bool {
        if !self.executor.decides() {
            self.evidence.deciding = None;
            return false;
        }
        let at = now();
        let since = *self.evidence.deciding.get_or_insert(at);
        let block_ms = self.charter.chains.values().map(|chain| chain.block_time_ms).min().unwrap_or(HOLD_MS_MIN);
        at.millis_since(since) < block_ms.saturating_mul(HOLD_BLOCKS_MAX).max(HOLD_MS_MIN)
    }

    /// A new block may make something due. Runs after everything that decides.
    pub(super) async fn keep_evidence(&mut self, block: BlockRef) -> Result<(), RunError> {
        self.evidence.arrivals.note(&block, Instant::now());
        self.evidence.fresh.insert(block.chain);
        self.tend_evidence().await
    }

    /// Begins what is due, says what waits to be said and takes copies, if no decision needs the time. Called at each block and each second.
    pub(super) async fn tend_evidence(&mut self) -> Result<(), RunError> {
        if self.is_held() {
            return Ok(());
        }
        for chain in std::mem::take(&mut self.evidence.fresh) {
            self.begin(chain).await?;
        }
        self.say_owed().await?;
        self.say_evidence(false).await?;
        self.copy().await?;
        for incident in std::mem::take(&mut self.evidence.changed) {
            self.say_complete(incident);
        }
        Ok(())
    }

    async fn begin(&mut self, chain: ChainId) -> Result<(), RunError> {
        let Some(client) = self.evidence.clients.get(&chain).cloned() else { return Ok(()) };
        let (jobs, missed) = self.jobs(chain);
        for lost in missed {
            self.say_missed(lost).await?;
        }
        for job in jobs {
            let begun = Begun { full: job.full, ended: None };
            if self.evidence.begun.insert((job.incident, job.block.hash), begun).is_some() {
                // What is complete by then is more than what was said to be.
                self.evidence.said.retain(|(incident, _)| *incident != job.incident);
            }
            let keeper = &self.evidence;
            let (client, store, bench) = (Arc::clone(&client), keeper.store.clone(), keeper.bench.clone());
            let (gate, out) = (Arc::clone(&keeper.gate), keeper.out.clone());
            tokio::spawn(Collector { job, client, store, bench, gate, out }.run());
        }
        Ok(())
    }

    fn jobs(&mut self, chain: ChainId) -> (Vec<Job>, Vec<EvidenceMissed>) {
        let (mut jobs, mut missed) = (Vec::new(), Vec::new());
        let Some(own) = self.own_key() else { return (jobs, missed) };
        let incidents = self.driver.machine().incidents();
        self.evidence.incidents = incidents.iter().map(|incident| incident.id).collect();
        let here = |incident: &&IncidentStatus| {
            self.charter.assets.get(&incident.asset).is_some_and(|asset| asset.chain == chain)
                && (incident.is_open() || !self.evidence.over.contains(&incident.id))
        };
        let incidents: Vec<&IncidentStatus> = incidents.iter().filter(here).collect();
        for status in incidents {
            let events = self.driver.machine().incident_events(status);
            let scene = Scene::of(&events, own);
            let own: Vec<Verified<Event>> = events.into_iter().filter(|event| event.author == own).cloned().collect();
            // What this member found is collected, however soon people close it.
            let found = own.iter().any(|event| matches!(event.body, Body::Finding(_)));
            let scene = scene.filter(|_| found || status.is_open());
            if !status.is_open() && scene.as_ref().is_none_or(|scene| self.is_forgotten(chain, scene)) {
                self.evidence.over.insert(status.id);
            }
            let Some(scene) = scene else { continue };
            let own = own.iter().collect();
            self.plan(chain, &Case { status, scene, own }, &mut jobs, &mut missed);
        }
        (jobs, missed)
    }

    /// Whether full nodes no longer keep the state of all that the scene asks for.
    fn is_forgotten(&self, chain: ChainId, scene: &Scene) -> bool {
        let head = self.chains.get(&chain).and_then(|state| state.head).map_or(0, |(block, _)| block.number);
        let last = scene.windows.iter().map(|window| window.last).max().unwrap_or(0);
        last.saturating_add(STATE_BLOCKS) <= head
    }

    fn plan(&mut self, chain: ChainId, case: &Case<'_>, jobs: &mut Vec<Job>, missed: &mut Vec<EvidenceMissed>) {
        let incident = case.status.id;
        let (mut blocks, absent) = self.blocks(chain, case);
        missed.extend(self.unseen(chain, case, absent));
        // An earlier finding makes the block before the attack one of the attack: taken for its state, it is begun again for the rest.
        let more = |begun: &Begun, full: bool| full && !begun.full && begun.ended.is_some();
        let begun = |block: &BlockRef| self.evidence.begun.get(&(incident, block.hash));
        blocks.retain(|(block, full)| begun(block).is_none_or(|begun| more(begun, *full)));
        // The whole block is more than its state alone.
        blocks.sort_by_key(|(block, full)| (block.number, block.hash, !full));
        blocks.dedup_by_key(|(block, _)| block.hash);
        let begun = self.evidence.begun.keys().filter(|(of, _)| *of == incident).count();
        let beyond = blocks.split_off(blocks.len().min(BEGUN_MAX.saturating_sub(begun)));
        missed.extend(self.beyond(chain, case, &beyond));
        if blocks.is_empty() {
            return;
        }
        let watched = self.watched(chain, &case.status.asset);
        let block_ms = self.charter.chains.get(&chain).map_or(12_000, |chain| chain.block_time_ms);
        let factor = self.config.chains.get(&chain).map_or(1, |section| section.patience);
        let patience_ms = block_ms.saturating_mul(BLOCKS_MAX).max(self.evidence.patience_ms_min);
        let patience = Duration::from_millis(patience_ms) * factor;
        let room = self.evidence.room(incident);
        let custody = self.custody(chain);
        missed.extend(self.too_few(chain, case, &custody));
        missed.extend(self.narrowed(chain, case, &watched));
        missed.extend(self.elsewhere(chain, case));
        for (block, full) in blocks {
            let basis = case.scene.windows.iter().rev().find(|window| window.first <= block.number.saturating_add(1));
            let basis = basis.or(case.scene.windows.first());
            let first = basis.map_or(block.number, |window| window.first);
            let basis = basis.map(|window| window.basis);
            let deadline = self.evidence.arrivals.deadline(&block, first, patience, Instant::now());
            let (taken, gone) = self.earlier(case, &block);
            jobs.push(Job {
                incident,
                asset: case.status.asset.clone(),
                basis: basis.unwrap_or(EventHash::from_bytes([0; 32])),
                block,
                full,
                watched: watched.clone(),
                custody: custody.clone(),
                patience,
                deadline,
                taken,
                missed: gone,
                room: Arc::clone(&room),
            });
        }
    }

    /// The blocks that the scene asks for, as far as they are known, and whether the whole block is wanted; and the numbers of those that
    /// cannot be known any more.
    fn blocks(&mut self, chain: ChainId, case: &Case<'_>) -> (Vec<(BlockRef, bool)>, BTreeSet<u64>) {
        let Some(state) = self.chains.get(&chain) else { return (Vec::new(), BTreeSet::new()) };
        let former = &self.evidence.former;
        let known = |number: u64| state.recent.get(&number).or_else(|| former.get(&(chain, number))).copied();
        let head = state.head.map_or(0, |(block, _)| block.number);
        let mut blocks = Vec::new();
        let mut unknown = BTreeSet::new();
        for window in &case.scene.windows {
            let before = window.first.saturating_sub(1);
            let numbers = before..=window.last.min(head);
            blocks.extend(numbers.clone().filter_map(|number| Some((known(number)?, number != before))));
            unknown.extend(numbers.filter(|number| known(*number).is_none()));
        }
        blocks
            .extend(case.scene.pauses.iter().filter(|block| known(block.number) == Some(**block)).map(|b| (*b, true)));
        let incident = case.status.id;
        let unbegun = &self.evidence.unbegun;
        let gone = |number: &u64| number + STATE_BLOCKS <= head || unbegun.is_absent(chain, *number);
        let absent: BTreeSet<u64> = unknown.iter().copied().filter(gone).collect();
        unknown.retain(|number| !absent.contains(number) && self.evidence.sought.insert((incident, *number)));
        self.seek(chain, unknown);
        (blocks, absent)
    }

    /// Asks for blocks that an earlier process saw and this one did not.
    fn seek(&self, chain: ChainId, numbers: BTreeSet<u64>) {
        let Some(client) = self.evidence.clients.get(&chain).cloned().filter(|_| !numbers.is_empty()) else { return };
        let out = self.evidence.out.clone();
        tokio::spawn(async move {
            let (mut blocks, mut absent) = (Vec::new(), BTreeSet::new());
            for number in numbers {
                match client.block_at(number).await {
                    Ok(block) => blocks.push(block),
                    Err(_) => drop(absent.insert(number)),
                }
            }
            // The loop may be gone.
            let _ = out.send(Told::Blocks { chain, blocks, absent }).await;
        });
    }

    /// What this member took of a block before, for this incident or another, and what it gave up for this one.
    fn earlier(&self, case: &Case<'_>, block: &BlockRef) -> (Taken, Missed) {
        let (mut taken, mut missed) = (BTreeMap::new(), BTreeMap::new());
        let own = self.own_key();
        for event in self.driver.machine().events().filter(|event| Some(event.author) == own) {
            match &event.body {
                Body::EvidenceCollected(collected) => {
                    let said = collected.incident == case.status.id;
                    for item in collected.items.iter().filter(|item| item.block == *block) {
                        let earlier = Earlier { item: item.clone(), said };
                        let held = taken.entry((item.operator.clone(), item.request)).or_insert(earlier.clone());
                        if said {
                            *held = earlier;
                        }
                    }
                }
                Body::EvidenceMissed(lost) if lost.block == *block && lost.incident == case.status.id => {
                    missed.extend(lost.operator.iter().map(|operator| ((lost.kind, operator.clone()), lost.cause)));
                }
                _ => {}
            }
        }
        (taken, missed)
    }

    /// That two operators are not configured is said once for an incident.
    fn too_few(&mut self, chain: ChainId, case: &Case<'_>, custody: &Custody) -> Option<EvidenceMissed> {
        let operators = self.evidence.clients.get(&chain)?.evidence_operators().len();
        let said = |event: &&Verified<Event>| matches!(&event.body, Body::EvidenceMissed(lost) if lost.cause == MissCause::TooFewOperators);
        let block = self.chains.get(&chain)?.head?.0;
        if operators >= 2 || case.own.iter().any(said) || !self.evidence.few.insert(case.status.id) {
            return None;
        }
        Some(EvidenceMissed {
            incident: case.status.id,
            asset: case.status.asset.clone(),
            kind: EvidenceKind::Block,
            block,
            operator: None,
            object: None,
            cause: MissCause::TooFewOperators,
            attempts: 0,
            detail: "evidence needs endpoints of two operators; add one with evidence_only = true".to_owned(),
            custody: custody.clone(),
        })
    }

    /// The Safes that contain the asset, its owner and its contracts, in this order; and the slots of theirs that anybody reads.
    fn watched(&self, chain: ChainId, asset: &AssetId) -> Watched {
        let Some(entry) = self.charter.assets.get(asset) else { return Watched::default() };
        let safes = self.charter.safes_acting_for(asset, PlaybookPurpose::Contain);
        let safes = safes.into_iter().filter_map(|id| self.charter.safes.get(id)).filter(|safe| safe.chain == chain);
        let accounts = safes.map(|safe| safe.address).chain(entry.owner).chain(entry.contracts.iter().copied());
        let mut reads = watchfire_protocol::reads(&self.charter, chain);
        reads.extend(self.chains.get(&chain).map(|state| state.detectors.reads()).unwrap_or_default());
        let slots = reads.into_iter().filter_map(|read| match read {
            Read::Storage { account, slot } => Some((account, slot)),
            _ => None,
        });
        Watched::new(accounts, slots)
    }

    pub(super) async fn on_told(&mut self, told: Told) -> Result<(), RunError> {
        match told {
            Told::Items(collected) => {
                for item in &collected.items {
                    self.evidence.ledger.kept(item.object);
                }
                self.evidence.unsaid.items(*collected, now());
            }
            Told::Missed(missed) => self.say_missed(*missed).await?,
            Told::Ended(Ended { incident, block, complete }) => {
                if let Some(begun) = self.evidence.begun.get_mut(&(incident, block.hash)) {
                    begun.ended = Some(complete);
                }
                self.evidence.changed.insert(incident);
                let whole = if complete { "complete" } else { "not complete" };
                let text = format!("evidence of block {} is {whole}", block.number);
                let mut record = describe::plain(now().as_millis(), "evidence-ended", text);
                record.block = Some(block);
                self.records.push(record);
            }
            Told::Copied(copied) => return self.on_copied(copied).await,
            Told::Looked(look) => return self.hand_out(*look).await,
            Told::Lost { object, error } => {
                self.damaged(&object, &error);
                return self.tend_evidence().await;
            }
            Told::Blocks { chain, blocks, absent } => {
                self.evidence.unbegun.absent(chain, absent);
                self.evidence.former.extend(blocks.into_iter().map(|block| ((chain, block.number), block)));
                self.evidence.fresh.insert(chain);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
