//! Says what time it is, and is wrong.

use watchfire_types::Timestamp;

use super::forge::Forge;
use super::{Adversary, Scene};

/// Votes for the widest step at every block, each at another time of its clock: now, within a minute, in an hour, in a year, long ago.
#[derive(Debug)]
pub(super) struct ClockLiar {
    forge: Forge,
}

impl ClockLiar {
    pub(super) fn new(forge: Forge) -> Self {
        Self { forge }
    }
}

impl Adversary for ClockLiar {
    fn sees(&mut self, scene: &mut Scene<'_>) {
        let now = scene.clock;
        let times = [now, now.plus_millis(59_000), now.plus_millis(3_600_000), now.plus_millis(31_536_000_000)];
        let ago = Timestamp::from_millis(now.as_millis() / 2);
        let time =
            scene.dice.pick(&times).copied().filter(|_| !scene.chain.head().at.number.is_multiple_of(5)).unwrap_or(ago);
        if let Some(vote) = self.forge.vote(scene.cast, 2, scene.chain.head().at) {
            for bytes in self.forge.make(scene.cast, time, vote) {
                scene.tell_all(&bytes);
            }
        }
    }
}
