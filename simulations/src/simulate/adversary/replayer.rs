//! Sends what it heard again and again.

use std::rc::Rc;

use super::{Adversary, Scene};
use crate::simulate::world::Message;

/// Messages kept for later.
const KEPT_MAX: usize = 2_000;

/// Hands each message that it hears to somebody again at once, past the duplicate filter, and at every block some old ones.
#[derive(Debug, Default)]
pub(super) struct Replayer {
    kept: Vec<Rc<Message>>,
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
        let others = scene.others();
        for _ in 0..8 {
            if let (Some(message), Some(to)) = (scene.dice.pick(&self.kept), scene.dice.pick(&others).copied()) {
                scene.again.push((to, Rc::clone(message)));
            }
        }
    }
}
