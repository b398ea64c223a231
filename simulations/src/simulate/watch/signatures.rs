//! S2, S3, S5 and S14: what an honest guardian signs, held against its own log and what it was shown.

use std::collections::BTreeSet;
use std::rc::Rc;

use watchfire_charter::{Action, Playbook, PlaybookPurpose, Step};
use watchfire_protocol::content_digest;
use watchfire_types::body::{Authority, Body, Certificate, CoSignature, Decision, Purpose};
use watchfire_types::{B256, BlockRef, PlaybookId, StepIndex};

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
    pub(super) fn branch(&self, from: &B256) -> impl Iterator<Item = &Sight> {
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
        let known = &self.known[place];
        let sight = known.sights.get(&signed.agreed.hash).ok_or_else(|| s2("a block that it was never shown"))?;
        if sight.nonce != Some(signed.transaction.nonce) {
            return Err(s2(&format!("nonce {} where it was shown {:?}", signed.transaction.nonce, sight.nonce)));
        }
        let hash = signed.transaction.hashes(SAFE_VERSION, CHAIN.get(), cast.safe).safe_tx_hash;
        if let Authority::Step { decision, step, .. } = &signed.authority {
            let omitted: Vec<u16> = signed.omitted.iter().copied().collect();
            let key = (format!("{decision:?}"), step.get(), signed.transaction.nonce, omitted);
            let first = *self.effects.entry(key).or_insert(hash);
            if first != hash {
                return Err(("S5", format!("another transaction for the same step, nonce and omission: {first}")));
            }
        }
        if asked == Asked::Foreign {
            return Err(("S3", "a call of no playbook".to_owned()));
        }
        // What a refutation makes of the steps is not worked out here a second time.
        let refuted = known.owes_otherwise || self.refuted.keys().any(|(at, _)| *at == place);
        match (&signed.authority, asked) {
            (Authority::Step { decision, step, certificate }, Asked::Steps(steps)) => {
                if !steps.contains(&(decision.playbook.clone(), *step)) {
                    return Err(s2("the calls are not those of the step"));
                }
                step_is_owed(cast, known, signed, decision, *step, certificate)?;
                match owed_instead(cast, known, sight, &decision.playbook, *step).filter(|_| !refuted) {
                    Some((playbook, wider)) => Err(s2(&format!("{playbook} owes step {wider} at that block"))),
                    None => Ok(()),
                }
            }
            (authority, Asked::Rejection) => {
                rejection_is_owed(cast, known, signed, authority)?;
                match owed_containment(cast, known, sight).filter(|_| !refuted) {
                    Some((playbook, step)) => Err(s2(&format!("{playbook} owes step {step} at that block"))),
                    None => Ok(()),
                }
            }
            _ => Err(s2("the transaction is not of the kind that its authority names")),
        }
    }
}

/// The three cases of a rejection, which all need a signature that is to be consumed but the second.
fn rejection_is_owed(
    cast: &Cast,
    known: &Known,
    signed: &CoSignature,
    authority: &Authority,
) -> Result<(), (&'static str, String)> {
    let s2 = |why: &str| Err(("S2", why.to_owned()));
    let purpose = |decision: &Decision| cast.charter.playbooks.get(&decision.playbook).map(|of| of.purpose);
    let contained = known.held.values().any(|event| match &event.body {
        Body::CoSignature(CoSignature { authority: Authority::Step { decision, .. }, transaction, .. }) => {
            transaction.nonce == signed.transaction.nonce && purpose(decision) == Some(PlaybookPurpose::Contain)
        }
        _ => false,
    });
    match authority {
        Authority::Step { .. } => s2("the transaction is not of the kind that its authority names"),
        Authority::RejectionCancelled { decision, certificate } => match held(known, certificate, decision) {
            None => s2("no cancel certificate in its log"),
            Some(held) if held.purpose != Purpose::Cancel => s2("its certificate is no cancel"),
            Some(held) if !super::certificates::is_valid(cast, held) => s2("its certificate is not valid"),
            Some(_) if !contained => s2("it knows no signature at that nonce that would contain"),
            Some(_) => Ok(()),
        },
        Authority::RejectionBeforeRecovery { decision, certificate } => match held(known, certificate, decision) {
            None => s2("no recovery certificate in its log"),
            Some(_) if purpose(decision) != Some(PlaybookPurpose::Recover) => s2("its certificate recovers nothing"),
            Some(_) if goes_through(cast, decision, signed) => s2("the recovery consumes the nonce itself"),
            Some(held) => match held.purpose {
                Purpose::Step(step) => authorises(cast, known, held, decision, step, &signed.agreed),
                Purpose::Cancel | Purpose::Close(_) => s2("its certificate is for no step"),
            },
        },
        Authority::RejectionAfterForeignRecovery { .. } => {
            let mut steps = contain_steps(cast);
            let recovered = steps.any(|step| known.turned(&signed.agreed.hash, step, false).is_some());
            match (recovered, contained) {
                (false, _) => s2("it was shown no recovery to reject after"),
                (true, false) => s2("it knows no signature at that nonce that would contain"),
                (true, true) => Ok(()),
            }
        }
    }
}

/// Whether a playbook acts through the Safe at which this was signed.
fn goes_through(cast: &Cast, decision: &Decision, signed: &CoSignature) -> bool {
    let steps = cast.charter.playbooks.get(&decision.playbook).into_iter().flat_map(|playbook| &playbook.steps);
    let mut safes = steps.flat_map(|step| &step.actions).filter_map(|action| cast.charter.safes.get(&action.safe));
    safes.any(|safe| safe.address == signed.safe)
}

