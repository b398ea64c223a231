//! Traces in which what was signed outlives what it was signed for: withheld signatures, reorgs that drop a recovery or a pause. What
//! cannot be prevented is shown for what it is; what honest nodes must not add to it is tested.

use watchfire_types::body::{Authority, Body, CoSignature};
use watchfire_types::duty::Submission;
use watchfire_types::*;

use crate::cluster::*;

/// On both branches what is to be compared lies blocks apart, so that heights alone tell nothing.
fn mine(c: &mut Cluster, count: usize) {
    for _ in 0..count {
        c.mine(&[]);
    }
}

fn approve(c: &mut Cluster) {
    for index in 0..4 {
        c.approve(index, "recover-vault", 1);
    }
    c.mine(&[]);
}

fn safe(sent: &Submission) -> Tx {
    Tx::Safe(Box::new(sent.clone()))
}

/// Two honest guardians signed the pause; the third signature exists, and its owner keeps it. Then three humans cancel.
fn withheld() -> (Cluster, Submission) {
    let mut c = cluster();
    c.silent = [2, 3, 4].into();
    c.find(&[0, 1], "vault-outflow");
    c.mine(&[]);
    let vote = c.forged_vote(2, c.chain.head().at);
    let vote = c.nodes[4].forge(vote);
    c.send(4, vote);
    c.settle();
    let signed: Vec<CoSignature> = c.nodes[0]
        .log
        .iter()
        .filter_map(|event| match &event.body {
            Body::CoSignature(signature) if matches!(signature.authority, Authority::Step { .. }) => {
                Some(signature.clone())
            }
            _ => None,
        })
        .collect();
    assert_eq!(signed.len(), 2);
    let (_, entry) = c.charter.safe_at(signed[0].chain, &signed[0].safe).expect("the safe");
    let safe_tx_hash = signed[0].transaction.hashes(entry.version, CHAIN.get(), signed[0].safe).safe_tx_hash;
    let third = c.nodes[4].sign(safe_tx_hash);
    let signatures: Vec<u8> = signed.iter().map(|signature| signature.signature).chain([third]).flatten().collect();
    let pause = Submission {
        chain: CHAIN,
        safe: signed[0].safe,
        transaction: signed[0].transaction.clone(),
        safe_tx_hash,
        signatures: signatures.into(),
        postconditions: Default::default(),
        rank: 0,
        severity: Severity::Sev1,
    };
    c.silent = [4].into();
    for event in c.nodes[0].log.clone() {
        c.send(0, event);
    }
    c.clear();
    c.settle();
    for index in 0..3 {
        c.veto(index);
    }
    assert!(c.owed_steps(0).is_empty(), "cancelled");
    (c, pause)
}

/// C12: a cancel and even the certificate's end recall no signature; the nonce does, and its rejection stays owed until it is consumed.
#[test]
fn c12_only_the_consumed_nonce_recalls_a_signature() {
    let (mut c, pause) = withheld();
    let after = c.chain.head().at.number + 3 * EXPIRY_S;
    c.mine_to(after);
    let sent = c.submissions();
    assert_eq!(sent.len(), 1, "owed long after the certificate has died");
    assert!(sent[0].transaction.data.is_empty(), "a rejection");
    assert_eq!(sent[0].transaction.nonce, pause.transaction.nonce);
    c.mine(&[safe(&sent[0]), safe(&pause)]);
    assert!(!c.chain.head().paused, "void");
    assert!(c.submissions().is_empty());
    // Whoever is faster than the rejection still pauses: what the protocol cannot prevent.
    let (mut c, pause) = withheld();
    c.mine_to(after);
    c.mine(&[safe(&pause)]);
    assert!(c.chain.head().paused);
    assert!(c.submissions().is_empty(), "the nonce is consumed");
}

/// C13b: a reorg drops the recovery. It is sent again, and what was signed at the later nonce stays executable; no honest node sends it, or
/// consumes that nonce for it.
#[test]
fn c13b_a_dropped_recovery_leaves_the_later_pause_to_strangers() {
    let mut c = cluster();
    c.all_find("vault-outflow");
    c.mine(&[]);
    assert_eq!(c.execute(), 1);
    c.clear();
    c.mine(&[]);
    approve(&mut c);
    let before = c.chain.blocks.len();
    assert_eq!(c.execute(), 1, "recovered");
    mine(&mut c, 4);
    c.all_find("vault-outflow");
    c.mine(&[]);
    let second = c.submissions().remove(0);
    assert!(!second.transaction.data.is_empty(), "the pause of the second attack");
    let dropped = c.chain.blocks.len() - before;
    c.reorg(dropped);
    c.mine(&[]);
    assert!(c.chain.head().paused, "the recovery is gone");
    assert_eq!(c.execute(), 1);
    assert!(!c.chain.head().paused, "and executes again, at the same nonce");
    assert_eq!(second.transaction.nonce, U256::from(c.chain.head().nonce));
    mine(&mut c, 8);
    assert!(c.owed_steps(0).is_empty(), "evidence of the dropped branch authorises nothing");
    assert!(c.submissions().is_empty(), "neither the old pause nor a rejection of it");
    c.mine(&[safe(&second)]);
    assert!(c.chain.head().paused, "a stranger may");
    c.mine(&[]);
    approve(&mut c);
    assert_eq!(c.execute(), 1, "and humans end it");
    assert!(!c.chain.head().paused);
}

/// C13c, the mirror: a reorg drops the pause. It is sent again; the recovery signed at the later nonce stays executable, no honest node sends
/// it, and the next finding pauses again.
#[test]
fn c13c_a_dropped_pause_leaves_the_later_recovery_to_strangers() {
    let mut c = cluster();
    c.all_find("vault-outflow");
    c.mine(&[]);
    let before = c.chain.blocks.len();
    assert_eq!(c.execute(), 1);
    c.clear();
    mine(&mut c, 4);
    approve(&mut c);
    let recovery = c.submissions().remove(0);
    let dropped = c.chain.blocks.len() - before;
    c.reorg(dropped);
    c.mine(&[]);
    assert!(!c.chain.head().paused, "the pause is gone");
    assert_eq!(c.execute(), 1);
    assert!(c.chain.head().paused, "and executes again, at the same nonce");
    assert_eq!(recovery.transaction.nonce, U256::from(c.chain.head().nonce));
    mine(&mut c, 8);
    assert!(c.submissions().is_empty(), "approvals of the dropped branch authorise nothing");
    c.mine(&[safe(&recovery)]);
    assert!(!c.chain.head().paused, "a stranger may");
    c.all_find("vault-outflow");
    c.mine(&[]);
    assert_eq!(c.execute(), 1);
    assert!(c.chain.head().paused);
}

/// Goal: what a detector says began on a block that a reorg took is said once for each block, not said and taken back for ever.
#[test]
fn what_began_on_a_lost_block_is_said_once() {
    let mut c = cluster();
    c.find(&[0], "vault-outflow");
    mine(&mut c, 1);
    let lost = c.nodes[0].standing.clone();
    c.reorg(1);
    c.nodes[0].standing = lost;
    c.chain.branch += 1;
    mine(&mut c, 2);
    let found = c.count(0, |body| matches!(body, Body::Finding(_)));
    let taken_back = c.count(0, |body| matches!(body, Body::Retracted(_)));
    assert_eq!((found, taken_back), (3, 1));
}
