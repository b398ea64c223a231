//! What this node still has to do: own events, signatures, simulations, transactions and pages, all recomputed from state and view.

mod cancelled;
mod certifying;
pub(crate) mod effects;
mod escalation;
mod observing;
pub(crate) mod preflight;
mod signing;
pub(crate) mod stating;
mod submitting;
mod vetoing;
pub(crate) mod voting;

use std::collections::BTreeSet;

use watchfire_types::Timestamp;
use watchfire_types::body::{Body, FaultProof};
use watchfire_types::duty::Duty;

use crate::decide::quota;
use crate::draft::{Draft, Owed};
use crate::machine::Machine;
use crate::moment::Moment;

/// A preflight without an answer after this long counts as unknown, ms.
pub(crate) const PREFLIGHT_MS: u64 = 500;

/// Most own fault proofs in one round.
const PROOFS_PER_ROUND: usize = 4;
/// Events of the own quota that findings, statements and fault proofs leave to votes, certificates and signatures.
const KEPT_FOR_DECISIONS: u64 = 500;

pub(crate) fn owed(machine: &Machine, now: Timestamp) -> Owed {
    let now = &Moment::of(now);
    let mut pages = BTreeSet::new();
    let mut room = room(machine, now.now());
    if room == 0 {
        // The quota grows.
        now.fleeting();
    }
    let mut drafts = observing::drafts(machine, &mut room);
    drafts.extend(voting::drafts(machine, &mut pages));
    drafts.extend(vetoing::drafts(machine, &mut pages));
    drafts.extend(stating::drafts(machine, now).into_iter().take(room));
    drafts.extend(crate::change::drafts(machine).into_iter().take(room));
    if drafts.is_empty() {
        drafts = certifying::drafts(machine);
    }
    let owed = machine.owing();
    if drafts.is_empty() {
        drafts = signing::drafts(machine, now, owed);
    }
    // Convictions count here already and wait for what stops an attack.
    if drafts.is_empty() {
        drafts = faults(machine, room);
    }
    let mut duties = preflight::duties(machine, now, owed);
    duties.extend(submitting::duties(machine, now, owed));
    duties.extend(catch_up(machine));
    if machine.view.lives.doubts_any() {
        // It passes when one of the two falls silent.
        now.fleeting();
    }
    crate::status::alarm_pages(machine, &mut pages);
    crate::snooze::pages(machine, &mut pages);
    crate::report::pages(machine, &mut pages);
    Owed { drafts, duties, pages, until: now.until() }
}

/// How many own events that decide nothing fit into the own quota beside [`KEPT_FOR_DECISIONS`]. What finds no room waits: it is recomputed
/// with every turn, and the quota grows with time.
pub(crate) fn room(machine: &Machine, now: Timestamp) -> usize {
    let own = machine.shared.chains.get(&(machine.own.key(), machine.own.epoch));
    let left = own.and_then(|own| Some(quota(own.started()?, now).saturating_sub(own.next().get())));
    left.map_or(usize::MAX, |left| usize::try_from(left.saturating_sub(KEPT_FOR_DECISIONS)).unwrap_or(usize::MAX))
}

/// A conviction that no event taken so far carries: whoever sees a pair first tells everyone. A liar makes pairs as fast as it likes:
/// at most [`PROOFS_PER_ROUND`] at once.
fn faults(machine: &Machine, room: usize) -> Vec<Draft> {
    let proofs = machine.shared.untold().map(|(first, second)| {
        let (first, second) = (Box::new(first.clone()), Box::new(second.clone()));
        Draft::Body(Body::FaultProof(FaultProof { first, second }))
    });
    proofs.take(room.min(PROOFS_PER_ROUND)).collect()
}

/// Authors with events that wait for a predecessor are asked for what is missing of that chain, and for nothing else: in the minute of an
/// attack much is on its way to everyone, and an answer with all of it for each event that another one overtook would be most of
/// what a large network sends.
fn catch_up(machine: &Machine) -> impl Iterator<Item = Duty> {
    let chains = machine.shared.lacking();
    chains
        .filter(|(author, _)| *author != machine.own.key() && machine.view.connected.contains(author))
        .map(|(from, epoch)| Duty::CatchUp { from, epoch })
}

pub(crate) fn next_timeout(machine: &Machine) -> Option<Timestamp> {
    let now = machine.view.clock;
    let owed = machine.owing();
    let turns = submitting::turns(machine, owed).into_iter().map(|turn| turn.at);
    let unanswered = owed.iter().filter(|owed| {
        machine.view.outcomes.get(&owed.effect.safe_tx_hash).is_none_or(|outcome| outcome.preflight.is_none())
    });
    // What became owed since the last look is looked at right away: its wait begins then.
    let waits = unanswered.map(|owed| signing::waits_until(machine, owed).unwrap_or(now.plus_millis(1)));
    turns.chain(waits).filter(|at| *at > now).min()
}
