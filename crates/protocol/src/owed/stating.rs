//! Statements: why a wanted pause did not happen, and whether this node could pause now.

use std::collections::BTreeSet;

use watchfire_charter::{Mode, Playbook, PlaybookPurpose, Step};
use watchfire_types::body::{Attested, Body, Cause, Decision, NotContained, Vote};
use watchfire_types::input::{PreflightOutcome, SubmissionFailure};
use watchfire_types::planted::{Mutation, planted};
use watchfire_types::{
    AssetId, BlockRef, BlockTime, ChainId, EventHash, OperatorId, OrganisationId, PlaybookId, StepIndex,
};

use super::effects::OwedEffect;
use super::submitting::packed;
use super::voting::{asks_people, newest_own, standing, triggered};
use crate::authority::{Unbuilt, later, newest, severity};
use crate::draft::{Draft, line};
use crate::effect::Effect;
use crate::machine::Machine;
use crate::moment::Moment;
use crate::shared::content::Kind;
use crate::status::{AssetOutlook, WhyNot};
use crate::view::Failed;

/// Least time between two attestations of one asset, ms of this node's clock.
const ATTEST_MS: u64 = 3_600_000;

/// Time after which what did not change is attested again, ms: the blocks scanned meanwhile are part of the statement.
const ATTEST_UNCHANGED_MS: u64 = 24 * ATTEST_MS;

pub(super) fn drafts(machine: &Machine, now: &Moment) -> Vec<Draft> {
    let contain = machine.charter.playbooks.iter().filter(|(_, p)| p.purpose == PlaybookPurpose::Contain);
    let stated = contain.filter_map(|(id, playbook)| not_contained(machine, id, playbook)).map(Body::NotContained);
    let assets = machine.charter.assets.keys().filter(|_| machine.own.entry.guardian.is_some());
    let attested = assets.filter_map(|asset| attest(machine, now, asset)).map(Body::Attested);
    stated.chain(attested).map(Draft::Body).collect()
}

/// Said once, when what this node wanted last has died, nothing stands any more and nothing was contained since: its newest vote, or a
/// finding that it stated and did not vote on, since it asks people or something held the vote back.
fn not_contained(machine: &Machine, id: &PlaybookId, playbook: &Playbook) -> Option<NotContained> {
    let decision = machine.decision(id, playbook);
    let head = machine.asset_head(&playbook.asset)?;
    let voted = newest_own(machine, playbook, &decision).map(|vote| vote.evidence);
    let found = newest_stated(machine, id, playbook).map(|(at, _)| at);
    let wanted = voted.into_iter().chain(found).max_by_key(|at| at.number)?;
    if head.time <= wanted.time.plus_secs(playbook.expiry_s) || standing(machine, playbook).next().is_some() {
        return None;
    }
    let own = machine.shared.derived.observed.get(&machine.own.key());
    let said = own.and_then(|own| own.not_contained.get(&decision)?.last_key_value());
    let contained = machine.last_containment(&playbook.asset);
    if said.is_some_and(|((at, _), _)| *at > wanted.time) || contained.is_some_and(|at| !later(&wanted, &at)) {
        return None;
    }
    let WhyNot { step, cause, detail, .. } = why_not(machine, id, playbook)?;
    Some(NotContained { decision, step, cause, detail: line(&detail), head })
}

fn attest(machine: &Machine, now: &Moment, asset: &AssetId) -> Option<Attested> {
    let (ready, detail) = readiness(machine, asset)?;
    let can_pause = match ready {
        Ready::Yes | Ready::Unsure => true,
        Ready::No => false,
        // What is stated for good rests on an answer.
        Ready::Pending | Ready::Unread | Ready::Silent => return None,
    };
    let own = machine.shared.derived.observed.get(&machine.own.key());
    let last = own.and_then(|own| own.attested.get(asset)?.last_key_value());
    let head = machine.asset_head(asset)?;
    let scanned_from = machine.scanned_from(head.chain)?;
    let due = last.is_none_or(|(_, event)| {
        let Body::Attested(said) = &event.body else { return false };
        let changed = said.can_pause != can_pause || scanned_from > said.head.number.saturating_add(1);
        now.reached(event.time.plus_millis(if changed { ATTEST_MS } else { ATTEST_UNCHANGED_MS }))
    });
    due.then(|| Attested { asset: asset.clone(), can_pause, detail: line(&detail), head, scanned_from })
}

