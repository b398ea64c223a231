//! S2, S3, S5 and S14: what an honest guardian signs, held against its own log and what it was shown.

use std::collections::BTreeSet;

use watchfire_charter::{Action, Playbook, PlaybookPurpose, Step};
use watchfire_protocol::content_digest;
use watchfire_types::body::{Authority, Certificate, CoSignature, Decision, Purpose};
use watchfire_types::{B256, BlockRef, StepIndex};

use super::certificates::evidence;
use super::{Asked, Known, Sight, Watch};
use crate::simulate::cast::{CHAIN, Cast, SAFE_VERSION};

impl Sight {
    fn has(&self, action: &Action) -> bool {
        let condition = &action.postcondition;
        self.holds.contains_key(&(condition.read.clone(), condition.equals.to_vec()))
    }

    fn satisfies(&self, step: &Step) -> bool {
        step.actions.iter().all(|action| self.has(action))
    }
}

impl Known {
    /// The sights from a block down to the first this node was shown.
    fn branch(&self, from: &B256) -> impl Iterator<Item = &Sight> {
        let mut at = self.sights.get(from);
        std::iter::from_fn(move || {
            let sight = at?;
            at = self.sights.get(&sight.parent);
            Some(sight)
        })
    }

    /// The newest block at or below `from` where this step's condition turned to `to`.
    fn turned(&self, from: &B256, step: &Step, to: bool) -> Option<BlockRef> {
        let mut newer: Option<&Sight> = None;
        for sight in self.branch(from) {
            if let Some(newer) = newer
                && newer.satisfies(step) == to
                && sight.satisfies(step) != to
            {
                return Some(newer.at);
            }
            newer = Some(sight);
        }
        None
    }
}

impl Watch {
    /// An honest guardian's signature became durable.
    pub(super) fn co_signature(&mut self, cast: &Cast, place: usize, signed: &CoSignature) {
        if let Err((property, why)) = self.judge(cast, place, signed) {
            let hash = signed.transaction.hashes(SAFE_VERSION, CHAIN.get(), cast.safe).safe_tx_hash;
            let detail =
                format!("{} signed {hash} at block {}: {why}", cast.players[place].member, signed.agreed.number);
            self.unsafe_if(true, property, || detail);
        }
    }

    fn judge(&mut self, cast: &Cast, place: usize, signed: &CoSignature) -> Result<(), (&'static str, String)> {
        let s2 = |why: &str| ("S2", why.to_owned());
        let asked = super::effects::asked(cast, &signed.transaction);
        if asked == Asked::Foreign {
            return Err(("S3", "a call of no playbook".to_owned()));
        }
        let known = &self.known[place];
        let sight = known.sights.get(&signed.agreed.hash).ok_or_else(|| s2("a block that it was never shown"))?;
        if sight.nonce != Some(signed.transaction.nonce) {
            return Err(s2(&format!("nonce {} where it was shown {:?}", signed.transaction.nonce, sight.nonce)));
        }
        match (&signed.authority, asked) {
            (Authority::Step { decision, step, certificate }, Asked::Steps(steps)) => {
                if !steps.contains(&(decision.playbook.clone(), *step)) {
                    return Err(s2("the calls are not those of the step"));
                }
                step_is_owed(cast, known, signed, decision, *step, certificate)?;
                let omitted: Vec<u16> = signed.omitted.iter().copied().collect();
                let key = (format!("{decision:?}"), step.get(), signed.transaction.nonce, omitted);
                let hash = signed.transaction.hashes(SAFE_VERSION, CHAIN.get(), cast.safe).safe_tx_hash;
                let first = *self.effects.entry(key).or_insert(hash);
                if first != hash {
                    return Err(("S5", format!("another transaction for the same step, nonce and omission: {first}")));
                }
                Ok(())
            }
            (Authority::RejectionCancelled { decision, certificate }, Asked::Rejection) => {
                let held = held(known, certificate, decision).ok_or_else(|| s2("no cancel certificate in its log"))?;
                if held.purpose == Purpose::Cancel { Ok(()) } else { Err(s2("its certificate is no cancel")) }
            }
            (Authority::RejectionBeforeRecovery { decision, certificate }, Asked::Rejection) => {
                held(known, certificate, decision).map(drop).ok_or_else(|| s2("no recovery certificate in its log"))
            }
            (Authority::RejectionAfterForeignRecovery { .. }, Asked::Rejection) => {
                let steps = contain_steps(cast);
                let mut recovered = steps.filter_map(|step| known.turned(&signed.agreed.hash, step, false));
                recovered.next().map(drop).ok_or_else(|| s2("it was shown no recovery to reject after"))
            }
            _ => Err(s2("the transaction is not of the kind that its authority names")),
        }
    }
}

