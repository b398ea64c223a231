//! A charter of one's own in the place of the scenarios': the shipped example holds, and what it cannot hold is named.

use std::collections::BTreeMap;

use super::{Kind, ScenarioReport, SimulateOptions, options, simulate};
use crate::record::RecordFormat;
use crate::simulate::agenda::SECOND;
use crate::simulate::cast::Cast;
use crate::simulate::rehearsal::stage;
use crate::simulate::world::When;
use crate::simulate::{SimulateError, plan, record};

const EXAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/charter.example.toml");

fn with(scenarios: &[&str], charter: &str) -> SimulateOptions {
    SimulateOptions { charter: Some(charter.to_owned()), ..options(scenarios, 0..1, 1) }
}

fn changed(change: impl Fn(&str) -> String) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), change(&std::fs::read_to_string(EXAMPLE).unwrap())).unwrap();
    file
}

/// The example's five partners contain a drain, with two of them silent, with one operator that lies, and after a taken nonce; on its own
/// chain of twelve seconds a block. Its record names them.
#[test]
fn the_example_charter_holds() {
    let options = with(&["vault-drain", "two-silent", "operator-says-paused", "nonce-stolen"], EXAMPLE);
    for report in simulate(&options, |_| {}).unwrap() {
        assert_eq!(report.failed, 0, "{}", report.summary());
        assert!(report.scores.include_ms.is_some_and(|ms| ms >= 12_000), "{report:?}");
    }
    let made = record("two-silent", 0, &options, "2026-12-15").unwrap();
    assert!(made.passed && made.loss.taken < made.loss.without_response && !made.loss.curve.is_empty());
    let text = made.render(RecordFormat::Markdown);
    for said in ["| dogwood | dogwood-1 |", "elm-1 (silent)", "acted against the protocol", "| elm | 2027-03-15 |"] {
        assert!(text.contains(said), "{said} is not in\n{text}");
    }
}

/// Every scenario of the library that has parts for five partners holds with the example, and of the others it is said what they lack.
#[test]
fn the_library_holds_with_the_example() {
    let options = SimulateOptions { scenarios: Vec::new(), jobs: 2, ..with(&[], EXAMPLE) };
    let reports = simulate(&options, |report| println!("{}", report.summary())).unwrap();
    let failed: Vec<String> = reports.iter().filter(|report| report.failed > 0).map(ScenarioReport::summary).collect();
    assert!(failed.is_empty(), "\n{}", failed.join("\n"));
    let left_out = reports.iter().filter_map(|one| Some((one.scenario.as_str(), one.not_played.as_deref()?)));
    let few = "the scenario has a part for org-06, and the charter's Safe has 5 guardians only";
    let further =
        "the scenario has a part for ember-2, a further node of a partner, and the charter's nodes are as they are";
    let expected = [("bad-night", few), ("flapping", few), ("many-nodes", further)];
    assert_eq!(left_out.collect::<BTreeMap<_, _>>(), expected.into());
    let not_judged = reports.iter().filter_map(|one| {
        let lines = &one.rehearsal.as_ref()?.not_judged;
        let words = lines.iter().filter_map(|line| line.split(':').next());
        (!lines.is_empty()).then(|| (one.scenario.as_str(), words.collect::<Vec<_>>().join("; ")))
    });
    let not_judged: Vec<(&str, String)> = not_judged.collect();
    let paused = "whether it is paused";
    let expected = [
        ("false-alarm", paused),
        ("walk-through", "that it is paused 3 times"),
        ("false-pause-demotes", "that it is paused 2 times"),
        ("flag-suffices", paused),
        ("people-too-few", paused),
        ("recovery-beside", "the scenario's second vault"),
        ("second-attack", "that it is paused 2 times"),
        ("two-assets", "the scenario's second vault"),
    ];
    assert_eq!(not_judged, expected.map(|(name, what)| (name, what.to_owned())));
}

