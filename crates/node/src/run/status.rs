//! What a running node says of itself: status, incidents, and the facts of its heartbeat.

use std::collections::BTreeSet;

use watchfire_charter::{Asset, PlaybookPurpose};
use watchfire_driver::{HeartbeatFacts, Witness};
use watchfire_journal::Space;
use watchfire_protocol::{AssetOutlook, IncidentStatus, Machine};
use watchfire_transparency::Frontier;
use watchfire_types::body::Attested;
use watchfire_types::bounds::ASSETS_MAX;
use watchfire_types::control::{
    AssetStatus, CanPause, ChainStatus, Incident, OpenIncident, PeerStatus, Record, Status,
};
use watchfire_types::{AssetId, B256, BlockRef, Body, ChainId, DetectorId, Event, MemberId, Timestamp, Verified};

use super::alarms::{self, BLIND_BLOCKS};
use super::describe::{self, cause_name};
use super::feed::ChainState;
use super::node::Node;
use super::{firings, now, verdict};

/// A member whose newest heartbeat is older than this is not counted as live.
const LIVE_MS: u64 = 12_000;
/// Alarms of a heartbeat: count and bytes, as the wire bounds them.
const ALARMS_MAX: usize = 32;
const ALARM_BYTES_MAX: usize = 256;
/// Records shown of one incident: the newest are kept.
const INCIDENT_RECORDS_MAX: usize = 2_000;

/// Root over this process's own events, checkpoints left out.
fn log_root(machine: &Machine) -> B256 {
    let tree = machine.charter().members.get(machine.member()).map(|member| member.node_key);
    let tree = tree.and_then(|key| machine.tree(key, machine.epoch()));
    B256::from(tree.map_or_else(|| Frontier::new().root(), Frontier::root))
}

/// What is not closed, as `incident list` has it.
pub(crate) fn open_incidents(machine: &Machine) -> Vec<OpenIncident> {
    let open = machine.incidents().into_iter().filter(IncidentStatus::is_open);
    let told = open.map(|IncidentStatus { id, asset, severity, phase, .. }| OpenIncident {
        id,
        asset,
        severity,
        phase: phase.to_owned(),
    });
    told.collect()
}

impl Node {
    pub(super) fn status(&self) -> Status {
        let at = now();
        let machine = self.driver.machine();
        let lag = self.index.lag();
        Status {
            member: self.config.member.clone(),
            organisation: self.organisation.clone(),
            running: true,
            ready: self.ready,
            events: self.driver.events() as u64,
            state_digest: machine.state_digest(),
            log_root: log_root(machine),
            epoch: Some(machine.epoch()),
            index_lag: lag.records,
            assets: self.assets(at),
            peers: self.peers(at),
            chains: self.chains.iter().map(|(chain, state)| self.chain(*chain, state, at)).collect(),
            alarms: self.alarms(at),
            owed: self.executor.owed(),
            incidents: open_incidents(machine),
            snoozes: machine.snoozes(),
            intake: self.intake_status(),
        }
    }

    /// Every asset that can be contained; of one whose chain gave no block yet nothing is known, which is no.
    fn assets(&self, at: Timestamp) -> Vec<AssetStatus> {
        let outlooks = self.driver.machine().outlooks();
        let contained =
            |id: &AssetId| self.charter.playbooks_of(id).any(|(_, book)| book.purpose == PlaybookPurpose::Contain);
        let assets = self.charter.assets.iter().filter(|(id, _)| contained(id));
        let status = |(id, asset): (&AssetId, &Asset)| match outlooks.iter().find(|outlook| outlook.asset == *id) {
            Some(outlook) => self.asset(outlook, at),
            None => AssetStatus {
                asset: id.clone(),
                can_pause: CanPause::No,
                line: format!("CAN PAUSE {id}: NO (this node has seen no block of chain {} yet)", asset.chain),
                contained: false,
                owed_step: None,
                cause: None,
                cause_detail: None,
                asks: None,
            },
        };
        assets.map(status).collect()
    }

