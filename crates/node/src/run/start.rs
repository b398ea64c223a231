//! From a configuration file to a running loop, or to the name of what is wrong.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use tokio::sync::mpsc;
use watchfire_charter::{Charter, MemberKind};
use watchfire_detect::Detectors;
use watchfire_driver::{Driver, Output, Witness};
use watchfire_evm::Backfill;
use watchfire_gossip::{Entry, GossipConfig, Kind};
use watchfire_journal::{FileStorage, IndexOptions, Journal, JournalError, JournalOptions, LogIndex};
use watchfire_types::{ChainId, Epoch, MemberId, MemberKey};

use super::baseline::Baseline;
use super::calls::Tracing;
use super::catch_up::CatchingUp;
use super::chains::{ChainTask, Scanned, config_of};
use super::evidence::Keeper;
use super::executor::Executor;
use super::feed::ChainState;
use super::intake::Intake;
use super::live::LiveFacts;
use super::node::{Inbox, Node};
use super::silence::Silence;
use super::{RunError, index_keys, now};
use crate::charter_file;
use crate::config::Config;
use crate::control::records::Records;
use crate::control::{server, socket_path};
use crate::kept::witness_directories;
use crate::keys::ring::Payer;
use crate::keys::{UnboundKeys, random};
use crate::place;

/// Messages of all chains that wait for the loop; each feed holds 64 more and then waits.
const CHAIN_MESSAGES_MAX: usize = 64;
/// Answers of simulations and looks that wait for the loop.
const ANSWERS_MAX: usize = 64;

/// What is opened before anything runs.
pub(super) struct Opened {
    config: Config,
    charter: Arc<Charter>,
    keys: UnboundKeys,
    journal: Journal<FileStorage>,
    index: LogIndex,
    witness: Witness<FileStorage>,
}

/// Runs a node until it is told to stop.
///
/// # Errors
/// [`RunError`].
pub fn run(path: &Path) -> Result<(), RunError> {
    // Two TLS stacks are in the tree: say which one, once. A provider that is already installed is as good.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let opened = open(path)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|source| RunError::System { doing: "start the runtime", source })?;
    let ended = runtime.block_on(serve(opened));
    // Tasks that still wait for an endpoint have nothing to finish.
    runtime.shutdown_background();
    ended
}

pub(super) fn open(path: &Path) -> Result<Opened, RunError> {
    let config = Config::load(path)?;
    let (charter, warnings) = charter_file::load(&config.charter)?;
    for warning in &warnings {
        tracing::warn!(charter = %config.charter.display(), "{warning}");
    }
    check(&config, place::faults(&config, &charter))?;
    let log = |source: JournalError| RunError::Log { directory: config.directory.clone(), source };
    // The lock first: nothing of a directory is touched that another process runs on.
    let storage = FileStorage::open(&config.directory.join("journal")).map_err(log)?;
    let guardian = charter.members.get(&config.member).is_some_and(|member| member.kind == MemberKind::Guardian);
    let password = config.password.take()?;
    let keys = UnboundKeys::unlock(&config.directory, &password, guardian)?;
    drop(password);
    check(&config, place::key_faults(&config, &charter, &keys))?;
    let mut journal = Journal::open(storage, JournalOptions::default()).map_err(log)?;
    let index =
        LogIndex::open(&config.directory.join("sled"), &journal, index_keys, IndexOptions::default()).map_err(log)?;
    let [first, second] = witness_directories(&config.directory);
    let storages = [FileStorage::open(&first).map_err(log)?, FileStorage::open(&second).map_err(log)?];
    let witness = Witness::open(storages, &charter, &config.member).map_err(log)?;
    // Last: the log takes what room there is, and the others need some.
    journal.prepare().map_err(log)?;
    Ok(Opened { charter: Arc::new(charter), keys, journal, index, witness, config })
}

fn check(config: &Config, faults: Vec<place::PlaceFault>) -> Result<(), RunError> {
    if faults.is_empty() { Ok(()) } else { Err(RunError::Place { path: config.path.clone(), faults }) }
}

async fn serve(opened: Opened) -> Result<(), RunError> {
    let Assembled { node, inbox, output, socket: _socket } = assemble(opened)?;
    node.run(inbox, output).await
}

/// A node with everything beside it started; only its loop does not turn yet.
pub(super) struct Assembled {
    pub(super) node: Node,
    pub(super) inbox: Inbox,
    /// What the replay of the log releases.
    pub(super) output: Output,
    /// The control socket, there until dropped.
    pub(super) socket: server::Guard,
}

