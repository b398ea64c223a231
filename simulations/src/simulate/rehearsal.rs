//! A charter of one's own in the place of a scenario's: its partners, rules, ladder and detectors are played as they are, on a model chain.
//!
//! What is replaced, and said so: every key (a simulation has no private half of a partner's), the chain's id (31337, so that no signature
//! made here is one for the real Safe), and `drill`. What the charter has on other chains than that of the asset is left out. Partners take
//! the parts of the scenario's organisations in the order of their ids; a scenario that names the charter's own ids keeps them. Times of the
//! scenario are meant for one block a second and are stretched to the charter's chain.

mod judged;

use std::collections::BTreeMap;

use toml::{Table, Value};
use watchfire_charter::{Charter, Playbook, PlaybookPurpose, Safe};
use watchfire_types::{AssetId, DetectorId, MemberId, PlaybookId, SafeId};

use super::cast::CHAIN;
use super::chain::contracts::Part;
use super::keys::Secrets;
use super::plan;
use super::report::Rehearsal;
use super::run::SimulateError;
use crate::scenario::{Act, FaultKind, Scenario, ScenarioError, Stage, text_of};
use judged::Judged;
pub(crate) use judged::{Ends, excused, judge};

/// Seconds that a stretched play takes at the most.
const SECONDS_MAX: u64 = 3_600;
/// What of a scenario's vault is no amount of its own: what the flag lets pass, and whether the pause reverts.
const VAULT: [&str; 2] = ["flagged_limit_wei", "pause_reverts"];

/// What is played of a charter.
#[derive(Debug, Clone)]
pub(crate) struct Own {
    /// The charter as it is played.
    pub(crate) text: String,
    pub(crate) asset: AssetId,
    pub(crate) playbook: PlaybookId,
    pub(crate) recovery: Option<PlaybookId>,
    pub(crate) safe: SafeId,
    pub(crate) ends: Ends,
    pub(crate) said: Rehearsal,
}

/// The scenario with the charter's partners in it, and the charter as it is played.
pub(crate) fn stage(name: &str, charter: &str) -> Result<(Scenario, Own), SimulateError> {
    let unfit = |why: String| SimulateError::Charter { scenario: name.to_owned(), faults: vec![why] };
    let (sound, _) = watchfire_charter::parse(charter).map_err(|faults| SimulateError::Charter {
        scenario: name.to_owned(),
        faults: faults.iter().map(ToString::to_string).collect(),
    })?;
    let (id, playbook, safe) = ladder(&sound).map_err(unfit)?;
    let recovery = sound.playbooks_of(&playbook.asset).find(|(_, one)| one.purpose == PlaybookPurpose::Recover);
    let table: Table = charter.parse().map_err(|error: toml::de::Error| unfit(error.to_string()))?;
    let chain = sound.assets.get(&playbook.asset).map(|asset| asset.chain.get()).unwrap_or_default();
    let (scenario, judged) = cast_into(name, &sound, playbook, &sound.safes[safe]).map_err(unfit_scenario(name))?;
    let said = said(&sound, id, recovery.map(|(id, _)| id), &scenario, judged.not);
    let own = Own {
        text: played(table, &sound, chain).to_string(),
        asset: playbook.asset.clone(),
        playbook: id.clone(),
        recovery: recovery.map(|(id, _)| id.clone()),
        safe: safe.clone(),
        ends: judged.ends,
        said,
    };
    Ok((scenario, own))
}

fn unfit_scenario(name: &str) -> impl Fn(Unfit) -> SimulateError {
    move |unfit| match unfit {
        Unfit::Scenario(error) => SimulateError::Scenario(error),
        Unfit::Why(why) => SimulateError::NoPart { scenario: name.to_owned(), why },
    }
}