    fn asset(&self, outlook: &AssetOutlook, at: Timestamp) -> AssetStatus {
        let chain = self.charter.assets.get(&outlook.asset).map(|asset| asset.chain);
        let state = chain.and_then(|chain| self.chains.get(&chain));
        let (live, able) = self.live_members(&outlook.asset, at);
        let balances = able.iter().filter_map(|member| self.balance_of(member, chain?));
        let facts = verdict::Facts {
            charter: &self.charter,
            asset: &outlook.asset,
            refuted: self.refuted(outlook, state),
            doubt: self.doubt(outlook, state),
            simulated: outlook.detail.clone(),
            asks: outlook.asks.clone(),
            balance: balances.max(),
            base_fee: state.and_then(|state| state.base_fee),
            gas: state.and_then(|state| state.live.gas_of(&outlook.asset)),
            ready: chain.is_some_and(|chain| self.follows(chain, at)),
            live,
            able,
        };
        let (can_pause, line) = verdict::judge(&facts);
        AssetStatus {
            asset: outlook.asset.clone(),
            can_pause,
            line,
            contained: outlook.contained,
            owed_step: outlook.owed_step.map(|step| step.get()),
            cause: outlook.why_not.as_ref().map(|why| cause_name(why.cause)),
            cause_detail: outlook.why_not.as_ref().map(|why| why.detail.clone()),
            asks: outlook.asks.clone(),
        }
    }

    /// Why this node could not pause the asset: its simulation, or a fact of the chain that contradicts the charter.
    fn refuted(&self, outlook: &AssetOutlook, state: Option<&ChainState>) -> Option<String> {
        if !outlook.can_pause {
            return Some(outlook.detail.clone());
        }
        let fact = state.and_then(|state| state.live.fault_of(&outlook.asset))?;
        Some(format!("{}: {}", fact.kind, fact.text))
    }

    /// Why it is not sure that this node could.
    fn doubt(&self, outlook: &AssetOutlook, state: Option<&ChainState>) -> Option<String> {
        let fact = state.and_then(|state| state.live.doubt_of(&outlook.asset));
        let fact = fact.map(|fact| format!("{}: {}", fact.kind, fact.text));
        // What cannot vote is missed by people, not by the pause.
        let blind = || {
            let votes = |detector: &DetectorId| !self.charter.is_context(detector);
            let mut blind = state?.detectors.blind(BLIND_BLOCKS);
            let blind = blind.find(|blind| blind.asset == outlook.asset && votes(&blind.detector))?;
            Some(alarms::blind(&blind))
        };
        outlook.mute.clone().or(fact).or_else(blind).or_else(|| outlook.doubt.clone())
    }

    /// Whether this node sees the chain as it is now: backfilled, read, and with a fresh head.
    fn follows(&self, chain: ChainId, at: Timestamp) -> bool {
        let fresh = |state: &ChainState| state.trouble.is_none() && self.stale(chain, state, at).is_none();
        self.ready && self.chains.get(&chain).is_some_and(fresh)
    }

    /// Members that are live, and those of them that say that they could pause an asset.
    fn live_members(&self, asset: &AssetId, at: Timestamp) -> (BTreeSet<MemberId>, BTreeSet<MemberId>) {
        let (mut live, mut able) = (BTreeSet::from([self.config.member.clone()]), BTreeSet::new());
        let outlooks = self.driver.machine().outlooks();
        if outlooks.iter().any(|outlook| outlook.asset == *asset && outlook.can_pause && outlook.mute.is_none()) {
            able.insert(self.config.member.clone());
        }
        for (key, heartbeat) in self.driver.heartbeats() {
            let fresh = self.seen.get(key).is_some_and(|seen| at.millis_since(*seen) <= LIVE_MS);
            if !fresh {
                continue;
            }
            let heartbeat = heartbeat.heartbeat();
            live.insert(heartbeat.member.clone());
            if heartbeat.pausable.iter().any(|said| said.asset == *asset && said.can_pause) {
                able.insert(heartbeat.member.clone());
            }
        }
        (live, able)
    }

