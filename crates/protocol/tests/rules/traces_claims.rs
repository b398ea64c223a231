//! Traces in which one guardian lies in the unsigned part of a co-signature, to make the others consume nonces for it.

use alloy_primitives::{B256, U256};
use watchfire_types::body::{Authority, Body, CoSignature};
use watchfire_types::*;

use crate::cluster::*;

fn cluster() -> Cluster {
    let mut c = Cluster::new(charter(str::to_owned), 98);
    c.mine(&[]);
    c
}

/// The liar (member 4) signs an earlier pause again at the current nonce, and claims this block for it.
fn claim(c: &mut Cluster, agreed: BlockRef) -> Verified<Event> {
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
    claimed.signature = c.nodes[4].sign(hashes.safe_tx_hash);
    c.nodes[4].author(Body::CoSignature(claimed))
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
    let mut c = cluster();
    c.all_find("vault-outflow");
    c.mine(&[]);
    c.execute();
    c.clear();
    c.mine(&[]);
    for index in 0..4 {
        c.approve(index, "recover-vault", 1);
    }
    c.mine(&[]);
    assert_eq!(c.execute(), 1);
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
