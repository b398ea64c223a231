//! The world: nodes, links, operators and the chain under one clock and one queue. Nothing here reads a clock, a file or entropy: a run
//! is a function of the cast, the seed and the faults.

mod acts;
mod ending;
mod faults;
mod feed;
mod links;
mod play;
mod turn;
mod ways;

use std::rc::Rc;

use alloy_primitives::B256;
use sha2::{Digest, Sha256};
use watchfire_types::Bytes;
use watchfire_types::duty::Preflight;
use watchfire_types::memory::Remembering;

use super::adversary::{self, Adversary};
use super::agenda::{Agenda, MILLI, Micros, SECOND};
use super::cast::Cast;
use super::chain::Chain;
use super::dice::Dice;
use super::node::Node;
use super::operator::Operator;
use super::sketch::Sketch;
use super::watch::Watch;
use links::Links;
pub(crate) use play::{Planned, Play, When};

/// When the network counts as ready: nodes are started, connected and have simulated.
pub(crate) const READY: Micros = 2 * SECOND;
/// Heartbeats, as in the node's event loop.
pub(crate) const HEARTBEAT: Micros = 3 * SECOND;
/// Until a heartbeat leaves for who connected, as in the node's event loop.
const GREETING: Micros = 500 * MILLI;
/// Catch-up rounds, as in the node's event loop.
const CATCH_UP: Micros = 10 * SECOND;
/// Most steps of one run: beyond it something goes round in circles.
const STEPS_MAX: u64 = 3_000_000;

/// One gossip message on its way to several.
#[derive(Debug)]
pub(crate) struct Message {
    pub(crate) id: B256,
    pub(crate) bytes: Bytes,
}

impl Message {
    pub(crate) fn new(bytes: Bytes) -> Rc<Self> {
        Rc::new(Self { id: B256::from_slice(&Sha256::digest(&bytes)), bytes })
    }
}

/// What can happen.
#[derive(Debug)]
pub(crate) enum Happening {
    /// A gossip message arrives.
    Message { from: usize, to: usize, message: Rc<Message> },
    /// A catch-up request arrives; nobody waits for the answer any longer than `by`.
    Asked { from: usize, to: usize, request: Bytes, by: Micros },
    /// Its answer arrives.
    Answered { from: usize, to: usize, life: u64, response: Bytes },
    /// A node takes what is at its door.
    Turn { place: usize, life: u64 },
    /// A node's own timeout.
    Wake { place: usize, life: u64 },
    /// Once a second every node looks at the time.
    Idle { place: usize, life: u64 },
    /// A heartbeat is due.
    Heartbeat { place: usize, life: u64 },
    /// A heartbeat is due for who connected.
    Greeting { place: usize, life: u64 },
    /// A catch-up round is due.
    CatchUp { place: usize, life: u64 },
    /// A node looks at its operators.
    Look { place: usize, life: u64 },
    /// An operator shows a block.
    Shows { operator: usize, block: B256 },
    /// A simulation ends.
    Preflighted { place: usize, life: u64, preflight: Box<Preflight> },
    /// A gas payer bids.
    Bid { place: usize, life: u64, safe_tx_hash: B256 },
    /// Two nodes notice what became of the link between them.
    Link { a: usize, b: usize },
    /// A block is made.
    Mine,
    /// A planned fault.
    Fault { index: usize },
    /// The links of a flap are cut, or work again.
    Flap { index: usize },
    /// A person of the scenario acts.
    Human { part: usize },
    /// The network is ready.
    Ready,
    /// The attacker begins.
    Attack,
}

/// The world.
pub(crate) struct World<'a> {
    pub(crate) cast: &'a Cast,
    pub(crate) now: Micros,
    pub(crate) step: u64,
    pub(crate) agenda: Agenda<Happening>,
    pub(crate) chain: Chain,
    pub(crate) operators: Vec<Operator>,
    pub(crate) nodes: Vec<Node>,
    pub(crate) adversaries: Vec<Option<Box<dyn Adversary>>>,
    pub(crate) links: Links,
    pub(crate) play: Play,
    pub(crate) watch: Watch,
    pub(crate) chance: Chance,
    /// For a drawing, if one is wanted.
    pub(crate) sketch: Option<Sketch>,
    #[cfg(test)]
    pub(crate) bent: Option<super::bent::Bent>,
    trace: Sha256,
    /// Every node checks what every other has checked: each signature is worked out, and each event decoded, once in a run.
    _memory: Remembering,
}

/// Independent streams of chance.
pub(crate) struct Chance {
    pub(crate) links: Dice,
    pub(crate) rpc: Dice,
    pub(crate) epochs: Dice,
    pub(crate) disks: Dice,
    pub(crate) adversaries: Dice,
}

