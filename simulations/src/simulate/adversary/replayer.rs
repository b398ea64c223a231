//! Sends what it heard again and again, and what is of another network.

use std::rc::Rc;

use super::forge::Forge;
use super::{Adversary, Scene};
use crate::simulate::world::Message;

/// Messages kept for later.
const KEPT_MAX: usize = 2_000;

/// Hands each message that it hears to somebody again at once, past the duplicate filter, and at every block some old ones. With them goes a
/// vote that it cast in another network, of which it is a member under the same key.
#[derive(Debug)]
pub(super) struct Replayer {
    forge: Forge,
    kept: Vec<Rc<Message>>,
}

impl Replayer {
    pub(super) fn new(forge: Forge) -> Self {
        Self { forge, kept: Vec::new() }
    }
}

impl Adversary for Replayer {
    fn hears(&mut self, scene: &mut Scene<'_>, _from: usize, message: &Rc<Message>) {
        let others = scene.others();
        if let Some(to) = scene.dice.pick(&others).copied() {
            scene.again.push((to, Rc::clone(message)));
        }
        if self.kept.len() < KEPT_MAX {
            self.kept.push(Rc::clone(message));
        }
    }

    fn sees(&mut self, scene: &mut Scene<'_>) {
        let evidence = scene.chain.head().at;
        let vote = self.forge.vote(scene.cast, 2, evidence);
        if let Some(foreign) = vote.and_then(|vote| self.forge.elsewhere(scene.clock, vote)) {
            scene.tell_all(&foreign);
        }
        let others = scene.others();
        for _ in 0..8 {
            if let (Some(message), Some(to)) = (scene.dice.pick(&self.kept), scene.dice.pick(&others).copied()) {
                scene.again.push((to, Rc::clone(message)));
            }
        }
    }
}
