//! What each direction of each link does to messages: how long they take, how many are lost, and how many bytes pass in a second.

use super::Micros;
use crate::scenario::Scenario;
use crate::simulate::agenda::{MILLI, SECOND};
use crate::simulate::cast::Cast;

/// How long a message may wait until it can pass before it is let go, as the node's gossip does: what queues on a narrow way is bounded.
const QUEUED: Micros = 5 * SECOND;

/// One direction.
#[derive(Debug, Clone, Copy)]
pub(super) struct Way {
    /// One-way delay, drawn evenly.
    pub(super) delay: (Micros, Micros),
    /// Messages lost of 1,000.
    pub(super) loss_permille: u64,
    /// Bytes that pass in a second, where that is bounded.
    bytes_per_second: Option<u64>,
    /// When what was sent so far has passed.
    free_at: Micros,
}

impl Way {
    /// How long so many bytes take to pass.
    fn takes(&self, bytes: usize) -> Micros {
        self.bytes_per_second.map_or(0, |width| (bytes as u64).saturating_mul(SECOND).div_ceil(width.max(1)))
    }
}

/// Every direction, by place of who speaks and of who hears.
#[derive(Debug)]
pub(super) struct Ways {
    all: Vec<Way>,
    count: usize,
}

impl Ways {
    pub(super) fn new(cast: &Cast) -> Self {
        let count = cast.players.len();
        let pairs = (0..count).flat_map(|from| (0..count).map(move |to| (from, to)));
        Self { all: pairs.map(|(from, to)| of(cast, from, to)).collect(), count }
    }

    pub(super) fn of(&self, from: usize, to: usize) -> Way {
        self.all[from * self.count + to]
    }

    /// When gossip that is sent `at` has passed; `None` where it would wait too long for its turn, and is let go.
    pub(super) fn pass(&mut self, from: usize, to: usize, at: Micros, bytes: usize) -> Option<Micros> {
        let way = &mut self.all[from * self.count + to];
        let begins = way.free_at.max(at);
        if begins - at > QUEUED {
            return None;
        }
        let passed = begins + way.takes(bytes);
        if way.bytes_per_second.is_some() {
            way.free_at = passed;
        }
        Some(passed)
    }

    /// The same for one part of a catch-up, which has failed unless it has passed `by` then; until then it was in the way of others.
    pub(super) fn pass_by(&mut self, from: usize, to: usize, at: Micros, bytes: usize, by: Micros) -> Option<Micros> {
        let way = &mut self.all[from * self.count + to];
        let begins = way.free_at.max(at);
        let passed = begins + way.takes(bytes);
        if way.bytes_per_second.is_some() {
            way.free_at = passed.min(by).max(way.free_at);
        }
        (passed <= by).then_some(passed)
    }
}

/// What the scenario says of one direction: of all links, then of this one, the last word first.
fn of(cast: &Cast, from: usize, to: usize) -> Way {
    let Scenario { links, ways, .. } = &cast.scenario;
    let is = |place: usize, name: &Option<String>| {
        let player = &cast.players[place];
        name.as_ref().is_none_or(|name| *name == player.member.as_str() || *name == player.organisation.as_str())
    };
    let said: Vec<_> = ways.iter().rev().filter(|way| is(from, &way.from) && is(to, &way.to)).collect();
    let (least, most) = said.iter().find_map(|way| way.delay_ms).unwrap_or(links.delay_ms);
    Way {
        delay: (least * MILLI, most * MILLI),
        loss_permille: said.iter().find_map(|way| way.loss_permille).unwrap_or(links.loss_permille),
        bytes_per_second: said.iter().find_map(|way| way.bytes_per_second),
        free_at: 0,
    }
}

#[cfg(test)]
mod tests;
