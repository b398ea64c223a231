//! Says nothing.

use watchfire_types::Bytes;

use super::{Adversary, Scene};

/// Its node runs and hears everyone; nothing leaves it, and it sends nothing to the chain.
#[derive(Debug)]
pub(super) struct Silent;

impl Adversary for Silent {
    fn publishes(&mut self, _scene: &mut Scene<'_>, _bytes: &Bytes) {}

    fn answers(&self) -> bool {
        false
    }

    fn submits(&self) -> bool {
        false
    }
}
