//! Passes on what it heard in other bytes with the same meaning.

use std::rc::Rc;

use super::{Adversary, Scene, signed_in};
use crate::simulate::world::Message;
use watchfire_types::Bytes;
use watchfire_wire::Envelope;

/// A field that no version knows, number 15 and value 1, behind the fields of a signed event: the signature still holds, the hash does not.
const UNKNOWN_FIELD: [u8; 2] = [0x78, 0x01];

/// Rewrites each signed event that it hears and tells it to everyone.
#[derive(Debug)]
pub(super) struct Rewriter;

impl Adversary for Rewriter {
    fn hears(&mut self, scene: &mut Scene<'_>, _from: usize, message: &Rc<Message>) {
        if let Some(event) = signed_in(&message.bytes) {
            let rewritten: Bytes = [&event.outer()[..], &UNKNOWN_FIELD].concat().into();
            scene.tell_all(&Envelope::Event(rewritten).encode());
        }
    }
}
