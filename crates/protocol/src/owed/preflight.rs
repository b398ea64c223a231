//! Simulations: for every step that is wanted, at every head, from the first vote on; and idle, so that status is true before an attack.

use std::collections::BTreeSet;

use alloy_primitives::Address;
use watchfire_charter::{Playbook, PlaybookPurpose, Step};
use watchfire_types::body::Body;
use watchfire_types::duty::{Duty, Preflight};
use watchfire_types::input::PreflightOutcome;
use watchfire_types::{BlockTime, PlaybookId, StepIndex};

use super::effects::OwedEffect;
use super::submitting::packed;
use super::voting::standing;
use crate::effect::{self, Effect};
use crate::machine::Machine;
use crate::moment::Moment;

/// An idle simulation is repeated after this long, ms.
const IDLE_MS: u64 = 12_000;

/// A transaction to simulate, and the step it belongs to: none for a rejection.
pub(crate) struct Want<'a> {
    pub(crate) effect: Effect,
    rung: Option<&'a Step>,
}

pub(super) fn duties(machine: &Machine, now: &Moment, owed: &[OwedEffect]) -> BTreeSet<Duty> {
    wants(machine, now, owed).iter().filter_map(|want| duty(machine, want, owed)).collect()
}

/// Every simulation that is to run now, whatever kind of member this is: who votes or watches says by its own knowledge too whether
/// the network could pause.
pub(crate) fn wants<'a>(machine: &'a Machine, now: &Moment, owed: &[OwedEffect]) -> Vec<Want<'a>> {
    let mut wants = Vec::new();
    for (id, playbook) in &machine.charter.playbooks {
        let wanted = wanted(machine, id, playbook);
        for (step, rung) in playbook.steps_indexed() {
            let live = wanted.is_some_and(|wanted| step <= wanted);
            if machine.satisfied(playbook, step) || (playbook.purpose == PlaybookPurpose::Recover && !live) {
                continue;
            }
            let effects = machine.effects(rung).into_iter().filter(|effect| due(machine, now, effect, live));
            wants.extend(effects.map(|effect| Want { effect, rung: Some(rung) }));
        }
    }
    let rejections = owed.iter().filter(|owed| owed.step.is_none() && due(machine, now, &owed.effect, true));
    wants.extend(rejections.map(|owed| Want { effect: owed.effect.clone(), rung: None }));
    wants
}

/// The widest step that anybody's live vote or an own standing finding supports.
fn wanted(machine: &Machine, id: &PlaybookId, playbook: &Playbook) -> Option<StepIndex> {
    let head = machine.asset_head(&playbook.asset)?;
    let votes = machine.shared.derived.votes.get(&machine.decision(id, playbook));
    let alive = BlockTime::from_secs(head.time.as_secs().saturating_sub(playbook.expiry_s))..=head.time;
    // From the widest step down, each until one vote is found: asked after every event, with as many votes as partners.
    let voted = playbook.steps_indexed().rev().map(|(step, _)| step).find(|step| {
        let for_it = votes.into_iter().flat_map(|votes| votes.newest_of_voices(alive.clone(), |(_, of, _)| of == step));
        for_it.into_iter().any(|event| match &event.body {
            Body::Vote(vote) => machine.evidence_stands(&vote.evidence),
            _ => false,
        })
    });
    let stands =
        standing(machine, playbook).map(|(_, step)| step).filter(|_| playbook.purpose == PlaybookPurpose::Contain);
    voted.into_iter().chain(stands).max()
}

/// Wanted: no answer at this head yet. Idle: none for a while; at once when a guard, owners or threshold changed since, or a contract
/// that matters said something. A head is simulated at once at most.
fn due(machine: &Machine, now: &Moment, effect: &Effect, live: bool) -> bool {
    let Some(head) = machine.view.head(effect.chain) else { return false };
    let Some(outcome) = machine.view.outcomes.get(&effect.safe_tx_hash) else { return true };
    let Some((at, answer)) = &outcome.preflight else { return true };
    if live {
        return at.hash != head.hash;
    }
    let safe = machine.view.safes.get(&effect.safe);
    let changed = safe.map(|safe| [safe.guards.since(), safe.owners.since(), safe.threshold.since()]);
    let chain = machine.view.chains.get(&effect.chain);
    let occasions = changed.into_iter().flatten().flatten().chain(chain.and_then(|chain| chain.stirred));
    let orphaned = chain.is_some_and(|chain| chain.orphaned.contains_key(&(at.number, at.hash)));
    let stale = orphaned || occasions.map(|since| since.number).max() > Some(at.number);
    let retry = matches!(answer, PreflightOutcome::Refuted { .. }) && at.hash != head.hash;
    stale || retry || now.reached(outcome.answered.plus_millis(IDLE_MS))
}

fn duty(machine: &Machine, want: &Want<'_>, owed: &[OwedEffect]) -> Option<Duty> {
    let effect = &want.effect;
    let head = machine.view.head(effect.chain)?;
    let owners = machine.view.safes.get(&effect.safe)?.owners.last()?;
    let guardian = machine.own.entry.guardian.filter(|guardian| owners.contains(guardian));
    let owner: Address = guardian.or_else(|| owners.first().copied())?;
    let actions = want.rung.into_iter().flat_map(|rung| effect::calls(rung, &effect.safe));
    // What only schedules has its effect later, if at all.
    let actions = actions.filter(|(_, action)| action.delayed_s == 0);
    let postconditions = actions
        .flat_map(|(_, action)| action.conditions().map(|condition| effect::postcondition(action.chain, condition)));
    let owed = owed.iter().find(|owed| owed.effect.safe_tx_hash == effect.safe_tx_hash);
    Some(Duty::Preflight(Preflight {
        chain: effect.chain,
        safe: effect.address,
        transaction: effect.transaction.clone(),
        safe_tx_hash: effect.safe_tx_hash,
        signatures: owed.and_then(|owed| packed(machine, owed)).map(|(bytes, _)| bytes),
        owner,
        submitter: machine.own.entry.submitter.unwrap_or(owner),
        postconditions: postconditions.collect(),
        at: machine.view.asked.get(&effect.safe_tx_hash).map_or(head, |(at, _)| *at),
    }))
}
