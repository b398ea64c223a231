//! What people ask a running node: incidents, decisions, signatures, and why a pause did not happen.

use std::collections::{BTreeMap, BTreeSet};

use alloy_primitives::{Address, B256, U256};
use watchfire_charter::Playbook;
use watchfire_types::body::{Body, Cause, CoSignature, Decision, Outcome, Purpose};
use watchfire_types::duty::Page;
use watchfire_types::{
    AssetId, BlockRef, BlockTime, ChainId, Epoch, Event, EventHash, IncidentId, MemberId, MemberKey, OrganisationId,
    PlaybookId, Severity, StepIndex, Verified,
};

use crate::machine::Machine;
use crate::owed::stating;
use crate::shared::content::{Kind, Signed};

/// Events of one asset grouped for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IncidentStatus {
    /// Id.
    pub id: IncidentId,
    /// Asset.
    pub asset: AssetId,
    /// Which close of the asset it follows; 0 for the first.
    pub generation: u32,
    /// The incident it continues, for a reopened one.
    pub continues: Option<IncidentId>,
    /// Worst severity found, or what a human set last by log order.
    pub severity: Severity,
    /// `detection`, `containment`, `recovery` or `closed`.
    pub phase: &'static str,
    /// Block time of its newest finding or vote.
    pub newest: BlockTime,
    /// What people certified a closed one to be.
    pub outcome: Option<Outcome>,
}

impl IncidentStatus {
    /// Whether nobody closed it.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.phase != "closed"
    }
}

/// Support for one decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DecisionStatus {
    /// Decision.
    pub decision: Decision,
    /// Organisations whose vote counts now, by step.
    pub votes: BTreeMap<StepIndex, BTreeSet<OrganisationId>>,
    /// Certificates held: content digest, what for, and whether it authorises now.
    pub certificates: Vec<(B256, Purpose, bool)>,
    /// Steps owed now.
    pub owed: BTreeSet<StepIndex>,
    /// Steps whose postcondition holds now.
    pub satisfied: BTreeSet<StepIndex>,
}

/// Signatures known for one Safe transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignatureCount {
    /// Chain.
    pub chain: ChainId,
    /// Safe.
    pub safe: Address,
    /// Nonce.
    pub nonce: U256,
    /// Hash.
    pub safe_tx_hash: B256,
    /// Distinct recovered owners.
    pub owners: BTreeSet<Address>,
    /// The Safe's threshold in the own view, if read.
    pub threshold: Option<u64>,
    /// Step it executes; `None` for a rejection.
    pub step: Option<(Decision, StepIndex)>,
}

/// A Safe in the own view.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SafeStatus {
    /// Chain.
    pub chain: ChainId,
    /// Address.
    pub safe: Address,
    /// Nonce.
    pub nonce: Option<U256>,
    /// Threshold.
    pub threshold: Option<u64>,
    /// Owners.
    pub owners: BTreeSet<Address>,
    /// Guard, zero for none.
    pub guard: Option<Address>,
}

/// The one named cause why something wanted did not happen (yet).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WhyNot {
    /// Decision.
    pub decision: Decision,
    /// Widest step wanted.
    pub step: StepIndex,
    /// Cause.
    pub cause: Cause,
    /// One line with figures.
    pub detail: String,
}

/// Whether this node could pause an asset now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AssetOutlook {
    /// Asset.
    pub asset: AssetId,
    /// No reason known why not, under any containment playbook that a finding could choose.
    pub can_pause: bool,
    /// Why that is not sure: not simulated yet, or it cannot be simulated.
    pub doubt: Option<String>,
    /// Why no vote of this member would count, if it is one that votes.
    pub mute: Option<String>,
    /// `simulated ok at block N`, or why not, and under which playbook if there are several.
    pub detail: String,
    /// Whether a containment postcondition holds.
    pub contained: bool,
    /// Widest step owed.
    pub owed_step: Option<StepIndex>,
    /// Why a wanted pause did not happen, if it did not: of several playbooks that of the worst severity, then of the widest step.
    pub why_not: Option<WhyNot>,
    /// What it means for the asset that rules of it ask people instead of voting, if any do.
    pub asks: Option<String>,
}

/// What the log shows about a member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberStatus {
    /// Member.
    pub member: MemberId,
    /// Key.
    pub key: MemberKey,
    /// Newest epoch by the member's own clock, if any event is held.
    pub newest_epoch: Option<Epoch>,
    /// A newer epoch names an earlier one at less than what is held of it: the node was restored or cloned. It ends when the node, having
    /// caught up, starts again.
    pub restored: bool,
    /// This node hears two of its epochs in turn.
    pub in_use_twice: bool,
    /// Cut by a fault proof.
    pub faulty: bool,
    /// Its clock stood still or fell from one event to the next.
    pub clock_slipped: bool,
}

impl Machine {
    /// Incidents: open ones first, then by their newest finding or vote. Its cost does not grow with the log.
    #[must_use]
    pub fn incidents(&self) -> Vec<IncidentStatus> {
        crate::incident::list(self)
    }

