//! What the scenario does to the network and what its people do.

use std::collections::BTreeSet;
use std::time::Duration;

use alloy::signers::local::PrivateKeySigner;
use alloy_primitives::B256;
use sha2::{Digest, Sha256};
use watchfire_types::control::CanPause;
use watchfire_types::{OperatorId, SafeTransaction, domain};

use super::DrillError;
use super::node::{Node, PASSWORD};
use super::stage::Stage;
use crate::charter::{PAUSE_STEP, PLAYBOOK, RECOVERY};
use crate::key;
use crate::operator::{Answering, Conduct, Lie, Operator, Tale};
use crate::scenario::{Act, FaultKind, HumanPart, Lies, Part, Who};
use crate::{anvil, vault};

/// Tip of the owners' own transaction: it goes before anything that waits for the same block.
const STEALING_TIP: u128 = 50_000_000_000;

/// Who has which part, known before the play.
#[derive(Debug)]
pub(super) struct Parts {
    /// Place of the node that submits the pause first at the Safe's present nonce.
    pub(super) first_submitter: usize,
    /// Keys of as many owners as the threshold, where the scenario needs them.
    owners: Vec<PrivateKeySigner>,
}

impl Parts {
    pub(super) fn of(stage: &Stage, nonce: u64) -> Result<Self, DrillError> {
        let pause = SafeTransaction::call(stage.vault, vault::pause().into(), alloy_primitives::U256::from(nonce));
        let digest = stage.safe.hash(&pause);
        let nodes = &stage.cluster.nodes;
        let first = (0..nodes.len()).min_by_key(|place| rank_key(digest, &nodes[*place]));
        let needs_owners = |fault: &FaultKind| matches!(fault, FaultKind::StealNonce {} | FaultKind::SetGuard {});
        let mut owners = Vec::new();
        if stage.scenario.faults.iter().any(|fault| needs_owners(&fault.what)) {
            for node in nodes.iter().take(usize::from(stage.scenario.governance.safe_threshold)) {
                owners.push(key::read_keystore(&node.directory.join("keys/guardian.json"), PASSWORD)?);
            }
        }
        Ok(Self { first_submitter: first.unwrap_or_default(), owners })
    }

    fn place(&self, stage: &Stage, who: &Who) -> usize {
        match who {
            Who::Part(Part::FirstSubmitter) => self.first_submitter,
            // The scenario was checked: everyone it names takes part.
            Who::Member(member) => stage.cluster.place(member).unwrap_or_default(),
        }
    }
}

/// Submitters' order: SHA-256 of domain, Safe transaction hash and guardian.
fn rank_key(digest: B256, node: &Node) -> [u8; 32] {
    Sha256::new().chain_update(domain::RANK).chain_update(digest).chain_update(node.guardian).finalize().into()
}

/// What a fault leaves to watch for.
pub(super) enum Aftermath {
    /// Nothing.
    None,
    /// This transaction takes the nonce once it is in a block.
    Takes(B256),
}

/// Makes one fault happen.
pub(super) async fn fault(stage: &mut Stage, parts: &Parts, what: &FaultKind) -> Result<Aftermath, DrillError> {
    match what {
        FaultKind::Kill { member } => {
            let place = parts.place(stage, member);
            stage.cluster.nodes[place].kill().await;
        }
        FaultKind::Restart { member } => {
            let place = parts.place(stage, member);
            stage.cluster.restart(place)?;
        }
        FaultKind::Cut { member } | FaultKind::Heal { member } => {
            let place = parts.place(stage, member);
            let member = stage.cluster.nodes[place].organisation.member.clone();
            stage.cluster.link(&member, matches!(what, FaultKind::Heal { .. }));
        }
        FaultKind::HoldTransactionsOf { member } => hold(&stage.cluster.nodes[parts.place(stage, member)], true),
        FaultKind::ReleaseTransactionsOf { member } => hold(&stage.cluster.nodes[parts.place(stage, member)], false),
        FaultKind::HoldTransactions {} => stage.cluster.nodes.iter().for_each(|node| hold(node, true)),
        FaultKind::ReleaseTransactions {} => stage.cluster.nodes.iter().for_each(|node| hold(node, false)),
        FaultKind::StealNonce {} => return Ok(Aftermath::Takes(steal_nonce(stage, parts).await?)),
        FaultKind::SetGuard {} => set_guard(stage, parts).await?,
        FaultKind::BaseFee { factor } => {
            anvil::spike_base_fee(&stage.rpc, *factor).await?;
        }
        FaultKind::Lie { operators, wei_per_block, blocks } => {
            let tale = Tale::Drain { wei_per_block: *wei_per_block, blocks: *blocks };
            lie(stage, operators, tale).await?;
        }
        FaultKind::Deny { operators, lie: Lies::NoLoss } => {
            let wei = stage.rpc.balance(stage.vault).await?;
            lie(stage, operators, Tale::Untouched { wei }).await?;
        }
        FaultKind::Lag { operators, .. }
        | FaultKind::Fail { operators }
        | FaultKind::Silence { operators }
        | FaultKind::Throttle { operators }
        | FaultKind::Ration { operators, .. }
        | FaultKind::Prune { operators, .. }
        | FaultKind::Recover { operators } => behave(stage, operators, |conduct| answers(conduct, what)),
        FaultKind::Crash { .. }
        | FaultKind::CrashInSync { .. }
        | FaultKind::ReplaceOwner { .. }
        | FaultKind::ChangeThreshold { .. }
        | FaultKind::Split { .. }
        | FaultKind::Flap { .. }
        | FaultKind::Eclipse { .. }
        | FaultKind::StrangerSetsFlag {}
        | FaultKind::StrangerFlips { .. }
        | FaultKind::FeeFloor { .. }
        | FaultKind::Mute { .. }
        | FaultKind::HealAll {}
        | FaultKind::Clock { .. }
        | FaultKind::Drift { .. }
        | FaultKind::Reorg { .. }
        | FaultKind::Stall { .. }
        | FaultKind::DiskFull { .. }
        | FaultKind::DiskFreed { .. }
        | FaultKind::SyncFails { .. }
        | FaultKind::LockKey { .. }
        | FaultKind::UnlockKey { .. }
        | FaultKind::StrangerPauses {}
        | FaultKind::StrangerResumes {}
        | FaultKind::StrangerClearsFlag {}
        | FaultKind::Deny { .. }
        | FaultKind::AttackAgain {} => {
            return Err(DrillError::NotADrill { name: stage.scenario.name.clone() });
        }
    }
    Ok(Aftermath::None)
}

