//! The scenario in the world: the moments that come, and what is planned for each.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use alloy_primitives::{Address, B256, U256};
use watchfire_types::body::{Body, Cause, Purpose};
use watchfire_types::{Event, OrganisationId, SafeTransaction, Verified};

use super::{Happening, Message, World};
use crate::scenario::{AttackStart, DiskLeft, FaultKind, Moment, words};
use crate::simulate::agenda::{MILLI, Micros, SECOND};
use crate::simulate::bent::Bent;
use crate::simulate::cast::{CHAIN, Cast, SAFE_VERSION};
use crate::simulate::chain::{Block, Call, Transaction};

/// When a fault comes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum When {
    /// So long after a moment.
    After(Moment, Micros),
    /// So long after the network is ready.
    Drawn(Micros),
}

impl When {
    /// As people read it.
    pub(crate) fn words(&self) -> String {
        match self {
            Self::After(moment, 0) => words(moment),
            Self::After(moment, delay) => format!("{} and {} ms", words(moment), delay / MILLI),
            Self::Drawn(at) => format!("{} ms after ready", at / MILLI),
        }
    }
}

/// A fault of the scenario, or one drawn from the seed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Planned {
    /// Number by which the command line names it.
    pub(crate) number: usize,
    pub(crate) when: When,
    pub(crate) what: FaultKind,
    /// The disk's dice for a crash.
    pub(crate) salt: u64,
}

/// How the play goes.
#[derive(Debug)]
pub(crate) struct Play {
    pub(crate) planned: Vec<Planned>,
    pub(crate) reached: BTreeMap<Moment, Micros>,
    /// How many of them what is planned was looked through for.
    looked_through: usize,
    pub(super) fired: BTreeSet<usize>,
    pub(super) done: BTreeSet<usize>,
    acted: BTreeSet<usize>,
    /// Organisations with a member that follows the protocol.
    honest: usize,
    /// People of the scenario who have had their moment and acted.
    pub(super) people: usize,
    /// Whose people answer no more.
    pub(super) asleep: BTreeSet<OrganisationId>,
    /// Every message handed to a node, by the id it was handed over with.
    pub(crate) messages: Vec<(usize, Rc<Message>)>,
    pub(crate) stalled_until: Micros,
    /// Flaps that go on, by their faults: how often their links were cut or healed so far.
    pub(super) flaps: BTreeMap<usize, u64>,
    /// Blocks for which a stranger still flips the flag.
    pub(crate) flips: u64,
    pub(crate) disk_faults: BTreeSet<usize>,
    /// Processes that die within their next sync, with what their disks then hold.
    pub(crate) dies_in_sync: BTreeMap<usize, (DiskLeft, u64)>,
    pub(crate) refused: Vec<(usize, String)>,
    pub(crate) over: bool,
    /// Somebody else said that it executed something.
    pub(crate) told_executed: bool,
    /// Blocks whose transactions were looked at.
    looked_at: BTreeSet<B256>,
    pub(crate) attack: Attack,
    pub(crate) first_submitter: Option<usize>,
    pub(crate) status_before: BTreeMap<usize, bool>,
    pub(crate) found: BTreeSet<OrganisationId>,
    pub(crate) voted: BTreeSet<OrganisationId>,
    pub(crate) rejected: BTreeSet<OrganisationId>,
    pub(crate) submitted: BTreeSet<OrganisationId>,
    pub(crate) certificate: bool,
    pub(crate) cancelled: bool,
    pub(crate) cause: Option<Cause>,
    pub(crate) nonce_before: u64,
    /// Blocks in which the vault became paused; one that a reorg took stays counted.
    pub(crate) pauses: u64,
    /// Whether it was opened again in a block.
    pub(crate) reopened: bool,
    /// The Safe's transaction that paused first, if one did.
    pub(crate) pause: Option<Transaction>,
    pub(crate) paused_at: Option<Micros>,
    pub(crate) paused_block: Option<u64>,
    pub(crate) nonce_taken_by: Option<B256>,
    /// Last time an honest node said something that matters.
    pub(crate) stirred: Micros,
    pub(crate) timeline: BTreeMap<&'static str, Micros>,
}

/// How the attack goes.
#[derive(Debug, Default)]
pub(crate) struct Attack {
    pub(crate) began: bool,
    /// When it began, or began again.
    pub(super) began_at: Micros,
    pub(super) serial: u64,
    /// How each wave goes.
    pub(super) waves: Vec<Wave>,
    /// Accounts of which a transaction reverted; the first wave's has no name.
    pub(super) stopped: BTreeSet<Option<String>>,
    pub(crate) over: bool,
    pub(crate) reverted: Option<String>,
    pub(crate) first_block_at: Option<Micros>,
    /// The first block with one of its transactions.
    pub(crate) first_block: Option<u64>,
    /// Transactions that went through.
    pub(crate) included: u64,
    pub(crate) taken: U256,
}