impl<'a> World<'a> {
    /// At its beginning: every node started, nobody connected.
    pub(crate) fn new(cast: &'a Cast, seed: u64, planned: Vec<Planned>) -> Self {
        let chain = Chain::new(cast);
        let head = chain.head().at.hash;
        let count = cast.players.len();
        let mut world = Self {
            cast,
            now: 0,
            step: 0,
            agenda: Agenda::new(),
            operators: cast.operators.iter().map(|_| Operator::new(head)).collect(),
            nodes: (0..count).map(|place| Node::new(cast, place)).collect(),
            adversaries: (0..count).map(|place| adversary::of(cast, place)).collect(),
            links: Links::new(cast),
            play: Play::new(cast, planned),
            watch: Watch::new(cast),
            chance: Chance {
                links: Dice::new(seed, "links"),
                rpc: Dice::new(seed, "rpc"),
                epochs: Dice::new(seed, "epochs"),
                disks: Dice::new(seed, "disks"),
                adversaries: Dice::new(seed, "adversaries"),
            },
            chain,
            sketch: None,
            #[cfg(test)]
            bent: None,
            trace: Sha256::new(),
            _memory: Remembering::begin(),
        };
        world.watch.charter(cast);
        for place in 0..count {
            world.start(place);
        }
        let block_us = cast.scenario.chain.block_time_ms * MILLI;
        world.agenda.at(block_us, Happening::Mine);
        world.agenda.at(READY, Happening::Ready);
        world
    }

    /// Plays to the end. Returns the hash of everything that happened.
    pub(crate) fn run(&mut self) -> B256 {
        while let Some((at, what)) = self.agenda.next() {
            self.now = at;
            self.step += 1;
            self.watch.step = self.step;
            self.note(&what);
            self.happen(what);
            self.advance();
            if self.watch.broke_safety() || self.play.over {
                break;
            }
            if self.step >= STEPS_MAX {
                self.watch.endless(self.step);
                break;
            }
        }
        self.finish();
        B256::from_slice(&self.trace.clone().finalize())
    }

    fn note(&mut self, what: &Happening) {
        let (tag, a, b): (u8, usize, usize) = match what {
            Happening::Message { from, to, message } => {
                self.trace.update(message.id);
                (0, *from, *to)
            }
            Happening::Asked { from, to, request, .. } => {
                self.trace.update(request);
                (1, *from, *to)
            }
            Happening::Answered { from, to, response, .. } => {
                self.trace.update(response);
                (2, *from, *to)
            }
            Happening::Turn { place, .. } => (3, *place, 0),
            Happening::Wake { place, .. } => (4, *place, 0),
            Happening::Idle { place, .. } => (5, *place, 0),
            Happening::Heartbeat { place, .. } => (6, *place, 0),
            Happening::CatchUp { place, .. } => (7, *place, 0),
            Happening::Look { place, .. } => (8, *place, 0),
            Happening::Shows { operator, block } => {
                self.trace.update(block);
                (9, *operator, 0)
            }
            Happening::Preflighted { place, preflight, .. } => {
                self.trace.update(preflight.safe_tx_hash);
                (10, *place, 0)
            }
            Happening::Bid { place, safe_tx_hash, .. } => {
                self.trace.update(safe_tx_hash);
                (11, *place, 0)
            }
            Happening::Link { a, b } => (12, *a, *b),
            Happening::Mine => (13, 0, 0),
            Happening::Fault { index } => (14, *index, 0),
            Happening::Human { part } => (15, *part, 0),
            Happening::Greeting { place, .. } => (16, *place, 0),
            Happening::Ready => (17, 0, 0),
            Happening::Attack => (18, 0, 0),
            Happening::Flap { index } => (19, *index, 0),
        };
        let mut record = [0; 25];
        record[0] = tag;
        record[1..9].copy_from_slice(&self.now.to_be_bytes());
        record[9..17].copy_from_slice(&(a as u64).to_be_bytes());
        record[17..25].copy_from_slice(&(b as u64).to_be_bytes());
        self.trace.update(record);
    }

    fn alive(&self, place: usize, life: u64) -> bool {
        self.nodes[place].life == life && self.nodes[place].process.is_some()
    }

    fn happen(&mut self, what: Happening) {
        match what {
            Happening::Message { from, to, message } => self.message(from, to, &message),
            Happening::Asked { from, to, request, by } => self.asked(from, to, request, by),
            Happening::Answered { from, to, life, response } if self.alive(to, life) => {
                self.answered(from, to, response);
            }
            Happening::Turn { place, life } if self.alive(place, life) => self.take_turn(place),
            Happening::Wake { place, life } if self.alive(place, life) => self.wake(place),
            Happening::Idle { place, life } if self.alive(place, life) => self.idle(place),
            Happening::Heartbeat { place, life } if self.alive(place, life) => self.heartbeat(place),
            Happening::Greeting { place, life } if self.alive(place, life) => self.greeting(place),
            Happening::CatchUp { place, life } if self.alive(place, life) => self.catch_up_round(place),
            Happening::Look { place, life } if self.alive(place, life) => self.look(place),
            Happening::Shows { operator, block } => self.shows(operator, block),
            Happening::Preflighted { place, life, preflight } if self.alive(place, life) => {
                self.preflighted(place, &preflight);
            }
            Happening::Bid { place, life, safe_tx_hash } if self.alive(place, life) => self.bid(place, safe_tx_hash),
            Happening::Link { a, b } => self.link(a, b),
            Happening::Mine => self.mine(),
            Happening::Fault { index } => self.fault(index),
            Happening::Flap { index } => self.flap(index),
            Happening::Human { part } => self.human(part),
            Happening::Ready => self.ready(),
            Happening::Attack => self.attack(),
            // Meant for a process that is gone.
            Happening::Answered { .. }
            | Happening::Turn { .. }
            | Happening::Wake { .. }
            | Happening::Idle { .. }
            | Happening::Heartbeat { .. }
            | Happening::Greeting { .. }
            | Happening::CatchUp { .. }
            | Happening::Look { .. }
            | Happening::Preflighted { .. }
            | Happening::Bid { .. } => {}
        }
    }
}