/// What of the charter this scenario plays.
fn said(
    charter: &Charter,
    ladder: &PlaybookId,
    recovery: Option<&PlaybookId>,
    scenario: &Scenario,
    not_judged: Vec<String>,
) -> Rehearsal {
    let recovered = scenario.humans.iter().any(|human| human.act == Act::Recover);
    let is_played = |id: &PlaybookId| id == ladder || (recovered && Some(id) == recovery);
    let (plays, leaves) = charter.playbooks.keys().cloned().partition(is_played);
    let asset = charter.playbooks.get(ladder).map(|playbook| &playbook.asset);
    let lied = scenario.faults.iter().any(|fault| matches!(fault.what, FaultKind::Lie { .. }));
    let mut touched: Vec<Part> = scenario.attack.waves().flat_map(|wave| Part::touched(wave.kind)).copied().collect();
    touched.extend(lied.then_some(Part::Coin));
    let moves = |id: &&DetectorId| {
        let detector = &charter.detectors[*id];
        Some(&detector.asset) == asset && Part::watched(&detector.watch).is_some_and(|part| touched.contains(&part))
    };
    let (moved, unmoved): (Vec<&DetectorId>, Vec<&DetectorId>) = charter.detectors.keys().partition(moves);
    let owned = |ids: Vec<&DetectorId>| ids.into_iter().cloned().collect();
    Rehearsal { plays, leaves, moves: owned(moved), cannot_move: owned(unmoved), not_judged }
}

enum Unfit {
    Scenario(ScenarioError),
    Why(String),
}

/// The first containment playbook that acts through one Safe on the asset's chain.
fn ladder(charter: &Charter) -> Result<(&PlaybookId, &Playbook, &SafeId), String> {
    let contain = charter.playbooks.iter().filter(|(_, one)| one.purpose == PlaybookPurpose::Contain);
    let mut played = contain.filter_map(|(id, playbook)| {
        let chain = charter.assets.get(&playbook.asset)?.chain;
        let mut actions = playbook.steps.iter().flat_map(|step| &step.actions);
        let safe = &actions.next()?.safe;
        let alone = charter.safes.get(safe)?.chain == chain && actions.all(|other| other.safe == *safe);
        alone.then_some((id, playbook, safe))
    });
    played.next().ok_or_else(|| {
        "no containment playbook acts through one Safe on its asset's chain, which is what the model chain has"
            .to_owned()
    })
}

/// The charter with keys and chain of the simulation.
fn played(mut table: Table, charter: &Charter, chain: u64) -> Table {
    table.insert("drill".to_owned(), Value::Boolean(true));
    let on_chain = |value: &Value, key: &str| value.get(key).and_then(Value::as_integer) == i64::try_from(chain).ok();
    retain(&mut table, "chain", |one| on_chain(one, "id"));
    retain(&mut table, "safe", |one| on_chain(one, "chain"));
    retain(&mut table, "asset", |one| on_chain(one, "chain"));
    let named = |one: &Value, key: &str| one.get(key).and_then(Value::as_str).map(str::to_owned);
    let assets: Vec<String> = list(&table, "asset").filter_map(|one| named(one, "id")).collect();
    let kept = |one: &Value| named(one, "asset").is_some_and(|asset| assets.contains(&asset));
    retain(&mut table, "detector", kept);
    // A ladder that also reaches to another chain is not played; no part of it is.
    retain(&mut table, "playbook", |one| kept(one) && actions(one).all(|action| on_chain(action, "chain")));
    let here = Value::Integer(i64::try_from(CHAIN.get()).unwrap_or_default());
    for (list, key) in [("chain", "id"), ("safe", "chain"), ("asset", "chain")] {
        for one in each(&mut table, list) {
            one.insert(key.to_owned(), here.clone());
        }
    }
    for one in each(&mut table, "asset") {
        if let Some(Value::Array(dependencies)) = one.get_mut("dependencies") {
            dependencies.retain(|other| other.as_str().is_some_and(|other| assets.iter().any(|kept| kept == other)));
        }
    }
    for playbook in each(&mut table, "playbook") {
        for step in each(playbook, "step") {
            for action in each(step, "action") {
                action.insert("chain".to_owned(), here.clone());
            }
        }
    }
    for member in each(&mut table, "member") {
        let Some(id) = member.get("id").and_then(Value::as_str).map(str::to_owned) else { continue };
        let secrets = Secrets::of(&id);
        member.insert("node_key".to_owned(), Value::String(secrets.author().to_string()));
        let known = id.parse::<MemberId>().ok().and_then(|id| charter.members.get(&id));
        if known.is_some_and(|known| known.guardian.is_some()) {
            member.insert("guardian".to_owned(), Value::String(secrets.guardian().to_string()));
        }
        if known.is_some_and(|known| known.submitter.is_some()) {
            member.insert("submitter".to_owned(), Value::String(secrets.submitter().to_string()));
        }
    }
    table
}

