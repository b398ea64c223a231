//! Votes for a pause that nothing calls for, as often as it takes.

use super::forge::Forge;
use super::{Adversary, Scene};

/// Votes for the widest step on every head, as if its people had seen something. As many of them as contain make a true certificate, which everybody
/// follows: they can pause, and nothing else.
#[derive(Debug)]
pub(super) struct Colluder {
    forge: Forge,
}

impl Colluder {
    pub(super) fn new(forge: Forge) -> Self {
        Self { forge }
    }
}

impl Adversary for Colluder {
    fn sees(&mut self, scene: &mut Scene<'_>) {
        let head = scene.chain.head().at;
        let Some(vote) = self.forge.vote(scene.cast, u8::MAX, head) else { return };
        for bytes in self.forge.make(scene.cast, scene.clock, vote) {
            scene.tell_all(&bytes);
        }
    }
}
