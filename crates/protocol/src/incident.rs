//! Incidents: events grouped for people. Nothing that signs depends on them.

use std::collections::BTreeSet;
use std::sync::Arc;

use watchfire_types::body::{Body, Outcome, Sealed, SealedAbout};
use watchfire_types::{
    AssetId, BlockTime, Event, EventHash, IncidentId, NetworkId, Severity, Verified, domain, sha256,
};

use crate::machine::Machine;
use crate::shared::content::Kind;
use crate::shared::told::{Told, stretch};
use crate::status::IncidentStatus;

/// The id of an asset's incident: H(network id, asset, `generation`), the latter being the number of closes before it.
#[must_use]
pub fn incident_id(network: NetworkId, asset: &AssetId, generation: u32) -> IncidentId {
    let (length, asset) = ((asset.as_str().len() as u64).to_be_bytes(), asset.as_str().as_bytes());
    let parts = [domain::INCIDENT, network.as_bytes(), &length, asset, &generation.to_be_bytes()];
    IncidentId::from_bytes(sha256(&parts))
}

fn id(machine: &Machine, asset: &AssetId, generation: u32) -> IncidentId {
    incident_id(machine.network, asset, generation)
}

/// Distinct `closed_at` of the asset's close certificates.
pub(crate) fn closes(machine: &Machine, asset: &AssetId) -> BTreeSet<BlockTime> {
    let decisions = machine.charter.playbooks_of(asset).map(|(id, playbook)| machine.decision(id, playbook));
    decisions.flat_map(|decision| machine.shared.content.closed(&decision).collect::<Vec<_>>()).collect()
}

/// What the certificates of a close say that it was, if any does. Where some say confirmed and some false, it is confirmed: what rests on a false
/// alarm is taken from rules, and that takes the people's agreement.
pub(crate) fn outcome(machine: &Machine, asset: &AssetId, at: BlockTime) -> Option<Outcome> {
    let says = |outcome| {
        let mut decisions = machine.charter.playbooks_of(asset).map(|(id, playbook)| machine.decision(id, playbook));
        decisions.any(|decision| machine.shared.content.says(&decision, at, outcome)).then_some(outcome)
    };
    says(Outcome::Confirmed).or_else(|| says(Outcome::False))
}

/// The close of an asset's incident of this id, if it is closed.
pub(crate) fn closed_at(machine: &Machine, asset: &AssetId, incident: IncidentId) -> Option<BlockTime> {
    let closes = closes(machine, asset);
    (0..).zip(closes).find(|(generation, _)| id(machine, asset, *generation) == incident).map(|(_, at)| at)
}

/// How many closes precede a block time.
pub(crate) fn generation(closes: &BTreeSet<BlockTime>, at: BlockTime) -> u32 {
    u32::try_from(closes.range(..at).count()).unwrap_or(u32::MAX)
}

/// The asset and the block time an event speaks of, for the bodies that belong to an incident by what they say.
#[must_use]
pub fn subject(event: &Event) -> Option<(&AssetId, BlockTime)> {
    match &event.body {
        Body::Finding(finding) => Some((&finding.asset, finding.block.time)),
        Body::Vote(vote) => Some((&vote.decision.asset, vote.evidence.time)),
        Body::Veto(veto) => Some((&veto.decision.asset, veto.head.time)),
        Body::Snoozed(snoozed) => Some((&snoozed.asset, snoozed.head.time)),
        Body::CloseVote(close) => Some((&close.decision.asset, close.closed_at.time)),
        Body::PostconditionChecked(checked) => Some((&checked.asset, checked.block.time)),
        Body::NotContained(stated) => Some((&stated.decision.asset, stated.head.time)),
        Body::Certificate(held) => {
            let newest = held.votes.iter().filter_map(|vote| subject(vote.event())).map(|(_, at)| at).max()?;
            Some((&held.decision.asset, newest))
        }
        Body::CoSignature(signature) => match &signature.authority {
            watchfire_types::body::Authority::Step { decision, .. }
            | watchfire_types::body::Authority::RejectionCancelled { decision, .. }
            | watchfire_types::body::Authority::RejectionBeforeRecovery { decision, .. } => {
                Some((&decision.asset, signature.agreed.time))
            }
            watchfire_types::body::Authority::RejectionAfterForeignRecovery { asset, .. } => {
                Some((asset, signature.agreed.time))
            }
        },
        _ => None,
    }
}