fn list<'a>(table: &'a Table, key: &str) -> impl Iterator<Item = &'a Value> {
    table.get(key).and_then(Value::as_array).into_iter().flatten()
}

fn actions(playbook: &Value) -> impl Iterator<Item = &Value> {
    let steps = playbook.as_table().into_iter().flat_map(|one| list(one, "step"));
    steps.filter_map(Value::as_table).flat_map(|step| list(step, "action"))
}

fn each<'a>(table: &'a mut Table, key: &str) -> impl Iterator<Item = &'a mut Table> {
    table.get_mut(key).and_then(Value::as_array_mut).into_iter().flatten().filter_map(Value::as_table_mut)
}

fn retain(table: &mut Table, key: &str, keep: impl Fn(&Value) -> bool) {
    if let Some(Value::Array(list)) = table.get_mut(key) {
        list.retain(keep);
    }
}

/// The scenario with the charter's partners in the parts of its own.
fn cast_into(name: &str, charter: &Charter, playbook: &Playbook, safe: &Safe) -> Result<(Scenario, Judged), Unfit> {
    let (file, text) = text_of(name, Stage::Simulate).map_err(Unfit::Scenario)?;
    let original = crate::scenario::parse(&file, &text).map_err(Unfit::Scenario)?;
    let mut table: Table = text.parse().map_err(|error: toml::de::Error| Unfit::Why(error.to_string()))?;
    let partners: Vec<&MemberId> = charter
        .members
        .iter()
        .filter(|(id, member)| member.guardian.is_some() && safe.guardians.contains(*id))
        .map(|(id, _)| id)
        .collect();
    let mut names = BTreeMap::new();
    for (part, member) in original.organisations.iter().zip(&partners) {
        let entry = &charter.members[*member];
        names.insert(part.id.to_string(), entry.organisation.to_string());
        names.insert(part.member.to_string(), member.to_string());
        if let Some(operator) = entry.operators.first() {
            names.insert(part.operator.to_string(), operator.to_string());
        }
    }
    let few = format!("and the charter's Safe has {} guardians only", partners.len());
    let without = original.organisations.iter().skip(partners.len()).flat_map(|one| {
        let names = [one.id.to_string(), one.member.to_string(), one.operator.to_string()];
        names.map(|name| (name, format!("{}, {few}", one.id)))
    });
    let voters = original.voters.iter().flat_map(|one| {
        let why = format!("{}, a further node of a partner, and the charter's nodes are as they are", one.member);
        [(one.member.to_string(), why.clone()), (one.operator.to_string(), why)]
    });
    let missing: BTreeMap<String, String> = without.chain(voters).collect();
    if let Some(clones) = table.get_mut("clones") {
        rename(clones, &names);
    }
    for key in ["fault", "human", "adversary", "link"] {
        for part in each(&mut table, key) {
            part.iter_mut().filter(|(key, _)| *key != "reason").for_each(|(_, value)| rename(value, &names));
            if let Some(why) = part.values().find_map(|value| mentions(value, &missing)) {
                return Err(Unfit::Why(format!("the scenario has a part for {why}")));
            }
        }
    }
    stretch(&mut table, charter, playbook);
    table.remove("guardians");
    table.remove("voter");
    if let Some(Value::Table(vault)) = table.get_mut("vault") {
        vault.retain(|key, _| VAULT.contains(&key));
    }
    table.insert("runs".to_owned(), Value::Array(vec!["simulate".into()]));
    table
        .insert("organisation".to_owned(), Value::Array(partners.iter().map(|id| organisation(charter, id)).collect()));
    table.insert("governance".to_owned(), Value::Table(governance(charter, playbook, safe)));
    let judged = judged::follow(&mut table, &original, playbook);
    // Errors name the scenario's file; its lines are no longer these.
    let scenario = crate::scenario::parse(&file, &table.to_string()).map_err(Unfit::Scenario)?;
    Ok((scenario, judged))
}

