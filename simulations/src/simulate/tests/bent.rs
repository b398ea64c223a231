//! Every planted mistake is caught, by the property that it breaks.

use std::collections::BTreeSet;

use watchfire_types::planted::Mutation;

use crate::scenario::{AdversaryKind, Fault, FaultKind, Moment, NAMES, Scenario, find, parse};
use crate::simulate::bent::Bent;
use crate::simulate::run::{Mistake, play_one};

/// Seeds that each mistake is played in.
const SEEDS: u64 = 3;

type Broken = Vec<(&'static str, String)>;

/// A mistake, where it is played, and the properties of which one has to fail.
type Planted = (Mistake, Scenario, &'static [&'static str]);

fn named(name: &str) -> Scenario {
    find(name).unwrap().unwrap()
}

/// What breaks in a scenario that no mistake is planted in. Those of the library are played by a test of their own, and by CI in these seeds.
fn straight(scenario: &Scenario) -> Vec<Broken> {
    if NAMES.contains(&scenario.name.as_str()) {
        return Vec::new();
    }
    (0..SEEDS).map(|seed| play_one(scenario.clone(), seed, None)).collect()
}

/// Plays the scenario straight and bent: straight it holds in every seed, bent one of these properties fails in at least one. Answers what was
/// not so.
fn missed(scenario: &Scenario, mistake: Mistake, properties: &[&str]) -> Option<String> {
    let straight: Vec<_> = straight(scenario).into_iter().flatten().collect();
    if !straight.is_empty() {
        return Some(format!("{}: fails by itself: {straight:?}", scenario.name));
    }
    let broken: Vec<_> = (0..SEEDS).map(|seed| play_one(scenario.clone(), seed, Some(mistake))).collect();
    let sees = |breaches: &&Broken| breaches.iter().any(|(property, _)| properties.contains(property));
    let seen = broken.iter().filter(sees).count();
    println!("{mistake:?} in {}: caught in {seen} of {SEEDS} seeds", scenario.name);
    (seen == 0).then(|| format!("{mistake:?} in {} was not seen as one of {properties:?}: {broken:?}", scenario.name))
}

fn all_caught(planted: Vec<Planted>) {
    let missed =
        planted.into_iter().filter_map(|(mistake, scenario, properties)| missed(&scenario, mistake, properties));
    let missed: Vec<String> = missed.inspect(|what| println!("{what}")).collect();
    assert!(missed.is_empty(), "\n{}", missed.join("\n"));
}

fn seam(bent: Bent, scenario: Scenario, properties: &'static [&'static str]) -> Planted {
    (Mistake::Seam(bent), scenario, properties)
}

