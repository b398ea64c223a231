//! Vetoes: how long one mutes its organisation's automatic votes, and when it is issued again.

use std::collections::BTreeSet;

use watchfire_charter::{Playbook, PlaybookPurpose};
use watchfire_types::body::{Basis, Body, Decision, Veto};
use watchfire_types::duty::Page;
use watchfire_types::{BlockRef, BlockTime, Event, EventHash, PlaybookId, StepIndex, Timestamp, Verified};

use super::voting::{standing, triggered};
use crate::authority::later;
use crate::draft::Draft;
use crate::machine::Machine;
use crate::shared::voices;

/// A veto of the own organisation that still holds.
#[derive(Debug, Clone)]
pub(crate) struct Mute {
    /// Head at the human's act: everything counts from there, re-issues prolong nothing.
    pub(crate) act: BlockRef,
}

/// The newest few vetoes of each voice of one decision from a block time on, with the event that carries each.
fn vetoes<'a>(
    machine: &'a Machine,
    decision: &Decision,
    since: BlockTime,
) -> impl Iterator<Item = (&'a Verified<Event>, &'a Veto)> {
    let vetoes = machine.shared.derived.vetoes.get(decision).into_iter();
    vetoes.flat_map(move |vetoes| vetoes.newest(voices::from(since))).filter_map(|(.., event)| match &event.body {
        Body::Veto(veto) => Some((&**event, veto)),
        _ => None,
    })
}

/// Whether a veto of the own organisation still holds: until the own node finds something that had not happened when its human acted, the
/// vetoed step rises, a human of the organisation votes, or `expiry` from the human's act passes. While it holds no automatic vote of the
/// organisation is given, and it is re-issued against the votes of others, whether its own node ever saw what they see or not.
pub(crate) fn mute(machine: &Machine, id: &PlaybookId, playbook: &Playbook) -> Option<Mute> {
    let decision = machine.decision(id, playbook);
    let head = machine.asset_head(&playbook.asset)?;
    let alive = BlockTime::from_secs(head.time.as_secs().saturating_sub(playbook.expiry_s));
    let own = vetoes(machine, &decision, alive)
        .filter(|(event, _)| machine.charter.organisation_of(&event.author) == Some(machine.own.organisation()));
    let (said, act) = own
        .filter(|(_, veto)| veto.act == veto.head)
        .map(|(event, veto)| (event.time, veto.act))
        .max_by_key(|(said, act)| (act.number, *said))?;
    if head.time > act.time.plus_secs(playbook.expiry_s) || human_voted(machine, &decision, &act, said) {
        return None;
    }
    let now = standing(machine, playbook).map(|(_, step)| step).max();
    if now > step_at(machine, playbook, &act, said) { None } else { Some(Mute { act }) }
}

/// The step that own standing findings trigger on blocks that were there when the human acted, as the own log says: a node that lags a
/// block behind the others finds what its human vetoed only afterwards.
fn step_at(machine: &Machine, playbook: &Playbook, act: &BlockRef, said: Timestamp) -> Option<StepIndex> {
    let was =
        |block: &BlockRef| block.number <= act.number || block.time.as_secs().saturating_mul(1000) <= said.as_millis();
    let observed = machine.shared.derived.observed.get(&machine.own.key())?;
    let before = standing(machine, playbook).filter_map(|(finding, _)| {
        let said = observed.findings.get(&(finding.asset.clone(), finding.detector.clone()))?;
        let said = said.range((finding.first.time, EventHash::from_bytes([0; 32]))..);
        let said = said.take_while(|((first, _), _)| *first == finding.first.time);
        Some(said.filter_map(move |(_, event)| match &event.body {
            Body::Finding(said) if said.first == finding.first && was(&said.block) => Some(said),
            _ => None,
        }))
    });
    let before: Vec<_> = before.flatten().collect();
    before.iter().filter_map(|said| triggered(&machine.charter, playbook, said, &before)).max()
}

/// Whether a human of the own organisation voted for the decision after the veto.
fn human_voted(machine: &Machine, decision: &Decision, act: &BlockRef, said: Timestamp) -> bool {
    let votes = machine.shared.derived.votes.get(decision).into_iter();
    let mut own = votes.flat_map(|votes| votes.newest_of(machine.own.organisation(), voices::from(act.time)));
    own.any(|(_, event)| match &event.body {
        Body::Vote(vote) if matches!(vote.basis, Basis::Human(_)) => {
            later(&vote.evidence, act) || (vote.evidence == *act && event.time > said)
        }
        _ => false,
    })
}

/// Re-issues, at most one per head: a newer automatic vote or another human's veto would otherwise escape the cancel.
pub(super) fn drafts(machine: &Machine, pages: &mut BTreeSet<Page>) -> Vec<Draft> {
    let contain = machine.charter.playbooks.iter().filter(|(_, p)| p.purpose == PlaybookPurpose::Contain);
    contain
        .filter_map(|(id, playbook)| reissue(machine, id, playbook, pages))
        .map(|veto| Draft::Body(Body::Veto(veto)))
        .collect()
}

fn reissue(machine: &Machine, id: &PlaybookId, playbook: &Playbook, pages: &mut BTreeSet<Page>) -> Option<Veto> {
    let mute = mute(machine, id, playbook)?;
    let decision = machine.decision(id, playbook);
    let head = machine.asset_head(&playbook.asset)?;
    let left = mute.act.time.plus_secs(playbook.expiry_s).secs_since(head.time);
    if left <= playbook.expiry_s / 4 {
        pages.insert(Page {
            asset: Some(playbook.asset.clone()),
            severity: watchfire_types::Severity::Sev2,
            kind: "mute-ends",
            text: format!(
                "{id}: the veto of block {} ends within {} s; veto again or let it vote",
                mute.act.number,
                playbook.expiry_s / 4
            ),
        });
    }
    let own = vetoes(machine, &decision, mute.act.time)
        .filter(|(event, veto)| event.author == machine.own.key() && veto.act == mute.act);
    let (_, newest) = own.max_by_key(|(_, veto)| veto.head.number)?;
    if !later(&head, &newest.head) {
        return None;
    }
    let votes = machine.shared.derived.votes.get(&decision).into_iter();
    let mut votes = votes.flat_map(|votes| votes.newest(newest.head.time..=head.time));
    let newer_vote = votes.any(|(.., event)| match &event.body {
        Body::Vote(vote) => {
            matches!(vote.basis, Basis::Finding(_))
                && machine.evidence_stands(&vote.evidence)
                && later(&vote.evidence, &newest.head)
        }
        _ => false,
    });
    let newer_act = vetoes(machine, &decision, newest.head.time)
        .any(|(_, veto)| veto.act == veto.head && later(&veto.act, &newest.head));
    (newer_vote || newer_act).then(|| Veto { decision, head, act: mute.act, human: newest.human.clone() })
}
