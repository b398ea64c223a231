//! Vetoes every containment at every block.

use watchfire_types::Body;
use watchfire_types::body::Veto;

use super::forge::{Forge, decision, person};
use super::{Adversary, Scene};

/// A veto on every head, as if a person sat there who wants no pause, ever.
#[derive(Debug)]
pub(super) struct Vetoer {
    forge: Forge,
}

impl Vetoer {
    pub(super) fn new(forge: Forge) -> Self {
        Self { forge }
    }
}

impl Adversary for Vetoer {
    fn sees(&mut self, scene: &mut Scene<'_>) {
        let Some(decision) = decision(scene.cast) else { return };
        let head = scene.chain.head().at;
        let veto = Body::Veto(Veto { decision, head, act: head, human: person() });
        for bytes in self.forge.make(scene.cast, scene.clock, veto) {
            scene.tell_all(&bytes);
        }
    }
}
