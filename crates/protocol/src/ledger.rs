//! The ledger of rules: how often each fired, and what people said of it afterwards; and the rules that may not vote by themselves for it.
//!
//! All of it is a function of the set of signed events, so that every node that holds the same events has the same ledger.
//!
//! A rule *fired* in an incident when as many organisations as can contain found by it, in findings that their authors did not take back:
//! fewer may be liars, and are counted apart. The incident is what people certified it to be: *confirmed* or *false*; of two certificates
//! that say both, the confirmed one holds.
//!
//! A rule is *demoted* by an incident that is certified false, if a containment step was carried out in it (as many organisations as can
//! contain saw that step's transaction executed) and a certificate of that step from before holds a vote that rests on a finding of the rule,
//! which as many organisations as can contain found before as well. So fewer liars than can contain demote nothing: they neither certify an incident false, nor make an execution or
//! a firing count. Until enough organisations promote it, no finding of the rule is a reason for an automatic vote of this node up to the
//! step that was carried out, alone or beside others; people are asked instead, and a wider step is not held back. What others vote counts as
//! ever: a node cannot know which of another's findings stand, and whether a certificate is valid hangs on its bytes alone.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use watchfire_charter::{Mode, PlaybookPurpose, Quorum};
use watchfire_types::body::{Basis, Body, Finding, Outcome};
use watchfire_types::control::{RuleDemoted, RuleStats};
use watchfire_types::duty::Page;
use watchfire_types::{
    AssetId, BlockTime, DetectorId, Event, EventHash, IncidentId, PlaybookId, Severity, StepIndex, Verified,
};

use crate::change::missing;
use crate::incident;
use crate::machine::Machine;
use crate::shared::content::Kind;
use crate::shared::fired::within;

/// One incident as the closes around it delimit it.
#[derive(Debug, Clone)]
struct Span {
    generation: u32,
    times: RangeInclusive<BlockTime>,
    /// `None` for the one that is open.
    closed_at: Option<BlockTime>,
    outcome: Option<Outcome>,
}

/// A rule that fired in an incident.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Firing {
    generation: u32,
    closed: bool,
    outcome: Option<Outcome>,
    /// Whether enough organisations found it.
    enough: bool,
    /// Since when: by as many organisations as it takes, so that one honest one says no later and none is believed alone.
    since: BlockTime,
}

/// Every rule of the charter with what the log says of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ledger {
    rules: BTreeMap<(AssetId, DetectorId), Vec<Firing>>,
    closes: BTreeMap<AssetId, BTreeSet<BlockTime>>,
}

/// A rule that may not vote by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Demotion {
    pub(crate) detector: DetectorId,
    pub(crate) incident: IncidentId,
    /// Close of that incident.
    pub(crate) closed_at: BlockTime,
    /// The widest step that it carried, by playbook.
    steps: BTreeMap<PlaybookId, StepIndex>,
}

/// The incidents of an asset, oldest first; the last one is open.
fn spans(machine: &Machine, asset: &AssetId, closes: &BTreeSet<BlockTime>) -> Vec<Span> {
    let mut spans = Vec::new();
    let mut from = BlockTime::default();
    for (generation, at) in (0..).zip(closes) {
        let outcome = incident::outcome(machine, asset, *at);
        spans.push(Span { generation, times: from..=*at, closed_at: Some(*at), outcome });
        from = at.plus_secs(1);
    }
    let generation = u32::try_from(closes.len()).unwrap_or(u32::MAX);
    let times = from..=BlockTime::from_secs(u64::MAX);
    spans.push(Span { generation, times, closed_at: None, outcome: None });
    spans
}

fn needed(machine: &Machine) -> usize {
    usize::from(machine.charter.rules.contain.organisations)
}

/// Whether its author took it back.
fn retracted(machine: &Machine, event: &Verified<Event>) -> bool {
    let of = machine.shared.derived.observed.get(&event.author);
    of.is_some_and(|of| of.retracted.contains_key(&event.hash()))
}

