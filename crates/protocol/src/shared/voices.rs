//! Votes and vetoes as they are asked for: by block time, and of each voice the newest few, so that nobody's flood of them costs more
//! than its first few or keeps another's from being seen.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::Arc;

use watchfire_types::{BlockTime, Event, EventHash, OrganisationId, Verified};

use super::derived::ByTime;
use crate::probe::{self, Look};

/// Newest events of one voice that are looked at: only its own older ones give way to them.
const NEWEST_MAX: usize = 64;

/// Lowest and highest hash, as ends of ranges.
const LOW: EventHash = EventHash::from_bytes([0; 32]);
const HIGH: EventHash = EventHash::from_bytes([0xff; 32]);

/// Every block time from this one on.
pub(crate) fn from(oldest: BlockTime) -> RangeInclusive<BlockTime> {
    oldest..=BlockTime::from_secs(u64::MAX)
}

/// Events about one decision. A voice is who says it and what of a kind it says; all of one voice are interchangeable but for their time.
#[derive(Debug, Clone)]
pub(crate) struct Voices<V>(BTreeMap<OrganisationId, BTreeMap<V, ByTime>>);

impl<V> Default for Voices<V> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<V: Ord> Voices<V> {
    /// Everything that one voice says.
    pub(crate) fn of(&mut self, organisation: &OrganisationId, voice: V) -> &mut ByTime {
        self.0.entry(organisation.clone()).or_default().entry(voice).or_default()
    }

    /// The newest few of each voice within these block times, newest first within a voice.
    pub(crate) fn newest(
        &self,
        within: RangeInclusive<BlockTime>,
    ) -> impl Iterator<Item = (&OrganisationId, &V, &Arc<Verified<Event>>)> {
        let voices = self.0.iter().flat_map(|(organisation, voices)| voices.iter().map(move |it| (organisation, it)));
        voices.flat_map(move |(organisation, (voice, events))| {
            newest(events, &within).map(move |event| (organisation, voice, event))
        })
    }

    /// As [`Self::newest`], of some voices.
    pub(crate) fn newest_of_voices(
        &self,
        within: RangeInclusive<BlockTime>,
        of: impl Fn(&V) -> bool,
    ) -> impl Iterator<Item = &Arc<Verified<Event>>> {
        let voices = self.0.values().flatten().filter(move |(voice, _)| of(voice));
        voices.flat_map(move |(_, events)| newest(events, &within))
    }

    /// As [`Self::newest`], of one organisation.
    pub(crate) fn newest_of(
        &self,
        organisation: &OrganisationId,
        within: RangeInclusive<BlockTime>,
    ) -> impl Iterator<Item = (&V, &Arc<Verified<Event>>)> {
        let voices = self.0.get(organisation).into_iter().flatten();
        voices.flat_map(move |(voice, events)| newest(events, &within).map(move |event| (voice, event)))
    }

    /// Every event of one organisation within these block times: for the own one, which does not flood itself.
    pub(crate) fn every_of(
        &self,
        organisation: &OrganisationId,
        within: RangeInclusive<BlockTime>,
    ) -> impl Iterator<Item = &Arc<Verified<Event>>> {
        let voices = self.0.get(organisation).into_iter().flat_map(BTreeMap::values);
        voices.flat_map(move |events| newest_first(events, &within))
    }
}

fn newest<'a>(
    events: &'a ByTime,
    within: &RangeInclusive<BlockTime>,
) -> impl Iterator<Item = &'a Arc<Verified<Event>>> + use<'a> {
    newest_first(events, within).take(NEWEST_MAX)
}

fn newest_first<'a>(
    events: &'a ByTime,
    within: &RangeInclusive<BlockTime>,
) -> impl Iterator<Item = &'a Arc<Verified<Event>>> + use<'a> {
    let range = (*within.start(), LOW)..=(*within.end(), HIGH);
    let events = (!within.is_empty()).then(|| events.range(range)).into_iter().flatten();
    events.rev().map(|(_, event)| event).inspect(|_| probe::count(Look::Support))
}
