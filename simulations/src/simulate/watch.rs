//! Checkers outside the system: they see the chain, what each node was shown, and what each node made durable, and hold that against the
//! properties of the README's architecture part. They share no code with the rules that they check beyond the charter's own lookups.

mod certificates;
mod checkpoints;
mod effects;
pub(crate) mod end;
mod known;
mod lateness;
mod meeting;
mod needles;
mod observations;
mod sending;
mod signatures;
mod votes;

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use alloy_primitives::{Address, B256, U256};
use serde::Serialize;
use watchfire_driver::Refusal;
use watchfire_types::body::Body;
use watchfire_types::input::PreflightOutcome;
use watchfire_types::{
    BlockView, Epoch, Event, EventHash, MemberKey, Read, ReadOutcome, SafeTransaction, Timestamp, Verdict, Verified,
};

use super::agenda::Micros;
use super::cast::{CHAIN, Cast, SAFE_VERSION};
use super::chain::{Call, Chain, Transaction};
use super::node::Node;
use crate::bid::{self, Bid};
use crate::scenario::DiskLeft;
pub(crate) use effects::Asked;
pub(crate) use known::Known;
use known::Sight;
use needles::Needles;

/// What the README's bounds let an author say from the start of an epoch, and every second after.
const AUTHOR_EVENTS: u64 = 1_000;
const AUTHOR_EVENTS_S: u64 = 2;

/// Selector of `nonce()`.
const NONCE: [u8; 4] = [0xaf, 0xfe, 0xd0, 0xe0];

/// Safety: something happened that never may. Liveness: something did not happen that should have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Never may happen.
    Safety,
    /// Should have happened.
    Liveness,
}

/// One property that does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Breach {
    pub(crate) property: &'static str,
    pub(crate) kind: Kind,
    pub(crate) step: u64,
    pub(crate) detail: String,
}

/// A Safe transaction that somebody signed.
#[derive(Debug)]
struct CoSigned {
    transaction: SafeTransaction,
    signers: BTreeSet<usize>,
    /// When a threshold had signed it.
    complete: Option<Micros>,
}

/// What the checkers remember.
#[derive(Debug)]
pub(crate) struct Watch {
    pub(crate) breaches: Vec<Breach>,
    pub(crate) step: u64,
    pub(crate) known: Vec<Known>,
    /// Nodes one of whose operators lied at some time.
    pub(crate) misled: BTreeSet<usize>,
    /// Whether a certificate is valid, by content: decided once, by the checker.
    valid: BTreeMap<B256, bool>,
    /// Every event of an honest author, by where it stands.
    positions: BTreeMap<(Vec<u8>, u64), EventHash>,
    /// Positions of liars at which some honest node holds two different events.
    pub(crate) forked: BTreeSet<usize>,
    liars: BTreeMap<(Vec<u8>, u64), EventHash>,
    /// What honest guardians signed for a step at a nonce.
    effects: BTreeMap<(String, u8, U256, Vec<u16>), B256>,
    /// When each honest member first voted.
    pub(crate) votes: BTreeMap<usize, Micros>,
    /// Everything that an honest member's own process made durable, over all its lives.
    made: BTreeSet<EventHash>,
    /// When some honest node first held each event.
    first_held: BTreeMap<EventHash, Micros>,
    /// What they said in each epoch, as the leaves of its tree.
    trees: checkpoints::Trees,
    /// Author's clock of the newest event of each of its epochs.
    clocks: BTreeMap<(MemberKey, Epoch), Timestamp>,
    /// What the last simulation of a Safe transaction at each node refuted it with.
    refuted: BTreeMap<(usize, B256), String>,
    /// Who signed each Safe transaction, and when a threshold had.
    signers: BTreeMap<B256, CoSigned>,
    /// Bids for each slot, each once, in the order in which they were handed out.
    bids: BTreeMap<B256, Vec<Bid>>,
    /// Signatures that the Safe asks for, and whose, at the newest head.
    asks: (usize, Rc<BTreeSet<Address>>),
    /// Blocks whose executed transactions were looked at.
    looked_at: BTreeSet<B256>,
    secrets: Needles,
}