/// The first finding of a rule in an incident that each organisation said and did not take back.
fn found<'a>(
    machine: &'a Machine,
    asset: &AssetId,
    detector: &DetectorId,
    span: &Span,
) -> impl Iterator<Item = (&'a Verified<Event>, &'a Finding)> {
    let by = machine.shared.derived.fired.by_rule(asset, detector);
    let times = span.times.clone();
    by.into_iter().flatten().filter_map(move |(_, events)| {
        let event = within(events, times.clone()).find(|event| !retracted(machine, event))?;
        match &event.body {
            Body::Finding(finding) => Some((&**event, finding)),
            _ => None,
        }
    })
}

fn firings(machine: &Machine, asset: &AssetId, detector: &DetectorId, spans: &[Span]) -> Vec<Firing> {
    let needed = needed(machine);
    let fired = spans.iter().filter_map(|span| {
        let mut since: Vec<BlockTime> =
            found(machine, asset, detector, span).map(|(_, finding)| finding.first.time).collect();
        since.sort_unstable();
        let enough = since.len() >= needed;
        let since = *since.get(needed.saturating_sub(1)).or(since.last())?;
        let Span { generation, closed_at, outcome, .. } = span;
        Some(Firing { generation: *generation, closed: closed_at.is_some(), outcome: *outcome, enough, since })
    });
    fired.collect()
}

/// Containment steps of an asset that were carried out in an incident, with the block time at which they last were. Honest nodes name the same
/// block; of what so many say, in order, the last is no later than one of theirs.
fn carried_out(machine: &Machine, asset: &AssetId, span: &Span) -> BTreeMap<(PlaybookId, StepIndex), BlockTime> {
    let needed = needed(machine);
    let seen = machine.shared.derived.fired.seen().filter_map(|(hash, by)| {
        let Kind::Step { decision, step, purpose: PlaybookPurpose::Contain } =
            &machine.shared.content.signed.get(hash)?.kind
        else {
            return None;
        };
        let last = by.values().filter_map(|events| {
            let standing = within(events, span.times.clone()).filter(|event| !retracted(machine, event));
            standing.last().and_then(|event| match &event.body {
                Body::Executed(executed) => Some(executed.block.time),
                _ => None,
            })
        });
        let mut last: Vec<BlockTime> = last.collect();
        last.sort_unstable();
        let at = *last.get(needed.saturating_sub(1))?;
        (decision.asset == *asset).then(|| ((decision.playbook.clone(), *step), at))
    });
    let mut carried: BTreeMap<(PlaybookId, StepIndex), BlockTime> = BTreeMap::new();
    for (step, at) in seen {
        let known = carried.entry(step).or_insert(at);
        *known = at.max(*known);
    }
    carried
}

/// What a rule carried.
#[derive(Debug, Clone, Default)]
struct Carried {
    /// The widest step of each playbook.
    steps: BTreeMap<PlaybookId, StepIndex>,
    /// When the last of them was carried out: what a rule found later was no reason for it.
    until: BlockTime,
}

/// The rules on whose findings votes of these steps' certificates rest.
fn carriers(
    machine: &Machine,
    asset: &AssetId,
    span: &Span,
    steps: BTreeMap<(PlaybookId, StepIndex), BlockTime>,
) -> BTreeMap<DetectorId, Carried> {
    let mut carriers: BTreeMap<DetectorId, Carried> = BTreeMap::new();
    for ((id, step), until) in steps {
        let Some(playbook) = machine.charter.playbooks.get(&id) else { continue };
        let decision = machine.decision(&id, playbook);
        let held = machine.shared.content.of_step(&decision, step, *span.times.start());
        let votes = held.filter(|(_, held)| held.facts.latest <= until);
        for vote in votes.flat_map(|(_, held)| &held.certificate.votes) {
            let Body::Vote(said) = &vote.event().body else { continue };
            let Basis::Finding(basis) = &said.basis else { continue };
            let finding = machine.shared.derived.fired.finding(basis);
            let finding = finding.filter(|event| event.author == vote.event().author);
            let Some(Body::Finding(finding)) = finding.map(|event| &event.body) else { continue };
            if finding.asset == *asset && !machine.charter.is_context_finding(finding) {
                let of = carriers.entry(finding.detector.clone()).or_default();
                let widest = of.steps.entry(id.clone()).or_insert(step);
                *widest = step.max(*widest);
                of.until = until.max(of.until);
            }
        }
    }
    carriers
}

