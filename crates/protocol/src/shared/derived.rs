//! Indexes over the events below the cuts. Every entry is attributable to one event and no entry depends on another, so the fold's order
//! does not matter.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use alloy_primitives::B256;
use watchfire_charter::Charter;
use watchfire_types::body::{Body, Decision, Sealed, SealedAbout};
use watchfire_types::{
    AssetId, BlockTime, DetectorId, Event, EventHash, IncidentId, MemberKey, NetworkId, OperatorId, OrganisationId,
    PlaybookId, StepIndex, Verified,
};

use super::voices::Voices;
use crate::certificate;

/// Events ordered by the block time they speak of.
pub(crate) type ByTime = BTreeMap<(BlockTime, EventHash), Arc<Verified<Event>>>;

/// Events of one author about the same thing.
pub(crate) type ByHash = BTreeMap<EventHash, Arc<Verified<Event>>>;
/// Events of one author by its clock, position and hash.
pub(crate) type InOrder = BTreeMap<(u64, u64, EventHash), Arc<Verified<Event>>>;

/// Who votes for which step under which label.
pub(crate) type Vote = (MemberKey, StepIndex, OperatorId);
/// Who vetoes, and whether it is issued again by the node or said by a human.
pub(crate) type Veto = (MemberKey, bool);

/// Close votes of one decision, by `closed_at`.
#[derive(Debug, Clone, Default)]
pub(crate) struct Closes {
    /// One close vote per organisation.
    pub(crate) said: BTreeMap<BlockTime, BTreeMap<OrganisationId, Arc<Verified<Event>>>>,
    /// Times that enough organisations say.
    pub(crate) agreed: BTreeSet<BlockTime>,
}

/// What events say, by what is asked of it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Derived {
    /// Votes that count under the charter, by decision and time of evidence.
    pub(crate) votes: BTreeMap<Decision, Voices<Vote>>,
    /// Vetoes, by decision and time of their heads.
    pub(crate) vetoes: BTreeMap<Decision, Voices<Veto>>,
    /// Close votes, by decision.
    pub(crate) closes: BTreeMap<Decision, Closes>,
    /// Findings of members, by asset.
    pub(crate) findings: BTreeMap<AssetId, ByTime>,
    /// Human words, and what was done with its evidence, by incident.
    pub(crate) words: BTreeMap<IncidentId, BTreeSet<EventHash>>,
    /// Bodies behind [`Self::words`].
    pub(crate) spoken: BTreeMap<EventHash, Arc<Verified<Event>>>,
    /// What each author observed.
    pub(crate) observed: BTreeMap<MemberKey, Observations>,
}

/// One author's block-bound observations, so that it neither repeats nor forgets them after a restart.
#[derive(Debug, Clone, Default)]
pub(crate) struct Observations {
    /// Findings, by asset, detector and first block.
    pub(crate) findings: BTreeMap<(AssetId, DetectorId), ByTime>,
    /// Executed, by (block hash, Safe transaction).
    pub(crate) executed: BTreeMap<(B256, B256), ByHash>,
    /// Postcondition checks, by step, in the author's order.
    pub(crate) checked: BTreeMap<(AssetId, PlaybookId, StepIndex), InOrder>,
    /// Events that a reorg took.
    pub(crate) retracted: BTreeSet<EventHash>,
    /// NotContained, by decision and head time.
    pub(crate) not_contained: BTreeMap<Decision, ByTime>,
    /// Newest attestation by the author's clock, by asset.
    pub(crate) attested: BTreeMap<AssetId, Arc<Verified<Event>>>,
    /// Certificates that the author published itself.
    pub(crate) published: BTreeSet<B256>,
}

