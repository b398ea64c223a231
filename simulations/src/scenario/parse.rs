//! From TOML to a scenario; errors say file, line and key.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use thiserror::Error;
use watchfire_types::{MemberId, OperatorId};

use super::way::WrongEntry;
use super::world::Chaos;
use super::{AttackKind, ChainPart, FaultKind, Scenario, Stage, Who, names};
use super::{library, wave, way};

const FILE_BYTES_MAX: u64 = 256 << 10;
/// Faults of each kind that are drawn, and the time they fall into: all are drawn before anything is played.
const CHAOS_MAX: u64 = 10_000;
const CHAOS_WITHIN_S_MAX: u64 = 86_400;

/// Why a scenario cannot be played.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ScenarioError {
    /// Neither the name of one nor a file.
    #[error("{name:?} is neither a scenario nor a file: {cause}; name a scenario file, or one of {}", names(*stage).join(", "))]
    Unknown {
        /// As given.
        name: String,
        /// What the system said.
        cause: String,
        /// Where it was to be played: only what can be is offered.
        stage: Stage,
    },
    /// The text does not fit the format.
    #[error("{file}:{line}: {}{message}; correct it, simulations/scenarios has examples", key_prefix(key))]
    Malformed {
        /// File.
        file: String,
        /// Line, from 1.
        line: usize,
        /// Key, or the line's text when there is none; empty on an empty line.
        key: String,
        /// What is wrong.
        message: String,
    },
}

/// The scenario with this name, or in this file; `stage` is where it is to be played.
///
/// # Errors
/// When there is none, or it is malformed.
pub fn load(name_or_file: &str, stage: Stage) -> Result<Scenario, ScenarioError> {
    let (file, text) = text_of(name_or_file, stage)?;
    parse(&file, &text)
}

/// Name and text of the file that a name stands for: one of the library's, or this one.
pub(crate) fn text_of(name_or_file: &str, stage: Stage) -> Result<(String, String), ScenarioError> {
    if let Some(found) = library::text(name_or_file) {
        return Ok(found);
    }
    let unknown = |cause: String| ScenarioError::Unknown { name: name_or_file.to_owned(), cause, stage };
    Ok((name_or_file.to_owned(), read(Path::new(name_or_file)).map_err(unknown)?))
}

/// The text of a regular file of at most 256 KiB: a device or a pipe may never end.
pub(crate) fn read(path: &Path) -> Result<String, String> {
    let told = |error: std::io::Error| error.to_string();
    // Asked before it is opened, which alone would wait for the writer of a pipe.
    if !path.metadata().map_err(told)?.is_file() {
        return Err("not a regular file".to_owned());
    }
    let mut text = String::new();
    File::open(path).map_err(told)?.take(FILE_BYTES_MAX + 1).read_to_string(&mut text).map_err(told)?;
    if text.len() as u64 > FILE_BYTES_MAX {
        return Err(format!("larger than {FILE_BYTES_MAX} bytes"));
    }
    Ok(text)
}

/// Parses and checks one scenario; `file` appears in errors.
///
/// # Errors
/// When it is malformed, names somebody who does not take part, or cannot be met by any play.
pub fn parse(file: &str, text: &str) -> Result<Scenario, ScenarioError> {
    let mut scenario: Scenario = toml::from_str(text).map_err(|error| {
        let at = error.span().map_or(0, |span| span.start);
        let (line, content) = line_at(text, at);
        malformed(file, line, key_of(content), error.message())
    })?;
    if let Some(count) = scenario.guardians.filter(|count| *count <= 64) {
        scenario.organisations = library::many(count);
    }
    check(&scenario).map_err(|(key, message)| {
        let line = text.lines().position(|line| key_of(line) == key).map_or(1, |at| at + 1);
        malformed(file, line, key, &message)
    })?;
    let entries =
        [("fault", check_faults(&scenario)), ("link", way::check(&scenario)), ("attack.step", wave::check(&scenario))];
    for (table, checked) in entries {
        checked
            .map_err(|(entry, key, message)| malformed(file, line_within(text, table, entry, key), key, &message))?;
    }
    Ok(scenario)
}

fn malformed(file: &str, line: usize, key: &str, message: &str) -> ScenarioError {
    ScenarioError::Malformed { file: file.to_owned(), line, key: key.to_owned(), message: message.to_owned() }
}

