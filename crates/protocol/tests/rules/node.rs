//! One node of the test network: a machine, its keys and its log.

use std::collections::BTreeSet;
use std::sync::Arc;

use alloy_primitives::B256;
use ed25519_dalek::Signer;
use k256::ecdsa::SigningKey as GuardianKey;
use watchfire_charter::Charter;
use watchfire_protocol::{Draft, Machine, Rejection};
use watchfire_types::body::{Body, Finding, Started};
use watchfire_types::duty::Duty;
use watchfire_types::input::Input;
use watchfire_types::*;

/// One node: a machine, its keys and its log.
#[derive(Clone)]
pub(crate) struct Node {
    pub(crate) machine: Machine,
    key: ed25519_dalek::SigningKey,
    guardian: GuardianKey,
    epoch: Epoch,
    seq: u64,
    prev: EventHash,
    pub(crate) clock: u64,
    pub(crate) log: Vec<Verified<Event>>,
    pub(crate) duties: BTreeSet<Duty>,
    pub(crate) standing: Vec<Finding>,
}

impl Node {
    pub(crate) fn new(charter: &Arc<Charter>, index: u8, epoch: u8) -> Self {
        let key = ed25519_dalek::SigningKey::from_bytes(&[index + 1; 32]);
        let member_key = MemberKey::from_bytes(key.verifying_key().to_bytes());
        let (member, _) = charter.member_by_key(&member_key).expect("a member");
        let network = charter.network_id();
        let epoch = Epoch::from_bytes([epoch; 16]);
        let machine = Machine::new(Arc::clone(charter), network, member.clone(), epoch).expect("a machine");
        // The fixture's guardians; any other key is a voter's, which signs no Safe transaction.
        let scalar = if index < 5 { 0x11 * (index + 1) } else { index + 1 };
        let mut node = Self {
            machine,
            key,
            guardian: GuardianKey::from_slice(&[scalar; 32]).expect("a scalar"),
            epoch,
            seq: 0,
            prev: EventHash::from_bytes([0; 32]),
            clock: 0,
            log: Vec::new(),
            duties: BTreeSet::new(),
            standing: Vec::new(),
        };
        node.author(started(charter));
        node
    }

    pub(crate) fn key(&self) -> MemberKey {
        MemberKey::from_bytes(self.key.verifying_key().to_bytes())
    }

    pub(crate) fn seal_at(&self, seq: u64, prev: EventHash, body: Body) -> Verified<Event> {
        let event = Event {
            network: self.machine.network(),
            author: self.key(),
            epoch: self.epoch,
            seq: Seq::new(seq),
            prev,
            time: Timestamp::from_millis(1_700_000_000_000 + self.clock * 1_000 + seq),
            body,
        };
        let sealed = watchfire_wire::seal(&event, |input| self.key.sign(input).to_bytes()).expect("seals");
        sealed.verify(self.machine.network()).expect("verifies")
    }

    /// An event in another's name, under this node's signature: nobody's.
    pub(crate) fn pretend(&self, author: MemberKey, seq: u64, body: Body) -> Unverified {
        let own = self.seal_at(seq, EventHash::from_bytes([7; 32]), body);
        let event = Event { author, ..(*own).clone() };
        watchfire_wire::seal(&event, |input| self.key.sign(input).to_bytes()).expect("seals")
    }

    /// Seals without applying: what a liar does.
    pub(crate) fn forge(&mut self, body: Body) -> Verified<Event> {
        let event = self.seal_at(self.seq, self.prev, body);
        self.seq += 1;
        self.prev = event.hash();
        event
    }

    pub(crate) fn author(&mut self, body: Body) -> Verified<Event> {
        let event = self.forge(body);
        self.machine.apply(&event);
        self.log.push(event.clone());
        event
    }

    pub(crate) fn position(&self) -> (u64, EventHash) {
        (self.seq, self.prev)
    }

    pub(crate) fn sign(&self, hash: B256) -> [u8; 65] {
        let (signature, recovery) = self.guardian.sign_prehash_recoverable(hash.as_slice()).expect("signs");
        let mut bytes = [0; 65];
        bytes[..64].copy_from_slice(&signature.to_bytes());
        bytes[64] = 27 + recovery.to_byte();
        bytes
    }

    pub(crate) fn receive(&mut self, now: Timestamp, event: &Verified<Event>) -> Result<Verdict, Rejection> {
        let input = Input::Received(Box::new(event.clone()));
        self.machine.observe(now, &input);
        let step = self.machine.decide(now, &input)?;
        self.machine.apply(event);
        self.log.push(event.clone());
        Ok(step.verdict)
    }

    pub(crate) fn finish(&mut self, draft: Draft) -> Verified<Event> {
        let body = match draft {
            Draft::Body(body) => body,
            Draft::CoSign(draft) => {
                let signature = self.sign(draft.safe_tx_hash);
                Body::CoSignature(draft.signed(signature))
            }
        };
        self.author(body)
    }
}

pub(crate) fn started(charter: &Charter) -> Body {
    Body::Started(Started {
        earlier: Vec::new(),
        charter_version: charter.version,
        charter_digest: charter.digest(),
        software: "test".into(),
    })
}
