//! Automatic votes: the highest step that own standing findings trigger, as soon as and as often as the newest own vote does not say so.

use std::collections::BTreeSet;

use watchfire_charter::{Mode, Playbook, PlaybookPurpose};
use watchfire_types::body::{Basis, Body, Decision, Finding, Vote};
use watchfire_types::duty::Page;
use watchfire_types::{BlockRef, EventHash, PlaybookId, StepIndex};

use super::{escalation, vetoing};
use crate::authority::{later, severity};
use crate::draft::Draft;
use crate::machine::Machine;

/// The step a finding triggers.
pub(crate) fn triggered(playbook: &Playbook, finding: &Finding) -> Option<StepIndex> {
    let fires = playbook.triggers.iter().filter(|trigger| {
        finding.severity >= trigger.severity
            && (trigger.kinds.is_empty() || trigger.kinds.contains(&finding.kind))
            && (trigger.detectors.is_empty() || trigger.detectors.contains(&finding.detector))
    });
    fires.map(|trigger| trigger.step).max()
}

/// Own findings that stand for a playbook, each with the step it triggers.
pub(crate) fn standing<'a>(
    machine: &'a Machine,
    playbook: &'a Playbook,
) -> impl Iterator<Item = (&'a Finding, StepIndex)> {
    let chain = machine.charter.assets.get(&playbook.asset).and_then(|asset| machine.view.chains.get(&asset.chain));
    let standing = chain.into_iter().flat_map(|chain| &chain.standing);
    standing
        .filter(|finding| finding.asset == playbook.asset)
        .filter_map(|finding| Some((finding, triggered(playbook, finding)?)))
}

/// The own event that says this finding, if it was made and not retracted.
pub(super) fn stated(machine: &Machine, finding: &Finding) -> Option<EventHash> {
    let observed = machine.shared.derived.observed.get(&machine.own.key())?;
    let own = observed.findings.get(&(finding.asset.clone(), finding.detector.clone()))?;
    let same = own.range((finding.first.time, EventHash::from_bytes([0; 32]))..).find(|((_, hash), event)| {
        matches!(&event.body, Body::Finding(said)
            if said.first == finding.first && said.severity >= finding.severity && said.kind == finding.kind)
            && !observed.retracted.contains(hash)
    });
    same.map(|((_, hash), _)| *hash)
}

/// Own votes of this node for a decision, by the time of their evidence.
fn own_votes<'a>(machine: &'a Machine, decision: &Decision) -> impl DoubleEndedIterator<Item = &'a Vote> {
    let own = machine.shared.derived.votes.get(decision).and_then(|votes| votes.get(machine.own.organisation()));
    let own = own.into_iter().flat_map(|votes| votes.values()).filter(|event| event.author == machine.own.key());
    own.filter_map(|event| match &event.body {
        Body::Vote(vote) => Some(vote),
        _ => None,
    })
}

/// This node's newest vote for a decision, automatic or human, whose evidence stands: a reorg may lead to earlier block times.
pub(crate) fn newest_own<'a>(machine: &'a Machine, decision: &Decision) -> Option<&'a Vote> {
    let mut own = own_votes(machine, decision).rev().filter(|vote| machine.evidence_stands(&vote.evidence));
    let newest = own.next()?;
    let same = own.take(64).take_while(|vote| vote.evidence == newest.evidence);
    Some(same.fold(newest, |widest, vote| if vote.step > widest.step { vote } else { widest }))
}

/// Whether the own log holds this very vote: saying it again would say nothing.
fn said(machine: &Machine, decision: &Decision, step: StepIndex, evidence: &BlockRef) -> bool {
    let own = own_votes(machine, decision).rev().skip_while(|vote| vote.evidence.time > evidence.time);
    let mut same_time = own.take_while(|vote| vote.evidence.time == evidence.time);
    same_time.any(|vote| vote.step == step && vote.evidence == *evidence)
}

pub(super) fn drafts(machine: &Machine, pages: &mut BTreeSet<Page>) -> Vec<Draft> {
    if !machine.own.entry.votes() {
        return Vec::new();
    }
    let contain = machine.charter.playbooks.iter().filter(|(_, p)| p.purpose == PlaybookPurpose::Contain);
    contain
        .filter_map(|(id, playbook)| vote(machine, id, playbook, pages))
        .map(|vote| Draft::Body(Body::Vote(vote)))
        .collect()
}

