//! Votes under charters that are not adopted.

use watchfire_types::{Body, CharterVersion};

use super::forge::Forge;
use super::{Adversary, Scene};

/// At every block a vote for the widest step under the version before the present one, one under the next, one under the last there can be.
#[derive(Debug)]
pub(super) struct StaleCharter {
    forge: Forge,
}

impl StaleCharter {
    pub(super) fn new(forge: Forge) -> Self {
        Self { forge }
    }
}

impl Adversary for StaleCharter {
    fn sees(&mut self, scene: &mut Scene<'_>) {
        let present = scene.cast.charter.version.get();
        for version in [present.saturating_sub(1), present + 1, u32::MAX] {
            let Some(Body::Vote(mut vote)) = self.forge.vote(scene.cast, 2, scene.chain.head().at) else { return };
            vote.decision.version = CharterVersion::new(version);
            for bytes in self.forge.make(scene.cast, scene.clock, Body::Vote(vote)) {
                scene.tell_all(&bytes);
            }
        }
    }
}
