//! Automatic votes: the highest step that own standing findings trigger, as soon as and as often as the newest own vote does not say so.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use watchfire_charter::{CONTAINMENT_FAILED, Charter, Mode, Playbook, PlaybookPurpose, Together, Trigger};
use watchfire_types::body::{Basis, Body, Decision, Finding, Vote};
use watchfire_types::duty::Page;
use watchfire_types::planted::{Mutation, planted};
use watchfire_types::{BlockRef, BlockTime, EventHash, OperatorId, PlaybookId, StepIndex};

use super::{escalation, vetoing};
use crate::authority::{later, severity};
use crate::draft::Draft;
use crate::ledger::Held;
use crate::machine::Machine;
use crate::shared::voices;

/// Seconds of block time from the evidence of a vote that a cancel cut off to that of the next: a round costs each author four events at most, and
/// its quota grows by two a second.
const AFTER_CANCEL_S: u64 = 3;

/// The step a finding triggers: the widest of what the playbook's triggers name for its kind, detector and severity, given what else stands of its
/// asset where a trigger asks for several kinds together. One that only gives context triggers none, and none counts beside another.
#[must_use]
pub fn triggered(
    charter: &Charter,
    playbook: &Playbook,
    finding: &Finding,
    standing: &[&Finding],
) -> Option<StepIndex> {
    if charter.is_context_finding(finding) {
        return None;
    }
    steps(charter, playbook, finding, standing, &|_, _| true).max()
}

/// The steps of the triggers that a finding fires, where only those findings stand beside it that count for the trigger's step.
fn steps(
    charter: &Charter,
    playbook: &Playbook,
    finding: &Finding,
    standing: &[&Finding],
    counts: &dyn Fn(&Finding, StepIndex) -> bool,
) -> impl Iterator<Item = StepIndex> {
    let fires = playbook.triggers.iter().filter(move |trigger| {
        let together = |together| {
            let beside: Vec<&Finding> = standing.iter().copied().filter(|other| counts(other, trigger.step)).collect();
            stands_together(charter, trigger, together, finding, &beside)
        };
        trigger.matches_finding(&finding.detector, &finding.kind, finding.severity)
            && trigger.together.is_none_or(together)
    });
    fires.map(|trigger| trigger.step)
}

/// Whether a finding is one of as many kinds as have to stand together, all begun within the time that is given for it; it is one of those that
/// stand.
fn stands_together(
    charter: &Charter,
    trigger: &Trigger,
    together: Together,
    finding: &Finding,
    standing: &[&Finding],
) -> bool {
    let counts = |other: &&Finding| {
        other.asset == finding.asset
            && other.kind != CONTAINMENT_FAILED
            && !charter.is_context_finding(other)
            && trigger.matches_finding(&other.detector, &other.kind, other.severity)
    };
    let others: Vec<&Finding> = standing.iter().copied().filter(counts).collect();
    let earliest = finding.first.time.as_secs().saturating_sub(together.within_s);
    let starts = others
        .iter()
        .map(|other| other.first.time)
        .filter(|start| start.as_secs() >= earliest && *start <= finding.first.time);
    let kinds = |start: BlockTime| {
        let within =
            others.iter().filter(|other| (start..=start.plus_secs(together.within_s)).contains(&other.first.time));
        within.map(|other| other.kind.as_str()).collect::<BTreeSet<_>>().len()
    };
    let stands = standing.iter().any(|other| (&other.detector, other.first) == (&finding.detector, finding.first));
    stands
        && finding.kind != CONTAINMENT_FAILED
        && starts.into_iter().any(|start| kinds(start) >= usize::from(together.kinds))
}

/// Own findings that stand for a playbook, each with the step it triggers.
pub(crate) fn standing<'a>(
    machine: &'a Machine,
    playbook: &'a Playbook,
) -> impl Iterator<Item = (&'a Finding, StepIndex)> {
    let standing = of_asset(machine, playbook);
    let beside = of_known_age(machine, &standing);
    let triggers = |finding| Some((finding, triggered(&machine.charter, playbook, finding, &beside)?));
    standing.iter().copied().filter_map(triggers).collect::<Vec<_>>().into_iter()
}

/// Those that may count beside another: what stood at the first block that this process saw, and of which its log says nothing, may have begun long before.
fn of_known_age<'a>(machine: &Machine, standing: &[&'a Finding]) -> Vec<&'a Finding> {
    let began = |chain| machine.view.chains.get(&chain).and_then(|chain| chain.began);
    standing.iter().copied().filter(|finding| began(finding.first.chain) != Some(finding.first)).collect()
}

fn of_asset<'a>(machine: &'a Machine, playbook: &Playbook) -> Vec<&'a Finding> {
    let chain = machine.charter.assets.get(&playbook.asset).and_then(|asset| machine.view.chains.get(&asset.chain));
    let standing = chain.into_iter().flat_map(|chain| &chain.standing);
    standing.filter(|finding| finding.asset == playbook.asset).collect()
}

