//! Escalation: when the step that holds does not stop it, or the step that was found cannot be made, the next wider one.

use watchfire_charter::Playbook;
use watchfire_types::body::Finding;
use watchfire_types::planted::{Mutation, planted};
use watchfire_types::{BlockRef, PlaybookId, StepIndex};

use crate::authority::later;
use crate::machine::Machine;

/// The step to vote for: `found`, or the next wider one that the preflight does not refute when for `escalate_after` blocks the widest
/// step that holds or was found did not end the finding. Blocks are counted up to the one where the finding was judged last: those that
/// gave no answer since may have been its end.
pub(super) fn step(
    machine: &Machine,
    id: &PlaybookId,
    playbook: &Playbook,
    found: StepIndex,
    finding: &Finding,
) -> StepIndex {
    let Some(blocks) = playbook.escalate_after_blocks else { return found };
    let holding = playbook.steps_indexed().filter(|(_, rung)| machine.took_effect(rung)).map(|(index, _)| index).max();
    let from = holding.map_or(found, |holding| holding.max(found));
    let waited = |since: &BlockRef| {
        let since = if later(&finding.first, since) { finding.first } else { *since };
        finding.block.number >= since.number.saturating_add(blocks)
    };
    let outlasts = held_since(machine, playbook, from)
        .is_some_and(|since| waited(&since) && newest_evidence(machine, finding).is_some_and(|at| later(&at, &since)));
    let refuted = machine.view.refuted_since.get(&(id.clone(), from)).is_some_and(waited);
    if (!outlasts && !refuted) || planted(Mutation::NeverEscalates) {
        return found;
    }
    let wider = playbook.steps_indexed().filter(|(index, _)| *index > from);
    let mut possible = wider.filter(|(_, rung)| !machine.preflight_refutes(&machine.effects(rung)));
    possible.next().map_or(found, |(index, _)| index)
}

/// Since when a step's postconditions all hold; `None` while one does not.
fn held_since(machine: &Machine, playbook: &Playbook, step: StepIndex) -> Option<BlockRef> {
    let rung = playbook.step(step).filter(|rung| machine.took_effect(rung))?;
    let turned = rung
        .actions
        .iter()
        .filter_map(|action| machine.view.conditions.get(action.chain, &action.postcondition)?.became_or_began(&true));
    turned.fold(None, |newest: Option<BlockRef>, block| match newest {
        Some(newest) if !later(&block, &newest) => Some(newest),
        _ => Some(block),
    })
}

/// The newest block that added to a finding: a window that still holds an old outflow adds nothing.
fn newest_evidence(machine: &Machine, finding: &Finding) -> Option<BlockRef> {
    if planted(Mutation::EscalatesOnOld) {
        return Some(finding.block);
    }
    machine.view.chains.get(&finding.block.chain)?.progress.get(&finding.detector).copied()
}