/// A flag that ends the loss is a containment, whatever the scenario calls for; a ladder that only proposes is not judged by what nobody approves.
#[test]
fn what_follows_from_the_charter_is_judged() {
    let early = changed(|text| {
        text.replace("limit = \"500000000000000000000\"\nshare_bps = 500", "limit = \"4000000000000000000000\"")
    });
    let options = with(&["vault-drain"], early.path().to_str().unwrap());
    let report = &simulate(&options, |_| {}).unwrap()[0];
    assert_eq!((report.failed, report.scores.include_ms), (0, None), "{}", report.summary());
    let made = record("vault-drain", 0, &options, "2026-12-15").unwrap();
    assert!(made.passed && made.loss.taken < made.loss.without_response, "{:?}", made.checks);
    let proposing = changed(|text| text.replacen("mode = \"auto\"", "mode = \"propose\"", 1));
    let report = &simulate(&with(&["vault-drain"], proposing.path().to_str().unwrap()), |_| {}).unwrap()[0];
    let not_judged = &report.rehearsal.as_ref().unwrap().not_judged;
    assert_eq!((report.failed, report.scores.include_ms, not_judged.len()), (0, None, 1), "{}", report.summary());
    assert!(not_judged[0].contains("the ladder's mode is propose"), "{not_judged:?}");
    let made =
        record("vault-drain", 0, &with(&["vault-drain"], proposing.path().to_str().unwrap()), "2026-12-15").unwrap();
    let said = made.render(RecordFormat::Markdown);
    assert!(said.contains("the ladder's mode is propose") && said.contains("can move vault-outflow"), "{said}");
}

/// A detector of the example, with another name, kind and bounds.
fn bounded(id: &str, call: &str, bound: &str) -> String {
    format!(
        "\n[[detector]]\nid = \"{id}\"\nasset = \"vault-core\"\nseverity = \"SEV1\"\nkind = \"state\"\nwhat = \"call\"\n\
         call = \"{call}() returns (uint256)\"\ntarget = \"0x1000000000000000000000000000000000000001\"\n{bound}\nstands_s = 3600\n"
    )
}

/// An attack moves the detectors that look at what it changes and no other, and which those are is told: without one the drain itself has to
/// be seen, a block later.
#[test]
fn an_attack_moves_what_it_changes() {
    let watched = changed(|text| {
        let price = bounded("vault-price", "latestAnswer", "min = \"95\"\nmax = \"105\"");
        format!("{text}{price}{}", bounded("vault-supply", "totalSupply", "max = \"1000\""))
    });
    let leaping = changed(|text| {
        let leap = bounded("vault-shares", "convertToAssets", "rise_bps = 200")
            .replace("\"state\"\nwhat = \"call\"", "\"leap\"");
        format!("{}{leap}", text.replace("\"state\", \"containment-failed\"", "\"leap\""))
    });
    let (watched, leaping) = (watched.path().to_str().unwrap(), leaping.path().to_str().unwrap());
    let expected = [
        ("forged-message", EXAMPLE, None, 12_000),
        ("oracle-manipulation", leaping, Some("vault-shares"), 12_000),
        ("oracle-manipulation", EXAMPLE, None, 24_000),
        ("oracle-manipulation", watched, Some("vault-price"), 12_000),
        ("infinite-mint", EXAMPLE, None, 24_000),
        ("infinite-mint", watched, Some("vault-supply"), 12_000),
        ("governance-takeover", watched, Some("vault-owner"), 12_000),
        ("stolen-upgrade-key", watched, Some("vault-implementation"), 12_000),
    ];
    for (name, charter, moves, included) in expected {
        let report = &simulate(&with(&[name], charter), |_| {}).unwrap()[0];
        let said = report.rehearsal.as_ref().unwrap();
        let moved = said.moves.iter().map(|id| id.as_str()).filter(|id| !id.starts_with("vault-outflow"));
        assert_eq!(moved.collect::<Vec<_>>(), Vec::from_iter(moves), "{name}");
        assert_eq!((report.failed, report.scores.include_ms), (0, Some(included)), "{}", report.summary());
        assert!(said.cannot_move.iter().any(|id| id.as_str() == "vault-unpaused"), "{said:?}");
    }
}

