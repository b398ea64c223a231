//! Makes certificates that are none.

use std::collections::BTreeMap;
use std::rc::Rc;

use watchfire_types::body::{Certificate, Purpose};
use watchfire_types::{Body, OrganisationId, StepIndex, Unverified};

use super::forge::{Forge, decision};
use super::{Adversary, Scene, signed_in};
use crate::simulate::world::Message;

/// Votes kept for each organisation.
const KEPT_MAX: usize = 64;

/// At every block one of each kind: too few votes, one organisation twice, its own nodes for organisations, names of others under
/// signatures of its own, votes for less than is certified, votes that never lived together.
#[derive(Debug)]
pub(super) struct CertificateForger {
    forge: Forge,
    heard: BTreeMap<OrganisationId, Vec<Unverified>>,
}

impl CertificateForger {
    pub(super) fn new(forge: Forge) -> Self {
        Self { forge, heard: BTreeMap::new() }
    }

    fn say(&mut self, scene: &mut Scene<'_>, purpose: Purpose, votes: Vec<Unverified>) {
        let Some(decision) = decision(scene.cast) else { return };
        let certificate = Body::Certificate(Certificate { decision, purpose, votes });
        for bytes in self.forge.make(scene.cast, scene.clock, certificate) {
            scene.tell_all(&bytes);
        }
    }

    /// One vote of each of as many organisations as contain, by what `of` picks.
    fn pick(&self, scene: &Scene<'_>, of: impl Fn(usize, &[Unverified]) -> Option<Unverified>) -> Vec<Unverified> {
        let needed = usize::from(scene.cast.scenario.governance.contain);
        let picked: Vec<_> =
            self.heard.values().enumerate().filter_map(|(at, votes)| of(at, votes)).take(needed).collect();
        if picked.len() == needed { picked } else { Vec::new() }
    }
}

fn step(vote: &Unverified) -> Option<StepIndex> {
    match &vote.event().body {
        Body::Vote(vote) => Some(vote.step),
        _ => None,
    }
}

impl Adversary for CertificateForger {
    fn hears(&mut self, scene: &mut Scene<'_>, _from: usize, message: &Rc<Message>) {
        let Some(vote) = signed_in(&message.bytes).filter(|event| step(event).is_some()) else { return };
        let Some(place) = scene.cast.place_of(&vote.event().author) else { return };
        let kept = self.heard.entry(scene.cast.players[place].organisation.clone()).or_default();
        if kept.len() < KEPT_MAX {
            kept.push(vote);
        }
    }

    fn sees(&mut self, scene: &mut Scene<'_>) {
        let (wide, narrow) = (Purpose::Step(scene.cast.widest), Purpose::Step(StepIndex::new(1)));
        let evidence = scene.chain.head().at;
        let own = &scene.cast.players[scene.place].organisation;
        let nodes = (0..scene.cast.players.len()).filter(|place| scene.cast.players[*place].organisation == *own);
        let own: Vec<Unverified> =
            nodes.filter_map(|place| Forge::new(scene.cast, place).signed_vote(scene, place, evidence)).collect();
        let others = (0..scene.cast.players.len()).filter(|place| *place != scene.place);
        let needed = usize::from(scene.cast.scenario.governance.contain);
        let mut names: Vec<usize> = others.filter(|place| scene.cast.players[*place].signs).take(needed).collect();
        names.sort_by_key(|place| &scene.cast.players[*place].organisation);
        let forged = names.into_iter().filter_map(|place| self.forge.signed_vote(scene, place, evidence)).collect();
        let mut twice = self.pick(scene, |_, votes| votes.first().cloned());
        twice.extend(twice.last().cloned());
        let spread = self.pick(scene, |at, votes| if at == 0 { votes.first().cloned() } else { votes.last().cloned() });
        let raised =
            self.pick(scene, |_, votes| votes.iter().find(|vote| step(vote) == Some(StepIndex::new(1))).cloned());
        for (purpose, votes) in [
            (wide.clone(), own.iter().take(1).cloned().collect()),
            (wide.clone(), own),
            (wide.clone(), forged),
            (narrow.clone(), twice),
            (narrow, spread),
            (wide, raised),
        ] {
            self.say(scene, purpose, votes);
        }
    }
}
