//! Whether a certificate authorises now, and what that makes owed: shared state judged by the own view, never by another's words.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use alloy_primitives::B256;
use thiserror::Error;
use watchfire_charter::{Playbook, PlaybookPurpose, Step};
use watchfire_types::body::{Decision, Finding};
use watchfire_types::input::PreflightOutcome;
use watchfire_types::planted::{Mutation, planted};
use watchfire_types::{AssetId, BlockRef, BlockTime, ChainId, Operation, PlaybookId, SafeId, Severity, StepIndex};

use crate::effect::{self, Effect, EffectFault};
use crate::machine::Machine;
use crate::shared::content::Kind;

/// Whether `block` is later than `than`; equal is not. Across chains, block time decides.
pub(crate) fn later(block: &BlockRef, than: &BlockRef) -> bool {
    if block.chain == than.chain { block.number > than.number } else { block.time > than.time }
}

/// One step that should be on chain now.
#[derive(Debug, Clone)]
pub(crate) struct OwedStep<'a> {
    pub(crate) decision: Decision,
    pub(crate) playbook: &'a Playbook,
    pub(crate) step: StepIndex,
    pub(crate) certificate: B256,
    pub(crate) severity: Severity,
    pub(crate) effects: Vec<Effect>,
}

/// Why a step has no transaction now.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(crate) enum Unbuilt {
    /// Something it is built from has no answer at the head.
    #[error("nonce, owners, threshold, postconditions or the code of MultiSendCallOnly cannot be read at the head")]
    Unread,
    /// It cannot be built as the chain is.
    #[error(transparent)]
    Never(EffectFault),
}

impl Machine {
    /// The decision of a playbook under the adopted version.
    pub(crate) fn decision(&self, id: &PlaybookId, playbook: &Playbook) -> Decision {
        Decision { version: self.charter.version, asset: playbook.asset.clone(), playbook: id.clone() }
    }

    /// The agreed head of a playbook's asset's chain.
    pub(crate) fn asset_head(&self, asset: &AssetId) -> Option<BlockRef> {
        self.view.head(self.charter.assets.get(asset)?.chain)
    }

    /// The block times that the own view of an asset's chain holds blocks of: no other evidence stands.
    pub(crate) fn held_times(&self, asset: &AssetId) -> Option<RangeInclusive<BlockTime>> {
        let chain = self.view.chains.get(&self.charter.assets.get(asset)?.chain)?;
        Some(chain.canonical.first_key_value()?.1.time..=chain.head?.time)
    }

    /// Evidence that may count: a block that the own view holds as canonical, and no other. What is later than the head, orphaned, older
    /// than the view or forgotten by it may have been a block once; nobody here could say that it is one.
    pub(crate) fn evidence_stands(&self, evidence: &BlockRef) -> bool {
        let chain = self.view.chains.get(&evidence.chain);
        let held = chain.and_then(|chain| chain.canonical.get(&evidence.number));
        held.is_some_and(|block| block == evidence) || planted(Mutation::CountsAnyEvidence)
    }

    /// Newest block where a step that held in all its postconditions ceased to hold in one. One of several that is no more than a flag, and that anybody may
    /// flip, ends nothing that never held. What is not known to have been false before held: nobody's flips make a recovery forgotten.
    pub(crate) fn turned_false(&self, rung: &Step) -> Option<BlockRef> {
        let tracks = rung.actions.iter().map(|action| self.view.conditions.get(action.chain, &action.postcondition));
        let tracks: Vec<_> = tracks.flatten().collect();
        let held = |at: &BlockRef| tracks.iter().all(|track| track.before(at).is_none_or(|value| *value));
        newest(tracks.iter().filter_map(|track| track.turns(&false).find(&held)))
    }

