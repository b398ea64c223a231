//! The five nodes together: links that can be cut, records, readiness, the end.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use alloy_primitives::B256;
use tokio::sync::mpsc;
use tokio::time::Instant;
use url::Url;
use watchfire_types::control::{CanPause, Record, Status};
use watchfire_types::{MemberId, OrganisationId};

use super::DrillError;
use super::control;
use super::node::{Asked, Node};
use super::progress::Progress;
use super::report::NodeReport;
use crate::operator::Operator;
use crate::port;
use crate::relay::Relay;
use crate::scenario::{FaultKind, Scenario, Who};

/// Records that may wait for the play.
const RECORDS: usize = 65_536;
/// How long nodes may take from their start to ready and connected.
const READY_MAX_S: u64 = 45;
/// How long the launcher then waits for every node to say that it can pause.
const CAN_PAUSE_MAX: Duration = Duration::from_secs(12);

/// The nodes of a drill.
#[derive(Debug)]
pub(super) struct Cluster {
    pub(super) nodes: Vec<Node>,
    /// Every link of a member that the scenario cuts.
    relays: BTreeMap<MemberId, Vec<Relay>>,
    /// Addresses that a member's config names instead of the charter's.
    peers: BTreeMap<MemberId, Vec<(String, std::net::SocketAddr)>>,
    records: mpsc::Sender<(usize, Record)>,
    pub(super) inbox: mpsc::Receiver<(usize, Record)>,
    last: Vec<Option<Status>>,
    /// Who answered when all were asked last.
    answers: Vec<bool>,
}

impl Cluster {
    /// Starts the operators and makes every node's directory.
    pub(super) async fn init(
        scenario: &Scenario,
        executable: &Path,
        base: &Path,
        upstream: &Url,
        upstream_socket: Option<&Url>,
        mut told: impl FnMut(&str),
    ) -> Result<Self, DrillError> {
        let free = || port::free().map_err(DrillError::system("no free port on the loopback"));
        let mut ports = Vec::new();
        for _ in &scenario.organisations {
            ports.push(free()?);
        }
        let (records, inbox) = mpsc::channel(RECORDS);
        let count = scenario.organisations.len();
        let mut cluster = Self {
            nodes: Vec::new(),
            relays: BTreeMap::new(),
            peers: BTreeMap::new(),
            records,
            inbox,
            last: vec![None; count],
            answers: vec![false; count],
        };
        for (place, organisation) in scenario.organisations.iter().enumerate() {
            told(&format!("watchfire init for {}", organisation.name));
            let mut public = None;
            if is_cut(scenario, &organisation.member) {
                public = Some(cluster.relay_links(scenario, place, &ports).await?);
            }
            let upstream_socket = upstream_socket.filter(|_| !scenario.chain.plain).cloned();
            let operator = Operator::start(upstream.clone(), upstream_socket)
                .await
                .map_err(DrillError::system(format!("cannot start operator {}", organisation.operator)))?;
            operator.behave(|conduct| conduct.plain = scenario.chain.plain);
            let node = Node::init(executable, base, organisation.clone(), operator, ports[place], public).await?;
            cluster.nodes.push(node);
        }
        Ok(cluster)
    }

    /// Puts a relay into every link of one member, both ways; answers where the others reach it.
    async fn relay_links(
        &mut self,
        scenario: &Scenario,
        place: usize,
        ports: &[std::net::SocketAddr],
    ) -> Result<std::net::SocketAddr, DrillError> {
        let start = async |target| Relay::start(target).await.map_err(DrillError::system("cannot start a relay"));
        let inward = start(ports[place]).await?;
        let public = inward.address();
        let mut relays = vec![inward];
        let mut peers = Vec::new();
        for (other, organisation) in scenario.organisations.iter().enumerate().filter(|(other, _)| *other != place) {
            let outward = start(ports[other]).await?;
            peers.push((organisation.member.to_string(), outward.address()));
            relays.push(outward);
        }
        let member = scenario.organisations[place].member.clone();
        self.relays.insert(member.clone(), relays);
        self.peers.insert(member, peers);
        Ok(public)
    }

