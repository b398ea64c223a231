//! A human's act at this node becomes an event of this node, or is refused with what to do instead.

use std::collections::BTreeMap;

use watchfire_charter::Playbook;
use watchfire_types::body::{
    Basis, Body, Classified, CloseVote, Decision, Human, HumanStatement, Outcome, Sealed, SealedAbout, Veto, Vote,
};
use watchfire_types::bounds::words_bytes_max;
use watchfire_types::input::HumanAct;
use watchfire_types::{AssetId, BlockRef, Event, IncidentId, OrganisationId, PlaybookId, StepIndex, Timestamp};

use crate::certificate::outcome_votes;
use crate::draft::{Draft, Step};
use crate::incident::subject;
use crate::machine::Machine;
use crate::rejection::Rejection;
use crate::shared::is_decision;

/// Longest pseudonym and role, bytes.
const NAME_MAX: usize = 64;
/// Longest reason, bytes.
const REASON_MAX: usize = 1_024;

pub(super) fn decide(machine: &Machine, now: Timestamp, act: &HumanAct) -> Result<Step, Rejection> {
    let body = match act {
        HumanAct::Approve { asset, playbook, step, human } => approve(machine, asset, playbook, *step, human)?,
        HumanAct::Veto { asset, playbook, human } => veto(machine, asset, playbook, human)?,
        HumanAct::Close { asset, playbook, incident, outcome, human } => {
            close(machine, asset, playbook, (*incident, *outcome), human)?
        }
        HumanAct::Acknowledge { incident, human } => Body::Acknowledged(said(machine, *incident, human)?),
        HumanAct::Reject { incident, human } => Body::Rejected(said(machine, *incident, human)?),
        HumanAct::Seal { sealed } => Body::Sealed(seal(machine, sealed)?),
        HumanAct::SupportChange { change, human } => {
            bounded(human)?;
            crate::change::support(machine, change, human)?
        }
        HumanAct::WithdrawChange { change, human } => {
            bounded(human)?;
            crate::change::withdraw(machine, *change, human)?
        }
        HumanAct::Promote { detector, human } => {
            bounded(human)?;
            crate::promotion::support(machine, detector, human)?
        }
        HumanAct::Snooze { asset, detector, lasts_s, human } => {
            bounded(human)?;
            crate::snooze::support(machine, asset, detector.as_ref(), *lasts_s, human)?
        }
        HumanAct::Report { asset, human } => {
            bounded(human)?;
            crate::report::by_person(machine, asset, human)?
        }
        HumanAct::Note { incident, human } => Body::Note(said(machine, *incident, human)?),
        HumanAct::Classify { incident, severity, human } => {
            let HumanStatement { incident, human } = said(machine, *incident, human)?;
            Body::Classified(Classified { incident, severity: *severity, human })
        }
    };
    // An event beyond the quota by its author's clock is refused everywhere for good, and whatever follows waits for it.
    if !is_decision(&body) && crate::owed::room(machine, now) == 0 {
        return Err(Rejection::QuotaSpent);
    }
    Ok(Step::authored(vec![Draft::Body(body)]))
}

fn approve(
    machine: &Machine,
    asset: &AssetId,
    id: &PlaybookId,
    step: StepIndex,
    human: &Human,
) -> Result<Body, Rejection> {
    let (decision, playbook, evidence) = supports(machine, asset, id, human)?;
    certifiable(human, playbook.rule.votes_max())?;
    if playbook.step(step).is_none() {
        return Err(Rejection::UnknownStep { playbook: id.clone(), step, widest: playbook.widest() });
    }
    if machine.own.entry.operators.is_empty() {
        return Err(Rejection::NoOperator);
    }
    let label = machine.view.label(&machine.own.entry.operators, &evidence);
    let operator = label.ok_or(Rejection::NotVouched { number: evidence.number })?;
    Ok(Body::Vote(Vote { decision, step, basis: Basis::Human(human.clone()), operator, evidence }))
}

/// Refused when the own head is older than the evidence it should stop: such a veto would stop nothing. That is so when as many
/// organisations as can contain vote on later blocks; fewer may be liars who name blocks that are not there, lest people veto.
fn veto(machine: &Machine, asset: &AssetId, id: &PlaybookId, human: &Human) -> Result<Body, Rejection> {
    let (decision, _, head) = supports(machine, asset, id, human)?;
    certifiable(human, usize::from(machine.charter.rules.contain.organisations))?;
    let soon = head.time..=head.time.plus_secs(59);
    let votes = machine.shared.derived.votes.get(&decision).into_iter().flat_map(|votes| votes.newest(soon.clone()));
    let mut newest: BTreeMap<&OrganisationId, u64> = BTreeMap::new();
    for (organisation, _, event) in votes {
        if let Body::Vote(vote) = &event.body
            && vote.evidence.number > head.number
        {
            let of = newest.entry(organisation).or_default();
            *of = vote.evidence.number.max(*of);
        }
    }
    if newest.len() >= usize::from(machine.charter.rules.contain.organisations) {
        let evidence = newest.into_values().max().unwrap_or(head.number);
        return Err(Rejection::VetoTooOld { head: head.number, evidence });
    }
    Ok(Body::Veto(Veto { decision, head, act: head, human: human.clone() }))
}

