//! Certificates: authored whenever votes in the log can form one that authorises now and none in the log for that step does.
//! Per organisation any vote may be picked, so that one stale vote of a liar spoils nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use watchfire_charter::{Playbook, Rule};
use watchfire_types::body::{Body, Certificate, Decision, Purpose};
use watchfire_types::{
    BlockRef, BlockTime, Event, EventHash, MemberKey, OperatorId, OrganisationId, PlaybookId, StepIndex, Verified,
};

use crate::authority::later;
use crate::draft::Draft;
use crate::machine::Machine;

/// Most bytes of the votes of a certificate, so that two certificates of a liar still fit into a fault proof.
const VOTES_BYTES_MAX: usize = 28 * 1024;
/// Newest votes of one author for one step under one label that are tried; only its own older ones give way to them.
const NEWEST_MAX: usize = 4;

type Held<'a> = &'a Arc<Verified<Event>>;

pub(super) fn drafts(machine: &Machine) -> Vec<Draft> {
    if !machine.own.entry.votes() {
        return Vec::new();
    }
    let mut certificates = Vec::new();
    for (id, playbook) in &machine.charter.playbooks {
        let decision = machine.decision(id, playbook);
        for (step, _) in playbook.steps_indexed() {
            if !machine.satisfied(playbook, step) && machine.authorising(id, playbook, step).is_none() {
                certificates.extend(of_step(machine, id, playbook, &decision, step));
            }
        }
        certificates.extend(cancel(machine, id, playbook, &decision));
        certificates.extend(close(machine, &decision));
    }
    // One that cannot be sealed must not hold up the signatures behind it.
    certificates
        .retain(|certificate| certificate.votes.iter().map(|v| v.outer().len() + 8).sum::<usize>() < VOTES_BYTES_MAX);
    certificates.into_iter().map(|certificate| Draft::Body(Body::Certificate(certificate))).collect()
}

/// The oldest evidence that a certificate alive at `now` may rest on.
fn oldest_alive(now: BlockTime, playbook: &Playbook) -> BlockTime {
    BlockTime::from_secs(now.as_secs().saturating_sub(playbook.expiry_s.saturating_mul(2)))
}

/// The keys of [`ByTime`] from a block time on.
fn since(oldest: BlockTime) -> std::ops::RangeFrom<(BlockTime, EventHash)> {
    (oldest, EventHash::from_bytes([0; 32]))..
}

/// One organisation's usable vote: newest first within its label.
struct Usable<'a> {
    at: BlockTime,
    operator: &'a OperatorId,
    event: Held<'a>,
}

fn of_step(
    machine: &Machine,
    id: &PlaybookId,
    playbook: &Playbook,
    decision: &Decision,
    step: StepIndex,
) -> Option<Certificate> {
    let chains: BTreeSet<_> = playbook.step(step)?.actions.iter().map(|action| action.chain).collect();
    let now = chains.iter().map(|chain| machine.view.head(*chain)).collect::<Option<Vec<_>>>()?;
    let now = now.iter().map(|head| head.time).max()?;
    let floors = machine.floors(id, playbook, step);
    let oldest = oldest_alive(now, playbook);
    let mut usable: BTreeMap<&OrganisationId, Vec<Usable<'_>>> = BTreeMap::new();
    let mut tried: BTreeMap<(MemberKey, StepIndex, &OperatorId), usize> = BTreeMap::new();
    for (organisation, votes) in machine.shared.derived.votes.get(decision)? {
        let newest_first = votes.range(since(oldest)).rev();
        for ((at, _), event) in newest_first {
            let Body::Vote(vote) = &event.body else { continue };
            let of_author = tried.entry((event.author, vote.step, &vote.operator)).or_default();
            let counts = *of_author < NEWEST_MAX
                && vote.step >= step
                && machine.evidence_stands(&vote.evidence)
                && floors.iter().all(|floor| later(&vote.evidence, floor));
            if counts {
                *of_author += 1;
                usable.entry(organisation).or_default().push(Usable { at: *at, operator: &vote.operator, event });
            }
        }
    }
    let mut ends: Vec<BlockTime> = usable.values().flatten().map(|vote| vote.at).collect();
    ends.sort_unstable();
    ends.dedup();
    // The newest end lives longest; an older one is tried only where the votes around the newest do not meet the rule.
    let alive = ends.into_iter().rev().filter(|end| end.plus_secs(playbook.expiry_s) >= now);
    let mut formed = alive.filter_map(|end| {
        let start = BlockTime::from_secs(end.as_secs().saturating_sub(playbook.expiry_s));
        pick(machine, &playbook.rule, &usable, start, end)
    });
    let votes = formed.next()?;
    let votes = votes.into_iter().map(|event| event.to_unverified()).collect();
    Some(Certificate { decision: decision.clone(), purpose: Purpose::Step(step), votes })
}

