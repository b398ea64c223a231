//! Fills every log as fast as its quota allows.

use watchfire_types::Body;
use watchfire_types::IncidentId;
use watchfire_types::body::HumanStatement;

use super::forge::{Forge, person};
use super::{Adversary, Scene};

/// Events at every block: its quota is spent within seconds.
const EACH_BLOCK: usize = 150;
/// Blocks until everybody knows when its epoch began, by which its quota is counted.
const KNOWN_AFTER: u64 = 3;
/// A position beyond any quota.
const FAR: u64 = 1_000_000;

/// Notes without end, votes from a position far ahead, and bytes that are no message at all.
#[derive(Debug)]
pub(super) struct Spammer {
    forge: Forge,
    blocks: u64,
}

impl Spammer {
    pub(super) fn new(forge: Forge) -> Self {
        Self { forge, blocks: 0 }
    }
}

impl Adversary for Spammer {
    fn sees(&mut self, scene: &mut Scene<'_>) {
        for _ in 0..EACH_BLOCK {
            let incident = IncidentId::from_bytes([9; 32]);
            let note = Body::Note(HumanStatement { incident, human: person() });
            for bytes in self.forge.make(scene.cast, scene.clock, note) {
                scene.tell_all(&bytes);
            }
        }
        // A vote needs no predecessor, but stands where its author cannot have come to yet.
        let head = scene.chain.head().at;
        self.blocks += 1;
        let vote = self.forge.vote(scene.cast, 1, head).filter(|_| self.blocks > KNOWN_AFTER);
        let far = vote.and_then(|vote| self.forge.beyond(scene.cast, scene.clock, FAR + head.number, vote));
        if let Some(bytes) = far {
            scene.tell_all(&bytes);
        }
        let length = usize::try_from(scene.dice.within((1, 200))).unwrap_or(1);
        let noise: Vec<u8> = (0..length).map(|_| scene.dice.next().to_le_bytes()[0]).collect();
        scene.tell_all(&noise.into());
    }
}