fn line_at(text: &str, at: usize) -> (usize, &str) {
    let before = text.get(..at).unwrap_or(text);
    let line = before.matches('\n').count();
    (line + 1, text.lines().nth(line).unwrap_or_default())
}

/// Line, from 1, of a key in one of several like tables; of the table's first line where it has no such key.
fn line_within(text: &str, table: &str, entry: usize, key: &str) -> usize {
    let head = |line: &&str| line.trim_start().starts_with('[');
    let begins = text.lines().enumerate().filter(|(_, line)| head(line) && key_of(line) == table).nth(entry);
    let begins = begins.map_or(0, |(at, _)| at);
    let within = text.lines().skip(begins + 1).take_while(|line| !head(line)).position(|line| key_of(line) == key);
    begins + within.map_or(1, |after| after + 2)
}

fn key_of(line: &str) -> &str {
    line.split('=').next().unwrap_or(line).trim().trim_matches(|c| c == '[' || c == ']')
}

fn key_prefix(key: &str) -> String {
    if key.is_empty() { String::new() } else { format!("{key}: ") }
}

type Wrong = (&'static str, String);

fn check(scenario: &Scenario) -> Result<(), Wrong> {
    let mut members: BTreeSet<_> = scenario.organisations.iter().map(|one| &one.member).collect();
    let mut operators: BTreeSet<_> = scenario.organisations.iter().map(|one| &one.operator).collect();
    let ids: BTreeSet<_> = scenario.organisations.iter().map(|one| &one.id).collect();
    let count = scenario.organisations.len();
    let shared = operators.len() != count && scenario.runs.contains(&Stage::Drill);
    if !(3..=64).contains(&count) || ids.len() != count || members.len() != count || shared {
        return Err((
            "organisation",
            format!("{count} organisations; 3 to 64 with distinct ids, members and, in a drill, operators"),
        ));
    }
    for voter in &scenario.voters {
        if !ids.contains(&voter.organisation) || !members.insert(&voter.member) {
            return Err(("voter", format!("{}: of no organisation, or a second of its name", voter.member)));
        }
        operators.insert(&voter.operator);
    }
    let contain = usize::from(scenario.governance.contain);
    let threshold = usize::from(scenario.governance.safe_threshold);
    if contain == 0 || contain > threshold {
        return Err(("contain", format!("must be 1 to the Safe's threshold, {threshold}")));
    }
    if threshold >= count {
        return Err(("safe_threshold", format!("must be below the number of guardians, {count}")));
    }
    if scenario.governance.flag_above_wei >= scenario.governance.pause_above_wei {
        return Err(("flag_above_wei", "must be below pause_above_wei".to_owned()));
    }
    if scenario.seconds_max == 0 || scenario.seconds_max > 3_600 {
        return Err(("seconds_max", "must be 1 to 3600".to_owned()));
    }
    if scenario.attack.kind == AttackKind::Reentrancy && !(2..=100).contains(&scenario.attack.times) {
        return Err(("times", "a reentrant transaction takes 2 to 100 payments".to_owned()));
    }
    check_world(scenario, &members, &operators)?;
    for human in &scenario.humans {
        if let Some(stranger) = human.organisations.iter().find(|id| !ids.contains(id)) {
            return Err(("organisations", format!("{stranger} does not take part")));
        }
    }
    if scenario.expect.paused && scenario.expect.cause.is_some() {
        return Err(("cause", "a pause that happened has no cause".to_owned()));
    }
    Ok(())
}

fn check_faults(scenario: &Scenario) -> Result<(), WrongEntry> {
    let (organisations, voters) = (&scenario.organisations, &scenario.voters);
    let members = organisations.iter().map(|one| &one.member).chain(voters.iter().map(|voter| &voter.member)).collect();
    let operators =
        organisations.iter().map(|one| &one.operator).chain(voters.iter().map(|voter| &voter.operator)).collect();
    let heals = scenario.faults.iter().any(|fault| fault.what == FaultKind::HealAll {});
    for (at, fault) in scenario.faults.iter().enumerate() {
        check_extent(&fault.what)
            .and_then(|()| check_fault(&fault.what, &members, &operators))
            .map_err(|(key, message)| (at, key, message))?;
        if let FaultKind::Flap { period_ms, times, .. } = fault.what {
            check_flap(period_ms, times, heals).map_err(|(key, message)| (at, key, message))?;
        }
    }
    Ok(())
}

fn check_flap(period_ms: u64, times: Option<u64>, heals: bool) -> Result<(), Wrong> {
    if !(100..=600_000).contains(&period_ms) {
        return Err(("period_ms", "must be 100 to 600000".to_owned()));
    }
    match times {
        Some(times) if !(1..=1_000).contains(&times) => {
            Err(("times", "must be 1 to 1000; leave it out to go on until a heal-all".to_owned()))
        }
        None if !heals => Err(("kind", "goes on for ever; say how many `times`, or add a fault heal-all".to_owned())),
        Some(_) | None => Ok(()),
    }
}

/// The numbers of a fault.
fn check_extent(fault: &FaultKind) -> Result<(), Wrong> {
    let (key, holds, bounds) = match fault {
        FaultKind::Drift { ppm, .. } => {
            ("ppm", ppm.unsigned_abs() <= 100_000, "must be -100000 to 100000, a tenth of the time")
        }
        FaultKind::ChangeThreshold { threshold } => ("threshold", (1..=50).contains(threshold), "must be 1 to 50"),
        FaultKind::BaseFee { factor } => ("factor", (1..=1_000).contains(factor), "must be 1 to 1000"),
        FaultKind::Reorg { depth, .. } => ("depth", (1..=64).contains(depth), "must be 1 to 64 blocks"),
        FaultKind::Stall { ms } => ("ms", *ms <= 600_000, "must be at most 600000"),
        _ => return Ok(()),
    };
    if holds { Ok(()) } else { Err((key, bounds.to_owned())) }
}

/// Whom a fault names.
fn check_fault(
    fault: &FaultKind,
    members: &BTreeSet<&MemberId>,
    operators: &BTreeSet<&OperatorId>,
) -> Result<(), Wrong> {
    match fault {
        FaultKind::Cut { member: Who::Part(_) } | FaultKind::Heal { member: Who::Part(_) } => {
            Err(("member", "links are laid before anyone has a part: name a member".to_owned()))
        }
        FaultKind::Kill { member }
        | FaultKind::Restart { member }
        | FaultKind::Cut { member }
        | FaultKind::Heal { member }
        | FaultKind::Crash { member, .. }
        | FaultKind::CrashInSync { member, .. }
        | FaultKind::ReplaceOwner { member }
        | FaultKind::Mute { member }
        | FaultKind::Eclipse { member, .. }
        | FaultKind::Clock { member, .. }
        | FaultKind::Drift { member, .. }
        | FaultKind::DiskFull { member }
        | FaultKind::DiskFreed { member }
        | FaultKind::SyncFails { member }
        | FaultKind::LockKey { member }
        | FaultKind::UnlockKey { member }
        | FaultKind::HoldTransactionsOf { member }
        | FaultKind::ReleaseTransactionsOf { member } => match member {
            Who::Member(member) if !members.contains(member) => {
                Err(("member", format!("{member} does not take part; name a member or first-submitter")))
            }
            Who::Member(_) | Who::Part(_) => Ok(()),
        },
        FaultKind::Lie { operators: named, .. }
        | FaultKind::Lag { operators: named, .. }
        | FaultKind::Fail { operators: named }
        | FaultKind::Silence { operators: named }
        | FaultKind::Throttle { operators: named }
        | FaultKind::Ration { operators: named, .. }
        | FaultKind::Prune { operators: named, .. }
        | FaultKind::Deny { operators: named, .. }
        | FaultKind::Recover { operators: named } => named
            .iter()
            .find(|operator| !operators.contains(operator))
            .map_or(Ok(()), |stranger| Err(("operators", format!("{stranger} does not take part")))),
        FaultKind::Split { side } | FaultKind::Flap { side, .. } => side
            .iter()
            .find(|member| !members.contains(member))
            .map_or(Ok(()), |stranger| Err(("side", format!("{stranger} does not take part; name members")))),
        FaultKind::HoldTransactions {}
        | FaultKind::ReleaseTransactions {}
        | FaultKind::StealNonce {}
        | FaultKind::SetGuard {}
        | FaultKind::HealAll {}
        | FaultKind::Reorg { .. }
        | FaultKind::Stall { .. }
        | FaultKind::StrangerPauses {}
        | FaultKind::StrangerResumes {}
        | FaultKind::StrangerClearsFlag {}
        | FaultKind::StrangerSetsFlag {}
        | FaultKind::StrangerFlips { .. }
        | FaultKind::FeeFloor { .. }
        | FaultKind::AttackAgain {}
        | FaultKind::ChangeThreshold { .. }
        | FaultKind::BaseFee { .. } => Ok(()),
    }
}

/// What a simulated world adds, and that no live drill asks for it.
fn check_world(
    scenario: &Scenario,
    members: &BTreeSet<&MemberId>,
    operators: &BTreeSet<&OperatorId>,
) -> Result<(), Wrong> {
    if scenario.runs.contains(&Stage::Drill)
        && let Some(key) = simulated_only(scenario)
    {
        return Err((key, "only a simulation can do this; take \"drill\" out of `runs`".to_owned()));
    }
    let Chaos { crashes, cuts, operators: failing, reorgs, clocks, within_s } = scenario.chaos.clone();
    if [crashes, cuts, failing, reorgs, clocks].into_iter().any(|count| count > CHAOS_MAX)
        || within_s > CHAOS_WITHIN_S_MAX
    {
        return Err(("chaos", format!("at most {CHAOS_MAX} of each, within {CHAOS_WITHIN_S_MAX} s")));
    }
    let (links, chain) = (&scenario.links, &scenario.chain);
    if links.loss_permille > 500 || links.duplicate_permille > 1_000 || links.straggle_permille > 1_000 {
        return Err(("links", "at most 500 of 1000 messages lost, 1000 doubled or late".to_owned()));
    }
    if links.delay_ms.0 > links.delay_ms.1 || links.delay_ms.1 > 60_000 {
        return Err(("delay_ms", "least and most, at most 60000".to_owned()));
    }
    if chain.rpc_ms.0 > chain.rpc_ms.1 || chain.rpc_ms.1 > 60_000 {
        return Err(("rpc_ms", "least and most, at most 60000".to_owned()));
    }
    if !(100..=60_000).contains(&chain.block_time_ms) {
        return Err(("block_time_ms", "must be 100 to 60000".to_owned()));
    }
    if let Some(stranger) = scenario.adversaries.iter().find(|adversary| !members.contains(&adversary.member)) {
        return Err(("member", format!("{} does not take part", stranger.member)));
    }
    if let Some(stranger) = scenario.clones.iter().find(|member| !members.contains(member)) {
        return Err(("clones", format!("{stranger} does not take part")));
    }
    let asked = scenario.organisations.iter().flat_map(|one| &one.also_asks);
    if let Some(stranger) = asked.into_iter().find(|operator| !operators.contains(operator)) {
        return Err(("also_asks", format!("{stranger} does not take part")));
    }
    if let Some(twice) = scenario.organisations.iter().find(|one| one.also_asks.contains(&one.operator)) {
        return Err(("also_asks", format!("{} asks {} already", twice.member, twice.operator)));
    }
    let fewest = scenario.organisations.iter().map(|one| 1 + one.also_asks.len()).min().unwrap_or_default();
    if scenario.governance.agree == 0 || scenario.governance.agree > fewest {
        return Err(("agree", format!("must be 1 to the operators that every node asks, {fewest}")));
    }
    Ok(())
}

/// The first key that only a simulation understands, if the scenario has one.
fn simulated_only(scenario: &Scenario) -> Option<&'static str> {
    let live_attack =
        matches!(scenario.attack.kind, AttackKind::Reentrancy | AttackKind::Withdrawal | AttackKind::None);
    let only = [
        ("links", scenario.links != Default::default()),
        ("link", !scenario.ways.is_empty()),
        ("chain", ChainPart { plain: false, ..scenario.chain.clone() } != Default::default()),
        ("adversary", !scenario.adversaries.is_empty()),
        ("voter", !scenario.voters.is_empty()),
        ("clones", !scenario.clones.is_empty()),
        ("witnesses", scenario.witnesses),
        ("chaos", scenario.chaos != Default::default()),
        ("pause_limits", scenario.governance.pause_limits),
        ("pause_reverts", scenario.vault.pause_reverts),
        ("twin", scenario.vault.twin),
        ("fault", scenario.faults.iter().any(|fault| !fault.what.is_live())),
        ("act", scenario.humans.iter().any(|human| !human.act.is_live())),
        ("pauses", scenario.expect.pauses.is_some()),
        ("signed_at_one_nonce", scenario.expect.signed_at_one_nonce.is_some()),
        ("kind", !live_attack),
        ("attack.step", !scenario.attack.steps.is_empty()),
    ];
    only.into_iter().find(|(_, used)| *used).map(|(key, _)| key)
}
