//! Traces of automatic votes over reorgs: as many as are needed, and never the same one twice.

use std::collections::BTreeSet;

use watchfire_types::body::Body;

use crate::cluster::*;

/// A reorg to earlier block times: the finding that stands is voted on once, though the newest own vote speaks of a later, orphaned block.
#[test]
fn a_reorg_to_earlier_times_starts_no_vote_storm() {
    for depth in [1, 2, 3, 5] {
        let mut c = Cluster::new(charter(str::to_owned), 100);
        c.silent = [1, 2, 3, 4].into();
        c.find(&[0], "vault-outflow");
        for _ in 0..62 {
            c.mine(&[]);
        }
        let before = c.votes(0, 1);
        c.reorg(depth);
        c.mine(&[]);
        assert!(c.votes(0, 1) <= before + 1, "depth {depth}: at most one vote for one head");
        let key = c.nodes[0].key();
        let own = c.nodes[0].log.iter().filter(|event| event.author == key);
        let votes: Vec<_> = own
            .filter_map(|event| match &event.body {
                Body::Vote(vote) => Some((vote.step, vote.evidence.hash)),
                _ => None,
            })
            .collect();
        assert_eq!(votes.iter().collect::<BTreeSet<_>>().len(), votes.len(), "depth {depth}: no vote twice");
    }
}

/// A reorg that takes the newest vote's evidence leaves an organisation with a vote that counts, at once.
#[test]
fn an_orphaned_vote_is_replaced_at_once() {
    let mut c = Cluster::new(charter(str::to_owned), 100);
    c.mine(&[]);
    c.all_find("vault-outflow");
    c.mine(&[]);
    assert_eq!(c.owed_steps(0), [2]);
    c.reorg(1);
    assert!(c.owed_steps(0).is_empty());
    c.all_find("vault-outflow");
    c.mine(&[]);
    assert_eq!(c.owed_steps(0), [2]);
}