impl Watch {
    pub(crate) fn new(cast: &Cast) -> Self {
        Self {
            breaches: Vec::new(),
            step: 0,
            known: cast.players.iter().map(|_| Known::default()).collect(),
            misled: BTreeSet::new(),
            valid: BTreeMap::new(),
            positions: BTreeMap::new(),
            forked: BTreeSet::new(),
            liars: BTreeMap::new(),
            effects: BTreeMap::new(),
            votes: BTreeMap::new(),
            made: BTreeSet::new(),
            first_held: BTreeMap::new(),
            trees: checkpoints::Trees::default(),
            clocks: BTreeMap::new(),
            refuted: BTreeMap::new(),
            signers: BTreeMap::new(),
            bids: BTreeMap::new(),
            asks: <(usize, Rc<BTreeSet<Address>>)>::default(),
            looked_at: BTreeSet::new(),
            secrets: Needles::new(
                cast.players
                    .iter()
                    .flat_map(|player| player.secrets.secret_bytes())
                    .flat_map(|secret| [secret.to_vec(), hex::encode(secret).into_bytes()]),
            ),
        }
    }

    /// Before the first step: S9, nobody but its owner can sign for a member.
    pub(crate) fn charter(&mut self, cast: &Cast) {
        for player in &cast.players {
            let weak = ed25519_dalek::VerifyingKey::from_bytes(player.author.as_bytes()).is_ok_and(|key| key.is_weak());
            self.unsafe_if(weak, "S9", || format!("anybody can sign for {}", player.member));
        }
    }

    pub(crate) fn broke_safety(&self) -> bool {
        self.breaches.iter().any(|breach| breach.kind == Kind::Safety)
    }

    pub(crate) fn breach(&mut self, property: &'static str, kind: Kind, detail: String) {
        // The first of a kind says it; a thousand like it say no more.
        if !self.breaches.iter().any(|known| known.property == property && known.kind == kind) {
            self.breaches.push(Breach { property, kind, step: self.step, detail });
        }
    }

    fn unsafe_if(&mut self, broken: bool, property: &'static str, detail: impl FnOnce() -> String) {
        if broken {
            self.breach(property, Kind::Safety, detail());
        }
    }

    /// S12: something goes round in circles.
    pub(crate) fn endless(&mut self, steps: u64) {
        self.breach("S12", Kind::Safety, format!("the run did not end within {steps} steps"));
    }

    /// A process came up: S10, what was acknowledged is there. What its last life wrote and died before it could show is there too: that it
    /// stands by, so it is held against every property like all else.
    pub(crate) fn started(&mut self, cast: &Cast, place: usize, node: &Node, now: Micros) {
        let Some(process) = &node.process else { return };
        if !std::mem::take(&mut self.known[place].died_in_sync) {
            // Only a sync may end without anybody hearing of what it wrote: an own event from anywhere else was never made.
            self.known[place].epoch = None;
        }
        if !self.known[place].lost {
            let held = &self.known[place].held;
            let unseen = |event: &&Verified<Event>| {
                !held.contains_key(&event.hash()) && event.epoch != process.driver.machine().epoch()
            };
            // What others said comes first: what it said itself it may have said for that.
            let (others, own): (Vec<_>, Vec<_>) = process
                .driver
                .machine()
                .events()
                .filter(unseen)
                .partition(|event| event.author != cast.players[place].author);
            for event in others.into_iter().chain(own) {
                self.appended(cast, place, event, now);
            }
        }
        let known = &mut self.known[place];
        known.signed = Rc::clone(&node.signed);
        known.accepted.clear();
        known.epoch = Some(process.driver.machine().epoch());
        known.restarts += 1;
        known.began = None;
        if std::mem::take(&mut known.lost) {
            known.remember(process.driver.machine(), cast.players[place].author);
        }
        let lost = known.durable.iter().find(|hash| !matches!(process.driver.event_bytes(hash), Ok(Some(_)))).copied();
        if let Some(hash) = lost {
            let kind = known.held.get(&hash).map_or("event", |event| event.body.kind());
            let detail = format!("{}: acknowledged {kind} {hash} is gone after a crash", cast.players[place].member);
            self.breach("S10", Kind::Safety, detail);
        }
    }