    fn balance_of(&self, member: &MemberId, chain: ChainId) -> Option<u128> {
        if *member == self.config.member {
            return self.chains.get(&chain)?.live.balance;
        }
        // By the own reading: what a member says of its money is its claim.
        self.chains.get(&chain)?.live.balance_at(self.charter.members.get(member)?.submitter?)
    }

    fn peers(&self, at: Timestamp) -> Vec<PeerStatus> {
        let machine = self.driver.machine();
        let others = machine.members().into_iter().filter(|member| member.member != self.config.member);
        let peer = |member: watchfire_protocol::MemberStatus| PeerStatus {
            connected: self.connected.contains(&member.key),
            heartbeat_age_ms: self.seen.get(&member.key).map(|seen| at.millis_since(*seen)),
            state_digest: self.driver.heartbeats().get(&member.key).map(|said| said.heartbeat().state_digest),
            restored: member.restored,
            faulty: member.faulty,
            member: member.member,
        };
        others.map(peer).collect()
    }

    fn chain(&self, chain: ChainId, state: &ChainState, at: Timestamp) -> ChainStatus {
        let health = self.executor.client(chain).map(|client| client.health()).unwrap_or_default();
        let endpoint = |health: &watchfire_evm::EndpointHealth| {
            let state = if health.healthy { "ok".to_owned() } else { health.cause.clone() };
            format!("{} ({}): {state}", health.name, health.operator)
        };
        ChainStatus {
            chain,
            head: state.head.map(|(block, _)| block),
            head_age_ms: state.head.map(|(_, arrived)| at.millis_since(arrived)),
            finalized: state.finalized,
            unproved_blocks: state.unproved.map_or(0, |(count, _)| count),
            first_unproved_block: state.unproved.map(|(_, first)| first),
            endpoints: health.iter().map(endpoint).collect(),
            submitter_balance: state.live.balance.map(|wei| wei.to_string()),
        }
    }

    /// What does not hold now, a line each, worst first.
    fn alarms(&self, at: Timestamp) -> Vec<String> {
        let mut lines: Vec<String> = self.standing.values().cloned().collect();
        if let Some(violation) = self.driver.signing_stopped() {
            let text = format!("signing-stopped: {violation}");
            if !self.standing.contains_key("signing-stopped") {
                lines.push(text);
            }
        }
        for (chain, state) in &self.chains {
            lines.extend(state.trouble.clone());
            lines.extend(state.unseen.map(|last| alarms::unseen(*chain, None, last)));
            lines.extend(self.scanned.unseen(*chain).map(|(first, last)| alarms::unseen(*chain, Some(first), last)));
            lines.extend(self.stale(*chain, state, at));
            lines.extend(state.live.alarms(*chain, state.base_fee));
            lines.extend(state.detectors.blind(BLIND_BLOCKS).map(|blind| alarms::blind(&blind)));
            lines.extend(state.detectors.unanswered().map(|unanswered| alarms::unanswered(&unanswered)));
            let health = self.executor.client(*chain).map(|client| client.health()).unwrap_or_default();
            lines.extend(health.iter().filter_map(|health| alarms::unusable(*chain, health)));
        }
        lines.extend(alarms::forgotten(self.driver.forgotten()));
        lines.extend(self.intake_status().iter().flat_map(|intake| &intake.lookouts).filter_map(alarms::sightless));
        lines.extend(self.driver.clock_alarms(at));
        lines.extend(self.driver.machine().alarms());
        let lag = self.index.lag();
        lines.extend(alarms::lagging(lag.records));
        if let Some(failure) = lag.failure {
            lines.push(match lag.in_journal {
                true => format!("log-unreadable: the index stopped at the journal itself: {failure}"),
                false => format!("index: {failure}; the journal is not affected, restart the node to rebuild it"),
            });
        }
        if let Space::Reserve { bytes_left } = self.driver.journal().space() {
            lines.push(format!("disk-full: {bytes_left} bytes of the log's reserve are left; free space at once"));
        } else if let Some(Space::Reserve { bytes_left }) = self.driver.witness().map(Witness::space) {
            lines.push(format!(
                "disk-full: {bytes_left} bytes of the reserve for witnesses' lines are left; free space at once"
            ));
        }
        lines
    }