    /// Blocks in which an effect of a recovery playbook of the asset executed.
    pub(crate) fn recovery_executions(&self, asset: &AssetId) -> impl Iterator<Item = BlockRef> {
        let executions = self.view.safes.values().flat_map(|safe| &safe.executions);
        executions.filter_map(move |execution| {
            let signed = self.shared.content.signed.get(&execution.safe_tx_hash)?;
            let recovers = matches!(&signed.kind, Kind::Step { decision, purpose: PlaybookPurpose::Recover, .. }
                if decision.asset == *asset);
            (recovers && execution.succeeded).then_some(execution.block)
        })
    }

    /// Last executed containment of an asset: a containment postcondition turned true, or was true when this view began.
    pub(crate) fn last_containment(&self, asset: &AssetId) -> Option<BlockRef> {
        let playbooks = self.charter.playbooks_of(asset).map(|(_, playbook)| playbook);
        let contain = playbooks.filter(|playbook| playbook.purpose == PlaybookPurpose::Contain);
        newest(
            contain.flat_map(Playbook::actions).filter_map(|action| {
                self.view.conditions.get(action.chain, &action.postcondition)?.became_or_began(&true)
            }),
        )
    }

    /// Evidence at or before this block is cancelled.
    pub(crate) fn cancel_cut(&self, decision: &Decision) -> Option<BlockRef> {
        Some(self.shared.content.cancel(decision).filter(|_| !planted(Mutation::IgnoresCancel))?.0)
    }

    /// Whether every postcondition of a step holds by the newest reading.
    pub(crate) fn took_effect(&self, step: &Step) -> bool {
        step.actions.iter().all(|action| {
            let track = self.view.conditions.get(action.chain, &action.postcondition);
            track.and_then(|track| track.last()).copied().unwrap_or(false)
        })
    }

    /// *Satisfied*: the step's own postcondition or a wider step's holds. A recovery step only satisfies itself.
    pub(crate) fn satisfied(&self, playbook: &Playbook, step: StepIndex) -> bool {
        match playbook.purpose {
            PlaybookPurpose::Contain if !planted(Mutation::IgnoresWider) => {
                playbook.steps_indexed().filter(|(index, _)| *index >= step).any(|(_, rung)| self.took_effect(rung))
            }
            PlaybookPurpose::Contain | PlaybookPurpose::Recover => {
                playbook.step(step).is_some_and(|rung| self.took_effect(rung))
            }
        }
    }

    /// The transactions of a step at the Safes' current nonces, calls whose postcondition already holds left out. Empty unless nonce,
    /// owners, threshold and postconditions were all readable at the head of each chain, and where calls are packed the code that packs them.
    pub(crate) fn effects(&self, rung: &Step) -> Vec<Effect> {
        effect::safes(rung).iter().filter_map(|safe| self.effect_at(rung, safe)?.ok()).collect()
    }

    /// As [`Machine::effects`], whole or not at all: each Safe of the step with its transaction, those left out where nothing is left
    /// to call.
    ///
    /// # Errors
    /// The first Safe whose transaction cannot be built, and why not.
    pub(crate) fn all_effects(&self, rung: &Step) -> Result<Vec<Effect>, (SafeId, Unbuilt)> {
        let mut effects = Vec::new();
        for safe in effect::safes(rung) {
            match self.effect_at(rung, &safe) {
                None => return Err((safe, Unbuilt::Unread)),
                Some(Ok(effect)) => effects.push(effect),
                Some(Err(EffectFault::NothingLeft)) => {}
                Some(Err(fault)) => return Err((safe, Unbuilt::Never(fault))),
            }
        }
        Ok(effects)
    }

    /// `None` while what it is built from cannot be read.
    fn effect_at(&self, rung: &Step, safe: &SafeId) -> Option<Result<Effect, EffectFault>> {
        let chain = self.charter.safes.get(safe)?.chain;
        let head = self.view.head(chain)?;
        let view = self.view.safes.get(safe)?;
        let nonce = *view.nonce.at(&head)?;
        view.owners.at(&head)?;
        view.threshold.at(&head)?;
        let mut omitted = BTreeSet::new();
        for (index, action) in effect::calls(rung, safe) {
            let track = self.view.conditions.get(action.chain, &action.postcondition)?;
            if *track.at(&self.view.head(action.chain)?)? && !planted(Mutation::OmitsNothing) {
                omitted.insert(index);
            }
        }
        let effect = effect::build(&self.charter, &self.hashes, rung, safe, nonce, &omitted);
        match &effect {
            Ok(packed) if packed.transaction.operation == Operation::DelegateCall => {
                match self.code_is_pinned(chain)? {
                    true => Some(effect),
                    false => Some(Err(EffectFault::OtherCode { chain, address: packed.transaction.to })),
                }
            }
            _ => Some(effect),
        }
    }

