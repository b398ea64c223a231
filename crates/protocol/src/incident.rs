//! Incidents: events grouped for people. Nothing that signs depends on them.

use std::collections::BTreeSet;

use watchfire_types::body::{Body, Sealed, SealedAbout};
use watchfire_types::{AssetId, BlockTime, Event, EventHash, IncidentId, NetworkId, domain, sha256};

use crate::machine::Machine;
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
fn closes(machine: &Machine, asset: &AssetId) -> BTreeSet<BlockTime> {
    let decisions = machine.charter.playbooks_of(asset).map(|(id, playbook)| machine.decision(id, playbook));
    decisions.flat_map(|decision| machine.shared.content.closed(&decision).collect::<Vec<_>>()).collect()
}

/// How many closes precede a block time.
fn generation(closes: &BTreeSet<BlockTime>, at: BlockTime) -> u32 {
    u32::try_from(closes.range(..at).count()).unwrap_or(u32::MAX)
}

/// The asset and the block time an event speaks of, for the bodies that belong to an incident by what they say.
#[must_use]
pub fn subject(event: &Event) -> Option<(&AssetId, BlockTime)> {
    match &event.body {
        Body::Finding(finding) => Some((&finding.asset, finding.block.time)),
        Body::Vote(vote) => Some((&vote.decision.asset, vote.evidence.time)),
        Body::Veto(veto) => Some((&veto.decision.asset, veto.head.time)),
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

/// Every asset's incidents, newest generation first. One exists as soon as a finding, a vote or a human's word belongs to it.
pub(crate) fn list(machine: &Machine) -> Vec<IncidentStatus> {
    let mut found: std::collections::BTreeMap<(AssetId, u32), BTreeSet<(BlockTime, EventHash)>> =
        std::collections::BTreeMap::new();
    let mut opened = BTreeSet::new();
    let closes: std::collections::BTreeMap<&AssetId, BTreeSet<BlockTime>> =
        machine.charter.assets.keys().map(|asset| (asset, closes(machine, asset))).collect();
    for event in machine.shared.events() {
        if let Some((asset, at)) = subject(event) {
            let Some(closes) = closes.get(asset) else { continue };
            let key = (asset.clone(), generation(closes, at));
            if matches!(event.body, Body::Finding(_) | Body::Vote(_)) {
                opened.insert(key.clone());
            }
            found.entry(key).or_default().insert((at, event.hash()));
        }
    }
    found.retain(|key, _| opened.contains(key));
    let mut list: Vec<IncidentStatus> = found
        .into_iter()
        .map(|((asset, generation), events)| {
            let closed = closes.get(&asset).is_some_and(|closes| closes.len() > generation as usize);
            describe(machine, asset, generation, closed, events.into_iter().map(|(_, hash)| hash).collect())
        })
        .collect();
    list.sort_by(|a, b| (b.generation, &b.asset).cmp(&(a.generation, &a.asset)));
    list
}

fn describe(
    machine: &Machine,
    asset: AssetId,
    generation: u32,
    closed: bool,
    mut events: Vec<EventHash>,
) -> IncidentStatus {
    let own = id(machine, &asset, generation);
    let words = machine.shared.derived.words.get(&own).into_iter().flatten();
    let spoken: Vec<_> = words.filter_map(|hash| machine.shared.derived.spoken.get(hash)).collect();
    events.extend(spoken.iter().map(|event| event.hash()));
    let found = machine.shared.derived.findings.get(&asset).into_iter().flat_map(|found| found.values());
    let worst = found.filter(|event| events.contains(&event.hash())).filter_map(|event| match &event.body {
        Body::Finding(finding) => Some(finding.severity),
        _ => None,
    });
    let set = spoken.iter().filter_map(|event| match &event.body {
        Body::Classified(classified) => Some(((event.time, event.hash()), classified.severity)),
        _ => None,
    });
    let severity = set.max_by_key(|(order, _)| *order).map(|(_, severity)| severity).or_else(|| worst.max());
    let phase = phase(machine, &asset, generation, closed);
    let continues = generation.checked_sub(1).map(|before| id(machine, &asset, before));
    IncidentStatus {
        id: own,
        asset,
        generation,
        continues,
        severity: severity.unwrap_or(watchfire_types::Severity::Sev3),
        phase,
        events,
    }
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
