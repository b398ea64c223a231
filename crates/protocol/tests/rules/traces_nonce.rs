//! Traces of several effects at one nonce, and of what held whatever one liar said: nothing that was signed before blocks anything.

use alloy_primitives::keccak256;
use watchfire_types::body::Body;
use watchfire_types::*;

use crate::cluster::*;

/// Safe transactions that a node's guardian signed.
fn signed(c: &Cluster, index: usize) -> Vec<SafeTransaction> {
    let own = c.nodes[index].log.iter().filter(|event| event.author == c.nodes[index].key());
    let transactions = own.filter_map(|event| match &event.body {
        Body::CoSignature(signed) => Some(signed.transaction.clone()),
        _ => None,
    });
    transactions.collect()
}

/// What it is, and how it is told.
type Lie = (&'static str, fn(&mut Cluster));

/// What a liar said before the attack, and says beside it.
fn lies() -> Vec<Lie> {
    fn tell(c: &mut Cluster, body: Body) {
        let told = c.nodes[4].forge(body);
        c.send(4, told);
        c.settle();
    }
    fn fork(c: &mut Cluster) {
        let (seq, prev) = c.nodes[4].position();
        let head = c.chain.head().at;
        let (narrow, wide) = (c.forged_vote(1, head), c.forged_vote(2, head));
        let other = c.nodes[4].seal_at(seq, prev, narrow);
        tell(c, wide);
        c.send(4, other);
        c.settle();
    }
    vec![
        ("nothing", |_| {}),
        ("votes for less", |c| tell(c, c.forged_vote(1, c.chain.head().at))),
        ("votes", |c| tell(c, c.forged_vote(2, c.chain.head().at))),
        ("votes on the first block", |c| tell(c, c.forged_vote(2, c.chain.blocks[0].at))),
        ("votes on the last one", |c| tell(c, c.forged_vote(2, BlockRef { number: u64::MAX, ..c.chain.head().at }))),
        ("forks", fork),
    ]
}

/// H1: whatever one liar voted or had proved against it, three who find something contain in the same block, at first and after a recovery.
#[test]
fn h1_no_word_of_one_liar_delays_containment() {
    for begin in [cluster, recovered] {
        for (what, lie) in lies() {
            let mut c = begin();
            c.silent.insert(4);
            lie(&mut c);
            assert!(c.owed_steps(0).is_empty() && c.submissions().is_empty(), "{what}: nothing without a certificate");
            c.find(&[0, 1, 2], "vault-outflow");
            c.mine(&[]);
            assert_eq!(c.execute(), 1, "{what}");
            assert!(c.chain.head().paused, "{what}");
        }
    }
}

/// H2: containment never gets stuck at a nonce: flag, pause and the rejection of both are signed there, and then the pause goes out at it.
#[test]
fn h2_containment_goes_on_at_a_nonce_where_all_else_is_signed() {
    let mut c = cluster();
    c.all_find("vault-outflow-early");
    c.mine(&[]);
    c.clear();
    c.all_find("vault-outflow");
    c.mine(&[]);
    for index in 0..3 {
        c.veto(index);
    }
    assert!(c.submissions()[0].transaction.data.is_empty());
    assert_eq!(signed(&c, 0).len(), 3, "flag, pause and rejection");
    c.clear();
    c.mine(&[]);
    c.all_find("vault-outflow");
    c.mine(&[]);
    let sent = c.submissions();
    assert_eq!(sent.len(), 1);
    assert_eq!(
        (sent[0].transaction.nonce, &sent[0].transaction.data[..]),
        (U256::from(7), &keccak256(b"pause()")[..4])
    );
    assert_eq!(c.execute(), 1);
    assert!(c.chain.head().paused);
}

/// H4: a cut takes nothing from what is certified, neither by the liar's own vote nor by three honest ones, and all come to one digest.
#[test]
fn h4_a_cut_never_uncertifies_a_pause() {
    let mut c = cluster();
    c.silent.insert(4);
    c.find(&[0, 1], "vault-outflow");
    c.mine(&[]);
    let (seq, prev) = c.nodes[4].position();
    let head = c.chain.head().at;
    let (narrow, wide) = (c.forged_vote(1, head), c.forged_vote(2, head));
    let other = c.nodes[4].seal_at(seq, prev, narrow);
    let vote = c.nodes[4].forge(wide);
    c.send(4, vote);
    c.settle();
    assert_eq!(c.owed_steps(3), [2], "certified with the liar's vote");
    c.send(4, other);
    c.settle();
    assert!(c.count(3, |body| matches!(body, Body::FaultProof(_))) > 0);
    assert_eq!(c.owed_steps(3), [2], "and it stays so");
    c.find(&[2], "vault-outflow");
    c.mine(&[]);
    assert_eq!(c.owed_steps(3), [2]);
    assert_eq!(c.execute(), 1);
    assert!(c.chain.head().paused);
    assert_eq!(c.digests().len(), 1);
}
