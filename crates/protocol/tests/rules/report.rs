//! What is reported from outside the chain: said once, told to people, and never a reason for anything that signs.

use std::collections::{BTreeMap, BTreeSet};

use watchfire_protocol::Rejection;
use watchfire_types::body::{Body, Finding};
use watchfire_types::duty::Page;
use watchfire_types::input::{Channel, HumanAct, Input, REPORT_FIGURES_MAX, REPORT_MAX, Report};
use watchfire_types::*;

use crate::cluster::*;
use crate::ledger::close;

/// A playbook that answers whatever is found, where reports are as bad as can be.
fn eager(source: &str) -> String {
    let row =
        "[[severity]]\nkinds = [\"report\"]\nlow = \"SEV1\"\nmedium = \"SEV1\"\nhigh = \"SEV1\"\ncritical = \"SEV1\"\n";
    source.replacen("kinds = [\"outflow\", \"event\"]\n", "", 1) + "\n" + row
}

fn report(id: &str) -> Report {
    Report {
        asset: name("vault-core"),
        source: name("oz-monitor"),
        channel: Channel::Webhook,
        id: id.to_owned(),
        sent: Timestamp::from_millis(1_700_000_000_000),
        summary: "Large transfer\u{1b}[2J\r\n of 5 ether \u{202e}".to_owned(),
        digest: B256::repeat_byte(7),
        figures: BTreeMap::new(),
    }
}

fn hear(c: &mut Cluster, index: usize, report: Report) -> Result<(), Rejection> {
    c.take(index, &Input::Reported(Box::new(report)))
}

fn person(c: &mut Cluster, index: usize, words: &str) -> Result<(), Rejection> {
    c.act(index, HumanAct::Report { asset: name("vault-core"), human: human(words) })
}

fn findings(c: &Cluster) -> Vec<Finding> {
    let found = c.nodes[0].machine.events().filter_map(|event| match &event.body {
        Body::Finding(finding) => Some(finding.clone()),
        _ => None,
    });
    found.collect()
}

fn told(c: &Cluster, index: usize) -> BTreeSet<String> {
    let pages = c.nodes[index].machine.owed(c.now).pages;
    pages.into_iter().filter(|page: &Page| page.kind == "report").map(|page| page.text).collect()
}

/// A monitor's message and a person's words are findings of the asset's incident with their source, in one plain line, at the head; the matrix says
/// how bad they are.
#[test]
fn a_report_is_a_finding_with_its_source() {
    let mut c = Cluster::new(charter(eager), 98);
    c.mine(&[]);
    hear(&mut c, 0, report("msg-1")).expect("is taken");
    person(&mut c, 1, "the deploy\tkey is \u{2066}gone").expect("is taken");
    let head = c.chain.head().at;
    let mut found = findings(&c);
    found.sort_by(|a, b| a.detector.cmp(&b.detector));
    let [monitor, person] = <[Finding; 2]>::try_from(found).expect("two");
    assert_eq!((monitor.detector.as_str(), person.detector.as_str()), ("oz-monitor", "person"));
    for one in [&monitor, &person] {
        assert_eq!((one.kind.as_str(), one.severity, one.first, one.block), ("report", Severity::Sev1, head, head));
    }
    assert_eq!(monitor.explanation, "reported: Large transfer [2J of 5 ether");
    assert_eq!(person.explanation, "p1 (lead) reports: the deploy key is gone");
    let figure = |finding: &Finding, name: &str| finding.figures.get(name).cloned();
    assert_eq!(figure(&monitor, "id").as_deref(), Some("msg-1"));
    assert_eq!(figure(&monitor, "sha256"), Some(B256::repeat_byte(7).to_string()));
    assert_eq!(figure(&monitor, "sent_ms").as_deref(), Some("1700000000000"));
    assert_eq!((figure(&person, "person").as_deref(), figure(&person, "role").as_deref()), (Some("p1"), Some("lead")));
    let incidents = c.nodes[3].machine.incidents();
    assert_eq!((incidents.len(), incidents[0].severity), (1, Severity::Sev1));
    assert_eq!(c.digests().len(), 1);
}

