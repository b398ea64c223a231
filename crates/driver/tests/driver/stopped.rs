//! A fact about the own log that does not hold stops votes and signatures, and nothing else.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use alloy_primitives::Address;
use watchfire_driver::{Door, Driver, KeyError, Keys, Notice, Output, Violation, Witness};
use watchfire_journal::{Journal, JournalOptions, MemoryStorage};
use watchfire_types::input::Input;
use watchfire_types::{Body, ChainId, Epoch, MemberKey, SafeTransaction, SafeVersion, Timestamp};
use watchfire_wire::{Envelope, decode_signed};

use crate::catch_up::NOW;
use crate::durability::{events_of_others, inputs, published};
use crate::world::{self, TestKeys, World, charter, gossip, member, sending};

/// Keys whose node key can be made to give signatures that verify nowhere.
struct Faltering {
    keys: TestKeys,
    falters: Arc<AtomicBool>,
}

impl Keys for Faltering {
    fn author(&self) -> MemberKey {
        self.keys.author()
    }

    fn sign(&self, input: &[u8]) -> [u8; 64] {
        let mut signature = self.keys.sign(input);
        signature[0] ^= u8::from(self.falters.load(Ordering::Relaxed));
        signature
    }

    fn sign_statement(&self, statement: watchfire_transparency::Statement<'_>) -> [u8; 64] {
        let mut signature = self.keys.sign_statement(statement);
        signature[0] ^= u8::from(self.falters.load(Ordering::Relaxed));
        signature
    }

    fn guardian(&self) -> Option<Address> {
        self.keys.guardian()
    }

    fn co_sign(
        &self,
        version: SafeVersion,
        chain: ChainId,
        safe: Address,
        transaction: &SafeTransaction,
    ) -> Result<[u8; 65], KeyError> {
        self.keys.co_sign(version, chain, safe, transaction)
    }
}

/// A driver whose keys can be made to falter.
fn driver(now: Timestamp) -> (Driver<MemoryStorage, Faltering>, Arc<AtomicBool>) {
    let falters = Arc::new(AtomicBool::new(false));
    let keys = Faltering { keys: TestKeys::of(0), falters: Arc::clone(&falters) };
    let charter = charter();
    let (network, member) = (charter.network_id(), member(&charter, &keys.keys));
    let journal = Journal::open(MemoryStorage::new(), JournalOptions::default()).unwrap();
    let epoch = Epoch::from_bytes([1; 16]);
    let (mut driver, _) =
        Driver::open(journal, keys, Arc::clone(&charter), network, member.clone(), epoch, now).unwrap();
    let memory = [MemoryStorage::new(), MemoryStorage::new()];
    driver.set_witness(Witness::open(memory, &charter, &member).unwrap());
    (driver, falters)
}

fn bodies(output: &Output) -> Vec<Body> {
    published(output).into_iter().map(|outer| decode_signed(outer).unwrap().event().body.clone()).collect()
}

/// After one bad own signature the node says so once, and goes on to find, to log and to forward; it supports nothing any more.
#[test]
fn a_violation_stops_support_only() {
    let mut others = World::new((0..5).map(|_| MemoryStorage::new()).collect::<Vec<_>>(), 1_000, false);
    others.mine(&[], &[]);
    let mut chain = others.chain.clone();
    others.mine(&[], &["vault-outflow"]);
    let theirs = events_of_others(&others);
    assert!(theirs.iter().any(|outer| {
        let event = decode_signed(outer.clone()).unwrap();
        matches!(event.event().body, Body::Certificate(_))
    }));

    let now = others.now();
    let (mut driver, falters) = driver(now);
    driver.handle(now, inputs(&chain, &[])).unwrap();

    falters.store(true, Ordering::Relaxed);
    chain.mine(&[]);
    let output = driver.handle(now, inputs(&chain, &["vault-outflow"])).unwrap();
    assert!(output.publish.is_empty(), "what does not verify goes nowhere");
    let stopped = |output: &Output| {
        let told = output.notices.iter().filter(|notice| matches!(notice, Notice::SigningStopped { .. }));
        told.count()
    };
    assert_eq!(stopped(&output), 1);
    assert!(matches!(driver.signing_stopped(), Some(Violation::OwnSignature { .. })));

    falters.store(false, Ordering::Relaxed);
    let output = driver.handle(now, inputs(&chain, &["vault-outflow"])).unwrap();
    let said = bodies(&output);
    assert!(said.iter().any(|body| matches!(body, Body::Finding(_))), "findings are still logged and told");
    let before = driver.events();
    let door = theirs.iter().map(|outer| Door::Gossip { id: 0, bytes: gossip(outer) }).collect();
    let output = driver.handle(now, door).unwrap();
    assert!(driver.events() >= before + theirs.len(), "others' events are still logged");
    let later = driver.handle(now.plus_millis(1_000), vec![Door::Input(Input::Tick)]).unwrap();
    let said: Vec<Body> = said.into_iter().chain(bodies(&output)).chain(bodies(&later)).collect();
    let supports = |body: &Body| matches!(body, Body::Vote(_) | Body::Certificate(_) | Body::CoSignature(_));
    assert!(!said.iter().any(supports), "no vote, certificate or signature");
    assert_eq!(stopped(&output) + stopped(&later), 0, "said once");
}

/// How many lines leave once another member's checkpoint is heard and its events are durable.
fn lines(node: &mut Driver<MemoryStorage, Faltering>, now: Timestamp) -> usize {
    let mut other = world::open(&charter(), 1, MemoryStorage::new(), 2, NOW).0;
    other.checkpoint(NOW).unwrap();
    let events = other.machine().events().map(|event| event.outer().clone()).collect();
    let heard = node.handle(now, vec![Door::CaughtUp { from: TestKeys::of(1).author(), events }]).unwrap();
    let later = node.handle(now.plus_millis(1_000), vec![Door::Input(Input::Tick)]).unwrap();
    let messages = heard.publish.iter().chain(&later.publish).map(|bytes| Envelope::decode(bytes).unwrap());
    messages.filter(|message| matches!(message, Envelope::Witness(_))).count()
}

/// A signature of a statement that would verify nowhere leaves neither in an own checkpoint nor under another one's, and signing stops.
#[test]
fn statements_are_verified_before_they_leave() {
    let (mut sound, _) = driver(NOW);
    assert_eq!((lines(&mut sound, NOW), sound.signing_stopped()), (1, None));
    let stopped = Some(&Violation::OwnStatement);
    let (mut witness, falters) = driver(NOW);
    falters.store(true, Ordering::Relaxed);
    assert_eq!((lines(&mut witness, NOW), witness.signing_stopped()), (0, stopped));
    let (mut stating, falters) = driver(NOW);
    falters.store(true, Ordering::Relaxed);
    assert_eq!((stating.checkpoint(NOW).unwrap().0, stating.signing_stopped()), (None, stopped));
}

/// A node whose own log is in doubt states nothing of it and witnesses nothing, however long it goes on, and waits for no time to do so.
#[test]
fn a_node_in_doubt_states_nothing() {
    let (mut node, falters) = driver(NOW);
    falters.store(true, Ordering::Relaxed);
    node.handle(NOW, vec![Door::Input(sending(1))]).unwrap();
    assert!(node.signing_stopped().is_some());
    falters.store(false, Ordering::Relaxed);
    let later = NOW.plus_millis(3_600_000);
    assert_eq!((lines(&mut node, later), node.checkpoint(later).unwrap().0), (0, None));
    assert!(node.next_timeout().is_none_or(|at| at > later), "{:?}", node.next_timeout());
}
