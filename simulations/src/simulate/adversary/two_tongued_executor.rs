//! Says one thing to some and another to the rest, and to all that it is done.

use super::equivocator::Equivocator;
use super::false_executor::FalseExecutor;
use super::forge::Forge;
use super::{Adversary, Scene};
use crate::simulate::cast::Cast;

/// Equivocates in one epoch, and claims executions and recoveries that never were in another, before its forks are known and after.
#[derive(Debug)]
pub(super) struct TwoTonguedExecutor {
    equivocator: Equivocator,
    executor: FalseExecutor,
}

impl TwoTonguedExecutor {
    pub(super) fn new(cast: &Cast, place: usize) -> Self {
        let forge = Forge::new(cast, place);
        let other = forge.clone().named(cast, place, [0xae; 16]);
        Self { equivocator: Equivocator::new(forge), executor: FalseExecutor::new(other) }
    }
}

impl Adversary for TwoTonguedExecutor {
    fn sees(&mut self, scene: &mut Scene<'_>) {
        self.executor.sees(scene);
        self.equivocator.sees(scene);
    }

    fn submits(&self) -> bool {
        self.executor.submits()
    }
}
