//! Is always first.

use std::rc::Rc;

use super::hoard::Hoard;
use super::{Adversary, Scene};
use crate::simulate::world::Message;

/// Completes whatever a threshold has signed and sends it ahead of everybody else's, so that every honest submission reverts.
#[derive(Debug, Default)]
pub(super) struct FrontRunner {
    hoard: Hoard,
}

impl Adversary for FrontRunner {
    fn hears(&mut self, scene: &mut Scene<'_>, _from: usize, message: &Rc<Message>) {
        self.hoard.take(scene, message);
        let complete = self.hoard.complete(scene, u128::MAX);
        scene.transactions.extend(complete.into_iter().map(|(_, sent)| sent));
    }
}
