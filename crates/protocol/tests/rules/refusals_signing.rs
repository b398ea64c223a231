//! What each single term of R2 keeps from being signed, counted or sent, where no trace breaks it alone.

use watchfire_types::body::Body;
use watchfire_types::*;

use crate::cluster::*;

fn co_signatures(c: &Cluster, index: usize) -> usize {
    let key = c.nodes[index].key();
    let own = c.nodes[index].log.iter().filter(|event| event.author == key);
    own.filter(|event| matches!(event.body, Body::CoSignature(_))).count()
}

/// R2: who is no owner of the Safe any more signs nothing for it, and nobody counts or sends a signature that it gave before.
#[test]
fn a_removed_owner_signs_nothing_and_counts_for_nothing() {
    let mut c = cluster();
    let gone = c.charter.members[&name::<MemberId>("alder-1")].guardian.expect("a guardian");
    c.all_find("vault-outflow");
    c.mine(&[]);
    assert_eq!(co_signatures(&c, 0), 1, "an owner still");
    let sent = c.submissions().remove(0);
    let own = c.nodes[0].sign(sent.safe_tx_hash);
    c.mine(&[Tx::RemovesOwner(gone)]);
    let sent = c.submissions().remove(0);
    assert_eq!(sent.signatures.len(), 3 * 65);
    assert!(sent.signatures.chunks(65).all(|signature| signature != own), "the Safe would refuse it");
    c.mine(&[Tx::TakesNonce]);
    assert_eq!(co_signatures(&c, 0), 1, "not at the next nonce");
    assert_eq!(co_signatures(&c, 1), 2);
}

/// R2 (b): a nonce that nobody could read at the head is no current nonce: nothing is built, signed or sent until it is read again.
#[test]
fn a_nonce_that_cannot_be_read_is_not_guessed() {
    let mut c = cluster();
    c.all_find("vault-outflow");
    c.mine(&[Tx::Hides(Some("nonce()"))]);
    assert_eq!((0..5).map(|index| co_signatures(&c, index)).sum::<usize>(), 0);
    assert!(c.submissions().is_empty());
    c.mine(&[Tx::Hides(None)]);
    assert_eq!(c.execute(), 1);
    assert!(c.chain.head().paused);
}

/// Who signs under another's certificate publishes it too, before the signature: no liar can take it away again.
#[test]
fn a_signer_publishes_the_certificate_it_signs_under() {
    let mut c = cluster();
    c.silent.insert(3);
    c.find(&[0, 1, 2], "vault-outflow");
    c.mine(&[]);
    let certificate = c.nodes[0].log.iter().find(|event| matches!(event.body, Body::Certificate(_)));
    let certificate = certificate.expect("a certificate").clone();
    c.silent = [0, 1, 2, 4].into();
    c.send(0, certificate);
    c.settle();
    let key = c.nodes[3].key();
    let own: Vec<&str> =
        c.nodes[3].log.iter().filter(|event| event.author == key).map(|event| event.body.kind()).collect();
    let place = |kind: &str| own.iter().position(|found| *found == kind);
    let (published, signed) = (place("certificate"), place("co-signature"));
    assert!(published.is_some() && signed.is_some() && published < signed, "{own:?}");
}

/// R2 (c): a rejection that a simulation refutes is not signed either, and one that passes is.
#[test]
fn a_refuted_rejection_is_not_signed() {
    fn refuses_rejections(_: &Block, transaction: &SafeTransaction) -> input::PreflightOutcome {
        if transaction.data.is_empty() {
            return input::PreflightOutcome::Refuted { reason: "guard: no".into(), by_guard: true };
        }
        input::PreflightOutcome::Passes
    }
    let mut c = cluster();
    c.simulate = refuses_rejections;
    c.all_find("vault-outflow");
    c.mine(&[]);
    for index in 0..3 {
        c.veto(index);
    }
    c.submissions();
    assert_eq!(c.rejections(0), 0);
    c.simulate = passes;
    c.mine(&[]);
    assert!(c.rejections(0) >= 3);
}

/// Nothing leaves below the Safe's threshold, however long it takes: two signatures of three are waited upon, and that is the cause.
#[test]
fn two_signatures_of_three_are_not_sent() {
    let mut c = cluster();
    c.silent = [2, 3, 4].into();
    c.find(&[0, 1], "vault-outflow");
    c.mine(&[]);
    let third = c.forged_vote(2, c.chain.head().at);
    let third = c.nodes[4].forge(third);
    c.send(4, third);
    c.settle();
    assert_eq!((co_signatures(&c, 0), co_signatures(&c, 1)), (1, 1));
    assert!(c.submissions().is_empty());
    let why = c.nodes[0].machine.outlooks()[0].why_not.clone().expect("a cause");
    assert_eq!(why.cause, body::Cause::ThresholdNotReached);
    c.silent = [3, 4].into();
    for event in c.nodes[0].log.clone() {
        c.send(0, event);
    }
    c.mine(&[]);
    assert_eq!(c.execute(), 1);
    assert!(c.chain.head().paused);
}
