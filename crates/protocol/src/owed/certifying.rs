//! Certificates: authored whenever votes in the log can form one that authorises now and none in the log for that step does.
//! Per organisation any vote may be picked, so that one stale vote of a liar spoils nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use watchfire_charter::{Playbook, Rule};
use watchfire_types::body::{Body, Certificate, Decision, Outcome, Purpose};
use watchfire_types::bounds::{CERTIFICATE_VOTES_BYTES, VOTE_FRAME_BYTES, vote_bytes_max};
use watchfire_types::planted::{Mutation, planted};
use watchfire_types::{BlockRef, BlockTime, Event, OperatorId, OrganisationId, PlaybookId, StepIndex, Verified};

use crate::authority::later;
use crate::certificate::{content_digest, outcome_votes};
use crate::draft::Draft;
use crate::machine::Machine;
use crate::shared::derived::Vote as Voice;

/// Newest votes of one voice that are tried; only its own older ones give way to them.
const NEWEST_MAX: usize = 4;

/// Newest agreed closes that are looked at: older ones were certified when they were agreed.
const CLOSES_MAX: usize = 16;

type Held<'a> = &'a Arc<Verified<Event>>;

pub(super) fn drafts(machine: &Machine) -> Vec<Draft> {
    if !machine.own.entry.votes() {
        return Vec::new();
    }
    let mut certificates = Vec::new();
    for (id, playbook) in &machine.charter.playbooks {
        let decision = machine.decision(id, playbook);
        for (step, _) in playbook.steps_indexed() {
            let mut held = machine.shared.content.of_step(&decision, step, BlockTime::default());
            let once = planted(Mutation::CertifiesOnce) && held.next().is_some();
            if !machine.satisfied(playbook, step) && machine.authorising(id, step).is_none() && !once {
                certificates.extend(of_step(machine, id, playbook, &decision, step));
            }
        }
        certificates.extend(cancel(machine, id, playbook, &decision));
        certificates.extend(close(machine, &decision).or_else(|| judged(machine, &decision)));
    }
    // One that cannot be sealed must not hold up the signatures behind it.
    let size = |certificate: &Certificate| -> usize {
        certificate.votes.iter().map(|vote| vote.outer().len() + VOTE_FRAME_BYTES).sum()
    };
    certificates.retain(|certificate| size(certificate) < CERTIFICATE_VOTES_BYTES);
    // What is held says nothing new: whatever a held one fails of, its twin fails of too, and would be made again and again.
    let held = &machine.shared.content.certificates;
    certificates.retain(|certificate| !held.contains_key(&content_digest(certificate, machine.network)));
    certificates.into_iter().map(|certificate| Draft::Body(Body::Certificate(certificate))).collect()
}

/// Whether this one leaves room for the others of so many: a liar's long words must not make the certificate too large to be sealed.
fn fits(event: Held<'_>, votes: usize) -> bool {
    event.outer().len() <= vote_bytes_max(votes)
}

/// The oldest evidence that a certificate alive at `now` may rest on.
fn oldest_alive(now: BlockTime, playbook: &Playbook) -> BlockTime {
    BlockTime::from_secs(now.as_secs().saturating_sub(playbook.expiry_s.saturating_mul(2)))
}