/// Every asset's incidents: open ones first, then by what they know newest. One exists as soon as a finding or a vote belongs to it.
pub(crate) fn list(machine: &Machine) -> Vec<IncidentStatus> {
    let mut list = Vec::new();
    for (asset, told) in &machine.shared.derived.told {
        let closes = closes(machine, asset);
        let generations = 0..=u32::try_from(closes.len()).unwrap_or(u32::MAX);
        let opened = generations.filter(|generation| told.opens(stretch(&closes, *generation)));
        list.extend(opened.map(|generation| describe(machine, asset, told, &closes, generation)));
    }
    list.sort_by(|a, b| (!a.is_open(), b.newest, &a.asset).cmp(&(!b.is_open(), a.newest, &b.asset)));
    list
}

fn describe(
    machine: &Machine,
    asset: &AssetId,
    told: &Told,
    closes: &BTreeSet<BlockTime>,
    generation: u32,
) -> IncidentStatus {
    let own = id(machine, asset, generation);
    let stretch = stretch(closes, generation);
    let set = machine.shared.derived.classified.get(&own).and_then(|set| set.last_key_value());
    let set = set.and_then(|(_, event)| match &event.body {
        Body::Classified(classified) => Some(classified.severity),
        _ => None,
    });
    let severity = set.or_else(|| told.worst(stretch)).unwrap_or(Severity::Sev3);
    let closed = closes.iter().nth(generation as usize);
    let outcome = closed.and_then(|at| outcome(machine, asset, *at));
    let phase = phase(machine, asset, generation, closed.is_some());
    let continues = generation.checked_sub(1).map(|before| id(machine, asset, before));
    IncidentStatus {
        id: own,
        asset: asset.clone(),
        generation,
        continues,
        severity,
        phase,
        newest: told.newest(stretch),
        outcome,
    }
}

/// Everything held that belongs to it: by the block time that it speaks of, then people's words and custody, then what was handed out and
/// executed of its transactions, then what was taken back of all this.
pub(crate) fn events<'a>(machine: &'a Machine, incident: &IncidentStatus) -> Vec<&'a Verified<Event>> {
    let derived = &machine.shared.derived;
    let closes = closes(machine, &incident.asset);
    let told = derived.told.get(&incident.asset).into_iter();
    let told = told.flat_map(|told| told.within(stretch(&closes, incident.generation)));
    let words = derived.words.get(&incident.id).into_iter().flatten().filter_map(|hash| derived.spoken.get(hash));
    let ours = |(_, event): &(&EventHash, &Arc<Verified<Event>>)| {
        let at = match &event.body {
            Body::Executed(executed) => executed.block.time,
            _ => BlockTime::from_secs(event.time.as_millis() / 1_000),
        };
        generation(&closes, at) == incident.generation
    };
    // Whoever names a transaction that nobody of the charter signed is not looked for.
    let signed =
        machine.shared.content.signed.iter().filter(
            |(_, signed)| matches!(&signed.kind, Kind::Step { decision, .. } if decision.asset == incident.asset),
        );
    let carried = signed.filter_map(|(hash, _)| derived.carried.get(hash)).flatten();
    let carried = carried.filter(ours).map(|(_, event)| event);
    let mut all: Vec<&Verified<Event>> = told.chain(words).chain(carried).map(|event| &**event).collect();
    let taken = all.iter().filter_map(|event| derived.retractions.get(&event.hash())).flat_map(|of| of.values());
    let taken: Vec<&Verified<Event>> = taken.map(|event| &**event).collect();
    all.extend(taken);
    all
}

fn phase(machine: &Machine, asset: &AssetId, generation: u32, closed: bool) -> &'static str {
    let contained = machine.last_containment(asset);
    let recovered = window(machine, asset);
    match (contained, recovered) {
        _ if closed => "closed",
        _ if generation > 0 && contained.is_none() => "detection",
        (Some(contained), Some(recovered)) if crate::authority::later(&recovered, &contained) => "recovery",
        (Some(_), _) => "containment",
        (None, _) => "detection",
    }
}

fn window(machine: &Machine, asset: &AssetId) -> Option<watchfire_types::BlockRef> {
    crate::authority::window_floors(machine).get(asset).copied()
}

/// The incident that an event belongs to by what it says.
pub(crate) fn of(machine: &Machine, event: &Event) -> Option<IncidentId> {
    match &event.body {
        Body::Acknowledged(said) | Body::Rejected(said) | Body::Note(said) => return Some(said.incident),
        Body::Classified(classified) => return Some(classified.incident),
        Body::EvidenceCollected(collected) => return Some(collected.incident),
        Body::EvidenceAccessed(accessed) => return Some(accessed.incident),
        Body::EvidenceMissed(missed) => return Some(missed.incident),
        Body::Sealed(Sealed { about: SealedAbout::Incident(incident), .. }) => return Some(*incident),
        _ => {}
    }
    let (asset, at) = subject(event)?;
    Some(id(machine, asset, generation(&closes(machine, asset), at)))
}

pub(crate) fn exists(machine: &Machine, incident: IncidentId) -> bool {
    list(machine).iter().any(|known| known.id == incident)
}
