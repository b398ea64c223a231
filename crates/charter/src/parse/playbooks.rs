//! Playbooks: ladders of steps, what triggers them and how far a node goes by itself.

use std::collections::{BTreeMap, BTreeSet};

use watchfire_types::bounds::SAFE_CALL_DATA_MAX;
use watchfire_types::{AssetId, ChainId, PlaybookId, SafeId, Severity, StepIndex, multi_send};

use super::actions::{self, Context};
use super::references::{refer, unique};
use super::rules::{PlacedRules, rule};
use crate::model::{
    Action, Asset, Condition, Detector, Mode, Playbook, PlaybookPurpose, Rule, Step, Together, Trigger,
};
use crate::reader::{Log, Place, Section, Value};

const PLAYBOOKS_MAX: usize = 256;
const STEPS_MAX: usize = 16;
const ACTIONS_MAX: usize = 16;
const TRIGGERS_MAX: usize = 64;
const MONTH_S: u64 = 30 * 24 * 3600;

/// Kinds of findings that detectors, and the protocol itself, make.
pub(crate) const FINDING_KINDS: &[&str] = &[
    "outflow",
    "event",
    "state",
    "authority",
    "leap",
    "invariant",
    "stale",
    "approval-drain",
    "expression",
    "rate",
    "calls",
    "governance",
    "borrowed-votes",
    "thin-market",
    "fresh-code",
    "sister",
    "cross-chain",
    "release",
    "safe-nonce",
    CONTAINMENT_FAILED,
];
pub(crate) use crate::model::CONTAINMENT_FAILED;

/// Sound playbooks and where their own rules stand.
#[derive(Debug, Default)]
pub(crate) struct Playbooks {
    pub(crate) playbooks: BTreeMap<PlaybookId, Playbook>,
    /// Rules that playbooks carry themselves, also of those with a fault elsewhere.
    pub(crate) own_rules: Vec<OwnRule>,
    /// Where the life of each one's votes is set.
    expiries: BTreeMap<PlaybookId, Place>,
    /// Assets by purpose for which a playbook is declared, sound or not.
    pub(crate) aims: BTreeSet<(AssetId, PlaybookPurpose)>,
    /// Postconditions of actions, also of playbooks with a fault elsewhere.
    pub(crate) postconditions: Vec<Postcondition>,
}

/// What holds once an action took effect, and where it stands.
#[derive(Debug)]
pub(crate) struct Postcondition {
    pub(crate) asset: AssetId,
    pub(crate) purpose: PlaybookPurpose,
    pub(crate) chain: ChainId,
    pub(crate) condition: Condition,
    pub(crate) at: Place,
}

/// A rule that a playbook carries itself.
#[derive(Debug)]
pub(crate) struct OwnRule {
    pub(crate) purpose: PlaybookPurpose,
    pub(crate) rule: Rule,
    pub(crate) at: Place,
}

/// Reads `[[playbook]]`.
pub(crate) fn read(root: &mut Section<'_>, context: &Context<'_>, rules: Option<&PlacedRules>) -> Playbooks {
    let mut all = Playbooks::default();
    for mut section in root.sections("playbook", PLAYBOOKS_MAX) {
        let id = section.parsed::<PlaybookId>("id", "a short name such as contain-vault");
        if let Some(id) = &id {
            unique(&section, id, &context.declared.playbooks);
        }
        let playbook = playbook(&mut section, context, rules, &mut all);
        section.finish();
        if let (Some(id), Some(playbook)) = (id, playbook) {
            all.expiries.insert(id.clone(), section.place_of("expiry_s"));
            all.playbooks.insert(id, playbook);
        }
    }
    all
}

