//! R2: what this guardian signs now. Nothing signed before ever blocks anything; a signing duty is idempotent by SafeTx digest.

use alloy_primitives::B256;
use watchfire_types::Timestamp;
use watchfire_types::body::{Authority, Body};
use watchfire_types::input::PreflightOutcome;
use watchfire_types::planted::{Mutation, planted};

use super::PREFLIGHT_MS;
use super::effects::{Class, OwedEffect};
use crate::draft::{CoSignDraft, Draft};
use crate::machine::Machine;
use crate::moment::Moment;
use crate::shared::content::Signed;

pub(super) fn drafts(machine: &Machine, now: &Moment, owed: &[OwedEffect]) -> Vec<Draft> {
    let mut drafts = Vec::new();
    let mut republished = std::collections::BTreeSet::new();
    for owed in owed {
        let Some(draft) = sign(machine, now, owed) else { continue };
        if let Some(digest) = certificate(&owed.authority).filter(|digest| republished.insert(*digest)) {
            drafts.extend(republish(machine, digest));
        }
        drafts.push(Draft::CoSign(draft));
    }
    drafts
}

fn certificate(authority: &Authority) -> Option<B256> {
    match authority {
        Authority::Step { certificate, .. }
        | Authority::RejectionCancelled { certificate, .. }
        | Authority::RejectionBeforeRecovery { certificate, .. } => Some(*certificate),
        Authority::RejectionAfterForeignRecovery { .. } => None,
    }
}

/// The certificate a guardian signs under is published by itself in the same commit, so that no liar can take it away again.
fn republish(machine: &Machine, digest: B256) -> Option<Draft> {
    let own = machine.shared.derived.observed.get(&machine.own.key());
    if own.is_some_and(|own| own.published.contains_key(&digest)) || planted(Mutation::DropsWithCarrier) {
        return None;
    }
    let held = machine.shared.content.certificates.get(&digest)?;
    Some(Draft::Body(Body::Certificate((*held.certificate).clone())))
}

fn sign(machine: &Machine, now: &Moment, owed: &OwedEffect) -> Option<CoSignDraft> {
    let guardian = machine.own.entry.guardian?;
    let effect = &owed.effect;
    if machine.view.silent(effect.chain) {
        return None;
    }
    let safe = machine.charter.safes.get(&effect.safe)?;
    let head = machine.view.head(effect.chain)?;
    let owners = machine.view.safes.get(&effect.safe)?.owners.at(&head)?;
    if !owners.contains(&guardian) || !machine.charter.guardians_of(safe).contains_key(&guardian) {
        return None;
    }
    if machine.shared.content.has_signature(&effect.safe_tx_hash, &guardian) || !cleared(machine, now, owed) {
        return None;
    }
    let mut at_nonce = machine.shared.content.signed_at(&effect.safe, effect.transaction.nonce);
    if planted(Mutation::SignsOncePerNonce) && at_nonce.any(|(_, signed)| signed.owners.contains_key(&guardian)) {
        return None;
    }
    let mut elsewhere = machine.shared.content.signed.values();
    let nonce = effect.transaction.nonce;
    let signed_elsewhere = |one: &Signed| one.transaction.nonce != nonce && one.owners.contains_key(&guardian);
    if planted(Mutation::NeverRetargets) && elsewhere.any(signed_elsewhere) {
        return None;
    }
    Some(CoSignDraft {
        version: machine.charter.version,
        authority: owed.authority.clone(),
        chain: effect.chain,
        safe: effect.address,
        safe_version: safe.version,
        transaction: effect.transaction.clone(),
        safe_tx_hash: effect.safe_tx_hash,
        omitted: effect.omitted.clone(),
        agreed: head,
    })
}

/// R2 (c): containment and rejections on passes and unknown (no answer in time is unknown), recovery on passes only.
fn cleared(machine: &Machine, now: &Moment, owed: &OwedEffect) -> bool {
    let outcome = machine.view.outcomes.get(&owed.effect.safe_tx_hash).and_then(|outcome| outcome.preflight.as_ref());
    match (outcome.map(|(_, outcome)| outcome), owed.class) {
        (Some(PreflightOutcome::Passes), _) => true,
        _ if planted(Mutation::SignsRefuted) => true,
        (Some(PreflightOutcome::Refuted { .. }), _)
        | (Some(PreflightOutcome::Unknown { .. }) | None, Class::Recovery) => false,
        (Some(PreflightOutcome::Unknown { .. }), Class::Containment | Class::Rejection) => true,
        (None, Class::Containment | Class::Rejection) => {
            waits_until(machine, owed).is_some_and(|until| now.reached(until))
        }
    }
}

/// Until when an answer is waited for: counted from when it was first owed, for where blocks come faster than answers the wait must not
/// begin again with each of them. Containment is simulated before it is owed, and waits from the block's arrival if that is earlier.
/// `None` when the owing is too new to be remembered.
pub(super) fn waits_until(machine: &Machine, owed: &OwedEffect) -> Option<Timestamp> {
    let first = machine.view.first_owed.get(&owed.effect.safe_tx_hash).copied();
    let arrived = machine.view.chains.get(&owed.effect.chain).map(|chain| chain.arrived);
    let arrived = arrived.filter(|_| owed.class == Class::Containment);
    Some(first.into_iter().chain(arrived).min()?.plus_millis(PREFLIGHT_MS))
}
