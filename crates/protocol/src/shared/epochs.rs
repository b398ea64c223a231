//! What the epochs of each author say of each other, kept as events come so that asking costs nothing: a member may have hundreds of
//! epochs, and alarms are asked for after every event. A function of the events below the cuts, whatever their order; never digested.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound::{Excluded, Unbounded};

use watchfire_types::body::Body;
use watchfire_types::{Epoch, Event, MemberKey, Seq, Timestamp};

use super::ChainKey;

/// Lowest and highest epoch, as ends of ranges.
const LOW: Epoch = Epoch::from_bytes([0; 16]);
const HIGH: Epoch = Epoch::from_bytes([0xff; 16]);

/// The index.
#[derive(Debug, Clone, Default)]
pub(crate) struct Epochs {
    /// Lowest position at which a later `Started` of the author names this epoch.
    named: BTreeMap<ChainKey, Seq>,
    /// Epochs by the author's clock at their `Started`.
    starts: BTreeMap<MemberKey, BTreeSet<(Timestamp, Epoch)>>,
    /// Author's clock at `Started`.
    start: BTreeMap<ChainKey, Timestamp>,
    /// Highest author's clock of any event.
    end: BTreeMap<ChainKey, Timestamp>,
    restored: BTreeSet<MemberKey>,
    in_use_twice: BTreeSet<MemberKey>,
    faulty: BTreeSet<MemberKey>,
    slipped: BTreeSet<MemberKey>,
}

impl Epochs {
    /// Takes an event below its author's cut. `next` answers the first position of an epoch that is not chained to its beginning.
    pub(crate) fn take(&mut self, event: &Event, next: impl Fn(&ChainKey) -> Seq) {
        let key = (event.author, event.epoch);
        let end = self.end.entry(key).or_insert(event.time);
        *end = event.time.max(*end);
        if let Body::Started(started) = &event.body {
            self.start.insert(key, event.time);
            self.starts.entry(event.author).or_default().insert((event.time, event.epoch));
            for earlier in &started.earlier {
                let named = (event.author, earlier.epoch);
                let seq = self.named.entry(named).or_insert(earlier.seq);
                *seq = earlier.seq.min(*seq);
                self.compare(&named, &next);
            }
            self.began_within(key, event.time);
        }
        self.compare(&key, &next);
        self.overlaps(key);
    }

    /// Takes that an author contradicted itself.
    pub(crate) fn cut(&mut self, author: MemberKey) {
        self.faulty.insert(author);
    }

    /// Takes that an author's clock did not rise from one event to the next.
    pub(crate) fn slip(&mut self, author: MemberKey) {
        self.slipped.insert(author);
    }

    fn compare(&mut self, key: &ChainKey, next: impl Fn(&ChainKey) -> Seq) {
        if self.named.get(key).is_some_and(|named| next(key) > named.next()) {
            self.restored.insert(key.0);
        }
    }

    /// Whether another epoch of the author began while this one ran.
    fn overlaps(&mut self, key: ChainKey) {
        let (Some(start), Some(end)) = (self.start.get(&key), self.end.get(&key)) else { return };
        let within = (Excluded((*start, HIGH)), Excluded((*end, LOW)));
        if start < end && self.starts.get(&key.0).is_some_and(|starts| starts.range(within).next().is_some()) {
            self.in_use_twice.insert(key.0);
        }
    }

    /// Whether this epoch began while another one of the author ran.
    fn began_within(&mut self, key: ChainKey, start: Timestamp) {
        let before = self.starts.get(&key.0).into_iter().flat_map(|s| s.range((Unbounded, Excluded((start, LOW)))));
        let mut ends = before.filter_map(|(_, epoch)| self.end.get(&(key.0, *epoch)));
        if ends.any(|end| *end > start) {
            self.in_use_twice.insert(key.0);
        }
    }

    /// Newest epoch by the author's own clock.
    pub(crate) fn newest(&self, author: &MemberKey) -> Option<Epoch> {
        self.starts.get(author)?.last().map(|(_, epoch)| *epoch)
    }

    /// A later epoch names an earlier one at less than what is held of it.
    pub(crate) fn restored(&self, author: &MemberKey) -> bool {
        self.restored.contains(author)
    }

    /// Two epochs grew at the same time.
    pub(crate) fn in_use_twice(&self, author: &MemberKey) -> bool {
        self.in_use_twice.contains(author)
    }

    /// In some epoch the clock stood still or fell.
    pub(crate) fn slipped(&self, author: &MemberKey) -> bool {
        self.slipped.contains(author)
    }

    /// Some epoch is cut.
    pub(crate) fn faulty(&self, author: &MemberKey) -> bool {
        self.faulty.contains(author)
    }

    /// Whether a held `Started` of the author names this epoch as its past.
    pub(crate) fn names(&self, key: &ChainKey) -> bool {
        self.named.contains_key(key)
    }
}
