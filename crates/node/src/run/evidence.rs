//! The evidence keeper's place in the loop: what to collect at each block, and what became of it.

mod access;
mod copying;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, mpsc};
use watchfire_charter::{Charter, PlaybookPurpose};
use watchfire_driver::Answer;
use watchfire_evm::ChainClient;
use watchfire_protocol::IncidentStatus;
use watchfire_types::body::{AccessAction, Body, Custody, EvidenceKind, EvidenceStatement, Purpose};
use watchfire_types::input::Input;
use watchfire_types::{
    AssetId, B256, BlockRef, ChainId, Event, EventHash, IncidentId, MemberKey, OrganisationId, Read, Timestamp,
    Verified,
};

use super::node::Node;
use super::{RunError, describe, now};
use crate::evidence::collector::{Collector, Ended, Job, Told};
use crate::evidence::copies::{self, Incoming};
use crate::evidence::store::{Store, StoreError};
use crate::evidence::want::Watched;
use crate::evidence::{BLOCKS_MAX, INCIDENT_BYTES_MAX, REQUESTS_MAX, TOOL};

/// Blocks of executions and changed postconditions collected beyond [`BLOCKS_MAX`].
const PAUSES_MAX: usize = 8;
/// Statements that wait for the loop.
const TOLD_MAX: usize = 64;
/// Least time that a block's evidence is tried for.
const PATIENCE_MS_MIN: u64 = 16_000;

/// What is known of one object, from everyone's events.
#[derive(Debug, Clone)]
struct Known {
    incident: IncidentId,
    asset: AssetId,
    kind: EvidenceKind,
    block: BlockRef,
    size: u64,
    collector: MemberKey,
    organisations: BTreeSet<OrganisationId>,
    holders: BTreeSet<MemberKey>,
    since: Timestamp,
}

/// The keeper.
pub(super) struct Keeper {
    store: Store,
    out: mpsc::Sender<Told>,
    gate: Arc<Semaphore>,
    clients: BTreeMap<ChainId, Arc<ChainClient>>,
    /// Blocks begun in this process, and how each ended.
    begun: BTreeMap<(IncidentId, B256), Option<bool>>,
    objects: BTreeMap<B256, Known>,
    /// Copies under way, at most one of each member.
    incoming: BTreeMap<MemberKey, Incoming>,
    /// Objects of which a lack of copies was said.
    short: BTreeSet<B256>,
    said: BTreeSet<(IncidentId, usize)>,
}

impl Keeper {
    /// Opens the store; statements come out of the receiver.
    pub(super) fn open(directory: &std::path::Path) -> Result<(Self, mpsc::Receiver<Told>), StoreError> {
        let (out, told) = mpsc::channel(TOLD_MAX);
        let keeper = Self {
            store: Store::open(directory)?,
            out,
            gate: Arc::new(Semaphore::new(REQUESTS_MAX)),
            clients: BTreeMap::new(),
            begun: BTreeMap::new(),
            objects: BTreeMap::new(),
            incoming: BTreeMap::new(),
            short: BTreeSet::new(),
            said: BTreeSet::new(),
        };
        Ok((keeper, told))
    }

    pub(super) fn connected(&mut self, chain: ChainId, client: Arc<ChainClient>) {
        self.clients.insert(chain, client);
    }

    /// Takes what an event says about objects.
    pub(super) fn note(&mut self, event: &Verified<Event>, charter: &Charter, at: Timestamp) {
        let Some(organisation) = charter.organisation_of(&event.author) else { return };
        match &event.body {
            Body::EvidenceCollected(collected) => {
                for item in &collected.items {
                    let known = self.objects.entry(item.object).or_insert_with(|| Known {
                        incident: collected.incident,
                        asset: collected.asset.clone(),
                        kind: item.kind,
                        block: item.block,
                        size: item.size,
                        collector: event.author,
                        organisations: BTreeSet::new(),
                        holders: BTreeSet::new(),
                        since: at,
                    });
                    known.organisations.insert(organisation.clone());
                    known.holders.insert(event.author);
                }
            }
            Body::EvidenceAccessed(accessed) => {
                for object in &accessed.objects {
                    let Some(known) = self.objects.get_mut(object) else { continue };
                    match accessed.action {
                        AccessAction::Copied => {
                            known.organisations.insert(organisation.clone());
                            known.holders.insert(event.author);
                        }
                        AccessAction::Disposed => {
                            known.organisations.remove(organisation);
                            known.holders.remove(&event.author);
                        }
                        AccessAction::Read | AccessAction::Exported => {}
                    }
                }
            }
            _ => {}
        }
    }
}

