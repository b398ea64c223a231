//! S15 with lies about trees: whatever mixture of forks, false checkpoints, stray checkpoints and contradicting ones is held, equal sets
//! give equal cuts and digests in every order; and what the cut is follows from the set.

use std::sync::OnceLock;

use ed25519_dalek::{Signer, SigningKey};
use proptest::prelude::*;
use watchfire_protocol::{Machine, judge};
use watchfire_transparency::{Checkpoint, Origin, Tree};
use watchfire_types::body::{Body, CheckpointFault, HumanStatement, Inconsistency};
use watchfire_types::*;

use crate::cluster::*;
use crate::node::Node;

fn note(text: &str) -> Body {
    Body::Note(HumanStatement { incident: IncidentId::from_bytes([1; 32]), human: human(text) })
}

/// A member that signs whatever it is told to.
struct Liar {
    node: Node,
    key: SigningKey,
    said: Vec<Verified<Event>>,
}

impl Liar {
    fn new(index: u8) -> Self {
        let node = Node::new(&charter(str::to_owned), index, index + 1);
        let said = node.log.clone();
        Self { node, key: SigningKey::from_bytes(&[index + 1; 32]), said }
    }

    fn state(&self, size: u64, root: [u8; 32]) -> body::Checkpoint {
        let (member, network) = (self.node.machine.member().clone(), self.node.machine.network());
        let origin = Origin { network, member: member.clone(), epoch: self.node.machine.epoch() };
        let signature = self.key.sign(Checkpoint { origin, size, root }.text().as_bytes()).to_bytes();
        body::Checkpoint { member, size, root: B256::new(root), signature }
    }

    fn say(&mut self, body: Body) {
        let event = self.node.forge(body);
        self.said.push(event);
    }

    fn tree(&self) -> Tree {
        let leaves = self.said.iter().filter(|event| !matches!(event.body, Body::Checkpoint(_)));
        leaves.map(|event| event.outer()).collect()
    }

    /// A checkpoint over everything said so far, true or of another root.
    fn checkpoint(&mut self, lie: bool) {
        let tree = self.tree();
        let root = if lie { [0xee; 32] } else { tree.root_at(tree.size()).expect("its size") };
        let stated = self.state(tree.size(), root);
        self.say(Body::Checkpoint(stated));
    }

    fn fault(&self, size: u64, root: [u8; 32], against: Option<Inconsistency>) -> Body {
        let (author, epoch) = (self.node.key(), self.node.machine.epoch());
        Body::CheckpointFault(CheckpointFault { author, epoch, checkpoint: self.state(size, root), against })
    }
}

/// An accused with a false checkpoint at position 8 and events up to 11; a fork at 9; stray checkpoints of every size, true and false,
/// and two that contradict each other, told by another member.
struct Set {
    events: Vec<Verified<Event>>,
    /// Which of them lower the cut, and where to.
    fork: usize,
    strays: Vec<(usize, u64)>,
    inconsistent: usize,
    accused: (MemberKey, Epoch),
}

fn set() -> &'static Set {
    static SET: OnceLock<Set> = OnceLock::new();
    SET.get_or_init(|| {
        let (mut accused, mut teller) = (Liar::new(4), Liar::new(3));
        accused.say(note("one"));
        accused.say(note("two"));
        accused.checkpoint(false);
        for word in ["three", "four", "five", "six"] {
            accused.say(note(word));
        }
        accused.checkpoint(true);
        for word in ["seven", "eight", "nine"] {
            accused.say(note(word));
        }
        let mut events = accused.said.clone();
        let prev = accused.said[8].hash();
        let fork = events.len();
        events.push(accused.node.seal_at(9, prev, note("another seven")));
        let tree = accused.tree();
        let mut strays = Vec::new();
        // The n-th leaf stands at n - 1, or behind the checkpoint at 3 one later.
        for size in 1..=7_u64 {
            let after = if size <= 3 { size } else { size + 1 };
            teller.say(accused.fault(size, tree.root_at(size).expect("there"), None));
            teller.say(accused.fault(size, [0xdd; 32], None));
            strays.push((events.len() + teller.said.len() - 1, after));
        }
        let path = tree.consistency(3, 6).expect("there").path.into_iter().map(B256::new).collect();
        let against = Inconsistency {
            checkpoint: accused.state(6, tree.root_at(6).expect("there")),
            prefix_root: B256::new(tree.root_at(3).expect("there")),
            path,
        };
        teller.say(accused.fault(3, [0xcc; 32], Some(against)));
        events.extend(teller.said.iter().cloned());
        let inconsistent = events.len() - 1;
        let accused = (accused.node.key(), accused.node.machine.epoch());
        Set { events, fork, strays, inconsistent, accused }
    })
}