/// Nobody votes on a report, says that a pause was wanted, or takes it back when its block goes: however bad the matrix says it is, and under whatever
/// name a liar says it.
#[test]
fn no_vote_rests_on_a_report() {
    let mut c = Cluster::new(charter(eager), 98);
    c.mine(&[]);
    hear(&mut c, 0, report("msg-1")).expect("is taken");
    for index in 0..5 {
        person(&mut c, index, "it is being drained").expect("is taken");
    }
    let [mut forged, ..] = <[Finding; 6]>::try_from(findings(&c)).expect("six");
    forged.detector = name("vault-outflow");
    let event = c.nodes[4].author(Body::Finding(forged));
    c.send(4, event);
    c.reorg(1);
    for _ in 0..6 {
        c.mine(&[]);
    }
    let wanted = |kind: &&str| ["vote", "certificate", "not-contained", "retracted"].contains(kind);
    let said: Vec<_> = c.nodes[0].machine.events().map(|event| event.body.kind()).filter(wanted).collect();
    assert!(said.is_empty(), "{said:?}");
    assert!(c.nodes.iter().all(|node| node.machine.outlooks().iter().all(|outlook| outlook.why_not.is_none())));
    // The same playbook votes for what its detectors find.
    c.all_find("vault-outflow");
    c.mine(&[]);
    assert!(c.votes(0, 1) > 0 && c.execute() == 1);
}

/// However old it grows, it is no pause that was wanted and did not come: its source is a rule that the charter does not know, which is else taken for
/// one that votes.
#[test]
fn a_report_wants_no_pause() {
    let mut c = Cluster::new(charter(eager), 98);
    c.mine(&[]);
    hear(&mut c, 0, report("msg-1")).expect("is taken");
    for later in [1, EXPIRY_S / 2, EXPIRY_S, 2 * EXPIRY_S] {
        c.mine_to(100 + later);
        assert_eq!(c.count(0, |body| matches!(body, Body::NotContained(_))), 0, "{later} s later");
        assert!(c.nodes[0].machine.outlooks().iter().all(|outlook| outlook.why_not.is_none()), "{later} s later");
    }
}

/// What was said is not said again: not from another block, and not by a node that was started anew. Another source, or another organisation, may
/// have the same name for something else.
#[test]
fn a_message_is_said_once() {
    let mut c = Cluster::new(charter(str::to_owned), 98);
    c.mine(&[]);
    hear(&mut c, 0, report("msg-1")).expect("is taken");
    let said = c.nodes[0].log.last().expect("an event").hash();
    c.mine(&[]);
    assert_eq!(hear(&mut c, 0, report("msg-1")), Err(Rejection::ReportHeld { event: said }));
    let mut anew = Node::new(&c.charter, 0, 0x77);
    for event in c.nodes[0].log.clone() {
        anew.receive(c.now, &event).expect("is taken back");
    }
    assert_eq!(anew.machine.report_held(&name("oz-monitor"), "msg-1"), Some(said));
    assert_eq!(anew.machine.report_held(&name("oz-monitor"), "msg-2"), None);
    hear(&mut c, 0, Report { source: name("grafana"), ..report("msg-1") }).expect("another source's");
    hear(&mut c, 1, report("msg-1")).expect("another organisation's");
    assert_eq!(findings(&c).len(), 3);
}

/// What a node asked for says how, with what it measured: as much as a finding may hold, and nothing that it names can pass for what every report has.
#[test]
fn what_was_asked_for_says_how() {
    let mut c = Cluster::new(charter(str::to_owned), 98);
    c.mine(&[]);
    let figures = BTreeMap::from([("value", format!("{}\n{}", "a".repeat(127), "b")), ("source", "person".to_owned())]);
    hear(&mut c, 0, Report { channel: Channel::Prometheus, figures, ..report("a") }).expect("is taken");
    let names = "abcdefghijklmnopqrstuvwxy";
    let many = (0..names.len()).map(|at| (&names[at..=at], String::new())).collect();
    hear(&mut c, 0, Report { figures: many, ..report("b") }).expect("is taken, and cut");
    let found = findings(&c);
    let one = found.iter().find(|finding| finding.figures["id"] == "a").expect("is there");
    assert!(one.explanation.starts_with("measured: Large transfer"), "{}", one.explanation);
    assert_eq!(one.figures["source"], "prometheus");
    assert_eq!(one.figures["value"], format!("{} ", "a".repeat(127)), "the first 128 bytes of one line");
    let other = found.iter().find(|finding| finding.figures["id"] == "b").expect("is there");
    assert_eq!(other.figures.len(), REPORT_FIGURES_MAX + 4);
}