    /// A process could not come up: only where its disk was damaged beyond what a crash does.
    pub(crate) fn cannot_start(&mut self, cast: &Cast, place: usize, cause: &str) {
        if !cast.honest(place) {
            return;
        }
        let detail = format!("{} cannot start after a crash: {cause}", cast.players[place].member);
        self.breach("S10", Kind::Safety, detail);
    }

    /// The disk that the next process of this node finds.
    pub(crate) fn crashed(&mut self, place: usize, left: DiskLeft) {
        self.asks_no_more(place);
        match left {
            DiskLeft::Kept | DiskLeft::Lost | DiskLeft::Torn => {}
            // What a backup lacks was never promised by it.
            DiskLeft::Old | DiskLeft::None => {
                self.known[place].durable.clear();
                self.known[place].lost = true;
                self.known[place].lost_once = true;
                self.known[place].owes_otherwise = true;
            }
        }
    }

    /// A node's log ended: right if its disk failed, wrong otherwise.
    pub(crate) fn halted(&mut self, cast: &Cast, place: usize, disk_failed: bool, cause: &str) {
        self.asks_no_more(place);
        let member = &cast.players[place].member;
        self.unsafe_if(!disk_failed, "S10", || format!("{member} stopped on a sound disk: {cause}"));
        self.says(cast, place, "what it stopped for", cause.as_bytes());
    }

    /// A driver says that something is wrong with itself.
    pub(crate) fn notice(&mut self, cast: &Cast, place: usize, property: &'static str, what: &impl std::fmt::Debug) {
        if cast.honest(place) {
            let detail = format!("{} says: {what:?}", cast.players[place].member);
            self.breach(property, Kind::Safety, detail);
        }
    }

    pub(crate) fn lied(&mut self, cast: &Cast, operator: usize) {
        let asks = |place: &usize| cast.players[*place].asks.contains(&operator);
        self.misled.extend((0..cast.players.len()).filter(asks));
    }

    /// S13: what an honest node lets out, of whichever kind.
    pub(crate) fn says(&mut self, cast: &Cast, place: usize, what: &str, bytes: &[u8]) {
        let leaks = cast.honest(place) && self.leaks(bytes);
        self.unsafe_if(leaks, "S13", || format!("{what} of {} carries a secret key", cast.players[place].member));
    }

    pub(crate) fn sent(&mut self, place: usize, bytes: usize) {
        self.known[place].sent_messages += 1;
        self.known[place].sent_bytes += bytes as u64;
    }

    /// L7: whose every operator is gone says within one heartbeat of knowing that it can pause nothing.
    pub(crate) fn loud(&mut self, cast: &Cast, place: usize, can_pause: bool) {
        if cast.honest(place) && can_pause {
            let member = &cast.players[place].member;
            self.breach("L7", Kind::Liveness, format!("{member} sees no chain and says that it can pause"));
        }
    }

    pub(crate) fn handed_out(&mut self, transaction: &Transaction) {
        let leaks = match &transaction.call {
            Call::Execute { signatures, .. } => self.leaks(signatures),
            Call::Touch(_) => false,
        };
        self.unsafe_if(leaks, "S13", || "a transaction carries a secret key".to_owned());
        let bids = self.bids.entry(transaction.slot).or_default();
        if bids.iter().all(|bid| bid.hash != transaction.hash) {
            bids.push(Bid { hash: transaction.hash, max_fee: transaction.max_fee, tip: transaction.tip });
        }
    }

    /// Whether this transaction replaced a lower bid, and each bid before it as well.
    pub(crate) fn bumped(&self, transaction: &Transaction) -> bool {
        self.bids.get(&transaction.slot).is_some_and(|bids| bid::bumped(bids, transaction.hash))
    }

    fn leaks(&self, bytes: &[u8]) -> bool {
        self.secrets.stand_in(bytes)
    }

