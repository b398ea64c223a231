//! Submission: ranked, staggered on the own clock, and never ended by another's statement.

use std::collections::{BTreeMap, BTreeSet};

use alloy_primitives::{Address, U256};
use watchfire_types::duty::{Duty, Postcondition, Submission};
use watchfire_types::planted::{Mutation, planted};
use watchfire_types::{Bytes, SafeId, Timestamp};

use super::effects::OwedEffect;
use crate::effect;
use crate::machine::Machine;
use crate::moment::Moment;
use crate::rank::rank;

/// One submission and when this node's turn comes.
pub(crate) struct Turn {
    pub(crate) at: Timestamp,
    submission: Submission,
}

pub(super) fn duties(machine: &Machine, now: &Moment, owed: &[OwedEffect]) -> BTreeSet<Duty> {
    let due = turns(machine, owed).into_iter().filter(|turn| now.reached(turn.at));
    due.map(|turn| Duty::Submit(turn.submission)).collect()
}

/// At one nonce of one Safe the first of: containment, rejection, recovery; then higher severity, wider step, lower digest. Where its own
/// submission failed on chain, the next one as well.
pub(crate) fn turns(machine: &Machine, owed: &[OwedEffect]) -> Vec<Turn> {
    let mut by_nonce: BTreeMap<(&SafeId, U256), Vec<(&OwedEffect, Turn)>> = BTreeMap::new();
    for owed in owed {
        if let Some(turn) = turn(machine, owed) {
            by_nonce.entry((&owed.effect.safe, owed.effect.transaction.nonce)).or_default().push((owed, turn));
        }
    }
    let mut turns = Vec::new();
    for mut at_nonce in by_nonce.into_values() {
        at_nonce.sort_by_key(|(owed, _)| {
            let step = owed.step.as_ref().map(|(_, step)| *step);
            let wider = std::cmp::Reverse(step);
            (owed.class, std::cmp::Reverse(owed.severity), wider, owed.effect.safe_tx_hash)
        });
        for (owed, turn) in at_nonce {
            turns.push(turn);
            if !machine.submission_refutes(std::slice::from_ref(&owed.effect)) {
                break;
            }
        }
    }
    turns
}

fn turn(machine: &Machine, owed: &OwedEffect) -> Option<Turn> {
    let effect = &owed.effect;
    let guardian = machine.own.entry.guardian?;
    machine.own.entry.submitter?;
    let (signatures, reached) = packed(machine, owed)?;
    let safe = machine.charter.safes.get(&effect.safe)?;
    let rank = machine.hashes.rank(&effect.safe, effect.safe_tx_hash, || {
        let guardians = machine.charter.guardians_of(safe);
        let submitters: Vec<Address> =
            guardians.iter().filter(|(_, (_, member))| member.submitter.is_some()).map(|(owner, _)| *owner).collect();
        rank(effect.safe_tx_hash, &submitters, guardian)
    })?;
    let mut others = machine.shared.derived.observed.iter().filter(|(author, _)| **author != machine.own.key());
    if planted(Mutation::BelievesExecuted) && others.any(|(_, said)| !said.executed.is_empty()) {
        return None;
    }
    if planted(Mutation::OnlyFirstSends) && rank > 0 {
        return None;
    }
    let chain = machine.charter.chains.get(&effect.chain)?;
    let stagger_ms = match rank {
        _ if planted(Mutation::DropsRanks) => 0,
        0 => 0,
        1 | 2 => (chain.block_time_ms / 2).max(chain.stagger_ms_min),
        _ => chain.block_time_ms.max(chain.stagger_ms_min.saturating_mul(2)),
    };
    let base = reached.max(machine.view.safes.get(&effect.safe)?.moved);
    let submission = Submission {
        chain: effect.chain,
        safe: effect.address,
        transaction: effect.transaction.clone(),
        safe_tx_hash: effect.safe_tx_hash,
        signatures,
        postconditions: postconditions(machine, owed),
        rank,
        severity: owed.severity,
    };
    Some(Turn { at: base.plus_millis(stagger_ms), submission })
}

/// What its step is for at its Safe: each call's postcondition, of those already made too.
fn postconditions(machine: &Machine, owed: &OwedEffect) -> BTreeSet<Postcondition> {
    let step = owed.step.as_ref().and_then(|(of, step)| machine.charter.playbooks.get(&of.playbook)?.step(*step));
    let actions = step.into_iter().flat_map(|step| effect::calls(step, &owed.effect.safe));
    actions.map(|(_, action)| effect::postcondition(action.chain, &action.postcondition)).collect()
}

/// Exactly threshold signatures of current owners, ascending by owner, and when the last of the earliest ones arrived. `None` below the
/// threshold.
pub(crate) fn packed(machine: &Machine, owed: &OwedEffect) -> Option<(Bytes, Timestamp)> {
    let head = machine.view.head(owed.effect.chain)?;
    let view = machine.view.safes.get(&owed.effect.safe)?;
    let threshold = usize::try_from(*view.threshold.at(&head)?).ok().filter(|threshold| *threshold > 0)?;
    let threshold = if planted(Mutation::KeepsThreshold) { 3 } else { threshold };
    let threshold = threshold - usize::from(planted(Mutation::OneSignatureShort));
    let owners = view.owners.at(&head)?;
    let signed = machine.shared.content.signed.get(&owed.effect.safe_tx_hash)?;
    let mut usable: Vec<(Timestamp, &Address, &[u8; 65])> = signed
        .owners
        .iter()
        .filter(|(owner, _)| owners.contains(*owner))
        .map(|(owner, signature)| (signature.seen, owner, &signature.bytes))
        .collect();
    usable.sort_unstable();
    usable.truncate(threshold);
    if usable.len() < threshold {
        return None;
    }
    let reached = usable.last()?.0;
    if !planted(Mutation::PacksUnsorted) {
        usable.sort_unstable_by_key(|(_, owner, _)| **owner);
    }
    let bytes: Vec<u8> = usable.iter().flat_map(|(_, _, bytes)| bytes.iter().copied()).collect();
    Some((bytes.into(), reached))
}
