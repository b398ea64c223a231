//! Own observations that the log does not hold yet: findings, executions, postconditions, and what a reorg took of them.

use std::collections::BTreeSet;

use watchfire_charter::Playbook;
use watchfire_types::body::{Body, Executed, Finding, PostconditionChecked, Retracted};
use watchfire_types::planted::{Mutation, planted};
use watchfire_types::{BlockRef, PlaybookId, StepIndex};

use super::voting::{self, stated};
use crate::authority::later;
use crate::decide::{FIGURE_MAX, FIGURES_MAX};
use crate::draft::{Draft, cut, line};
use crate::machine::Machine;
use crate::probe::{self, Look};
use crate::shared::derived::Observations;

/// What is to be said, as far as there is room in the own quota; what a vote waits for is said in any case.
pub(super) fn drafts(machine: &Machine, room: &mut usize) -> Vec<Draft> {
    let mut bodies = retractions(machine);
    bodies.extend(findings(machine));
    bodies.extend(executions(machine));
    for (id, playbook) in &machine.charter.playbooks {
        bodies.extend(playbook.steps_indexed().filter_map(|(step, _)| checked(machine, id, playbook, step)));
    }
    if bodies.len() > *room {
        let awaited = voting::awaited(machine);
        let waits =
            |body: &Body| matches!(body, Body::Finding(said) if awaited.iter().any(|finding| same(finding, said)));
        bodies.retain(|body| waits(body) || take(room));
    } else {
        *room -= bodies.len();
    }
    bodies.into_iter().map(Draft::Body).collect()
}

/// Takes one of what room is left.
fn take(room: &mut usize) -> bool {
    let left = room.checked_sub(1);
    *room = left.unwrap_or_default();
    left.is_some()
}

/// Whether two say the same standing of the same detector, however its line was cut.
fn same(a: &Finding, b: &Finding) -> bool {
    (&a.asset, &a.detector, a.first, &a.kind) == (&b.asset, &b.detector, b.first, &b.kind)
}

fn own(machine: &Machine) -> Option<&Observations> {
    machine.shared.derived.observed.get(&machine.own.key())
}

fn findings(machine: &Machine) -> Vec<Body> {
    let standing = machine.view.chains.values().flat_map(|chain| &chain.standing);
    let new = standing.filter(|finding| stated(machine, finding).is_none()).cloned();
    let bounded = new.map(|mut finding| {
        finding.explanation = line(&finding.explanation);
        let figures = finding.figures.into_iter().take(FIGURES_MAX);
        finding.figures = figures.map(|(name, value)| (name, cut(&value, FIGURE_MAX))).collect();
        finding
    });
    bounded.map(Body::Finding).collect()
}

fn executions(machine: &Machine) -> Vec<Body> {
    let mut bodies = Vec::new();
    for (id, view) in &machine.view.safes {
        let Some(safe) = machine.charter.safes.get(id) else { continue };
        for execution in view.executions.iter().filter(|execution| execution.succeeded) {
            let said = own(machine).is_some_and(|own| {
                let same = own.executed.get(&(execution.block.hash, execution.safe_tx_hash));
                same.is_some_and(|same| same.keys().any(|event| !own.retracted.contains_key(event)))
            });
            if !said {
                bodies.push(Body::Executed(Executed {
                    block: execution.block,
                    safe: safe.address,
                    safe_transaction: execution.safe_tx_hash,
                    transaction: execution.transaction,
                }));
            }
        }
    }
    bodies
}

/// A step's postcondition, when it is no longer what the own log last said (nothing said counts as not holding).
fn checked(machine: &Machine, id: &PlaybookId, playbook: &Playbook, step: StepIndex) -> Option<Body> {
    let rung = playbook.step(step)?;
    let mut holds = true;
    let mut turned: Option<BlockRef> = None;
    for action in &rung.actions {
        let track = machine.view.conditions.get(action.chain, &action.postcondition)?;
        holds &= *track.at(&machine.view.head(action.chain)?)?;
        let since = track.since()?;
        turned = turned.filter(|turned| !later(&since, turned)).or(Some(since));
    }
    let last = own(machine).and_then(|own| {
        let of = own.checked.get(&(playbook.asset.clone(), id.clone(), step))?;
        // What this process said came after all that earlier ones said, whatever their clocks were: it would be said again for ever.
        let standing = || of.iter().rev().filter(|((_, _, event), _)| !own.retracted.contains_key(event));
        let of_this_process = standing().find(|(_, event)| event.epoch == machine.own.epoch);
        match &of_this_process.or_else(|| standing().next())?.1.body {
            Body::PostconditionChecked(checked) => Some(checked.holds),
            _ => None,
        }
    });
    if last.unwrap_or(false) == holds {
        return None;
    }
    let (asset, playbook) = (playbook.asset.clone(), id.clone());
    Some(Body::PostconditionChecked(PostconditionChecked { asset, playbook, step, holds, block: turned? }))
}

/// What is bound to a block that a reorg took: as many blocks are looked up as the view remembers orphaned ones, however long the log is.
fn retractions(machine: &Machine) -> Vec<Body> {
    let Some(own) = own(machine).filter(|_| !planted(Mutation::ForgetsRetraction)) else { return Vec::new() };
    let orphaned = machine.view.chains.values().flat_map(|chain| chain.orphaned.values());
    let mut taken = BTreeSet::new();
    let mut bodies = Vec::new();
    for block in orphaned.filter(|block| !canonical(machine, block)) {
        let bound = own.bound.get(&(block.chain, block.number, block.hash));
        for event in bound.into_iter().flat_map(|bound| bound.keys()) {
            probe::count(Look::Observation);
            if !own.retracted.contains_key(event) && taken.insert(*event) {
                bodies.push(Body::Retracted(Retracted { event: *event, orphaned: *block }));
            }
        }
    }
    bodies
}

fn canonical(machine: &Machine, block: &BlockRef) -> bool {
    let chain = machine.view.chains.get(&block.chain);
    chain.and_then(|chain| chain.canonical.get(&block.number)).is_some_and(|known| known.hash == block.hash)
}
