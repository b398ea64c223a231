//! What a turn looks at does not grow with what is over.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use alloy_primitives::{B256, U256, keccak256};
use ed25519_dalek::{Signer, SigningKey};
use k256::ecdsa::SigningKey as GuardianKey;
use watchfire_charter::Charter;
use watchfire_types::body::{
    Authority, Basis, Body, Certificate, CloseVote, CoSignature, Decision, FaultProof, Finding, Human, HumanStatement,
    Purpose, Started, Veto, Vote,
};
use watchfire_types::duty::Duty;
use watchfire_types::input::Input;
use watchfire_types::{
    BlockRef, BlockTime, BlockView, ChainId, Epoch, Event, EventHash, IncidentId, MemberKey, Seq, Severity, StepIndex,
    Timestamp, Verified,
};

use super::Look;
use crate::effect::Hashes;
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
        let event = self.seal(member, body);
        self.machine.apply(&event);
        event
    }

    fn seal(&mut self, member: usize, body: Body) -> Verified<Event> {
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
        sealed.verify(network).expect("verifies")
    }

    /// The pause at nonce 7, signed by this member's guardian.
    fn co_signature(&self, member: usize) -> CoSignature {
        let decision = self.decision();
        let rung = self.charter.playbooks[&decision.playbook].step(StepIndex::new(2)).expect("pause");
        let (safe, entry) = self.charter.safes.iter().next().expect("a safe");
        let effect =
            crate::effect::build(&self.charter, &Hashes::default(), rung, safe, U256::from(7), &BTreeSet::new())
                .expect("one call");
        let key = GuardianKey::from_slice(&[0x11 * (u8::try_from(member).expect("small") + 1); 32]).expect("a scalar");
        let (signed, recovery) = key.sign_prehash_recoverable(effect.safe_tx_hash.as_slice()).expect("signs");
        let mut signature = [27 + recovery.to_byte(); 65];
        signature[..64].copy_from_slice(&signed.to_bytes());
        CoSignature {
            version: self.charter.version,
            authority: Authority::Step { decision, step: StepIndex::new(2), certificate: B256::ZERO },
            chain: entry.chain,
            safe: entry.address,
            transaction: effect.transaction,
            omitted: effect.omitted,
            agreed: block(100),
            signature,
        }
    }

    fn receive(&mut self, event: &Verified<Event>) -> bool {
        let input = Input::Received(Box::new(event.clone()));
        let now = Timestamp::from_millis(1_700_000_000_000);
        self.machine.observe(now, &input);
        let taken = self.machine.decide(now, &input).is_ok();
        if taken {
            self.machine.apply(event);
        }
        taken
    }

    fn owners(&self) -> usize {
        self.machine.signatures().iter().map(|count| count.owners.len()).sum()
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
            let close = CloseVote { decision: decision.clone(), closed_at: at, outcome: None, human: human.clone() };
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
        let (base_fee, agreed) = (Some(1), BTreeSet::new());
        let view = BlockView {
            block: block(number),
            parent,
            base_fee,
            transactions: Vec::new(),
            logs: vec![],
            reads: BTreeMap::new(),
            agreed,
            unproved: false,
        };
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

/// What one turn looks at beside so many living certificates on evidence that a liar made up, each of them valid by its bytes, and beside as many
/// of the same votes carried again by another member.
fn looks_at_made_up(count: u8, again: bool) -> u64 {
    let mut log = Log::new();
    for number in 5_000..5_003 {
        log.show(number);
    }
    let decision = log.decision();
    let step = StepIndex::new(2);
    let vote = |member: usize, evidence: BlockRef| {
        let operator = OPERATORS[member].parse().expect("a label");
        let basis = Basis::Finding(EventHash::from_bytes([9; 32]));
        Body::Vote(Vote { decision: decision.clone(), step, basis, operator, evidence })
    };
    let honest = [0, 1].map(|member| log.author(member, vote(member, block(5_001))).to_unverified());
    for number in 0..count {
        let made_up = BlockRef { hash: B256::repeat_byte(number), ..block(5_002) };
        let lie = log.author(2, vote(2, made_up)).to_unverified();
        let votes = honest.iter().cloned().chain([lie]).collect();
        let certificate = Certificate { decision: decision.clone(), purpose: Purpose::Step(step), votes };
        for carrier in if again { &[2, 3][..] } else { &[2][..] } {
            log.author(*carrier, Body::Certificate(certificate.clone()));
        }
    }
    COUNTS.take();
    log.show(5_003);
    let now = Timestamp::from_millis(1_700_005_004_000);
    let _ = (log.machine.owed(now), log.machine.next_timeout(), log.machine.outlooks());
    assert!(log.machine.authorising(&decision.playbook, step).is_none());
    COUNTS.take().get(&Look::Certificate).copied().unwrap_or_default()
}

/// S12: a certificate on a block that is not there costs a few looks a turn (whether it authorises, whether anything was certified) for as long as
/// it lives, and no more for who else carries it; so many can live as one author's quota lets it vote.
#[test]
fn a_made_up_certificate_costs_a_few_looks_a_turn() {
    let (few, many) = (looks_at_made_up(10, false), looks_at_made_up(40, false));
    assert!((30..=4 * 30).contains(&(many - few)), "{few} {many}");
    assert_eq!(looks_at_made_up(40, true), many);
}

fn recoveries() -> u64 {
    COUNTS.take().get(&Look::Recovery).copied().unwrap_or_default()
}

/// A co-signature is taken apart once, though the door and the fold both ask; and not again for whoever else carries it.
#[test]
fn a_co_signature_is_recovered_once() {
    let mut log = Log::new();
    let signature = log.co_signature(1);
    let event = log.seal(1, Body::CoSignature(signature.clone()));
    COUNTS.take();
    assert!(log.receive(&event));
    assert_eq!((recoveries(), log.owners()), (1, 1));
    let again = log.seal(2, Body::CoSignature(signature));
    assert!(log.receive(&again));
    assert_eq!((recoveries(), log.owners()), (0, 1));
}

/// The fold takes nobody's word for it: what replay applies was never decided about, and what was decided was another event.
#[test]
fn the_fold_judges_for_itself() {
    let mut log = Log::new();
    let good = log.co_signature(1);
    let mut bad = log.co_signature(2);
    bad.signature[10] ^= 1;
    bad.signature[40] ^= 1;
    let (good, bad) = (log.seal(1, Body::CoSignature(good)), log.seal(2, Body::CoSignature(bad)));
    let now = Timestamp::from_millis(1_700_000_000_000);
    log.machine.observe(now, &Input::Received(Box::new(good.clone())));
    log.machine.apply(&bad);
    assert_eq!(log.owners(), 0);
    log.machine.apply(&good);
    assert_eq!(log.owners(), 1);
    let mut replayed = Log::new();
    replayed.machine.apply(&bad);
    replayed.machine.apply(&good);
    assert_eq!(replayed.owners(), 1);
    assert!(!replayed.receive(&bad), "refused at the door");
}

/// One epoch of one member, contiguous.
struct Chain {
    member: usize,
    epoch: Epoch,
    next: u64,
    prev: EventHash,
}

impl Chain {
    fn new(member: usize, epoch: u8) -> Self {
        Self { member, epoch: Epoch::from_bytes([epoch; 16]), next: 0, prev: EventHash::from_bytes([0; 32]) }
    }

    fn seal(&self, log: &Log, body: Body) -> Verified<Event> {
        let key = SigningKey::from_bytes(&[u8::try_from(self.member).expect("small") + 1; 32]);
        let (network, author) = (log.machine.network(), MemberKey::from_bytes(key.verifying_key().to_bytes()));
        let time = Timestamp::from_millis(1 + self.next);
        let event = Event { network, author, epoch: self.epoch, seq: Seq::new(self.next), prev: self.prev, time, body };
        let sealed = watchfire_wire::seal(&event, |input| key.sign(input).to_bytes()).expect("seals");
        sealed.verify(network).expect("verifies")
    }

    fn say(&mut self, log: &Log, body: Body) -> Verified<Event> {
        let event = self.seal(log, body);
        (self.next, self.prev) = (self.next + 1, event.hash());
        event
    }

    fn begin(&mut self, log: &Log) -> Verified<Event> {
        let started = Started {
            earlier: Vec::new(),
            charter_version: log.charter.version,
            charter_digest: log.charter.digest(),
            software: "test".into(),
        };
        self.say(log, Body::Started(started))
    }
}

fn finding(detector: &str, number: u64) -> Body {
    Body::Finding(Finding {
        asset: "vault-core".parse().expect("an id"),
        detector: detector.parse().expect("an id"),
        kind: "outflow".into(),
        severity: Severity::Sev2,
        first: block(number),
        block: block(number),
        explanation: "out".into(),
        figures: BTreeMap::new(),
    })
}

fn note(text: &str) -> Body {
    let human = Human { person: "p".into(), role: "r".into(), reason: text.into() };
    Body::Note(HumanStatement { incident: IncidentId::from_bytes([1; 32]), human })
}

/// What one turn looks at after a reorg, with so many own findings and attestations behind it, and so many epochs of a liar whose forks are
/// told; one finding is of the block that is gone, one fork is told by nobody, and one epoch has a gap.
fn looks_back(over: u64) -> BTreeMap<Look, u64> {
    let mut log = Log::new();
    let mut own = Chain::new(0, 1);
    let mut told = Chain::new(1, 2);
    for event in [own.begin(&log), told.begin(&log)] {
        log.machine.apply(&event);
    }
    for number in 0..over {
        let event = own.say(&log, finding("vault-outflow", 100 + number));
        log.machine.apply(&event);
        let epoch = 10 + u8::try_from(number).expect("few");
        let mut liar = Chain::new(4, epoch);
        let begun = liar.begin(&log);
        log.machine.apply(&begun);
        let pair = ["one", "two"].map(|text| liar.seal(&log, note(text)));
        for event in &pair {
            log.machine.apply(event);
        }
        let [first, second] = if pair[0].hash() < pair[1].hash() { pair } else { [pair[1].clone(), pair[0].clone()] };
        let [first, second] = [first, second].map(|event| Box::new(event.to_unverified()));
        let event = told.say(&log, Body::FaultProof(FaultProof { first, second }));
        log.machine.apply(&event);
    }
    let event = own.say(&log, finding("vault-outflow", 5_003));
    log.machine.apply(&event);
    let mut liar = Chain::new(4, 9);
    let begun = liar.begin(&log);
    log.machine.apply(&begun);
    for text in ["one", "two"] {
        let event = liar.seal(&log, note(text));
        log.machine.apply(&event);
    }
    let mut gap = Chain::new(2, 3);
    let _ = (gap.begin(&log), gap.say(&log, note("lost")));
    let event = gap.say(&log, note("held"));
    log.machine.apply(&event);
    let member = event.author;
    log.machine.observe(Timestamp::from_millis(1), &Input::Peer { member, connected: true });
    for number in 5_000..5_004 {
        log.show(number);
    }
    let gone = vec![block(5_003)];
    log.machine.observe(Timestamp::from_millis(1), &Input::Orphaned { chain: ChainId::new(31_337), blocks: gone });
    COUNTS.take();
    let now = Timestamp::from_millis(1_700_005_004_000);
    let owed = log.machine.owed(now);
    let retracted = owed.drafts.iter().filter(|draft| matches!(draft, crate::Draft::Body(Body::Retracted(_)))).count();
    assert_eq!(retracted, 1, "the finding of the block that is gone");
    assert_eq!(owed.duties.iter().filter(|duty| matches!(duty, Duty::CatchUp { .. })).count(), 1);
    assert_eq!(log.machine.shared.untold().count(), 1);
    COUNTS.take()
}

/// S12: neither the own history nor settled forks make a turn slower.
#[test]
fn a_turn_does_not_look_back() {
    let (few, many) = (looks_back(3), looks_back(60));
    assert_eq!(few, many);
    for look in [Look::Observation, Look::Chain] {
        assert!(many.contains_key(&look), "{look:?} is counted");
    }
}

/// What it takes to cut a liar's history short, once, with so much of others' behind it.
fn cut_looks(over: u64, length: u64, forks: &[u64]) -> BTreeMap<Look, u64> {
    let mut log = Log::new();
    for number in 1..=over {
        log.certify(number);
    }
    let mut liar = Chain::new(4, 9);
    let begun = liar.begin(&log);
    log.machine.apply(&begun);
    let mut twins = BTreeMap::new();
    for number in 1..length {
        if forks.contains(&number) {
            twins.insert(number, liar.seal(&log, note("twin")));
        }
        let event = liar.say(&log, note("said"));
        log.machine.apply(&event);
    }
    COUNTS.take();
    for number in forks {
        log.machine.apply(&twins[number]);
        let key =
            (log.machine.shared.chains.keys().map(|(author, _)| *author).find(|a| *a == begun.author)).expect("held");
        assert_eq!(log.machine.cut(key, Epoch::from_bytes([9; 16])), Some(Seq::new(*number)));
    }
    COUNTS.take()
}

/// S12: a cut that falls costs what it takes away, whatever others said; and a liar that lets it fall again and again has its chain walked over a
/// bounded stretch each time.
#[test]
fn a_cut_costs_what_it_takes_away() {
    let (few, many) = (cut_looks(2, 30, &[20, 12]), cut_looks(30, 30, &[20, 12]));
    assert_eq!(few, many);
    assert_eq!(many.get(&Look::Fold), Some(&18), "ten events, then eight");
    let forks: Vec<u64> = (2_590..2_600).rev().collect();
    let walks = cut_looks(0, 2_600, &forks)[&Look::Walk];
    assert!(walks <= 10 * 1_024, "{walks}");
}
