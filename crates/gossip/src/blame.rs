//! What becomes of a member that hands over what every honest node refuses.
//!
//! An honest node forwards only what it accepted, so each rejected message is the forwarder's own doing. A few may be a
//! fault; a stream of them is an attack on everybody's processor and is cut off for a minute at a time.

use std::collections::BTreeMap;

use tokio::time::Instant;
use watchfire_types::MemberKey;

use crate::bucket::Bucket;
use crate::config::limits::{BARRED_FOR, REJECTS_BURST, REJECTS_PER_SECOND};

/// Each member's rejected messages, and who is barred until when. At most one entry of each per member of the charter.
#[derive(Debug, Default)]
pub(crate) struct Blame {
    allowance: BTreeMap<MemberKey, Bucket>,
    barred: BTreeMap<MemberKey, Instant>,
}

impl Blame {
    /// Counts a rejected message; `Some(until)` if the member is barred for it.
    pub(crate) fn on_rejected(&mut self, member: MemberKey, now: Instant) -> Option<Instant> {
        let full = || Bucket::full(REJECTS_BURST, REJECTS_PER_SECOND, now);
        if self.barred.contains_key(&member) || self.allowance.entry(member).or_insert_with(full).take(now) {
            return None;
        }
        let until = now + BARRED_FOR;
        self.barred.insert(member, until);
        Some(until)
    }

    /// When somebody's time is over.
    pub(crate) fn next_release(&self) -> Option<Instant> {
        self.barred.values().min().copied()
    }

    /// Those whose time is over; each once, with a fresh allowance.
    pub(crate) fn release(&mut self, now: Instant) -> Vec<MemberKey> {
        let over: Vec<MemberKey> = self.barred.iter().filter(|(_, until)| **until <= now).map(|(m, _)| *m).collect();
        for member in &over {
            self.barred.remove(member);
            self.allowance.remove(member);
        }
        over
    }
}

#[cfg(test)]
#[path = "blame_tests.rs"]
mod tests;