    /// A block as a node is shown it.
    pub(crate) fn shown(&mut self, place: usize, view: &BlockView) {
        let holds = view.reads.iter().filter_map(|(read, answer)| match answer {
            ReadOutcome::Value(bytes) => Some(((read.clone(), bytes.to_vec()), true)),
            ReadOutcome::Reverted(_) | ReadOutcome::Unavailable(_) => None,
        });
        let nonce = view.reads.iter().find_map(|(read, answer)| match read {
            Read::Call { data, .. } if data[..] == NONCE => answer.word(),
            _ => None,
        });
        let sight = Sight { at: view.block, parent: view.parent, nonce, holds: holds.collect() };
        let known = &mut self.known[place];
        known.began.get_or_insert(view.block);
        known.sights.insert(view.block.hash, sight);
    }

    /// A verdict on a message that `from` passed on: an honest node passes on what it accepted, and only what every honest node would
    /// refuse from the bytes alone is rejected, so no honest node is ever blamed by another.
    pub(crate) fn judged(
        &mut self,
        cast: &Cast,
        place: usize,
        from: usize,
        verdict: Verdict,
        refusal: Option<&Refusal>,
    ) {
        if let Some(refusal) = refusal {
            self.says(cast, place, "a refusal", refusal.to_string().as_bytes());
        }
        let blamed = verdict == Verdict::Reject && cast.honest(place) && cast.honest(from);
        self.unsafe_if(blamed, "S11", || {
            let (one, other) = (&cast.players[place].member, &cast.players[from].member);
            let why = refusal.map_or_else(String::new, ToString::to_string);
            format!("{one} blames {other}, who follows the protocol too: {why}")
        });
    }

    /// An event became durable and visible at a node.
    pub(crate) fn appended(&mut self, cast: &Cast, place: usize, event: &Verified<Event>, now: Micros) {
        // What another life of it said is not what this one does.
        let own = event.author == cast.players[place].author && self.known[place].epoch == Some(event.epoch);
        self.known[place].times.note(&event.body, own, now);
        if !cast.honest(place) {
            return;
        }
        self.unsafe_if(event.network != cast.network, "S11", || {
            format!("{} took an event of another network", cast.players[place].member)
        });
        let twice = !self.known[place].accepted.insert(event.hash());
        self.unsafe_if(twice, "S11", || {
            format!("{} took {} {} twice", cast.players[place].member, event.body.kind(), event.hash())
        });
        let kept = Rc::new(event.clone());
        self.known[place].held.insert(event.hash(), Rc::clone(&kept));
        self.known[place].durable.insert(event.hash());
        self.first_held.entry(event.hash()).or_insert(now);
        self.came(cast, place, &event.hash(), now);
        if event.author == cast.players[place].author {
            self.observed(cast, place, event, own);
        }
        self.position(cast, event);
        self.quota(cast, place, event);
        self.authentic(cast, place, event);
        if let Body::Certificate(certificate) = &event.body {
            self.certificate(cast, place, certificate);
        }
        if let (Body::CoSignature(signed), Some(author)) = (&event.body, cast.place_of(&event.author)) {
            let hash = signed.transaction.hashes(SAFE_VERSION, CHAIN.get(), cast.safe).safe_tx_hash;
            let fresh =
                || CoSigned { transaction: signed.transaction.clone(), signers: BTreeSet::new(), complete: None };
            let known = self.signers.entry(hash).or_insert_with(fresh);
            known.signers.insert(author);
            let owners = known.signers.iter().filter(|place| self.asks.1.contains(&cast.players[**place].guardian));
            if owners.count() >= self.asks.0 {
                known.complete.get_or_insert(now);
            }
        }
        if own {
            let leaks = self.leaks(event.outer());
            self.unsafe_if(leaks, "S13", || format!("a {} carries a secret key", event.body.kind()));
            self.own(cast, place, event, now);
        }
    }

    /// S9: an honest member has one event at each position; a liar's two are remembered for the end.
    fn position(&mut self, cast: &Cast, event: &Verified<Event>) {
        let at = ([&event.author.as_bytes()[..], &event.epoch.as_bytes()[..]].concat(), event.seq.get());
        let Some(author) = cast.place_of(&event.author) else { return };
        let known = if cast.honest(author) { &mut self.positions } else { &mut self.liars };
        let first = *known.entry(at).or_insert(event.hash());
        if first == event.hash() {
            return;
        }
        if cast.honest(author) {
            let (member, seq) = (&cast.players[author].member, event.seq);
            self.breach("S9", Kind::Safety, format!("{member} follows the protocol and made two events at {seq}"));
        } else {
            self.forked.insert(author);
        }
    }