fn playbook(
    section: &mut Section<'_>,
    context: &Context<'_>,
    rules: Option<&PlacedRules>,
    all: &mut Playbooks,
) -> Option<Playbook> {
    let asset = section.need("asset", "a declared asset's id");
    let asset = asset.and_then(|value| refer(&value, &context.declared.assets, "asset"));
    let purpose = section.need("purpose", "contain or recover").and_then(|value| purpose(&value));
    let mode = section.need("mode", "observe, propose or auto").and_then(|value| mode(&value, purpose));
    if let (Some(asset), Some(purpose)) = (&asset, purpose) {
        all.aims.insert((asset.clone(), purpose));
    }
    let rule = own_rule(section, purpose, rules, all);
    let expiry_s = section.number("expiry_s", 10..=MONTH_S, "life of a vote in seconds of block time");
    let cooldown_s = section.number_or("cooldown_s", 0..=MONTH_S, 0);
    let budget = budget(section);
    let escalate = section.get("escalate_after_blocks").map_or(Some(None), |v| v.number(1..=1_000_000).map(Some));
    let mut placed = Vec::new();
    let steps = steps(section, context, purpose, &mut placed);
    if let (Some(asset), Some(purpose)) = (&asset, purpose) {
        all.postconditions.extend(placed.into_iter().map(|(action, at)| Postcondition {
            asset: asset.clone(),
            purpose,
            chain: action.chain,
            condition: action.postcondition,
            at,
        }));
    }
    let triggers = triggers(section, context, purpose, asset.as_ref(), steps.len());
    if mode == Some(Mode::Auto) && triggers.is_empty() {
        let message = "mode auto without a trigger never votes";
        section.log.fault(&section.at, "no-trigger", message, "add [[playbook.trigger]] or use mode propose");
    }
    let (budget_count, budget_window_s) = budget?;
    Some(Playbook {
        asset: asset?,
        purpose: purpose?,
        mode: mode?,
        rule: rule?,
        expiry_s: expiry_s?,
        cooldown_s: cooldown_s?,
        budget_count,
        budget_window_s,
        escalate_after_blocks: escalate?,
        triggers: triggers.into_iter().collect::<Option<_>>()?,
        steps: steps.into_iter().collect::<Option<_>>()?,
    })
}

fn purpose(value: &Value<'_>) -> Option<PlaybookPurpose> {
    match value.text()?.as_str() {
        "contain" => Some(PlaybookPurpose::Contain),
        "recover" => Some(PlaybookPurpose::Recover),
        other => {
            value.fault("malformed", format!("{other:?} is no purpose"), "write contain or recover");
            None
        }
    }
}

fn mode(value: &Value<'_>, purpose: Option<PlaybookPurpose>) -> Option<Mode> {
    match (value.text()?.as_str(), purpose) {
        ("auto", Some(PlaybookPurpose::Recover)) => {
            value.fault("recover-auto", "recovery is voted for by people only", "use mode propose or observe");
            None
        }
        ("observe", _) => Some(Mode::Observe),
        ("propose", _) => Some(Mode::Propose),
        ("auto", _) => Some(Mode::Auto),
        (other, _) => {
            value.fault("malformed", format!("{other:?} is no mode"), "write observe, propose or auto");
            None
        }
    }
}

fn own_rule(
    section: &mut Section<'_>,
    purpose: Option<PlaybookPurpose>,
    rules: Option<&PlacedRules>,
    all: &mut Playbooks,
) -> Option<Rule> {
    let Some(value) = section.get("rule") else {
        let rules = &rules?.rules;
        return Some(match purpose? {
            PlaybookPurpose::Contain => rules.contain.clone(),
            PlaybookPurpose::Recover => rules.recover.clone(),
        });
    };
    let own = rule(&value)?;
    all.own_rules.push(OwnRule { purpose: purpose?, rule: own.clone(), at: value.at });
    Some(own)
}

/// (count, window) of the budget, (0, 0) without one.
fn budget(section: &mut Section<'_>) -> Option<(u32, u64)> {
    let Some(value) = section.get("budget") else { return Some((0, 0)) };
    let mut budget = value.section()?;
    let count = budget.number("count", 1..=100_000, "most automatic decisions");
    let window = budget.number("window_s", 1..=MONTH_S, "within this many seconds of block time");
    budget.finish();
    Some((u32::try_from(count?).ok()?, window?))
}