    /// Everything held that belongs to an incident: by the block time that it speaks of, then people's words and custody, then what was handed
    /// out and executed of its transactions, then what was taken back of all this.
    #[must_use]
    pub fn incident_events(&self, incident: &IncidentStatus) -> Vec<&Verified<Event>> {
        crate::incident::events(self, incident)
    }

    /// An event that is held below its author's cut.
    #[must_use]
    pub fn event(&self, hash: EventHash) -> Option<&Verified<Event>> {
        self.shared.events().find(|event| event.hash() == hash).map(|event| &**event)
    }

    /// Every event held below its author's cut, by author, epoch and position.
    pub fn events(&self) -> impl Iterator<Item = &Verified<Event>> {
        self.shared.events().map(|event| &**event)
    }

    /// Every decision with votes, vetoes or certificates under the adopted version.
    #[must_use]
    pub fn decisions(&self) -> Vec<DecisionStatus> {
        let playbooks = self.charter.playbooks.iter();
        playbooks.filter_map(|(id, playbook)| self.decision_status(id, playbook)).collect()
    }

    fn decision_status(&self, id: &PlaybookId, playbook: &Playbook) -> Option<DecisionStatus> {
        let decision = self.decision(id, playbook);
        let content = &self.shared.content;
        let certificates: Vec<_> = content
            .certificates_of(&decision)
            .map(|(digest, held)| (*digest, held.certificate.purpose.clone(), self.authorises(id, playbook, held)))
            .collect();
        let votes = self.shared.derived.votes.get(&decision);
        if certificates.is_empty() && votes.is_none() && !self.shared.derived.vetoes.contains_key(&decision) {
            return None;
        }
        let mut counted: BTreeMap<StepIndex, BTreeSet<OrganisationId>> = BTreeMap::new();
        let head = self.asset_head(&playbook.asset).map(|head| head.time);
        let alive = head.map(|head| BlockTime::from_secs(head.as_secs().saturating_sub(playbook.expiry_s))..=head);
        let alive = votes.zip(alive).into_iter().flat_map(|(votes, alive)| votes.newest(alive));
        for (organisation, (_, widest, _), event) in alive {
            let Body::Vote(vote) = &event.body else { continue };
            for step in (1..=widest.get()).map(StepIndex::new) {
                if self.counts(id, step, &vote.evidence) {
                    counted.entry(step).or_default().insert(organisation.clone());
                }
            }
        }
        let owed = self.owed_steps(id, playbook).into_iter().map(|owed| owed.step).collect();
        let steps = playbook.steps_indexed().map(|(step, _)| step);
        let satisfied = steps.filter(|step| self.satisfied(playbook, *step)).collect();
        Some(DecisionStatus { decision, votes: counted, certificates, owed, satisfied })
    }

    /// Safe transactions with at least one known signature: linear in all ever signed.
    #[must_use]
    pub fn signatures(&self) -> Vec<SignatureCount> {
        self.shared.content.signed.iter().map(|(hash, signed)| self.count(*hash, signed)).collect()
    }

    /// Signatures known for the transaction that a co-signature signs.
    #[must_use]
    pub fn signatures_beside(&self, signature: &CoSignature) -> Option<SignatureCount> {
        let (_, safe) = self.charter.safe_at(signature.chain, &signature.safe)?;
        let hash = signature.transaction.hashes(safe.version, signature.chain.get(), signature.safe).safe_tx_hash;
        Some(self.count(hash, self.shared.content.signed.get(&hash)?))
    }

    fn count(&self, safe_tx_hash: B256, signed: &Signed) -> SignatureCount {
        SignatureCount {
            chain: signed.chain,
            safe: self.charter.safes.get(&signed.safe).map_or(Address::ZERO, |safe| safe.address),
            nonce: signed.transaction.nonce,
            safe_tx_hash,
            owners: signed.owners.keys().copied().collect(),
            threshold: self.view.safes.get(&signed.safe).and_then(|safe| safe.threshold.last()).copied(),
            step: match &signed.kind {
                Kind::Step { decision, step, .. } => Some((decision.clone(), *step)),
                Kind::Rejection => None,
            },
        }
    }

    /// Every Safe of the charter as the own view has it.
    #[must_use]
    pub fn safes(&self) -> Vec<SafeStatus> {
        let safes = self.charter.safes.iter().map(|(id, safe)| {
            let view = self.view.safes.get(id);
            let guard = view.and_then(|view| view.guards.last()).map(|(guard, _)| Address::from_word((*guard).into()));
            SafeStatus {
                chain: safe.chain,
                safe: safe.address,
                nonce: view.and_then(|view| view.nonce.last()).copied(),
                threshold: view.and_then(|view| view.threshold.last()).copied(),
                owners: view.and_then(|view| view.owners.last()).cloned().unwrap_or_default(),
                guard,
            }
        });
        safes.collect()
    }

    /// For every asset with a containment playbook: whether this node could pause it, and why a wanted pause did not happen.
    #[must_use]
    pub fn outlooks(&self) -> Vec<AssetOutlook> {
        self.charter.assets.keys().filter_map(|asset| stating::outlook(self, asset)).collect()
    }