fn held<'a>(known: &'a Known, digest: &B256, decision: &Decision) -> Option<&'a Certificate> {
    known.certificates.get(digest).map(AsRef::as_ref).filter(|held| held.decision == *decision)
}

fn contain_steps(cast: &Cast) -> impl Iterator<Item = &Step> {
    let playbooks = cast.charter.playbooks.values();
    playbooks.filter(|playbook| playbook.purpose == PlaybookPurpose::Contain).flat_map(|playbook| &playbook.steps)
}

/// (a) and (b) of the sign rule, and S14.
fn step_is_owed(
    cast: &Cast,
    known: &Known,
    signed: &CoSignature,
    decision: &Decision,
    step: StepIndex,
    digest: &B256,
) -> Result<(), (&'static str, String)> {
    let s2 = |why: &str| ("S2", why.to_owned());
    let certificate = held(known, digest, decision).ok_or_else(|| s2("no certificate in its log"))?;
    if content_digest(certificate, cast.network) != *digest || !super::certificates::is_valid(cast, certificate) {
        return Err(s2("its certificate is not valid"));
    }
    match certificate.purpose {
        Purpose::Step(certified) if certified >= step => {}
        Purpose::Step(_) | Purpose::Cancel | Purpose::Close(_) => return Err(s2("its certificate is for less")),
    }
    let playbook = cast.charter.playbooks.get(&decision.playbook).ok_or_else(|| s2("no such playbook"))?;
    let rung = playbook.step(step).ok_or_else(|| s2("no such step"))?;
    let rests_on = evidence(certificate);
    let newest = rests_on.iter().map(|block| block.time).max().unwrap_or_default();
    if signed.agreed.time > newest.plus_secs(playbook.expiry_s) {
        return Err(("S14", "its certificate had expired by the block's time".to_owned()));
    }
    let sight = known.sights.get(&signed.agreed.hash).ok_or_else(|| s2("a block that it was never shown"))?;
    let mut wider = playbook.steps_indexed().filter(|(other, _)| *other >= step);
    if wider.any(|(_, rung)| sight.satisfies(rung)) {
        return Err(s2("the step, or a wider one, held already"));
    }
    let omitted: Vec<u16> =
        (0u16..).zip(&rung.actions).filter(|(_, action)| sight.has(action)).map(|(i, _)| i).collect();
    if omitted != signed.omitted.iter().copied().collect::<Vec<_>>() {
        return Err(s2("it leaves out other calls than those that hold"));
    }
    let floor = floor(cast, known, playbook, step, &signed.agreed);
    if let Some(floor) = floor.filter(|floor| rests_on.iter().any(|block| block.number <= floor.number)) {
        return Err(s2(&format!("evidence not later than what block {} undid", floor.number)));
    }
    let cancels =
        known.certificates.values().filter(|held| held.decision == *decision && held.purpose == Purpose::Cancel);
    let cut = cancels.filter_map(|held| evidence(held).into_iter().min_by_key(|head| head.time)).max_by_key(|h| h.time);
    if let Some(cut) = cut.filter(|cut| rests_on.iter().any(|block| block.time <= cut.time)) {
        return Err(s2(&format!("cancelled for evidence up to block {}", cut.number)));
    }
    // No evidence counts but blocks of the branch that it was shown, up to the one it signed at.
    let oldest = rests_on.iter().map(|block| block.number).min().unwrap_or_default();
    let branch: BTreeSet<B256> =
        known.branch(&signed.agreed.hash).take_while(|sight| sight.at.number >= oldest).map(|s| s.at.hash).collect();
    match rests_on.iter().find(|block| !branch.contains(&block.hash)) {
        Some(strange) => Err(s2(&format!("evidence of block {} that it was not shown", strange.number))),
        None => Ok(()),
    }
}

/// For containment the newest block where this or a wider step was undone; for recovery the newest containment.
fn floor(cast: &Cast, known: &Known, playbook: &Playbook, step: StepIndex, at: &BlockRef) -> Option<BlockRef> {
    match playbook.purpose {
        PlaybookPurpose::Contain => {
            let wider = playbook.steps_indexed().filter(|(other, _)| *other >= step);
            wider.filter_map(|(_, rung)| known.turned(&at.hash, rung, false)).max_by_key(|block| block.number)
        }
        PlaybookPurpose::Recover => {
            contain_steps(cast).filter_map(|rung| known.turned(&at.hash, rung, true)).max_by_key(|block| block.number)
        }
    }
}
