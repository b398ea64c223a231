//! Traces in which one guardian lies in the unsigned part of a co-signature, to make the others consume nonces for it.

use alloy_primitives::{B256, U256};
use watchfire_types::body::{Authority, Body, CoSignature};
use watchfire_types::*;

use crate::cluster::*;

/// The liar (member 4) signs an earlier pause again at the current nonce, and claims this block for it.
fn claim(c: &mut Cluster, agreed: BlockRef) -> Verified<Event> {
    claim_by(c, 4, agreed)
}

fn claim_by(c: &mut Cluster, by: usize, agreed: BlockRef) -> Verified<Event> {
    let pause = c.nodes[0].log.iter().find_map(|event| match &event.body {
        Body::CoSignature(signature) if matches!(signature.authority, Authority::Step { .. }) => {
            Some(signature.clone())
        }
        _ => None,
    });
    let mut claimed: CoSignature = pause.expect("a signature for the pause");
    claimed.transaction.nonce = U256::from(c.chain.head().nonce);
    claimed.agreed = agreed;
    let (_, safe) = c.charter.safe_at(claimed.chain, &claimed.safe).expect("the safe");
    let hashes = claimed.transaction.hashes(safe.version, claimed.chain.get(), claimed.safe);
    claimed.signature = c.nodes[by].sign(hashes.safe_tx_hash);
    c.nodes[by].author(Body::CoSignature(claimed))
}

/// Rejections that one lie at each of three nonces makes the others execute.
fn burnt(c: &mut Cluster) -> usize {
    let agreed = c.chain.blocks[0].at;
    let mut burnt = 0;
    for _ in 0..3 {
        let lie = claim(c, agreed);
        c.send(4, lie);
        c.settle();
        burnt += c.execute();
    }
    burnt
}

/// Case 3: a recovery through the containing Safe consumed the nonce, and no claim about an earlier block undoes that.
#[test]
fn a_claimed_block_owes_no_rejection_after_a_recovery() {
    let mut c = recovered();
    assert_eq!(burnt(&mut c), 0);
}

/// Case 3: after a stranger's recovery one rejection consumes the nonce that was current before it; later nonces are not concerned.
#[test]
fn a_strangers_recovery_costs_one_rejection() {
    let mut c = cluster();
    c.all_find("vault-outflow");
    c.mine(&[]);
    c.execute();
    c.clear();
    c.mine(&[Tx::StrangerPauses(false)]);
    assert_eq!(burnt(&mut c), 1);
}

/// Case 1: a cancel certificate concerns the nonce that was current at its cut, not every later one for ever.
#[test]
fn a_cancel_certificate_does_not_burn_later_nonces() {
    let mut c = cluster();
    c.all_find("vault-outflow");
    c.mine(&[]);
    for index in 0..3 {
        c.veto(index);
    }
    c.clear();
    assert_eq!(c.execute(), 1, "the rejection");
    let after = c.chain.head().at.number + 3 * EXPIRY_S;
    c.mine_to(after);
    assert_eq!(burnt(&mut c), 0);
}

/// A co-signature is given at a block of the Safe's own chain.
#[test]
fn a_block_of_another_chain_is_no_claim_at_all() {
    let mut c = cluster();
    c.all_find("vault-outflow");
    c.mine(&[]);
    let agreed = BlockRef { chain: ChainId::new(1), number: 0, hash: B256::ZERO, time: BlockTime::from_secs(0) };
    let lie = claim(&mut c, agreed);
    let refused = c.nodes[0].receive(c.now, &lie).expect_err("refused");
    assert_eq!(refused.verdict(), Verdict::Reject);
}

/// Everybody signs the pause, three veto it, and the rejection of that nonce executes; the cancelled certificates are still alive.
fn cancelled(edit: impl Fn(&str) -> String) -> Cluster {
    let mut c = Cluster::new(charter(edit), 98);
    c.mine(&[]);
    c.all_find("vault-outflow");
    c.mine(&[]);
    for index in 0..3 {
        c.veto(index);
    }
    c.clear();
    assert_eq!(c.execute(), 1, "the rejection");
    c
}

/// Rejections that execute while these members sign the pause at each of six new nonces.
fn provoked(c: &mut Cluster, by: &[usize]) -> usize {
    let agreed = c.chain.head().at;
    let mut provoked = 0;
    for _ in 0..6 {
        for member in by {
            let lie = claim_by(c, *member, agreed);
            c.send(*member, lie);
        }
        c.settle();
        let consumed = c.execute();
        provoked += consumed;
        if consumed == 0 {
            c.mine(&[Tx::TakesNonce]);
        }
    }
    provoked
}

/// Case 1, one key: it is taken for a guardian that has not heard of the cancel for two nonces more, and then for what it is.
#[test]
fn one_key_provokes_few_rejections_of_a_cancelled_pause() {
    let mut c = cancelled(str::to_owned);
    assert_eq!(provoked(&mut c, &[4]), 2);
    assert!(!c.chain.head().paused);
}

/// Case 1, two keys of five: together they are bound as each by itself.
#[test]
fn a_coalition_provokes_few_rejections_of_a_cancelled_pause() {
    let mut c = cancelled(str::to_owned);
    assert_eq!(provoked(&mut c, &[3, 4]), 2);
}

fn threshold_of_four(text: &str) -> String {
    text.replace("threshold = 3", "threshold = 4")
}

/// Case 1 where the Safe wants more signatures than liars can be short of by one: a single signature completes nothing.
#[test]
fn a_signature_that_nobody_can_complete_owes_no_rejection() {
    let mut c = cancelled(threshold_of_four);
    assert_eq!(provoked(&mut c, &[4]), 0);
    let mut c = cancelled(threshold_of_four);
    assert_eq!(provoked(&mut c, &[3, 4]), 2, "two signatures and two liars that withhold theirs are four");
}

/// Case 1's safety: an honest guardian that had not heard of the cancel signed at the next nonce as well, and that nonce is consumed too.
#[test]
fn a_late_signature_of_a_cancelled_pause_is_consumed() {
    let mut c = cluster();
    c.all_find("vault-outflow");
    c.mine(&[]);
    c.silent = [3].into();
    for index in 0..3 {
        c.veto(index);
    }
    c.clear();
    assert_eq!(c.execute(), 1, "the rejection");
    c.silent = [0, 1, 2, 4].into();
    c.show();
    let key = c.nodes[3].key();
    let newest =
        c.nodes[3].log.iter().rev().find(|event| event.author == key && matches!(event.body, Body::CoSignature(_)));
    let Body::CoSignature(signature) = &newest.expect("signed").body else { unreachable!() };
    assert_eq!(signature.transaction.nonce, U256::from(c.chain.head().nonce), "it signed at the new nonce");
    let late = newest.expect("signed").clone();
    c.silent = [3].into();
    c.send(3, late);
    c.settle();
    let sent = c.submissions();
    assert_eq!(sent.len(), 1);
    assert!(sent[0].transaction.data.is_empty(), "a rejection");
}