    /// Whether the chain's MultiSendCallOnly has the code that the charter pins: it runs as the Safe, whatever its address. The newest reading
    /// counts, for code does not change by itself, and one endpoint that does not tell it now must not hold up a pause; `None` where nobody
    /// told it yet.
    fn code_is_pinned(&self, chain: ChainId) -> Option<bool> {
        let pinned = self.charter.chains.get(&chain)?.multi_send_call_only?;
        self.view.conditions.pinned(chain, &pinned)?.last().copied()
    }

    /// Whether a simulation at the newest answer refutes any of a step's transactions.
    pub(crate) fn preflight_refutes(&self, effects: &[Effect]) -> bool {
        effects.iter().any(|effect| {
            let outcome = self.view.outcomes.get(&effect.safe_tx_hash).and_then(|outcome| outcome.preflight.as_ref());
            matches!(outcome, Some((_, PreflightOutcome::Refuted { .. }))) && !planted(Mutation::SignsRefuted)
        })
    }

    /// Whether a submission of any of a step's transactions failed on chain, at the nonce as it stands.
    pub(crate) fn submission_refutes(&self, effects: &[Effect]) -> bool {
        effects
            .iter()
            .any(|effect| self.view.outcomes.get(&effect.safe_tx_hash).is_some_and(|outcome| outcome.failed.is_some()))
    }

    /// What is owed under one playbook: the widest unsatisfied step with an authorising certificate that the preflight does not refute;
    /// where its submission failed on chain, the next narrower as well.
    pub(crate) fn owed_steps<'a>(&'a self, id: &PlaybookId, playbook: &'a Playbook) -> Vec<OwedStep<'a>> {
        let mut owed = Vec::new();
        for (step, rung) in playbook.steps_indexed().rev() {
            if self.satisfied(playbook, step) {
                continue;
            }
            let uncertified = planted(Mutation::OwesUncertified).then_some(B256::ZERO);
            let Some(certificate) = self.authorising(id, step).or(uncertified) else { continue };
            if self.scheduled(id, playbook, step).is_some() {
                continue;
            }
            let effects = match self.all_effects(rung) {
                Ok(effects) => effects,
                Err((_, Unbuilt::Unread)) => self.effects(rung),
                // What can never be built is as good as refuted.
                Err((_, Unbuilt::Never(_))) => continue,
            };
            if self.preflight_refutes(&effects) {
                if planted(Mutation::RefutedBlocks) {
                    break;
                }
                continue;
            }
            let failed = self.submission_refutes(&effects);
            let severity = severity(playbook, step);
            let decision = self.decision(id, playbook);
            owed.push(OwedStep { decision, playbook, step, certificate, severity, effects });
            if !failed && !planted(Mutation::OwesNarrower) {
                break;
            }
        }
        owed
    }

    /// Where a step whose path only schedules was executed under a certificate that authorises it still: to execute it again would schedule
    /// it anew, and it never counts as containment.
    pub(crate) fn scheduled(&self, id: &PlaybookId, playbook: &Playbook, step: StepIndex) -> Option<BlockRef> {
        playbook.step(step)?.actions.iter().find(|action| action.delayed_s > 0)?;
        let certificate = self.shared.content.certificates.get(&self.authorising(id, step)?)?;
        let asked = &certificate.facts.earliest;
        let executions = self.view.safes.values().flat_map(|safe| &safe.executions);
        let mut of = executions.filter(|execution| {
            let signed = self.shared.content.signed.get(&execution.safe_tx_hash);
            let same = |kind: &Kind| matches!(kind, Kind::Step { decision, step: of, .. } if decision.playbook == *id && *of == step);
            execution.succeeded && !later(asked, &execution.block) && signed.is_some_and(|signed| same(&signed.kind))
        });
        of.next_back().map(|execution| execution.block)
    }