fn rule(what: Mutation, name: &str, properties: &'static [&'static str]) -> Planted {
    (Mistake::Rule(what), named(name), properties)
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

/// A transaction waits that nothing makes owed, and the blocks of a reorg take it in: in the first of them, not in the head.
fn reorg_at_ready() -> Scenario {
    let mut scenario = named("false-alarm");
    scenario.name = "reorg-at-ready".to_owned();
    let what = FaultKind::Reorg { depth: 2, drops: false };
    scenario.faults.push(Fault { at: Moment::Ready, delay_ms: 0, what });
    scenario
}

/// A node loses power long after its first vote, and its disk with what it had not synced.
fn power_cut() -> Scenario {
    let mut scenario = named("submitter-crash-threshold-signed");
    scenario.name = "power-cut".to_owned();
    for fault in &mut scenario.faults {
        if let FaultKind::Crash { disk, .. } = &mut fault.what {
            *disk = crate::scenario::DiskLeft::Lost;
        }
    }
    scenario
}

/// At the seams: what is around the shipped code.
fn at_the_seams() -> Vec<Planted> {
    vec![
        seam(Bent::DiskLies, power_cut(), &["S10"]),
        seam(Bent::Reencodes, named("one-selective-sender"), &["S11"]),
        seam(Bent::TrustsOneOperator, two_agree(), &["L5", "found"]),
        seam(Bent::ForgetsFloors, named("recovery-alone"), &["pauses"]),
        seam(Bent::SignsUnasked, named("false-alarm"), &["S1", "S2"]),
        seam(Bent::SignsUnasked, reorg_at_ready(), &["S1"]),
        seam(Bent::ForgetsOrphans, named("reorg-pause"), &["pauses", "ends-paused"]),
        seam(Bent::SendsLate, named("vault-drain"), &["L3"]),
        seam(Bent::LeaksKey, named("human-veto"), &["S13"]),
        seam(Bent::LeaksUnlogged, named("vault-drain"), &["S13"]),
        seam(Bent::BelievesExecuted, named("one-false-executor"), &["L1"]),
        seam(Bent::NeverCatchesUp, named("partition"), &["L4"]),
        seam(Bent::WaitsForItsTurn, named("empty-disk"), &["L4"]),
        seam(Bent::OwesStill, named("vault-drain"), &["L8"]),
        seam(Bent::NeverBumps, named("gas-spike"), &["bumped"]),
        seam(Bent::OnlyFirstSends, named("submitter-down"), &["L1"]),
        seam(Bent::SimulatesNothing, named("guard-blocks"), &["cause", "status"]),
        seam(Bent::StaleNonce, named("nonce-stolen"), &["L1", "S2"]),
        seam(Bent::LateNonce, named("nonce-outrun"), &["L5"]),
        seam(Bent::LosesFindings, named("vault-drain"), &["S7"]),
    ]
}

#[test]
fn mistakes_at_the_seams() {
    all_caught(at_the_seams());
}

/// What a certificate is.
fn about_certificates() -> Vec<Planted> {
    use Mutation::*;
    vec![
        rule(CountsNodes, "many-nodes", &["S4"]),
        rule(OneOperatorIsEnough, "one-operator-for-three", &["S4", "L5"]),
        rule(SkipsQuorum, "one-certificate-forger", &["S4"]),
        rule(SkipsOrder, "one-certificate-forger", &["S4"]),
        rule(SkipsVoteSignatures, "one-certificate-forger", &["S4"]),
        rule(SkipsVoteSteps, "one-certificate-forger", &["S4"]),
        rule(SkipsSpread, "one-certificate-forger", &["S4"]),
        rule(PicksStale, "one-forged-evidence", &["L1"]),
        rule(WaitsForEveryone, "two-silent", &["L2"]),
        rule(CertifiesOnce, "second-attack", &["L1", "pauses"]),
        rule(DropsWithCarrier, "one-turncoat", &["L1", "certificate"]),
    ]
}

#[test]
fn mistakes_about_certificates() {
    all_caught(about_certificates());
}

/// When a step is owed.
fn about_what_is_owed() -> Vec<Planted> {
    use Mutation::*;
    vec![
        rule(OwesUncertified, "false-alarm", &["S2"]),
        rule(CountsBeforeRecovery, "recovery-alone", &["S2", "pauses"]),
        rule(IgnoresCancel, "cancelled-late", &["S2"]),
        rule(BelievesRecovery, "one-false-executor", &["L1"]),
        rule(CountsAnyEvidence, "one-forged-evidence", &["S2"]),
        rule(NeverExpires, "expired", &["S14"]),
        rule(VetoKills, "one-vetoer", &["L1"]),
        rule(IgnoresWider, "vault-drain", &["S2"]),
        rule(RefutedBlocks, "pause-refuted", &["reverts"]),
        rule(OwesNarrower, "vault-drain", &["S2"]),
        rule(OmitsNothing, "two-calls", &["S2"]),
        rule(KeepsWindows, "recovery-alone", &["pauses"]),
        rule(EveryFlipCounts, "flag-flipper", &["L1", "reverts"]),
    ]
}

#[test]
fn mistakes_about_what_is_owed() {
    all_caught(about_what_is_owed());
}

/// What is voted for, signed and sent.
fn about_acts() -> Vec<Planted> {
    use Mutation::*;
    vec![
        rule(SignsRefuted, "guard-blocks", &["S2"]),
        rule(SignsOncePerNonce, "variants", &["L1"]),
        rule(NeverRejects, "cancelled-late", &["L5"]),
        rule(LeavesOpen, "left-open", &["pauses"]),
        rule(RejectsLater, "cancelled-late", &["S2"]),
        rule(RejectsRecovery, "recovery-alone", &["S2"]),
        rule(RecoversBeside, "recovery-beside", &["S2"]),
        rule(CallsMore, "vault-drain", &["S3"]),
        rule(AddsGas, "vault-drain", &["S5"]),
        rule(DropsRanks, "vault-drain", &["L3"]),
        rule(OnlyFirstSends, "submitter-down", &["L1"]),
        rule(BelievesExecuted, "one-false-executor", &["L1"]),
        rule(PacksUnsorted, "vault-drain", &["L3"]),
        rule(KeepsThreshold, "threshold-raised", &["L3"]),
        rule(HushesKey, "keys-locked", &["L7"]),
        rule(NeverRetargets, "nonce-stolen", &["L6"]),
        rule(SaysItCan, "tool-down", &["L7"]),
        rule(VetoMutesNobody, "cancelled-late", &["S6"]),
        rule(OneSignatureShort, "vault-drain", &["L1"]),
        rule(VotesUnfounded, "vault-drain", &["S6"]),
        rule(NeverRevotes, "second-attack", &["L1", "pauses"]),
        rule(AsksNobody, "people-approve", &["S6"]),
        rule(TrustsDemoted, "false-pause-demotes", &["S6"]),
        rule(SharesBudget, "one-budget-burner", &["L1"]),
        rule(NeverEscalates, "slow-drain", &["L1"]),
        rule(EscalatesOnOld, "flag-suffices", &["L5"]),
    ]
}

#[test]
fn mistakes_about_acts() {
    all_caught(about_acts());
}

/// The log, and what is taken into it.
fn about_the_log() -> Vec<Planted> {
    use Mutation::*;
    vec![
        rule(ForgetsRetraction, "deep-reorg", &["S7"]),
        rule(ForgetsUnseen, "reorg-while-down", &["S7"]),
        rule(FindsAgain, "submitter-crash-certificate", &["S7"]),
        rule(BlindToForks, "one-equivocator", &["S9"]),
        rule(DigestsTheCut, "one-log-forker", &["S15", "L4"]),
        rule(SkipsQuota, "one-spammer", &["S12"]),
        rule(TakesTwice, "one-replayer", &["S11"]),
        rule(SkipsSignatures, "one-impersonator", &["S9"]),
        rule(RepeatsEpoch, "empty-disk", &["S9"]),
        rule(ClockAsItIs, "wrong-clocks", &["S9"]),
        rule(CatchUpSkips, "partition", &["L4"]),
        rule(CheckpointsLess, "walk-through", &["S8"]),
        rule(ReplayForgets, "vault-drain", &["S8"]),
        rule(TakesAnyForm, "one-rewriter", &["S9"]),
        (Mistake::Rule(SkipsSync), power_cut(), &["S10"]),
        rule(SurvivesFailedSync, "failed-sync", &["S10"]),
    ]
}

#[test]
fn mistakes_about_the_log() {
    all_caught(about_the_log());
}

/// A key for which anybody can sign: no charter with it is taken, and where one is, it is seen.
#[test]
fn weak_keys_are_seen() {
    let mut scenario = named("one-vetoer");
    scenario.adversaries[0].kind = AdversaryKind::WeakKey;
    let played = |mistake| play_one(scenario.clone(), 0, mistake).into_iter().map(|(property, _)| property);
    assert_eq!(played(None).collect::<Vec<_>>(), ["charter"]);
    assert!(played(Some(Mistake::Rule(Mutation::TakesWeakKeys))).any(|property| property == "S9"));
}

/// No mistake can be planted in the rules that is not played: a line that nobody plays would be believed to be watched.
#[test]
fn every_mistake_is_played() {
    let lists = [at_the_seams(), about_certificates(), about_what_is_owed(), about_acts(), about_the_log()];
    let played = lists.iter().flatten().filter_map(|(mistake, ..)| match mistake {
        Mistake::Rule(rule) => Some(*rule),
        Mistake::Seam(_) => None,
    });
    // The weak key has a test of its own.
    let played: BTreeSet<Mutation> = played.chain([Mutation::TakesWeakKeys]).collect();
    assert_eq!(played, Mutation::ALL.iter().copied().collect());
}