/// The own event that says this finding, if it was made and not retracted.
pub(super) fn stated(machine: &Machine, finding: &Finding) -> Option<EventHash> {
    let observed = machine.shared.derived.observed.get(&machine.own.key())?;
    let own = observed.findings.get(&(finding.asset.clone(), finding.detector.clone()))?;
    let same = own.range((finding.first.time, EventHash::from_bytes([0; 32]))..).find(|((_, hash), event)| {
        matches!(&event.body, Body::Finding(said)
            if said.first == finding.first && said.severity >= finding.severity && said.kind == finding.kind)
            && !observed.retracted.contains_key(hash)
            && !(planted(Mutation::FindsAgain) && event.epoch != machine.own.epoch)
    });
    same.map(|((_, hash), _)| *hash)
}

/// The newest few own votes of this node for each step of a decision, on evidence within these block times.
fn own_votes<'a>(
    machine: &'a Machine,
    decision: &Decision,
    within: RangeInclusive<BlockTime>,
) -> impl Iterator<Item = &'a Vote> {
    let votes = machine.shared.derived.votes.get(decision);
    let own = votes.into_iter().flat_map(move |votes| votes.newest_of(machine.own.organisation(), within.clone()));
    let own = own.filter(|((author, ..), _)| *author == machine.own.key());
    own.filter_map(|(_, event)| match &event.body {
        Body::Vote(vote) => Some(vote),
        _ => None,
    })
}

/// This node's newest vote for a decision, automatic or human, whose evidence stands: a reorg may lead to earlier block times. Of several
/// on the same block the widest.
pub(crate) fn newest_own<'a>(machine: &'a Machine, playbook: &Playbook, decision: &Decision) -> Option<&'a Vote> {
    let within = machine.held_times(&playbook.asset)?;
    let own = own_votes(machine, decision, within).filter(|vote| machine.evidence_stands(&vote.evidence));
    own.max_by_key(|vote| (vote.evidence.number, vote.step))
}

/// Whether the own log holds this very vote: saying it again would say nothing.
fn said(machine: &Machine, decision: &Decision, step: StepIndex, evidence: &BlockRef) -> bool {
    let mut same_time = own_votes(machine, decision, evidence.time..=evidence.time);
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

/// A vote that is due, whether or not anything holds it back.
struct Due<'a> {
    finding: &'a Finding,
    step: StepIndex,
    decision: Decision,
}

/// The finding that asks for the widest step, of several the one that stands longest, and the step that it asks for by now.
fn widest<'a>(
    machine: &Machine,
    id: &PlaybookId,
    playbook: &Playbook,
    standing: impl Iterator<Item = (&'a Finding, StepIndex)>,
) -> Option<(&'a Finding, StepIndex)> {
    let (finding, found) = standing.max_by(|(a, s), (b, t)| {
        (s, std::cmp::Reverse((a.first, &a.detector))).cmp(&(t, std::cmp::Reverse((b.first, &b.detector))))
    })?;
    Some((finding, escalation::step(machine, id, playbook, found, finding)))
}

/// As [`widest`], of the findings that may be voted on by a machine: not of rules that ask people for the step, nor where one of those is needed
/// beside them.
fn widest_trusted<'a>(
    machine: &'a Machine,
    id: &PlaybookId,
    playbook: &Playbook,
    held: &Held,
) -> Option<(&'a Finding, StepIndex)> {
    let standing = of_asset(machine, playbook);
    let beside = of_known_age(machine, &standing);
    let counts = |finding: &Finding, step| held.since(&finding.detector, step).is_none();
    let decisive = standing.iter().copied().filter(|finding| !machine.charter.is_context_finding(finding));
    let trusted = decisive.filter_map(|finding| {
        let found = steps(&machine.charter, playbook, finding, &beside, &counts).max()?;
        counts(finding, escalation::step(machine, id, playbook, found, finding)).then_some((finding, found))
    });
    widest(machine, id, playbook, trusted)
}

/// Why what stands asks people though the playbook votes by itself: the rule behind it, or one that it needs beside it, was wrong before.
fn demoted(machine: &Machine, playbook: &Playbook, held: &Held, (finding, step): (&Finding, StepIndex)) -> String {
    let itself = held.since(&finding.detector, step).map(|incident| (&finding.detector, incident));
    let standing = of_asset(machine, playbook);
    let beside = || {
        let mut others = standing.iter().map(|other| &other.detector);
        others.find_map(|rule| Some((rule, held.since(rule, StepIndex::new(1))?)))
    };
    match itself.or_else(beside) {
        Some((rule, incident)) => format!("would ask people: rule {rule} demoted after incident {}", incident.short()),
        None => "would ask people".to_owned(),
    }
}

