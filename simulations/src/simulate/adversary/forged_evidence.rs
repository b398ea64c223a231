//! Votes on evidence that does not exist.

use alloy_primitives::keccak256;
use watchfire_types::{BlockRef, BlockTime};

use super::forge::Forge;
use super::{Adversary, Scene};

/// At every block a vote for the widest step: on a block that nobody has, on one of next year, on the very first one, on the head.
#[derive(Debug)]
pub(super) struct ForgedEvidence {
    forge: Forge,
}

impl ForgedEvidence {
    pub(super) fn new(forge: Forge) -> Self {
        Self { forge }
    }
}

impl Adversary for ForgedEvidence {
    fn sees(&mut self, scene: &mut Scene<'_>) {
        let head = scene.chain.head().at;
        let unknown = BlockRef { hash: keccak256(head.hash), ..head };
        let time = BlockTime::from_secs(head.time.as_secs() + 31_536_000);
        let later = BlockRef { number: head.number + 100_000, time, hash: keccak256(b"next year"), ..head };
        let first = scene.chain.at(0).map_or(head, |block| block.at);
        let Some(evidence) = scene.dice.pick(&[unknown, later, first, head]).copied() else { return };
        if let Some(vote) = self.forge.vote(scene.cast, 2, evidence) {
            for bytes in self.forge.make(scene.cast, scene.clock, vote) {
                scene.tell_all(&bytes);
            }
        }
    }
}
