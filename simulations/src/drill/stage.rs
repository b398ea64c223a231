//! The stage of a drill: chain, contracts, money, nodes.

use std::path::PathBuf;
use std::time::Duration;

use alloy::signers::local::PrivateKeySigner;
use alloy_primitives::Address;
use tempfile::TempDir;
use url::Url;

use super::cluster::Cluster;
use super::progress::Progress;
use super::report::ether;
use super::{DrillError, DrillOptions, funds, is_drill_chain};
use crate::anvil::{self, Anvil};
use crate::charter;
use crate::key::{self, Account};
use crate::npm::{self, Package};
use crate::rpc::{self, Rpc};
use crate::safe::{Safe, SafeError};
use crate::scenario::{FaultKind, Scenario, Stage as Place};
use crate::vault;

/// Everything set up.
#[derive(Debug)]
pub(super) struct Stage {
    pub(super) scenario: Scenario,
    pub(super) rpc: Rpc,
    pub(super) funder: Account,
    pub(super) safe: Safe,
    pub(super) vault: Address,
    pub(super) attacker: Account,
    /// The attacker's contract.
    pub(super) contract: Address,
    /// The guard, deployed when the scenario sets one.
    pub(super) guard: Option<Address>,
    pub(super) cluster: Cluster,
    /// How many times as long as usual everybody is waited for.
    pub(super) patience: u32,
    /// Digest of the charter, hex; empty if it has none.
    pub(super) charter_digest: String,
    anvil: Option<Anvil>,
    _temporary: Option<TempDir>,
}

/// Refuses what cannot be drilled, before anything is started.
pub(super) fn check(options: &DrillOptions, scenario: &Scenario) -> Result<(), DrillError> {
    let name = scenario.name.clone();
    if !scenario.runs.contains(&Place::Drill) {
        return Err(DrillError::NotADrill { name });
    }
    if options.rpc.is_some() != options.funder.is_some() {
        return Err(DrillError::HalfARemote);
    }
    let spikes = scenario.faults.iter().any(|fault| matches!(fault.what, FaultKind::BaseFee { .. }));
    if options.rpc.is_some() && spikes {
        return Err(DrillError::NeedsAnvil { name });
    }
    Ok(())
}

const PARTS: u64 = 12;
/// How long a chain may take to greet at its WebSocket.
const SOCKET_GREETS_WITHIN: Duration = Duration::from_secs(2);

/// Counts the parts of the set-up.
struct Steps<'a> {
    progress: &'a dyn Progress,
    done: u64,
}

impl Steps<'_> {
    fn next(&mut self, what: &str) {
        self.progress.set_up(self.done, PARTS, what);
        self.done = (self.done + 1).min(PARTS);
    }
}

/// The chain that a drill runs on.
struct Ground {
    anvil: Option<Anvil>,
    url: Url,
    socket: Option<Url>,
    rpc: Rpc,
    chain_id: u64,
    signer: PrivateKeySigner,
}

/// The chain that `--rpc` names, if it does. Comes before anything else: for a chain that is not for drills no directory is
/// made, no package fetched, no key read and nothing signed.
async fn remote(options: &DrillOptions, scenario: &Scenario) -> Result<Option<Ground>, DrillError> {
    let (Some(url), Some(funder)) = (&options.rpc, &options.funder) else { return Ok(None) };
    let rpc = Rpc::new(url.clone())?;
    let chain_id = rpc.chain_id().await?;
    if !is_drill_chain(chain_id) {
        return Err(DrillError::ChainRefused { chain_id, place: rpc::place(url) });
    }
    let signer = key::read_hex(funder)?;
    let (address, needed) = (signer.address(), funds::needed(scenario, rpc.base_fee().await?));
    let held = rpc.balance(address).await?;
    if held < needed {
        return Err(DrillError::Unfunded {
            address,
            held: ether(&held.to_string()),
            needed: ether(&needed.to_string()),
        });
    }
    let socket = socket_beside(url).await;
    Ok(Some(Ground { anvil: None, url: url.clone(), socket, rpc, chain_id, signer }))
}

/// The WebSocket at the same place, if the chain serves one there, as most development nodes do; without one the nodes ask for heads.
async fn socket_beside(url: &Url) -> Option<Url> {
    let mut socket = url.clone();
    let scheme = if url.scheme() == "https" { "wss" } else { "ws" };
    socket.set_scheme(scheme).ok()?;
    let greeting = tokio_tungstenite::connect_async(socket.as_str());
    tokio::time::timeout(SOCKET_GREETS_WITHIN, greeting).await.ok()?.ok()?;
    Some(socket)
}

