//! Properties of certificates: validity is a function of the bytes alone, more events never take one away, and time only ever
//! ends one.

use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};

use alloy_primitives::B256;
use proptest::prelude::*;
use watchfire_charter::Charter;
use watchfire_protocol::{Machine, Rejection, content_digest};
use watchfire_types::body::{Basis, Certificate, Decision, Human, Purpose, Veto, Vote};
use watchfire_types::input::Input;
use watchfire_types::*;

use crate::cluster::*;
use crate::model::block;

const OPERATORS: [&str; 5] = ["op-alder", "op-birch", "op-cedar", "op-dogwood", "op-elm"];
/// Blocks are a second apart: votes at both ends live too far apart for one certificate.
const EVIDENCE: [u64; 3] = [100, 100 + EXPIRY_S, 101 + EXPIRY_S];

/// An event that may stand in a certificate, and what it says: `None` for one that never may.
struct Candidate {
    event: Unverified,
    says: Option<(usize, u8, u64)>,
}

fn drill() -> &'static Arc<Charter> {
    static DRILL: OnceLock<Arc<Charter>> = OnceLock::new();
    DRILL.get_or_init(|| charter(str::to_owned))
}

fn decision() -> Decision {
    Decision { version: drill().version, asset: name("vault-core"), playbook: name("contain-vault") }
}

fn vote(member: usize, step: u8, at: u64) -> Body {
    Body::Vote(Vote {
        decision: decision(),
        step: StepIndex::new(step),
        basis: Basis::Finding(EventHash::from_bytes([9; 32])),
        operator: name(OPERATORS[member]),
        evidence: block(at, 0),
    })
}

/// Every member's votes for both steps at each evidence; then events that belong into no certificate.
fn candidates() -> &'static Vec<Candidate> {
    static CANDIDATES: OnceLock<Vec<Candidate>> = OnceLock::new();
    CANDIDATES.get_or_init(|| {
        let mut candidates = Vec::new();
        let nodes: Vec<Node> = (0..5).map(|index| Node::new(drill(), index, 0x20 + index)).collect();
        let mut add = |node: &Node, seq, body, says| {
            let event = node.seal_at(seq, EventHash::from_bytes([1; 32]), body).to_unverified();
            candidates.push(Candidate { event, says });
        };
        for (member, node) in nodes.iter().enumerate() {
            let choices = [1, 2].into_iter().flat_map(|step| EVIDENCE.map(|at| (step, at)));
            for (seq, (step, at)) in (1..).zip(choices) {
                add(node, seq, vote(member, step, at), Some((member, step, at)));
            }
        }
        let human = Human { person: "p1".into(), role: "lead".into(), reason: "seen".into() };
        let at = block(EVIDENCE[0], 0);
        add(&nodes[0], 20, Body::Veto(Veto { decision: decision(), head: at, act: at, human }), None);
        add(&nodes[1], 21, vote(0, 2, EVIDENCE[0]), None);
        let Body::Vote(sound) = vote(2, 2, EVIDENCE[0]) else { panic!("a vote") };
        let elsewhere = Decision { playbook: name("recover-vault"), ..decision() };
        add(&nodes[2], 22, Body::Vote(Vote { decision: elsewhere, ..sound.clone() }), None);
        add(&nodes[3], 23, Body::Vote(Vote { step: StepIndex::new(9), operator: name(OPERATORS[3]), ..sound }), None);
        candidates
    })
}

/// What the rules say of these votes, written down a second time: the drill charter wants three organisations and operators.
fn valid(step: u8, chosen: &[usize]) -> bool {
    let Some(said) = chosen.iter().map(|index| candidates()[*index].says).collect::<Option<Vec<_>>>() else {
        return false;
    };
    let once_each = said.windows(2).all(|pair| pair[0].0 < pair[1].0);
    let wide_enough = said.iter().all(|(_, supports, _)| *supports >= step);
    let newest = said.iter().map(|(_, _, at)| *at).max().unwrap_or_default();
    let oldest = said.iter().map(|(_, _, at)| *at).min().unwrap_or_default();
    once_each && wide_enough && said.len() >= 3 && newest - oldest <= EXPIRY_S
}

fn certificate(step: u8, chosen: &[usize]) -> Certificate {
    let votes = chosen.iter().map(|index| candidates()[*index].event.clone()).collect();
    Certificate { decision: decision(), purpose: Purpose::Step(StepIndex::new(step)), votes }
}

fn machine() -> Machine {
    let (member, _) = drill().members.iter().next().expect("a member");
    let network = drill().network_id();
    Machine::new(Arc::clone(drill()), network, member.clone(), Epoch::from_bytes([7; 16])).expect("a member")
}

/// A carrier of the certificate in member `by`'s name.
fn carried(by: u8, certificate: Certificate) -> Verified<Event> {
    let node = Node::new(drill(), by, 0x30 + by);
    node.seal_at(1, node.log[0].hash(), Body::Certificate(certificate))
}

/// What a node decides about a received event.
fn decided(machine: &mut Machine, event: &Verified<Event>) -> Result<(), Rejection> {
    let now = Timestamp::from_millis(1_700_000_300_000);
    let input = Input::Received(Box::new(event.clone()));
    machine.observe(now, &input);
    machine.decide(now, &input).map(|_| ())
}

