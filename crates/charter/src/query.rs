//! Questions that other crates ask of a valid charter. Nothing here judges; it looks up and counts.

use std::collections::{BTreeMap, BTreeSet};

use alloy_primitives::Address;
use watchfire_types::body::Finding;
use watchfire_types::planted::{Mutation, planted};
use watchfire_types::{
    AssetId, ChainId, CharterDigest, DetectorId, MemberId, MemberKey, NetworkId, OperatorId, OrganisationId,
    PlaybookId, Read, SafeId, Severity, StepIndex,
};

use crate::model::{
    Action, Asset, Chain, Charter, Class, Condition, Detector, Member, MemberKind, Playbook, PlaybookPurpose, REPORT,
    Rule, Safe, Step, Trigger,
};
use crate::severity::{Case, usual};

/// Whether a set of votes meets a [`Rule`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Quorum {
    /// Every term holds.
    Reached,
    /// What is still missing.
    Unreached(Shortfall),
}

/// How far a set of votes is from a [`Rule`]; zero where a term holds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Shortfall {
    /// Distinct organisations still missing.
    pub organisations: u16,
    /// Distinct operator labels still missing.
    pub operators: u16,
    /// Distinct organisations still missing for each role; roles that are met are absent.
    pub roles: BTreeMap<String, u16>,
}

impl Quorum {
    /// Whether every term holds.
    #[must_use]
    pub fn is_reached(&self) -> bool {
        matches!(self, Self::Reached)
    }
}

impl Rule {
    /// The most organisations whose votes a certificate of this rule names. None of them can be left out; beyond `organisations` each one
    /// is there for a distinct operator label or for a role.
    #[must_use]
    pub fn votes_max(&self) -> usize {
        let roles = self.roles.values().copied().map(usize::from).sum::<usize>();
        usize::from(self.organisations).max(usize::from(self.operators).saturating_add(roles))
    }

    /// Counts the organisations, operator labels and roles behind `votes`, each distinct one once, however often it occurs.
    /// An organisation that the charter does not know counts for nothing, nor does the label beside it.
    pub fn met_by<'a>(
        &self,
        charter: &Charter,
        votes: impl IntoIterator<Item = (&'a OrganisationId, &'a OperatorId)>,
    ) -> Quorum {
        let known: BTreeSet<_> = votes.into_iter().filter(|(id, _)| charter.organisations.contains_key(*id)).collect();
        let organisations: BTreeSet<_> = known.iter().map(|(organisation, _)| *organisation).collect();
        let operators: BTreeSet<_> = known.iter().map(|(_, operator)| *operator).collect();
        let holders = |role: &String| {
            let holds = |id: &&&OrganisationId| charter.organisations.get(**id).is_some_and(|o| o.roles.contains(role));
            organisations.iter().filter(holds).count()
        };
        let shortfall = Shortfall {
            organisations: missing(
                self.organisations,
                if planted(Mutation::CountsNodes) { known.len() } else { organisations.len() },
            ),
            operators: missing(
                if planted(Mutation::OneOperatorIsEnough) { 0 } else { self.operators },
                operators.len(),
            ),
            roles: self
                .roles
                .iter()
                .map(|(role, least)| (role.clone(), missing(*least, holders(role))))
                .filter(|(_, missing)| *missing > 0)
                .collect(),
        };
        if shortfall == Shortfall::default() { Quorum::Reached } else { Quorum::Unreached(shortfall) }
    }

    /// Whether every set of votes that meets `wider` meets this rule too: no term of this one asks for more.
    #[must_use]
    pub fn is_within(&self, wider: &Self) -> bool {
        self.organisations <= wider.organisations
            && self.operators <= wider.operators
            && self.roles.iter().all(|(role, least)| *least <= wider.roles.get(role).copied().unwrap_or(0))
    }
}

fn missing(least: u16, have: usize) -> u16 {
    least.saturating_sub(u16::try_from(have).unwrap_or(u16::MAX))
}

impl Charter {
    /// The network: the digest of version 1, which later versions carry along.
    #[must_use]
    pub fn network_id(&self) -> NetworkId {
        self.network.unwrap_or_else(|| NetworkId::from_bytes(*self.digest().as_bytes()))
    }

    /// Digest of this version: SHA-256 over [`watchfire_types::domain::CHARTER`] and the RFC 8785 form of the model.
    #[must_use]
    pub fn digest(&self) -> CharterDigest {
        self.digest
    }

    /// What the digest is over: the RFC 8785 form of the model, the same bytes on every machine.
    ///
    /// # Errors
    /// Of the serialiser, which a charter that has a digest has passed before.
    pub fn canonical_json(&self) -> Result<Vec<u8>, serde_json::Error> {
        crate::digest::canonical(self)
    }