    /// Owed containment of every playbook of an asset, or of every asset.
    pub(crate) fn owed_containment<'a>(&'a self, asset: Option<&AssetId>) -> Vec<OwedStep<'a>> {
        let contain = self.charter.playbooks.iter().filter(|(_, playbook)| {
            playbook.purpose == PlaybookPurpose::Contain && asset.is_none_or(|asset| playbook.asset == *asset)
        });
        contain.flat_map(|(id, playbook)| self.owed_steps(id, playbook)).collect()
    }

    /// Safes through which containment of an asset acts.
    pub(crate) fn containing_safes(&self, asset: &AssetId) -> BTreeSet<SafeId> {
        self.charter.safes_acting_for(asset, PlaybookPurpose::Contain).into_iter().cloned().collect()
    }
}

pub(crate) fn newest(blocks: impl Iterator<Item = BlockRef>) -> Option<BlockRef> {
    blocks.fold(None, |best: Option<BlockRef>, block| match best {
        Some(best) if !later(&block, &best) => Some(best),
        _ => Some(block),
    })
}

/// The worst severity that triggers exactly this step, else SEV1: a step that nothing triggers is one that people chose.
pub(crate) fn severity(playbook: &Playbook, step: StepIndex) -> Severity {
    playbook.triggers.iter().filter(|t| t.step == step).map(|t| t.severity).max().unwrap_or(Severity::Sev1)
}

/// The widest step's postcondition turned false, or a recovery playbook's effect executed: there detectors start their windows.
/// A narrow step's flag that anybody may flip does not move them, or it could starve a detector.
pub(crate) fn window_floors(machine: &Machine) -> BTreeMap<AssetId, BlockRef> {
    let floors = machine.charter.assets.keys().filter(|_| !planted(Mutation::KeepsWindows)).filter_map(|asset| {
        let playbooks = machine.charter.playbooks_of(asset).map(|(_, playbook)| playbook);
        let widest = playbooks.filter(|p| p.purpose == PlaybookPurpose::Contain).filter_map(|p| p.steps.last());
        let turned = widest.flat_map(|rung| machine.turned_false(rung));
        Some((asset.clone(), newest(turned.chain(machine.recovery_executions(asset)))?))
    });
    floors.collect()
}

/// Outflow that goes on after a step took effect: a SEV1 finding of its own, so that the ladder's next step is voted at once.
pub(crate) fn containment_failed(machine: &Machine, chain: ChainId) -> Vec<Finding> {
    let Some(chain) = machine.view.chains.get(&chain) else { return Vec::new() };
    let mut failed = Vec::new();
    let flows = |finding: &&Finding| finding.kind == "outflow" && !machine.charter.is_context(&finding.detector);
    for finding in chain.standing.iter().filter(flows) {
        let Some(since) = machine.last_containment(&finding.asset) else { continue };
        let playbooks = machine.charter.playbooks_of(&finding.asset).map(|(_, playbook)| playbook);
        let mut rungs = playbooks.filter(|p| p.purpose == PlaybookPurpose::Contain).flat_map(|p| &p.steps);
        let goes_on = chain.progress.get(&finding.detector).is_some_and(|newest| later(newest, &since));
        let known = chain.failing.get(&finding.detector).filter(|first| later(first, &since));
        if (goes_on || known.is_some()) && rungs.any(|rung| machine.took_effect(rung)) {
            let explanation = format!("outflow after containment at block {}: {}", since.number, finding.explanation);
            failed.push(Finding {
                kind: "containment-failed".to_owned(),
                severity: Severity::Sev1,
                first: known.copied().unwrap_or(finding.block),
                explanation: explanation.chars().take(256).collect(),
                ..finding.clone()
            });
        }
    }
    failed
}
