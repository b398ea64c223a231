//! What belongs to incidents by what it says, in the order of the block time that it speaks of: an incident is a stretch of it between two
//! closes, and is looked at without looking at anything else.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::Arc;

use watchfire_types::body::Body;
use watchfire_types::{BlockTime, Event, EventHash, Severity, Verified};

use super::derived::{ByTime, Way};

/// A moment of block time and an event of it.
type At = (BlockTime, EventHash);

/// The block times that an incident covers.
pub(crate) type Stretch = (Bound<At>, Bound<At>);

/// What is told of one asset.
#[derive(Debug, Clone, Default)]
pub(crate) struct Told {
    all: ByTime,
    /// Findings and votes: with the first of them an incident exists.
    opening: BTreeSet<At>,
    /// Findings.
    found: BTreeMap<Severity, BTreeSet<At>>,
}

impl Told {
    pub(crate) fn put(&mut self, way: Way, at: BlockTime, event: &Arc<Verified<Event>>) {
        let key = (at, event.hash());
        way.put(&mut self.all, key, event);
        let set = |set: &mut BTreeSet<At>| match way {
            Way::In => set.insert(key),
            Way::Out => set.remove(&key),
        };
        match &event.body {
            Body::Finding(finding) => {
                set(&mut self.opening);
                set(self.found.entry(finding.severity).or_default());
            }
            Body::Vote(_) => drop(set(&mut self.opening)),
            _ => {}
        }
    }

    pub(crate) fn opens(&self, stretch: Stretch) -> bool {
        self.opening.range(stretch).next().is_some()
    }

    pub(crate) fn worst(&self, stretch: Stretch) -> Option<Severity> {
        let mut from_worst = self.found.iter().rev();
        from_worst.find(|(_, found)| found.range(stretch).next().is_some()).map(|(severity, _)| *severity)
    }

    pub(crate) fn newest(&self, stretch: Stretch) -> BlockTime {
        self.opening.range(stretch).next_back().map_or(BlockTime::default(), |(at, _)| *at)
    }

    pub(crate) fn within(&self, stretch: Stretch) -> impl Iterator<Item = &Arc<Verified<Event>>> {
        self.all.range(stretch).map(|(_, event)| event)
    }
}

/// The stretch after so many of the closes, up to and with the next one.
pub(crate) fn stretch(closes: &BTreeSet<BlockTime>, generation: u32) -> Stretch {
    let last = EventHash::from_bytes([u8::MAX; 32]);
    let generation = generation as usize;
    let before = generation.checked_sub(1).and_then(|before| closes.iter().nth(before));
    let begins = before.map_or(Bound::Unbounded, |at| Bound::Excluded((*at, last)));
    let ends = closes.iter().nth(generation).map_or(Bound::Unbounded, |at| Bound::Included((*at, last)));
    (begins, ends)
}
