//! Says one thing to some and another to the rest.

use super::forge::Forge;
use super::{Adversary, Scene};

/// At its first block after the vault lost something it votes the narrow step to one half and the wide step to the other, at the same
/// position of its log; then it goes on so, block after block.
#[derive(Debug)]
pub(super) struct Equivocator {
    forge: Forge,
    told: u64,
}

impl Equivocator {
    pub(super) fn new(forge: Forge) -> Self {
        Self { forge, told: 0 }
    }
}

impl Adversary for Equivocator {
    fn sees(&mut self, scene: &mut Scene<'_>) {
        let head = scene.chain.head();
        let attacked = head.state.wei < scene.cast.scenario.vault.wei;
        if !attacked || self.told >= 4 {
            return;
        }
        self.told += 1;
        let evidence = head.at;
        let votes = (self.forge.vote(scene.cast, 1, evidence), self.forge.vote(scene.cast, 2, evidence));
        let (Some(narrow), Some(wide)) = votes else { return };
        let (one, other) = self.forge.fork(scene.cast, scene.clock, narrow, wide);
        for (index, to) in scene.others().into_iter().enumerate() {
            for bytes in if index % 2 == 0 { &one } else { &other } {
                scene.out.push((to, bytes.clone(), 0));
            }
        }
    }
}