/// How an operator that this happens to answers from now on.
fn answers(conduct: &mut Conduct, what: &FaultKind) {
    match what {
        FaultKind::Lag { delay_ms, .. } => conduct.answering = Answering::Late(Duration::from_millis(*delay_ms)),
        FaultKind::Fail { .. } => conduct.answering = Answering::Failing,
        FaultKind::Silence { .. } => conduct.answering = Answering::Silent,
        FaultKind::Throttle { .. } => conduct.answering = Answering::Throttling,
        FaultKind::Ration { per_second, .. } => conduct.ration = Some(*per_second),
        FaultKind::Prune { keep, .. } => conduct.keeps = Some(*keep),
        _ => *conduct = Conduct::default(),
    }
}

/// From the next block on these operators tell a tale of the vault's balance.
async fn lie(stage: &Stage, operators: &BTreeSet<OperatorId>, tale: Tale) -> Result<(), DrillError> {
    let from_block = stage.rpc.head().await?.number + 1;
    let lie = Lie { account: stage.vault, from_block, tale };
    behave(stage, operators, |conduct| conduct.lie = Some(lie));
    Ok(())
}

/// Whether what this node sends stays with its operator.
fn hold(node: &Node, holds: bool) {
    node.operator.behave(|conduct| conduct.holds_transactions = holds);
}

/// An unrelated transaction of the Safe that outbids the pause; answers its hash.
async fn steal_nonce(stage: &mut Stage, parts: &Parts) -> Result<B256, DrillError> {
    let nonce = stage.safe.nonce(&stage.rpc).await?;
    let unrelated = stage.safe.unrelated(stage.funder.address(), nonce);
    let order = stage.safe.signed_call("an unrelated Safe transaction", &unrelated, &parts.owners)?;
    Ok(stage.funder.send(&stage.rpc, &order.with_tip(STEALING_TIP)).await?)
}

async fn set_guard(stage: &mut Stage, parts: &Parts) -> Result<(), DrillError> {
    let nonce = stage.safe.nonce(&stage.rpc).await?;
    let guard = stage.safe.set_guard(stage.guard.unwrap_or_default(), nonce);
    let order = stage.safe.signed_call("the guard", &guard, &parts.owners)?;
    stage.funder.execute(&stage.rpc, &order).await?;
    Ok(())
}

fn behave(stage: &Stage, operators: &BTreeSet<OperatorId>, change: impl Fn(&mut Conduct)) {
    let named = stage.cluster.nodes.iter().filter(|node| operators.contains(&node.organisation.operator));
    named.map(|node| &node.operator).for_each(|operator: &Operator| operator.behave(&change));
}

/// What `watchfire status` answers for each node, all asked at once.
pub(super) async fn statuses(stage: &Stage) -> Result<Vec<Option<CanPause>>, DrillError> {
    futures::future::try_join_all(stage.cluster.nodes.iter().map(Node::can_pause)).await
}

/// What people do, through the command line of their own nodes, all at once.
pub(super) async fn human(stage: &Stage, part: &HumanPart) -> Result<(), DrillError> {
    let step = PAUSE_STEP.to_string();
    let acts = part.organisations.iter().filter_map(|id| stage.cluster.of(id)).map(|node| {
        let person = format!("{}-on-call", node.organisation.id);
        let step = &step;
        async move {
            let mut arguments = vec!["incident"];
            match part.act {
                Act::Approve => arguments.extend(["approve", "latest", "--step", step]),
                Act::Veto => arguments.extend(["veto", "latest"]),
                Act::Recover => arguments.extend(["approve", "latest", "--step", "1"]),
                Act::CloseFalse => arguments.extend(["close", "latest", "--outcome", "false"]),
                Act::Reject => arguments.extend(["reject", "latest"]),
                // Who is asleep does nothing, and no scenario that is drilled has the other: `scenario::parse`.
                Act::Asleep | Act::Promote => return Ok(String::new()),
            }
            let playbook = if part.act == Act::Recover { RECOVERY } else { PLAYBOOK };
            if part.act != Act::Reject {
                arguments.extend(["--playbook", playbook]);
            }
            arguments.extend(["--person", &person, "--role", "on-call"]);
            arguments.extend(["--reason", &part.reason, "--json"]);
            node.command(&arguments).await
        }
    });
    futures::future::try_join_all(acts).await?;
    Ok(())
}
