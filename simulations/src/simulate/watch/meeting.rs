//! L4 by the clock: what one member lacks of another's log when they can speak again, it has within a round trip for each doubling of the gap,
//! and the time that taking it in takes.

use std::collections::BTreeSet;

use watchfire_types::EventHash;

use super::{Kind, Watch};
use crate::simulate::agenda::{MILLI, Micros, SECOND};
use crate::simulate::cast::Cast;

/// What a turn takes for each event, as the world has it, at who answers and at who takes it.
const EACH: Micros = 200;

/// Three rounds in which everybody asks another one what it lacks: what is younger may be under way.
const APART: Micros = 30 * SECOND;

/// What one member lacks of another.
#[derive(Debug)]
pub(super) struct Behind {
    of: usize,
    gap: usize,
    since: Micros,
    by: Micros,
    missing: BTreeSet<EventHash>,
}

impl Watch {
    /// A connection stands again. Judged between members that follow the protocol, for what such members said, where links lose nothing.
    pub(crate) fn met(&mut self, cast: &Cast, place: usize, other: usize, now: Micros) {
        self.parted(place, other);
        if !cast.honest(place) || !cast.honest(other) || !cast.scenario.links_are_calm() {
            return;
        }
        let honest = |author| cast.place_of(author).is_some_and(|author| cast.honest(author));
        let (own, others) = (&self.known[place].held, &self.known[other].held);
        let lacks = others.iter().filter(|(hash, event)| !own.contains_key(*hash) && honest(&event.author));
        let missing: BTreeSet<EventHash> = lacks.map(|(hash, _)| *hash).collect();
        let gap = missing.len();
        let Some(doublings) = gap.checked_ilog2() else { return };
        let round_trip = 2 * cast.scenario.delay_ms_max() * MILLI;
        let trips = round_trip * (u64::from(doublings) + 1);
        let by = now + trips * 11 / 10 + EACH * gap as u64 + 20 * MILLI;
        self.known[place].behind.push(Behind { of: other, gap, since: now, by, missing });
    }

    /// A connection ended, or one end of it: what was not had by then is asked for when they meet again.
    pub(crate) fn parted(&mut self, place: usize, other: usize) {
        self.known[place].behind.retain(|behind| behind.of != other);
    }

    /// An event came into a member's log.
    pub(super) fn came(&mut self, cast: &Cast, place: usize, hash: &EventHash, now: Micros) {
        if self.known[place].behind.is_empty() {
            return;
        }
        let mut all = std::mem::take(&mut self.known[place].behind);
        for behind in &mut all {
            behind.missing.remove(hash);
        }
        let (whole, rest): (Vec<_>, _) = all.into_iter().partition(|behind| behind.missing.is_empty());
        self.known[place].behind = rest;
        self.late(cast, place, &whole, now);
    }

    /// A process ended, and what it was asking for with it.
    pub(super) fn asks_no_more(&mut self, place: usize) {
        self.known[place].behind.clear();
    }

    /// At the end: who still lacks what it had time for.
    pub(super) fn still_behind(&mut self, cast: &Cast, now: Micros) {
        for place in 0..self.known.len() {
            let rest = std::mem::take(&mut self.known[place].behind);
            self.late(cast, place, &rest, now);
        }
    }

    /// At the end: what one living member had for long, each of the others has.
    pub(super) fn apart(&mut self, cast: &Cast, held: &[(usize, BTreeSet<EventHash>)], now: Micros) {
        let all: BTreeSet<&EventHash> = held.iter().flat_map(|(_, events)| events).collect();
        for (place, events) in held {
            let lacks = all.iter().filter(|event| !events.contains(**event));
            let oldest = lacks.filter_map(|event| self.first_held.get(*event)).min().copied();
            if let Some(since) = oldest.filter(|since| now.saturating_sub(*since) > APART) {
                let member = &cast.players[*place].member;
                let detail = format!("{member} lacks at the end what another had for {} ms", (now - since) / MILLI);
                self.breach("L4", Kind::Liveness, detail);
            }
        }
    }

    fn late(&mut self, cast: &Cast, place: usize, behind: &[Behind], now: Micros) {
        for one in behind.iter().filter(|one| now > one.by) {
            let detail = format!(
                "{} had the {} events that it lacked of {} {} ms after they met, at most {} expected",
                cast.players[place].member,
                one.gap,
                cast.players[one.of].member,
                (now - one.since) / MILLI,
                (one.by - one.since) / MILLI
            );
            self.breach("L4", Kind::Liveness, detail);
        }
    }
}
