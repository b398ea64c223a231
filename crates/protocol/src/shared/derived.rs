//! Indexes over the events below the cuts. Every entry is attributable to one event and no entry depends on another, so the fold's order
//! does not matter, and what a cut takes is taken back event by event: never is all said again for a liar's sake.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use alloy_primitives::B256;
use watchfire_charter::{Charter, REPORT};
use watchfire_types::body::{Body, CloseVote, Decision, Outcome, Sealed, SealedAbout, Snoozed};
use watchfire_types::{
    AssetId, BlockRef, BlockTime, ChainId, ChangeId, DetectorId, Event, EventHash, IncidentId, MemberKey, NetworkId,
    OperatorId, OrganisationId, PlaybookId, StepIndex, Verified,
};

use super::changes::Changes;
use super::fired::Fired;
use super::promotions::Promotions;
use super::reports::Reports;
use super::told::Told;
use super::voices::Voices;
use crate::{certificate, change, incident, promotion};

/// Events ordered by the block time they speak of.
pub(crate) type ByTime = BTreeMap<(BlockTime, EventHash), Arc<Verified<Event>>>;

/// Events of one author about the same thing.
pub(crate) type ByHash = BTreeMap<EventHash, Arc<Verified<Event>>>;
/// Events of one author by its clock, position and hash.
pub(crate) type InOrder = BTreeMap<(u64, u64, EventHash), Arc<Verified<Event>>>;

/// What was said, with the events that say it.
pub(crate) type Said<T> = BTreeMap<T, BTreeSet<EventHash>>;

/// Who votes for which step under which label.
pub(crate) type Vote = (MemberKey, StepIndex, OperatorId);
/// Who vetoes, and whether it is issued again by the node or said by a human.
pub(crate) type Veto = (MemberKey, bool);

/// Close votes of one decision, by `closed_at`.
#[derive(Debug, Clone, Default)]
pub(crate) struct Closes {
    /// By organisation; its first counts.
    pub(crate) said: BTreeMap<BlockTime, BTreeMap<OrganisationId, ByHash>>,
    /// Times that enough organisations say.
    pub(crate) agreed: BTreeSet<BlockTime>,
    /// Who says what it was, by time.
    pub(crate) outcomes: BTreeMap<(BlockTime, Outcome), BTreeMap<OrganisationId, ByHash>>,
    /// What enough organisations say that it was.
    pub(crate) judged: BTreeSet<(BlockTime, Outcome)>,
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
    /// Severities that people set, by incident, in the order of their authors' clocks.
    pub(crate) classified: BTreeMap<IncidentId, InOrder>,
    /// What belongs to incidents by what it says, by asset.
    pub(crate) told: BTreeMap<AssetId, Told>,
    /// What was handed out or executed, by Safe transaction.
    pub(crate) carried: BTreeMap<B256, ByHash>,
    /// What was taken back, by what it is that was.
    pub(crate) retractions: BTreeMap<EventHash, ByHash>,
    /// Planned changes.
    pub(crate) changes: Changes,
    /// What rules found, and what was seen executed.
    pub(crate) fired: Fired,
    /// Rules that may vote by themselves again.
    pub(crate) promotions: Promotions,
    /// Snoozes, by asset and rule, in the order of their authors' clocks.
    pub(crate) snoozes: BTreeMap<(AssetId, Option<DetectorId>), InOrder>,
    /// What was reported from outside the chain.
    pub(crate) reports: Reports,
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
    /// The same three by each block that they are bound to.
    pub(crate) bound: BTreeMap<(ChainId, u64, B256), ByHash>,
    /// Events that a reorg took.
    pub(crate) retracted: Said<EventHash>,
    /// NotContained, by decision and head time.
    pub(crate) not_contained: BTreeMap<Decision, ByTime>,
    /// Attestations, by asset, in the author's order.
    pub(crate) attested: BTreeMap<AssetId, InOrder>,
    /// Certificates that the author published itself.
    pub(crate) published: Said<B256>,
    /// What the author said of a planned change's counting for it.
    pub(crate) counted: BTreeMap<ChangeId, ByHash>,
}

/// Folding an event in, or taking it back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    In,
    Out,
}

impl Way {
    pub(crate) fn put<K: Ord>(self, map: &mut BTreeMap<K, Arc<Verified<Event>>>, key: K, event: &Arc<Verified<Event>>) {
        match self {
            Self::In => drop(map.insert(key, Arc::clone(event))),
            Self::Out => drop(map.remove(&key)),
        }
    }