/// Starts everything beside the loop; within a runtime.
pub(super) fn assemble(opened: Opened) -> Result<Assembled, RunError> {
    let Opened { config, charter, keys, journal, index, witness } = opened;
    let network = charter.network_id();
    let (gossip, gossip_events) = watchfire_gossip::spawn(&gossip_config(&config, &charter, &keys))?;
    let records = Records::default();
    let (socket, asks) = server::spawn(&socket_path(&config.directory), records.clone())?;
    // A binding is for good: what the charter or the configuration could still be refused for has come before.
    let mut keys = keys.bind(network)?;
    let payer = keys.take_payer().map(Arc::new);
    let opener = keys.opener(config.member.clone());
    let epoch = Epoch::from_bytes(random::<16>()?);
    let (mut driver, output) =
        Driver::open(journal, keys, Arc::clone(&charter), network, config.member.clone(), epoch, now())?;
    driver.set_witness(witness);
    let own = charter.members.get(&config.member).map_or(MemberKey::from_bytes([0; 32]), |member| member.node_key);
    let (evidence, told) = Keeper::open(&config, &charter, own, driver.machine().events())?;
    let (preflight_out, preflights) = mpsc::channel(ANSWERS_MAX);
    let (live_out, live) = mpsc::channel(ANSWERS_MAX);
    let (tracing, traced) = Tracing::new();
    let (catching_up, prepared) = CatchingUp::new();
    let (intake, reports) = Intake::open(&config, &charter)?;
    let (chain_out, chain_messages) = mpsc::channel(CHAIN_MESSAGES_MAX);
    let scanned = Scanned::load(&config.directory);
    let (baseline, lost) = match Baseline::load(&config.directory) {
        Ok(baseline) => (baseline, None),
        Err((baseline, error)) => (baseline, Some(error)),
    };
    let chains = chains(&config, &charter, &scanned, payer.as_ref(), &chain_out);
    drop(chain_out);
    let organisation = config.organisation.clone();
    tracing::info!(member = %config.member, network = %network, events = driver.events(), "started");
    let mut node = Node {
        charter,
        organisation,
        opener,
        driver,
        gossip,
        index,
        records,
        executor: Executor::new(preflight_out),
        evidence,
        chains,
        scanned,
        baseline,
        live_out,
        tracing,
        intake,
        silence: Silence::default(),
        floors: BTreeMap::new(),
        announced: Vec::new(),
        connected: BTreeSet::new(),
        greets: None,
        seen: BTreeMap::new(),
        arrivals: BTreeMap::new(),
        signed: BTreeSet::new(),
        said: BTreeSet::new(),
        standing: BTreeMap::new(),
        ready: false,
        next_catch_up: 0,
        catching_up,
        config,
    };
    if let Some(error) = lost {
        let text =
            format!("baseline.json cannot be read ({error}): what was exchanged while this node was down is not known");
        node.stands("baseline", text);
    }
    let (gossip, chains) = (gossip_events, chain_messages);
    let inbox = Inbox { gossip, chains, preflights, live, traced, asks, reports, prepared, evidence: told };
    Ok(Assembled { node, inbox, output, socket })
}

/// What this member's part of the network is started with.
pub(crate) fn gossip_config(config: &Config, charter: &Charter, keys: &UnboundKeys) -> GossipConfig {
    GossipConfig {
        identity: keys.identity_seed(),
        network: charter.network_id(),
        listen: config.listen.clone(),
        members: members(config, charter),
    }
}

fn members(config: &Config, charter: &Charter) -> Vec<Entry> {
    let entry = |(id, member): (&MemberId, &watchfire_charter::Member)| Entry {
        key: member.node_key,
        kind: match member.kind {
            MemberKind::Guardian => Kind::Guardian,
            MemberKind::Voter => Kind::Voter,
            MemberKind::Watcher => Kind::Watcher,
        },
        addresses: config.peers.get(id).unwrap_or(&member.addresses).clone(),
    };
    charter.members.iter().map(entry).collect()
}

fn chains(
    config: &Config,
    charter: &Charter,
    scanned: &Scanned,
    payer: Option<&Arc<Payer>>,
    out: &mpsc::Sender<(ChainId, super::chains::ChainMessage)>,
) -> BTreeMap<ChainId, ChainState> {
    let mut states = BTreeMap::new();
    for (chain, section) in &config.chains {
        let Some(chain_config) = config_of(charter, &config.member, section) else { continue };
        let detectors = Detectors::new(charter, *chain);
        let mut reads = detectors.reads();
        reads.extend(watchfire_protocol::reads(charter, *chain));
        let window_s = detectors.window_s_max().max(watchfire_protocol::lookback_s(charter, *chain));
        let backfill = Backfill {
            window_s,
            resume_after: scanned.last(*chain),
            transactions: detectors.wants_transactions(),
            ..Backfill::default()
        };
        let payer_address = payer.map(|payer| watchfire_evm::GasPayer::address(payer.as_ref()));
        let state = ChainState {
            detectors,
            head: None,
            base_fee: None,
            recent: BTreeMap::new(),
            ready: false,
            trouble: None,
            unseen: None,
            finalized: None,
            unproved: None,
            live: LiveFacts::new(charter, *chain, payer_address),
        };
        states.insert(*chain, state);
        let task = ChainTask { config: chain_config, reads, backfill, payer: payer.cloned(), out: out.clone() };
        tokio::spawn(task.run());
    }
    states
}
