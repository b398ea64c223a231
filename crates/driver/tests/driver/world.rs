//! Several drivers over links with a delay, in virtual time. A driver's turn takes no time, or the time that it really took.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use alloy_primitives::{Address, B256};
use ed25519_dalek::Signer;
use watchfire_charter::Charter;
use watchfire_driver::{Door, Driver, KeyError, Keys, Output};
use watchfire_journal::{Journal, JournalOptions, Storage};
use watchfire_types::body::Submitted;
use watchfire_types::duty::{Duty, Submission};
use watchfire_types::input::{Input, PreflightOutcome, SubmissionReport};
use watchfire_types::{
    Bytes, ChainId, Epoch, Event, MemberId, MemberKey, SafeTransaction, SafeVersion, Timestamp, Verified,
};

use crate::chain::Chain;

const CHARTER: &str = include_str!("../../../charter/tests-data/drill.charter.toml");

/// What an RPC endpoint takes to simulate, in virtual microseconds.
const PREFLIGHT_US: u64 = 5_000;

/// The drill charter: five guardians, contain 3, Safe 3-of-5, ladder flag(1) / pause(2).
pub(crate) fn charter() -> Arc<Charter> {
    Arc::new(watchfire_charter::parse(CHARTER).unwrap().0)
}

/// Keys of the drill charter's member at this index, as its first lines tell them.
#[derive(Debug, Clone)]
pub(crate) struct TestKeys {
    pub(crate) node: ed25519_dalek::SigningKey,
    pub(crate) guardian: k256::ecdsa::SigningKey,
    pub(crate) locked: bool,
}

impl TestKeys {
    pub(crate) fn of(index: usize) -> Self {
        let index = u8::try_from(index).unwrap() + 1;
        let guardian = k256::ecdsa::SigningKey::from_slice(&[index * 0x11; 32]).unwrap();
        Self { node: ed25519_dalek::SigningKey::from_bytes(&[index; 32]), guardian, locked: false }
    }
}

impl Keys for TestKeys {
    fn author(&self) -> MemberKey {
        MemberKey::from_bytes(self.node.verifying_key().to_bytes())
    }

    fn sign(&self, input: &[u8]) -> [u8; 64] {
        self.node.sign(input).to_bytes()
    }

    fn sign_statement(&self, statement: watchfire_transparency::Statement<'_>) -> [u8; 64] {
        self.node.sign(statement.text().as_bytes()).to_bytes()
    }

    fn guardian(&self) -> Option<Address> {
        Some(Address::from_private_key(&self.guardian))
    }

    fn co_sign(
        &self,
        version: SafeVersion,
        chain: ChainId,
        safe: Address,
        transaction: &SafeTransaction,
    ) -> Result<[u8; 65], KeyError> {
        if self.locked {
            return Err(KeyError::Locked);
        }
        let hash = transaction.hashes(version, chain.get(), safe).safe_tx_hash;
        let (signature, recovery) = self.guardian.sign_prehash_recoverable(hash.as_slice()).unwrap();
        let mut bytes = [0; 65];
        bytes[..64].copy_from_slice(&signature.to_bytes());
        bytes[64] = 27 + recovery.to_byte();
        Ok(bytes)
    }
}

pub(crate) fn member(charter: &Charter, keys: &TestKeys) -> MemberId {
    charter.member_by_key(&keys.author()).unwrap().0.clone()
}

/// Opens the driver of one member over this storage.
pub(crate) fn open<S: Storage>(
    charter: &Arc<Charter>,
    index: usize,
    storage: S,
    epoch: u8,
    now: Timestamp,
) -> (Driver<S, TestKeys>, Output) {
    let keys = TestKeys::of(index);
    let journal = Journal::open(storage, JournalOptions::default()).unwrap();
    let member = member(charter, &keys);
    let epoch = Epoch::from_bytes([epoch; 16]);
    Driver::open(journal, keys, Arc::clone(charter), charter.network_id(), member, epoch, now).unwrap()
}

/// One driver with what is around it.
pub(crate) struct Node<S: Storage> {
    pub(crate) driver: Driver<S, TestKeys>,
    pub(crate) storage: S,
    pub(crate) duties: BTreeSet<Duty>,
    pub(crate) log: Vec<Verified<Event>>,
    /// Virtual time at which it is done with what it does now.
    free_us: u64,
    simulated: BTreeSet<(B256, B256)>,
    tick: Option<Timestamp>,
}

