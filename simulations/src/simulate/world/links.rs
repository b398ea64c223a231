//! Links: who can speak to whom, how long it takes, what is lost, and gossip and catch-up over them.
//!
//! Gossip is modelled by what the production settings amount to: an own message goes to every connected member at once (flood
//! publish), an accepted one is passed on to up to eight, and each node takes a message once.

use std::collections::BTreeSet;
use std::rc::Rc;

use alloy_primitives::B256;
use alloy_primitives::map::B256Map;
use watchfire_driver::{Door, HeartbeatFacts};
use watchfire_types::input::Input;
use watchfire_types::{Bytes, Verdict};
use watchfire_wire::{CatchUpRequest, CatchUpResponse};

use super::ways::{Way, Ways};
use super::{CATCH_UP, GREETING, HEARTBEAT, Happening, Message, World};
use crate::simulate::agenda::{MILLI, Micros, SECOND};
use crate::simulate::bent::Bent;
use crate::simulate::cast::{CHAIN, Cast};
use crate::simulate::node::NodeDriver;

/// Peers that an accepted message is passed on to.
const MESH: usize = 8;
/// Until the end of a link is noticed.
const NOTICED: Micros = 3 * SECOND;
/// Until a peer that can be reached again is dialled.
const REDIAL: Micros = 500 * MILLI;
/// Until a stream first sends again what was lost.
const RESENT: Micros = 200 * MILLI;
/// A catch-up question unanswered for this long has failed, as the node's gossip has it.
const UNANSWERED: Micros = 10 * SECOND;

/// Which links work, by direction, and whom every message came to.
#[derive(Debug)]
pub(crate) struct Links {
    /// Pairs (from, to) that pass nothing.
    cut: BTreeSet<(usize, usize)>,
    /// What those that pass something do to it.
    ways: Ways,
    count: usize,
    /// By a message's hash: whose present process has heard it, a flag for each place. Gossip hands each message over once.
    heard: B256Map<Vec<bool>>,
}

impl Links {
    pub(crate) fn new(cast: &Cast) -> Self {
        Self { cut: BTreeSet::new(), ways: Ways::new(cast), count: cast.players.len(), heard: B256Map::default() }
    }

    /// Notes that a message came to a process; answers whether it is the first time.
    fn hear(&mut self, place: usize, id: &B256) -> bool {
        let by = self.heard.entry(*id).or_insert_with(|| vec![false; self.count]);
        !std::mem::replace(&mut by[place], true)
    }

    /// A new process has heard nothing yet.
    pub(crate) fn forgets(&mut self, place: usize) {
        self.heard.values_mut().for_each(|by| by[place] = false);
    }

    pub(crate) fn passes(&self, from: usize, to: usize) -> bool {
        !self.cut.contains(&(from, to))
    }

    fn set(&mut self, from: usize, to: usize, works: bool) {
        if works {
            self.cut.remove(&(from, to));
        } else {
            self.cut.insert((from, to));
        }
    }
}