/// The steps; every sound action goes to `placed` with the place of its postcondition.
fn steps(
    section: &mut Section<'_>,
    context: &Context<'_>,
    purpose: Option<PlaybookPurpose>,
    placed: &mut Vec<(Action, Place)>,
) -> Vec<Option<Step>> {
    let mut steps = Vec::new();
    for mut step in section.sections("step", STEPS_MAX) {
        let name = step.text("name", "a name such as pause");
        let mut actions: Vec<Option<Action>> = Vec::new();
        for mut action in step.sections("action", ACTIONS_MAX) {
            let read = actions::read(&mut action, context, purpose);
            action.finish();
            placed.extend(read.clone().map(|read| (read, action.place_of("postcondition"))));
            actions.push(read);
        }
        if actions.is_empty() {
            step.log.fault(&step.at, "empty", "a step has at least one action", "add [[playbook.step.action]]");
        }
        step.finish();
        let actions = actions.into_iter().collect::<Option<Vec<_>>>();
        if let Some(actions) = &actions {
            batchable(&step, context, actions);
        }
        steps.push(name.zip(actions).map(|(name, actions)| Step { name, actions }));
    }
    if steps.is_empty() {
        section.log.fault(&section.at, "empty", "a playbook has at least one step", "add [[playbook.step]]");
    }
    steps
}

/// Several calls of one Safe go through its chain's pinned MultiSendCallOnly, packed into what a guardian's signature can carry.
fn batchable(step: &Section<'_>, context: &Context<'_>, actions: &[Action]) {
    let mut calls: BTreeMap<(ChainId, &SafeId), Vec<&Action>> = BTreeMap::new();
    for action in actions {
        calls.entry((action.chain, &action.safe)).or_default().push(action);
    }
    for ((chain, safe), calls) in calls.into_iter().filter(|(_, calls)| calls.len() > 1) {
        let pinned = context.chains.chains.get(&chain).is_none_or(|chain| chain.multi_send_call_only.is_some());
        if !pinned {
            let message = format!("{} calls of Safe {safe} need a MultiSendCallOnly on chain {chain}", calls.len());
            step.log.fault(&step.at, "no-multi-send", message, "pin multi_send_call_only in that [[chain]]");
        }
        let packed = multi_send::pack(calls.iter().map(|call| (call.target, &*call.calldata))).len();
        if packed > SAFE_CALL_DATA_MAX {
            let message = format!(
                "the {} calls of Safe {safe} pack to {packed} bytes, at most {SAFE_CALL_DATA_MAX} can be co-signed",
                calls.len()
            );
            step.log.fault(
                &step.at,
                "step-too-large",
                message,
                "spread the calls over several playbooks, or name less",
            );
        }
    }
}

fn triggers(
    section: &mut Section<'_>,
    context: &Context<'_>,
    purpose: Option<PlaybookPurpose>,
    asset: Option<&AssetId>,
    steps: usize,
) -> Vec<Option<Trigger>> {
    let read = |mut section: Section<'_>| {
        if purpose == Some(PlaybookPurpose::Recover) {
            let message = "recovery is voted for by people only, no finding triggers it";
            section.log.fault(&section.at, "recover-trigger", message, "remove the trigger");
        }
        let trigger = trigger(&mut section, context, asset, steps);
        section.finish();
        if let (Some(trigger), Some(asset)) = (&trigger, asset) {
            let fires = |(id, detector): (&_, &Detector)| detector.asset == *asset && trigger.matches(id, detector);
            if !trigger.kinds.contains(CONTAINMENT_FAILED) && !context.detectors.iter().any(fires) {
                let message = "no detector of the asset makes such a finding";
                section.log.warn(&section.at, "dead-trigger", message, "add a detector or correct the trigger");
            } else if let Some(together) = trigger.together {
                let firing = context.detectors.iter().filter(|(id, detector)| fires((id, detector)));
                let kinds: BTreeSet<&str> = firing.map(|(_, detector)| detector.watch.kind()).collect();
                if kinds.len() < usize::from(together.kinds) {
                    let message = format!(
                        "{} kinds have to stand together, and the asset's detectors make {}",
                        together.kinds,
                        kinds.len()
                    );
                    let remedy = "add a detector of another kind, or lower together";
                    section.log.warn(&section.at, "dead-trigger", message, remedy);
                }
            }
        }
        trigger
    };
    section.sections("trigger", TRIGGERS_MAX).into_iter().map(read).collect()
}

