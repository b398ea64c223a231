//! Traces of a chain that fell silent: its last head is no reading of now.

use watchfire_types::body::Body;
use watchfire_types::input::Input;

use crate::cluster::*;

fn signatures(c: &Cluster) -> usize {
    c.count(0, |body| matches!(body, Body::CoSignature(_)))
}

/// While a chain is silent its last head is no reading of now: nothing new is voted or signed, and the next block ends that.
#[test]
fn a_silent_chain_gets_no_new_votes_or_signatures() {
    let mut c = Cluster::new(charter(str::to_owned), 98);
    c.mine(&[]);
    for node in &mut c.nodes {
        node.machine.observe(c.now, &Input::ChainSilent { chain: CHAIN, cause: "no new block".into() });
    }
    for index in 0..3 {
        c.approve(index, "contain-vault", 2);
    }
    assert_eq!(signatures(&c), 0);
    c.mine(&[]);
    assert!(signatures(&c) >= 3);

    let mut c = Cluster::new(charter(str::to_owned), 98);
    c.mine(&[]);
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
