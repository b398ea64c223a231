//! Many runs: seeds over jobs, results in seed order, and the shortest fault list of what failed.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::Instant;

use alloy_primitives::B256;
use sha2::{Digest, Sha256};
use thiserror::Error;

use super::agenda::{MILLI, SECOND};
use super::cast::Cast;
use super::report::{Failure, Hops, ScenarioReport, Scores};
use super::sketch::Sketch;
use super::watch::{Breach, Kind};
use super::world::{Planned, World};
use super::{drawing, plan, rehearsal, scores};
use crate::record::DrillRecord;
use crate::scenario::{NAMES, Scenario, ScenarioError, Stage, load, names, words};

/// Failures that a report names.
const FAILURES_MAX: usize = 20;
/// Runs that looking for the shortest fault list may take.
const SHRINK_RUNS_MAX: usize = 200;

/// What to simulate.
#[derive(Debug, Clone)]
pub struct SimulateOptions {
    /// Names or files; empty = every scenario of the library that can be simulated.
    pub scenarios: Vec<String>,
    /// Seeds.
    pub seeds: Range<u64>,
    /// Threads.
    pub jobs: usize,
    /// Numbers of the faults to play; `None` = all.
    pub faults: Option<BTreeSet<usize>>,
    /// File with a charter that is played in the place of the scenarios' own.
    pub charter: Option<String>,
}