    /// The member with this node key.
    #[must_use]
    pub fn member_by_key(&self, key: &MemberKey) -> Option<(&MemberId, &Member)> {
        self.members.get_key_value(self.by_key.get(key)?)
    }

    /// The organisation of the member with this node key.
    #[must_use]
    pub fn organisation_of(&self, key: &MemberKey) -> Option<&OrganisationId> {
        self.member_by_key(key).map(|(_, member)| &member.organisation)
    }

    /// The member whose guardian key has this address.
    #[must_use]
    pub fn member_by_guardian(&self, guardian: &Address) -> Option<(&MemberId, &Member)> {
        self.members.iter().find(|(_, member)| member.guardian == Some(*guardian))
    }

    /// Members of one organisation.
    pub fn members_of<'a, 'b>(
        &'a self,
        organisation: &'b OrganisationId,
    ) -> impl Iterator<Item = (&'a MemberId, &'a Member)> + use<'a, 'b> {
        self.members.iter().filter(move |(_, member)| member.organisation == *organisation)
    }

    /// Operator labels that the votes of one organisation may carry.
    #[must_use]
    pub fn operators_of(&self, organisation: &OrganisationId) -> BTreeSet<&OperatorId> {
        self.members_of(organisation).filter(|(_, member)| member.votes()).flat_map(|(_, m)| &m.operators).collect()
    }

    /// Organisations with at least one member that votes: the n of every rule.
    #[must_use]
    pub fn voting_organisations(&self) -> BTreeSet<&OrganisationId> {
        self.members.values().filter(|member| member.votes()).map(|member| &member.organisation).collect()
    }

    /// The Safe at this address of this chain.
    #[must_use]
    pub fn safe_at(&self, chain: ChainId, address: &Address) -> Option<(&SafeId, &Safe)> {
        self.safes.iter().find(|(_, safe)| safe.chain == chain && safe.address == *address)
    }

    /// Owner address to member, for every charter guardian of a Safe.
    #[must_use]
    pub fn guardians_of(&self, safe: &Safe) -> BTreeMap<Address, (&MemberId, &Member)> {
        let members = safe.guardians.iter().filter_map(|id| self.members.get_key_value(id));
        members.filter_map(|(id, member)| Some((member.guardian?, (id, member)))).collect()
    }

    /// Owners that a Safe must have on chain, no more and no fewer: its guardians and its other owners.
    #[must_use]
    pub fn owners_of(&self, safe: &Safe) -> BTreeSet<Address> {
        self.guardians_of(safe).into_keys().chain(safe.other_owners.iter().copied()).collect()
    }

    /// Playbooks of one asset, containment and recovery.
    pub fn playbooks_of<'a, 'b>(
        &'a self,
        asset: &'b AssetId,
    ) -> impl Iterator<Item = (&'a PlaybookId, &'a Playbook)> + use<'a, 'b> {
        self.playbooks.iter().filter(move |(_, playbook)| playbook.asset == *asset)
    }

    /// The containment playbooks of an asset that a finding could choose: those with a trigger; all of them where none has one, for then
    /// people choose.
    #[must_use]
    pub fn containment_of(&self, asset: &AssetId) -> Vec<(&PlaybookId, &Playbook)> {
        let contain = || self.playbooks_of(asset).filter(|(_, playbook)| playbook.purpose == PlaybookPurpose::Contain);
        let triggered: Vec<_> = contain().filter(|(_, playbook)| !playbook.triggers.is_empty()).collect();
        if triggered.is_empty() { contain().collect() } else { triggered }
    }

    /// The asset, and the chain it is on, of a playbook.
    #[must_use]
    pub fn asset_of(&self, playbook: &Playbook) -> Option<(&Asset, &Chain)> {
        let asset = self.assets.get(&playbook.asset)?;
        Some((asset, self.chains.get(&asset.chain)?))
    }

    /// Safes that act in any playbook of this purpose of one asset.
    #[must_use]
    pub fn safes_acting_for(&self, asset: &AssetId, purpose: PlaybookPurpose) -> BTreeSet<&SafeId> {
        let playbooks = self.playbooks_of(asset).filter(|(_, playbook)| playbook.purpose == purpose);
        playbooks.flat_map(|(_, playbook)| playbook.actions()).map(|action| &action.safe).collect()
    }

    /// Whether this detector's findings raise attention only: they choose no step, carry no vote and say of no containment that it failed.
    #[must_use]
    pub fn is_context(&self, detector: &DetectorId) -> bool {
        self.class_of(detector) == Class::Context
    }

    /// What this detector's findings are good for; those of one that the charter does not know count as decisive, like their author's word.
    #[must_use]
    pub fn class_of(&self, detector: &DetectorId) -> Class {
        self.detectors.get(detector).map_or(Class::Decisive, |detector| detector.class)
    }

