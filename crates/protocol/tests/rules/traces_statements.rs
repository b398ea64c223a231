//! What a node states for good about an asset: only what rests on an answer, and which blocks it judged.

use watchfire_types::Timestamp;
use watchfire_types::body::{Attested, Body};
use watchfire_types::input::PreflightOutcome;

use crate::cluster::*;

/// Statements of the first node, in order.
fn attested(c: &Cluster) -> Vec<Attested> {
    let own = c.nodes[0].machine.events().filter(|event| event.author == c.nodes[0].key());
    own.filter_map(|event| if let Body::Attested(said) = &event.body { Some(said.clone()) } else { None }).collect()
}

#[test]
fn a_safe_that_cannot_be_read_is_no_statement() {
    let mut c = cluster();
    c.nodes[0] = Node::new(&c.charter, 0, 0x77);
    c.mine(&[Tx::Hides(Some("nonce()"))]);
    assert!(!c.nodes[0].machine.outlooks().first().expect("an outlook").can_pause);
    assert_eq!(attested(&c), []);
    c.mine(&[Tx::Hides(None)]);
    let said = attested(&c);
    assert!(matches!(said.as_slice(), [said] if said.can_pause), "{said:?}");
}

/// A gap in what was judged is stated within the hour, and what did not change within the day, each with the blocks judged since.
#[test]
fn the_blocks_that_were_judged_are_stated() {
    let mut c = cluster();
    let first = attested(&c);
    let [said] = first.as_slice() else { panic!("one statement: {first:?}") };
    assert_eq!((said.scanned_from, said.head.number), (98, 98));
    c.mine_to(200);
    assert_eq!(attested(&c).len(), 1, "at most hourly");
    c.mine_to(201);
    let later = |c: &mut Cluster, ms: u64, number: u64| {
        c.now = Timestamp::from_millis(c.now.as_millis() + ms);
        c.mine_to(number);
    };
    later(&mut c, 3_600_000, 202);
    let second = attested(&c);
    let [_, said] = second.as_slice() else { panic!("the gap is told: {second:?}") };
    assert_eq!((said.scanned_from, said.head.number), (200, 202));
    later(&mut c, 3_600_000, 203);
    assert_eq!(attested(&c).len(), 2, "nothing changed");
    later(&mut c, 24 * 3_600_000, 204);
    let third = attested(&c);
    let [.., said] = third.as_slice() else { panic!() };
    assert_eq!((third.len(), said.scanned_from, said.head.number), (3, 200, 204));
}

/// A narrower step that would fail is told before anybody needs it; the wider one still works.
#[test]
fn a_narrower_step_that_would_fail_is_told() {
    let mut c = cluster();
    c.simulate = |_, transaction| {
        if transaction.data.starts_with(&alloy_primitives::keccak256(b"pause()")[..4]) {
            return PreflightOutcome::Passes;
        }
        PreflightOutcome::Refuted { reason: "missing role".into(), by_guard: false }
    };
    c.mine(&[Tx::TakesNonce]);
    c.mine(&[]);
    let said = c.nodes[0].machine.outlooks().first().expect("an outlook").clone();
    assert!(said.can_pause, "{said:?}");
    assert!(said.doubt.as_deref().is_some_and(|why| why.contains("step flag would fail: refuted")), "{said:?}");
}