/// What an incident's events say about where to look.
struct Scene {
    basis: EventHash,
    first: u64,
    pauses: BTreeSet<BlockRef>,
}

/// The scene, if a finding of this member or a certificate stands.
fn scene(events: &[&Verified<Event>], own: MemberKey) -> Option<Scene> {
    let findings = events.iter().filter_map(|event| match &event.body {
        Body::Finding(finding) => Some((event.author == own, finding.first.number, event.hash())),
        _ => None,
    });
    let findings: Vec<_> = findings.collect();
    let certificate = events.iter().find_map(|event| match &event.body {
        Body::Certificate(held) if matches!(held.purpose, Purpose::Step(_)) => Some(event.hash()),
        _ => None,
    });
    let voted = events
        .iter()
        .filter_map(|event| if let Body::Vote(vote) = &event.body { Some(vote.evidence.number) } else { None });
    let mine = findings.iter().filter(|(own, ..)| *own).min_by_key(|(_, number, _)| *number);
    let (basis, first) = match (mine, certificate) {
        (Some((_, number, hash)), _) => (*hash, *number),
        (None, Some(hash)) => (hash, findings.iter().map(|(_, number, _)| *number).chain(voted).min()?),
        (None, None) => return None,
    };
    let pauses = events.iter().filter(|event| event.author == own).filter_map(|event| match &event.body {
        Body::Executed(executed) => Some(executed.block),
        Body::PostconditionChecked(checked) if checked.holds => Some(checked.block),
        _ => None,
    });
    let pauses: BTreeSet<BlockRef> = pauses.filter(|block| block.number >= first).take(PAUSES_MAX).collect();
    Some(Scene { basis, first, pauses })
}

impl Node {
    fn own_key(&self) -> Option<MemberKey> {
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

    /// Starts what a new block of this chain makes due. Runs after everything that decides.
    pub(super) async fn keep_evidence(&mut self, chain: ChainId) -> Result<(), RunError> {
        let jobs = self.jobs(chain);
        for job in jobs {
            let Some(client) = self.evidence.clients.get(&chain).cloned() else { break };
            self.evidence.begun.insert((job.incident, job.block.hash), None);
            let (store, gate, out) =
                (self.evidence.store.clone(), Arc::clone(&self.evidence.gate), self.evidence.out.clone());
            tokio::spawn(Collector { job, client, store, gate, out }.run());
        }
        self.copy().await
    }

    fn jobs(&self, chain: ChainId) -> Vec<Job> {
        let machine = self.driver.machine();
        let Some(own) = self.own_key() else { return Vec::new() };
        let incidents = machine.incidents();
        let here = |incident: &&IncidentStatus| {
            self.charter.assets.get(&incident.asset).is_some_and(|asset| asset.chain == chain)
                && incident.phase != "closed"
        };
        let incidents: Vec<&IncidentStatus> = incidents.iter().filter(here).collect();
        if incidents.is_empty() {
            return Vec::new();
        }
        let held: BTreeMap<EventHash, &Verified<Event>> = machine.events().map(|event| (event.hash(), event)).collect();
        let mut jobs = Vec::new();
        for incident in incidents {
            let events: Vec<_> = incident.events.iter().filter_map(|hash| held.get(hash).copied()).collect();
            if let Some(scene) = scene(&events, own) {
                self.plan(chain, incident, &scene, &events, own, &mut jobs);
            }
        }
        jobs
    }

    fn plan(
        &self,
        chain: ChainId,
        incident: &IncidentStatus,
        scene: &Scene,
        events: &[&Verified<Event>],
        own: MemberKey,
        jobs: &mut Vec<Job>,
    ) {
        let Some(state) = self.chains.get(&chain) else { return };
        let bytes: u64 = (self.evidence.objects.values().filter(|known| known.incident == incident.id))
            .fold(0, |sum, known| sum.saturating_add(known.size));
        let last = scene.pauses.iter().map(|block| block.number).max().unwrap_or(u64::MAX);
        let end = last.min(scene.first.saturating_add(BLOCKS_MAX - 1));
        let before = state.recent.get(&scene.first.saturating_sub(1)).map(|block| (*block, false));
        let during = state.recent.range(scene.first..=end.max(scene.first)).map(|(_, block)| (*block, true));
        let pauses = scene.pauses.iter().filter(|block| state.recent.get(&block.number) == Some(block));
        let blocks = before.into_iter().chain(during).chain(pauses.map(|block| (*block, true)));
        let mut watched = None;
        for (block, full) in blocks {
            let key = (incident.id, block.hash);
            if self.evidence.begun.contains_key(&key) || jobs.iter().any(|job| (job.incident, job.block.hash) == key) {
                continue;
            }
            if bytes > INCIDENT_BYTES_MAX {
                tracing::warn!(incident = %incident.id.short(), block = block.number, "evidence of this incident is at its bound");
                continue;
            }
            let watched = watched.get_or_insert_with(|| self.watched(chain, &incident.asset)).clone();
            let (mut taken, mut missed) = (BTreeMap::new(), BTreeSet::new());
            for event in events.iter().filter(|event| event.author == own) {
                match &event.body {
                    Body::EvidenceCollected(collected) => {
                        let items = collected.items.iter().filter(|item| item.block == block);
                        taken.extend(items.map(|item| ((item.operator.clone(), item.request), item.clone())));
                    }
                    Body::EvidenceMissed(lost) if lost.block == block => {
                        missed.extend(lost.operator.iter().map(|operator| (lost.kind, operator.clone())));
                    }
                    _ => {}
                }
            }
            let block_ms = self.charter.chains.get(&chain).map_or(12_000, |chain| chain.block_time_ms);
            jobs.push(Job {
                incident: incident.id,
                asset: incident.asset.clone(),
                basis: scene.basis,
                block,
                full,
                watched,
                custody: self.custody(chain),
                patience: Duration::from_millis(block_ms.saturating_mul(BLOCKS_MAX).max(PATIENCE_MS_MIN)),
                taken,
                missed,
            });
        }
    }

    /// The asset's contracts, the Safes that contain it, its owner; and the slots of theirs that anybody reads.
    fn watched(&self, chain: ChainId, asset: &AssetId) -> Watched {
        let Some(entry) = self.charter.assets.get(asset) else { return Watched::default() };
        let safes = self.charter.safes_acting_for(asset, PlaybookPurpose::Contain);
        let safes = safes.into_iter().filter_map(|id| self.charter.safes.get(id)).filter(|safe| safe.chain == chain);
        let accounts = entry.contracts.iter().copied().chain(safes.map(|safe| safe.address)).chain(entry.owner);
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
            Told::Statement(statement) => self.state(*statement).await.map(drop),
            Told::Ended(Ended { incident, block, complete }) => {
                self.evidence.begun.insert((incident, block.hash), Some(complete));
                self.say_complete(incident);
                Ok(())
            }
        }
    }

