//! What view and certificates say of each step: worked out once between two changes, however often it is asked.

use std::collections::{BTreeMap, BTreeSet};

use alloy_primitives::B256;
use watchfire_charter::{Playbook, PlaybookPurpose, Step};
use watchfire_types::body::{Body, Decision, Purpose};
use watchfire_types::planted::{Mutation, planted};
use watchfire_types::{AssetId, BlockRef, BlockTime, ChainId, PlaybookId, StepIndex};

use crate::authority::{later, newest};
use crate::machine::Machine;
use crate::probe::{self, Look};
use crate::shared::content::HeldCertificate;

/// One step of one playbook.
#[derive(Debug, Clone)]
pub(crate) struct Judged {
    /// Last executed recovery that concerns containment at this step.
    pub(crate) recovered: Option<BlockRef>,
    /// What evidence must be later than.
    floors: Vec<BlockRef>,
    /// The certificate that authorises it now.
    authorising: Option<B256>,
}

/// Every step of every playbook.
pub(crate) type Judgements = BTreeMap<PlaybookId, BTreeMap<StepIndex, Judged>>;

pub(crate) fn judge(machine: &Machine) -> Judgements {
    let playbooks = machine.charter.playbooks.iter();
    playbooks.map(|(id, playbook)| (id.clone(), steps(machine, id, playbook))).collect()
}

fn steps(machine: &Machine, id: &PlaybookId, playbook: &Playbook) -> BTreeMap<StepIndex, Judged> {
    let decision = machine.decision(id, playbook);
    let contained = match playbook.purpose {
        PlaybookPurpose::Contain => None,
        PlaybookPurpose::Recover => machine.last_containment(&playbook.asset),
    };
    let cut = machine.cancel_cut(&decision);
    let common: Vec<BlockRef> = contained.into_iter().chain(cut).chain(beginnings(machine, &playbook.asset)).collect();
    let mut recovered = recovered_anyhow(machine, id, playbook);
    let mut steps = BTreeMap::new();
    for (step, rung) in playbook.steps_indexed().rev() {
        probe::count(Look::Floors);
        // A postcondition of step j that turned false invalidates evidence for the steps up to j.
        recovered = newest(recovered.into_iter().chain(machine.turned_false(rung)));
        if planted(Mutation::EveryFlipCounts) {
            let all = playbook.steps_indexed().flat_map(|(_, rung)| machine.turned_false(rung));
            recovered = newest(recovered.into_iter().chain(all));
        }
        let contains = playbook.purpose == PlaybookPurpose::Contain && !planted(Mutation::CountsBeforeRecovery);
        let bound = recovered.filter(|_| contains);
        let floors: Vec<BlockRef> = bound.into_iter().chain(common.iter().copied()).collect();
        let authorising = authorising(machine, &decision, playbook, step, rung, &floors);
        steps.insert(step, Judged { recovered, floors, authorising });
    }
    steps
}

/// The recovery that concerns every step: the widest step of another containment playbook of the asset turned false, or an effect of a
/// recovery playbook executed.
fn recovered_anyhow(machine: &Machine, id: &PlaybookId, playbook: &Playbook) -> Option<BlockRef> {
    let others = machine.charter.playbooks_of(&playbook.asset).filter(|(other, _)| *other != id);
    let others = others.filter(|(_, other)| other.purpose == PlaybookPurpose::Contain);
    let turned = others.filter_map(|(_, other)| other.steps.last()).flat_map(|rung| machine.turned_false(rung));
    let told = believed(machine).filter(|_| planted(Mutation::BelievesRecovery));
    newest(turned.chain(machine.recovery_executions(&playbook.asset)).chain(told))
}

/// What members say of conditions that came to hold: never asked but by a planted mistake.
fn believed(machine: &Machine) -> impl Iterator<Item = BlockRef> {
    let checked = machine.shared.derived.observed.values().flat_map(|observed| observed.checked.values().flatten());
    checked.filter_map(|(_, event)| match &event.body {
        Body::PostconditionChecked(checked) => Some(checked.block),
        _ => None,
    })
}