fn organisation(charter: &Charter, member: &MemberId) -> Value {
    let entry = &charter.members[member];
    let mut one = Table::new();
    let mut labels = entry.operators.iter().map(ToString::to_string);
    one.insert("id".to_owned(), entry.organisation.to_string().into());
    one.insert("name".to_owned(), charter.organisations[&entry.organisation].name.clone().into());
    one.insert("member".to_owned(), member.to_string().into());
    one.insert("operator".to_owned(), labels.next().unwrap_or_else(|| format!("op-{member}")).into());
    Value::Table(one)
}

/// What the simulator looks up in a scenario's rules: here they are the charter's.
fn governance(charter: &Charter, playbook: &Playbook, safe: &Safe) -> Table {
    let windows = charter.detectors.values().filter(|one| one.asset == playbook.asset).map(|one| one.watch.span_s());
    let number = |number: u64| Value::Integer(i64::try_from(number).unwrap_or(i64::MAX));
    let mode = if playbook.mode == watchfire_charter::Mode::Auto { "auto" } else { "propose" };
    let contain = playbook.rule.organisations.min(safe.threshold);
    [
        ("contain", number(contain.into())),
        ("safe_threshold", number(safe.threshold.into())),
        ("mode", mode.into()),
        ("expiry_s", number(playbook.expiry_s)),
        ("window_s", number(windows.max().unwrap_or_default())),
    ]
    .map(|(key, value)| (key.to_owned(), value))
    .into_iter()
    .collect()
}

/// A second of the scenario is a block of the charter's chain, where that is slower.
fn stretch(table: &mut Table, charter: &Charter, playbook: &Playbook) {
    let chain = charter.assets.get(&playbook.asset).and_then(|asset| charter.chains.get(&asset.chain));
    let block_ms = chain.map_or(1_000, |chain| chain.block_time_ms).clamp(100, 60_000);
    let factor = i64::try_from(block_ms.div_ceil(1_000)).unwrap_or(1);
    let most = i64::try_from(SECONDS_MAX).unwrap_or(i64::MAX);
    let longer = |value: &mut Value| {
        if let Value::Integer(number) = value {
            *number = number.saturating_mul(factor);
        }
    };
    if let Some(Value::Integer(seconds)) = table.get_mut("seconds_max") {
        *seconds = seconds.saturating_mul(factor).min(most);
    }
    for key in ["fault", "human"] {
        for part in each(table, key) {
            // How late an operator answers is no moment of the play.
            let lags = part.get("kind").and_then(Value::as_str) == Some("lag");
            part.get_mut("delay_s").map(longer);
            part.get_mut("delay_ms").filter(|_| !lags).map(longer);
            part.get_mut("period_ms").map(longer);
            part.get_mut("ms").map(longer);
        }
    }
    if let Some(Value::Table(chaos)) = table.get_mut("chaos") {
        let within = chaos.entry("within_s").or_insert(Value::Integer(0));
        if *within == Value::Integer(0) {
            *within = Value::Integer(i64::try_from(plan::WITHIN_S).unwrap_or_default());
        }
        longer(within);
    }
    if let Some(Value::Table(attack)) = table.get_mut("attack") {
        each(attack, "step").for_each(|step| {
            step.get_mut("after_ms").map(longer);
        });
    }
    let parts = table.entry("chain").or_insert_with(|| Value::Table(Table::new()));
    if let Value::Table(parts) = parts {
        parts.insert("block_time_ms".to_owned(), Value::Integer(i64::try_from(block_ms).unwrap_or(1_000)));
    }
}

fn rename(value: &mut Value, names: &BTreeMap<String, String>) {
    match value {
        Value::String(text) => {
            if let Some(other) = names.get(text) {
                text.clone_from(other);
            }
        }
        Value::Array(all) => all.iter_mut().for_each(|one| rename(one, names)),
        _ => {}
    }
}

/// Why nobody has this part.
fn mentions<'a>(value: &Value, missing: &'a BTreeMap<String, String>) -> Option<&'a String> {
    match value {
        Value::String(text) => missing.get(text),
        Value::Array(all) => all.iter().find_map(|one| mentions(one, missing)),
        _ => None,
    }
}