/// Whether the widest step of every containment playbook of an asset would succeed now. `None` until there is anything to judge by.
pub(crate) fn outlook(machine: &Machine, asset: &AssetId) -> Option<AssetOutlook> {
    let (ready, detail) = readiness(machine, asset)?;
    let playbooks = machine.charter.playbooks_of(asset);
    let contain: Vec<_> = playbooks.filter(|(_, playbook)| playbook.purpose == PlaybookPurpose::Contain).collect();
    let contained = contain.iter().flat_map(|(_, playbook)| &playbook.steps).any(|rung| machine.took_effect(rung));
    let can_pause = !matches!(ready, Ready::Unread | Ready::No | Ready::Silent) || planted(Mutation::SaysItCan);
    let doubt = matches!(ready, Ready::Unsure | Ready::Pending).then(|| detail.clone());
    let owed = contain.iter().flat_map(|(id, playbook)| machine.owed_steps(id, playbook));
    let owed_step = owed.map(|owed| owed.step).max();
    let causes = contain.iter().filter_map(|(id, playbook)| Some((playbook, why_not(machine, id, playbook)?)));
    let worst = causes.max_by_key(|(playbook, why)| (severity(playbook, why.step), why.step));
    let why_not = worst.map(|(_, why)| why);
    let (mute, asks) = (mute(machine, asset), crate::ledger::asks(machine, asset));
    Some(AssetOutlook { asset: asset.clone(), can_pause, doubt, mute, detail, contained, owed_step, why_not, asks })
}

/// Whether the widest step of a playbook would succeed now, the worst last.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Ready {
    /// It holds already, or every one of its transactions passes.
    Yes,
    /// Nothing speaks against it and it is not known to pass, or a narrower step would fail.
    Unsure,
    /// As `Unsure`, until the answer of a simulation that is under way.
    Pending,
    /// Its transactions cannot be built yet: the head does not say what from.
    Unread,
    /// It would not.
    No,
    /// A chain of it cannot be read now.
    Silent,
}

/// The worst of the containment playbooks that a finding could choose, with one line; which one it is where there are several.
fn readiness(machine: &Machine, asset: &AssetId) -> Option<(Ready, String)> {
    machine.asset_head(asset)?;
    let playbooks = machine.charter.containment_of(asset);
    let judged = playbooks.iter().filter_map(|(id, playbook)| Some((*id, ladder(machine, playbook)?)));
    // Of equally bad ones the first: `max_by_key` would take the last.
    let (id, (ready, detail)) = judged.rev().max_by_key(|(_, (ready, _))| *ready)?;
    let named = playbooks.len() > 1 && ready != Ready::Yes;
    Some((ready, if named { format!("{id}: {detail}") } else { detail }))
}

/// Whether the widest step of one playbook would succeed now, with one line; where it would, the first narrower one that would not: a
/// finding that asks for no more than that one is left without an answer.
fn ladder(machine: &Machine, playbook: &Playbook) -> Option<(Ready, String)> {
    let (widest, narrower) = playbook.steps.split_last()?;
    let own = machine.charter.assets.get(&playbook.asset).map(|asset| asset.chain);
    if let Some(why) = unreadable(machine, own.into_iter().chain(chains(widest))) {
        return Some((Ready::Silent, why));
    }
    if machine.took_effect(widest) {
        return Some((Ready::Yes, "already contained".to_owned()));
    }
    let whole = rung(machine, widest);
    if whole.0 != Ready::Yes {
        return Some(whole);
    }
    let fails = narrower.iter().find_map(|step| match rung(machine, step) {
        (Ready::Silent, why) => Some((Ready::Unsure, format!("step {}: {why}", step.name))),
        (Ready::No, why) if !machine.took_effect(step) => {
            Some((Ready::Unsure, format!("step {} would fail: {why}", step.name)))
        }
        _ => None,
    });
    Some(fails.unwrap_or(whole))
}

fn chains(step: &Step) -> impl Iterator<Item = ChainId> {
    step.actions.iter().map(|action| action.chain)
}