/// Why nothing was simulated.
#[derive(Debug, Error)]
pub enum SimulateError {
    /// The scenario.
    #[error(transparent)]
    Scenario(#[from] ScenarioError),
    /// The scenario is for live drills only.
    #[error("scenario {name} is not made for simulation; play it with `watchfire drill {name}`, or simulate one of {}", names(Stage::Simulate).join(", "))]
    NotSimulated {
        /// Name.
        name: String,
    },
    /// The file with the charter cannot be read.
    #[error("charter {file}: {cause}; name the charter's TOML file")]
    NoCharter {
        /// File.
        file: String,
        /// What the system said.
        cause: String,
    },
    /// The scenario's rules make no charter, or it does not fit the charter that is given.
    #[error("scenario {scenario} cannot be played with its charter; correct it: {}", faults.join("; "))]
    Charter {
        /// Name.
        scenario: String,
        /// A line each.
        faults: Vec<String>,
    },
    /// The scenario has a part that the charter has nobody for.
    #[error("scenario {scenario} cannot be played with this charter: {why}; choose another scenario")]
    NoPart {
        /// Name.
        scenario: String,
        /// What is missing.
        why: String,
    },
    /// No seeds.
    #[error("seeds {start}..{end} are none; make the first smaller than the second")]
    NoSeeds {
        /// First.
        start: u64,
        /// End.
        end: u64,
    },
}

/// One run's result.
#[derive(Debug, Default)]
pub(super) struct Ran {
    breaches: Vec<Breach>,
    trace: B256,
    simulated_us: u64,
    steps: u64,
    decision_us: Option<u64>,
    messages: u64,
    scores: [Option<u64>; 4],
    wall_s: f64,
}

impl Ran {
    /// Of which nothing is known but what broke.
    pub(super) fn broken(breaches: Vec<Breach>) -> Self {
        Self { breaches, ..Self::default() }
    }
}

/// Simulates; calls `told` with each scenario's report as it comes.
///
/// # Errors
/// [`SimulateError`] before anything is run.
pub fn simulate(
    options: &SimulateOptions,
    mut told: impl FnMut(&ScenarioReport),
) -> Result<Vec<ScenarioReport>, SimulateError> {
    let (start, end) = (options.seeds.start, options.seeds.end);
    if start >= end {
        return Err(SimulateError::NoSeeds { start, end });
    }
    let casts = casts(&options.scenarios, options.charter.as_deref())?;
    let whole_library = options.scenarios.is_empty();
    let runs: Vec<(usize, u64)> = (0..)
        .zip(&casts)
        .filter_map(|(at, cast)| Some((at, cast.as_ref().ok()?)))
        .flat_map(|(at, cast)| {
            let few = whole_library && cast.scenario.costly;
            (start..if few { start + 1 } else { end }).map(move |seed| (at, seed))
        })
        .collect();
    let next = AtomicUsize::new(0);
    let (done, came) = mpsc::channel();
    Ok(std::thread::scope(|scope| {
        for _ in 0..options.jobs.clamp(1, runs.len().max(1)) {
            let done = done.clone();
            // Every thread takes the next run of all, whichever scenario it belongs to.
            scope.spawn(|| {
                let done = done;
                while let Some((at, seed)) = runs.get(next.fetch_add(1, Ordering::Relaxed)).copied() {
                    let Ok(cast) = &casts[at] else { continue };
                    let ran = one(cast, seed, options.faults.as_ref());
                    if done.send((at, seed, ran)).is_err() {
                        break;
                    }
                }
            });
        }
        drop(done);
        let mut waiting: Vec<BTreeMap<u64, Ran>> = casts.iter().map(|_| BTreeMap::new()).collect();
        let mut reports = Vec::new();
        let mut came = came.into_iter();
        // Reports come in the order of the scenarios.
        while let Some(cast) = casts.get(reports.len()) {
            let at = reports.len();
            let report = match cast {
                Err(unfit) => unfit.clone(),
                Ok(cast) => {
                    let count = runs.iter().filter(|(of, _)| *of == at).count();
                    while waiting[at].len() < count
                        && let Some((at, seed, ran)) = came.next()
                    {
                        waiting[at].insert(seed, ran);
                    }
                    let (seeds, ran): (Vec<u64>, Vec<&Ran>) =
                        waiting[at].iter().map(|(seed, ran)| (*seed, ran)).unzip();
                    summarise(cast, &seeds, &ran, options)
                }
            };
            told(&report);
            reports.push(report);
        }
        reports
    }))
}

/// The scenarios with their members. Of the whole library, what a charter of one's own has nobody for is told in its place.
fn casts(named: &[String], charter: Option<&str>) -> Result<Vec<Result<Cast, ScenarioReport>>, SimulateError> {
    let names: Vec<String> = if named.is_empty() {
        let all = NAMES.iter().map(|name| load(name, Stage::Simulate)).collect::<Result<Vec<_>, _>>()?;
        let simulated = all.into_iter().filter(|scenario| scenario.runs.contains(&Stage::Simulate));
        simulated.map(|scenario| scenario.name).collect()
    } else {
        named.to_vec()
    };
    let own = charter.map(charter_text).transpose()?;
    let fitting = |name: &String| match cast(name, own.as_deref()) {
        Err(SimulateError::NoPart { scenario, why }) if named.is_empty() => {
            Ok(Err(ScenarioReport { scenario, not_played: Some(why), ..ScenarioReport::default() }))
        }
        other => other.map(Ok),
    };
    names.iter().map(fitting).collect()
}

fn charter_text(file: &str) -> Result<String, SimulateError> {
    crate::scenario::read(std::path::Path::new(file))
        .map_err(|cause| SimulateError::NoCharter { file: file.to_owned(), cause })
}

fn cast(name: &str, charter: Option<&str>) -> Result<Cast, SimulateError> {
    let scenario = one_scenario(name)?;
    let cast = match charter {
        None => Cast::new(scenario)?,
        Some(charter) => {
            let (scenario, own) = rehearsal::stage(name, charter)?;
            Cast::rehearsed(scenario, &own)?
        }
    };
    Ok(Cast { asked_for: name.to_owned(), ..cast })
}

fn one_scenario(name: &str) -> Result<Scenario, SimulateError> {
    let scenario = load(name, Stage::Simulate)?;
    if scenario.runs.contains(&Stage::Simulate) {
        Ok(scenario)
    } else {
        Err(SimulateError::NotSimulated { name: scenario.name })
    }
}

/// Plays one seed of a scenario, by name or file, and draws it: a self-contained HTML page.
///
/// # Errors
/// [`SimulateError`] before anything is run.
pub fn draw(
    scenario: &str,
    seed: u64,
    options: &SimulateOptions,
    failures: &[Failure],
) -> Result<String, SimulateError> {
    let own = options.charter.as_deref().map(charter_text).transpose()?;
    let cast = cast(scenario, own.as_deref())?;
    let faults = options.faults.as_ref();
    let mut world = World::new(&cast, seed, plan::faults(&cast, seed, faults));
    world.sketch = Some(Sketch::default());
    // A panic ends the run where it is: what led there is drawn all the same.
    let _ = catch_unwind(AssertUnwindSafe(|| world.run()));
    let sketch = world.sketch.take().unwrap_or_default();
    Ok(drawing::page(&cast, seed, &sketch, world.now, failures))
}

/// Plays one seed of a scenario, by name or file, and answers its drill record; `date` is the day that it carries.
///
/// # Errors
/// [`SimulateError`] before anything is run.
pub fn record(scenario: &str, seed: u64, options: &SimulateOptions, date: &str) -> Result<DrillRecord, SimulateError> {
    let own = options.charter.as_deref().map(charter_text).transpose()?;
    let cast = cast(scenario, own.as_deref())?;
    let mut world = World::new(&cast, seed, plan::faults(&cast, seed, options.faults.as_ref()));
    world.sketch = Some(Sketch::default());
    if catch_unwind(AssertUnwindSafe(|| world.run())).is_err() {
        world.watch.breach("S12", Kind::Safety, "panic".to_owned());
    }
    rehearsal::judge(&mut world);
    let breaches = std::mem::take(&mut world.watch.breaches);
    Ok(scores::record(&world, seed, date, &breaches))
}

/// Plays one seed. A panic is a breach of S12.
fn one(cast: &Cast, seed: u64, only: Option<&BTreeSet<usize>>) -> Ran {
    let planned = plan::faults(cast, seed, only);
    // The one clock read: how long it really took is reported, and decides nothing.
    let clock = Instant::now();
    let ran = catch_unwind(AssertUnwindSafe(|| play(cast, seed, planned))).unwrap_or_else(|cause| {
        let said = cause.downcast_ref::<String>().cloned();
        let said = said.or_else(|| cause.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        let detail = format!("panic: {}", said.unwrap_or_default());
        let breach = Breach { property: "S12", kind: Kind::Safety, step: 0, detail };
        Ran::broken(vec![breach])
    });
    Ran { wall_s: clock.elapsed().as_secs_f64(), ..ran }
}

fn play(cast: &Cast, seed: u64, planned: Vec<Planned>) -> Ran {
    let mut world = World::new(cast, seed, planned);
    let trace = world.run();
    rehearsal::judge(&mut world);
    let honest = (0..cast.players.len()).filter(|place| cast.honest(*place));
    let sent: Vec<u64> = honest.map(|place| world.watch.known[place].sent_messages).collect();
    let attacked = world.play.attack.first_block_at;
    let since = |name: &str| {
        let at = world.play.timeline.get(name)?;
        Some(at.saturating_sub(attacked?) / MILLI)
    };
    Ran {
        trace,
        simulated_us: world.now,
        steps: world.step,
        decision_us: world.decision_us(),
        messages: sent.iter().sum::<u64>() / (sent.len() as u64).max(1),
        scores: ["finding", "certificate", "threshold-signed", "included"].map(since),
        breaches: std::mem::take(&mut world.watch.breaches),
        wall_s: 0.0,
    }
}

/// A planted mistake: at a seam of the simulated node, or inside the rules.
#[cfg(test)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mistake {
    /// See [`super::bent`].
    Seam(super::bent::Bent),
    /// See `watchfire_types::planted`.
    Rule(watchfire_types::planted::Mutation),
}

/// Plays one seed with a planted mistake; answers what broke.
#[cfg(test)]
pub(crate) fn play_one(scenario: Scenario, seed: u64, mistake: Option<Mistake>) -> Vec<(&'static str, String)> {
    let (bent, rule) = match mistake {
        None => (None, None),
        Some(Mistake::Seam(bent)) => (Some(bent), None),
        Some(Mistake::Rule(rule)) => (None, Some(rule)),
    };
    let _planted = watchfire_types::planted::plant(rule);
    let cast = match Cast::new(scenario) {
        Ok(cast) => cast,
        Err(error) => return vec![("charter", error.to_string())],
    };
    let play = || {
        let mut world = World::new(&cast, seed, plan::faults(&cast, seed, None));
        world.bent = bent;
        world.run();
        world.watch.breaches.iter().map(|breach| (breach.property, breach.detail.clone())).collect()
    };
    catch_unwind(AssertUnwindSafe(play)).unwrap_or_else(|_| vec![("S12", "panic".to_owned())])
}

pub(super) fn summarise(cast: &Cast, seeds: &[u64], ran: &[&Ran], options: &SimulateOptions) -> ScenarioReport {
    let mut failed: Vec<(u64, &Ran)> =
        seeds.iter().copied().zip(ran.iter().copied()).filter(|(_, ran)| !ran.breaches.is_empty()).collect();
    // What was unsafe is named before what was late, however many there are of either: the exit code is that of what is named.
    failed.sort_by_key(|(seed, ran)| (ran.breaches.iter().map(|breach| breach.kind).min(), *seed));
    let failures =
        failed.iter().take(FAILURES_MAX).filter_map(|(seed, ran)| failure(cast, *seed, ran, options)).collect();
    let trace = ran.iter().fold(Sha256::new(), |hash, ran| hash.chain_update(ran.trace)).finalize();
    let delay = &cast.scenario.links.delay_ms;
    #[expect(clippy::cast_precision_loss, reason = "milliseconds of a run fit a double")]
    let in_hops = |us: u64| us as f64 / MILLI as f64 / ((delay.0 + delay.1) as f64 / 2.0).max(1.0);
    let mut decisions: Vec<u64> = ran.iter().filter_map(|ran| ran.decision_us).collect();
    decisions.sort_unstable();
    let at = |permille: usize| decisions.get(decisions.len().saturating_sub(1) * permille / 1_000).copied();
    let score = |index: usize| {
        let mut all: Vec<u64> = ran.iter().filter_map(|ran| ran.scores[index]).collect();
        all.sort_unstable();
        all.get(all.len() / 2).copied()
    };
    ScenarioReport {
        scenario: cast.scenario.name.clone(),
        seeds: seeds.len() as u64,
        failed: failed.len() as u64,
        failures,
        trace_hash: hex::encode(trace),
        simulated_s: ran.iter().map(|ran| ran.simulated_us).sum::<u64>() / SECOND,
        wall_s: ran.iter().map(|ran| ran.wall_s).sum(),
        steps: ran.iter().map(|ran| ran.steps).sum(),
        hops: Hops { p50: at(500).map(in_hops), p99: at(990).map(in_hops) },
        messages_per_node: ran.iter().map(|ran| ran.messages).sum::<u64>() / (ran.len() as u64).max(1),
        scores: Scores { detect_ms: score(0), agree_ms: score(1), sign_ms: score(2), include_ms: score(3) },
        rehearsal: cast.said.clone(),
        not_played: None,
    }
}

/// What is told of a run: what was unsafe before what was late, of those what came first.
fn worst(ran: &Ran) -> Option<&Breach> {
    ran.breaches.iter().min_by_key(|breach| (breach.kind, breach.step))
}

fn failure(cast: &Cast, seed: u64, ran: &Ran, options: &SimulateOptions) -> Option<Failure> {
    let planned = plan::faults(cast, seed, options.faults.as_ref());
    let (needed, breach) = shrink(cast, seed, worst(ran)?, &planned);
    let named = |one: &Planned| format!("{}: {}: {}", one.number, one.when.words(), words(&one.what));
    let faults = planned.iter().filter(|one| needed.contains(&one.number)).map(named).collect();
    let mut replay = format!("watchfire simulate {} --seeds {seed}..{}", cast.asked_for, seed + 1);
    if let Some(charter) = &options.charter {
        replay.push_str(&format!(" --charter {charter}"));
    }
    if needed.len() < plan::faults(cast, seed, None).len() {
        let numbers: Vec<String> = needed.iter().map(ToString::to_string).collect();
        replay.push_str(&format!(" --faults={}", numbers.join(",")));
    }
    Some(Failure {
        seed,
        step: breach.step,
        property: breach.property.to_owned(),
        kind: breach.kind,
        detail: breach.detail,
        faults,
        replay,
    })
}

/// Takes faults away for as long as the same property is what fails: all of them if that will do, else one after the other until none can go.
/// Answers those that are left, and what broke with them.
fn shrink(cast: &Cast, seed: u64, breach: &Breach, planned: &[Planned]) -> (BTreeSet<usize>, Breach) {
    let all: BTreeSet<usize> = planned.iter().map(|one| one.number).collect();
    let same = |broken: &Breach| broken.property == breach.property && broken.kind == breach.kind;
    let broken_by = |some: &BTreeSet<usize>| worst(&one(cast, seed, Some(some))).filter(|broken| same(broken)).cloned();
    let mut least = (all, breach.clone());
    if least.0.is_empty() {
        return least;
    }
    if let Some(broken) = broken_by(&BTreeSet::new()) {
        return (BTreeSet::new(), broken);
    }
    let mut runs = 1;
    loop {
        let before = least.0.clone();
        for number in before.iter().rev() {
            // Alone it would leave none, which was tried.
            if runs >= SHRINK_RUNS_MAX || least.0.len() == 1 {
                return least;
            }
            let mut fewer = least.0.clone();
            fewer.remove(number);
            runs += 1;
            if let Some(broken) = broken_by(&fewer) {
                least = (fewer, broken);
            }
        }
        if least.0.len() == before.len() {
            return least;
        }
    }
}
