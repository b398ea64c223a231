//! What a turn looks at does not grow with what is over.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use alloy_primitives::keccak256;
use ed25519_dalek::{Signer, SigningKey};
use watchfire_charter::Charter;
use watchfire_types::body::{Basis, Body, Certificate, CloseVote, Decision, Human, Purpose, Veto, Vote};
use watchfire_types::input::Input;
use watchfire_types::{
    BlockRef, BlockTime, BlockView, ChainId, Epoch, Event, EventHash, MemberKey, Seq, StepIndex, Timestamp, Verified,
};

use super::Look;
use crate::machine::Machine;

thread_local! {
    static COUNTS: RefCell<BTreeMap<Look, u64>> = const { RefCell::new(BTreeMap::new()) };
}

pub(super) fn count(look: Look) {
    COUNTS.with_borrow_mut(|counts| *counts.entry(look).or_default() += 1);
}

const OPERATORS: [&str; 5] = ["op-alder", "op-birch", "op-cedar", "op-dogwood", "op-elm"];

struct Log {
    charter: Arc<Charter>,
    machine: Machine,
    seqs: [u64; 5],
}

impl Log {
    fn new() -> Self {
        let text = include_str!("../../../charter/tests-data/drill.charter.toml");
        let charter = Arc::new(watchfire_charter::parse(text).expect("parses").0);
        let member = charter.members.keys().next().expect("a member").clone();
        let epoch = Epoch::from_bytes([7; 16]);
        let machine = Machine::new(Arc::clone(&charter), charter.network_id(), member, epoch).expect("a member");
        Self { charter, machine, seqs: [1; 5] }
    }

    fn decision(&self) -> Decision {
        let id = |text: &str| text.parse().expect("an id");
        Decision {
            version: self.charter.version,
            asset: id("vault-core"),
            playbook: "contain-vault".parse().expect("an id"),
        }
    }

    fn author(&mut self, member: usize, body: Body) -> Verified<Event> {
        let key = SigningKey::from_bytes(&[u8::try_from(member).expect("small") + 1; 32]);
        let network = self.machine.network();
        let event = Event {
            network,
            author: MemberKey::from_bytes(key.verifying_key().to_bytes()),
            epoch: Epoch::from_bytes([1; 16]),
            seq: Seq::new(self.seqs[member]),
            prev: EventHash::from_bytes([3; 32]),
            time: Timestamp::from_millis(1),
            body,
        };
        // Positions apart from one another: none contradicts its neighbour.
        self.seqs[member] += 2;
        let sealed = watchfire_wire::seal(&event, |input| key.sign(input).to_bytes()).expect("seals");
        let event = sealed.verify(network).expect("verifies");
        self.machine.apply(&event);
        event
    }

    /// One certificate of each purpose on evidence at this height, with what it is made of.
    fn certify(&mut self, number: u64) {
        let (decision, at) = (self.decision(), block(number));
        let human = Human { person: "p".into(), role: "r".into(), reason: "x".into() };
        let supports = |member: usize| {
            let operator = OPERATORS[member].parse().expect("a label");
            let basis = Basis::Finding(EventHash::from_bytes([9; 32]));
            let vote = Vote { decision: decision.clone(), step: StepIndex::new(2), basis, operator, evidence: at };
            let veto = Veto { decision: decision.clone(), head: at, act: at, human: human.clone() };
            let close = CloseVote { decision: decision.clone(), closed_at: at, human: human.clone() };
            [Body::Vote(vote), Body::Veto(veto), Body::CloseVote(close)]
        };
        let purposes = [Purpose::Step(StepIndex::new(2)), Purpose::Cancel, Purpose::Close(at.time)];
        for (index, purpose) in purposes.into_iter().enumerate() {
            let votes = (0..3).map(|member| self.author(member, supports(member)[index].clone()).to_unverified());
            let certificate = Certificate { decision: decision.clone(), purpose, votes: votes.collect() };
            self.author(3, Body::Certificate(certificate));
        }
    }

    fn show(&mut self, number: u64) {
        let parent = block(number - 1).hash;
        let view = BlockView { block: block(number), parent, base_fee: Some(1), logs: vec![], reads: BTreeMap::new() };
        let now = Timestamp::from_millis(block(number).time.as_secs() * 1_000);
        self.machine.observe(now, &Input::Block(Box::new(view)));
    }
}

fn block(number: u64) -> BlockRef {
    let time = BlockTime::from_secs(1_700_000_000 + number);
    BlockRef { chain: ChainId::new(31_337), number, hash: keccak256(number.to_be_bytes()), time }
}

/// What one turn looks at, with so many certificates of each purpose that are long over, and one that is not.
fn looks(over: u64) -> BTreeMap<Look, u64> {
    let mut log = Log::new();
    for number in 1..=over {
        log.certify(number);
    }
    for number in 5_000..5_003 {
        log.show(number);
    }
    log.certify(5_001);
    COUNTS.take();
    log.show(5_003);
    let now = Timestamp::from_millis(1_700_005_004_000);
    let owed = log.machine.owed(now);
    assert!(owed.drafts.iter().all(|draft| !matches!(draft, crate::Draft::Body(Body::Certificate(_)))), "all are said");
    let asked = (log.machine.next_timeout(), log.machine.outlooks(), log.machine.window_floors());
    assert_eq!(asked.1.len(), 1);
    COUNTS.take()
}

/// S12: a year of incidents makes no turn slower.
#[test]
fn a_turn_looks_at_nothing_that_is_over() {
    let (few, many) = (looks(3), looks(40));
    assert_eq!(few, many);
    assert!(many.values().sum::<u64>() > 0, "something is counted");
}
