//! Sections 7 to 10: what events name, certificates, co-signatures, fault proofs.
//!
//! A log keeps what names a charter version that is not adopted: it counts for nothing, and anyone can sign it. So it is told as its author's
//! statement and spoils nothing else.

use std::collections::{BTreeMap, BTreeSet};

use alloy_primitives::{Address, B256};
use watchfire_charter::Charter;
use watchfire_protocol::{
    CheckpointClaim, check_certificate, check_co_signature, checkpoint_claim, content_digest, is_fault,
};
use watchfire_types::body::{Authority, Basis, Certificate, CoSignature, Purpose};
use watchfire_types::{Body, CharterVersion, EventHash, Unverified};

use super::{Opened, member};
use crate::report::Checks;

/// Most missing things that are listed one by one.
const LISTED: usize = 32;

/// Section 7: what is named and not there.
pub(super) fn references(opened: &Opened<'_>, checks: &mut Checks) {
    let certificates: BTreeSet<B256> = certificates_by_digest(opened).into_keys().collect();
    let mut missing = BTreeSet::new();
    let mut named = 0_usize;
    for (hash, event) in opened.told() {
        let mut want = |there: bool, what: String| {
            named += 1;
            if !there {
                missing.insert(format!("{} names {what}", opened.name(event.event(), *hash)));
            }
        };
        match &event.event().body {
            Body::Vote(vote) => {
                if let Basis::Finding(finding) = vote.basis {
                    let own =
                        opened.events.get(&finding).map(Unverified::event).filter(|found| {
                            found.author == event.event().author && matches!(found.body, Body::Finding(_))
                        });
                    want(own.is_some(), format!("finding {} of its own", finding.short()));
                }
            }
            Body::CoSignature(signature) => {
                if let Some(digest) = authority(signature) {
                    want(certificates.contains(&digest), format!("certificate {digest}"));
                }
            }
            Body::Certificate(certificate) => {
                for vote in &certificate.votes {
                    want(opened.events.contains_key(&vote.hash()), format!("vote {}", vote.hash().short()));
                }
            }
            Body::Retracted(retracted) => {
                let own = opened.events.get(&retracted.event).map(Unverified::event);
                let own = own.filter(|own| own.author == event.event().author);
                want(own.is_some(), format!("event {} of its own", retracted.event.short()));
            }
            _ => {}
        }
    }
    if missing.is_empty() {
        checks.holds("reference", "bundle", format!("{named} of {named} named events and certificates are here"));
        return;
    }
    for what in missing.iter().take(LISTED) {
        checks.open("reference", what, "not in the bundle");
    }
    if missing.len() > LISTED {
        checks.open("reference", "bundle", format!("and {} more", missing.len() - LISTED));
    }
}

fn authority(signature: &CoSignature) -> Option<B256> {
    match &signature.authority {
        Authority::Step { certificate, .. }
        | Authority::RejectionCancelled { certificate, .. }
        | Authority::RejectionBeforeRecovery { certificate, .. } => Some(*certificate),
        Authority::RejectionAfterForeignRecovery { .. } => None,
    }
}

/// Whether a certificate is one for what an authority says.
fn authorises(certificate: &Certificate, authority: &Authority) -> bool {
    let (decision, purpose) = (&certificate.decision, &certificate.purpose);
    match authority {
        Authority::Step { decision: of, step, .. } => {
            decision == of && matches!(purpose, Purpose::Step(certified) if certified >= step)
        }
        Authority::RejectionCancelled { decision: of, .. } => decision == of && *purpose == Purpose::Cancel,
        Authority::RejectionBeforeRecovery { decision: of, .. } => {
            decision == of && matches!(purpose, Purpose::Step(_))
        }
        Authority::RejectionAfterForeignRecovery { .. } => true,
    }
}

fn certificates_by_digest<'a>(opened: &'a Opened<'_>) -> BTreeMap<B256, Vec<(EventHash, &'a Certificate)>> {
    let mut found: BTreeMap<B256, Vec<(EventHash, &Certificate)>> = BTreeMap::new();
    for (hash, event) in &opened.events {
        if let Body::Certificate(certificate) = &event.event().body {
            found.entry(content_digest(certificate, opened.bundle.network)).or_default().push((*hash, certificate));
        }
    }
    found
}

/// Digests of the certificates that the incident's co-signatures name.
pub(super) fn named_certificates(opened: &Opened<'_>) -> BTreeSet<B256> {
    let named = opened.told().filter_map(|(_, event)| match &event.event().body {
        Body::CoSignature(signature) => authority(signature),
        _ => None,
    });
    named.collect()
}