/// The world.
pub(crate) struct World<S: Storage> {
    pub(crate) charter: Arc<Charter>,
    pub(crate) chain: Chain,
    pub(crate) nodes: Vec<Node<S>>,
    /// These neither hear nor speak.
    pub(crate) silent: BTreeSet<usize>,
    pub(crate) now_us: u64,
    delay_us: u64,
    measured: bool,
    next: u64,
    agenda: BTreeMap<(u64, u64), (usize, Door)>,
}

impl<S: Storage> World<S> {
    /// Five drivers over these storages; links delay by `delay_us`; with `measured` a turn takes as long as it really did.
    pub(crate) fn new(storages: Vec<S>, delay_us: u64, measured: bool) -> Self {
        let charter = charter();
        let chain = Chain::new(98);
        let now_us = chain.head().at.time.as_secs() * 1_000_000;
        let mut world = Self {
            charter,
            chain,
            nodes: Vec::new(),
            silent: BTreeSet::new(),
            now_us,
            delay_us,
            measured,
            next: 0,
            agenda: BTreeMap::new(),
        };
        for (index, storage) in storages.into_iter().enumerate() {
            let epoch = 0x10 + u8::try_from(index).unwrap();
            let (driver, output) = open(&world.charter, index, storage.clone(), epoch, world.now());
            world.nodes.push(Node {
                driver,
                storage,
                duties: BTreeSet::new(),
                log: Vec::new(),
                free_us: now_us,
                simulated: BTreeSet::new(),
                tick: None,
            });
            world.deal(index, now_us, output);
        }
        world
    }

