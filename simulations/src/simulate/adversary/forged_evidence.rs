//! Votes on evidence that does not exist.

use alloy_primitives::keccak256;
use watchfire_types::{BlockRef, BlockTime, Body, Bytes};

use super::forge::Forge;
use super::{Adversary, Scene, event_in};

/// At every block votes for the widest step: on a block of next year, on the very first one, and on one that nobody has. Of its own driver's
/// votes, which would be true, nobody hears.
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
    fn publishes(&mut self, scene: &mut Scene<'_>, bytes: &Bytes) {
        if !event_in(bytes).is_some_and(|event| matches!(event.body, Body::Vote(_) | Body::Certificate(_))) {
            scene.tell_all(bytes);
        }
    }

    fn answers(&self) -> bool {
        false
    }

    fn sees(&mut self, scene: &mut Scene<'_>) {
        let head = scene.chain.head().at;
        let unknown = BlockRef { hash: keccak256(head.hash), ..head };
        let time = BlockTime::from_secs(head.time.as_secs() + 31_536_000);
        let later = BlockRef { number: head.number + 100_000, time, hash: keccak256(b"next year"), ..head };
        let first = scene.chain.at(0).map_or(head, |block| block.at);
        for evidence in [later, first, unknown] {
            let Some(vote) = self.forge.vote(scene.cast, 2, evidence) else { return };
            for bytes in self.forge.make(scene.cast, scene.clock, vote) {
                scene.tell_all(&bytes);
            }
        }
    }
}