/// One organisation's usable vote.
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
    let within = oldest_alive(now, playbook)..=now;
    let mut usable: BTreeMap<&OrganisationId, Vec<Usable<'_>>> = BTreeMap::new();
    let mut tried: BTreeMap<&Voice, usize> = BTreeMap::new();
    for (organisation, voice, event) in machine.shared.derived.votes.get(decision)?.newest(within) {
        let Body::Vote(vote) = &event.body else { continue };
        let of_voice = tried.entry(voice).or_default();
        let counts = planted(Mutation::PicksStale) || machine.counts(id, step, &vote.evidence);
        if *of_voice < NEWEST_MAX && vote.step >= step && counts && fits(event, playbook.rule.votes_max()) {
            *of_voice += 1;
            let at = vote.evidence.time;
            usable.entry(organisation).or_default().push(Usable { at, operator: &vote.operator, event });
        }
    }
    for votes in usable.values_mut() {
        votes.sort_by_key(|vote| std::cmp::Reverse((vote.at, vote.event.hash())));
    }
    if planted(Mutation::WaitsForEveryone) && usable.len() < machine.charter.organisations.len() {
        return None;
    }
    let mut ends: Vec<BlockTime> = usable.values().flatten().map(|vote| vote.at).collect();
    ends.sort_unstable();
    ends.dedup();
    // The newest end lives longest; an older one is tried only where the votes around the newest do not meet the rule.
    let alive = ends.into_iter().rev().filter(|end| end.plus_secs(playbook.expiry_s) >= now);
    let formed = alive.filter_map(|end| {
        let start = BlockTime::from_secs(end.as_secs().saturating_sub(playbook.expiry_s));
        pick(machine, &playbook.rule, &usable, start, end)
    });
    // Distinct labels can take older votes of an organisation: what is made of nothing but such would be dead.
    let lives = |event: &Held<'_>| match &event.body {
        Body::Vote(vote) => vote.evidence.time.plus_secs(playbook.expiry_s) >= now,
        _ => false,
    };
    let votes = formed.into_iter().find(|votes| votes.iter().any(lives))?;
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
    let needed = usize::from(machine.charter.rules.contain.organisations);
    let mut latest: BTreeMap<&OrganisationId, (BlockRef, Held<'_>)> = BTreeMap::new();
    for (organisation, _, event) in machine.shared.derived.vetoes.get(decision)?.newest(oldest..=head.time) {
        let Body::Veto(veto) = &event.body else { continue };
        let order = |head: &BlockRef, event: Held<'_>| (head.number, event.hash());
        let known =
            latest.get(organisation).is_some_and(|(head, known)| order(head, known) >= order(&veto.head, event));
        if !known && machine.evidence_stands(&veto.head) && fits(event, needed) {
            latest.insert(organisation, (veto.head, event));
        }
    }
    let mut newest: Vec<(BlockRef, &OrganisationId, Held<'_>)> =
        latest.into_iter().map(|(organisation, (head, event))| (head, organisation, event)).collect();
    newest.sort_by_key(|(head, organisation, _)| (std::cmp::Reverse(head.number), *organisation));
    if newest.len() < needed || needed == 0 {
        return None;
    }
    newest.truncate(needed);
    let cut = newest.last()?.0;
    let known = machine.cancel_cut(decision);
    let stops = |evidence: &BlockRef| !later(evidence, &cut) && known.is_none_or(|known| later(evidence, &known));
    let alive = |at: BlockTime| head.time <= at.plus_secs(playbook.expiry_s);
    let votes = machine.shared.derived.votes.get(decision);
    let stops_vote = votes.into_iter().flat_map(|votes| votes.newest(oldest..=cut.time)).any(
        |(.., event)| matches!(&event.body, Body::Vote(vote) if alive(vote.evidence.time) && stops(&vote.evidence)),
    );
    let stops_certificate = || {
        let young = playbook.steps_indexed();
        let mut young = young.flat_map(|(step, _)| machine.shared.content.of_step(decision, step, oldest));
        young.any(|(_, held)| held.facts.evidence.iter().any(stops) && machine.authorises(id, playbook, held))
    };
    if !stops_vote && !stops_certificate() {
        return None;
    }
    newest.sort_by_key(|(_, organisation, _)| *organisation);
    let votes = newest.into_iter().map(|(_, _, event)| event.to_unverified()).collect();
    Some(Certificate { decision: decision.clone(), purpose: Purpose::Cancel, votes })
}

/// A close certificate, when enough organisations support the same `closed_at` and none in the log says it.
fn close(machine: &Machine, decision: &Decision) -> Option<Certificate> {
    let closes = machine.shared.derived.closes.get(decision)?;
    let mut newest = closes.agreed.iter().rev().take(CLOSES_MAX);
    let at = *newest.find(|at| !machine.shared.content.is_closed(decision, **at))?;
    let needed = usize::from(machine.charter.rules.contain.organisations);
    let fitting = |event: &Held<'_>| fits(event, needed);
    let votes = closes.said.get(&at)?.values().filter_map(|by| by.values().find(fitting)).take(needed);
    let votes: Vec<_> = votes.map(|event| event.to_unverified()).collect();
    if votes.len() < needed {
        return None;
    }
    Some(Certificate { decision: decision.clone(), purpose: Purpose::Close(at), votes })
}

/// A close certificate that says what the incident was, when enough organisations say the same of a close and no certificate in the log does.
fn judged(machine: &Machine, decision: &Decision) -> Option<Certificate> {
    let closes = machine.shared.derived.closes.get(decision)?;
    let unsaid = |(at, outcome): &&(BlockTime, Outcome)| !machine.shared.content.says(decision, *at, *outcome);
    let needed = outcome_votes(usize::from(machine.charter.rules.contain.organisations));
    closes.judged.iter().rev().filter(unsaid).find_map(|judged| {
        let fitting = |event: &Held<'_>| fits(event, needed);
        let votes = closes.outcomes.get(judged)?.values().filter_map(|by| by.values().find(fitting)).take(needed);
        let votes: Vec<_> = votes.map(|event| event.to_unverified()).collect();
        let enough = votes.len() == needed;
        enough.then(|| Certificate { decision: decision.clone(), purpose: Purpose::Close(judged.0), votes })
    })
}
