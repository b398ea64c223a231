//! S15, C14, D8: equal event sets give equal digests, whatever the order, however often each event comes, with equivocators.

use std::sync::OnceLock;

use proptest::prelude::*;
use watchfire_protocol::Machine;
use watchfire_types::*;

use crate::cluster::*;

/// Events of an incident in which the last member forks at three places: twins, triplets, a broken `prev`, and votes inside certificates.
fn events() -> &'static Vec<Verified<Event>> {
    static EVENTS: OnceLock<Vec<Verified<Event>>> = OnceLock::new();
    EVENTS.get_or_init(|| {
        let mut c = cluster();
        let (seq, prev) = c.nodes[4].position();
        c.find(&[0, 1, 4], "vault-outflow");
        c.mine(&[]);
        c.execute();
        let evidence = c.chain.blocks[1].at;
        let mut events: Vec<Verified<Event>> = c.nodes[0].log.clone();
        for (seq, prev, step) in [
            (seq + 2, EventHash::from_bytes([1; 32]), 1),
            (seq + 2, EventHash::from_bytes([2; 32]), 2),
            (seq + 1, EventHash::from_bytes([3; 32]), 1),
            (seq + 1, EventHash::from_bytes([3; 32]), 2),
            (seq, prev, 1),
            (seq, prev, 2),
            (seq + 7, EventHash::from_bytes([4; 32]), 1),
        ] {
            events.push(c.nodes[4].seal_at(seq, prev, c.forged_vote(step, evidence)));
        }
        assert!(events.len() > 30);
        events
    })
}

fn fold(order: impl Iterator<Item = usize>) -> Machine {
    let charter = charter(str::to_owned);
    let (member, _) = charter.members.iter().next().expect("a member");
    let network = charter.network_id();
    let mut machine =
        Machine::new(charter.clone(), network, member.clone(), Epoch::from_bytes([7; 16])).expect("member");
    for index in order {
        machine.apply(&events()[index]);
    }
    machine
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    /// The state of a set does not depend on order or repetition.
    #[test]
    fn digests_depend_on_the_set_alone(
        order in Just((0..events().len()).collect::<Vec<_>>()).prop_shuffle(),
        again in proptest::collection::vec(0..events().len(), 0..10),
        left_out in proptest::collection::btree_set(0..events().len(), 0..6),
    ) {
        let kept: Vec<usize> = order.iter().copied().filter(|index| !left_out.contains(index)).collect();
        let mut sorted = kept.clone();
        sorted.sort_unstable();
        let repeated = again.iter().copied().filter(|index| !left_out.contains(index));
        let shuffled = fold(kept.iter().copied().chain(repeated));
        let straight = fold(sorted.into_iter());
        prop_assert_eq!(shuffled.state_digest(), straight.state_digest());
        prop_assert_eq!(shuffled.heads(), straight.heads());
        prop_assert_eq!(shuffled.signatures(), straight.signatures());
        prop_assert_eq!(shuffled.members(), straight.members());
    }
}

/// A different set has a different digest; bookkeeping is left out of it.
#[test]
fn digests_differ_with_the_set() {
    let all = fold(0..events().len());
    let less = fold(1..events().len() / 2);
    assert_ne!(all.state_digest(), less.state_digest());
}

/// Twins with different predecessors convict the position before them too, whichever of the three comes last.
#[test]
fn the_cut_falls_to_the_same_place_in_every_order() {
    let charter = charter(str::to_owned);
    let c = Cluster::new(charter.clone(), 98);
    let liar = &c.nodes[4];
    let (seq, prev) = liar.position();
    let vote = |step, number| c.forged_vote(step, block(number, 0));
    let before = liar.seal_at(seq, prev, vote(1, 90));
    let honest = liar.seal_at(seq + 1, before.hash(), vote(2, 91));
    let broken = liar.seal_at(seq + 1, EventHash::from_bytes([5; 32]), vote(1, 92));
    let three = [&before, &honest, &broken];
    let mut digests = std::collections::BTreeSet::new();
    for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        let mut node = Node::new(&charter, 0, 9);
        node.machine.apply(&liar.log[0]);
        for index in order {
            node.machine.apply(three[index]);
        }
        assert_eq!(node.machine.events().filter(|event| event.author == liar.key()).count(), 1, "only Started is left");
        digests.insert(node.machine.state_digest());
    }
    assert_eq!(digests.len(), 1);
}
