//! What the epochs of each author say of each other, kept as events come so that asking costs nothing: a member may have hundreds of
//! epochs, and alarms are asked for after every event. A function of the events below the cuts, whatever their order; never digested.

use std::collections::{BTreeMap, BTreeSet};

use watchfire_types::body::Body;
use watchfire_types::{Epoch, Event, EventHash, MemberKey, Seq, Timestamp, Verified};

use super::ChainKey;

/// The index.
#[derive(Debug, Clone, Default)]
pub(crate) struct Epochs {
    /// The ends at which later `Started` of the author name this epoch, as they knew it.
    named: BTreeMap<ChainKey, BTreeSet<(Seq, EventHash)>>,
    /// Epochs by the author's clock at their `Started`.
    starts: BTreeMap<MemberKey, BTreeSet<(Timestamp, Epoch)>>,
    /// The event at the highest position.
    end: BTreeMap<ChainKey, (Seq, EventHash)>,
    restored: BTreeSet<MemberKey>,
    faulty: BTreeSet<MemberKey>,
    slipped: BTreeSet<MemberKey>,
}

impl Epochs {
    /// Takes an event below its author's cut. `next` answers the first position of an epoch that is not chained to its beginning.
    pub(crate) fn take(&mut self, event: &Verified<Event>, next: impl Fn(&ChainKey) -> Seq) {
        let key = (event.author, event.epoch);
        let last = (event.seq, event.hash());
        let end = self.end.entry(key).or_insert(last);
        *end = last.max(*end);
        if let Body::Started(started) = &event.body {
            self.starts.entry(event.author).or_default().insert((event.time, event.epoch));
            for earlier in &started.earlier {
                let named = (event.author, earlier.epoch);
                self.named.entry(named).or_default().insert((earlier.seq, earlier.hash));
                self.compare(&named, &next);
            }
        }
        self.compare(&key, &next);
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
        let lowest = self.named.get(key).and_then(BTreeSet::first);
        if lowest.is_some_and(|(named, _)| next(key) > named.next()) {
            self.restored.insert(key.0);
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

    /// Whether an epoch is over: a later one of the author began knowing all that is held of it. One more event of it, and it is not.
    pub(crate) fn over(&self, key: &ChainKey) -> bool {
        let (Some(named), Some(end)) = (self.named.get(key), self.end.get(key)) else { return false };
        named.contains(end)
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