    /// The agreed head of a chain.
    #[must_use]
    pub fn head(&self, chain: ChainId) -> Option<BlockRef> {
        self.view.head(chain)
    }

    /// First block of the unbroken run of blocks up to the head that this process was given.
    #[must_use]
    pub fn scanned_from(&self, chain: ChainId) -> Option<u64> {
        Some(self.view.chains.get(&chain)?.run?.number)
    }

    /// The incident an event belongs to by what it says, if any.
    #[must_use]
    pub fn incident_of(&self, event: &Event) -> Option<IncidentId> {
        crate::incident::of(self, event)
    }

    /// What the log shows about every member.
    #[must_use]
    pub fn members(&self) -> Vec<MemberStatus> {
        self.charter.members.iter().map(|(id, member)| member_status(self, id, member.node_key)).collect()
    }

    /// What no longer holds, a line each.
    #[must_use]
    pub fn alarms(&self) -> Vec<String> {
        let mut pages = BTreeSet::new();
        alarm_pages(self, &mut pages);
        pages.into_iter().map(|page| format!("{}: {}", page.kind, page.text)).collect()
    }
}

fn member_status(machine: &Machine, id: &MemberId, key: MemberKey) -> MemberStatus {
    let epochs = &machine.shared.epochs;
    MemberStatus {
        member: id.clone(),
        key,
        newest_epoch: epochs.newest(&key),
        restored: epochs.restored(&key),
        in_use_twice: machine.view.lives.twice(&key, machine.view.clock, |epoch| epochs.over(&(key, *epoch))),
        faulty: epochs.faulty(&key),
        clock_slipped: epochs.slipped(&key),
    }
}

/// Alarms as pages: forks, identities in use twice, chains that cannot be read, Safes out of order, what a step should have left true.
pub(crate) fn alarm_pages(machine: &Machine, pages: &mut BTreeSet<Page>) {
    crate::ledger::pages(machine, pages);
    let mut page = |kind: &'static str, severity: Severity, text: String| {
        pages.insert(Page { asset: None, severity, kind, text });
    };
    // They are asked for after every event, and nearly always nobody is in doubt.
    let doubted = machine.shared.epochs.doubts_any() || machine.view.lives.doubts_any();
    let members = if doubted { machine.members() } else { Vec::new() };
    for member in members {
        if member.faulty {
            page(
                "fork-proven",
                Severity::Sev2,
                format!("{} signed two histories; its later events do not count", member.member),
            );
        }
        if member.in_use_twice {
            page(
                "identity-in-use-twice",
                Severity::Sev2,
                format!("two processes speak for {}: stop one of them", member.member),
            );
        }
        if member.clock_slipped {
            page(
                "clock-slipped",
                Severity::Sev4,
                format!("{} dated an event no later than the one before; its times are worth nothing", member.member),
            );
        }
        if member.restored {
            page(
                "restored",
                Severity::Sev4,
                format!(
                    "{} came back knowing less of its log than others hold; this ends when it has caught up and starts again",
                    member.member
                ),
            );
        }
    }
    if machine.view.own_epoch_claimed {
        let text = "another process signs with this node's identity in its own running epoch".to_owned();
        page("identity-in-use-twice", Severity::Sev1, text);
    }
    for (chain, view) in &machine.view.chains {
        if let Some(cause) = &view.silent {
            page("chain-unreadable", Severity::Sev2, format!("chain {chain}: {cause}"));
        }
    }
    for (id, safe) in &machine.charter.safes {
        let Some(view) = machine.view.safes.get(id) else { continue };
        if view.threshold.last().is_some_and(|threshold| *threshold != u64::from(safe.threshold)) {
            page("safe-threshold", Severity::Sev2, format!("safe {id} has another threshold than the charter"));
        }
        let expected = U256::from_be_slice(safe.guard.unwrap_or_default().as_slice());
        if view.guards.last().is_some_and(|(guard, _)| *guard != expected) {
            page("safe-guard", Severity::Sev2, format!("safe {id} has a guard that the charter does not name"));
        }
    }
    broken_stays(machine, &mut page);
}

/// What a step that stands should have left true and did not.
fn broken_stays(machine: &Machine, page: &mut impl FnMut(&'static str, Severity, String)) {
    for (id, playbook) in &machine.charter.playbooks {
        for (index, step) in playbook.steps_indexed().filter(|(_, step)| machine.took_effect(step)) {
            for (chain, condition) in
                step.actions.iter().flat_map(|action| action.stays.iter().map(|stays| (action.chain, stays)))
            {
                let reads = machine.view.conditions.get(chain, condition).and_then(|track| track.last());
                if reads == Some(&false) {
                    let text = format!(
                        "{id} step {index} stands on {}, and what must stay true with it does not hold: {}; see who is harmed",
                        playbook.asset, condition.text
                    );
                    page("stays-broken", Severity::Sev2, text);
                }
            }
        }
    }
}
