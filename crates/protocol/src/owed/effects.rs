//! Every Safe transaction owed now, with what makes it owed: containment first, then rejections, then recovery.

use std::collections::BTreeSet;

use alloy_primitives::U256;
use watchfire_charter::{Playbook, PlaybookPurpose};
use watchfire_types::body::{Authority, Decision};
use watchfire_types::planted::{Mutation, planted};
use watchfire_types::{AssetId, BlockRef, SafeId, Severity, StepIndex};

use super::cancelled;
use crate::authority::{OwedStep, later};
use crate::effect::{self, Effect};
use crate::machine::Machine;
use crate::shared::content::Kind;

/// Order of submission at one nonce.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Class {
    Containment,
    Rejection,
    Recovery,
}

/// One owed transaction.
#[derive(Debug, Clone)]
pub(crate) struct OwedEffect {
    pub(crate) class: Class,
    pub(crate) effect: Effect,
    pub(crate) authority: Authority,
    pub(crate) severity: Severity,
    pub(crate) step: Option<(Decision, StepIndex)>,
}

/// What containment owes, which everything else yields to.
struct Containment {
    assets: BTreeSet<AssetId>,
    safes: BTreeSet<SafeId>,
}

impl Containment {
    fn of(steps: &[OwedStep<'_>]) -> Self {
        let rungs = steps.iter().filter_map(|owed| owed.playbook.step(owed.step));
        Self {
            assets: steps.iter().map(|owed| owed.decision.asset.clone()).collect(),
            safes: rungs.flat_map(effect::safes).collect(),
        }
    }

    /// R2 (e): no containment of that asset anywhere, and none of any asset on that Safe.
    fn yields(&self, asset: &AssetId, safe: &SafeId) -> bool {
        !self.assets.contains(asset) && (!self.safes.contains(safe) || planted(Mutation::RecoversBeside))
    }
}

pub(crate) fn owed(machine: &Machine) -> Vec<OwedEffect> {
    let steps = machine.owed_containment(None);
    let containment = Containment::of(&steps);
    let mut owed: Vec<OwedEffect> = steps.iter().flat_map(|step| of_step(step, Class::Containment)).collect();
    let recover = machine.charter.playbooks.iter().filter(|(_, playbook)| playbook.purpose == PlaybookPurpose::Recover);
    let mut rejected = BTreeSet::new();
    let mut reject = |owed: &mut Vec<OwedEffect>, safe: &SafeId, asset: &AssetId, authority: Authority| {
        if containment.yields(asset, safe)
            && !rejected.contains(safe)
            && let Some(effect) = rejection(machine, safe)
        {
            rejected.insert(safe.clone());
            let severity = Severity::Sev3;
            owed.push(OwedEffect { class: Class::Rejection, effect, authority, severity, step: None });
        }
    };
    for (safe, asset, authority) in cancelled::rejections(machine).into_iter().chain(foreign_recovery(machine)) {
        reject(&mut owed, &safe, &asset, authority);
    }
    let mut recoveries = Vec::new();
    for (id, playbook) in recover {
        for step in machine.owed_steps(id, playbook) {
            for effect in of_step(&step, Class::Recovery) {
                let asset = &playbook.asset;
                let open = unconsumed(machine, playbook, &step, &effect.effect.safe);
                if !containment.yields(asset, &effect.effect.safe) {
                    continue;
                }
                if open.is_empty() {
                    recoveries.push(effect);
                }
                let (decision, certificate) = (step.decision.clone(), step.certificate);
                for safe in open {
                    let authority = Authority::RejectionBeforeRecovery { decision: decision.clone(), certificate };
                    reject(&mut owed, &safe, asset, authority);
                }
            }
        }
    }
    owed.extend(recoveries);
    owed
}

fn of_step(step: &OwedStep<'_>, class: Class) -> Vec<OwedEffect> {
    let authority = Authority::Step { decision: step.decision.clone(), step: step.step, certificate: step.certificate };
    let effects = step.effects.iter().map(|effect| OwedEffect {
        class,
        effect: effect.clone(),
        authority: authority.clone(),
        severity: step.severity,
        step: Some((step.decision.clone(), step.step)),
    });
    effects.collect()
}

/// The rejection of a Safe's current nonce, if nonce, owners and threshold were readable at the head.
fn rejection(machine: &Machine, safe: &SafeId) -> Option<Effect> {
    let nonce = current_nonce(machine, safe)?;
    let head = machine.view.head(machine.charter.safes.get(safe)?.chain)?;
    let view = machine.view.safes.get(safe)?;
    view.owners.at(&head)?;
    view.threshold.at(&head)?;
    effect::rejection(&machine.charter, &machine.hashes, safe, nonce)
}

pub(super) fn current_nonce(machine: &Machine, safe: &SafeId) -> Option<U256> {
    let head = machine.view.head(machine.charter.safes.get(safe)?.chain)?;
    machine.view.safes.get(safe)?.nonce.at(&head).copied()
}

/// Since which block a Safe's nonce is the current one, in the own view.
pub(super) fn nonce_since(machine: &Machine, safe: &SafeId) -> Option<BlockRef> {
    machine.view.safes.get(safe)?.nonce.since()
}

/// Case 3: the own view shows a recovery that did not consume the nonce at which containment signatures are known: it was current before.
fn foreign_recovery(machine: &Machine) -> Vec<(SafeId, AssetId, Authority)> {
    let mut found = Vec::new();
    for (id, playbook) in machine.charter.playbooks.iter().filter(|(_, p)| p.purpose == PlaybookPurpose::Contain) {
        for safe in machine.containing_safes(&playbook.asset) {
            let (Some(nonce), Some(since)) = (current_nonce(machine, &safe), nonce_since(machine, &safe)) else {
                continue;
            };
            for (_, signed) in machine.shared.content.signed_at(&safe, nonce) {
                let Kind::Step { decision, step, purpose: PlaybookPurpose::Contain } = &signed.kind else { continue };
                let recovered = machine.last_recovery(id, *step).filter(|_| decision.playbook == *id);
                let recovered = recovered.filter(|_| !planted(Mutation::LeavesOpen));
                if let Some(recovered) = recovered.filter(|recovered| later(recovered, &since)) {
                    let asset = playbook.asset.clone();
                    let authority = Authority::RejectionAfterForeignRecovery { asset: asset.clone(), recovered };
                    found.push((safe.clone(), asset, authority));
                }
            }
        }
    }
    found
}

/// Case 2: Safes that contain the asset, other than the one that recovers, whose nonce no rejection has consumed since the recovery
/// votes' evidence, or where containment was owed after that.
fn unconsumed(machine: &Machine, playbook: &Playbook, step: &OwedStep<'_>, through: &SafeId) -> BTreeSet<SafeId> {
    let Some(held) = machine.shared.content.certificates.get(&step.certificate) else { return BTreeSet::new() };
    let evidence = held
        .facts
        .evidence
        .iter()
        .fold(held.facts.earliest, |newest, block| if later(block, &newest) { *block } else { newest });
    let mut open = machine.containing_safes(&playbook.asset);
    if !planted(Mutation::RejectsRecovery) {
        open.remove(through);
    }
    open.retain(|safe| {
        let executions = machine.view.safes.get(safe).into_iter().flat_map(|view| &view.executions);
        let consumed = executions.rev().find(|execution| execution.rejection && !later(&evidence, &execution.block));
        let owed = machine.view.contain_owed.get(&(playbook.asset.clone(), safe.clone()));
        match consumed {
            None => true,
            Some(consumed) => owed.is_some_and(|owed| later(owed, &consumed.block)),
        }
    });
    open
}