/// A chain of the drill's own.
async fn local(progress: &dyn Progress) -> Result<Ground, DrillError> {
    const CHAIN_ID: u64 = 31_337;
    let path = tokio::task::block_in_place(|| anvil::locate(&|line| progress.said(line)))?;
    let anvil = Anvil::start(&path, CHAIN_ID).await?;
    let url = anvil.url().clone();
    let socket = socket_beside(&url).await;
    let rpc = Rpc::new(url.clone())?;
    let signer = key::from_hex(anvil::FUNDER).ok_or(SafeError::Shape { what: "anvil's first account" })?;
    Ok(Ground { anvil: Some(anvil), url, socket, rpc, chain_id: CHAIN_ID, signer })
}

/// Sets everything up until every node is ready and connected.
pub(super) async fn set_up(
    options: &DrillOptions,
    scenario: Scenario,
    progress: &dyn Progress,
) -> Result<Stage, DrillError> {
    let remote = remote(options, &scenario).await?;
    let mut steps = Steps { progress, done: 0 };
    let (base, temporary) = base(options)?;
    steps.next("npm packages");
    let modules = tokio::task::block_in_place(|| npm::install(Package::Drill, &|line| progress.said(line)))?;
    steps.next("the chain");
    let ground = match remote {
        Some(ground) => ground,
        None => local(progress).await?,
    };
    let rpc = ground.rpc;
    let mut funder = Account::open(ground.signer, ground.chain_id, &rpc).await?;
    let socket = ground.socket.as_ref();
    let mut cluster =
        Cluster::init(&scenario, &options.executable, &base, &ground.url, socket, |what| steps.next(what)).await?;
    steps.next("the Safe");
    let owners: Vec<_> = cluster.nodes.iter().map(|node| node.guardian).collect();
    let threshold = u64::from(scenario.governance.safe_threshold);
    let safe = Safe::deploy(&rpc, &mut funder, &modules, &owners, threshold).await?;
    steps.next("the vault");
    let limit = scenario.vault.flagged_limit_wei;
    let vault = vault::deploy(&rpc, &mut funder, safe.address, limit, scenario.vault.wei).await?;
    let guard = match scenario.faults.iter().any(|fault| fault.what == FaultKind::SetGuard {}) {
        true => funder.execute(&rpc, &vault::blocking_guard()?).await?.contract,
        false => None,
    };
    let submitters: Vec<_> = cluster.nodes.iter().map(|node| node.submitter).collect();
    let (attacker, contract) = funds::pay_out(&scenario, &rpc, &mut funder, &submitters, vault).await?;
    let block_time_ms = if ground.anvil.is_some() {
        anvil::mine_every(&rpc, 1).await?;
        1_000
    } else {
        block_time_ms(&rpc).await?
    };
    steps.next("the nodes");
    let members: Vec<_> = cluster.nodes.iter().map(|node| node.entry.clone()).collect();
    let text = charter::compose(&scenario, &members, &safe, vault, block_time_ms);
    let parsed = watchfire_charter::parse(&text).ok();
    let charter_digest = parsed.map(|(charter, _)| hex::encode(charter.digest().as_bytes())).unwrap_or_default();
    cluster.start(&text, (ground.chain_id, scenario.governance.agree), options.patience)?;
    steps.next("every node ready and connected");
    cluster.ready(options.patience, progress).await?;
    Ok(Stage {
        scenario,
        rpc,
        funder,
        safe,
        vault,
        attacker,
        contract,
        guard,
        cluster,
        patience: options.patience,
        charter_digest,
        anvil: ground.anvil,
        _temporary: temporary,
    })
}

fn base(options: &DrillOptions) -> Result<(PathBuf, Option<TempDir>), DrillError> {
    let Some(keep) = &options.keep else {
        let temporary = tempfile::Builder::new()
            .prefix("watchfire-")
            .tempdir()
            .map_err(DrillError::system("cannot make a temporary directory"))?;
        return Ok((temporary.path().to_owned(), Some(temporary)));
    };
    let fault = || DrillError::system(format!("cannot use {}", keep.display()));
    std::fs::create_dir_all(keep).map_err(fault())?;
    if std::fs::read_dir(keep).map_err(fault())?.next().is_some() {
        return Err(DrillError::KeepNotEmpty { path: keep.clone() });
    }
    // Nodes run in another directory's view: a relative path would not name the same place.
    Ok((keep.canonicalize().map_err(fault())?, None))
}

/// Observed time between the two newest blocks, at least a second.
async fn block_time_ms(rpc: &Rpc) -> Result<u64, DrillError> {
    let head = rpc.head().await?;
    let parent = rpc.header(head.number.saturating_sub(1)).await?;
    Ok(head.time.saturating_sub(parent.map_or(head.time, |parent| parent.time)).clamp(1, 60) * 1_000)
}

impl Stage {
    /// Stops the chain, when it was started for this drill.
    pub(super) async fn end(self) {
        if let Some(anvil) = self.anvil {
            anvil.stop().await;
        }
    }
}
