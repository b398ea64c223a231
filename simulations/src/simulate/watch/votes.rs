//! S6: what an honest node votes by itself rests on a finding of its own, in a playbook that asks nobody, not against its people's veto, and not by
//! a rule whose pause people called a false alarm.

use std::collections::BTreeSet;

use watchfire_charter::{Mode, Playbook};
use watchfire_types::body::{Basis, Body, Finding, Outcome, Purpose, Vote};
use watchfire_types::{BlockTime, MemberKey, OrganisationId};

use super::{Kind, Known, Watch};
use crate::simulate::cast::Cast;

/// Blocks before the end of a mute in which a vote is not judged: it may have been cast at a later head than its evidence.
const MARGIN_BLOCKS: u64 = 2;

impl Watch {
    /// An honest member's vote became durable.
    pub(super) fn voted(&mut self, cast: &Cast, place: usize, vote: &Vote) {
        let Basis::Finding(basis) = &vote.basis else { return };
        let author = cast.players[place].author;
        let finding = self.known[place].held.get(basis).and_then(|found| match &found.body {
            Body::Finding(finding) if found.author == author => Some(finding.clone()),
            _ => None,
        });
        let playbook = cast.charter.playbooks.get(&vote.decision.playbook);
        let founded = finding.as_ref().zip(playbook).filter(|(finding, playbook)| {
            if cast.charter.is_context(&finding.detector) {
                return false;
            }
            let mut matching = playbook
                .triggers
                .iter()
                .filter(|one| one.matches_finding(&finding.detector, &finding.kind, finding.severity));
            // Escalation votes wider than any trigger; never wider than the ladder.
            matching.next().is_some() && playbook.step(vote.step).is_some()
        });
        let member = &cast.players[place].member;
        let Some((finding, playbook)) = founded else {
            self.breach("S6", Kind::Safety, format!("{member} voted {} without a finding of its own", vote.step));
            return;
        };
        if playbook.mode != Mode::Auto {
            self.breach("S6", Kind::Safety, format!("{member} voted and asked nobody"));
        }
        if let Some(closed_at) = wrong_before(cast, &self.known[place], vote, finding) {
            let rule = &finding.detector;
            let detail =
                format!("{member} voted {} by {rule}, a false alarm in the incident closed at {closed_at}", vote.step);
            self.breach("S6", Kind::Safety, detail);
        }
        if let Some(act) = muted(cast, &self.known[place], place, playbook, vote, finding) {
            let detail = format!("{member} voted {} though its people vetoed at block {act}", vote.step);
            self.breach("S6", Kind::Safety, detail);
        }
    }
}

/// The block of a veto of the own people that this vote goes against. Judged where it is beyond doubt: the finding stood when they acted,
/// the step is not higher than what was voted for before, no person of theirs voted since, and the veto's time is not nearly over.
fn muted(cast: &Cast, known: &Known, place: usize, playbook: &Playbook, vote: &Vote, finding: &Finding) -> Option<u64> {
    let organisation = &cast.players[place].organisation;
    let own = || {
        let kept = known.durable.iter().filter_map(|hash| known.held.get(hash));
        kept.filter(|event| {
            let author = cast.place_of(&event.author);
            author.is_some_and(|author| cast.players[author].organisation == *organisation)
        })
    };
    let margin_s = MARGIN_BLOCKS * cast.scenario.chain.block_time_ms.div_ceil(1_000);
    let vetoes = own().filter_map(|event| match &event.body {
        Body::Veto(veto) if veto.decision == vote.decision && veto.act == veto.head => Some(veto.act),
        _ => None,
    });
    let act = vetoes.max_by_key(|act| act.number)?;
    if finding.first.number > act.number
        || vote.evidence.time.plus_secs(margin_s) > act.time.plus_secs(playbook.expiry_s)
    {
        return None;
    }
    let votes = || {
        own().filter_map(|event| match &event.body {
            Body::Vote(other) if other.decision == vote.decision => Some(other),
            _ => None,
        })
    };
    let person = votes().any(|other| matches!(other.basis, Basis::Human(_)) && other.evidence.number >= act.number);
    let before =
        votes().filter(|other| other.evidence.number <= act.number && **other != *vote).map(|other| other.step);
    let risen = before.max().is_none_or(|before| vote.step > before);
    (!person && !risen).then_some(act.number)
}

/// The close of an incident that people certified false, in which a pause was carried out on this rule's findings and which nobody forgave. Judged
/// where it is beyond doubt: nothing was taken back, the finding began after that close, and the step was certified then.
fn wrong_before(cast: &Cast, known: &Known, vote: &Vote, finding: &Finding) -> Option<u64> {
    let held = || known.held.values().map(|event| (&event.author, &event.body));
    let asset = &vote.decision.asset;
    let certificates = || {
        held().filter_map(|(_, body)| match body {
            Body::Certificate(certificate) if certificate.decision.asset == *asset => Some(certificate),
            _ => None,
        })
    };
    if held().any(|(_, body)| matches!(body, Body::Retracted(_))) {
        return None;
    }
    let called = |outcome: Outcome| {
        let all = certificates().filter_map(move |certificate| {
            let Purpose::Close(at) = certificate.purpose else { return None };
            let says = |body: &Body| matches!(body, Body::CloseVote(close) if close.outcome == Some(outcome));
            certificate.votes.iter().all(|vote| says(&vote.event().body)).then_some(at)
        });
        all.collect::<BTreeSet<BlockTime>>()
    };
    let organisations = |says: &dyn Fn(&Body) -> bool| {
        let of = |author: &MemberKey| Some(&cast.players[cast.place_of(author)?].organisation);
        let said = held().filter(|(_, body)| says(body)).filter_map(|(author, _)| of(author));
        said.collect::<BTreeSet<&OrganisationId>>().len()
    };
    let contain = usize::from(cast.scenario.governance.contain);
    let confirmed = called(Outcome::Confirmed);
    let wrong = called(Outcome::False).into_iter().filter(|at| !confirmed.contains(at) && *at < finding.first.time);
    let same = |other: &Finding| other.asset == *asset && other.detector == finding.detector;
    let mut unforgiven = wrong.filter(|at| {
        let executed = |body: &Body| matches!(body, Body::Executed(executed) if executed.block.time <= *at);
        let fired = |body: &Body| matches!(body, Body::Finding(other) if same(other) && other.block.time <= *at);
        let forgiven = |body: &Body| {
            matches!(body, Body::PromotionSupported(said)
                if said.asset == *asset && said.detector == finding.detector && said.through >= *at)
        };
        let carried =
            certificates().filter(|one| matches!(one.purpose, Purpose::Step(step) if step >= vote.step)).any(|one| {
                one.votes.iter().any(|other| match &other.event().body {
                    Body::Vote(Vote { basis: Basis::Finding(basis), evidence, .. }) if evidence.time <= *at => {
                        let basis = known.held.get(basis).map(|event| &event.body);
                        matches!(basis, Some(Body::Finding(found)) if same(found))
                    }
                    _ => false,
                })
            });
        carried
            && organisations(&executed) >= contain
            && organisations(&fired) >= contain
            && organisations(&forgiven) < contain
    });
    unforgiven.next().map(BlockTime::as_secs)
}