    /// Hands out the charter and starts every node.
    pub(super) fn start(
        &mut self,
        charter: &str,
        (chain_id, agree): (u64, usize),
        patience: u32,
    ) -> Result<(), DrillError> {
        let endpoints: Vec<_> = self.nodes.iter().map(Node::endpoint).collect();
        for (place, node) in self.nodes.iter_mut().enumerate() {
            let others = endpoints.iter().filter(|one| node.organisation.also_asks.contains(&one.operator));
            let deciding: Vec<_> = std::iter::once(&endpoints[place]).chain(others).collect();
            // Where a node decides by one operator alone, the next partner's gives its evidence a second word.
            let evidence = (deciding.len() == 1).then(|| &endpoints[(place + 1) % endpoints.len()]);
            let peers = self.peers.get(&node.organisation.member).map_or(&[][..], Vec::as_slice);
            node.configure(charter, &Asked { chain_id, agree, patience, deciding, evidence }, peers)?;
            node.start(place, self.records.clone())?;
        }
        Ok(())
    }

    /// Starts one node again on its directory.
    pub(super) fn restart(&mut self, place: usize) -> Result<(), DrillError> {
        self.nodes[place].start(place, self.records.clone())
    }

    /// Cuts or heals every link of a member.
    pub(super) fn link(&self, member: &MemberId, open: bool) {
        for relay in self.relays.get(member).into_iter().flatten() {
            if open {
                relay.heal();
            } else {
                relay.cut();
            }
        }
    }

    /// Place of a member in the scenario.
    pub(super) fn place(&self, member: &MemberId) -> Option<usize> {
        self.nodes.iter().position(|node| node.organisation.member == *member)
    }

    /// The node of an organisation.
    pub(super) fn of(&self, organisation: &OrganisationId) -> Option<&Node> {
        self.nodes.iter().find(|node| node.organisation.id == *organisation)
    }

    /// Statuses now, in the order of the scenario; `None` for a node that does not answer.
    pub(super) async fn statuses(&mut self) -> Vec<Option<Status>> {
        let asked = self.nodes.iter().map(|node| {
            let socket = node.socket();
            async move { control::status(&socket).await }
        });
        let statuses = futures::future::join_all(asked).await;
        self.answers = statuses.iter().map(Option::is_some).collect();
        for (last, status) in self.last.iter_mut().zip(&statuses) {
            if status.is_some() {
                last.clone_from(status);
            }
        }
        statuses
    }

