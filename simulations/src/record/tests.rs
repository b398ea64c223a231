//! A record says what auditors ask for, in every format, and names a gap for everybody who did not do their part.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;

fn participant(organisation: &str, detect_ms: Option<u64>, sign_ms: Option<u64>) -> Participant {
    Participant {
        organisation: organisation.parse().unwrap(),
        member: format!("{organisation}-1").parse().unwrap(),
        adversary: None,
        detect_ms,
        vote_ms: detect_ms,
        agree_ms: detect_ms,
        sign_ms,
        submit_ms: None,
    }
}

fn record() -> DrillRecord {
    let ether = |count: u64| U256::from(count) * U256::from(10).pow(U256::from(18));
    let point = |block, with, without| LossPoint { block, with: ether(with), without: ether(without) };
    DrillRecord {
        exercise: Exercise::Drill,
        date: "2026-12-15".to_owned(),
        scenario: "vault-drain".to_owned(),
        title: "a | drain <fast>".to_owned(),
        seed: None,
        charter: "ab".repeat(32),
        participants: vec![
            participant("alder", Some(40), Some(90)),
            participant("birch", None, None),
            participant("cedar", Some(50), None),
            participant("dune", None, None),
        ],
        rehearsed: vec!["plays core; other playbooks: none".to_owned()],
        injected: vec!["ready: Silence".to_owned()],
        response: Response { detect_ms: Some(40), blocks: Some(9), ..Response::default() },
        loss: LossCurve {
            before: ether(100),
            taken: ether(20),
            without_response: ether(60),
            oracle: ether(10),
            curve: vec![point(4, 10, 10), point(5, 20, 20), point(6, 20, 30)],
        },
        blocks: vec!["pause()".to_owned()],
        cause: None,
        checks: vec![Check { name: "paused".to_owned(), detail: "true".to_owned(), passed: true }],
        gaps: Vec::new(),
        actions: Vec::new(),
        passed: false,
    }
    .completed(&["dune".parse().unwrap()])
}

/// Too slow, unseen, unsigned and down: each is a gap with an owner and a day.
#[test]
fn gaps_have_owners_and_days() {
    let record = record();
    let said: Vec<_> = record.actions.iter().map(|one| (one.owner.as_str(), one.due.as_str())).collect();
    let expected =
        [("all partners", "2027-01-14"), ("birch", "2027-03-15"), ("cedar", "2027-03-15"), ("dune", "2027-03-15")];
    assert_eq!(said, expected);
    assert!(record.gaps[1].what.contains("did not notice") && record.gaps[2].what.contains("did not co-sign"));
    assert!(record.gaps[3].what.contains("was down") && record.passed);
}

/// Markdown keeps its tables whole, a page carries nothing foreign and no bare markup, JSON reads back.
#[test]
fn every_format_says_it() {
    let record = record();
    let markdown = record.render(RecordFormat::Markdown);
    for said in
        ["# Drill record: vault-drain, 2026-12-15", "a \\| drain", "| birch | birch-1 | - |", "| 5 | 20 ETH | 20 ETH |"]
    {
        assert!(markdown.contains(said), "{said} is not in\n{markdown}");
    }
    let page = record.render(RecordFormat::Html);
    assert!(page.contains("&lt;fast&gt;") && page.contains("<polyline") && !page.contains("http"), "{page}");
    let json: serde_json::Value = serde_json::from_str(&record.render(RecordFormat::Json)).unwrap();
    assert_eq!(json["actions"][1]["owner"], "birch");
    assert_eq!(json["loss"]["oracle"], "10000000000000000000");
    assert_eq!(RecordFormat::of_extension("md"), Some(RecordFormat::Markdown));
    assert_eq!(RecordFormat::of_extension("txt"), None);
}

/// Days over the ends of months and years, a leap day among them.
#[test]
fn days_are_counted() {
    assert_eq!(day(0), "1970-01-01");
    assert_eq!(day(1_709_164_800), "2024-02-29");
    assert_eq!(after("2024-02-01", 30), "2024-03-02");
    assert_eq!(after("2026-12-15", 90), "2027-03-15");
    assert_eq!(after("soon", 90), "soon");
}
