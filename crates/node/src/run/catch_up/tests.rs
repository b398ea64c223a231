//! One member's answers in a node whose loop does not turn.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use watchfire_types::IncidentId;
use watchfire_types::body::{Body, Human, HumanStatement};

use super::*;
use crate::run::fixture;
use crate::run::node::Inbox;
use crate::run::start::{Assembled, assemble, open};

/// An answer arrives, of a member that has more, and is decoded.
async fn arrives(node: &mut Node, inbox: &mut Inbox, from: MemberKey, events: &[Bytes]) -> Prepared {
    let response = CatchUpResponse { events: events.to_vec(), complete: false, ..Default::default() };
    node.answered(from, Ok(response.encode())).await.unwrap();
    let read = inbox.prepared.recv().await.unwrap();
    assert!(matches!(&read, Prepared::Read(_)));
    node.on_prepared(read).await.unwrap();
    inbox.prepared.recv().await.unwrap()
}

/// An answer that was on its way when the one before brought nothing, since somebody else's was faster, is taken, and the member is not asked on:
/// the line goes on and does not begin anew.
#[tokio::test]
async fn an_answer_after_a_fruitless_one_does_not_begin_anew() {
    let (_directory, config) = fixture::directory();
    let Assembled { mut node, mut inbox, output, socket: _socket } = assemble(open(&config).unwrap()).unwrap();
    node.take(output).await.unwrap();
    let human = |reason: &str| Human { person: "p-1".into(), role: "lead".into(), reason: reason.into() };
    let note = |reason| Body::Note(HumanStatement { incident: IncidentId::from_bytes([7; 32]), human: human(reason) });
    let events = fixture::chain(&node.charter, 3, vec![note("one"), note("two"), note("three")]);
    let (from, faster) = (fixture::key(2), fixture::key(4));
    node.connected.insert(from);
    let held = node.driver.events();

    let checked = arrives(&mut node, &mut inbox, from, &events[..2]).await;
    node.turn(vec![Door::CaughtUp { from: faster, events: events[..2].to_vec() }]).await.unwrap();
    node.on_prepared(checked).await.unwrap();
    assert!(node.catching_up.line(&from).is_some(), "it was asked on before");
    let checked = arrives(&mut node, &mut inbox, from, &events[2..]).await;
    node.on_prepared(checked).await.unwrap();
    assert_eq!(node.driver.events(), held + events.len());
    assert!(node.catching_up.line(&from).is_none(), "it was not asked on");
}
