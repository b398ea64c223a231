//! Links that are not as the others, people who take their time and attackers who come later: seen in the times of the run's own record.

use alloy_primitives::U256;

use super::{Stage, options, run, text_of};
use crate::record::DrillRecord;
use crate::simulate::record;
use crate::simulate::report::Hops;

/// The record of a run that held.
fn played(text: &str, seed: u64) -> DrillRecord {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    let made = record(file.path().to_str().unwrap(), seed, &options(&[], 0..1, 1), "2026-12-15").unwrap();
    assert!(made.passed, "{:?}", made.checks);
    made
}

/// When each of the usual five holds a certificate, ms after the first attack block.
fn agreed(text: &str, seed: u64) -> [u64; 5] {
    let made = played(text, seed);
    let members = ["alder-1", "birch-1", "cedar-1", "dune-1", "ember-1"];
    members.map(|member| {
        let participant = made.participants.iter().find(|one| one.member.as_str() == member).unwrap();
        participant.agree_ms.unwrap_or(u64::MAX)
    })
}

fn text(name: &str) -> String {
    text_of(name, Stage::Simulate).unwrap().1
}

/// Where only three speak and three are needed, whoever hears a far one late agrees late, and nobody else does.
#[test]
fn a_link_is_far_in_one_direction() {
    let silent =
        ["cedar-1", "dune-1"].map(|of| format!("[[adversary]]\nmember = {of:?}\nkind = \"silent\"\n")).concat();
    let three = format!("{}\n{silent}", text("one-far-partner").split("[[link]]").next().unwrap_or_default());
    let rest = "[attack]\nkind = \"reentrancy\"\nafter = \"ready\"\ntransactions = 6\n\
                wei = \"1000000000000000000\"\ntimes = 11\n[expect]\npaused = true\n";
    let far = |end: &str| format!("{three}[[link]]\n{end} = \"ember\"\ndelay_ms = [2000, 2000]\n{rest}");
    for seed in 0..3 {
        let [alder, birch, .., ember] = agreed(&far("from"), seed);
        assert!(alder.min(birch) >= ember + 1_500, "{alder} {birch} {ember}");
        let [alder, birch, .., ember] = agreed(&far("to"), seed);
        assert!(ember >= alder.max(birch) + 1_500, "{alder} {birch} {ember}");
    }
}

/// A node that hears everybody as a drip agrees last, each seed.
#[test]
fn a_drip_delays() {
    for seed in 0..3 {
        let [alder, birch, cedar, dune, ember] = agreed(&text("slow-drip"), seed);
        let others = [alder, birch, dune, ember];
        assert!(others.iter().all(|other| cedar >= other + 200), "{cedar} {others:?}");
    }
}

/// Where four of six are needed, a flap of three keeps the pause waiting until its links work again, and no longer.
#[test]
fn a_flap_cuts_and_heals() {
    let once = text("flapping").replace("period_ms = 7000\ntimes = 5", "period_ms = 24000\ntimes = 1");
    let (before, after) = once.split_once("# And").unwrap();
    let once = format!("{before}[expect]{}", after.split("[expect]").nth(1).unwrap());
    for seed in 0..3 {
        // The attack begins one second after the cut, which lasts twelve.
        let paused = played(&once, seed).response.include_ms.unwrap();
        assert!((10_000..=15_000).contains(&paused), "{paused}");
    }
}

/// The third approval comes when the scenario says, and the pause after it.
#[test]
fn people_take_their_time() {
    // The later one comes after the attack's last transaction.
    let soon = text("people-enough").replace("attacker_reverts = \"EnforcedPause()\"\n", "");
    let late = soon.replace("delay_ms = 2100", "delay_ms = 7900");
    for (text, range) in [(soon, 2_100..5_000), (late, 7_900..10_800)] {
        let paused = played(&text, 0).response.include_ms.unwrap();
        assert!(range.contains(&paused), "{paused}");
    }
}

/// The second wave comes when the scenario says, and only then there is anything to pause for.
#[test]
fn a_wave_comes_when_it_is_said() {
    for seed in 0..3 {
        let paused = played(&text("two-waves"), seed).response.include_ms.unwrap();
        assert!((8_000..=11_000).contains(&paused), "{paused}");
    }
}

/// What is lost is counted over both vaults and every time that the attack is played: amounts in ether, and what the pause kept out.
#[test]
fn every_vault_and_every_attack_count() {
    let ether = |amount: U256| u64::try_from(amount / U256::from(10).pow(U256::from(18))).unwrap();
    let expected = [
        ("second-attack", [100, 20, 100, 20], "10 of the attacker's 12 transactions"),
        ("two-assets", [200, 18, 144, 12], "10 of the attacker's 12 transactions"),
    ];
    for (name, amounts, kept_out) in expected {
        let made = played(&text(name), 0);
        let loss = &made.loss;
        assert_eq!([loss.before, loss.taken, loss.without_response, loss.oracle].map(ether), amounts, "{name}");
        assert!(made.blocks.iter().any(|line| line == kept_out), "{name}: {:?}", made.blocks);
    }
    for name in ["second-attack", "two-assets", "walk-through"] {
        let loss = played(&text(name), 0).loss;
        let end = loss.curve.last().unwrap();
        assert_eq!(end.with, loss.taken, "{name}: {:?}", loss.curve);
        assert!(loss.oracle <= loss.taken && loss.taken <= end.without, "{name}");
    }
}

/// Where nobody decided, no decision time is told, neither to machines nor to people.
#[test]
fn what_was_not_measured_is_not_told() {
    let report = &run(&["compromised-minority"], 0..1, 1)[0];
    assert_eq!(report.hops, Hops { p50: None, p99: None });
    assert!(serde_json::to_string(report).unwrap().contains("\"hops\":{\"p50\":null,\"p99\":null}"));
    assert!(report.summary().contains(", - hops, "), "{}", report.summary());
}