/// One vote per organisation with evidence in `start..=end` such that the rule holds, and as few as it takes.
fn pick<'a>(
    machine: &Machine,
    rule: &Rule,
    usable: &BTreeMap<&'a OrganisationId, Vec<Usable<'a>>>,
    start: BlockTime,
    end: BlockTime,
) -> Option<Vec<Held<'a>>> {
    let within: BTreeMap<&OrganisationId, Vec<&Usable<'a>>> = usable
        .iter()
        .map(|(organisation, votes)| (*organisation, votes.iter().filter(|v| v.at >= start && v.at <= end).collect()))
        .filter(|(_, votes): &(_, Vec<_>)| !votes.is_empty())
        .collect();
    let mut chosen = distinct_operators(&within);
    let met = |chosen: &BTreeMap<&OrganisationId, &Usable<'a>>| {
        rule.met_by(&machine.charter, chosen.iter().map(|(id, vote)| (*id, vote.operator))).is_reached()
    };
    if !met(&chosen) {
        return None;
    }
    let mut oldest_first: Vec<(BlockTime, &OrganisationId)> = chosen.iter().map(|(id, vote)| (vote.at, *id)).collect();
    oldest_first.sort_unstable();
    for (_, organisation) in oldest_first {
        if let Some(vote) = chosen.remove(organisation)
            && !met(&chosen)
        {
            chosen.insert(organisation, vote);
        }
    }
    Some(chosen.into_values().map(|vote| vote.event).collect())
}

/// One vote per organisation, with as many distinct operator labels as there can be (augmenting paths, newest votes first).
fn distinct_operators<'b, 'a>(
    within: &BTreeMap<&'a OrganisationId, Vec<&'b Usable<'a>>>,
) -> BTreeMap<&'a OrganisationId, &'b Usable<'a>> {
    let mut holder: BTreeMap<&OperatorId, (&'a OrganisationId, &'b Usable<'a>)> = BTreeMap::new();
    for organisation in within.keys() {
        augment(organisation, within, &mut holder, &mut BTreeSet::new());
    }
    let mut chosen: BTreeMap<_, _> =
        within.iter().filter_map(|(organisation, votes)| Some((*organisation, *votes.first()?))).collect();
    chosen.extend(holder.into_values());
    chosen
}

fn augment<'b, 'a>(
    organisation: &&'a OrganisationId,
    within: &BTreeMap<&'a OrganisationId, Vec<&'b Usable<'a>>>,
    holder: &mut BTreeMap<&'b OperatorId, (&'a OrganisationId, &'b Usable<'a>)>,
    tried: &mut BTreeSet<&'b OperatorId>,
) -> bool {
    let votes: &[&'b Usable<'a>] = within.get(organisation).map_or(&[], Vec::as_slice);
    for vote in votes {
        let label: &'b OperatorId = vote.operator;
        if !tried.insert(label) {
            continue;
        }
        let moved = match holder.get(label).map(|(other, _)| *other) {
            None => true,
            Some(other) => augment(&other, within, holder, tried),
        };
        if moved {
            holder.insert(label, (organisation, vote));
            return true;
        }
    }
    false
}

