//! Traces of a chain that fell silent: its last head is no reading of now. And of blocks that give no answer: what nobody read raises
//! nothing and ends nothing.

use watchfire_types::SafeTransaction;
use watchfire_types::body::Body;
use watchfire_types::input::{Input, PreflightOutcome};

use crate::cluster::*;

fn signatures(c: &Cluster) -> usize {
    c.count(0, |body| matches!(body, Body::CoSignature(_)))
}

/// While a chain is silent its last head is no reading of now: nothing new is voted or signed, and the next block ends that.
#[test]
fn a_silent_chain_gets_no_new_votes_or_signatures() {
    let mut c = cluster();
    for node in &mut c.nodes {
        node.machine.observe(c.now, &Input::ChainSilent { chain: CHAIN, cause: "no new block".into() });
    }
    for index in 0..3 {
        c.approve(index, "contain-vault", 2);
    }
    assert_eq!(signatures(&c), 0);
    c.mine(&[]);
    assert!(signatures(&c) >= 3);

    let mut c = cluster();
    c.silent = [0, 1, 2, 3, 4].into();
    c.all_find("vault-outflow");
    c.mine(&[]);
    for node in &mut c.nodes {
        node.machine.observe(c.now, &Input::ChainSilent { chain: CHAIN, cause: "no new block".into() });
    }
    c.silent.clear();
    c.settle();
    assert_eq!(c.votes(0, 1), 0);
    c.mine(&[]);
    assert!(c.votes(0, 1) >= 1);
    assert_eq!(c.owed_steps(0), [2]);
}

/// No step is widened on what nobody read: blocks without an answer are none for which the finding stood.
#[test]
fn unread_blocks_do_not_escalate() {
    fn refuses_flag(_: &Block, transaction: &SafeTransaction) -> PreflightOutcome {
        if transaction.data.len() > 4 {
            return PreflightOutcome::Refuted { reason: "not the owner".into(), by_guard: false };
        }
        PreflightOutcome::Passes
    }
    let mut c = Cluster::new(charter(str::to_owned), 98);
    c.simulate = refuses_flag;
    c.all_find("vault-outflow-early");
    c.mine(&[]);
    let votes = c.votes(0, 1);
    c.unread = true;
    for _ in 0..6 {
        c.mine(&[]);
    }
    assert_eq!((c.votes(0, 1), c.votes(0, 2)), (votes, 0));
    c.unread = false;
    c.mine(&[]);
    assert!(c.votes(0, 2) > 0, "it stands, and its step is refuted since");
}

/// An outflow that goes on after the flag goes on after blocks that nobody could read: the wider step is voted again when its vote ages.
#[test]
fn what_is_read_again_goes_on_where_it_was() {
    let mut c = Cluster::new(charter(str::to_owned), 98);
    let balance = |c: &mut Cluster, left: &str| {
        for node in &mut c.nodes {
            node.standing[0].figures.insert("balance_now".into(), left.into());
        }
    };
    c.all_find("vault-outflow-early");
    balance(&mut c, "80");
    c.mine(&[]);
    c.execute();
    assert!(c.chain.head().limited);
    balance(&mut c, "70");
    c.mine(&[]);
    assert_eq!(c.votes(0, 2), 1, "it fell though the flag holds");
    c.unread = true;
    c.mine(&[]);
    c.unread = false;
    c.mine(&[]);
    c.mine_to(103 + EXPIRY_S / 2);
    assert_eq!(c.votes(0, 2), 2);
}

/// While a finding stands unread nobody says that nothing was contained, and a reorg that takes its evidence takes it.
#[test]
fn what_stands_unread_is_not_over() {
    let mut c = Cluster::new(charter(str::to_owned), 98);
    c.find(&[0], "vault-outflow");
    c.mine(&[]);
    c.mine(&[]);
    c.unread = true;
    c.mine_to(101 + EXPIRY_S);
    let given_up = |c: &Cluster| c.count(0, |body| matches!(body, Body::NotContained(_)));
    assert_eq!(given_up(&c), 0);
    c.reorg(2);
    c.clear();
    c.mine_to(102 + EXPIRY_S);
    assert_eq!(given_up(&c), 1);
}

/// Who cannot read the chain says that it can pause nothing, contained or not: that it holds still is nobody's knowledge.
#[test]
fn contained_before_the_silence_is_no_reading_of_now() {
    let mut c = Cluster::new(charter(str::to_owned), 98);
    c.all_find("vault-outflow");
    c.mine(&[]);
    c.execute();
    let said = |c: &Cluster| c.nodes[0].machine.outlooks().into_iter().next().expect("an outlook");
    assert!(said(&c).can_pause && said(&c).contained && said(&c).detail == "already contained", "{:?}", said(&c));
    c.nodes[0].machine.observe(c.now, &Input::ChainSilent { chain: CHAIN, cause: "no new block".into() });
    assert!(!said(&c).can_pause && said(&c).detail.ends_with("cannot be read: no new block"), "{:?}", said(&c));
    let attested = |c: &Cluster| c.count(0, |body| matches!(body, Body::Attested(_)));
    let before = attested(&c);
    c.now = c.now.plus_millis(2 * 3_600_000);
    c.settle();
    assert_eq!(attested(&c), before, "an event for good rests on no silence");
    c.mine(&[]);
    assert!(said(&c).can_pause, "{:?}", said(&c));
}