    /// Makes a statement durable; its event, or why there is none.
    async fn state(&mut self, statement: EvidenceStatement) -> Result<Result<Vec<EventHash>, String>, RunError> {
        Ok(match self.input(Input::Evidence(Box::new(statement))).await? {
            Some(Answer { result: Ok(events), .. }) => Ok(events),
            Some(Answer { result: Err(rejection), .. }) => {
                tracing::warn!(cause = %rejection, "an evidence event was refused");
                Err(rejection.to_string())
            }
            None => Err("the statement was not answered; look at the node's log".to_owned()),
        })
    }

    /// Says once for each extent of an incident's evidence that nothing is missing: every block begun is there from two operators, a
    /// pause's among them, and every object is with two other organisations (or with all there are).
    fn say_complete(&mut self, incident: IncidentId) {
        let machine = self.driver.machine();
        let Some(status) = machine.incidents().into_iter().find(|status| status.id == incident) else { return };
        let contained = machine.events().any(|event| {
            matches!(&event.body, Body::Executed(_)) && status.events.contains(&event.hash())
                || matches!(&event.body, Body::PostconditionChecked(checked) if checked.holds && checked.asset == status.asset)
        });
        let begun: Vec<Option<bool>> =
            self.evidence.begun.iter().filter(|((of, _), _)| *of == incident).map(|(_, ended)| *ended).collect();
        let all = self.charter.voting_organisations().len();
        let objects = self.evidence.objects.values().filter(|known| known.incident == incident);
        let counts: Vec<usize> = objects.map(|known| known.organisations.len()).collect();
        let copied = counts.iter().all(|count| *count >= (copies::COPIES + 1).min(all));
        let whole = !begun.is_empty() && begun.iter().all(|ended| *ended == Some(true));
        if contained && copied && whole && self.evidence.said.insert((incident, begun.len())) {
            let text =
                format!("evidence of {} is complete: {} blocks, {} objects", status.asset, begun.len(), counts.len());
            tracing::info!("{text}");
            let mut record = describe::plain(now().as_millis(), "evidence-complete", text);
            record.asset = Some(status.asset);
            self.records.push(record);
        }
    }
}