    pub(crate) fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.now_us / 1_000)
    }

    pub(crate) fn schedule(&mut self, at_us: u64, index: usize, door: Door) {
        self.next += 1;
        self.agenda.insert((at_us, self.next), (index, door));
    }

    /// Shows the head and these detectors' findings to one node at this time.
    pub(crate) fn show(&mut self, at_us: u64, index: usize, detectors: &[&str]) {
        let view = self.chain.view(&self.charter);
        let block = view.block;
        let standing = detectors.iter().map(|detector| crate::chain::finding(detector, block)).collect();
        self.schedule(at_us, index, Door::Input(Input::Block(Box::new(view))));
        self.schedule(at_us, index, Door::Input(Input::Detected { block, standing }));
    }

    /// Mines a block with these transactions and shows it to everyone with the same findings.
    pub(crate) fn mine(&mut self, submissions: &[Submission], detectors: &[&str]) {
        self.chain.mine(submissions);
        self.now_us = self.now_us.max(self.chain.head().at.time.as_secs() * 1_000_000);
        for index in 0..self.nodes.len() {
            self.show(self.now_us, index, detectors);
        }
        self.settle();
    }

    /// Runs what is on the agenda within the next 400 ms of virtual time.
    pub(crate) fn settle(&mut self) {
        self.run(self.now_us + 400_000, |_, _, _| false);
    }

    /// Runs the agenda up to `until_us`, or until `stop` (called after each turn with its node and the time it was done).
    pub(crate) fn run(&mut self, until_us: u64, mut stop: impl FnMut(&Self, usize, u64) -> bool) {
        while let Some((&(at_us, _), &(index, _))) = self.agenda.first_key_value() {
            if at_us > until_us {
                break;
            }
            let start_us = at_us.max(self.nodes[index].free_us);
            let door = self.waiting(index, start_us);
            if self.silent.contains(&index) {
                continue;
            }
            self.now_us = self.now_us.max(start_us);
            let now = Timestamp::from_millis(start_us / 1_000);
            // The one clock read: a measured world lets a turn take as long as it really did.
            #[allow(clippy::disallowed_methods)]
            let clock = Instant::now();
            let output = self.nodes[index].driver.handle(now, door).expect("sound storage");
            let took_us = if self.measured { u64::try_from(clock.elapsed().as_micros()).unwrap() } else { 0 };
            if !self.measured {
                // What a driver remembers to be owed is what follows from its machine now.
                let owed = self.nodes[index].driver.machine().owed(now);
                assert_eq!((owed.drafts, owed.duties), (Vec::new(), output.duties.clone()), "node {index} at {now:?}");
            }
            let done_us = start_us + took_us;
            self.nodes[index].free_us = done_us;
            self.deal(index, done_us, output);
            if stop(self, index, done_us) {
                return;
            }
        }
        self.now_us = self.now_us.max(until_us);
    }

    /// Everything at one node's door by this time, as an event loop that was busy until then finds it.
    fn waiting(&mut self, index: usize, by_us: u64) -> Vec<Door> {
        let due = self.agenda.range(..=(by_us, u64::MAX)).filter(|(_, (to, _))| *to == index);
        let due: Vec<(u64, u64)> = due.map(|(key, _)| *key).collect();
        due.iter().filter_map(|key| self.agenda.remove(key)).map(|(_, door)| door).collect()
    }

    /// What the node's event loop does with an output.
    fn deal(&mut self, index: usize, done_us: u64, output: Output) {
        assert!(output.notices.is_empty(), "{:?}", output.notices);
        for bytes in output.publish {
            for to in (0..5).filter(|to| *to != index) {
                self.next += 1;
                let door = Door::Gossip { id: self.next, bytes: bytes.clone() };
                self.schedule(done_us + self.delay_us, to, door);
            }
        }
        let mut answers = Vec::new();
        for duty in &output.duties {
            if let Duty::Preflight(preflight) = duty
                && self.nodes[index].simulated.insert((preflight.safe_tx_hash, preflight.at.hash))
            {
                let (safe_tx_hash, block) = (preflight.safe_tx_hash, preflight.at);
                answers.push(Input::Preflighted { safe_tx_hash, block, outcome: PreflightOutcome::Passes });
            }
        }
        for answer in answers {
            self.schedule(done_us + PREFLIGHT_US, index, Door::Input(answer));
        }
        let node = &mut self.nodes[index];
        node.duties = output.duties;
        node.log.extend(output.appended);
        if let Some(at) = node.driver.next_timeout().filter(|at| node.tick != Some(*at)) {
            node.tick = Some(at);
            self.schedule(at.as_millis() * 1_000, index, Door::Input(Input::Tick));
        }
    }

    /// What anybody would send now, each once.
    pub(crate) fn submissions(&self) -> Vec<Submission> {
        let duties = self.nodes.iter().flat_map(|node| &node.duties);
        let all: BTreeMap<B256, Submission> = duties
            .filter_map(|duty| match duty {
                Duty::Submit(submission) => Some((submission.safe_tx_hash, submission.clone())),
                Duty::Preflight(_) | Duty::CatchUp { .. } => None,
            })
            .collect();
        all.into_values().collect()
    }

    /// Most owners known at this node to have signed one transaction.
    pub(crate) fn signatures(&self, index: usize) -> usize {
        let counts = self.nodes[index].driver.machine().signatures();
        counts.iter().map(|count| count.owners.len()).max().unwrap_or(0)
    }

    pub(crate) fn digests(&self) -> BTreeSet<B256> {
        let heard = (0..self.nodes.len()).filter(|index| !self.silent.contains(index));
        heard.map(|index| self.nodes[index].driver.machine().state_digest()).collect()
    }

    /// Lets one node ask another until nothing further comes.
    pub(crate) fn catch_up(&mut self, asking: usize, answering: usize) {
        loop {
            let request = self.nodes[asking].driver.catch_up_request().encode();
            let request = watchfire_wire::CatchUpRequest::decode(request).unwrap();
            let answer = self.nodes[answering].driver.answer_catch_up(&request, |error| panic!("{error}")).encode();
            let answer = watchfire_wire::CatchUpResponse::decode(answer).unwrap();
            let complete = answer.complete;
            let from = TestKeys::of(answering).author();
            let now = self.now();
            let door = Door::CaughtUp { from, events: answer.events };
            let output = self.nodes[asking].driver.handle(now, vec![door]).unwrap();
            self.deal(asking, self.now_us, output);
            if complete {
                return;
            }
        }
    }
}

/// The report of a submission that is about to leave: an event that a driver makes by itself, told from others by its word.
pub(crate) fn sending(word: u8) -> Input {
    Input::Submission(SubmissionReport::Sending(Submitted {
        chain: ChainId::new(31_337),
        safe: Address::ZERO,
        safe_transaction: B256::repeat_byte(word),
        transaction: B256::ZERO,
        submitter: Address::ZERO,
        max_fee_per_gas: 1,
        max_priority_fee_per_gas: 1,
        attempt: 0,
    }))
}

/// A gossip message around an event.
pub(crate) fn gossip(outer: &Bytes) -> Bytes {
    watchfire_wire::Envelope::Event(outer.clone()).encode()
}
