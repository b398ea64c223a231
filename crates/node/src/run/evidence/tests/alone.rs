//! A whole node whose loop does not turn: each step is the test's.

use std::sync::Arc;

use tokio::sync::oneshot;
use watchfire_driver::Door;
use watchfire_types::body::{CloseVote, Custodian, Decision, EvidenceCollected, Finding, Human, PostconditionChecked};
use watchfire_types::control::Reply;
use watchfire_types::input::Input;
use watchfire_types::{Event, IncidentId, StepIndex, Verified};

use super::chain::CHAIN;
use super::*;
use crate::evidence::told::Ended;
use crate::run::evidence::Begun;
use crate::run::node::Node;
use crate::run::start::{Assembled, assemble, open};

fn human() -> Human {
    Human { person: "p-7".to_owned(), role: "records".to_owned(), reason: "it is over".to_owned() }
}

/// Why an object cannot be disposed of.
async fn refused(node: &mut Node, object: B256) -> String {
    let (reply, answered) = oneshot::channel();
    let by = Custodian::Human(human());
    node.access_evidence([object].into(), AccessAction::Disposed, by, String::new(), reply);
    match answered.await.unwrap() {
        Reply::Error { error } => error,
        other => panic!("{other:?}"),
    }
}

/// An object of two incidents, one of which is closed, is kept for the other one; one of the closed one alone is not.
#[tokio::test]
async fn an_object_of_two_incidents_waits_for_both() {
    let (_directory, config) = running::directory();
    let Assembled { mut node, inbox: _inbox, output, socket: _socket } = assemble(open(&config).unwrap()).unwrap();
    node.take(output).await.unwrap();
    let charter = Arc::clone(&node.charter);
    let (asset, playbook) = ("vault-core".parse().unwrap(), "contain-vault".parse().unwrap());
    let [first, second] = [0, 1].map(|close| watchfire_protocol::incident_id(charter.network_id(), &asset, close));
    let decision = Decision { version: charter.version, asset, playbook };
    let closed_at = fixture::block(105);
    let close = Body::CloseVote(CloseVote { decision, closed_at, outcome: None, human: human() });
    let [shared, old] = [1, 2].map(B256::repeat_byte);
    let found = |number| fixture::finding(2, number, number).body.clone();
    let collected = |of: IncidentId, objects: &[B256]| fixture::collected(2, of, objects, 5).body.clone();
    let said =
        vec![found(100), close.clone(), found(110), collected(first, &[shared, old]), collected(second, &[shared])];
    let mut events = peers::chain(&charter, 2, said);
    events.extend([3, 4].into_iter().flat_map(|member| peers::chain(&charter, member, vec![close.clone()])));
    node.turn(vec![Door::CaughtUp { from: peers::key(2), events }]).await.unwrap();

    let incidents = node.driver.machine().incidents();
    let open: BTreeMap<_, _> = incidents.iter().map(|incident| (incident.id, incident.is_open())).collect();
    assert_eq!(open, [(first, false), (second, true)].into());
    assert!(refused(&mut node, shared).await.contains("belongs to an incident that is not closed"));
    assert!(refused(&mut node, old).await.contains("was never exported"));
}

/// A block that was taken for its state alone, as the one before an attack, is taken whole once an earlier finding makes it one of the attack:
/// when the first taking is over, and once.
#[tokio::test]
async fn the_block_before_an_attack_may_become_one_of_it() {
    let (mut node, _kept) = shown().await;
    find(&mut node, 100).await;
    assert_eq!(begin(&mut node), [(99, false), (100, true)]);
    find(&mut node, 99).await;
    assert_eq!(begin(&mut node), [(98, false)], "99 is under way");
    let incident = node.driver.machine().incidents()[0].id;
    node.on_told(Told::Ended(Ended { incident, block: block(99), complete: true })).await.unwrap();
    assert_eq!(begin(&mut node), [(99, true)]);
    node.on_told(Told::Ended(Ended { incident, block: block(99), complete: true })).await.unwrap();
    assert_eq!(begin(&mut node), []);
}

/// A node that was shown three blocks, and what must not be dropped before it.
async fn shown() -> (Node, impl Sized) {
    let (directory, config) = running::directory();
    let Assembled { mut node, inbox, output, socket } = assemble(open(&config).unwrap()).unwrap();
    node.take(output).await.unwrap();
    for number in 98..=100 {
        node.on_feed(CHAIN, running::feed(number, false)).await.unwrap();
    }
    (node, (directory, inbox, socket))
}

