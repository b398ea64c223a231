//! Traces of blocks that come faster than a simulation answers.

use watchfire_types::body::Body;

use crate::cluster::*;

fn signatures(c: &Cluster) -> usize {
    c.count(0, |body| matches!(body, Body::CoSignature(_)))
}

/// Blocks every 200 ms and simulations that never answer in time: containment is signed half a second after it was first wanted.
#[test]
fn fast_blocks_do_not_put_off_a_containment_signature() {
    let mut c = Cluster::new(charter(str::to_owned), 98);
    c.mine(&[]);
    c.answers = false;
    c.now = c.now.plus_millis(1_000_000);
    c.mine(&[Tx::TakesNonce]);
    c.all_find("vault-outflow");
    for _ in 0..6 {
        c.now = c.now.plus_millis(200);
        c.mine(&[]);
    }
    assert!(signatures(&c) >= 3, "no answer in time is unknown, and containment signs on unknown");
}