/// Ladders that are not played, and their detectors, are named to people and machines.
#[test]
fn what_is_not_played_is_named() {
    let two = changed(|text| {
        let asset = &text[text.find("[[asset]]").unwrap()..text.find("# Every rule counts").unwrap()];
        let ladder = &text[text.find("[[playbook]]").unwrap()..text.find("# The way back").unwrap()];
        let detector = &text[text.find("[[detector]]\nid = \"vault-outflow-early\"").unwrap()..];
        let detector = &detector[..detector.find("\n\n").unwrap()];
        let wing = format!("\n{asset}\n{ladder}\n{detector}\n").replace("vault", "wing");
        format!("{text}{}", wing.replace("0x1000000000000000000000000000000000000001", &format!("0x{:040}", 7)))
    });
    let report = &simulate(&with(&["vault-drain"], two.path().to_str().unwrap()), |_| {}).unwrap()[0];
    let said = serde_json::to_value(report).unwrap()["rehearsal"].clone();
    assert_eq!(said["plays"], serde_json::json!(["contain-vault"]));
    assert_eq!(said["leaves"], serde_json::json!(["contain-wing", "recover-vault"]));
    assert_eq!(said["moves"], serde_json::json!(["vault-outflow", "vault-outflow-early"]));
    assert!(said["cannot_move"].as_array().unwrap().contains(&"wing-outflow-early".into()), "{said}");
    let text = report.summary();
    assert!(text.contains("\n  plays contain-vault; other playbooks: contain-wing, recover-vault\n"), "{text}");
    assert!(
        text.contains("; other detectors: vault-implementation, vault-owner, vault-unpaused, wing-outflow-early"),
        "{text}"
    );
}

/// Everything that has a time is stretched to the charter's blocks: a halt of the chain, and when chance strikes.
#[test]
fn times_are_stretched() {
    let report = &simulate(&with(&["sequencer-stall"], EXAMPLE), |_| {}).unwrap()[0];
    assert!(report.scores.include_ms.is_some_and(|ms| ms >= 12 * 12_000), "{}", report.summary());
    let (scenario, own) = stage("weather", &std::fs::read_to_string(EXAMPLE).unwrap()).unwrap();
    let cast = Cast::rehearsed(scenario, &own).unwrap();
    let drawn = (0..5).flat_map(|seed| plan::faults(&cast, seed, None)).map(|planned| match planned.when {
        When::Drawn(at) | When::After(_, at) => at / SECOND,
    });
    assert!(drawn.max().is_some_and(|latest| (120..=248).contains(&latest)));
}

/// A rule that two silent partners keep from being met is found out, and the command that shows it names the charter.
#[test]
fn a_charter_that_is_too_strict_is_found_out() {
    let file = changed(|text| {
        let stricter = |text: &str, least: u8| {
            text.replace(&format!("{{ security = {least} }}"), &format!("{{ security = {least}, responder = 1 }}"))
        };
        stricter(&stricter(text, 1), 2)
    });
    let path = file.path().to_str().unwrap();
    let report = &simulate(&with(&["two-silent"], path), |_| {}).unwrap()[0];
    let failure = report.failures.first().expect("elm is silent, and nobody else is a responder");
    assert_eq!(failure.kind, Kind::Liveness);
    assert!(failure.replay.ends_with(&format!("--charter {path}")), "{}", failure.replay);
}

/// What is no charter, what is none that can be played, and a part that nobody has.
#[test]
fn what_cannot_be_played_is_named() {
    let refused = |scenario: &str, path: &str| simulate(&with(&[scenario], path), |_| {}).unwrap_err();
    assert!(matches!(refused("vault-drain", "/no/such/file"), SimulateError::NoCharter { .. }));
    let unsound = changed(|text| text.replace("threshold = 3", "threshold = 9"));
    let message = refused("vault-drain", unsound.path().to_str().unwrap()).to_string();
    assert!(message.contains("threshold"), "{message}");
    let message = refused("bad-night", EXAMPLE).to_string();
    assert!(message.contains("has a part for org-06"), "{message}");
}
