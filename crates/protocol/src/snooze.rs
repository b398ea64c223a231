//! Snoozes, and what people are told of findings that only give context.
//!
//! A snooze is a signed event, so that nobody is quiet in secret, and a function of the set of events and the head of the asset's chain, so that
//! every node of an organisation is quiet about the same for as long. What it quiets is a page to that organisation's people. Votes, events and
//! other organisations never ask for it, and of a rule that votes nothing is ever quiet.

use std::collections::BTreeSet;

use watchfire_types::body::{Body, Finding, Human, SNOOZE_MAX_S, Snoozed};
use watchfire_types::control::Snooze;
use watchfire_types::duty::Page;
use watchfire_types::{AssetId, DetectorId, Event, OrganisationId, Verified};

use crate::machine::Machine;
use crate::rejection::Rejection;

/// A human's word at this node.
pub(crate) fn support(
    machine: &Machine,
    asset: &AssetId,
    detector: Option<&DetectorId>,
    lasts_s: u64,
    human: &Human,
) -> Result<Body, Rejection> {
    let unknown = || Rejection::UnknownAsset { asset: asset.clone() };
    let chain = machine.charter.assets.get(asset).ok_or_else(unknown)?.chain;
    if let Some(rule) = detector {
        let known = machine.charter.detectors.get(rule).filter(|detector| detector.asset == *asset);
        known.ok_or_else(|| Rejection::UnknownRule { rule: rule.clone() })?;
        if !machine.charter.is_context(rule) {
            return Err(Rejection::SnoozeRefused {
                why: "the rule is decisive, and what it finds is always told; only rules of class context can be snoozed",
            });
        }
    }
    if lasts_s > SNOOZE_MAX_S {
        return Err(Rejection::SnoozeRefused { why: "it would last longer than seven days; say it again then" });
    }
    let head = machine.view.head(chain).ok_or(Rejection::NoHead { chain })?;
    let until = head.time.plus_secs(lasts_s);
    Ok(Body::Snoozed(Snoozed { asset: asset.clone(), detector: detector.cloned(), head, until, human: human.clone() }))
}

/// The last word of an organisation about one scope of an asset, in the order of its authors' clocks.
fn last<'a>(
    machine: &'a Machine,
    asset: &AssetId,
    of: &OrganisationId,
    detector: Option<&DetectorId>,
) -> Option<&'a Verified<Event>> {
    let said = machine.shared.derived.snoozes.get(&(asset.clone(), detector.cloned()))?;
    let own = |event: &&std::sync::Arc<Verified<Event>>| machine.charter.organisation_of(&event.author) == Some(of);
    said.values().rev().find(own).map(|event| &**event)
}

/// That word, where it lasts. Nothing is quiet while this node knows no head, since the time that ends it would not be known either; and a word
/// from a block after the own head is not heeded yet, or a false block would let one last for good.
fn lasting<'a>(
    machine: &'a Machine,
    asset: &AssetId,
    of: &OrganisationId,
    detector: Option<&DetectorId>,
) -> Option<&'a Snoozed> {
    let now = machine.asset_head(asset)?.time;
    match &last(machine, asset, of, detector)?.body {
        Body::Snoozed(said) if said.head.time <= now && said.until > now => Some(said),
        _ => None,
    }
}

/// Whether an organisation's people are told nothing of a rule now. Never of one that votes, whatever was signed.
fn is_quiet(machine: &Machine, of: &OrganisationId, asset: &AssetId, rule: &DetectorId) -> bool {
    let scopes = [None, Some(rule)];
    machine.charter.is_context(rule) && scopes.into_iter().any(|scope| lasting(machine, asset, of, scope).is_some())
}

/// Whether they are told nothing of what only gives context of an asset, whatever says it.
pub(crate) fn is_all_quiet(machine: &Machine, asset: &AssetId) -> bool {
    lasting(machine, asset, machine.own.organisation(), None).is_some()
}

/// What only gives context and stands in the own view: people are told once, unless they know.
pub(crate) fn pages(machine: &Machine, pages: &mut BTreeSet<Page>) {
    let standing = machine.view.chains.values().flat_map(|chain| &chain.standing);
    let context = standing.filter(|finding| machine.charter.is_context(&finding.detector));
    for Finding { asset, detector, kind, severity, first, .. } in context {
        if !is_quiet(machine, machine.own.organisation(), asset, detector) {
            pages.insert(Page {
                asset: Some(asset.clone()),
                severity: *severity,
                kind: "context-finding",
                text: format!("{detector} ({kind}) of {asset} stands since block {}: look at it", first.number),
            });
        }
    }
}

impl Machine {
    /// What this node's organisation does not want to be told now, by asset and rule.
    #[must_use]
    pub fn snoozes(&self) -> Vec<Snooze> {
        let own = self.own.organisation();
        let scopes = self.shared.derived.snoozes.keys();
        let said = scopes.filter_map(|(asset, detector)| lasting(self, asset, own, detector.as_ref()));
        let told = said.map(|Snoozed { asset, detector, until, human, .. }| Snooze {
            asset: asset.clone(),
            detector: detector.clone(),
            until: *until,
            human: human.clone(),
        });
        told.collect()
    }
}