/// Why nothing that was seen of these chains is of now, not even that a step took effect there: one of them cannot be read.
fn unreadable(machine: &Machine, mut chains: impl Iterator<Item = ChainId>) -> Option<String> {
    chains.find_map(|chain| {
        let cause = machine.view.chains.get(&chain)?.silent.as_ref()?;
        Some(format!("chain {chain} cannot be read: {cause}"))
    })
}

/// Whether one step would succeed now, with one line.
fn rung(machine: &Machine, step: &Step) -> (Ready, String) {
    if let Some(why) = unreadable(machine, chains(step)) {
        return (Ready::Silent, why);
    }
    match machine.all_effects(step) {
        Ok(effects) => {
            let short = effects.iter().find_map(|effect| too_few_own(machine, effect));
            short.map_or_else(|| simulated(machine, &effects), |why| (Ready::No, why))
        }
        Err((safe, why)) => {
            let ready = if why == Unbuilt::Unread { Ready::Unread } else { Ready::No };
            (ready, format!("Safe {safe}: {why}"))
        }
    }
}

/// Why no threshold of guardians could sign a transaction, whatever a simulation with one owner's word says: too few of them own its Safe.
fn too_few_own(machine: &Machine, effect: &Effect) -> Option<String> {
    let (view, head) = (machine.view.safes.get(&effect.safe)?, machine.view.head(effect.chain)?);
    let (own, threshold) = (*view.guardians.at(&head)?, view.threshold.at(&head)?);
    let few = u64::try_from(own).is_ok_and(|own| own < *threshold);
    few.then(|| format!("Safe {} asks for {threshold} signatures, and {own} guardians own it", effect.safe))
}

/// What refutes goes before what is not known, whichever Safe it is at; what passed is as old as its oldest answer.
fn simulated(machine: &Machine, effects: &[Effect]) -> (Ready, String) {
    let answer = |effect: &Effect| machine.view.outcomes.get(&effect.safe_tx_hash)?.preflight.as_ref();
    for effect in effects {
        if let Some((block, PreflightOutcome::Refuted { reason, .. })) = answer(effect) {
            return (Ready::No, format!("refuted at block {}: {reason}", block.number));
        }
    }
    let mut oldest = None;
    for effect in effects {
        match answer(effect) {
            None => return (Ready::Pending, format!("not simulated yet at nonce {}", effect.transaction.nonce)),
            Some((block, PreflightOutcome::Unknown { reason })) => {
                let before = refusal(machine, effect).map(|(_, before)| format!("; {before}")).unwrap_or_default();
                return (Ready::Unsure, format!("not simulated at block {}: {reason}{before}", block.number));
            }
            Some((block, _)) => oldest = Some(oldest.map_or(block.number, |oldest: u64| oldest.min(block.number))),
        }
    }
    let Some(oldest) = oldest else {
        return (Ready::No, "no call is left to make, and the step does not hold".to_owned());
    };
    (Ready::Yes, format!("simulated ok at block {oldest}"))
}

/// Why no vote of this member would count now, if it votes: only what one of its charter operators agreed on is its word.
fn mute(machine: &Machine, asset: &AssetId) -> Option<String> {
    let head = machine.asset_head(asset).filter(|_| machine.own.entry.votes())?;
    let labels = &machine.own.entry.operators;
    if machine.view.label(labels, &head).is_some() {
        return None;
    }
    let labels: Vec<&str> = labels.iter().map(OperatorId::as_str).collect();
    let text = format!(
        "no vote of this node counts: none of its operators in the charter ({}) gave what it knows of block {}",
        labels.join(", "),
        head.number
    );
    Some(text)
}

/// A vote that is wanted, and whose.
type Wanted<'a> = (&'a OrganisationId, &'a Vote);