/// What is owed in the place of this step, as far as certificates alone say it: a wider one of the same ladder, or any containment where this
/// is a recovery.
fn owed_instead(
    cast: &Cast,
    known: &Known,
    sight: &Sight,
    id: &PlaybookId,
    step: StepIndex,
) -> Option<(PlaybookId, StepIndex)> {
    let playbook = cast.charter.playbooks.get(id)?;
    match playbook.purpose {
        PlaybookPurpose::Contain => {
            let mut wider = playbook.steps_indexed().map(|(other, _)| other).filter(|other| *other > step);
            wider.find(|wider| certified(cast, known, sight, id, *wider)).map(|wider| (id.clone(), wider))
        }
        PlaybookPurpose::Recover => owed_containment(cast, known, sight),
    }
}

/// Containment that is owed at a block, as far as certificates alone say it.
fn owed_containment(cast: &Cast, known: &Known, sight: &Sight) -> Option<(PlaybookId, StepIndex)> {
    let ladders = cast.charter.playbooks.iter().filter(|(_, of)| of.purpose == PlaybookPurpose::Contain);
    let mut steps = ladders.flat_map(|(id, of)| of.steps_indexed().map(move |(step, _)| (id, step)));
    steps.find(|(id, step)| certified(cast, known, sight, id, *step)).map(|(id, step)| (id.clone(), step))
}

/// Whether a certificate in this log authorises a step at this block, and neither it nor a wider one holds there.
fn certified(cast: &Cast, known: &Known, sight: &Sight, id: &PlaybookId, step: StepIndex) -> bool {
    let Some(playbook) = cast.charter.playbooks.get(id) else { return false };
    let mut wider = playbook.steps_indexed().filter(|(other, _)| *other >= step);
    let for_it = |one: &&Rc<Certificate>| {
        one.decision.playbook == *id && matches!(one.purpose, Purpose::Step(certified) if certified >= step)
    };
    !wider.any(|(_, rung)| sight.satisfies(rung))
        && known
            .certificates
            .values()
            .filter(for_it)
            .any(|one| authorises(cast, known, one, &one.decision, step, &sight.at).is_ok())
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
    if content_digest(certificate, cast.network) != *digest {
        return Err(s2("its certificate is another"));
    }
    let playbook = cast.charter.playbooks.get(&decision.playbook).ok_or_else(|| s2("no such playbook"))?;
    let rung = playbook.step(step).ok_or_else(|| s2("no such step"))?;
    authorises(cast, known, certificate, decision, step, &signed.agreed)?;
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
    Ok(())
}

/// Whether a certificate authorises a step at a block: it is valid and for as much, lives, and rests on blocks of that branch alone, later than
/// whatever was undone or cancelled.
fn authorises(
    cast: &Cast,
    known: &Known,
    certificate: &Certificate,
    decision: &Decision,
    step: StepIndex,
    agreed: &BlockRef,
) -> Result<(), (&'static str, String)> {
    let s2 = |why: &str| ("S2", why.to_owned());
    if !super::certificates::is_valid(cast, certificate) {
        return Err(s2("its certificate is not valid"));
    }
    match certificate.purpose {
        Purpose::Step(certified) if certified >= step => {}
        Purpose::Step(_) | Purpose::Cancel | Purpose::Close(_) => return Err(s2("its certificate is for less")),
    }
    let playbook = cast.charter.playbooks.get(&decision.playbook).ok_or_else(|| s2("no such playbook"))?;
    let rests_on = evidence(certificate);
    let newest = rests_on.iter().map(|block| block.time).max().unwrap_or_default();
    if agreed.time > newest.plus_secs(playbook.expiry_s) {
        return Err(("S14", "its certificate had expired by the block's time".to_owned()));
    }
    let floor = floor(cast, known, playbook, step, agreed);
    if let Some(floor) = floor.filter(|floor| rests_on.iter().any(|block| block.number <= floor.number)) {
        return Err(s2(&format!("evidence not later than what block {} undid", floor.number)));
    }
    let cancels =
        known.certificates.values().filter(|held| held.decision == *decision && held.purpose == Purpose::Cancel);
    // Of one chain's blocks the number says which is later; several may share a second.
    let oldest = cancels.filter_map(|held| evidence(held).into_iter().min_by_key(|head| head.number));
    let cut = oldest.max_by_key(|head| head.number);
    if let Some(cut) = cut.filter(|cut| rests_on.iter().any(|block| block.number <= cut.number)) {
        return Err(s2(&format!("cancelled for evidence up to block {}", cut.number)));
    }
    // No evidence counts but blocks of the branch that it was shown, up to the one it signed at.
    let oldest = rests_on.iter().map(|block| block.number).min().unwrap_or_default();
    let branch: BTreeSet<B256> =
        known.branch(&agreed.hash).take_while(|sight| sight.at.number >= oldest).map(|s| s.at.hash).collect();
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
            // What contains another asset is undone by that one's own recovery.
            let own = cast.charter.playbooks.values().filter(|other| other.asset == playbook.asset);
            let steps = own.filter(|other| other.purpose == PlaybookPurpose::Contain).flat_map(|other| &other.steps);
            steps.filter_map(|rung| known.turned(&at.hash, rung, true)).max_by_key(|block| block.number)
        }
    }
}