    /// Waits until every node is ready and connected to every other; then, bounded, until each says that it can pause.
    pub(super) async fn ready(&mut self, patience: u32, progress: &dyn Progress) -> Result<(), DrillError> {
        let seconds = READY_MAX_S * u64::from(patience);
        let deadline = Instant::now() + Duration::from_secs(seconds);
        loop {
            let statuses = self.statuses().await;
            let missing: Vec<_> = self
                .nodes
                .iter_mut()
                .zip(&statuses)
                .filter_map(|(node, status)| missing(node, status.as_ref()))
                .collect();
            if missing.is_empty() {
                break;
            }
            let gone = self.nodes.iter_mut().any(|node| !node.runs());
            if gone || Instant::now() > deadline {
                let waited_for =
                    if gone { "a node ended" } else { "not every node was ready and connected" }.to_owned();
                return Err(DrillError::NotReady { waited_for, seconds, detail: missing.join("\n") });
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let deadline = Instant::now() + CAN_PAUSE_MAX * patience;
        while Instant::now() < deadline {
            let statuses = self.statuses().await;
            if statuses.iter().flatten().flat_map(|status| &status.assets).all(|asset| asset.can_pause != CanPause::No)
            {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        for status in self.statuses().await.iter().flatten() {
            for asset in &status.assets {
                progress.said(&format!("{}: {}", status.member, asset.line));
            }
        }
        Ok(())
    }

    /// Waits until every running node holds the same shared state and owes nothing; answers what is still open.
    pub(super) async fn settle(&mut self, bound: Duration) -> Settled {
        let deadline = Instant::now() + bound;
        loop {
            let statuses = self.statuses().await;
            let settled = Settled::of(&statuses);
            if settled.is_whole() || Instant::now() > deadline {
                return settled;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// Stops every node cleanly and verifies its log.
    pub(super) async fn close(&mut self) -> Result<Vec<NodeReport>, DrillError> {
        futures::future::join_all(self.nodes.iter_mut().map(Node::stop)).await;
        let mut reports = Vec::new();
        for ((node, status), answers) in self.nodes.iter().zip(&self.last).zip(&self.answers) {
            let now = status.as_ref().filter(|_| *answers);
            let verified = node.verify().await;
            // A node that stops cleanly writes a last checkpoint: what its log holds now is more than it held when it was last asked.
            let kept = verified.as_ref().ok();
            reports.push(NodeReport {
                id: node.organisation.member.clone(),
                organisation: node.organisation.id.clone(),
                events: kept.map_or_else(|| status.as_ref().map_or(0, |status| status.events), |kept| kept.events),
                state_digest: now.map(|status| status.state_digest),
                log_root: kept.map(|kept| kept.log_root),
                log_verified: verified.is_ok(),
            });
            if let Err(error) = verified {
                eprintln!("{}: {error}", node.organisation.member);
            }
        }
        Ok(reports)
    }
}

/// How far the nodes agree at the end.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Settled {
    /// Who of the nodes that answer holds what: by digest, each with its count of events.
    pub(super) digests: BTreeMap<B256, Vec<String>>,
    /// Nodes that answer.
    pub(super) answering: usize,
    /// Nodes of the scenario.
    pub(super) nodes: usize,
    /// What is still owed, by node.
    pub(super) owed: Vec<String>,
    /// What each node that answers names.
    pub(super) causes: Causes,
}

impl Settled {
    fn of(statuses: &[Option<Status>]) -> Self {
        let answering: Vec<_> = statuses.iter().flatten().collect();
        let mut digests: BTreeMap<B256, Vec<String>> = BTreeMap::new();
        for status in &answering {
            let holder = format!("{} with {} events", status.member, status.events);
            digests.entry(status.state_digest).or_default().push(holder);
        }
        let owed = answering
            .iter()
            .flat_map(|status| status.owed.iter().map(|line| format!("{}: {line}", status.member)))
            .collect();
        Self { digests, answering: answering.len(), nodes: statuses.len(), owed, causes: causes_of(statuses) }
    }

    fn is_whole(&self) -> bool {
        self.is_same() && self.owed.is_empty()
    }

    /// Whether every node answers and all hold one shared state.
    pub(super) fn is_same(&self) -> bool {
        self.digests.len() == 1 && self.answering == self.nodes
    }

    /// How many answer with how many digests, and who holds which if there are several.
    pub(super) fn words(&self) -> String {
        let mut words = format!("{} of {} nodes answer, {} digests", self.answering, self.nodes, self.digests.len());
        if self.digests.len() > 1 {
            for (digest, holders) in &self.digests {
                words.push_str(&format!("; {}: {}", &digest.to_string()[..10], holders.join(", ")));
            }
        }
        words
    }
}

/// Why each node that answers says that there was no pause: nothing, where it names none.
pub(super) type Causes = BTreeMap<MemberId, BTreeSet<String>>;

/// The causes of every asset that a node names one for.
pub(super) fn causes_of(statuses: &[Option<Status>]) -> Causes {
    let named = |status: &Status| status.assets.iter().filter_map(|asset| asset.cause.clone()).collect();
    statuses.iter().flatten().map(|status| (status.member.clone(), named(status))).collect()
}

fn is_cut(scenario: &Scenario, member: &MemberId) -> bool {
    scenario
        .faults
        .iter()
        .any(|fault| matches!(&fault.what, FaultKind::Cut { member: Who::Member(cut) } if cut == member))
}

fn missing(node: &mut Node, status: Option<&Status>) -> Option<String> {
    let member = &node.organisation.member;
    let Some(status) = status else {
        let state = if node.runs() { "does not answer yet" } else { "ended" };
        return Some(format!("{}: {state}\n    {}", node.organisation.member, node.log_tail()));
    };
    if !status.ready {
        return Some(format!("{member}: not ready: {:?}", status.chains));
    }
    let away: Vec<_> = status.peers.iter().filter(|peer| !peer.connected).map(|peer| peer.member.to_string()).collect();
    (!away.is_empty()).then(|| format!("{member}: not connected to {}", away.join(", ")))
}
