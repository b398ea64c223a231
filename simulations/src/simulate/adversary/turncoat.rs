//! Certifies what is right and then takes its own word back.

use std::rc::Rc;

use watchfire_types::body::{Certificate, HumanStatement, Purpose};
use watchfire_types::{Body, Bytes, IncidentId, Unverified};

use super::forge::{Forge, decision, person};
use super::{Adversary, Scene, signed_in};
use crate::simulate::agenda::{MILLI, Micros};
use crate::simulate::world::Message;

/// Until its fork follows its certificate.
const LATER: Micros = 45 * MILLI;

/// Keeps its votes to itself until one is missing to a certificate for the pause, publishes that, and forks below it a moment later: the
/// event that carries the certificate leaves everyone's set when everyone has signed under it.
#[derive(Debug)]
pub(super) struct Turncoat {
    forge: Forge,
    heard: Vec<(usize, Unverified)>,
    done: bool,
}

impl Turncoat {
    pub(super) fn new(forge: Forge) -> Self {
        Self { forge, heard: Vec::new(), done: false }
    }
}

impl Adversary for Turncoat {
    fn publishes(&mut self, _scene: &mut Scene<'_>, _bytes: &Bytes) {}

    fn hears(&mut self, scene: &mut Scene<'_>, _from: usize, message: &Rc<Message>) {
        let Some(event) = signed_in(&message.bytes).filter(|_| !self.done) else { return };
        let Some(place) = scene.cast.place_of(&event.event().author) else { return };
        let wide = scene.cast.widest;
        let evidence = match &event.event().body {
            Body::Vote(vote) if vote.step >= wide => vote.evidence,
            _ => return,
        };
        if self.heard.iter().all(|(known, _)| *known != place) {
            self.heard.push((place, event));
        }
        let needed = usize::from(scene.cast.scenario.governance.contain);
        if self.heard.len() + 1 < needed {
            return;
        }
        let (Some(own), Some(decision)) = (self.forge.signed_vote(scene, scene.place, evidence), decision(scene.cast))
        else {
            return;
        };
        let mut votes: Vec<(usize, Unverified)> = self.heard.drain(..).take(needed - 1).collect();
        votes.push((scene.place, own));
        votes.sort_by_key(|(place, _)| &scene.cast.players[*place].organisation);
        let votes = votes.into_iter().map(|(_, vote)| vote).collect();
        let certificate = Body::Certificate(Certificate { decision, purpose: Purpose::Step(wide), votes });
        let note = Body::Note(HumanStatement { incident: IncidentId::from_bytes([9; 32]), human: person() });
        let (kept, taken_back) = self.forge.fork(scene.cast, scene.clock, certificate, note);
        self.done = true;
        for bytes in kept {
            scene.tell_all(&bytes);
        }
        for to in scene.others() {
            scene.out.extend(taken_back.iter().map(|bytes| (to, bytes.clone(), LATER)));
        }
    }
}
