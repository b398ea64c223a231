//! Spends the Safe's nonces on whatever else is signed at them.

use std::rc::Rc;

use alloy_primitives::keccak256;
use watchfire_types::SafeTransaction;

use super::hoard::Hoard;
use super::{Adversary, Scene};
use crate::simulate::world::Message;

/// Of what honest members signed at the present nonce it completes everything but the pause and sends that ahead, once the pause is signed there
/// too: flags, recoveries and rejections, each of which costs the pause its nonce and one block.
#[derive(Debug, Default)]
pub(super) struct NonceThief {
    hoard: Hoard,
}

impl Adversary for NonceThief {
    fn hears(&mut self, scene: &mut Scene<'_>, _from: usize, message: &Rc<Message>) {
        self.hoard.take(scene, message);
        let pause = keccak256("pause()");
        let pauses = |transaction: &SafeTransaction| transaction.data[..] == pause[..4];
        if !self.hoard.transactions_at(scene).any(pauses) {
            return;
        }
        let complete = self.hoard.complete(scene, u128::MAX);
        let others = complete.into_iter().filter(|(transaction, _)| !pauses(transaction));
        scene.transactions.extend(others.map(|(_, sent)| sent));
    }

    fn submits(&self) -> bool {
        false
    }
}