    fn stale(&self, chain: ChainId, state: &ChainState, at: Timestamp) -> Option<String> {
        let block_time = self.charter.chains.get(&chain)?.block_time_ms;
        let age = at.millis_since(state.head?.1);
        // A chain that is in trouble says so already.
        if state.trouble.is_some() { None } else { alarms::stale(chain, block_time, age) }
    }

    pub(super) fn heartbeat_facts(&self) -> HeartbeatFacts {
        let at = now();
        let zero = |chain| BlockRef { chain, number: 0, hash: B256::ZERO, time: watchfire_types::BlockTime::default() };
        let machine = self.driver.machine();
        let outlooks = machine.outlooks();
        let pausable = outlooks.iter().take(ASSETS_MAX).map(|outlook| {
            let chain = self.charter.assets.get(&outlook.asset).map(|asset| asset.chain);
            let state = chain.and_then(|chain| self.chains.get(&chain));
            let follows = chain.is_some_and(|chain| self.follows(chain, at));
            let refuted = self.refuted(outlook, state).or_else(|| outlook.mute.clone());
            let head = state.and_then(|state| state.head).map(|(block, _)| block);
            Attested {
                asset: outlook.asset.clone(),
                can_pause: refuted.is_none() && follows,
                detail: cut(refuted.unwrap_or_else(|| outlook.detail.clone()), 2 * ALARM_BYTES_MAX),
                head: head.unwrap_or_else(|| zero(chain.unwrap_or(ChainId::new(0)))),
                scanned_from: chain.and_then(|chain| machine.scanned_from(chain)).unwrap_or_default(),
            }
        });
        HeartbeatFacts {
            heads: self.chains.values().filter_map(|state| state.head).map(|(block, _)| block).take(32).collect(),
            pausable: pausable.collect(),
            alarms: self.alarms(at).into_iter().take(ALARMS_MAX).map(|text| cut(text, ALARM_BYTES_MAX)).collect(),
            submitter_balance: self
                .chains
                .iter()
                .filter_map(|(chain, state)| Some((*chain, state.live.balance?)))
                .take(32)
                .collect(),
        }
    }

    /// Every incident with a line per event: open ones first, then by what they know newest.
    pub(super) fn incidents(&self) -> Vec<Incident> {
        let machine = self.driver.machine();
        let ledger = machine.ledger();
        // What came before this process started is shown at its author's time.
        let arrived =
            |event: &Verified<Event>| self.arrivals.get(&event.hash()).copied().unwrap_or(event.time.as_millis());
        let incidents = machine.incidents().into_iter().map(|incident| {
            let events = machine.incident_events(&incident);
            let findings = events.iter().filter_map(|event| match &event.body {
                Body::Finding(finding) => Some((arrived(event), self.charter.organisation_of(&event.author), finding)),
                _ => None,
            });
            let mut firings = firings::fold(findings.clone());
            for one in &mut firings {
                let of = findings.clone().find(|(_, _, finding)| finding.detector == one.rule);
                if let Some(before) = of.and_then(|(_, _, finding)| ledger.before(finding)) {
                    one.text = format!("{} [{before}]", one.text);
                }
            }
            let mut records: Vec<Record> = events
                .iter()
                .map(|event| {
                    let mut record = describe::event(event, arrived(event), &self.charter);
                    if let Body::Finding(finding) = &event.body
                        && let Some(before) = ledger.before(finding)
                    {
                        record.text = format!("{} [{before}]", record.text);
                    }
                    record
                })
                .collect();
            records.sort_by_key(|record| record.at_ms);
            let excess = records.len().saturating_sub(INCIDENT_RECORDS_MAX);
            records.drain(..excess);
            Incident {
                id: incident.id,
                asset: incident.asset,
                severity: incident.severity,
                phase: incident.phase.to_owned(),
                outcome: incident.outcome,
                records,
                firings,
            }
        });
        incidents.collect()
    }
}

/// At most `max` bytes, cut between characters.
fn cut(mut text: String, max: usize) -> String {
    if text.len() > max {
        let end = (0..=max).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        text.truncate(end);
    }
    text
}

#[cfg(test)]
mod tests;