fn held(machine: &Machine) -> BTreeSet<B256> {
    machine.decisions().into_iter().flat_map(|status| status.certificates).map(|(digest, ..)| digest).collect()
}

/// Mostly one vote each of some members in order, which is often valid; else anything in any order.
fn choice() -> impl Strategy<Value = Vec<usize>> {
    let of_member = |member: usize| proptest::option::weighted(0.8, (6 * member)..(6 * member + 6));
    let in_order = (of_member(0), of_member(1), of_member(2), of_member(3), of_member(4))
        .prop_map(|(a, b, c, d, e)| [a, b, c, d, e].into_iter().flatten().collect::<Vec<_>>());
    prop_oneof![
        4 => in_order.clone(),
        1 => in_order.prop_shuffle(),
        1 => proptest::collection::vec(0..candidates().len(), 1..7),
    ]
    .prop_filter("an empty one cannot be sealed", |chosen| !chosen.is_empty())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whoever carries it and whatever else is known, a certificate is valid by its bytes alone: exactly one vote for this
    /// decision per organisation, in order, each wide enough, close enough together, and enough of them.
    #[test]
    fn validity_is_a_function_of_the_bytes(step in 1_u8..=2, chosen in choice(), known in choice(), by in 0_u8..5) {
        let expected = valid(step, &chosen);
        let event = carried(by, certificate(step, &chosen));
        let fresh = machine();
        let mut full = machine();
        for index in known {
            let event = candidates()[index].event.clone().verify(full.network()).expect("sound");
            full.apply(&event);
        }
        full.apply(&carried(4, certificate(1, &[0, 6, 12])));
        let digest = content_digest(&certificate(step, &chosen), fresh.network());
        for mut machine in [fresh, full] {
            let before = held(&machine);
            let decided = decided(&mut machine, &event);
            prop_assert_eq!(decided.is_ok(), expected, "{:?}", decided);
            machine.apply(&event);
            prop_assert_eq!(held(&machine).contains(&digest), expected || before.contains(&digest));
        }
    }

    /// One changed vote, one said twice and two in the other order each make a valid certificate invalid.
    #[test]
    fn a_disturbed_certificate_is_refused(a in 0_usize..6, b in 0_usize..3, at in 0_usize..3, stranger in 30_usize..34) {
        let chosen = [a, 6 + a, 12 + a, 18 + a];
        prop_assert!(valid(1, &chosen));
        let mut swapped = chosen;
        swapped.swap(b, b + 1);
        let mut twice = chosen.to_vec();
        twice.insert(at, chosen[at]);
        let mut foreign = chosen.to_vec();
        foreign[at] = stranger;
        prop_assert_eq!(decided(&mut machine(), &carried(0, certificate(1, &chosen))), Ok(()));
        for votes in [swapped.to_vec(), twice, foreign] {
            let event = carried(0, certificate(1, &votes));
            let decided = decided(&mut machine(), &event);
            prop_assert!(matches!(decided, Err(Rejection::InvalidCertificate(_))), "{votes:?}: {decided:?}");
        }
    }

    /// Certificates are never lost: not by more votes, not by other certificates, not by an author that contradicts itself.
    #[test]
    fn more_events_take_no_certificate_away(
        order in Just((0..candidates().len()).collect::<Vec<_>>()).prop_shuffle(),
        first in 0_usize..6,
        second in 0_usize..6,
    ) {
        let mut machine = machine();
        machine.apply(&carried(0, certificate(1, &[first, 6 + first, 12 + first])));
        let mut before = held(&machine);
        prop_assert_eq!(before.len(), 1);
        for (at, index) in order.into_iter().enumerate() {
            // Two positions and a wrong `prev`: each author's chain is cut sooner or later.
            machine.apply(&candidates()[index].event.clone().verify(machine.network()).expect("sound"));
            if at == 10 {
                machine.apply(&carried(1, certificate(1, &[6 + second, 12 + second, 24 + second])));
            }
            let now = held(&machine);
            prop_assert!(now.is_superset(&before));
            before = now;
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, failure_persistence: None, ..ProptestConfig::default() })]

    /// As the chain grows and nobody votes again, a certificate stops authorising once and for good.
    #[test]
    fn expiry_is_final(steps in proptest::collection::vec(1_u64..60, 4..9)) {
        let mut cluster = Cluster::new(Arc::clone(drill()), 98);
        cluster.mine(&[]);
        cluster.all_find("vault-outflow");
        cluster.mine(&[]);
        cluster.clear();
        let authorised = |cluster: &Cluster| {
            let decisions = cluster.nodes[0].machine.decisions();
            let certificates = decisions.into_iter().flat_map(|status| status.certificates);
            certificates.filter(|(_, _, now)| *now).map(|(digest, ..)| digest).collect::<BTreeSet<B256>>()
        };
        let evidence = cluster.chain.head().at.number;
        let mut before = authorised(&cluster);
        prop_assert!(!before.is_empty());
        for step in steps {
            let number = cluster.chain.head().at.number + step;
            cluster.mine_to(number);
            let now = authorised(&cluster);
            prop_assert!(now.is_subset(&before), "at {number}");
            prop_assert_eq!(now.is_empty(), number > evidence + EXPIRY_S, "at {}", number);
            before = now;
        }
    }
}