/// What own standing findings ask for by now: of a machine, and of people beyond it, with why.
struct Wants<'a> {
    machine: Option<(&'a Finding, StepIndex)>,
    people: Option<((&'a Finding, StepIndex), String)>,
}

fn wants<'a>(machine: &'a Machine, id: &PlaybookId, playbook: &'a Playbook) -> Wants<'a> {
    let Some(all) = widest(machine, id, playbook, standing(machine, playbook)) else {
        return Wants { machine: None, people: None };
    };
    let held = match playbook.mode {
        Mode::Auto if !planted(Mutation::TrustsDemoted) => Held::of(machine, id, &playbook.asset),
        _ => Held::default(),
    };
    if held.is_empty() {
        return Wants { machine: Some(all), people: None };
    }
    let trusted = widest_trusted(machine, id, playbook, &held);
    let beyond = trusted.is_none_or(|(_, step)| step < all.1);
    Wants { machine: trusted, people: beyond.then(|| (all, demoted(machine, playbook, &held, all))) }
}

/// Why what stands asks people and no machine though the playbook votes by itself, if so.
pub(super) fn asks_people(machine: &Machine, id: &PlaybookId, playbook: &Playbook) -> Option<String> {
    let wants = wants(machine, id, playbook);
    wants.people.filter(|_| wants.machine.is_none()).map(|(_, why)| why)
}

/// What own standing findings ask for, when the newest own vote does not say so already: of a machine, and of people.
#[derive(Default)]
struct Asked<'a> {
    /// The vote that is due, but for what the playbook itself holds back.
    vote: Option<Due<'a>>,
    /// What people are asked beyond it, and why.
    people: Option<(Due<'a>, String)>,
}

fn asked<'a>(machine: &'a Machine, id: &PlaybookId, playbook: &'a Playbook) -> Asked<'a> {
    let chain = machine.charter.assets.get(&playbook.asset).map(|asset| asset.chain);
    if playbook.mode == Mode::Observe || chain.is_none_or(|chain| machine.view.silent(chain)) {
        return Asked::default();
    }
    let wants = wants(machine, id, playbook);
    let due = |of| unsaid(machine, id, playbook, of);
    Asked { vote: wants.machine.and_then(due), people: wants.people.and_then(|(of, why)| Some((due(of)?, why))) }
}

/// A vote on a finding, when the newest own vote does not say so already.
fn unsaid<'a>(
    machine: &Machine,
    id: &PlaybookId,
    playbook: &Playbook,
    (finding, step): (&'a Finding, StepIndex),
) -> Option<Due<'a>> {
    let decision = machine.decision(id, playbook);
    if !machine.counts(id, step, &finding.block) || said(machine, &decision, step, &finding.block) {
        return None;
    }
    let newest = newest_own(machine, playbook, &decision);
    if newest.is_some_and(|newest| !due(machine, id, playbook, newest, step, &finding.block)) {
        return None;
    }
    Some(Due { finding, step, decision })
}

/// Standing findings that no own event says yet and that nothing but that keeps from an automatic vote: at most one for each playbook, and
/// none while the vote before it serves.
pub(super) fn awaited(machine: &Machine) -> Vec<&Finding> {
    if !machine.own.entry.votes() {
        return Vec::new();
    }
    let contain = machine.charter.playbooks.iter().filter(|(_, p)| p.purpose == PlaybookPurpose::Contain);
    let awaited = contain.filter_map(|(id, playbook)| {
        let Due { finding, step, .. } = asked(machine, id, playbook).vote?;
        let votes = held_back(machine, id, playbook, step, None).is_none()
            && machine.view.label(&machine.own.entry.operators, &finding.block).is_some();
        (votes && stated(machine, finding).is_none()).then_some(finding)
    });
    awaited.collect()
}

fn vote(machine: &Machine, id: &PlaybookId, playbook: &Playbook, pages: &mut BTreeSet<Page>) -> Option<Vote> {
    let Asked { vote, people } = asked(machine, id, playbook);
    if let Some((Due { finding, step, .. }, why)) = people {
        pages.insert(wanted(machine, playbook, id, (finding, step), &why));
    }
    let Due { finding, step, decision } = vote?;
    let unfounded = planted(Mutation::VotesUnfounded).then_some(EventHash::from_bytes([0; 32]));
    let (basis, evidence) = (stated(machine, finding).or(unfounded)?, finding.block);
    if let Some(why) = held_back(machine, id, playbook, step, Some(basis)) {
        pages.insert(wanted(machine, playbook, id, (finding, step), &why));
        return None;
    }
    let Some(operator) = machine.view.label(&machine.own.entry.operators, &evidence) else {
        pages.insert(unvouched(machine, id, playbook, step, &evidence));
        return None;
    };
    Some(Vote { decision, step, basis: Basis::Finding(basis), operator, evidence })
}

/// People are asked: for what, why, what was found, and how often its rule was wrong before.
fn wanted(
    machine: &Machine,
    playbook: &Playbook,
    id: &PlaybookId,
    (finding, step): (&Finding, StepIndex),
    why: &str,
) -> Page {
    Page {
        asset: Some(playbook.asset.clone()),
        severity: severity(playbook, step),
        kind: "approval-wanted",
        text: format!(
            "{id} step {step}: {why}; {}; {} {}",
            finding.explanation,
            finding.detector,
            crate::ledger::history(machine, finding)
        ),
    }
}

/// A vote says whose endpoint gave the evidence: what none of the member's own operators agreed on is nobody's word that counts.
fn unvouched(machine: &Machine, id: &PlaybookId, playbook: &Playbook, step: StepIndex, evidence: &BlockRef) -> Page {
    let labels: Vec<&str> = machine.own.entry.operators.iter().map(OperatorId::as_str).collect();
    Page {
        asset: Some(playbook.asset.clone()),
        severity: severity(playbook, step),
        kind: "operators-disagree",
        text: format!(
            "{id} step {step}: no vote of this node; none of its operators in the charter ({}) gave what it knows of block {}",
            labels.join(", "),
            evidence.number
        ),
    }
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
    let counts = |step: StepIndex| machine.counts(id, step, &newest.evidence);
    let lapsed = !(1..=newest.step.get()).map(StepIndex::new).all(counts);
    let again = !planted(Mutation::NeverRevotes);
    again && (evidence.time >= half || (lapsed && !answers_cancel(machine, playbook, newest, evidence)))
}

/// Whether a vote would only say again what a cancel just cut off: all that stands was there before it, and the vote before is a moment old. Those
/// who vetoed answer each such vote by a veto, and on a chain of several blocks a second both sides would soon have said all that they may.
fn answers_cancel(machine: &Machine, playbook: &Playbook, newest: &Vote, evidence: &BlockRef) -> bool {
    let cut = machine.cancel_cut(&newest.decision).filter(|cut| !later(&newest.evidence, cut));
    evidence.time < newest.evidence.time.plus_secs(AFTER_CANCEL_S)
        && cut.is_some_and(|cut| standing(machine, playbook).all(|(finding, _)| !later(&finding.first, &cut)))
}

/// Why an automatic vote is turned into a question: mode, veto, cooldown or budget ([`asked`] has the fifth: a rule that was wrong). None of them
/// binds a human, nor (but for mode and veto) a wider step. A finding that no event says yet has no basis.
fn held_back(
    machine: &Machine,
    id: &PlaybookId,
    playbook: &Playbook,
    step: StepIndex,
    basis: Option<EventHash>,
) -> Option<String> {
    if playbook.mode == Mode::Propose && !planted(Mutation::AsksNobody) {
        return Some("the playbook asks a human of this organisation to approve".to_owned());
    }
    if let Some(mute) = vetoing::mute(machine, id, playbook).filter(|_| !planted(Mutation::VetoMutesNobody)) {
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
    let mut turned =
        lately.filter_map(|action| machine.view.conditions.get(action.chain, &action.postcondition)?.became(&true));
    turned.any(|block| head.time.secs_since(block.time) < playbook.cooldown_s)
}

/// Distinct findings that this node voted on by itself within the window count; a re-vote on the same finding is the same decision.
fn over_budget(
    machine: &Machine,
    id: &PlaybookId,
    playbook: &Playbook,
    step: StepIndex,
    basis: Option<EventHash>,
) -> bool {
    let Some(head) = machine.asset_head(&playbook.asset).filter(|_| playbook.budget_window_s > 0) else { return false };
    let decision = machine.decision(id, playbook);
    let mut bases = BTreeSet::new();
    let mut widest = None;
    let since = BlockTime::from_secs(head.time.as_secs().saturating_sub(playbook.budget_window_s - 1));
    let votes = machine.shared.derived.votes.get(&decision).into_iter();
    let others = votes.clone().filter(|_| planted(Mutation::SharesBudget));
    let others = others.flat_map(|votes| votes.newest(voices::from(since))).map(|(.., event)| event);
    let own = votes.flat_map(|votes| votes.every_of(machine.own.organisation(), voices::from(since)));
    for event in own.filter(|event| event.author == machine.own.key()).chain(others) {
        if let Body::Vote(Vote { basis: Basis::Finding(basis), step, .. }) = &event.body {
            bases.insert(*basis);
            widest = widest.max(Some(*step));
        }
    }
    let spent = u32::try_from(bases.len()).unwrap_or(u32::MAX) >= playbook.budget_count;
    spent && !basis.is_some_and(|basis| bases.contains(&basis)) && widest.is_none_or(|widest| step <= widest)
}