/// The rules of an asset that may not vote by themselves, by the incidents for which they may not, oldest first.
pub(crate) fn demotions(machine: &Machine, asset: &AssetId) -> Vec<Demotion> {
    if !machine.shared.content.false_alarms {
        return Vec::new();
    }
    let closes = incident::closes(machine, asset);
    let mut demotions = Vec::new();
    for span in spans(machine, asset, &closes) {
        let (Some(closed_at), Some(Outcome::False)) = (span.closed_at, span.outcome) else { continue };
        let incident = incident::incident_id(machine.network, asset, span.generation);
        for (detector, carried) in carriers(machine, asset, &span, carried_out(machine, asset, &span)) {
            let before = found(machine, asset, &detector, &span).filter(|(_, found)| found.first.time <= carried.until);
            let fired = before.count() >= needed(machine);
            if fired && !promotion(machine, asset, &detector, closed_at).is_reached() {
                demotions.push(Demotion { detector, incident, closed_at, steps: carried.steps });
            }
        }
    }
    demotions
}

fn promotion(machine: &Machine, asset: &AssetId, detector: &DetectorId, closed_at: BlockTime) -> Quorum {
    machine.shared.derived.promotions.quorum(&machine.charter, asset, detector, closed_at)
}

/// Up to which step of a playbook each demoted rule of its asset asks people, and since which incident. In a playbook that carried nothing out
/// then, no step is known to be wider than what was false: there all are held back.
#[derive(Debug, Clone, Default)]
pub(crate) struct Held(BTreeMap<DetectorId, (StepIndex, IncidentId)>);

impl Held {
    pub(crate) fn of(machine: &Machine, id: &PlaybookId, asset: &AssetId) -> Self {
        Self::by(&demotions(machine, asset), id)
    }

