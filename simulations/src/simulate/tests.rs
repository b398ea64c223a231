//! The simulator on itself: that a seed means one run, that the library's scenarios hold, and that the checkers can see.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::cast::Cast;
use super::run::{Ran, summarise};
use super::watch::Breach;
use super::{Kind, ScenarioReport, SimulateOptions, draw, simulate};
use crate::scenario::{NAMES, Stage, find, text_of};

mod bent;
mod records;
mod rehearsal;
mod sound;

fn options(names: &[&str], seeds: std::ops::Range<u64>, jobs: usize) -> SimulateOptions {
    SimulateOptions {
        scenarios: names.iter().map(|name| (*name).to_owned()).collect(),
        seeds,
        jobs,
        faults: None,
        charter: None,
    }
}

fn run(names: &[&str], seeds: std::ops::Range<u64>, jobs: usize) -> Vec<ScenarioReport> {
    simulate(&options(names, seeds, jobs), |_| {}).unwrap()
}

/// Partners with whom an unoptimised build plays.
const PARTNERS_MAX: usize = 13;

/// Every scenario of the library holds; those of many partners are left to the release build in CI, which plays all.
#[test]
fn the_library_holds() {
    let quick = |name: &&&str| {
        find(name)
            .unwrap()
            .is_ok_and(|one| one.organisations.len() <= PARTNERS_MAX && one.runs.contains(&Stage::Simulate))
    };
    let names: Vec<&str> = NAMES.iter().filter(quick).copied().collect();
    let reports = simulate(&options(&names, 0..1, 2), |report| println!("{}", report.summary())).unwrap();
    let failed: Vec<String> = reports.iter().filter(|report| report.failed > 0).map(ScenarioReport::summary).collect();
    assert!(failed.is_empty(), "\n{}", failed.join("\n"));
}

/// The same seed is the same run, with one thread and with three; another seed is another run.
#[test]
fn a_seed_is_a_run() {
    let one = run(&["weather", "one-spammer"], 0..3, 1);
    let three = run(&["weather", "one-spammer"], 0..3, 3);
    let others = run(&["weather", "one-spammer"], 3..6, 3);
    for ((one, three), other) in one.iter().zip(&three).zip(&others) {
        assert_eq!(one.trace_hash, three.trace_hash, "{}", one.scenario);
        assert_eq!(one.steps, three.steps);
        assert_ne!(one.trace_hash, other.trace_hash, "{}", one.scenario);
    }
}

/// A run's faults can be played one by one: with none of them a calm scenario is left.
#[test]
fn faults_can_be_left_out() {
    let none = SimulateOptions { faults: Some(Default::default()), ..options(&["submitter-down"], 0..1, 1) };
    let report = &simulate(&none, |_| {}).unwrap()[0];
    let failure =
        report.failures.iter().find(|failure| failure.property == "submitter").expect("nobody else had to send");
    assert_eq!(failure.kind, Kind::Liveness);
    assert!(failure.replay.ends_with("--faults="), "{}", failure.replay);
}

/// Runs in which something unsafe happened are named before all others, however many of those there are and whichever came first.
#[test]
fn unsafe_runs_are_named_first() {
    let cast = Cast::new(find("vault-drain").unwrap().unwrap()).unwrap();
    let broke = |kinds: &[Kind]| {
        let breach = |kind: &Kind| Breach { property: "L1", kind: *kind, step: 1, detail: String::new() };
        Ran::broken(kinds.iter().map(breach).collect())
    };
    let late = broke(&[Kind::Liveness]);
    let mut ran: Vec<&Ran> = (0..30).map(|_| &late).collect();
    let (both, sound) = (broke(&[Kind::Liveness, Kind::Safety]), Ran::default());
    ran.extend([&sound, &both]);
    let seeds: Vec<u64> = (0..32).collect();
    let report = summarise(&cast, &seeds, &ran, &options(&[], 0..32, 1));
    assert_eq!(report.worst(), Some(Kind::Safety));
    assert_eq!((report.failed, report.failures.len(), report.failures[0].seed), (31, 20, 31));
    assert_eq!(report.failures[1].seed, 0);
}

/// What failed in a scenario of one's own is played again by the file's path, not by the name in it, which the library may have too.
#[test]
fn a_file_is_replayed_by_its_path() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let text = text_of("vault-drain", Stage::Simulate).unwrap().1.replace("paused = true", "paused = false");
    std::fs::write(file.path(), text).unwrap();
    let path = file.path().to_str().unwrap();
    let report = &run(&[path], 0..1, 1)[0];
    assert_eq!(report.worst(), Some(Kind::Safety), "{}", report.summary());
    assert_eq!(report.failures[0].replay, format!("watchfire simulate {path} --seeds 0..1"));
}

/// Two faults that need each other go together, and what is told is the run that the printed command plays.
#[test]
fn a_failure_is_shrunk_to_what_it_needs() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let path = file.path().to_str().unwrap();
    let held = "[[fault]]\nat = \"ready\"\nkind = \"hold-transactions\"\n\
                [[fault]]\nat = \"threshold-signed\"\ndelay_ms = 5000\nkind = \"release-transactions\"\n[expect]";
    // A drain that is paused whatever comes: neither fault is needed, though without the release alone nothing is paused.
    let needless = text_of("vault-drain", Stage::Simulate).unwrap().1;
    let needless = needless.replace("paused = true", "paused = false").replace("[expect]", held);
    // A second attack: without it, or without the recovery that it follows, there is one pause.
    let again = text_of("second-attack", Stage::Simulate).unwrap().1;
    let needed = again.replace("pauses = 2", "pauses = 1").replace("[expect]", held);
    for (text, faults) in [(needless, 0..0), (needed, 0..1)] {
        std::fs::write(file.path(), text).unwrap();
        let told = run(&[path], 0..1, 1)[0].failures[0].clone();
        let named: Vec<String> = faults.clone().map(|number| number.to_string()).collect();
        assert_eq!(told.faults.len(), faults.len(), "{:?}", told.faults);
        assert!(told.replay.ends_with(&format!(" --faults={}", named.join(","))), "{}", told.replay);
        let played = SimulateOptions { faults: Some(faults.collect()), ..options(&[path], 0..1, 1) };
        let replayed = simulate(&played, |_| {}).unwrap()[0].failures[0].clone();
        assert_eq!((replayed.step, replayed.detail), (told.step, told.detail));
    }
}

/// A drawing is one page that needs nothing from elsewhere and shows every node, the votes and the pause.
#[test]
fn a_run_is_drawn() {
    let page = draw("submitter-down", 0, &options(&[], 0..1, 1), &[]).unwrap();
    for shown in
        ["alder-1", "ember-1", "class=\"vote\"", "class=\"certificate\"", "class=\"paused\"", "hold-transactions-of"]
    {
        assert!(page.contains(shown), "{shown} is not drawn");
    }
    for foreign in ["<script", "http:", "https:", "url(", "@import"] {
        assert!(!page.contains(foreign), "{foreign} is in the page");
    }
}
