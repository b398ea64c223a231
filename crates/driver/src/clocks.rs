//! Clocks that cannot be right, told to people: the own one behind the own log, and others' ahead of it.
//!
//! Nothing that is signed rests on these clocks, but whether it is heard does: a node takes no event from more than 60 s ahead of its own
//! clock. So a clock that was ahead and is set back leaves its node unheard until the time it had reached, since an author's
//! time only rises; and a clock that falls back makes everyone else seem to speak from the future. Neither node can mend that by itself
//! without trusting others' clocks, so both say it loudly. A restart ends the first: a new epoch begins at the time that the clock shows.

use std::collections::BTreeMap;

use watchfire_journal::Storage;
use watchfire_types::{MemberKey, Timestamp};

use crate::driver::Driver;
use crate::keys::Keys;

/// How far the own clock may be behind the own newest event before that is said, ms. Far below the 60 s at which others stop listening, far
/// above what a clock that is kept in step is corrected by.
const BEHIND_MS_MAX: u64 = 5_000;
/// How far another's clock may be ahead of this node's: what it says from further waits.
pub(crate) const AHEAD_MS_MAX: u64 = 60_000;

/// The furthest time ahead that each member's signed messages named; at most one entry a member.
#[derive(Debug, Default)]
pub(crate) struct Clocks {
    ahead: BTreeMap<MemberKey, Timestamp>,
}

impl Clocks {
    /// Takes that a member signed a message at `time`, from further ahead than is taken.
    pub(crate) fn ahead(&mut self, author: MemberKey, time: Timestamp) {
        let known = self.ahead.entry(author).or_insert(time);
        *known = time.max(*known);
    }

    /// Members that are still ahead, with by how much, ms.
    fn still(&self, now: Timestamp) -> BTreeMap<MemberKey, u64> {
        let ahead = self.ahead.iter().map(|(author, time)| (*author, time.millis_since(now)));
        ahead.filter(|(_, ms)| *ms > AHEAD_MS_MAX).collect()
    }
}

impl<S: Storage, K: Keys> Driver<S, K> {
    /// What no longer holds of the clocks, a line each; empty when nothing is wrong with them.
    #[must_use]
    pub fn clock_alarms(&self, now: Timestamp) -> Vec<String> {
        let mut lines = Vec::new();
        if let Some(behind_ms) = self.own.behind(now).filter(|ms| *ms > BEHIND_MS_MAX) {
            let others = if behind_ms > AHEAD_MS_MAX { "others take nothing of it until then; " } else { "" };
            lines.push(format!(
                "clock-behind: this node's clock is {} s behind its own newest event: {others}set the clock, then restart the node",
                behind_ms / 1_000
            ));
        }
        let charter = self.machine().charter();
        let ahead = self.clocks.still(now);
        let organisations = ahead.keys().filter_map(|key| charter.organisation_of(key));
        let several = organisations.collect::<std::collections::BTreeSet<_>>().len();
        if several >= usize::from(charter.rules.contain.organisations) {
            lines.push(format!(
                "clock-behind: the clocks of {several} organisations are more than {} s ahead of this node's, which takes nothing of them: set the clock",
                AHEAD_MS_MAX / 1_000
            ));
        }
        lines.extend(ahead.iter().filter_map(|(key, ms)| {
            let (member, _) = charter.member_by_key(key)?;
            Some(format!(
                "clock-ahead: {member} spoke from {} s ahead of this node's clock: that waits until then; compare both clocks",
                ms / 1_000
            ))
        }));
        lines
    }
}
