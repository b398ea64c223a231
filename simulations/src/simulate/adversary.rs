//! Members that do not follow the protocol, each a type of its own. Every one has the production driver beside it, so that it finds, votes
//! and signs as the others do; what leaves it is its own affair.

mod budget_burner;
mod certificate_forger;
mod clock_liar;
mod colluder;
mod eclipser;
mod equivocator;
mod false_executor;
mod forge;
mod forged_evidence;
mod front_runner;
mod hoard;
mod impersonator;
mod log_forker;
mod nonce_thief;
mod replayer;
mod rewriter;
mod selective_sender;
mod silent;
mod sluggard;
mod spammer;
mod stale_charter;
mod turncoat;
mod two_tongued_executor;
mod vetoer;
mod withholder;

use std::rc::Rc;

use watchfire_types::{Bytes, Event, Timestamp, Unverified};
use watchfire_wire::{Envelope, decode_signed};

use super::agenda::Micros;
use super::cast::Cast;
use super::chain::{Chain, Transaction};
use super::dice::Dice;
use super::world::{Message, World};
use crate::scenario::AdversaryKind;
use forge::Forge;

/// What an adversary can see and do at one moment.
pub(crate) struct Scene<'a> {
    pub(crate) cast: &'a Cast,
    pub(crate) chain: &'a Chain,
    pub(crate) place: usize,
    /// Its clock.
    pub(crate) clock: Timestamp,
    pub(crate) dice: &'a mut Dice,
    /// Messages to leave: to whom, what, how much later.
    pub(crate) out: Vec<(usize, Bytes, Micros)>,
    /// Messages put at a node's door although it had them.
    pub(crate) again: Vec<(usize, Rc<Message>)>,
    /// Transactions to hand out.
    pub(crate) transactions: Vec<Transaction>,
}

impl Scene<'_> {
    /// Everyone else.
    pub(crate) fn others(&self) -> Vec<usize> {
        (0..self.cast.players.len()).filter(|place| *place != self.place).collect()
    }

    /// To everyone else.
    pub(crate) fn tell_all(&mut self, bytes: &Bytes) {
        for to in self.others() {
            self.out.push((to, bytes.clone(), 0));
        }
    }
}

/// One way not to follow the protocol.
pub(crate) trait Adversary: std::fmt::Debug {
    /// What its own driver wants to publish.
    fn publishes(&mut self, scene: &mut Scene<'_>, bytes: &Bytes) {
        scene.tell_all(bytes);
    }

    /// A message that came.
    fn hears(&mut self, _scene: &mut Scene<'_>, _from: usize, _message: &Rc<Message>) {}

    /// A new block.
    fn sees(&mut self, _scene: &mut Scene<'_>) {}

    /// Whether it answers what others ask for.
    fn answers(&self) -> bool {
        true
    }

    /// Whether it sends what its own driver owes to the chain.
    fn submits(&self) -> bool {
        true
    }
}

/// The adversary at this place, if the scenario has one there.
pub(crate) fn of(cast: &Cast, place: usize) -> Option<Box<dyn Adversary>> {
    let forge = || Forge::new(cast, place);
    Some(match cast.players[place].adversary? {
        AdversaryKind::Equivocator => Box::new(equivocator::Equivocator::new(forge())),
        AdversaryKind::SelectiveSender => Box::new(selective_sender::SelectiveSender),
        AdversaryKind::Withholder => Box::new(withholder::Withholder::default()),
        AdversaryKind::Replayer => Box::new(replayer::Replayer::new(forge())),
        AdversaryKind::Spammer => Box::new(spammer::Spammer::new(forge())),
        AdversaryKind::Vetoer => Box::new(vetoer::Vetoer::new(forge())),
        AdversaryKind::FalseExecutor => Box::new(false_executor::FalseExecutor::new(forge())),
        AdversaryKind::TwoTonguedExecutor => Box::new(two_tongued_executor::TwoTonguedExecutor::new(cast, place)),
        AdversaryKind::ForgedEvidence => Box::new(forged_evidence::ForgedEvidence::new(forge())),
        AdversaryKind::FrontRunner => Box::new(front_runner::FrontRunner::default()),
        AdversaryKind::NonceThief => Box::new(nonce_thief::NonceThief::default()),
        AdversaryKind::CertificateForger => Box::new(certificate_forger::CertificateForger::new(forge())),
        AdversaryKind::Impersonator => Box::new(impersonator::Impersonator),
        AdversaryKind::Rewriter => Box::new(rewriter::Rewriter),
        AdversaryKind::Turncoat => Box::new(turncoat::Turncoat::new(forge())),
        AdversaryKind::LogForker => Box::new(log_forker::LogForker::new(forge())),
        AdversaryKind::StaleCharter => Box::new(stale_charter::StaleCharter::new(forge())),
        AdversaryKind::ClockLiar => Box::new(clock_liar::ClockLiar::new(forge())),
        AdversaryKind::Colluder => Box::new(colluder::Colluder::new(forge())),
        AdversaryKind::BudgetBurner => Box::new(budget_burner::BudgetBurner::new(forge())),
        AdversaryKind::Silent => Box::new(silent::Silent),
        AdversaryKind::Sluggard => Box::new(sluggard::Sluggard),
        AdversaryKind::Eclipser => Box::new(eclipser::Eclipser),
        // The key is the mistake: nobody runs a node on it.
        AdversaryKind::WeakKey => return None,
    })
}

/// The signed event in a gossip message, if it is one.
pub(crate) fn signed_in(bytes: &Bytes) -> Option<Unverified> {
    match Envelope::decode(bytes).ok()? {
        Envelope::Event(outer) => decode_signed(outer).ok(),
        _ => None,
    }
}

/// Its content.
pub(crate) fn event_in(bytes: &Bytes) -> Option<Event> {
    signed_in(bytes).map(|event| event.event().clone())
}

impl World<'_> {
    /// Lets the adversary at this place, if there is one that lives, do something.
    pub(crate) fn with_adversary(&mut self, place: usize, act: impl FnOnce(&mut dyn Adversary, &mut Scene<'_>)) {
        if self.nodes[place].process.is_none() {
            return;
        }
        let Some(mut adversary) = self.adversaries[place].take() else { return };
        let mut scene = Scene {
            cast: self.cast,
            chain: &self.chain,
            place,
            clock: self.nodes[place].clock(self.now),
            dice: &mut self.chance.adversaries,
            out: Vec::new(),
            again: Vec::new(),
            transactions: Vec::new(),
        };
        act(adversary.as_mut(), &mut scene);
        let Scene { out, again, transactions, .. } = scene;
        self.adversaries[place] = Some(adversary);
        for (to, bytes, after) in out {
            self.send(place, to, &Message::new(bytes), after);
        }
        for (to, message) in again {
            if self.links.passes(place, to) {
                self.hand(to, place, &message);
            }
        }
        for transaction in transactions {
            self.hand_out(place, transaction);
        }
    }
}