    /// Whether a finding raises attention only: one of such a detector, and everything that is reported from outside the chain, whatever name
    /// its author gives it.
    #[must_use]
    pub fn is_context_finding(&self, finding: &Finding) -> bool {
        finding.kind == REPORT || self.is_context(&finding.detector)
    }

    /// How bad it is that somebody reports something of an asset: what the matrix says of kind `report` and class `context`, else what is usual.
    /// A row that names detectors is about none of it.
    #[must_use]
    pub fn severity_of_report(&self, asset: &AssetId) -> Option<Severity> {
        let criticality = self.assets.get(asset)?.criticality;
        let (class, pausable) = (Class::Context, self.can_be_paused(asset));
        let source = REPORT.parse().ok()?;
        let case = Case { detector: &source, kind: REPORT, class, criticality, pausable };
        let mut rows = self.severities.iter().filter(|row| row.detectors.is_empty());
        let by_row = rows.find(|row| row.is_about(&case)).map(|row| row.severities.of(criticality));
        Some(by_row.unwrap_or_else(|| usual(&case)))
    }

    /// Whether this network can pause an asset: one of its containment playbooks has a step that no delay stands before.
    #[must_use]
    pub fn can_be_paused(&self, asset: &AssetId) -> bool {
        self.playbooks.values().any(|playbook| playbook.pauses(asset))
    }

    /// Every condition of every playbook (postconditions and what must stay) on one chain, as the reads that answer them.
    #[must_use]
    pub fn condition_reads(&self, chain: ChainId) -> BTreeSet<Read> {
        let actions = self.playbooks.values().flat_map(Playbook::actions).filter(|action| action.chain == chain);
        actions.flat_map(Action::conditions).map(|condition| condition.read.clone()).collect()
    }
}

impl Member {
    /// Whether its votes count: guardians and voters.
    #[must_use]
    pub fn votes(&self) -> bool {
        match self.kind {
            MemberKind::Guardian | MemberKind::Voter => true,
            MemberKind::Watcher => false,
        }
    }
}

impl Playbook {
    /// The step with this index.
    #[must_use]
    pub fn step(&self, index: StepIndex) -> Option<&Step> {
        self.steps.get(usize::from(index.get()).checked_sub(1)?)
    }

    /// Steps with their indexes, narrowest first.
    pub fn steps_indexed(&self) -> impl DoubleEndedIterator<Item = (StepIndex, &Step)> {
        (1..=u8::MAX).map(StepIndex::new).zip(&self.steps).collect::<Vec<_>>().into_iter()
    }

    /// The widest step.
    #[must_use]
    pub fn widest(&self) -> StepIndex {
        StepIndex::new(u8::try_from(self.steps.len()).unwrap_or(u8::MAX))
    }

    /// Whether it contains this asset by a step that takes effect when it executes: one whose path only schedules never counts.
    #[must_use]
    pub fn pauses(&self, asset: &AssetId) -> bool {
        let at_once = |step: &Step| step.actions.iter().all(|action| action.delayed_s == 0);
        self.purpose == PlaybookPurpose::Contain && self.asset == *asset && self.steps.iter().any(at_once)
    }

    /// Every action of every step.
    pub fn actions(&self) -> impl Iterator<Item = &Action> {
        self.steps.iter().flat_map(|step| &step.actions)
    }
}

impl Step {
    /// What holds once the step took effect: each with the chain it is read on.
    pub fn postconditions(&self) -> impl Iterator<Item = (ChainId, &Condition)> {
        self.actions.iter().map(|action| (action.chain, &action.postcondition))
    }

    /// What must stay true after the step: each with the chain it is read on.
    pub fn stays(&self) -> impl Iterator<Item = (ChainId, &Condition)> {
        self.actions.iter().flat_map(|action| action.stays.iter().map(|condition| (action.chain, condition)))
    }
}

impl Action {
    /// The postcondition, then what must stay.
    pub fn conditions(&self) -> impl Iterator<Item = &Condition> {
        std::iter::once(&self.postcondition).chain(&self.stays)
    }
}

impl Trigger {
    /// Whether a finding of this detector, at the detector's severity, triggers; one of class context never does.
    #[must_use]
    pub fn matches(&self, id: &DetectorId, detector: &Detector) -> bool {
        detector.class == Class::Decisive && self.matches_finding(id, detector.watch.kind(), detector.severity)
    }

    /// Whether a finding of this detector, kind and severity triggers, where the detector may vote at all ([`Charter::is_context`]).
    #[must_use]
    pub fn matches_finding(&self, detector: &DetectorId, kind: &str, severity: Severity) -> bool {
        (self.kinds.is_empty() || self.kinds.contains(kind))
            && (self.detectors.is_empty() || self.detectors.contains(detector))
            && severity >= self.severity
    }
}

#[cfg(test)]
#[path = "query_tests.rs"]
mod tests;
