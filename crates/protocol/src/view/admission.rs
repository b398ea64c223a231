//! How many new epochs of one author are taken, by this node's own clock.
//!
//! An epoch costs memory and a place in every catch-up question for as long as the log is kept, and a liar draws as many as it likes. An
//! honest one is nearly always *named*: the running one by its member's newest heartbeat, each past one by the `Started` of a later epoch.
//! So what is named is taken at once, up to a burst that holds years of restarts, and what nobody names trickles in. The names
//! of a liar are worth no more than its epochs: both ways in have their own bound, whoever is believed.
//!
//! Live messages and catch-up are treated alike, since who hears of an epoch first is chance. What is replayed at the start counts for nothing.

use std::collections::{BTreeMap, VecDeque};

use watchfire_types::{Epoch, MemberKey, Timestamp};

/// New epochs of one author taken within [`UNNAMED_WINDOW_MS`] though nothing names them.
const UNNAMED_MAX: usize = 5;
/// The window of [`UNNAMED_MAX`], ms.
const UNNAMED_WINDOW_MS: u64 = 600_000;
/// Named epochs of one author that are taken at once: a restart a day for five years.
const NAMED_BURST: u64 = 2_048;
/// After that one more of them in each such time, ms: what a node that never gets past its start would make.
const NAMED_EVERY_MS: u64 = 10_000;

/// One author's.
#[derive(Debug, Clone, Default)]
struct Taken {
    /// When unnamed ones were taken, the newest few.
    unnamed: VecDeque<Timestamp>,
    /// Named ones that time has not paid for yet.
    named: u64,
    /// Up to when it has.
    paid: Timestamp,
}

impl Taken {
    fn paid_by(&self, now: Timestamp) -> (u64, Timestamp) {
        let steps = now.millis_since(self.paid) / NAMED_EVERY_MS;
        match self.named.checked_sub(steps) {
            Some(left) if left > 0 => (left, self.paid.plus_millis(steps * NAMED_EVERY_MS)),
            Some(_) | None => (0, now),
        }
    }

    fn named_fits(&self, now: Timestamp) -> bool {
        self.paid_by(now).0 < NAMED_BURST
    }

    fn unnamed_fits(&self, now: Timestamp) -> bool {
        self.unnamed.iter().filter(|at| now.millis_since(**at) <= UNNAMED_WINDOW_MS).count() < UNNAMED_MAX
    }
}

/// Every author's. At most one entry a member.
#[derive(Debug, Clone, Default)]
pub(crate) struct Admissions {
    taken: BTreeMap<MemberKey, Taken>,
    /// Epoch that each member's newest heartbeat names.
    running: BTreeMap<MemberKey, Epoch>,
}

impl Admissions {
    /// Notes what a member's newest heartbeat says.
    pub(crate) fn beats(&mut self, author: MemberKey, epoch: Epoch) {
        self.running.insert(author, epoch);
    }

    /// Whether a member's newest heartbeat names this epoch.
    pub(crate) fn runs(&self, author: &MemberKey, epoch: &Epoch) -> bool {
        self.running.get(author) == Some(epoch)
    }

    /// Whether a new epoch of this author may be taken now.
    pub(crate) fn fits(&self, now: Timestamp, author: &MemberKey, named: bool) -> bool {
        self.taken.get(author).is_none_or(|taken| (named && taken.named_fits(now)) || taken.unnamed_fits(now))
    }

    /// Counts a new epoch taken at `seen`, which is zero while the log is replayed.
    pub(crate) fn took(&mut self, seen: Timestamp, author: MemberKey, named: bool) {
        if seen == Timestamp::from_millis(0) {
            return;
        }
        let taken = self.taken.entry(author).or_default();
        if named && taken.named_fits(seen) {
            (taken.named, taken.paid) = taken.paid_by(seen);
            taken.named += 1;
        } else {
            taken.unnamed.push_back(seen);
            if taken.unnamed.len() > UNNAMED_MAX {
                taken.unnamed.pop_front();
            }
        }
    }
}