    fn say<K: Ord>(self, map: &mut Said<K>, key: K, by: EventHash) {
        match self {
            Self::In => drop(map.entry(key).or_default().insert(by)),
            Self::Out => {
                if let Some(said) = map.get_mut(&key) {
                    said.remove(&by);
                    if said.is_empty() {
                        map.remove(&key);
                    }
                }
            }
        }
    }
}

/// The blocks that an observation is bound to. What is reported from outside is so whatever becomes of the block at which it came.
pub(crate) fn bound_to(event: &Event) -> impl Iterator<Item = BlockRef> {
    let blocks = match &event.body {
        Body::Finding(finding) if finding.kind != REPORT => [Some(finding.first), Some(finding.block)],
        Body::Executed(executed) => [Some(executed.block), None],
        Body::PostconditionChecked(checked) => [Some(checked.block), None],
        _ => [None, None],
    };
    blocks.into_iter().flatten()
}

impl Derived {
    /// Folds one event below its author's cut.
    pub(crate) fn fold(&mut self, charter: &Charter, network: NetworkId, event: &Arc<Verified<Event>>) {
        self.go(Way::In, charter, network, event);
    }

    /// Takes back one event that a cut took, whether or not it was folded.
    pub(crate) fn withdraw(&mut self, charter: &Charter, network: NetworkId, event: &Arc<Verified<Event>>) {
        self.go(Way::Out, charter, network, event);
    }

    fn go(&mut self, way: Way, charter: &Charter, network: NetworkId, event: &Arc<Verified<Event>>) {
        let author = &event.author;
        let Some(organisation) = charter.organisation_of(author) else { return };
        self.tell(way, charter, event);
        match &event.body {
            Body::Vote(vote) if certificate::check_vote(charter, author, vote).is_ok() => {
                let voice = (*author, vote.step, vote.operator.clone());
                let of = self.votes.entry(vote.decision.clone()).or_default().of(organisation, voice);
                way.put(of, (vote.evidence.time, event.hash()), event);
            }
            Body::Veto(veto) if certificate::check_veto(charter, author, veto).is_ok() => {
                let voice = (*author, veto.act != veto.head);
                let of = self.vetoes.entry(veto.decision.clone()).or_default().of(organisation, voice);
                way.put(of, (veto.head.time, event.hash()), event);
            }
            Body::CloseVote(close) if certificate::check_close(charter, author, close).is_ok() => {
                let needed = usize::from(charter.rules.contain.organisations);
                let of = self.closes.entry(close.decision.clone()).or_default();
                of.put(way, needed, close, organisation, event);
            }
            Body::ChangeSupported(said) if change::check(charter, author, said).is_ok() => {
                self.changes.support(way, (charter, network), organisation, said, event);
            }
            Body::ChangeWithdrawn(said) if charter.member_by_key(author).is_some_and(|(_, member)| member.votes()) => {
                self.changes.withdraw(way, charter, organisation, said.change, event);
            }
            Body::PromotionSupported(said) if promotion::check(charter, author, said).is_ok() => {
                self.promotions.put(way, organisation, said, event);
            }
            Body::Snoozed(said) if charter.assets.contains_key(&said.asset) => self.snooze(way, said, event),
            Body::ChangeCounted(counted) => {
                let of = self.observed.entry(*author).or_default().counted.entry(counted.change).or_default();
                way.put(of, event.hash(), event);
            }
            Body::Certificate(certificate) => {
                let digest = certificate::content_digest(certificate, network);
                way.say(&mut self.observed.entry(*author).or_default().published, digest, event.hash());
            }
            Body::Acknowledged(said) | Body::Rejected(said) | Body::Note(said) => self.speak(way, said.incident, event),
            Body::Classified(classified) => self.speak(way, classified.incident, event),
            Body::Submitted(submitted) => self.carry(way, submitted.safe_transaction, event),
            Body::EvidenceCollected(collected) => self.speak(way, collected.incident, event),
            Body::EvidenceAccessed(accessed) => self.speak(way, accessed.incident, event),
            Body::EvidenceMissed(missed) => self.speak(way, missed.incident, event),
            Body::Sealed(Sealed { about: SealedAbout::Incident(incident), .. }) => self.speak(way, *incident, event),
            Body::Finding(_)
            | Body::Executed(_)
            | Body::PostconditionChecked(_)
            | Body::Retracted(_)
            | Body::NotContained(_)
            | Body::Attested(_) => {
                let needed = usize::from(charter.rules.contain.organisations);
                self.fired.put(way, needed, organisation, event);
                self.reports.put(way, organisation, event);
                self.observe(way, event);
            }
            Body::Vote(_)
            | Body::Veto(_)
            | Body::CloseVote(_)
            | Body::FaultProof(_)
            | Body::Checkpoint(_)
            | Body::CheckpointFault(_)
            | Body::Sealed(_)
            | Body::ChangeSupported(_)
            | Body::ChangeWithdrawn(_)
            | Body::PromotionSupported(_)
            | Body::Snoozed(_)
            | Body::Started(_)
            | Body::CoSignature(_)
            | Body::Unknown(..) => {}
        }
    }

