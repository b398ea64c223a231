//! Where to look: the blocks that an incident's evidence is about, from its events.

use std::collections::BTreeSet;

use watchfire_charter::REPORT;
use watchfire_types::body::{Body, Finding, Purpose};
use watchfire_types::{BlockRef, Event, EventHash, MemberKey, Verified};

use super::{BLOCKS_MAX, PAUSES_MAX, WINDOWS_MAX};

/// A stretch of blocks, both ends included; of the block before it the state is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// What set it off.
    pub basis: EventHash,
    /// First block of the attack.
    pub first: u64,
    /// Last block: that of the last pause within [`BLOCKS_MAX`] blocks, or the last of these.
    pub last: u64,
}

/// What an incident's events say about where to look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scene {
    /// At least one, at most [`WINDOWS_MAX`]: one for the first finding, or the act that it tells of, and one for each that comes after the last window.
    pub windows: Vec<Window>,
    /// Blocks of executions and of postconditions that hold, wherever they are; at most [`PAUSES_MAX`].
    pub pauses: BTreeSet<BlockRef>,
}

/// The block of the act itself, where a rule tells of it later: some wait for the block's traces, others for another chain's word.
fn acted(finding: &Finding) -> Option<u64> {
    finding.figures.get("event_block")?.parse().ok().filter(|block| *block < finding.first.number)
}

impl Scene {
    /// The scene, if a finding of this member or a certificate stands. However long an attack goes on and however often it is found, it
    /// has at most WINDOWS_MAX x (BLOCKS_MAX + 1) + PAUSES_MAX blocks.
    #[must_use]
    pub fn of(events: &[&Verified<Event>], own: MemberKey) -> Option<Self> {
        let mut mine = BTreeSet::new();
        let (mut certificate, mut others): (Option<EventHash>, Option<u64>) = (None, None);
        let mut pauses = BTreeSet::new();
        for event in events {
            let is_own = event.author == own;
            match &event.body {
                // What is reported from outside names no block: nothing is to be looked at where it happened to come.
                Body::Finding(finding) if finding.kind == REPORT => {}
                Body::Finding(finding) if is_own => {
                    let places = [Some(finding.first.number), acted(finding)];
                    mine.extend(places.into_iter().flatten().map(|number| (number, event.hash())));
                }
                Body::Finding(finding) => others = earliest(others, finding.first.number),
                Body::Vote(vote) => others = earliest(others, vote.evidence.number),
                Body::Certificate(held) if matches!(held.purpose, Purpose::Step(_)) => {
                    certificate = certificate.or(Some(event.hash()));
                }
                Body::Executed(executed) if is_own => drop(pauses.insert(executed.block)),
                Body::PostconditionChecked(checked) if is_own && checked.holds => drop(pauses.insert(checked.block)),
                _ => {}
            }
        }
        if mine.is_empty() {
            mine.insert((others?, certificate?));
        }
        let first = mine.first().map_or(0, |(number, _)| *number);
        let mut pauses: Vec<BlockRef> = pauses.into_iter().filter(|block| block.number >= first).collect();
        pauses.sort_by_key(|block| block.number);
        pauses.truncate(PAUSES_MAX);
        let mut windows: Vec<Window> = Vec::new();
        for (first, basis) in mine {
            let covered = windows.last().is_some_and(|window| first <= window.last);
            if covered || windows.len() >= WINDOWS_MAX {
                continue;
            }
            let end = first.saturating_add(BLOCKS_MAX - 1);
            let within = pauses.iter().rev().map(|block| block.number).find(|number| (first..=end).contains(number));
            windows.push(Window { basis, first, last: within.unwrap_or(end) });
        }
        Some(Self { windows, pauses: pauses.into_iter().collect() })
    }
}

fn earliest(before: Option<u64>, number: u64) -> Option<u64> {
    Some(before.map_or(number, |before| before.min(number)))
}

#[cfg(test)]
mod tests;
