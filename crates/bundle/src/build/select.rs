//! Which events of each chain a bundle has: all from the first that belongs to the last, as far as they are held and there is room.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use watchfire_types::{Event, EventHash, MemberKey, Verified};
use watchfire_wire::bundle::Segment;

use super::{ChainKey, Chains};
use crate::room::{shares, take};

/// What a segment takes beside its events: the note of its checkpoint with every witness's line, at most.
const SEGMENT: u64 = 64 << 10;
/// What an event takes beside its bytes: its inclusion, of at most 32 hashes (2^32 leaves) and its framing. So that there are never more
/// segments or events than the format has room for.
const EVENT: u64 = 32 * 32 + 64;

/// Of an author who fits into its share, each chain whole but for what is not held; of another one the events that belong and nothing
/// between, oldest chain first, until its share is used up. `room` is that of all segments with their trees, bytes.
pub(super) fn select(chains: &Chains<'_>, told: &BTreeSet<EventHash>, room: u64) -> Vec<Segment> {
    let whole: BTreeMap<ChainKey, Vec<Range<usize>>> = chains
        .iter()
        .map(|(key, events)| (*key, stretches(events, told)))
        .filter(|(_, stretches)| !stretches.is_empty())
        .collect();
    let mut asked: BTreeMap<MemberKey, u64> = BTreeMap::new();
    for (key, stretches) in &whole {
        let events = chains.get(key).map(Vec::as_slice).unwrap_or_default();
        let cost = stretches.iter().filter_map(|range| events.get(range.clone())).flatten().map(|event| cost(event));
        *asked.entry(key.0).or_default() += SEGMENT + cost.sum::<u64>();
    }
    let mut rooms = shares(room, &asked);
    let fits: BTreeSet<MemberKey> =
        asked.iter().filter(|(author, asked)| rooms.get(*author) == Some(*asked)).map(|(author, _)| *author).collect();
    let mut segments = Vec::new();
    let mut order: Vec<&ChainKey> = whole.keys().collect();
    let first = |key: &ChainKey| {
        let at = whole.get(key)?.first()?.start;
        chains.get(key)?.get(at).map(|event| event.time)
    };
    order.sort_by_key(|key| (key.0, first(key), key.1));
    for key in order {
        let (Some(stretches), Some(events)) = (whole.get(key), chains.get(key)) else { continue };
        let taken: Vec<&Verified<Event>> = if fits.contains(&key.0) {
            stretches.iter().filter_map(|range| events.get(range.clone())).flatten().copied().collect()
        } else {
            sparse(events, told, rooms.get_mut(&key.0))
        };
        segments.extend(segment(*key, &taken));
    }
    segments.sort_by_key(|segment| (segment.author, segment.epoch));
    segments
}

fn cost(event: &Verified<Event>) -> u64 {
    event.outer().len() as u64 + EVENT
}

/// The events that belong, from the first on, as far as the share goes.
fn sparse<'a>(
    events: &[&'a Verified<Event>],
    told: &BTreeSet<EventHash>,
    mut room: Option<&mut u64>,
) -> Vec<&'a Verified<Event>> {
    if !take(room.as_deref_mut(), SEGMENT) {
        return Vec::new();
    }
    let belong = events.iter().copied().filter(|event| told.contains(&event.hash()));
    belong.take_while(|event| take(room.as_deref_mut(), cost(event))).collect()
}

/// The runs of events that follow each other, each from its first to its last one that belongs.
fn stretches(events: &[&Verified<Event>], told: &BTreeSet<EventHash>) -> Vec<Range<usize>> {
    let mut found: Vec<Range<usize>> = Vec::new();
    let mut unbroken = false;
    let mut before: Option<&Verified<Event>> = None;
    for (at, event) in events.iter().enumerate() {
        unbroken &= before.is_some_and(|before| follows(before, event));
        before = Some(event);
        if !told.contains(&event.hash()) {
            continue;
        }
        match found.last_mut().filter(|_| unbroken) {
            Some(last) => last.end = at + 1,
            None => found.push(at..at + 1),
        }
        unbroken = true;
    }
    found
}

fn follows(before: &Event, after: &Event) -> bool {
    before.seq.get().checked_add(1) == Some(after.seq.get())
}

fn segment((author, epoch): ChainKey, taken: &[&Verified<Event>]) -> Option<Segment> {
    let (first, last) = (taken.first()?, taken.last()?);
    let positions = last.seq.get().saturating_sub(first.seq.get()).saturating_add(1);
    let missing = positions.saturating_sub(taken.len() as u64);
    let events = taken.iter().map(|event| event.outer().clone()).collect();
    Some(Segment { author, epoch, events, missing, pruned: 0 })
}
