//! What only the passing of time and blocks can tell, remembered in the view: since when a step is refuted, a transaction owed and a
//! simulation asked for, and when containment was last owed.

use std::collections::BTreeMap;

use watchfire_charter::PlaybookPurpose;
use watchfire_types::Timestamp;

use crate::machine::Machine;
use crate::moment::Moment;
use crate::owed::preflight;

/// A simulation without an answer is let run at its block for this long, ms, however many blocks come: it starts anew at the newest block
/// only then, or where blocks are faster than it, it would never end. A chain's client answers within half a second, unknown if need be.
const ASKED_MS: u64 = 2_000;

/// When this was worked out, and until when it is good if nothing but time changes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Settled {
    revision: u64,
    until: Option<Timestamp>,
}

/// Settles if anything changed since, or enough time passed.
pub(crate) fn settle_if_due(machine: &mut Machine) {
    let clock = machine.view.clock;
    if machine.settled.is_none_or(|settled| {
        settled.revision != machine.revision() || settled.until.is_some_and(|until| until <= clock)
    }) {
        settle(machine);
    }
}

pub(crate) fn settle(machine: &mut Machine) {
    machine.forget();
    refuted(machine);
    contained(machine);
    let owed = machine.owing();
    let clock = machine.view.clock;
    let now = Moment::of(clock);
    let mut first_owed = BTreeMap::new();
    for owed in owed {
        let known = machine.view.first_owed.get(&owed.effect.safe_tx_hash).copied();
        first_owed.insert(owed.effect.safe_tx_hash, known.unwrap_or(clock));
    }
    let mut asked = BTreeMap::new();
    for want in preflight::wants(machine, &now, owed) {
        let Some(head) = machine.view.head(want.effect.chain) else { continue };
        let known = machine.view.asked.get(&want.effect.safe_tx_hash).copied();
        let runs = known.filter(|(_, since)| !now.reached(since.plus_millis(ASKED_MS)));
        if runs.is_none() {
            now.reached(clock.plus_millis(ASKED_MS));
        }
        asked.insert(want.effect.safe_tx_hash, runs.unwrap_or((head, clock)));
    }
    machine.view.first_owed = first_owed;
    machine.view.asked = asked;
    machine.settled = Some(Settled { revision: machine.revision(), until: now.until() });
}

fn refuted(machine: &mut Machine) {
    let mut refuted = BTreeMap::new();
    for (id, playbook) in &machine.charter.playbooks {
        let Some(head) = machine.asset_head(&playbook.asset) else { continue };
        for (step, rung) in playbook.steps_indexed() {
            let effects = machine.effects(rung);
            if machine.preflight_refutes(&effects) || machine.submission_refutes(&effects) {
                let since = machine.view.refuted_since.get(&(id.clone(), step)).copied().unwrap_or(head);
                refuted.insert((id.clone(), step), since);
            }
        }
    }
    machine.view.refuted_since = refuted;
}

fn contained(machine: &mut Machine) {
    let mut owed = BTreeMap::new();
    for (id, playbook) in machine.charter.playbooks.iter().filter(|(_, p)| p.purpose == PlaybookPurpose::Contain) {
        for effect in machine.owed_steps(id, playbook).iter().flat_map(|step| &step.effects) {
            if let Some(head) = machine.view.head(effect.chain) {
                owed.insert((playbook.asset.clone(), effect.safe.clone()), head);
            }
        }
    }
    machine.view.contain_owed.extend(owed);
}
