//! Traces of vetoes: a cancel reaches what it should, for as long as it should, and not a second attack.

use watchfire_types::body::{Body, Certificate, Purpose};
use watchfire_types::*;

use crate::cluster::*;

fn cancels(c: &Cluster, index: usize) -> usize {
    c.count(index, |b| matches!(b, Body::Certificate(Certificate { purpose: Purpose::Cancel, .. })))
}

/// C11a: a veto is issued again when a newer automatic vote arrives, so the earliest head covers every vote it should stop.
#[test]
fn c11a_a_veto_follows_the_votes() {
    let mut c = cluster();
    c.find(&[0, 1], "vault-outflow");
    c.mine(&[]);
    c.veto(0);
    let first = c.count(0, |b| matches!(b, Body::Veto(_)));
    c.silent.insert(4);
    let vote = c.forged_vote(2, block(c.chain.head().at.number + 1, 0));
    let vote = c.nodes[4].forge(vote);
    c.mine(&[]);
    c.send(4, vote);
    c.settle();
    assert!(c.count(0, |b| matches!(b, Body::Veto(_))) > first, "re-issued");
    c.veto(1);
    c.veto(2);
    assert!(cancels(&c, 3) >= 1);
    assert!(c.submissions().iter().all(|sent| sent.transaction.data.is_empty()), "only rejections are sent");
}

/// A cancel stops signing and sending of what stands, rejects the nonce where a signature is known (case 1), and mutes its organisations.
#[test]
fn a_cancel_consumes_the_nonce() {
    let mut c = cluster();
    c.all_find("vault-outflow");
    c.mine(&[]);
    assert_eq!(c.owed_steps(0), [2]);
    for index in 0..3 {
        c.veto(index);
    }
    assert!(c.owed_steps(0).is_empty());
    let sent = c.submissions();
    assert_eq!(sent.len(), 1);
    assert!(sent[0].transaction.data.is_empty());
    c.mine(&[Tx::Safe(Box::new(sent[0].clone()))]);
    c.mine(&[]);
    assert!(!c.chain.head().paused);
    assert!(c.submissions().is_empty(), "two organisations that still vote are no quorum");
}

/// C11c: a cancel reaches a certificate with any evidence at or before its cut, so that no later vote of a liar lifts the others over it.
#[test]
fn c11c_one_later_vote_does_not_escape_the_cancel() {
    let mut c = cluster();
    c.silent.insert(4);
    c.find(&[0, 1], "vault-outflow");
    c.mine(&[]);
    for index in [0, 2, 3] {
        c.veto(index);
    }
    assert!(cancels(&c, 3) >= 1);
    for _ in 0..3 {
        c.mine(&[]);
    }
    assert!(c.votes(1, 2) >= 2, "who did not veto votes again, on later evidence");
    let vote = c.forged_vote(2, c.chain.head().at);
    let vote = c.nodes[4].forge(vote);
    c.send(4, vote);
    c.settle();
    assert!(c.owed_steps(3).is_empty(), "the vetoed vote is not carried over the cut by two later ones");
    assert!(c.submissions().is_empty() && c.nodes[3].machine.signatures().is_empty());
    c.find(&[2], "vault-outflow");
    c.clear();
    c.mine(&[]);
    c.find(&[0, 1, 2], "vault-outflow");
    c.mine(&[]);
    assert_eq!(c.owed_steps(3), [2], "what three find later is none of the cancel's");
}

fn forged_veto(c: &Cluster, head: BlockRef) -> Body {
    let Body::Vote(body::Vote { decision, .. }) = c.forged_vote(2, head) else { panic!("a vote") };
    Body::Veto(body::Veto { decision, head, act: head, human: human("long ago") })
}

/// C1, the cancel's side: a liar's veto of an old head makes a certificate that stops nothing, and no one veto keeps the next from being made.
#[test]
fn c1_one_stale_veto_does_not_stop_the_cancel() {
    let mut c = cluster();
    c.silent.insert(4);
    c.find(&[0, 1, 2], "vault-outflow");
    c.mine(&[]);
    let stale = forged_veto(&c, c.chain.blocks[0].at);
    let stale = c.nodes[4].forge(stale);
    c.send(4, stale);
    c.veto(0);
    c.veto(1);
    assert_eq!(c.owed_steps(3), [2], "two people and a veto of what was before the attack are no cancel of it");
    c.veto(2);
    assert!(c.owed_steps(3).is_empty());
}

/// D5: the cancel certificate names no nonce, so it reaches signatures that its author did not know.
#[test]
fn d5_a_cancel_reaches_signatures_that_arrive_later() {
    let mut c = cluster();
    c.all_find("vault-outflow");
    c.mine(&[]);
    c.silent.insert(4);
    for index in 0..3 {
        c.veto(index);
    }
    assert!(cancels(&c, 3) >= 1);
    assert!(c.rejections(3) >= 3);
}