    fn by(demotions: &[Demotion], id: &PlaybookId) -> Self {
        let mut held: BTreeMap<DetectorId, (StepIndex, IncidentId)> = BTreeMap::new();
        for Demotion { detector, incident, steps, .. } in demotions {
            let step = steps.get(id).copied().unwrap_or(StepIndex::new(u8::MAX));
            let known = held.entry(detector.clone()).or_insert((step, *incident));
            *known = (known.0.max(step), *incident);
        }
        Self(held)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The incident since which a rule is no reason for an automatic vote for this step.
    pub(crate) fn since(&self, detector: &DetectorId, step: StepIndex) -> Option<IncidentId> {
        self.0.get(detector).filter(|(held, _)| step <= *held).map(|(_, incident)| *incident)
    }
}

/// What the ledger says of the incidents before this finding's, for people: nothing of a rule that the charter has not.
fn before(firings: &[Firing], generation: u32) -> String {
    let earlier = || firings.iter().filter(move |firing| firing.enough && firing.generation < generation);
    let of = |outcome| earlier().filter(|firing| firing.outcome == outcome).count();
    let (confirmed, wrong, unjudged) = (of(Some(Outcome::Confirmed)), of(Some(Outcome::False)), of(None));
    match earlier().count() {
        0 => "never fired before".to_owned(),
        all => {
            let times = if all == 1 { "once".to_owned() } else { format!("{all} times") };
            let unjudged = if unjudged > 0 { format!(", {unjudged} not judged") } else { String::new() };
            format!("fired {times} before: {confirmed} confirmed, {wrong} false{unjudged}")
        }
    }
}

/// How often a finding's rule was wrong before, as [`Ledger::before`] says it.
pub(crate) fn history(machine: &Machine, finding: &Finding) -> String {
    let closes = incident::closes(machine, &finding.asset);
    let spans = spans(machine, &finding.asset, &closes);
    let generation = incident::generation(&closes, finding.block.time);
    before(&firings(machine, &finding.asset, &finding.detector, &spans), generation)
}

/// What is to be said to people all the time: a rule that they may still believe to act.
pub(crate) fn pages(machine: &Machine, pages: &mut BTreeSet<Page>) {
    for asset in machine.charter.assets.keys() {
        for Demotion { detector, incident, .. } in demotions(machine, asset) {
            pages.insert(Page {
                asset: Some(asset.clone()),
                severity: Severity::Sev3,
                kind: "rule-demoted",
                text: format!(
                    "rule {detector} asks people instead of voting since incident {} was a false alarm; `watchfire rules promote {detector}`",
                    incident.short()
                ),
            });
        }
    }
}

/// What the automatic votes of an asset's demoted rules mean for it, if there are any.
pub(crate) fn asks(machine: &Machine, asset: &AssetId) -> Option<String> {
    let demotions = demotions(machine, asset);
    let newest: BTreeMap<&DetectorId, IncidentId> =
        demotions.iter().map(|demotion| (&demotion.detector, demotion.incident)).collect();
    if newest.is_empty() {
        return None;
    }
    let told: Vec<String> = newest
        .iter()
        .map(|(rule, incident)| format!("rule {rule} demoted after incident {}", incident.short()))
        .collect();
    let told = told.join(", ");
    let playbooks = machine.charter.playbooks_of(asset);
    let auto: Vec<_> = playbooks
        .filter(|(_, playbook)| playbook.purpose == PlaybookPurpose::Contain && playbook.mode == Mode::Auto)
        .map(|(id, playbook)| (Held::by(&demotions, id), playbook))
        .collect();
    // Kinds that a trigger names beside the rule's own are said of other rules' findings.
    let votes = machine.charter.detectors.iter().any(|(rule, detector)| {
        detector.asset == *asset
            && !machine.charter.is_context(rule)
            && auto.iter().any(|(held, playbook)| {
                playbook.triggers.iter().any(|trigger| {
                    let names = trigger.detectors.is_empty() || trigger.detectors.contains(rule);
                    let kind = trigger.kinds.is_empty() || trigger.kinds.contains(detector.watch.kind());
                    names && kind && held.since(rule, trigger.step).is_none()
                })
            })
    });
    Some(if votes {
        format!("would ask people where no other rule fires: {told}")
    } else {
        format!("only people start it: {told}")
    })
}

impl Machine {
    /// What the log says of every rule of the charter.
    #[must_use]
    pub fn ledger(&self) -> Ledger {
        let closes: BTreeMap<AssetId, BTreeSet<BlockTime>> =
            self.charter.assets.keys().map(|asset| (asset.clone(), incident::closes(self, asset))).collect();
        let spans: BTreeMap<&AssetId, Vec<Span>> =
            closes.iter().map(|(asset, closes)| (asset, spans(self, asset, closes))).collect();
        let rules = self.charter.detectors.iter().map(|(id, detector)| {
            let spans = spans.get(&detector.asset).map_or(&[][..], Vec::as_slice);
            ((detector.asset.clone(), id.clone()), firings(self, &detector.asset, id, spans))
        });
        Ledger { rules: rules.collect(), closes }
    }