impl Derived {
    /// Folds one event below its author's cut.
    pub(crate) fn fold(&mut self, charter: &Charter, network: NetworkId, event: &Arc<Verified<Event>>) {
        let author = &event.author;
        let Some(organisation) = charter.organisation_of(author) else { return };
        match &event.body {
            Body::Vote(vote) if certificate::check_vote(charter, author, vote).is_ok() => {
                let voice = (*author, vote.step, vote.operator.clone());
                let of = self.votes.entry(vote.decision.clone()).or_default();
                of.put(organisation, voice, vote.evidence.time, event);
            }
            Body::Veto(veto) if certificate::check_veto(charter, author, veto).is_ok() => {
                let of = self.vetoes.entry(veto.decision.clone()).or_default();
                of.put(organisation, (*author, veto.act != veto.head), veto.head.time, event);
            }
            Body::CloseVote(close) if certificate::check_close(charter, author, close).is_ok() => {
                let needed = usize::from(charter.rules.contain.organisations);
                let of = self.closes.entry(close.decision.clone()).or_default();
                of.put(needed, close.closed_at.time, organisation, event);
            }
            Body::Certificate(certificate) => {
                let digest = certificate::content_digest(certificate, network);
                self.observed.entry(*author).or_default().published.insert(digest);
            }
            Body::Acknowledged(said) | Body::Rejected(said) | Body::Note(said) => self.speak(said.incident, event),
            Body::Classified(classified) => self.speak(classified.incident, event),
            Body::EvidenceCollected(collected) => self.speak(collected.incident, event),
            Body::EvidenceAccessed(accessed) => self.speak(accessed.incident, event),
            Body::EvidenceMissed(missed) => self.speak(missed.incident, event),
            Body::Sealed(Sealed { about: SealedAbout::Incident(incident), .. }) => self.speak(*incident, event),
            Body::Finding(_)
            | Body::Executed(_)
            | Body::PostconditionChecked(_)
            | Body::Retracted(_)
            | Body::NotContained(_)
            | Body::Attested(_) => self.observe(event),
            Body::Vote(_)
            | Body::Veto(_)
            | Body::CloseVote(_)
            | Body::FaultProof(_)
            | Body::Checkpoint(_)
            | Body::CheckpointFault(_)
            | Body::Sealed(_)
            | Body::Started(_)
            | Body::CoSignature(_)
            | Body::Submitted(_)
            | Body::Unknown(..) => {}
        }
    }

    fn speak(&mut self, incident: IncidentId, event: &Arc<Verified<Event>>) {
        self.words.entry(incident).or_default().insert(event.hash());
        self.spoken.insert(event.hash(), Arc::clone(event));
    }

    fn observe(&mut self, event: &Arc<Verified<Event>>) {
        let hash = event.hash();
        let observed = self.observed.entry(event.author).or_default();
        match &event.body {
            Body::Finding(finding) => {
                let key = (finding.block.time, hash);
                self.findings.entry(finding.asset.clone()).or_default().insert(key, Arc::clone(event));
                let own = observed.findings.entry((finding.asset.clone(), finding.detector.clone())).or_default();
                own.insert((finding.first.time, hash), Arc::clone(event));
            }
            Body::Executed(executed) => {
                let of = observed.executed.entry((executed.block.hash, executed.safe_transaction)).or_default();
                of.insert(hash, Arc::clone(event));
            }
            Body::PostconditionChecked(checked) => {
                let key = (checked.asset.clone(), checked.playbook.clone(), checked.step);
                let order = (event.time.as_millis(), event.seq.get(), hash);
                observed.checked.entry(key).or_default().insert(order, Arc::clone(event));
            }
            Body::Retracted(retracted) => {
                observed.retracted.insert(retracted.event);
            }
            Body::NotContained(stated) => {
                let of = observed.not_contained.entry(stated.decision.clone()).or_default();
                of.insert((stated.head.time, hash), Arc::clone(event));
            }
            Body::Attested(attested) => {
                let newest = observed.attested.entry(attested.asset.clone()).or_insert_with(|| Arc::clone(event));
                if (newest.time, newest.hash()) < (event.time, hash) {
                    *newest = Arc::clone(event);
                }
            }
            _ => {}
        }
    }
}

impl Closes {
    fn put(&mut self, needed: usize, at: BlockTime, organisation: &OrganisationId, event: &Arc<Verified<Event>>) {
        let by = self.said.entry(at).or_default();
        // Of several by one organisation the same one everywhere.
        let held = by.entry(organisation.clone()).or_insert_with(|| Arc::clone(event));
        if event.hash() < held.hash() {
            *held = Arc::clone(event);
        }
        if by.len() >= needed {
            self.agreed.insert(at);
        }
    }
}
