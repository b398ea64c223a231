//! Says everything late.

use watchfire_types::Bytes;

use super::{Adversary, Scene};
use crate::simulate::agenda::{Micros, SECOND};

/// So late.
const LATE: Micros = 4 * SECOND;

/// Does what the protocol asks for, and every word of it reaches the others seconds after it was due; nor does it send anything to the chain.
#[derive(Debug)]
pub(super) struct Sluggard;

impl Adversary for Sluggard {
    fn publishes(&mut self, scene: &mut Scene<'_>, bytes: &Bytes) {
        for to in scene.others() {
            scene.out.push((to, bytes.clone(), LATE));
        }
    }

    fn submits(&self) -> bool {
        false
    }
}