/// What is no report is refused by name, and nothing is said.
#[test]
fn what_is_no_report_has_a_name() {
    let mut c = Cluster::new(charter(str::to_owned), 98);
    let asset: AssetId = name("no-such-asset");
    for (wrong, expected) in [
        (Report { source: name("vault-outflow"), ..report("a") }, "the name of a rule"),
        (Report { source: name("person"), ..report("a") }, "or of people"),
        (report(""), "1 to 128 bytes"),
        (report(&"a".repeat(129)), "1 to 128 bytes"),
        (report("a\nb"), "no control character"),
        (Report { asset, ..report("a") }, "no-such-asset"),
    ] {
        let refused = hear(&mut c, 0, wrong).expect_err("is refused");
        assert!(refused.to_string().contains(expected), "{refused}");
    }
    for words in ["", " \n\u{202e}", &"a".repeat(REPORT_MAX + 1)] {
        assert!(person(&mut c, 0, words).is_err(), "{words:?}");
    }
    assert!(findings(&c).is_empty());
    person(&mut c, 0, &"a".repeat(REPORT_MAX)).expect("as long as may be");
    let long = Report { summary: "\u{e9}".repeat(REPORT_MAX), ..report("long") };
    hear(&mut c, 0, long).expect("is cut");
    assert!(findings(&c).iter().all(|finding| finding.explanation.len() <= 512));
}

/// A source that never stops leaves a node what it needs to decide.
#[test]
fn reports_leave_room_for_decisions() {
    let mut c = Cluster::new(charter(str::to_owned), 98);
    c.mine(&[]);
    let said = (0..1_000).take_while(|number| hear(&mut c, 0, report(&format!("msg-{number}"))).is_ok()).count();
    assert!((400..700).contains(&said), "{said}");
    assert_eq!(hear(&mut c, 0, report("one-more")), Err(Rejection::QuotaSpent));
    c.all_find("vault-outflow");
    c.mine(&[]);
    assert!(c.votes(0, 1) > 0 && c.execute() == 1);
}

/// A script that speaks for a person leaves a node what it needs to decide: it is refused before anything is said that all others would refuse for good,
/// and a person's vote and veto are taken all the same.
#[test]
fn people_leave_room_for_decisions() {
    let mut c = Cluster::new(charter(str::to_owned), 98);
    c.mine(&[]);
    c.all_find("vault-outflow");
    c.mine(&[]);
    let incident = c.nodes[0].machine.incidents()[0].id;
    let note =
        |c: &mut Cluster, number: usize| c.act(0, HumanAct::Note { incident, human: human(&format!("note {number}")) });
    let said = (0..1_000).take_while(|number| note(&mut c, *number).is_ok()).count();
    assert!((400..700).contains(&said), "{said}");
    assert_eq!(note(&mut c, 1_000), Err(Rejection::QuotaSpent));
    let veto = HumanAct::Veto { asset: name("vault-core"), playbook: name("contain-vault"), human: human("stop") };
    c.act(0, veto).expect("decides");
    let reached = c.nodes[1].machine.heads().values().map(|(seq, _)| seq.get()).max().unwrap();
    assert!(reached >= said as u64, "others have all of it: {reached} of {said}");
}

/// Everybody's people are woken once for the monitors and once for the people of an organisation, until the incident is closed. A snooze quiets
/// monitors, and no person.
#[test]
fn a_report_wakes_people_once() {
    let mut c = Cluster::new(charter(str::to_owned), 98);
    c.mine(&[]);
    for number in 0..3 {
        hear(&mut c, 0, report(&format!("msg-{number}"))).expect("is taken");
        c.mine(&[]);
    }
    let first = told(&c, 3);
    assert_eq!(first.len(), 1);
    assert!(
        first.iter().all(|text| text.starts_with("a monitor of alder reports something of vault-core")),
        "{first:?}"
    );
    person(&mut c, 0, "it is being drained").expect("is taken");
    let both = told(&c, 3);
    assert!(both.len() == 2 && both.is_superset(&first), "{both:?}");
    let quiet = HumanAct::Snooze { asset: name("vault-core"), detector: None, lasts_s: 600, human: human("we know") };
    c.act(3, quiet).expect("is taken");
    assert!(told(&c, 3).is_disjoint(&first) && told(&c, 3).len() == 1);
    assert_eq!(told(&c, 2), both);
    c.mine(&[]);
    for index in 0..3 {
        close(&mut c, index, None);
    }
    assert!((0..5).all(|index| told(&c, index).is_empty()));
    person(&mut c, 0, "again").expect("is taken");
    assert!(told(&c, 2).is_empty(), "at the block of the close it belongs to what was closed");
    c.mine(&[]);
    person(&mut c, 0, "and again").expect("is taken");
    assert_eq!(told(&c, 2).len(), 1);
}