/// A cancel certificate, when vetoes in the log can stop evidence that none stops yet: the latest vetoes of as few organisations as the
/// rule takes, so that the earliest of their heads is as late as it can be.
fn cancel(machine: &Machine, id: &PlaybookId, playbook: &Playbook, decision: &Decision) -> Option<Certificate> {
    let head = machine.asset_head(&playbook.asset)?;
    // A veto stops no evidence later than its head: one older than everything alive on any of the chains stops nothing.
    let chains = playbook.actions().filter_map(|action| machine.view.head(action.chain));
    let behind = chains.map(|head| head.time).fold(head.time, BlockTime::min);
    let oldest = oldest_alive(behind, playbook);
    let mut newest: Vec<(BlockRef, &OrganisationId, Held<'_>)> = Vec::new();
    for (organisation, vetoes) in machine.shared.derived.vetoes.get(decision)? {
        let standing = vetoes.range(since(oldest)).filter_map(|(_, event)| match &event.body {
            Body::Veto(veto) if machine.evidence_stands(&veto.head) => Some((veto.head, organisation, event)),
            _ => None,
        });
        newest.extend(standing.max_by_key(|(head, _, event)| (head.number, event.hash())));
    }
    newest.sort_by_key(|(head, organisation, _)| (std::cmp::Reverse(head.number), *organisation));
    let needed = usize::from(machine.charter.rules.contain.organisations);
    if newest.len() < needed || needed == 0 {
        return None;
    }
    newest.truncate(needed);
    let cut = newest.last()?.0;
    let known = machine.cancel_cut(decision);
    let stops = |evidence: &BlockRef| !later(evidence, &cut) && known.is_none_or(|known| later(evidence, &known));
    let alive = |at: BlockTime| head.time <= at.plus_secs(playbook.expiry_s);
    let votes = machine.shared.derived.votes.get(decision).into_iter().flat_map(|votes| votes.values());
    let stops_vote = votes.flat_map(|votes| votes.range(since(oldest))).any(|(_, event)| match &event.body {
        Body::Vote(vote) => alive(vote.evidence.time) && stops(&vote.evidence),
        _ => false,
    });
    let mut held = machine.shared.content.certificates_of(decision).map(|(_, held)| held);
    let stops_certificate =
        held.any(|held| held.facts.evidence.iter().any(stops) && machine.authorises(id, playbook, held));
    if !stops_vote && !stops_certificate {
        return None;
    }
    newest.sort_by_key(|(_, organisation, _)| *organisation);
    let votes = newest.into_iter().map(|(_, _, event)| event.to_unverified()).collect();
    Some(Certificate { decision: decision.clone(), purpose: Purpose::Cancel, votes })
}

/// A close certificate, when enough organisations support the same `closed_at` and none in the log says it.
fn close(machine: &Machine, decision: &Decision) -> Option<Certificate> {
    let mut by_time: BTreeMap<BlockTime, BTreeMap<&OrganisationId, Held<'_>>> = BTreeMap::new();
    for (organisation, closes) in machine.shared.derived.closes.get(decision)? {
        for ((at, _), event) in closes {
            by_time.entry(*at).or_default().entry(organisation).or_insert(event);
        }
    }
    let needed = usize::from(machine.charter.rules.contain.organisations);
    let certified = |at: &BlockTime| {
        let mut held = machine.shared.content.certificates_of(decision);
        held.any(|(_, held)| held.certificate.purpose == Purpose::Close(*at))
    };
    let mut ready = by_time.into_iter().filter(|(at, votes)| votes.len() >= needed && !certified(at));
    let (at, votes) = ready.next()?;
    let votes = votes.into_values().take(needed).map(|event| event.to_unverified()).collect();
    Some(Certificate { decision: decision.clone(), purpose: Purpose::Close(at), votes })
}
