//! Traces in which what a detector finds stood before this process looked: it is no news, and nothing else is news beside it.

use watchfire_types::body::Body;
use watchfire_types::*;

use crate::cluster::*;
use crate::together::{edited, of_kind};

/// A process that begins at the next block, with what it still holds of its log, and a detector that finds there what stood before.
fn restarted(c: &mut Cluster, index: u8, log: &[Verified<Event>], standing: &[(&str, &str)]) {
    let mut node = Node::new(&c.charter, index, 0x90 + index);
    for event in log {
        let _ = node.receive(c.now, event);
        node.machine.apply(event);
    }
    let first = block(c.chain.head().at.number + 1, c.chain.branch);
    node.standing = standing.iter().map(|(kind, detector)| of_kind(kind, detector, first)).collect();
    c.nodes[usize::from(index)] = node;
}

/// What the present process of the first member found.
fn found(c: &Cluster) -> Vec<BlockRef> {
    let node = &c.nodes[0];
    let own = node.log.iter().filter(|event| (event.author, event.epoch) == (node.key(), node.machine.epoch()));
    let found = own.filter_map(|event| match &event.body {
        Body::Finding(finding) => Some(finding.first),
        _ => None,
    });
    found.collect()
}

/// Goal: what stood before a restart and stands after it is one standing, however often the process is restarted; after a recovery it is another.
#[test]
fn a_restart_finds_nothing_anew() {
    let stood = || {
        let mut c = cluster();
        c.find(&[0], "vault-outflow");
        c.mine(&[]);
        c.mine(&[]);
        assert_eq!(found(&c).len(), 1);
        let log = c.nodes[0].log.clone();
        (c, log)
    };
    let (mut c, log) = stood();
    restarted(&mut c, 0, &log, &[("outflow", "vault-outflow")]);
    for _ in 0..3 {
        c.mine(&[]);
    }
    assert_eq!(found(&c), [], "it said so before");
    assert!(c.nodes[0].machine.incidents()[0].is_open());

    // Another kind of the same rule, another rule, and a standing that others alone told of are news.
    for (log, standing) in [
        (log.as_slice(), [("state", "vault-outflow")]),
        (log.as_slice(), [("outflow", "vault-outflow-early")]),
        (&[], [("outflow", "vault-outflow")]),
    ] {
        let (mut c, _) = stood();
        restarted(&mut c, 0, log, &standing);
        c.mine(&[]);
        assert_eq!(found(&c).len(), 1, "{standing:?}");
    }

    let mut c = recovered();
    let log = c.nodes[0].log.clone();
    assert!(log.iter().any(|event| matches!(event.body, Body::Finding(_))));
    restarted(&mut c, 0, &log, &[("outflow", "vault-outflow")]);
    c.mine(&[]);
    assert_eq!(found(&c).len(), 1, "what was recovered from is over");
}

/// Goal: a kind that stood already when the processes began does not stand together with one that begins then, and one that begins later does.
#[test]
fn nothing_is_fresh_beside_what_stood_before() {
    let mut c = Cluster::new(charter(edited), 98);
    c.mine(&[]);
    for index in 0..3 {
        restarted(&mut c, index, &[], &[("outflow", "vault-outflow")]);
    }
    c.mine(&[]);
    let event = of_kind("event", "vault-unpaused", block(c.chain.head().at.number + 1, c.chain.branch));
    c.nodes[..3].iter_mut().for_each(|node| node.standing.push(event.clone()));
    c.mine(&[]);
    assert_eq!((0..3).map(|index| c.votes(index, 2)).sum::<usize>(), 0);
    assert_eq!(found(&c).len(), 2, "both are told to people");
    c.nodes.iter_mut().for_each(|node| node.standing.retain(|finding| finding.kind == "event"));
    c.mine(&[]);
    c.find(&[0, 1, 2], "vault-outflow");
    c.mine(&[]);
    assert_eq!(c.execute(), 1);
}
