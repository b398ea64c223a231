//! Says everything to some and nothing to the rest.

use watchfire_types::Bytes;

use super::{Adversary, Scene};

/// Sends each own message to one other member alone, drawn anew each time: the others hear it only if that one passes it on.
#[derive(Debug)]
pub(super) struct SelectiveSender;

impl Adversary for SelectiveSender {
    fn publishes(&mut self, scene: &mut Scene<'_>, bytes: &Bytes) {
        let others = scene.others();
        if let Some(to) = scene.dice.pick(&others).copied() {
            scene.out.push((to, bytes.clone(), 0));
        }
    }
}