/// A certificate takes close votes of one block time, and people do not speak within one block: what others proposed last is supported,
/// where this node's own chain has that block and no finding or vote is newer; else its own head is proposed.
fn close(
    machine: &Machine,
    asset: &AssetId,
    id: &PlaybookId,
    (incident, outcome): (Option<IncidentId>, Option<Outcome>),
    human: &Human,
) -> Result<Body, Rejection> {
    let (decision, _, head) = supports(machine, asset, id, human)?;
    certifiable(human, outcome_votes(usize::from(machine.charter.rules.contain.organisations)))?;
    let named = incident.and_then(|incident| crate::incident::closed_at(machine, asset, incident));
    if let Some(at) = named {
        let why = "the incident is closed; say what it was with --outcome";
        let outcome = Some(outcome.ok_or(Rejection::CloseRefused { why })?);
        let why = "this node does not hold that close under this playbook; name the one that it was closed under with --playbook";
        let closed_at = machine.shared.content.closing(&decision, at).ok_or(Rejection::CloseRefused { why })?;
        return Ok(Body::CloseVote(CloseVote { decision, closed_at, outcome, human: human.clone() }));
    }
    let opening = |event: &Event| matches!(event.body, Body::Finding(_) | Body::Vote(_));
    let subjects = machine.shared.events().filter(|event| opening(event)).filter_map(|event| subject(event));
    let of_asset = subjects.filter(|(of, at)| *of == asset && *at <= head.time).map(|(_, at)| at);
    let newest = of_asset.max().unwrap_or(head.time);
    let proposals = machine.shared.derived.closes.get(&decision).into_iter().flat_map(|closes| closes.said.iter());
    let open = proposals.filter(|(at, by)| !by.is_empty() && !machine.shared.content.is_closed(&decision, **at));
    let blocks = machine.view.chains.get(&head.chain).map(|chain| &chain.canonical);
    let supported = open.rev().take_while(|(at, _)| **at >= newest).find_map(|(at, _)| {
        blocks?.values().rev().skip_while(|block| block.time > *at).take_while(|block| block.time == *at).next()
    });
    let closed_at = supported.copied().unwrap_or(head);
    Ok(Body::CloseVote(CloseVote { decision, closed_at, outcome, human: human.clone() }))
}

fn supports<'a>(
    machine: &'a Machine,
    asset: &AssetId,
    id: &PlaybookId,
    human: &Human,
) -> Result<(Decision, &'a Playbook, BlockRef), Rejection> {
    bounded(human)?;
    if !machine.own.entry.votes() {
        return Err(Rejection::NotVoting);
    }
    let unknown = || Rejection::UnknownPlaybook { asset: asset.clone(), playbook: id.clone() };
    let playbook = machine.charter.playbooks.get(id).filter(|playbook| playbook.asset == *asset).ok_or_else(unknown)?;
    let chain = machine.charter.assets.get(asset).ok_or_else(unknown)?.chain;
    let head = machine.view.head(chain).ok_or(Rejection::NoHead { chain })?;
    Ok((machine.decision(id, playbook), playbook, head))
}

fn said(machine: &Machine, incident: IncidentId, human: &Human) -> Result<HumanStatement, Rejection> {
    bounded(human)?;
    if crate::incident::exists(machine, incident) {
        Ok(HumanStatement { incident, human: human.clone() })
    } else {
        Err(Rejection::UnknownIncident { incident })
    }
}

/// Everyone keeps it, so what is public about it must make sense to everyone.
fn seal(machine: &Machine, sealed: &Sealed) -> Result<Sealed, Rejection> {
    bounded(&sealed.human)?;
    match &sealed.about {
        SealedAbout::Incident(incident) if !crate::incident::exists(machine, *incident) => {
            Err(Rejection::UnknownIncident { incident: *incident })
        }
        SealedAbout::Vulnerability(asset) if !machine.charter.assets.contains_key(asset) => {
            Err(Rejection::UnknownAsset { asset: asset.clone() })
        }
        SealedAbout::Incident(_) | SealedAbout::Vulnerability(_) => Ok(sealed.clone()),
    }
}

/// Every vote of a certificate stands in it whole: what people say must leave room for as many as it takes.
fn certifiable(human: &Human, votes: usize) -> Result<(), Rejection> {
    let found = human.person.len() + human.role.len() + human.reason.len();
    let bound = words_bytes_max(votes);
    if found > bound { Err(Rejection::WordsTooLong { found, bound, votes }) } else { Ok(()) }
}

fn bounded(human: &Human) -> Result<(), Rejection> {
    let fields =
        [("person", &human.person, NAME_MAX), ("role", &human.role, NAME_MAX), ("reason", &human.reason, REASON_MAX)];
    for (field, text, bound) in fields {
        if text.len() > bound {
            return Err(Rejection::TextTooLong { field, found: text.len(), bound });
        }
    }
    Ok(())
}