/// Where the views of the chains that an asset's playbooks act on began: a recovery (containment) there or earlier was not seen, so
/// evidence from before counts for nothing.
fn beginnings(machine: &Machine, asset: &AssetId) -> BTreeSet<BlockRef> {
    let home = machine.charter.assets.get(asset).map(|asset| asset.chain);
    let acted_on = machine.charter.playbooks_of(asset).flat_map(|(_, playbook)| playbook.actions());
    let chains: BTreeSet<ChainId> = home.into_iter().chain(acted_on.map(|action| action.chain)).collect();
    chains.iter().filter_map(|chain| machine.view.chains.get(chain)?.began).collect()
}

/// The oldest certificate for exactly this step that authorises now: the one that a rejection before a recovery is most likely to follow
/// already. Those that are dead, or wholly from before a floor, are not looked at; what is left is as many as their votes' authors were
/// allowed to make within one life.
fn authorising(
    machine: &Machine,
    decision: &Decision,
    playbook: &Playbook,
    step: StepIndex,
    rung: &Step,
    floors: &[BlockRef],
) -> Option<B256> {
    let vetoed = planted(Mutation::VetoKills) && machine.shared.derived.vetoes.contains_key(decision);
    let oldest = machine.oldest_alive(playbook, rung).filter(|_| !vetoed)?;
    let oldest = floors.iter().map(|floor| floor.time).fold(oldest, BlockTime::max);
    let mut young = machine.shared.content.of_step(decision, step, oldest);
    young.find(|(_, held)| stands_above(machine, held, floors)).map(|(digest, _)| *digest)
}

fn stands_above(machine: &Machine, held: &HeldCertificate, floors: &[BlockRef]) -> bool {
    held.facts.evidence.iter().all(|evidence| machine.evidence_stands(evidence) && above(evidence, floors))
}

fn above(evidence: &BlockRef, floors: &[BlockRef]) -> bool {
    floors.iter().all(|floor| later(evidence, floor))
}

impl Machine {
    /// What is to be said of one step now; `None` for a step that the charter has not.
    fn judged(&self, id: &PlaybookId, step: StepIndex) -> Option<&Judged> {
        self.judgements.get_or_init(|| judge(self)).get(id)?.get(&step)
    }

    /// Last executed recovery that concerns containment at `step`: a postcondition of this step or a wider one turned false, the widest
    /// step of another containment playbook of the asset did, or an effect of a recovery playbook executed.
    pub(crate) fn last_recovery(&self, id: &PlaybookId, step: StepIndex) -> Option<BlockRef> {
        self.judged(id, step)?.recovered
    }

    /// Whether evidence stands and is later than everything that evidence for this step must be later than.
    pub(crate) fn counts(&self, id: &PlaybookId, step: StepIndex, evidence: &BlockRef) -> bool {
        self.judged(id, step).is_some_and(|judged| self.evidence_stands(evidence) && above(evidence, &judged.floors))
    }

    /// The certificate that authorises exactly this step now, always the same of several.
    pub(crate) fn authorising(&self, id: &PlaybookId, step: StepIndex) -> Option<B256> {
        self.judged(id, step)?.authorising
    }

    /// Whether a certificate of this playbook authorises its step now.
    pub(crate) fn authorises(&self, id: &PlaybookId, playbook: &Playbook, held: &HeldCertificate) -> bool {
        let Purpose::Step(step) = held.certificate.purpose else { return false };
        let Some(judged) = self.judged(id, step) else { return false };
        let oldest = playbook.step(step).and_then(|rung| self.oldest_alive(playbook, rung));
        oldest.is_some_and(|oldest| held.facts.latest >= oldest) && stands_above(self, held, &judged.floors)
    }

    /// The newest evidence time that a certificate of this step must have to be alive on every chain that the step acts on. `None` while
    /// one of them has no head.
    pub(crate) fn oldest_alive(&self, playbook: &Playbook, rung: &Step) -> Option<BlockTime> {
        let heads = rung.actions.iter().map(|action| self.view.head(action.chain));
        let newest = heads.map(|head| head.map(|head| head.time)).collect::<Option<Vec<_>>>()?.into_iter().max()?;
        let life = if planted(Mutation::NeverExpires) { u64::MAX } else { playbook.expiry_s };
        Some(BlockTime::from_secs(newest.as_secs().saturating_sub(life)))
    }
}
