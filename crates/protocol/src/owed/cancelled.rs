//! R2 case 1: after a cancel, the Safe nonces that are consumed by a rejection, and how few of them liars can ask for.
//!
//! What must be consumed. A cancelled containment transaction executes when the Safe's threshold `t` of owners has signed it. Fewer than `k`
//! organisations lie (`k` = the contain rule's), each with one guardian key; owners that are no guardians of the charter may help them. So
//! at least `needed = t - (k - 1) - others` of its signers are honest, and an honest signature is published as soon as it is durable: with
//! fewer than `needed` owners known to have signed, nobody can complete it. That costs no safety, only the hop by which the last honest
//! signature may come later. Where `t > k` a single liar is without a lever already.
//!
//! Where `t = k` one signature is enough, and from the bytes it is the same whether its owner has not heard of the cancel or pretends so. Time
//! tells: a rejection executes only after its threshold of signatures, each published with the cancel certificate it rests on. An owner that
//! goes on signing at nonces that came *after* [`PATIENCE`] rejected ones, within one life of a certificate, is cut off from everybody
//! or lies, and counts for nothing until that life is over. So each owner can ask for at most [`PATIENCE`] rejections per Safe and life, the
//! one at the nonce that was current when the cancel came included, and `k - 1` liars for `k - 1` times as many.
//!
//! What is given up. A guardian that sees the chain but hears no member, and signs the cancelled pause at one nonce after another while the
//! others reject them: what it signs from the third on is no longer consumed for its sake alone, so `k - 1` liars that it does reach could
//! complete a pause that humans had cancelled. It is a pause, it ends by a recovery, and the certificate it rests on dies within its life.

use std::collections::BTreeSet;

use alloy_primitives::{Address, U256};
use watchfire_charter::{Playbook, PlaybookPurpose};
use watchfire_types::body::{Authority, Decision};
use watchfire_types::planted::{Mutation, planted};
use watchfire_types::{AssetId, BlockRef, BlockTime, SafeId};

use super::effects::{current_nonce, nonce_since};
use crate::authority::later;
use crate::machine::Machine;
use crate::shared::content::{Kind, Signed};

/// Rejected nonces within one life of a certificate after which an owner's further signatures of the cancelled effect are not believed.
const PATIENCE: usize = 3;

/// Every Safe whose current nonce is to be consumed under a cancel certificate.
pub(super) fn rejections(machine: &Machine) -> Vec<(SafeId, AssetId, Authority)> {
    let mut found = Vec::new();
    for safe in machine.charter.safes.keys() {
        let (Some(nonce), Some(since)) = (current_nonce(machine, safe), nonce_since(machine, safe)) else { continue };
        let past = machine.shared.content.signed.iter().filter(|_| planted(Mutation::RejectsLater));
        for (_, signed) in machine.shared.content.signed_at(safe, nonce).chain(past) {
            let Some(decision) = contains(signed).filter(|_| !planted(Mutation::NeverRejects)) else { continue };
            let Some((cut, certificate)) = machine.shared.content.cancel(decision) else { continue };
            if concerns(machine, decision, &cut, &since) && completable(machine, safe, decision, signed) {
                let authority = Authority::RejectionCancelled { decision: decision.clone(), certificate };
                found.push((safe.clone(), decision.asset.clone(), authority));
            }
        }
    }
    found
}

/// The decision of a containment transaction.
fn contains(signed: &Signed) -> Option<&Decision> {
    match &signed.kind {
        Kind::Step { decision, purpose: PlaybookPurpose::Contain, .. } => Some(decision),
        Kind::Step { purpose: PlaybookPurpose::Recover, .. } | Kind::Rejection => None,
    }
}

/// Whether a cancel concerns signatures at a nonce that is current since a block. Either it was current at the cut: once it is consumed the
/// cancel has no more to say. Or every certificate under which anybody could still sign is cancelled: a guardian that did not know the
/// cancel yet signed at a later nonce under one of them, which ends with their lives.
fn concerns(machine: &Machine, decision: &Decision, cut: &BlockRef, since: &BlockRef) -> bool {
    let Some(playbook) = machine.charter.playbooks.get(&decision.playbook) else { return false };
    let steps = playbook.steps_indexed().filter_map(|(step, rung)| Some((step, machine.oldest_alive(playbook, rung)?)));
    let held = steps.flat_map(|(step, oldest)| machine.shared.content.of_step(decision, step, oldest));
    let mut alive = held.peekable();
    let any = alive.peek().is_some();
    let cancelled = alive.all(|(_, held)| held.facts.evidence.iter().any(|evidence| !later(evidence, cut)));
    cancelled && (any || !later(since, cut))
}

/// Whether liars, with everything they may withhold, could make a transaction complete that these owners have signed.
fn completable(machine: &Machine, safe: &SafeId, decision: &Decision, signed: &Signed) -> bool {
    let Some(entry) = machine.charter.safes.get(safe) else { return false };
    let (Some(view), Some(head)) = (machine.view.safes.get(safe), machine.view.head(entry.chain)) else { return false };
    let (Some(owners), Some(threshold)) = (view.owners.at(&head), view.threshold.at(&head)) else { return false };
    let Some(playbook) = machine.charter.playbooks.get(&decision.playbook) else { return false };
    let guardians = machine.charter.guardians_of(entry);
    let others = owners.iter().filter(|owner| !guardians.contains_key(*owner)).count();
    let liars = usize::from(machine.charter.rules.contain.organisations).saturating_sub(1);
    let threshold = usize::try_from(*threshold).unwrap_or(usize::MAX);
    let needed = threshold.saturating_sub(liars.saturating_add(others)).max(1);
    let rejected = lately_rejected(machine, safe, playbook, &head);
    let believed =
        |owner: &&Address| owners.contains(*owner) && provoked(machine, safe, decision, owner, &rejected) < PATIENCE;
    signed.owners.keys().filter(believed).count() >= needed
}

/// Nonces of a Safe that rejections consumed within one life of a certificate, in the own view.
fn lately_rejected(machine: &Machine, safe: &SafeId, playbook: &Playbook, head: &BlockRef) -> BTreeSet<U256> {
    let since = BlockTime::from_secs(head.time.as_secs().saturating_sub(playbook.expiry_s));
    let executions = machine.view.safes.get(safe).into_iter().flat_map(|view| &view.executions);
    let lately = executions.filter(|execution| execution.rejection && execution.block.time >= since);
    let signed = lately.filter_map(|execution| machine.shared.content.signed.get(&execution.safe_tx_hash));
    signed.map(|signed| signed.transaction.nonce).collect()
}

/// At how many of these nonces an owner had signed a containment transaction of the decision.
fn provoked(
    machine: &Machine,
    safe: &SafeId,
    decision: &Decision,
    owner: &Address,
    rejected: &BTreeSet<U256>,
) -> usize {
    let signed_at = |nonce: &&U256| {
        let mut at = machine.shared.content.signed_at(safe, **nonce);
        at.any(|(_, signed)| contains(signed) == Some(decision) && signed.owners.contains_key(owner))
    };
    rejected.iter().filter(signed_at).count()
}
