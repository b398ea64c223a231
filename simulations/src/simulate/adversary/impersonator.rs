//! Speaks in the name of others.

use super::forge::Forge;
use super::{Adversary, Scene};

/// At every block a whole epoch of somebody else, with a vote for the widest step, under its own signature.
#[derive(Debug)]
pub(super) struct Impersonator;

impl Adversary for Impersonator {
    fn sees(&mut self, scene: &mut Scene<'_>) {
        let others = scene.others();
        let Some(victim) = scene.dice.pick(&others).copied() else { return };
        let mut forge = Forge::new(scene.cast, scene.place).named(scene.cast, victim, scene.dice.bytes16());
        let Some(vote) = forge.vote(scene.cast, 2, scene.chain.head().at) else { return };
        for bytes in forge.make(scene.cast, scene.clock, vote) {
            scene.tell_all(&bytes);
        }
    }
}
