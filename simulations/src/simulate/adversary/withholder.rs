//! Signs and keeps it; completes what others signed when it suits it.

use std::rc::Rc;

use watchfire_types::{Body, Bytes};

use super::hoard::Hoard;
use super::{Adversary, Scene, event_in};
use crate::simulate::world::Message;

/// Publishes no co-signature of its own. It collects those of others, adds its own to any transaction that lacks one, and sends that
/// whenever its nonce is the Safe's and the vault is not paused: years later, if need be.
#[derive(Debug, Default)]
pub(super) struct Withholder {
    hoard: Hoard,
}

impl Adversary for Withholder {
    fn publishes(&mut self, scene: &mut Scene<'_>, bytes: &Bytes) {
        let own_signature = event_in(bytes).is_some_and(|event| matches!(event.body, Body::CoSignature(_)));
        if !own_signature {
            scene.tell_all(bytes);
        }
    }

    fn hears(&mut self, scene: &mut Scene<'_>, _from: usize, message: &Rc<Message>) {
        self.hoard.take(scene, message);
    }

    fn sees(&mut self, scene: &mut Scene<'_>) {
        if !scene.chain.head().state.paused {
            let complete = self.hoard.complete(scene, 1);
            scene.transactions.extend(complete.into_iter().map(|(_, sent)| sent));
        }
    }
}
