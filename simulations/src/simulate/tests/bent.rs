//! Every planted mistake is caught, by the property that it breaks.

use crate::scenario::{Scenario, find, parse};
use crate::simulate::bent::Bent;
use crate::simulate::run::play_one;

const SEEDS: u64 = 3;

fn named(name: &str) -> Scenario {
    find(name).unwrap().unwrap()
}

/// Plays the scenario straight and bent: straight it holds in every seed, bent one of these properties fails in at least one.
fn caught(scenario: &Scenario, bent: Bent, properties: &[&str]) {
    let straight: Vec<_> = (0..SEEDS).flat_map(|seed| play_one(scenario.clone(), seed, None)).collect();
    assert!(straight.is_empty(), "{bent:?}: {} fails by itself: {straight:?}", scenario.name);
    let broken: Vec<_> = (0..SEEDS).map(|seed| play_one(scenario.clone(), seed, Some(bent))).collect();
    let seen =
        broken.iter().filter(|breaches| breaches.iter().any(|breach| properties.contains(&breach.as_str()))).count();
    println!("{bent:?} in {}: caught in {seen} of {SEEDS} seeds", scenario.name);
    assert!(seen > 0, "{bent:?} in {} was not seen as one of {properties:?}: {broken:?}", scenario.name);
}

/// Two operators have to agree, and three of five first ones make up a drain.
fn two_agree() -> Scenario {
    let mut text = "name = \"two-agree\"\ntitle = \"two agree\"\nruns = [\"simulate\"]\nseconds_max = 20\n".to_owned();
    for (id, other) in [("alder", "dune"), ("birch", "ember"), ("cedar", "dune"), ("dune", "ember"), ("ember", "dune")]
    {
        text.push_str(&format!(
            "[[organisation]]\nid = \"{id}\"\nname = \"{id}\"\nmember = \"{id}-1\"\noperator = \"op-{id}\"\nalso_asks = [\"op-{other}\"]\n"
        ));
    }
    text.push_str(
        "[governance]\nagree = 2\n[attack]\nkind = \"none\"\nafter = \"ready\"\ntransactions = 0\nwei = \"0\"\n[[fault]]\nat = \"ready\"\n\
         kind = \"lie\"\noperators = [\"op-alder\", \"op-birch\", \"op-cedar\"]\nwei_per_block = \"10000000000000000000\"\nblocks = 3\n\
         [expect]\npaused = false\nfound_by = 0\n",
    );
    parse("two-agree.toml", &text).unwrap()
}

/// A node loses power long after its first vote, and its disk with what it had not synced.
fn power_cut() -> Scenario {
    let mut scenario = named("submitter-crash-threshold-signed");
    for fault in &mut scenario.faults {
        if let crate::scenario::FaultKind::Crash { disk, .. } = &mut fault.what {
            *disk = crate::scenario::DiskLeft::Lost;
        }
    }
    scenario
}

/// Mistakes that break safety.
#[test]
fn unsafe_mistakes_are_caught() {
    caught(&power_cut(), Bent::DiskLies, &["S10"]);
    caught(&named("one-selective-sender"), Bent::Reencodes, &["S11"]);
    caught(&two_agree(), Bent::TrustsOneOperator, &["L5", "found"]);
    caught(&named("recovery-alone"), Bent::ForgetsFloors, &["pauses"]);
    caught(&named("false-alarm"), Bent::SignsUnasked, &["S1", "S2"]);
    caught(&named("human-veto"), Bent::LeaksKey, &["S13"]);
}

/// Mistakes that break liveness.
#[test]
fn idle_mistakes_are_caught() {
    caught(&named("one-false-executor"), Bent::BelievesExecuted, &["L1"]);
    caught(&named("partition"), Bent::NeverCatchesUp, &["L4"]);
    caught(&named("submitter-down"), Bent::OnlyFirstSends, &["L1"]);
    caught(&named("guard-blocks"), Bent::SimulatesNothing, &["cause", "status"]);
    caught(&named("nonce-stolen"), Bent::StaleNonce, &["L1", "S2"]);
    caught(&named("vault-drain"), Bent::LosesFindings, &["L1"]);
}
