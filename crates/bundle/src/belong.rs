//! Which events belong to an incident: the rule of proto/watchfire/v1/bundle.proto, section 5, for builder and verifier alike.

use std::collections::{BTreeMap, BTreeSet};

use alloy_primitives::{Address, B256};
use watchfire_charter::Charter;
use watchfire_protocol::{check_certificate, incident_subject};
use watchfire_types::body::{Body, CoSignature, Purpose, Sealed, SealedAbout};
use watchfire_types::{
    AssetId, BlockRef, BlockTime, ChainId, CharterVersion, Event, EventHash, IncidentId, MemberKey, NetworkId,
};

/// One event and the hash of its outer bytes.
#[derive(Debug, Clone, Copy)]
pub struct Known<'a> {
    /// Hash.
    pub hash: EventHash,
    /// Content.
    pub event: &'a Event,
}

/// What an incident is.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// Network.
    pub network: NetworkId,
    /// Id.
    pub incident: IncidentId,
    /// Asset.
    pub asset: &'a AssetId,
    /// Closes of the asset before it.
    pub generation: u32,
    /// Charters by version.
    pub charters: &'a BTreeMap<CharterVersion, Charter>,
}

/// The events that belong.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Belonging {
    /// Rules a to d: these make the segments.
    pub told: BTreeSet<EventHash>,
    /// Rule e: fault proofs against their authors.
    pub faults: BTreeSet<EventHash>,
}

impl Belonging {
    /// Whether an event belongs by any rule.
    #[must_use]
    pub fn contains(&self, hash: &EventHash) -> bool {
        self.told.contains(hash) || self.faults.contains(hash)
    }
}

/// Applies the rule to a set of events; their order does not matter.
#[must_use]
pub fn belonging(subject: &Subject<'_>, events: &[Known<'_>]) -> Belonging {
    let closes = closes(subject, events);
    let mut told: BTreeSet<EventHash> =
        events.iter().filter(|known| tells(subject, &closes, known.event)).map(|known| known.hash).collect();
    let signed: BTreeSet<B256> = events
        .iter()
        .filter(|known| told.contains(&known.hash))
        .filter_map(|known| match &known.event.body {
            Body::CoSignature(signature) => safe_tx_hash(subject.charters, signature),
            _ => None,
        })
        .collect();
    told.extend(events.iter().filter(|known| executes(&signed, known.event)).map(|known| known.hash));
    let retracts = |known: &&Known<'_>| matches!(&known.event.body, Body::Retracted(of) if told.contains(&of.event));
    let retracted: Vec<EventHash> = events.iter().filter(retracts).map(|known| known.hash).collect();
    told.extend(retracted);
    let authors: BTreeSet<MemberKey> =
        events.iter().filter(|known| told.contains(&known.hash)).map(|known| known.event.author).collect();
    let convicts = |event: &Event| match &event.body {
        Body::FaultProof(proof) => authors.contains(&proof.first.event().author),
        Body::CheckpointFault(fault) => authors.contains(&fault.author),
        _ => false,
    };
    let faults = events.iter().filter(|known| convicts(known.event)).map(|known| known.hash).collect();
    Belonging { told, faults }
}

/// Distinct times at which valid certificates closed the asset.
#[must_use]
pub fn closes(subject: &Subject<'_>, events: &[Known<'_>]) -> BTreeSet<BlockTime> {
    let close = |known: &Known<'_>| match &known.event.body {
        Body::Certificate(certificate) if certificate.decision.asset == *subject.asset => {
            let Purpose::Close(at) = certificate.purpose else { return None };
            let charter = subject.charters.get(&certificate.decision.version)?;
            check_certificate(charter, subject.network, certificate).is_ok().then_some(at)
        }
        _ => None,
    };
    events.iter().filter_map(close).collect()
}

/// Rules a and b.
fn tells(subject: &Subject<'_>, closes: &BTreeSet<BlockTime>, event: &Event) -> bool {
    match &event.body {
        Body::Classified(classified) => classified.incident == subject.incident,
        Body::Acknowledged(said) | Body::Rejected(said) | Body::Note(said) => said.incident == subject.incident,
        Body::EvidenceCollected(collected) => collected.incident == subject.incident,
        Body::EvidenceAccessed(accessed) => accessed.incident == subject.incident,
        Body::EvidenceMissed(missed) => missed.incident == subject.incident,
        Body::Sealed(Sealed { about: SealedAbout::Incident(incident), .. }) => *incident == subject.incident,
        _ => incident_subject(event).is_some_and(|(asset, at)| {
            asset == subject.asset && closes.range(..at).count() == subject.generation as usize
        }),
    }
}

/// Rule c.
fn executes(signed: &BTreeSet<B256>, event: &Event) -> bool {
    match &event.body {
        Body::Submitted(submitted) => signed.contains(&submitted.safe_transaction),
        Body::Executed(executed) => signed.contains(&executed.safe_transaction),
        _ => false,
    }
}

/// What a co-signature signs, where the charter knows the Safe.
#[must_use]
pub fn safe_tx_hash(charters: &BTreeMap<CharterVersion, Charter>, signature: &CoSignature) -> Option<B256> {
    let (_, safe) = charters.get(&signature.version)?.safe_at(signature.chain, &signature.safe)?;
    Some(signature.transaction.hashes(safe.version, signature.chain.get(), signature.safe).safe_tx_hash)
}

/// The accounts whose state an incident's bundle may show on a chain: the asset's contracts and owner, and the charters' Safes.
#[must_use]
pub fn watched(charters: &BTreeMap<CharterVersion, Charter>, asset: &AssetId, chain: ChainId) -> BTreeSet<Address> {
    let of = |charter: &Charter| {
        let entry = charter.assets.get(asset).filter(|entry| entry.chain == chain);
        let contracts = entry.into_iter().flat_map(|entry| entry.contracts.iter().copied().chain(entry.owner));
        let safes = charter.safes.values().filter(|safe| safe.chain == chain).map(|safe| safe.address);
        contracts.chain(safes).collect::<Vec<_>>()
    };
    charters.values().flat_map(of).collect()
}

/// The blocks that an event is bound to.
#[must_use]
pub fn blocks(event: &Event) -> Vec<BlockRef> {
    match &event.body {
        Body::Finding(finding) => vec![finding.first, finding.block],
        Body::Vote(vote) => vec![vote.evidence],
        Body::Veto(veto) => vec![veto.head, veto.act],
        Body::CloseVote(close) => vec![close.closed_at],
        Body::CoSignature(signature) => vec![signature.agreed],
        Body::Executed(executed) => vec![executed.block],
        Body::PostconditionChecked(checked) => vec![checked.block],
        Body::Retracted(retracted) => vec![retracted.orphaned],
        Body::NotContained(stated) => vec![stated.head],
        Body::Attested(attested) => vec![attested.head],
        Body::EvidenceCollected(collected) => collected.items.iter().map(|item| item.block).collect(),
        Body::EvidenceMissed(missed) => vec![missed.block],
        _ => Vec::new(),
    }
}
