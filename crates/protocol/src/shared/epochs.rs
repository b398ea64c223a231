//! What the epochs of each author say of each other, kept as events come and go so that asking costs nothing: a member may have hundreds of
//! epochs, and alarms are asked for after every event. A function of the events below the cuts, whatever their order; never digested.

use std::collections::{BTreeMap, BTreeSet};

use watchfire_types::body::Body;
use watchfire_types::{Epoch, Event, EventHash, MemberKey, Seq, Timestamp, Verified};

use super::ChainKey;

/// The index.
#[derive(Debug, Clone, Default)]
pub(crate) struct Epochs {
    /// The ends at which later `Started` of the author name this epoch, as they knew it, and which epochs they begin.
    named: BTreeMap<ChainKey, BTreeSet<(Seq, EventHash, Epoch)>>,
    /// Epochs by the author's clock at their `Started`.
    starts: BTreeMap<MemberKey, BTreeSet<(Timestamp, Epoch)>>,
    /// The event at the highest position.
    end: BTreeMap<ChainKey, (Seq, EventHash)>,
    /// Epochs that a later one names at less than is held of them.
    short: BTreeSet<ChainKey>,
    /// Those of them for which a later one that did has no successor: nobody began knowing that it was there.
    restored: BTreeSet<ChainKey>,
    /// Epochs that no later one names.
    last: BTreeSet<ChainKey>,
    /// Authors with several of these: each began knowing nothing of the other.
    parted: BTreeSet<MemberKey>,
    faulty: BTreeSet<MemberKey>,
    slipped: BTreeSet<ChainKey>,
}

/// Lowest and highest values, as ends of ranges.
const LOW: Epoch = Epoch::from_bytes([0; 16]);
const HIGH: Epoch = Epoch::from_bytes([0xff; 16]);

fn any_of(keys: &BTreeSet<ChainKey>, author: &MemberKey) -> bool {
    keys.range((*author, LOW)..=(*author, HIGH)).next().is_some()
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
                self.named.entry(named).or_default().insert((earlier.seq, earlier.hash, event.epoch));
                self.last.remove(&named);
                self.compare(&named, &next);
            }
            if !self.names(&key) {
                self.last.insert(key);
            }
            self.part(&event.author);
            self.compare_short(&event.author, &next);
        }
        self.compare(&key, &next);
    }

    /// Looks anew whether an author's epochs parted.
    fn part(&mut self, author: &MemberKey) {
        if self.last.range((*author, LOW)..=(*author, HIGH)).nth(1).is_some() {
            self.parted.insert(*author)
        } else {
            self.parted.remove(author)
        };
    }

    /// Takes back an event that a cut took.
    pub(crate) fn withdraw(&mut self, event: &Verified<Event>, next: impl Fn(&ChainKey) -> Seq) {
        let Body::Started(started) = &event.body else { return };
        if let Some(starts) = self.starts.get_mut(&event.author) {
            starts.remove(&(event.time, event.epoch));
        }
        for earlier in &started.earlier {
            let named = (event.author, earlier.epoch);
            if let Some(ends) = self.named.get_mut(&named) {
                ends.remove(&(earlier.seq, earlier.hash, event.epoch));
            }
            if !self.names(&named) && self.begun(&named) {
                self.last.insert(named);
            }
            self.compare(&named, &next);
        }
        self.last.remove(&(event.author, event.epoch));
        self.part(&event.author);
        self.compare_short(&event.author, &next);
    }

    /// Takes that an author contradicted itself in an epoch, of which this is the last event that counts.
    pub(crate) fn cut(&mut self, key: ChainKey, last: Option<(Seq, EventHash)>, next: impl Fn(&ChainKey) -> Seq) {
        self.faulty.insert(key.0);
        match last {
            Some(last) => drop(self.end.insert(key, last)),
            None => drop(self.end.remove(&key)),
        }
        self.compare(&key, &next);
    }

    /// Takes whether an author's clock did not rise from one event of an epoch to the next.
    pub(crate) fn slip(&mut self, key: ChainKey, slipped: bool) {
        if slipped {
            self.slipped.insert(key)
        } else {
            self.slipped.remove(&key)
        };
    }

    fn compare(&mut self, key: &ChainKey, next: impl Fn(&ChainKey) -> Seq) {
        let held = next(key);
        // In order of what they know: the first ones know least.
        let short = self.named.get(key).into_iter().flatten().take_while(|(named, ..)| held > named.next());
        let mut short = short.map(|(_, _, by)| (key.0, *by)).peekable();
        let is_short = short.peek().is_some();
        let restored = short.any(|by| !self.names(&by));
        let note =
            |keys: &mut BTreeSet<ChainKey>, holds: bool| if holds { keys.insert(*key) } else { keys.remove(key) };
        note(&mut self.short, is_short);
        note(&mut self.restored, restored);
    }

    /// Compares anew what an epoch that begins, or that never was, can have brought to an end or back.
    fn compare_short(&mut self, author: &MemberKey, next: impl Fn(&ChainKey) -> Seq) {
        let short: Vec<ChainKey> = self.short.range((*author, LOW)..=(*author, HIGH)).copied().collect();
        short.iter().for_each(|key| self.compare(key, &next));
    }

    /// Whether its beginning is held.
    fn begun(&self, key: &ChainKey) -> bool {
        self.starts.get(&key.0).is_some_and(|starts| starts.iter().any(|(_, epoch)| *epoch == key.1))
    }

    /// Newest epoch by the author's own clock.
    pub(crate) fn newest(&self, author: &MemberKey) -> Option<Epoch> {
        self.starts.get(author)?.last().map(|(_, epoch)| *epoch)
    }

    /// A later epoch names an earlier one at less than what is held of it, and no epoch began since that knew this: one that did knows what was
    /// forgotten, or is such an epoch itself. So does one that began from a backup that was whole and older than another epoch: neither names the other.
    pub(crate) fn restored(&self, author: &MemberKey) -> bool {
        any_of(&self.restored, author) || self.parted.contains(author)
    }

    /// Whether an epoch is over: a later one of the author began knowing all that is held of it. One more event of it, and it is not.
    pub(crate) fn over(&self, key: &ChainKey) -> bool {
        let (Some(named), Some(end)) = (self.named.get(key), self.end.get(key)) else { return false };
        named.range((end.0, end.1, LOW)..=(end.0, end.1, HIGH)).next().is_some()
    }

    /// In some epoch the clock stood still or fell.
    pub(crate) fn slipped(&self, author: &MemberKey) -> bool {
        any_of(&self.slipped, author)
    }

    /// Some epoch is cut.
    pub(crate) fn faulty(&self, author: &MemberKey) -> bool {
        self.faulty.contains(author)
    }

    /// Whether anybody is restored, slipped or faulty.
    pub(crate) fn doubts_any(&self) -> bool {
        !(self.restored.is_empty() && self.parted.is_empty() && self.slipped.is_empty() && self.faulty.is_empty())
    }

    /// Whether a held `Started` of the author names this epoch as its past.
    pub(crate) fn names(&self, key: &ChainKey) -> bool {
        self.named.get(key).is_some_and(|ends| !ends.is_empty())
    }
}