fn machine() -> Machine {
    let charter = charter(str::to_owned);
    let (member, network) = (charter.members.keys().next().expect("a member").clone(), charter.network_id());
    Machine::new(charter, network, member, Epoch::from_bytes([7; 16])).expect("a machine")
}

fn fold(order: &[usize]) -> Machine {
    let mut machine = machine();
    order.iter().for_each(|index| machine.apply(&set().events[*index]));
    machine
}

/// The lowest position that anything of the set convicts.
fn expected(order: &[usize]) -> Option<u64> {
    let set = set();
    let held = |index: usize| order.contains(&index);
    if held(set.inconsistent) {
        return Some(0);
    }
    let chained = (0..12).take_while(|index| held(*index)).count() as u64;
    let pair = (held(9) && held(set.fork) || held(set.fork) && held(10)).then_some(9);
    // What stands at or above the lower of the other cuts was never there to be judged.
    let strays = set.strays.iter().filter(|(index, after)| held(*index) && *after <= chained).map(|(_, after)| *after);
    let checkpoint = (chained > 8).then_some(8);
    strays.chain(pair).chain(checkpoint).min()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    /// Order and repetition change nothing, whichever lies are in the set; and the cut is the lowest that the set convicts.
    #[test]
    fn cuts_depend_on_the_set_alone(
        order in Just((0..set().events.len()).collect::<Vec<_>>()).prop_shuffle(),
        other in Just((0..set().events.len()).collect::<Vec<_>>()).prop_shuffle(),
        left_out in proptest::collection::btree_set(0..set().events.len(), 0..24),
    ) {
        let kept = |order: Vec<usize>| order.into_iter().filter(|index| !left_out.contains(index)).collect::<Vec<_>>();
        let (order, other) = (kept(order), kept(other));
        let (one, two) = (fold(&order), fold(&other));
        let (author, epoch) = set().accused;
        prop_assert_eq!(one.cut(author, epoch), two.cut(author, epoch));
        prop_assert_eq!(one.state_digest(), two.state_digest());
        prop_assert_eq!(one.tree(author, epoch), two.tree(author, epoch));
        prop_assert_eq!(one.cut(author, epoch).map(Seq::get), expected(&order), "order {:?}", order);
        // Whoever is cut is convicted by one object at that very position, wherever the evidence is held.
        for machine in [one, two] {
            for object in machine.convictions() {
                let conviction = judge(&object, machine.charter()).expect("it convicts");
                prop_assert_eq!((conviction.author, conviction.epoch), (author, epoch));
            }
        }
    }
}

/// The same set leads to one object, whose position is the cut.
#[test]
fn the_object_names_the_cut() {
    let (author, epoch) = set().accused;
    let without = |left: &[usize]| (0..set().events.len()).filter(|index| !left.contains(index)).collect::<Vec<_>>();
    let strays: Vec<usize> = set().strays.iter().map(|(index, _)| *index).collect();
    let cases = [
        without(&[]),
        without(&[set().inconsistent]),
        without(&[&strays[..], &[set().inconsistent, set().fork]].concat()),
    ];
    for (order, cut) in cases.iter().zip([0, 1, 8]) {
        let machine = fold(order);
        assert_eq!(machine.cut(author, epoch), Some(Seq::new(cut)));
        let objects = machine.convictions();
        let [object] = objects.as_slice() else { panic!("{} objects for {cut}", objects.len()) };
        assert_eq!(judge(object, machine.charter()).map(|conviction| conviction.cut), Ok(Seq::new(cut)));
    }
}

/// A checkpoint that is not signed as a note, or covers more than stands before it, is refused from the bytes.
#[test]
fn checkpoints_are_checked_at_the_door() {
    let now = Timestamp::from_millis(1_700_000_000_000);
    let mut liar = Liar::new(4);
    let mut receiver = Node::new(&charter(str::to_owned), 0, 9);
    receiver.receive(now, &liar.said[0].clone()).expect("Started");
    let tree = liar.tree();
    let root = tree.root_at(1).expect("there");
    let (seq, prev) = liar.node.position();
    let mut told = |stated: body::Checkpoint| {
        let event = liar.node.seal_at(seq, prev, Body::Checkpoint(stated));
        receiver.receive(now, &event).map_err(|rejection| rejection.verdict())
    };
    let good = Liar::new(4).state(1, root);
    let mut forged = good.clone();
    forged.signature[0] ^= 1;
    assert_eq!(told(forged), Err(Verdict::Reject));
    let other = body::Checkpoint { member: "alder-1".parse().expect("a name"), ..good.clone() };
    assert_eq!(told(other), Err(Verdict::Reject));
    assert_eq!(told(Liar::new(4).state(2, root)), Err(Verdict::Reject), "position 1 has one event before it");
    assert_eq!(told(good), Ok(Verdict::Accept));
    liar.checkpoint(false);
}