/// D9: the mute lasts one expiry from the human's act, however often it is re-issued; then the standing finding votes again.
#[test]
fn d9_a_mute_ends_one_expiry_after_the_act() {
    let mut c = cluster();
    c.all_find("vault-outflow");
    c.mine(&[]);
    for index in 0..3 {
        c.veto(index);
    }
    let act = c.chain.head().at.number;
    let votes = c.votes(0, 1);
    let rejection = c.submissions().into_iter().map(|sent| Tx::Safe(Box::new(sent))).collect::<Vec<_>>();
    c.mine(&rejection);
    c.mine_to(act + EXPIRY_S);
    assert_eq!(c.votes(0, 1), votes, "still muted");
    let pages = c.nodes[0].machine.owed(c.now).pages;
    assert!(pages.iter().any(|page| page.kind == "mute-ends"), "its humans are told before");
    c.mine_to(act + EXPIRY_S + 1);
    assert!(c.votes(0, 1) > votes);
    assert_eq!(c.execute(), 1);
    assert!(c.chain.head().paused);
}

/// C11b: a mute ends with the finding it was about: the next attack is voted on at once.
#[test]
fn c11b_a_mute_ends_with_its_finding() {
    let mut c = cluster();
    c.all_find("vault-outflow");
    c.mine(&[]);
    for index in 0..3 {
        c.veto(index);
    }
    c.execute();
    c.clear();
    c.mine(&[]);
    c.all_find("vault-outflow");
    c.mine(&[]);
    assert_eq!(c.owed_steps(0), [2]);
}

/// A human of the organisation that vetoed may vote, and that ends the mute.
#[test]
fn a_human_vote_ends_the_mute() {
    let mut c = cluster();
    c.all_find("vault-outflow");
    c.mine(&[]);
    for index in 0..3 {
        c.veto(index);
    }
    c.execute();
    for index in 0..3 {
        c.approve(index, "contain-vault", 2);
    }
    c.mine(&[]);
    assert_eq!(c.owed_steps(0), [2]);
}

/// A liar's head in the far future does not escape or widen a cancel: evidence and heads later than the own head do not count.
#[test]
fn future_evidence_counts_for_nothing() {
    let mut c = cluster();
    c.silent.insert(4);
    let future = BlockRef { number: 1_000_000_000, ..c.chain.head().at };
    let vote = c.forged_vote(2, future);
    let vote = c.nodes[4].forge(vote);
    c.send(4, vote);
    c.find(&[0, 1], "vault-outflow");
    c.mine(&[]);
    assert!(c.owed_steps(0).is_empty());
}

/// Everybody finds a drain while the playbook is in this mode.
fn found_in(mode: &str) -> Cluster {
    let mode = format!("mode = \"{mode}\"");
    let mut c = Cluster::new(charter(|text| text.replace("mode = \"auto\"", &mode)), 98);
    c.mine(&[]);
    c.all_find("vault-outflow");
    c.mine(&[]);
    c
}

/// Three people approve, and it is paused.
fn approved(c: &mut Cluster) {
    for index in 0..3 {
        c.approve(index, "contain-vault", 2);
    }
    assert_eq!(c.execute(), 1);
    assert!(c.chain.head().paused);
}

/// Modes: a playbook that only observes finds, votes for nothing and wakes nobody; what people say of it counts all the same.
#[test]
fn observe_asks_nobody_and_humans_may_decide() {
    let mut c = found_in("observe");
    assert!(c.count(0, |body| matches!(body, Body::Finding(_))) > 0);
    assert_eq!(c.count(0, |body| matches!(body, Body::Vote(_))), 0);
    let pages = c.nodes[0].machine.owed(c.now).pages;
    assert!(pages.iter().all(|page| page.kind != "approval-wanted"), "{pages:?}");
    approved(&mut c);
}

/// Modes: `propose` asks, and humans' approvals are votes.
#[test]
fn propose_pages_and_humans_decide() {
    let mut c = found_in("propose");
    assert_eq!(c.votes(0, 1), 0);
    let pages = c.nodes[0].machine.owed(c.now).pages;
    assert!(pages.iter().any(|page| page.kind == "approval-wanted"));
    approved(&mut c);
}

/// A veto is re-issued against newer votes though the own node sees nothing of what others see: that is who vetoes a false alarm.
#[test]
fn a_veto_without_an_own_finding_follows_the_votes_too() {
    let mut c = cluster();
    c.find(&[0, 1], "vault-outflow");
    c.mine(&[]);
    c.veto(3);
    let first = c.count(3, |b| matches!(b, Body::Veto(_)));
    c.silent.insert(4);
    let vote = c.forged_vote(2, block(c.chain.head().at.number + 1, 0));
    let vote = c.nodes[4].forge(vote);
    c.mine(&[]);
    c.send(4, vote);
    c.settle();
    assert_eq!(c.count(3, |b| matches!(b, Body::Veto(_))), first + 1, "re-issued");
}

/// A node that is a block behind finds what its human vetoed after the veto; what happens later is news.
#[test]
fn a_veto_covers_what_had_happened_when_it_was_given() {
    for (ahead, votes) in [(2, 0), (0, 1)] {
        let mut c = cluster();
        c.find(&[1, 2], "vault-outflow");
        c.mine(&[]);
        // Block times are of the chain, the human's act is of the own clock.
        c.nodes[0].clock += ahead;
        c.veto(0);
        c.find(&[0], "vault-outflow");
        c.mine(&[]);
        assert_eq!(c.votes(0, 1), votes, "clock {ahead} s ahead of the block held");
    }
}