/// A contained attack whose every block this node has taken, and the manifest of an object that three others hold.
async fn taken(node: &mut Node) -> EvidenceCollected {
    find(node, 100).await;
    begin(node);
    let charter = Arc::clone(&node.charter);
    let incident = node.driver.machine().incidents()[0].id;
    let (asset, playbook) = ("vault-core".parse().unwrap(), "contain-vault".parse().unwrap());
    let (step, holds) = (StepIndex::new(1), true);
    let checked = Body::PostconditionChecked(PostconditionChecked { asset, playbook, step, holds, block: block(100) });
    let taken = fixture::collected(1, incident, &[B256::repeat_byte(1)], 5).body.clone();
    for member in [2, 3, 4] {
        let said = vec![fixture::finding(member, 100, 100).body.clone(), checked.clone(), taken.clone()];
        let events = peers::chain(&charter, member, said);
        node.turn(vec![Door::CaughtUp { from: peers::key(member), events }]).await.unwrap();
    }
    for number in [99, 100] {
        node.on_told(Told::Ended(Ended { incident, block: block(number), complete: true })).await.unwrap();
    }
    let Body::EvidenceCollected(taken) = taken else { panic!("a manifest") };
    taken
}

fn is_complete(node: &Node) -> bool {
    node.records.all().iter().any(|record| record.kind == "evidence-complete")
}

/// Evidence that was taken and is in no event yet is with nobody else: it is called complete only once that is said and copied.
#[tokio::test]
async fn what_is_not_said_yet_is_not_complete() {
    let (mut node, _kept) = shown().await;
    let own = taken(&mut node).await;
    let incident = own.incident;
    node.evidence.unsaid.items(own, crate::run::now());
    node.say_complete(incident);
    assert!(!is_complete(&node) && node.evidence.changed.contains(&incident));
    node.say_evidence(true).await.unwrap();
    node.say_complete(incident);
    assert!(is_complete(&node));
}

/// A manifest that no event can hold is missed, and the evidence is never called complete.
#[tokio::test]
async fn what_can_never_be_said_is_never_complete() {
    let (mut node, _kept) = shown().await;
    let mut own = taken(&mut node).await;
    let incident = own.incident;
    own.items[0].method = "m".repeat(1 << 20);
    node.evidence.unsaid.items(own, crate::run::now());
    for _ in 0..3 {
        node.say_evidence(true).await.unwrap();
        node.say_complete(incident);
        assert!(!is_complete(&node));
    }
    let missed = |event: &Verified<Event>| matches!(&event.body, Body::EvidenceMissed(missed) if missed.cause == MissCause::Refused);
    assert_eq!(node.driver.machine().events().filter(|event| missed(event)).count(), 1);
}

/// What was found is collected to the end, however soon people close the incident; of what another one found and nobody works on any more nothing is.
#[tokio::test]
async fn a_closed_incident_is_collected_to_its_end() {
    for found_here in [true, false] {
        let (mut node, _kept) = shown().await;
        if found_here {
            find(&mut node, 100).await;
            assert_eq!(begin(&mut node), [(99, false), (100, true)]);
        }
        let charter = Arc::clone(&node.charter);
        let (asset, playbook) = ("vault-core".parse().unwrap(), "contain-vault".parse().unwrap());
        let decision = Decision { version: charter.version, asset, playbook };
        let close = Body::CloseVote(CloseVote { decision, closed_at: block(101), outcome: None, human: human() });
        for member in 2..=4 {
            let said = vec![fixture::finding(member, 100, 100).body.clone(), close.clone()];
            let events = peers::chain(&charter, member, said);
            node.turn(vec![Door::CaughtUp { from: peers::key(member), events }]).await.unwrap();
        }
        node.on_feed(CHAIN, running::feed(101, false)).await.unwrap();
        node.on_feed(CHAIN, running::feed(102, false)).await.unwrap();
        let incidents = node.driver.machine().incidents();
        assert!(incidents.iter().all(|incident| !incident.is_open()), "{incidents:?}");
        assert_eq!(begin(&mut node), if found_here { vec![(101, true), (102, true)] } else { vec![] });
        assert_eq!(node.evidence.over.is_empty(), found_here);
    }
}

/// The node finds that the vault is drained since this block.
async fn find(node: &mut Node, first: u64) {
    let Body::Finding(found) = fixture::finding(1, first, first).body.clone() else { panic!("a finding") };
    let found = Finding { first: block(first), block: block(100), ..found };
    node.input(Input::Detected { block: block(100), standing: vec![found] }).await.unwrap();
}

/// What is to be taken now, by number and whether whole; from then on it is under way.
fn begin(node: &mut Node) -> Vec<(u64, bool)> {
    let (jobs, missed) = node.jobs(CHAIN);
    assert_eq!(missed, []);
    for job in &jobs {
        node.evidence.begun.insert((job.incident, job.block.hash), Begun { full: job.full, ended: None });
    }
    jobs.iter().map(|job| (job.block.number, job.full)).collect()
}