    fn tell(&mut self, way: Way, charter: &Charter, event: &Arc<Verified<Event>>) {
        if let Some((asset, at)) = incident::subject(event)
            && charter.assets.contains_key(asset)
        {
            self.told.entry(asset.clone()).or_default().put(way, at, event);
        }
    }

    fn speak(&mut self, way: Way, incident: IncidentId, event: &Arc<Verified<Event>>) {
        way.say(&mut self.words, incident, event.hash());
        way.put(&mut self.spoken, event.hash(), event);
        if matches!(event.body, Body::Classified(_)) {
            let order = (event.time.as_millis(), event.seq.get(), event.hash());
            way.put(self.classified.entry(incident).or_default(), order, event);
        }
    }

    fn snooze(&mut self, way: Way, said: &Snoozed, event: &Arc<Verified<Event>>) {
        let order = (event.time.as_millis(), event.seq.get(), event.hash());
        way.put(self.snoozes.entry((said.asset.clone(), said.detector.clone())).or_default(), order, event);
    }

    fn carry(&mut self, way: Way, safe_transaction: B256, event: &Arc<Verified<Event>>) {
        way.put(self.carried.entry(safe_transaction).or_default(), event.hash(), event);
    }

    fn observe(&mut self, way: Way, event: &Arc<Verified<Event>>) {
        let hash = event.hash();
        let order = (event.time.as_millis(), event.seq.get(), hash);
        let observed = self.observed.entry(event.author).or_default();
        for block in bound_to(event) {
            way.put(observed.bound.entry((block.chain, block.number, block.hash)).or_default(), hash, event);
        }
        match &event.body {
            Body::Finding(finding) => {
                let of = self.findings.entry(finding.asset.clone()).or_default();
                way.put(of, (finding.block.time, hash), event);
                let own = observed.findings.entry((finding.asset.clone(), finding.detector.clone())).or_default();
                way.put(own, (finding.first.time, hash), event);
            }
            Body::Executed(executed) => {
                let of = observed.executed.entry((executed.block.hash, executed.safe_transaction)).or_default();
                way.put(of, hash, event);
                self.carry(way, executed.safe_transaction, event);
            }
            Body::PostconditionChecked(checked) => {
                let key = (checked.asset.clone(), checked.playbook.clone(), checked.step);
                way.put(observed.checked.entry(key).or_default(), order, event);
            }
            Body::Retracted(retracted) => {
                way.say(&mut observed.retracted, retracted.event, hash);
                way.put(self.retractions.entry(retracted.event).or_default(), hash, event);
            }
            Body::NotContained(stated) => {
                let of = observed.not_contained.entry(stated.decision.clone()).or_default();
                way.put(of, (stated.head.time, hash), event);
            }
            Body::Attested(attested) => {
                way.put(observed.attested.entry(attested.asset.clone()).or_default(), order, event);
            }
            _ => {}
        }
    }
}

impl Closes {
    fn put(
        &mut self,
        way: Way,
        needed: usize,
        close: &CloseVote,
        organisation: &OrganisationId,
        event: &Arc<Verified<Event>>,
    ) {
        let at = close.closed_at.time;
        let by = self.said.entry(at).or_default();
        voice(way, by, organisation, event);
        if by.len() >= needed {
            self.agreed.insert(at)
        } else {
            self.agreed.remove(&at)
        };
        let Some(outcome) = close.outcome else { return };
        let by = self.outcomes.entry((at, outcome)).or_default();
        voice(way, by, organisation, event);
        if by.len() >= certificate::outcome_votes(needed) {
            self.judged.insert((at, outcome))
        } else {
            self.judged.remove(&(at, outcome))
        };
    }
}

fn voice(
    way: Way,
    by: &mut BTreeMap<OrganisationId, ByHash>,
    organisation: &OrganisationId,
    event: &Arc<Verified<Event>>,
) {
    let of = by.entry(organisation.clone()).or_default();
    way.put(of, event.hash(), event);
    if of.is_empty() {
        by.remove(organisation);
    }
}