/// How one wave of it goes.
#[derive(Debug, Default)]
pub(super) struct Wave {
    pub(super) sent: u64,
    /// Its transaction that is in no block yet.
    pub(super) waiting: Option<B256>,
    pub(super) over: bool,
}

impl Attack {
    /// Before it begins.
    pub(super) fn new(cast: &Cast) -> Self {
        let waves = cast.scenario.attack.waves().map(|_| Wave::default());
        Self { waves: waves.collect(), ..Self::default() }
    }
}

impl Play {
    pub(crate) fn new(cast: &Cast, planned: Vec<Planned>) -> Self {
        Self {
            planned,
            reached: BTreeMap::new(),
            looked_through: 0,
            fired: BTreeSet::new(),
            done: BTreeSet::new(),
            acted: BTreeSet::new(),
            honest: cast.honest_organisations(),
            people: 0,
            asleep: BTreeSet::new(),
            messages: Vec::new(),
            stalled_until: 0,
            flaps: BTreeMap::new(),
            flips: 0,
            disk_faults: BTreeSet::new(),
            dies_in_sync: BTreeMap::new(),
            refused: Vec::new(),
            over: false,
            told_executed: false,
            looked_at: BTreeSet::new(),
            attack: Attack::new(cast),
            first_submitter: None,
            status_before: BTreeMap::new(),
            found: BTreeSet::new(),
            voted: BTreeSet::new(),
            rejected: BTreeSet::new(),
            submitted: BTreeSet::new(),
            certificate: false,
            cancelled: false,
            cause: None,
            nonce_before: 0,
            pauses: 0,
            reopened: false,
            pause: None,
            paused_at: None,
            paused_block: None,
            nonce_taken_by: None,
            stirred: 0,
            timeline: BTreeMap::new(),
        }
    }

    /// Looks at an event that became durable at a node; `own` when an honest node made it just now.
    pub(super) fn saw(&mut self, cast: &Cast, event: &Verified<Event>, own: bool, now: Micros) {
        if !own {
            return;
        }
        let Some(place) = cast.place_of(&event.author) else { return };
        let organisation = cast.players[place].organisation.clone();
        match &event.body {
            Body::Finding(_) => {
                self.timeline.entry("finding").or_insert(now);
                self.found.insert(organisation);
                self.stirred = now;
            }
            Body::Vote(_) => {
                self.timeline.entry("vote").or_insert(now);
                self.voted.insert(organisation);
                self.stirred = now;
            }
            Body::Submitted(_) => {
                self.submitted.insert(organisation);
            }
            Body::Rejected(_) => {
                self.rejected.insert(organisation);
                self.stirred = now;
            }
            Body::Veto(_) | Body::CoSignature(_) => self.stirred = now,
            Body::Certificate(certificate) => {
                self.stirred = now;
                match certificate.purpose {
                    Purpose::Step(_) => {
                        self.timeline.entry("certificate").or_insert(now);
                        self.certificate = true;
                    }
                    Purpose::Cancel => self.cancelled = true,
                    Purpose::Close(_) => {}
                }
            }
            Body::NotContained(stated) => {
                self.stirred = now;
                self.cause = Some(stated.cause);
            }
            _ => {}
        }
    }
}

