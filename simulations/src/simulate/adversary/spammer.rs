//! Fills every log as fast as its quota allows.

use watchfire_types::Body;
use watchfire_types::IncidentId;
use watchfire_types::body::HumanStatement;

use super::forge::{Forge, person};
use super::{Adversary, Scene};

/// Events at every block.
const EACH_BLOCK: usize = 24;

/// Notes without end, and bytes that are no message at all.
#[derive(Debug)]
pub(super) struct Spammer {
    forge: Forge,
}

impl Spammer {
    pub(super) fn new(forge: Forge) -> Self {
        Self { forge }
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
        let length = usize::try_from(scene.dice.within((1, 200))).unwrap_or(1);
        let noise: Vec<u8> = (0..length).map(|_| scene.dice.next().to_le_bytes()[0]).collect();
        scene.tell_all(&noise.into());
    }
}