fn trigger(section: &mut Section<'_>, context: &Context<'_>, asset: Option<&AssetId>, steps: usize) -> Option<Trigger> {
    let mut kinds = BTreeSet::new();
    for value in section.values("kinds", FINDING_KINDS.len()) {
        let Some(kind) = value.text() else { continue };
        if !FINDING_KINDS.contains(&kind.as_str()) {
            let message = format!("{kind:?} is no kind of finding");
            value.fault("unknown-kind", message, format!("use one of: {}", FINDING_KINDS.join(", ")));
        }
        kinds.insert(kind);
    }
    let mut detectors = BTreeSet::new();
    for value in section.values("detectors", 256) {
        let Some(id) = refer(&value, &context.declared.detectors, "detector") else { continue };
        let other = context.detectors.get(&id).filter(|detector| asset.is_some_and(|asset| detector.asset != *asset));
        if let Some(other) = other {
            let message = format!("detector {id} watches {}, not the playbook's asset", other.asset);
            value.fault("other-asset", message, "use a detector of the playbook's asset");
        }
        detectors.insert(id);
    }
    let severity = section.need("severity", "SEV1 to SEV5").and_then(|value| severity(&value));
    let most = u64::try_from(steps).unwrap_or(u64::MAX).max(1);
    let step = section.number("step", 1..=most, "the step it votes for");
    let step = step.and_then(|step| u8::try_from(step).ok()).map(StepIndex::new);
    let together = together(section);
    Some(Trigger { kinds, detectors, severity: severity?, step: step?, together: together? })
}

/// `together = 2` and `within_s = 600`, or neither; the outer `None` is a fault.
fn together(section: &mut Section<'_>) -> Option<Option<Together>> {
    let (together, within) = (section.get("together"), section.get("within_s"));
    match (together, within) {
        (None, None) => Some(None),
        (Some(together), Some(within)) => {
            let most = FINDING_KINDS.len() as u64 - 1;
            let kinds = together.number(2..=most).and_then(|kinds| u16::try_from(kinds).ok());
            let within_s = within.number(1..=MONTH_S);
            Some(Some(Together { kinds: kinds?, within_s: within_s? }))
        }
        (Some(value), None) | (None, Some(value)) => {
            let message = "kinds that stand together are counted within a time";
            value.fault("no-bound", message, "write both together = 2 and within_s = 600, or neither");
            None
        }
    }
}

/// A severity.
pub(crate) fn severity(value: &Value<'_>) -> Option<Severity> {
    match value.text()?.as_str() {
        "SEV1" => Some(Severity::Sev1),
        "SEV2" => Some(Severity::Sev2),
        "SEV3" => Some(Severity::Sev3),
        "SEV4" => Some(Severity::Sev4),
        "SEV5" => Some(Severity::Sev5),
        other => {
            value.fault("malformed", format!("{other:?} is no severity"), "write SEV1 (worst) to SEV5");
            None
        }
    }
}

/// Votes are bound to blocks a hop apart: a life of fewer than three blocks lets them die before they meet.
pub(crate) fn check_expiries(
    log: &Log,
    context: &Context<'_>,
    assets: &BTreeMap<AssetId, Asset>,
    playbooks: &Playbooks,
) {
    for (id, playbook) in &playbooks.playbooks {
        let chain = assets.get(&playbook.asset).and_then(|asset| context.chains.chains.get(&asset.chain));
        let (Some(chain), Some(at)) = (chain, playbooks.expiries.get(id)) else { continue };
        let least_s = chain.block_time_ms.saturating_mul(3).div_ceil(1000);
        if playbook.expiry_s < least_s {
            let message = format!("{} s is less than three blocks of {} ms", playbook.expiry_s, chain.block_time_ms);
            log.fault(at, "expiry-too-short", message, format!("write at least {least_s}, better several minutes"));
        }
    }
}
