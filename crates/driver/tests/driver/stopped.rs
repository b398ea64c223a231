//! A fact about the own log that does not hold stops votes and signatures, and nothing else.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use alloy_primitives::Address;
use watchfire_driver::{Door, Driver, KeyError, Keys, Notice, Output, Violation};
use watchfire_journal::{Journal, JournalOptions, MemoryStorage};
use watchfire_types::input::Input;
use watchfire_types::{Body, ChainId, Epoch, MemberKey, SafeTransaction, SafeVersion};
use watchfire_wire::decode_signed;

use crate::durability::{events_of_others, inputs, published};
use crate::world::{TestKeys, World, charter, gossip, member};

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
        self.keys.sign_statement(statement)
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

    let falters = Arc::new(AtomicBool::new(false));
    let keys = Faltering { keys: TestKeys::of(0), falters: Arc::clone(&falters) };
    let charter = charter();
    let (network, member) = (charter.network_id(), member(&charter, &keys.keys));
    let storage = MemoryStorage::new();
    let journal = Journal::open(storage.clone(), JournalOptions::default()).unwrap();
    let now = others.now();
    let epoch = Epoch::from_bytes([1; 16]);
    let (mut driver, _) = Driver::open(journal, keys, charter, network, member, epoch, now).unwrap();
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
