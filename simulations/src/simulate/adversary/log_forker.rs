//! Keeps two logs under one name.

use watchfire_types::body::HumanStatement;
use watchfire_types::{Body, IncidentId};

use super::forge::{Forge, person};
use super::{Adversary, Scene};

/// From the first block on, one history for one half of the members and another for the rest, each chained without a fault in itself.
#[derive(Debug)]
pub(super) struct LogForker {
    one: Forge,
    other: Forge,
}

impl LogForker {
    pub(super) fn new(forge: Forge) -> Self {
        Self { one: forge.clone(), other: forge }
    }
}

impl Adversary for LogForker {
    fn sees(&mut self, scene: &mut Scene<'_>) {
        let note = |last: u8| {
            let incident = IncidentId::from_bytes([last; 32]);
            Body::Note(HumanStatement { incident, human: person() })
        };
        let one = self.one.make(scene.cast, scene.clock, note(1));
        let other = self.other.make(scene.cast, scene.clock, note(2));
        for (index, to) in scene.others().into_iter().enumerate() {
            for bytes in if index % 2 == 0 { &one } else { &other } {
                scene.out.push((to, bytes.clone(), 0));
            }
        }
    }
}