/// Votes of a decision that still say something about now: later than what ended the previous want.
fn wanted<'a>(machine: &'a Machine, id: &PlaybookId, playbook: &Playbook, decision: &Decision) -> Vec<Wanted<'a>> {
    let Some(within) = machine.held_times(&playbook.asset) else { return Vec::new() };
    let votes = machine.shared.derived.votes.get(decision).into_iter();
    let votes = votes.flat_map(|votes| votes.newest(within.clone()));
    let votes = votes.filter_map(|(organisation, _, event)| match &event.body {
        Body::Vote(vote) => Some((organisation, vote)),
        _ => None,
    });
    let recent = |(_, vote): &Wanted<'_>| {
        let ended = machine.last_recovery(id, vote.step);
        machine.evidence_stands(&vote.evidence) && ended.is_none_or(|ended| later(&vote.evidence, &ended))
    };
    votes.filter(recent).collect()
}

/// This node's newest finding that a step of the playbook answers by itself, the widest of several of one block: it stands in the log, was
/// not taken back, and is of the time after the last recovery.
fn newest_stated(machine: &Machine, id: &PlaybookId, playbook: &Playbook) -> Option<(BlockRef, StepIndex)> {
    let within = machine.held_times(&playbook.asset)?;
    let observed = machine.shared.derived.observed.get(&machine.own.key())?;
    let of_asset = observed.findings.iter().filter(|((asset, _), _)| *asset == playbook.asset);
    let newest = of_asset.flat_map(|(_, events)| {
        let within =
            (*within.start(), EventHash::from_bytes([0; 32]))..=(*within.end(), EventHash::from_bytes([0xff; 32]));
        events.range(within).rev().filter(|((_, hash), _)| !observed.retracted.contains_key(hash)).take(1)
    });
    let wants = newest.filter_map(|(_, event)| {
        let Body::Finding(finding) = &event.body else { return None };
        let step = triggered(&machine.charter, playbook, finding, &[finding])?;
        let ended = machine.last_recovery(id, step);
        let counts = machine.evidence_stands(&finding.first) && ended.is_none_or(|ended| later(&finding.first, &ended));
        counts.then_some((finding.first, step))
    });
    wants.max_by_key(|(at, step)| (at.number, *step))
}

/// The one named cause why the widest wanted step is not on chain; `None` when nothing is wanted or it is there.
pub(crate) fn why_not(machine: &Machine, id: &PlaybookId, playbook: &Playbook) -> Option<WhyNot> {
    let decision = machine.decision(id, playbook);
    let votes = wanted(machine, id, playbook, &decision);
    let found = standing(machine, playbook).map(|(_, step)| step).max();
    let stated = newest_stated(machine, id, playbook);
    let step = votes.iter().map(|(_, vote)| vote.step).max().max(found).max(stated.map(|(_, step)| step))?;
    let contained = machine.last_containment(&playbook.asset);
    let newest = newest(votes.iter().map(|(_, vote)| vote.evidence).chain(stated.map(|(at, _)| at)));
    let done = contained.is_some_and(|at| newest.is_none_or(|newest| !later(&newest, &at)));
    if machine.satisfied(playbook, step) || (done && found.is_none()) {
        return None;
    }
    let (cause, detail) = cause(machine, id, playbook, &decision, step, &votes);
    Some(WhyNot { decision, step, cause, detail })
}

