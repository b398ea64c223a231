//! Incidents: what belongs to which. Nothing that signs depends on it; people and evidence do.

use std::collections::BTreeSet;

use watchfire_types::body::{Body, Finding};
use watchfire_types::input::HumanAct;
use watchfire_types::{EventHash, Severity, Verified};

use crate::cluster::*;

/// Kinds of what belongs to the one incident that node 0 knows.
fn kinds(c: &Cluster) -> Vec<&'static str> {
    let machine = &c.nodes[0].machine;
    let incidents = machine.incidents();
    assert_eq!(incidents.len(), 1);
    machine.incident_events(&incidents[0]).into_iter().map(|event| event.body.kind()).collect()
}

/// Everything that names the incident by what it says is in it, and of the rest what was handed out, executed and taken back for it.
#[test]
fn an_incident_is_told_to_its_end() {
    let mut c = recovered();
    let machine = &c.nodes[0].machine;
    let incident = machine.incidents().remove(0);
    let held: BTreeSet<_> = machine.incident_events(&incident).into_iter().map(Verified::hash).collect();
    let named = machine.events().filter(|event| machine.incident_of(event) == Some(incident.id));
    let named: BTreeSet<EventHash> = named.map(Verified::hash).collect();
    assert!(named.is_subset(&held) && named.len() > 10, "{} of {}", named.len(), held.len());
    let others = machine.events().filter(|event| held.contains(&event.hash()) && !named.contains(&event.hash()));
    let others: BTreeSet<_> = others.map(|event| event.body.kind()).collect();
    assert_eq!(others, BTreeSet::from(["executed"]));
    // The recovery's block goes, and with it what was said of it.
    assert!(!kinds(&c).contains(&"retracted"));
    c.reorg(1);
    c.mine(&[]);
    assert!(kinds(&c).contains(&"retracted"));
}

/// Each event stands in it once.
#[test]
fn nothing_is_told_twice() {
    let c = recovered();
    let machine = &c.nodes[0].machine;
    let events = machine.incident_events(&machine.incidents()[0]);
    let distinct: BTreeSet<_> = events.iter().map(|event| event.hash()).collect();
    assert_eq!(distinct.len(), events.len());
}

/// What others found worst decides, until people say otherwise; who sees it later sees the same.
#[test]
fn severity_is_the_worst_found_or_the_last_said() {
    let mut c = cluster();
    let at = c.chain.head().at;
    let milder = Finding { severity: Severity::Sev4, ..finding("vault-outflow", at) };
    let event = c.nodes[1].author(Body::Finding(milder.clone()));
    c.send(1, event);
    c.settle();
    assert_eq!(c.nodes[0].machine.incidents()[0].severity, Severity::Sev4);
    let worse = Finding { severity: Severity::Sev2, ..milder };
    let event = c.nodes[2].author(Body::Finding(worse));
    c.send(2, event);
    c.settle();
    let incident = c.nodes[0].machine.incidents().remove(0);
    assert_eq!(incident.severity, Severity::Sev2);
    let said = HumanAct::Classify { incident: incident.id, severity: Severity::Sev5, human: human("a test") };
    c.act(0, said).expect("a severity");
    for node in &c.nodes {
        assert_eq!(node.machine.incidents()[0].severity, Severity::Sev5);
    }
}

/// What a step should leave true and does not is an alarm from the block on that shows both, and ends with either.
#[test]
fn what_should_have_stayed_true_is_an_alarm() {
    // A charter that nobody would write: the pause itself breaks it.
    let paused = "postcondition = { call = \"paused() returns (bool)\", arguments = [], equals = \"true\" }";
    let stays = "stays = [{ call = \"paused() returns (bool)\", arguments = [], equals = \"false\" }]";
    let mut c = Cluster::new(charter(|text| text.replace(paused, &format!("{paused}\n{stays}"))), 1);
    let broken = |c: &Cluster| {
        let alarms = c.nodes[0].machine.alarms();
        alarms.into_iter().find(|line| line.starts_with("stays-broken"))
    };
    assert_eq!(broken(&c), None);
    c.all_find("vault-outflow");
    c.mine(&[]);
    assert_eq!(c.execute(), 1);
    let line = broken(&c).expect("an alarm");
    assert!(line.contains("contain-vault") && line.contains("paused()"), "{line}");
    c.reorg(1);
    assert_eq!(broken(&c), None);
}
