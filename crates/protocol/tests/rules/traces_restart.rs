//! Traces in which a node's view begins late: what it cannot have seen must not let an old certificate act.

use watchfire_protocol::lookback_s;
use watchfire_types::{Body, ChainId};

use crate::cluster::*;

/// A pause and its recovery, both executed, and twenty blocks after which the certificates of the pause are still alive.
fn recovered_lately() -> Cluster {
    let mut c = recovered();
    for _ in 0..20 {
        c.mine(&[]);
    }
    c
}

fn restart(c: &mut Cluster, count: u8) {
    let log = c.nodes[0].log.clone();
    for index in 0..count {
        let mut node = Node::new(&c.charter, index, 0x90 + index);
        for event in &log {
            let _ = node.receive(c.now, event);
            node.machine.apply(event);
        }
        c.nodes[usize::from(index)] = node;
    }
}

/// Three nodes restart after a recovery that their views do not reach back to: the unexpired certificate authorises nothing.
#[test]
fn a_restart_does_not_forget_a_recovery() {
    let mut c = recovered_lately();
    restart(&mut c, 3);
    c.mine(&[]);
    c.mine(&[]);
    assert!(c.owed_steps(0).is_empty(), "its evidence is older than anything this view saw");
    assert!(c.submissions().is_empty());
    c.execute();
    assert!(!c.chain.head().paused);
}

/// What happens after the restart counts at once.
#[test]
fn fresh_evidence_counts_right_after_a_restart() {
    let mut c = recovered_lately();
    restart(&mut c, 3);
    c.mine(&[]);
    c.find(&[0, 1, 2], "vault-outflow");
    c.mine(&[]);
    assert_eq!(c.execute(), 1);
    assert!(c.chain.head().paused);
}

/// Nothing precedes block 0: a view that begins there has seen everything, that block's evidence included.
#[test]
fn a_view_of_the_whole_chain_begins_at_block_zero() {
    let mut c = Cluster::new(charter(str::to_owned), 0);
    for index in 0..3 {
        c.approve(index, "contain-vault", 2);
    }
    assert_eq!(c.execute(), 1);
    assert!(c.chain.head().paused);
}

/// Whoever names a block that the own view does not hold names no evidence, whatever its height: not above the head, not orphaned, not
/// between blocks, not below them.
#[test]
fn evidence_is_a_block_that_the_own_view_holds() {
    for number in [0, 50, 99, 105] {
        let mut c = Cluster::new(charter(str::to_owned), 100);
        c.mine_to(110);
        c.find(&[0, 1], "vault-outflow");
        c.mine(&[]);
        let vote = c.forged_vote(2, block(number, 9));
        let vote = c.nodes[4].author(vote);
        c.silent.insert(4);
        c.send(4, vote);
        c.settle();
        assert!(c.owed_steps(0).is_empty(), "height {number}");
    }
}

/// A start looks back as long as the longest life of a containment certificate of that chain, and not for another chain's sake: what may
/// still act is never judged by half of what it rests on.
#[test]
fn a_start_looks_back_a_certificates_life() {
    let charter = charter(|text| text.replacen("expiry_s = 120", "expiry_s = 240", 1));
    assert_eq!(lookback_s(&charter, CHAIN), 240);
    assert_eq!(lookback_s(&charter, ChainId::new(1)), 0);
}

/// What a reorg takes while a node is down that node takes back once, when it sees another block of that height: whether its log had it all along,
/// or others give it back later.
#[test]
fn what_a_reorg_took_meanwhile_is_taken_back() {
    for lost in [false, true] {
        let mut c = cluster();
        c.find(&[0], "vault-outflow");
        c.mine(&[]);
        let log = c.nodes[0].log.clone();
        let found = log.iter().filter(|event| matches!(event.body, Body::Finding(_))).count();
        assert_eq!(found, 1);
        c.reorg(1);
        c.nodes[0] = Node::new(&c.charter, 0, 0x90);
        let again = |c: &mut Cluster| {
            for event in &log {
                let _ = c.nodes[0].receive(c.now, event);
                c.nodes[0].machine.apply(event);
            }
        };
        if !lost {
            again(&mut c);
        }
        c.mine(&[]);
        if lost {
            again(&mut c);
        }
        c.mine(&[]);
        c.mine(&[]);
        assert_eq!(c.count(0, |body| matches!(body, Body::Retracted(_))), 1, "its log was lost: {lost}");
    }
}