fn cause(
    machine: &Machine,
    id: &PlaybookId,
    playbook: &Playbook,
    decision: &Decision,
    step: StepIndex,
    votes: &[Wanted<'_>],
) -> (Cause, String) {
    let silent = machine.charter.assets.get(&playbook.asset).and_then(|asset| machine.view.chains.get(&asset.chain));
    if let Some(why) = silent.and_then(|chain| chain.silent.clone()) {
        return (Cause::ChainUnavailable, why);
    }
    let cut = machine.cancel_cut(decision);
    if let Some(cut) = cut.filter(|cut| votes.iter().all(|(_, vote)| !later(&vote.evidence, cut))) {
        return (Cause::Cancelled, format!("cancelled up to block {}", cut.number));
    }
    if !certified(machine, id, playbook, decision, step, votes) {
        return uncertified(machine, id, playbook, votes);
    }
    executing(machine, id, playbook, decision, step)
}

/// Whether what is wanted was certified: by a certificate that was alive when the newest wanted vote was given.
fn certified(
    machine: &Machine,
    id: &PlaybookId,
    playbook: &Playbook,
    decision: &Decision,
    step: StepIndex,
    votes: &[Wanted<'_>],
) -> bool {
    let newest = votes.iter().map(|(_, vote)| vote.evidence.time).max();
    let Some(newest) = newest.or(machine.asset_head(&playbook.asset).map(|head| head.time)) else { return false };
    let oldest = BlockTime::from_secs(newest.as_secs().saturating_sub(playbook.expiry_s));
    let ended = machine.last_recovery(id, step);
    let held = playbook.steps_indexed().flat_map(|(of, _)| machine.shared.content.of_step(decision, of, oldest));
    held.map(|(_, held)| &held.facts.evidence).any(|evidence| {
        let counts = |at: &BlockRef| machine.evidence_stands(at) && ended.is_none_or(|ended| later(at, &ended));
        evidence.iter().all(counts)
    })
}

fn uncertified(machine: &Machine, id: &PlaybookId, playbook: &Playbook, votes: &[Wanted<'_>]) -> (Cause, String) {
    let head = machine.asset_head(&playbook.asset).map_or(BlockTime::default(), |head| head.time);
    let alive = votes.iter().filter(|(_, vote)| head <= vote.evidence.time.plus_secs(playbook.expiry_s)).count();
    let organisations: BTreeSet<&OrganisationId> = votes.iter().map(|(organisation, _)| *organisation).collect();
    let needed = usize::from(playbook.rule.organisations);
    let detail = format!("{} of {needed} organisations support it, {alive} votes alive", organisations.len());
    if organisations.len() >= needed {
        (Cause::Expired, detail)
    } else if let Some(why) = asks_people(machine, id, playbook) {
        (Cause::AwaitingHumans, format!("{why}; {detail}"))
    } else if playbook.mode == Mode::Auto {
        (Cause::QuorumNotReached, detail)
    } else {
        (Cause::AwaitingHumans, detail)
    }
}

fn executing(
    machine: &Machine,
    id: &PlaybookId,
    playbook: &Playbook,
    decision: &Decision,
    step: StepIndex,
) -> (Cause, String) {
    let rungs = playbook.steps_indexed().filter(|(index, _)| *index <= step);
    let effects = rungs.flat_map(|(_, rung)| machine.effects(rung));
    let refusal = effects.filter_map(|effect| refusal(machine, &effect)).last();
    let owed = machine.owing();
    let mine: Vec<&OwedEffect> =
        owed.iter().filter(|owed| owed.step.as_ref().is_some_and(|(of, _)| of == decision)).collect();
    if let (Some(refusal), true) = (refusal, mine.is_empty()) {
        return refusal;
    }
    let mut scheduled =
        playbook.steps_indexed().rev().filter(|(index, _)| *index <= step).filter_map(|(index, rung)| {
            let delayed_s = rung.actions.iter().map(|action| action.delayed_s).max()?;
            Some((machine.scheduled(id, playbook, index)?.number, delayed_s))
        });
    if let Some((block, delayed_s)) = scheduled.next() {
        return (
            Cause::Delayed,
            format!("scheduled at block {block}: its path only schedules, delayed by {delayed_s} s"),
        );
    }
    if let Some(block) = executed_without_effect(machine, decision) {
        return (Cause::PostconditionFailed, format!("executed at block {block} and the postcondition does not hold"));
    }
    let Some(first) = mine.first() else {
        if machine.authorising(id, step).is_none() {
            return (Cause::Expired, "the certificate has expired".to_owned());
        }
        let rungs = playbook.steps_indexed().filter(|(index, _)| *index <= step);
        let unbuilt = rungs.rev().find_map(|(_, rung)| machine.all_effects(rung).err());
        let detail = unbuilt.map(|(safe, why)| format!("Safe {safe}: {why}"));
        let unknown = || "no transaction can be built at the head".to_owned();
        return (Cause::ChainUnavailable, detail.unwrap_or_else(unknown));
    };
    unsent(machine, playbook, first)
}

/// What a simulation found to stand in the way, for as long as none has passed since.
fn refusal(machine: &Machine, effect: &Effect) -> Option<(Cause, String)> {
    let (block, answer) = machine.view.outcomes.get(&effect.safe_tx_hash)?.refuted.as_ref()?;
    let PreflightOutcome::Refuted { reason, by_guard } = answer else { return None };
    let cause = if *by_guard { Cause::GuardBlocks } else { Cause::PreflightRefuted };
    Some((cause, format!("refuted at block {}: {reason}", block.number)))
}

fn unsent(machine: &Machine, playbook: &Playbook, owed: &OwedEffect) -> (Cause, String) {
    let hash = owed.effect.safe_tx_hash;
    let refusal = refusal(machine, &owed.effect);
    if packed(machine, owed).is_none() {
        if let Some(refusal) = refusal {
            return refusal;
        }
        let have = machine.shared.content.signed.get(&hash).map_or(0, |signed| signed.owners.len());
        let need = machine.view.safes.get(&owed.effect.safe).and_then(|safe| safe.threshold.last()).copied();
        return (Cause::ThresholdNotReached, format!("{have} of {} signatures", need.unwrap_or_default()));
    }
    let delay = playbook.actions().map(|action| action.delayed_s).max().unwrap_or_default();
    let outcome = machine.view.outcomes.get(&hash).cloned().unwrap_or_default();
    match (outcome.unsendable, outcome.failed) {
        (Some(failure), _) => unsendable(failure),
        (None, Some((block, Failed::Reverted(failure)))) => {
            let (cause, detail) = match failure {
                SubmissionFailure::Refused(why) => (Cause::PreflightRefuted, why),
                named => unsendable(named),
            };
            (cause, format!("reverted on chain at block {}: {detail}", block.number))
        }
        (None, Some((block, Failed::NotIncluded))) => {
            let detail = format!("block {}: not included for two blocks while its fees sufficed", block.number);
            (Cause::NotIncluded, detail)
        }
        (None, None) if delay > 0 => (Cause::Delayed, format!("its path only schedules: delayed by {delay} s")),
        (None, None) => {
            refusal.unwrap_or_else(|| (Cause::NotIncluded, "threshold-signed and not on chain yet".to_owned()))
        }
    }
}

/// What this node's submitter met, by its name and with its own words.
fn unsendable(failure: SubmissionFailure) -> (Cause, String) {
    match failure {
        SubmissionFailure::Unfunded => (Cause::SubmitterUnfunded, "this submitter cannot pay".to_owned()),
        SubmissionFailure::NonceTaken => (Cause::NonceTaken, "GS026: another transaction took the nonce".to_owned()),
        SubmissionFailure::BadSignatures => {
            (Cause::ThresholdNotReached, "GS026: the Safe refuses a signature at the current nonce".to_owned())
        }
        SubmissionFailure::TooFewSignatures => {
            (Cause::ThresholdNotReached, "GS020: the Safe asks for more signatures".to_owned())
        }
        SubmissionFailure::AlreadyContained { reason } => {
            (Cause::PreflightRefuted, format!("already contained at the submitter's head ({reason})"))
        }
        SubmissionFailure::InnerReverted { reason } => (Cause::PreflightRefuted, format!("its call reverts: {reason}")),
        SubmissionFailure::GuardRefuses { reason } => (Cause::GuardBlocks, format!("a guard refuses it: {reason}")),
        SubmissionFailure::AboveGasCap { cap } => {
            (Cause::PreflightRefuted, format!("needs more gas than the chain's cap of {cap}"))
        }
        SubmissionFailure::Capped => (
            Cause::NotIncluded,
            "its bid is as high as it may be, and nodes take no replacement for less than a tenth more".to_owned(),
        ),
        SubmissionFailure::Refused(why) => (Cause::NotIncluded, format!("the endpoint refuses it: {why}")),
    }
}

fn executed_without_effect(machine: &Machine, decision: &Decision) -> Option<u64> {
    let executions = machine.view.safes.values().flat_map(|safe| &safe.executions);
    let mut of = executions.filter(|execution| {
        let signed = machine.shared.content.signed.get(&execution.safe_tx_hash);
        execution.succeeded
            && signed.is_some_and(|s| matches!(&s.kind, Kind::Step { decision: of, .. } if of == decision))
    });
    let last = of.next_back()?;
    let recovered = machine.last_recovery(&decision.playbook, StepIndex::new(1));
    recovered.is_none_or(|recovered| later(&last.block, &recovered)).then_some(last.block.number)
}