/// Section 8.
pub(super) fn certificates(opened: &Opened<'_>, checks: &mut Checks) {
    let named = named_certificates(opened);
    for (digest, carriers) in certificates_by_digest(opened) {
        let belongs = carriers.iter().any(|(hash, _)| opened.belonging.told.contains(hash));
        let Some((_, certificate)) = carriers.first().filter(|_| belongs || named.contains(&digest)) else { continue };
        let subject = format!("{} {:?} {}", certificate.decision.playbook, certificate.purpose, short(&digest));
        let Some(charter) = opened.charters.get(&certificate.decision.version) else {
            for event in carriers.iter().filter_map(|(hash, _)| opened.events.get(hash)) {
                foreign(opened, event, certificate.decision.version, checks);
            }
            continue;
        };
        let judged = check_certificate(charter, opened.bundle.network, certificate);
        let voters = || {
            let voters = certificate.votes.iter().map(|vote| member(opened.charters, &vote.event().author));
            format!("valid by {}", voters.collect::<Vec<_>>().join(", "))
        };
        checks.judge("certificate", subject, judged.map(|()| voters()));
    }
}

/// Tells of an event that names a version that is not here.
fn foreign(opened: &Opened<'_>, event: &Unverified, version: CharterVersion, checks: &mut Checks) {
    let detail = format!("it names charter version {version}, which is not in the bundle: it counts for nothing here");
    checks.open("statement", opened.name(event.event(), event.hash()), detail);
}

fn short(hash: &B256) -> String {
    hash.to_string().chars().take(10).collect()
}

/// Section 9.
pub(super) fn co_signatures(opened: &Opened<'_>, checks: &mut Checks) {
    let certificates = certificates_by_digest(opened);
    let mut owners: BTreeMap<B256, (BTreeSet<Address>, usize)> = BTreeMap::new();
    for (hash, event) in opened.told() {
        let Body::CoSignature(signature) = &event.event().body else { continue };
        let subject = opened.name(event.event(), *hash);
        let Some(charter) = opened.charters.get(&signature.version) else {
            foreign(opened, event, signature.version, checks);
            continue;
        };
        match judge(charter, signature) {
            Ok((safe_tx_hash, owner, threshold)) => {
                let entry = owners.entry(safe_tx_hash).or_insert((BTreeSet::new(), threshold));
                entry.0.insert(owner);
                checks.holds("co-signature", &subject, format!("{owner} signed {safe_tx_hash}"));
                let named = authority(signature).and_then(|digest| certificates.get(&digest)?.first());
                if named.is_some_and(|(_, certificate)| !authorises(certificate, &signature.authority)) {
                    let detail =
                        "the certificate that it names is of another decision or purpose, or of a narrower step";
                    checks.open("authority", subject, detail);
                }
            }
            Err(error) => checks.fails("co-signature", subject, error),
        }
    }
    for (safe_tx_hash, (owners, threshold)) in owners {
        let detail = format!("{} owner(s) signed, the safe takes {threshold}", owners.len());
        if owners.len() >= threshold {
            checks.holds("threshold", safe_tx_hash, detail);
        } else {
            checks.open("threshold", safe_tx_hash, detail);
        }
    }
}

fn judge(charter: &Charter, signature: &CoSignature) -> Result<(B256, Address, usize), String> {
    let (safe_tx_hash, owner) = check_co_signature(charter, signature).map_err(|error| error.to_string())?;
    let threshold = charter.safe_at(signature.chain, &signature.safe).map_or(0, |(_, safe)| safe.threshold);
    Ok((safe_tx_hash, owner, usize::from(threshold)))
}

/// Section 10.
pub(super) fn faults(opened: &Opened<'_>, checks: &mut Checks) {
    let network = opened.bundle.network;
    for (hash, event) in &opened.events {
        let subject = || opened.name(event.event(), *hash);
        match &event.event().body {
            Body::FaultProof(proof) if is_fault(proof, network) => {
                let author = member(opened.charters, &proof.first.event().author);
                let detail = format!("{author} signed two histories of epoch {}", proof.first.event().epoch.short());
                checks.holds("fault-proof", subject(), detail);
            }
            Body::FaultProof(_) => checks.fails("fault-proof", subject(), "the two events convict nobody"),
            Body::CheckpointFault(fault) => {
                let author = member(opened.charters, &fault.author);
                match checkpoint_claim(fault, network) {
                    Some(CheckpointClaim::Inconsistent) => {
                        let detail = format!("{author} signed two trees of epoch {}", fault.epoch.short());
                        checks.holds("fault-proof", subject(), detail);
                    }
                    Some(CheckpointClaim::Single) => {
                        let detail = format!("{author} signed it; whether it lies is for all its events to say");
                        checks.open("fault-proof", subject(), detail);
                    }
                    None => checks.fails("fault-proof", subject(), "the checkpoints convict nobody"),
                }
            }
            _ => {}
        }
    }
}