    /// S9: what stands under an honest member's name, that member said.
    fn authentic(&mut self, cast: &Cast, place: usize, event: &Verified<Event>) {
        let Some(author) = cast.place_of(&event.author).filter(|author| cast.honest(*author)) else { return };
        let own = event.author == cast.players[place].author && self.known[place].epoch == Some(event.epoch);
        if own && self.made.insert(event.hash()) {
            // An author's clock rises within an epoch, whatever the machine's does. What comes back after a loss is not looked at again.
            self.grows(cast, place, event);
            let before = self.clocks.insert((event.author, event.epoch), event.time);
            self.unsafe_if(before.is_some_and(|before| event.time <= before), "S9", || {
                format!("the time of {} stood still or fell at {}", cast.players[place].member, event.seq)
            });
        }
        let said = self.made.contains(&event.hash());
        self.unsafe_if(!said, "S9", || {
            let (holder, named) = (&cast.players[place].member, &cast.players[author].member);
            format!("{holder} holds a {} in the name of {named}, who never said it", event.body.kind())
        });
    }

    /// S12: the log of one author at one node stays within what an author may say by its own clock.
    fn quota(&mut self, cast: &Cast, place: usize, event: &Verified<Event>) {
        let epoch = (event.author, event.epoch);
        let begun = &mut self.known[place].begun;
        if matches!(event.body, Body::Started(_)) {
            begun.insert(epoch, event.time);
            return;
        }
        // Of an epoch whose beginning is not here, some wait for it, and how many is not a matter of time.
        let Some(began) = begun.get(&epoch).copied() else { return };
        let seconds = event.time.millis_since(began) / 1_000;
        let over = event.seq.get() > AUTHOR_EVENTS + AUTHOR_EVENTS_S * seconds;
        self.unsafe_if(over && event.author != cast.players[place].author, "S12", || {
            format!("{} took event {} of an author after {seconds} s", cast.players[place].member, event.seq)
        });
    }

    /// Notes what a simulation said.
    pub(crate) fn preflighted(&mut self, place: usize, safe_tx_hash: B256, outcome: &PreflightOutcome) {
        let key = (place, safe_tx_hash);
        match outcome {
            PreflightOutcome::Refuted { reason, .. } => drop(self.refuted.insert(key, reason.clone())),
            PreflightOutcome::Passes | PreflightOutcome::Unknown { .. } => drop(self.refuted.remove(&key)),
        }
    }

    fn own(&mut self, cast: &Cast, place: usize, event: &Verified<Event>, now: Micros) {
        match &event.body {
            Body::Vote(vote) => {
                self.votes.entry(place).or_insert(now);
                self.voted(cast, place, vote);
            }
            Body::CoSignature(signed) => {
                let hash = signed.transaction.hashes(SAFE_VERSION, CHAIN.get(), cast.safe).safe_tx_hash;
                if let Some(reason) = self.refuted.get(&(place, hash)).cloned() {
                    let member = &cast.players[place].member;
                    self.breach("S2", Kind::Safety, format!("{member} signed what its simulation refuted: {reason}"));
                }
                self.co_signature(cast, place, signed);
            }
            _ => {}
        }
    }

    /// A new canonical head: S1 for what was executed in it, and in the blocks below it that a reorg brought with it.
    pub(crate) fn block(&mut self, cast: &Cast, chain: &Chain) {
        let state = &chain.head().state;
        self.asks = (state.threshold, Rc::clone(&state.owners));
        let mut at = Some(chain.head());
        while let Some(block) = at.filter(|block| self.looked_at.insert(block.at.hash)) {
            for one in block.included.iter().filter(|one| one.result.is_ok()) {
                let Call::Execute { transaction, .. } = &one.transaction.call else { continue };
                self.executed(cast, transaction, &block.at);
            }
            at = chain.block(&block.parent);
        }
    }
}