impl World<'_> {
    pub(super) fn ready(&mut self) {
        self.play.nonce_before = self.chain.head().state.nonce;
        if self.bends(Bent::SignsUnasked) {
            self.sign_unasked();
        }
        self.play.reached.insert(Moment::Ready, self.now);
        for place in 0..self.nodes.len() {
            self.nodes[place].backup =
                Some(self.nodes[place].disk.crash(&watchfire_journal::storage::CrashState::KeepAll).files());
        }
        let nonce = U256::from(self.play.nonce_before);
        let ladder = self.cast.charter.playbooks.get(&self.cast.playbook);
        let first = ladder.and_then(|playbook| playbook.steps.last()).and_then(|step| step.actions.first());
        let (target, calldata) = first.map(|action| (action.target, action.calldata.clone())).unwrap_or_default();
        let pause = SafeTransaction::call(target, calldata, nonce);
        let hash = pause.hashes(SAFE_VERSION, CHAIN.get(), self.cast.safe).safe_tx_hash;
        let guardians: Vec<Address> = self.cast.guardians().map(|player| player.guardian).collect();
        let first = |place: &usize| watchfire_protocol::rank(hash, &guardians, guardians[*place]) == Some(0);
        self.play.first_submitter = (0..guardians.len()).find(first);
        for index in 0..self.play.planned.len() {
            if let When::Drawn(after) = self.play.planned[index].when {
                self.play.fired.insert(index);
                self.agenda.at(self.now + after, Happening::Fault { index });
            }
        }
        self.advance();
        match self.cast.scenario.attack.after {
            AttackStart::Ready => self.agenda.at(self.now, Happening::Attack),
            AttackStart::Faults => self.agenda.at(self.now + 5 * SECOND, Happening::Attack),
            AttackStart::CanPause | AttackStart::CannotPause => {}
        }
    }

    /// Notes the moments that came and does what the scenario has for them, each once.
    pub(super) fn advance(&mut self) {
        let scenario = &self.cast.scenario;
        let play = &self.play;
        let came = [
            (Moment::Attacked, play.attack.first_block_at.is_some()),
            (Moment::Finding, !play.found.is_empty()),
            (Moment::AllFound, play.found.len() == play.honest),
            (Moment::Vote, !play.voted.is_empty()),
            (Moment::ContainVotes, play.voted.len() >= usize::from(scenario.governance.contain)),
            (Moment::Certificate, play.certificate),
            (Moment::ThresholdSigned, play.timeline.contains_key("threshold-signed")),
            (Moment::AllSubmitted, play.submitted.len() == play.honest),
            (Moment::NonceTaken, play.nonce_taken_by.is_some()),
            (Moment::Contained, play.pauses > 0),
            (Moment::AttackOver, play.attack.over),
            (Moment::Recovered, play.reopened),
        ];
        let new = came.into_iter().filter(|(moment, came)| *came && !self.play.reached.contains_key(moment));
        let new: Vec<Moment> = new.map(|(moment, _)| moment).collect();
        self.play.reached.extend(new.into_iter().map(|moment| (moment, self.now)));
        // After every step: nearly always nothing came that was not looked at.
        let ready = self.play.reached.contains_key(&Moment::Ready);
        if !ready
            || std::mem::replace(&mut self.play.looked_through, self.play.reached.len()) == self.play.reached.len()
        {
            return;
        }
        for index in 0..self.play.planned.len() {
            if let When::After(moment, delay) = self.play.planned[index].when
                && let Some(at) = self.play.reached.get(&moment).copied()
                && self.play.fired.insert(index)
            {
                self.agenda.at((at + delay).max(self.now), Happening::Fault { index });
            }
        }
        for (part, human) in scenario.humans.iter().enumerate() {
            if let Some(at) = self.play.reached.get(&human.at).copied()
                && self.play.acted.insert(part)
            {
                let at = at.saturating_add(human.after_ms().saturating_mul(MILLI));
                self.agenda.at(at.max(self.now), Happening::Human { part });
            }
        }
    }

    /// After every block: the attacker's next transaction, moments, and whether the play is over.
    pub(super) fn on_block(&mut self) {
        // A reorg brings several new blocks at once.
        let mut fresh = Vec::new();
        let mut at = Some(self.chain.head());
        while let Some(block) = at.filter(|block| self.play.looked_at.insert(block.at.hash)) {
            fresh.push(block.clone());
            at = self.chain.block(&block.parent);
        }
        for block in fresh.iter().rev() {
            self.on_new_block(block);
        }
        let waits_for = match self.cast.scenario.attack.after {
            AttackStart::CanPause => Some(true),
            AttackStart::CannotPause => Some(false),
            AttackStart::Ready | AttackStart::Faults => None,
        };
        if let Some(wanted) = waits_for
            && !self.play.attack.began
            && self.play.reached.contains_key(&Moment::Ready)
        {
            let outlooks = self.outlooks();
            if outlooks.len() == self.nodes.len() && outlooks.values().all(|can| *can == wanted) {
                self.attack();
            }
        }
        self.strike();
        self.advance();
        self.play.over = self.is_over();
    }
}

impl World<'_> {
    /// What one block did that was not on the chain before.
    fn on_new_block(&mut self, block: &Block) {
        let now = self.now;
        let paused_before = self.chain.block(&block.parent).is_some_and(|parent| parent.state.paused);
        self.play.reopened |= paused_before && !block.state.paused;
        if block.state.paused && !paused_before {
            self.play.pauses += 1;
            self.play.timeline.entry("included").or_insert(now);
            self.play.paused_at.get_or_insert(now);
            self.play.paused_block.get_or_insert(block.at.number);
            let executed = block
                .included
                .iter()
                .find(|one| one.result.is_ok() && matches!(one.transaction.call, Call::Execute { .. }));
            self.play.pause = self.play.pause.take().or(executed.map(|one| one.transaction.clone()));
        }
        for one in block.included.iter() {
            if self.play.nonce_taken_by.is_none() && one.result.is_ok() && one.transaction.from == owners() {
                self.play.nonce_taken_by = Some(one.transaction.hash);
            }
            let attack = &mut self.play.attack;
            let script = self.cast.scenario.attack.waves();
            let mut waves = script.zip(&mut attack.waves).map(|(script, wave)| (script.from, wave));
            let its = waves.find(|(_, wave)| wave.waiting == Some(one.transaction.hash));
            let Some((from, wave)) = its else { continue };
            wave.waiting = None;
            match one.result {
                Ok(()) => {
                    attack.included += 1;
                    attack.first_block_at.get_or_insert(now);
                    attack.first_block.get_or_insert(block.at.number);
                }
                Err(reason) => {
                    attack.reverted = Some(reason.to_owned());
                    attack.stopped.insert(from.map(str::to_owned));
                }
            }
        }
    }
}

/// The account that the owners send from.
pub(super) fn owners() -> Address {
    Address::repeat_byte(0xbb)
}