fn vote(machine: &Machine, id: &PlaybookId, playbook: &Playbook, pages: &mut BTreeSet<Page>) -> Option<Vote> {
    let chain = machine.charter.assets.get(&playbook.asset)?.chain;
    if playbook.mode == Mode::Observe || machine.view.silent(chain) {
        return None;
    }
    let (finding, found) = standing(machine, playbook).max_by(|(a, s), (b, t)| {
        (s, std::cmp::Reverse((a.first, &a.detector))).cmp(&(t, std::cmp::Reverse((b.first, &b.detector))))
    })?;
    let basis = stated(machine, finding)?;
    let step = escalation::step(machine, id, playbook, found, finding);
    let decision = machine.decision(id, playbook);
    let evidence = finding.block;
    if !counts(machine, id, playbook, &evidence, step) {
        return None;
    }
    if said(machine, &decision, step, &evidence) {
        return None;
    }
    let newest = newest_own(machine, &decision);
    if newest.is_some_and(|newest| !due(machine, id, playbook, newest, step, &evidence)) {
        return None;
    }
    if let Some(why) = held_back(machine, id, playbook, step, basis) {
        pages.insert(Page {
            asset: Some(playbook.asset.clone()),
            severity: severity(playbook, step),
            kind: "approval-wanted",
            text: format!("{id} step {step}: {why}; {}", finding.explanation),
        });
        return None;
    }
    let operator = machine.own.entry.operators.first().cloned()?;
    Some(Vote { decision, step, basis: Basis::Finding(basis), operator, evidence })
}

/// Whether evidence counts for a step now.
fn counts(machine: &Machine, id: &PlaybookId, playbook: &Playbook, evidence: &BlockRef, step: StepIndex) -> bool {
    machine.evidence_stands(evidence) && machine.floors(id, playbook, step).iter().all(|floor| later(evidence, floor))
}

/// Whether the newest own vote no longer says what the finding says: at once when it supports too little or counts for less than it
/// supports, else at half its life.
fn due(
    machine: &Machine,
    id: &PlaybookId,
    playbook: &Playbook,
    newest: &Vote,
    step: StepIndex,
    evidence: &BlockRef,
) -> bool {
    if newest.step < step {
        return true;
    }
    if !later(evidence, &newest.evidence) && machine.evidence_stands(&newest.evidence) {
        return false;
    }
    let half = newest.evidence.time.plus_secs(playbook.expiry_s / 2);
    let lapsed = |step: StepIndex| !counts(machine, id, playbook, &newest.evidence, step);
    evidence.time >= half || (1..=newest.step.get()).map(StepIndex::new).any(lapsed)
}

/// Why an automatic vote is turned into a question: mode, veto, cooldown or budget. None of them binds a human, nor (but for mode and veto) a wider step.
fn held_back(
    machine: &Machine,
    id: &PlaybookId,
    playbook: &Playbook,
    step: StepIndex,
    basis: EventHash,
) -> Option<String> {
    match playbook.mode {
        Mode::Observe | Mode::Propose => {
            return Some("the playbook asks a human of this organisation to approve".to_owned());
        }
        Mode::Auto => {}
    }
    if let Some(mute) = vetoing::mute(machine, id, playbook) {
        return Some(format!("this organisation vetoed at block {}", mute.act.number));
    }
    if cools_down(machine, playbook, step) {
        return Some(format!("executed less than {} s ago", playbook.cooldown_s));
    }
    if over_budget(machine, id, playbook, step, basis) {
        return Some(format!(
            "{} automatic decisions within {} s are spent",
            playbook.budget_count, playbook.budget_window_s
        ));
    }
    None
}

fn cools_down(machine: &Machine, playbook: &Playbook, step: StepIndex) -> bool {
    let Some(head) = machine.asset_head(&playbook.asset).filter(|_| playbook.cooldown_s > 0) else { return false };
    let lately = playbook.steps_indexed().filter(|(index, _)| *index >= step).flat_map(|(_, rung)| &rung.actions);
    let mut turned = lately.filter_map(|action| {
        machine.view.conditions.get(&crate::view::key(action.chain, &action.postcondition))?.became(&true)
    });
    turned.any(|block| head.time.secs_since(block.time) < playbook.cooldown_s)
}

/// Distinct findings that this node voted on by itself within the window count; a re-vote on the same finding is the same decision.
fn over_budget(machine: &Machine, id: &PlaybookId, playbook: &Playbook, step: StepIndex, basis: EventHash) -> bool {
    let Some(head) = machine.asset_head(&playbook.asset).filter(|_| playbook.budget_window_s > 0) else { return false };
    let decision = machine.decision(id, playbook);
    let own = machine.shared.derived.votes.get(&decision).and_then(|votes| votes.get(machine.own.organisation()));
    let own = own.into_iter().flat_map(|votes| votes.values()).filter(|event| event.author == machine.own.key());
    let mut bases = BTreeSet::new();
    let mut widest = None;
    for event in own {
        if let Body::Vote(Vote { basis: Basis::Finding(basis), evidence, step, .. }) = &event.body
            && head.time.secs_since(evidence.time) < playbook.budget_window_s
        {
            bases.insert(*basis);
            widest = widest.max(Some(*step));
        }
    }
    let spent = u32::try_from(bases.len()).unwrap_or(u32::MAX) >= playbook.budget_count;
    spent && !bases.contains(&basis) && widest.is_none_or(|widest| step <= widest)
}