    /// A line a rule, by asset and name.
    #[must_use]
    pub fn rule_stats(&self) -> Vec<RuleStats> {
        let demotions: Vec<(&AssetId, Demotion)> = self
            .charter
            .assets
            .keys()
            .flat_map(|asset| demotions(self, asset).into_iter().map(move |demotion| (asset, demotion)))
            .collect();
        let stats = |((asset, rule), firings): ((AssetId, DetectorId), Vec<Firing>)| {
            let detector = self.charter.detectors.get(&rule)?;
            let count = |is: &dyn Fn(&Firing) -> bool| {
                u32::try_from(firings.iter().filter(|firing| firing.enough && is(firing)).count()).unwrap_or(u32::MAX)
            };
            let newest = demotions.iter().rev().find(|(of, demotion)| **of == asset && demotion.detector == rule);
            Some(RuleStats {
                fired: count(&|_| true),
                confirmed: count(&|firing| firing.outcome == Some(Outcome::Confirmed)),
                wrong: count(&|firing| firing.outcome == Some(Outcome::False)),
                unjudged: count(&|firing| firing.closed && firing.outcome.is_none()),
                open: count(&|firing| !firing.closed),
                alone: u32::try_from(firings.iter().filter(|firing| !firing.enough).count()).unwrap_or(u32::MAX),
                last_fired: firings.iter().filter(|firing| firing.enough).map(|firing| firing.since).max(),
                kind: detector.watch.kind().to_owned(),
                class: detector.class.name().to_owned(),
                demoted: newest.map(|(_, demotion)| self.demoted(&asset, demotion)),
                asset,
                rule,
            })
        };
        self.ledger().rules.into_iter().filter_map(stats).collect()
    }

    fn demoted(&self, asset: &AssetId, demotion: &Demotion) -> RuleDemoted {
        let Demotion { detector, incident, closed_at, steps } = demotion;
        let supporters = self.shared.derived.promotions.supporters(asset, detector, *closed_at);
        RuleDemoted {
            incident: *incident,
            closed_at: *closed_at,
            steps: steps.clone(),
            promoted_by: supporters.into_keys().cloned().collect(),
            missing: match promotion(self, asset, detector, *closed_at) {
                Quorum::Reached => String::new(),
                Quorum::Unreached(shortfall) => missing(&shortfall),
            },
        }
    }

    /// Events without which the ledger would be another one: of each rule's firings the first finding of each organisation, what the votes
    /// of false alarms rest on, and who saw those executed.
    #[must_use]
    pub fn ledger_rests_on(&self) -> BTreeSet<EventHash> {
        let mut kept = BTreeSet::new();
        for asset in self.charter.assets.keys() {
            let spans = spans(self, asset, &incident::closes(self, asset));
            for span in &spans {
                let rules = self.charter.detectors.iter().filter(|(_, detector)| detector.asset == *asset);
                let found = rules.flat_map(|(rule, _)| found(self, asset, rule, span));
                kept.extend(found.map(|(event, _)| event.hash()));
                if span.outcome == Some(Outcome::False) {
                    let seen = self.shared.derived.fired.seen().flat_map(|(_, by)| by.values());
                    kept.extend(seen.filter_map(|events| {
                        let standing = within(events, span.times.clone()).filter(|event| !retracted(self, event));
                        standing.last().map(|event| event.hash())
                    }));
                }
            }
        }
        let certificates = self.shared.content.certificates.values();
        let bases = certificates.flat_map(|held| &held.certificate.votes).filter_map(|vote| match &vote.event().body {
            Body::Vote(vote) => match &vote.basis {
                Basis::Finding(basis) => Some(*basis),
                Basis::Human(_) => None,
            },
            _ => None,
        });
        kept.extend(bases.filter(|basis| self.shared.derived.fired.finding(basis).is_some()));
        kept
    }
}

impl Ledger {
    /// What people should know of a finding's rule: how often it was wrong in earlier incidents. Nothing of a rule that the charter has not.
    #[must_use]
    pub fn before(&self, finding: &Finding) -> Option<String> {
        let firings = self.rules.get(&(finding.asset.clone(), finding.detector.clone()))?;
        let generation = incident::generation(self.closes.get(&finding.asset)?, finding.block.time);
        Some(before(firings, generation))
    }
}