impl World<'_> {
    /// One-way delay of the next message on this way.
    fn delay(&mut self, way: &Way) -> Micros {
        let dice = &mut self.chance.links;
        let delay = dice.within(way.delay);
        if dice.chance(self.cast.scenario.links.straggle_permille) { delay * 10 } else { delay }
    }

    /// Sends one gossip message over one link.
    pub(crate) fn send(&mut self, from: usize, to: usize, message: &Rc<Message>, after: Micros) {
        self.watch.sent(from, message.bytes.len());
        let copies = 1 + u64::from(self.chance.links.chance(self.cast.scenario.links.duplicate_permille));
        let (way, sent) = (self.links.ways.of(from, to), self.now + after);
        for _ in 0..copies {
            let lost = self.chance.links.chance(way.loss_permille);
            let passed = self.links.ways.pass(from, to, sent, message.bytes.len());
            let at = passed.unwrap_or(sent) + self.delay(&way);
            let lost = lost || passed.is_none() || !self.links.passes(from, to);
            if let Some(sketch) = &mut self.sketch {
                sketch.message((from, sent), (to, at), message, lost);
            }
            if !lost {
                self.agenda.at(at, Happening::Message { from, to, message: Rc::clone(message) });
            }
        }
    }

    /// An own message: to every connected member.
    pub(crate) fn publish(&mut self, from: usize, bytes: Bytes, after: Micros) {
        self.watch.says(self.cast, from, "a message", &bytes);
        let message = Message::new(bytes);
        let node = &self.nodes[from];
        if node.process.is_some() {
            self.links.hear(from, &message.id);
        }
        let peers: Vec<usize> = node.connected.iter().copied().collect();
        for to in peers {
            self.send(from, to, &message, after);
        }
    }

    pub(super) fn message(&mut self, from: usize, to: usize, message: &Rc<Message>) {
        if !self.links.passes(from, to) || !self.nodes[to].connected.contains(&from) {
            return;
        }
        if self.nodes[to].process.is_none() || !self.links.hear(to, &message.id) {
            return;
        }
        self.with_adversary(to, |adversary, scene| adversary.hears(scene, from, message));
        self.hand(to, from, message);
    }

    /// Puts a message at a node's door, whether it was there before or not.
    pub(crate) fn hand(&mut self, to: usize, from: usize, message: &Rc<Message>) {
        let Some(process) = &mut self.nodes[to].process else { return };
        let id = self.play.messages.len() as u64;
        self.play.messages.push((from, Rc::clone(message)));
        process.inbox.push(Door::Gossip { id, bytes: message.bytes.clone() });
        self.call(to);
    }

    /// Passes an accepted message on.
    pub(super) fn verdict(&mut self, place: usize, id: u64, verdict: Verdict, after: Micros) {
        let Some((from, message)) = usize::try_from(id).ok().and_then(|id| self.play.messages.get(id)).cloned() else {
            return;
        };
        if verdict != Verdict::Accept || self.adversaries[place].is_some() {
            return;
        }
        // A ring around the node: every node's eight are others, and all together reach everyone.
        let count = self.links.count;
        let heard = self.links.heard.get(&message.id);
        if heard.is_some_and(|heard| heard.iter().all(|heard| *heard)) {
            return;
        }
        let ring = (1..count).map(|step| (place + step * step) % count).filter(|to| *to != place && *to != from);
        let mut peers: Vec<usize> = Vec::new();
        for to in ring.chain((0..count).filter(|to| *to != place && *to != from)) {
            let lacks = self.nodes[to].process.is_some() && heard.is_none_or(|heard| !heard[to]);
            if peers.len() < MESH && lacks && !peers.contains(&to) && self.nodes[place].connected.contains(&to) {
                peers.push(to);
            }
        }
        let anew = self.bends(Bent::Reencodes).then(|| Message::new([&message.bytes[..], &[0]].concat().into()));
        for to in peers {
            self.send(place, to, anew.as_ref().unwrap_or(&message), after);
        }
    }

    /// Sets what a link does; both sides notice later.
    pub(crate) fn set_link(&mut self, from: usize, to: usize, works: bool) {
        if from == to || self.links.passes(from, to) == works {
            return;
        }
        self.links.set(from, to, works);
        let (a, b) = (from.min(to), from.max(to));
        let after = if works { REDIAL } else { NOTICED };
        self.agenda.at(self.now + after, Happening::Link { a, b });
    }

    /// A connection stands where both directions work and both nodes live.
    pub(super) fn link(&mut self, a: usize, b: usize) {
        let lives = self.nodes[a].process.is_some() && self.nodes[b].process.is_some();
        let works = lives && self.links.passes(a, b) && self.links.passes(b, a);
        for (one, other) in [(a, b), (b, a)] {
            let node = &mut self.nodes[one];
            let Some(process) = &mut node.process else { continue };
            let changed = if works { node.connected.insert(other) } else { node.connected.remove(&other) };
            let life = node.life;
            if !changed {
                continue;
            }
            if works {
                self.watch.met(self.cast, one, other, self.now);
            } else {
                self.watch.parted(one, other);
            }
            let member = self.cast.players[other].author;
            process.inbox.push(Door::Input(Input::Peer { member, connected: works }));
            let greets = works && !std::mem::replace(&mut process.greets, true);
            self.call(one);
            if greets {
                self.agenda.at(self.now + GREETING, Happening::Greeting { place: one, life });
            }
            if works && !self.bends(Bent::WaitsForItsTurn) {
                self.ask_all(one, other);
            }
        }
    }

    /// Everyone notices that a node came or went.
    pub(super) fn links_of(&mut self, place: usize, after: Micros) {
        for other in (0..self.links.count).filter(|other| *other != place) {
            let (a, b) = (place.min(other), place.max(other));
            self.agenda.at(self.now + after, Happening::Link { a, b });
        }
    }

    /// Asks one member for everything that is missing here.
    fn ask_all(&mut self, place: usize, other: usize) {
        self.ask(place, other, NodeDriver::catch_up_request);
    }

    /// Asks one member this.
    pub(super) fn ask(&mut self, place: usize, other: usize, what: impl FnOnce(&mut NodeDriver) -> CatchUpRequest) {
        if !self.nodes[place].connected.contains(&other) || self.bends(Bent::NeverCatchesUp) {
            return;
        }
        let Some(process) = &mut self.nodes[place].process else { return };
        let request = what(&mut process.driver).encode();
        self.watch.says(self.cast, place, "a request", &request);
        self.watch.sent(place, request.len());
        let by = self.now + UNANSWERED;
        if let Some(at) = self.carry(place, other, request.len(), by) {
            self.agenda.at(at, Happening::Asked { from: place, to: other, request, by });
        }
    }

    /// When one part of a catch-up arrives, if it does, and `by` then. It goes over a stream, which sends again what the link loses, twice as
    /// late each time.
    fn carry(&mut self, from: usize, to: usize, bytes: usize, by: Micros) -> Option<Micros> {
        let way = self.links.ways.of(from, to);
        let delay = self.delay(&way);
        let (mut resent, mut wait) = (0, RESENT.max(2 * delay));
        while resent < UNANSWERED && self.chance.links.chance(way.loss_permille) {
            resent += wait;
            wait *= 2;
        }
        let passed = self.links.ways.pass_by(from, to, self.now, bytes, by);
        let at = passed.map(|passed| passed + delay + resent)?;
        (self.links.passes(from, to) && at <= by).then_some(at)
    }

    pub(super) fn asked(&mut self, from: usize, to: usize, request: Bytes, by: Micros) {
        let Ok(request) = CatchUpRequest::decode(request) else { return };
        if self.adversaries[to].as_ref().is_some_and(|adversary| !adversary.answers()) {
            return;
        }
        let Some(process) = &self.nodes[to].process else { return };
        // The simulated disk rots while nobody reads: what cannot be read is left out.
        let response = process.driver.answer_catch_up(&request, drop).encode();
        self.watch.says(self.cast, to, "an answer", &response);
        self.watch.sent(to, response.len());
        let life = self.nodes[from].life;
        if let Some(at) = self.carry(to, from, response.len(), by) {
            self.agenda.at(at, Happening::Answered { from: to, to: from, life, response });
        }
    }

    pub(super) fn answered(&mut self, from: usize, to: usize, response: Bytes) {
        let Ok(response) = CatchUpResponse::decode(response) else { return };
        if !response.witnesses.is_empty()
            && let Some(process) = &mut self.nodes[to].process
        {
            let from = self.cast.players[from].author;
            process.inbox.push(Door::Witnesses { from, messages: response.witnesses });
            self.call(to);
        }
        if response.events.is_empty() {
            return;
        }
        let more = !response.complete;
        let member = self.cast.players[from].author;
        let door = Door::CaughtUp { from: member, events: response.events };
        if more {
            // The rest is asked for from where this answer leads to, so it must be taken first.
            self.turn(to, vec![door]);
            self.ask_all(to, from);
        } else if let Some(process) = &mut self.nodes[to].process {
            process.inbox.push(door);
            self.call(to);
        }
    }

    pub(super) fn catch_up_round(&mut self, place: usize) {
        let life = self.nodes[place].life;
        self.agenda.at(self.now + CATCH_UP, Happening::CatchUp { place, life });
        let connected: Vec<usize> = self.nodes[place].connected.iter().copied().collect();
        let Some(process) = &mut self.nodes[place].process else { return };
        let at = process.next_catch_up % connected.len().max(1);
        process.next_catch_up += 1;
        if let Some(other) = connected.get(at) {
            self.ask_all(place, *other);
        }
    }

    pub(super) fn heartbeat(&mut self, place: usize) {
        let life = self.nodes[place].life;
        self.agenda.at(self.now + HEARTBEAT, Happening::Heartbeat { place, life });
        self.beat(place);
    }

    pub(super) fn greeting(&mut self, place: usize) {
        if let Some(process) = &mut self.nodes[place].process {
            process.greets = false;
        }
        self.beat(place);
    }

    fn beat(&mut self, place: usize) {
        let now = self.nodes[place].clock(self.now);
        let Some(process) = &self.nodes[place].process else { return };
        let heads = process.driver.machine().head(CHAIN).into_iter().collect();
        let facts = HeartbeatFacts { heads, ..HeartbeatFacts::default() };
        if let Ok(bytes) = process.driver.heartbeat(now, facts) {
            let secret = || self.cast.players[place].secrets.secret_bytes()[0].to_vec();
            let leaking = self.bends(Bent::LeaksUnlogged).then(|| [bytes.to_vec(), secret()].concat().into());
            self.publish(place, leaking.unwrap_or(bytes), 0);
        }
    }
}
