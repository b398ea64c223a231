//! Which epochs of one author live at the same time, as far as this node hears them.
//!
//! The set of events cannot tell. What an epoch says after a later one began may be of two processes that run, or it was written before, lost
//! with a disk or to a backup, and found again at a peer; and the clock may have been set back or forward between the two. So
//! nothing counts here but what this node hears, by its own clock: two live that both go on speaking for more than a minute after
//! both began. Last words that are still on their way, or fetched from a peer, come sooner than that. It is never persisted and never digested,
//! and passes when one of the two falls silent.
//!
//! Events say so where neither epoch is over: none of the author's later `Started` names it at its very end. Heartbeats say so by
//! themselves, since no process sends one for another.

use std::collections::BTreeMap;

use watchfire_types::{Epoch, MemberKey, Timestamp};

/// How long what was heard says that an epoch lives, ms.
const LIVES_MS: u64 = 600_000;
/// For how long after both began to speak one of them may still be a voice of the past, ms.
const LATE_MS: u64 = 60_000;
/// Epochs of one author that are listened to at once; who was silent for longest goes first.
const LIVES_MAX: usize = 8;

/// When an epoch was first and last heard.
#[derive(Debug, Clone, Copy)]
struct Span {
    first: Timestamp,
    last: Timestamp,
}

/// Epochs of one author, by one kind of sign.
#[derive(Debug, Clone, Default)]
struct Voices {
    spans: BTreeMap<Epoch, Span>,
    /// Two that live, and when both were last heard.
    two: Option<([Epoch; 2], Timestamp)>,
}

/// One author's.
#[derive(Debug, Clone, Default)]
struct Heard {
    events: Voices,
    heartbeats: Voices,
}

/// Every author's. At most one entry a member.
#[derive(Debug, Clone, Default)]
pub(crate) struct Lives(BTreeMap<MemberKey, Heard>);

impl Voices {
    fn hear(&mut self, epoch: Epoch, at: Timestamp, over: impl Fn(&Epoch) -> bool) {
        self.spans.retain(|_, span| at.millis_since(span.last) <= LIVES_MS);
        let span = self.spans.entry(epoch).or_insert(Span { first: at, last: at });
        span.last = at;
        let this = *span;
        let both_live = |(other, that): &(&Epoch, &Span)| {
            let both = this.first.max(that.first);
            **other != epoch && this.last.min(that.last).millis_since(both) > LATE_MS && !over(other)
        };
        if let Some((other, that)) = self.spans.iter().find(both_live).filter(|_| !over(&epoch)) {
            self.two = Some(([*other, epoch], this.last.min(that.last)));
        }
        if self.spans.len() > LIVES_MAX {
            let silent = self.spans.iter().filter(|(other, _)| **other != epoch).min_by_key(|(_, span)| span.last);
            if let Some(silent) = silent.map(|(epoch, _)| *epoch) {
                self.spans.remove(&silent);
            }
        }
    }

    fn two(&self, now: Timestamp, over: impl Fn(&Epoch) -> bool) -> bool {
        self.two.as_ref().is_some_and(|(two, at)| now.millis_since(*at) <= LIVES_MS && !two.iter().any(over))
    }
}

impl Lives {
    /// Notes an event taken at `at`. `over` tells of epochs that a later `Started` names at their end.
    pub(crate) fn said(&mut self, author: MemberKey, epoch: Epoch, at: Timestamp, over: impl Fn(&Epoch) -> bool) {
        self.0.entry(author).or_default().events.hear(epoch, at, over);
    }

    /// Notes a heartbeat heard at `at`, newer than any before by its author's clock; answers whether two of the author's were ever heard beside
    /// each other.
    pub(crate) fn beat(&mut self, author: MemberKey, epoch: Epoch, at: Timestamp) -> bool {
        let heartbeats = &mut self.0.entry(author).or_default().heartbeats;
        heartbeats.hear(epoch, at, |_| false);
        heartbeats.two.is_some()
    }

    /// Whether two epochs of anybody were ever heard beside each other.
    pub(crate) fn doubts_any(&self) -> bool {
        self.0.values().any(|heard| heard.events.two.is_some() || heard.heartbeats.two.is_some())
    }

    /// Whether two epochs of an author live at `now`.
    pub(crate) fn twice(&self, author: &MemberKey, now: Timestamp, over: impl Fn(&Epoch) -> bool) -> bool {
        let heard = self.0.get(author);
        heard.is_some_and(|heard| heard.events.two(now, over) || heard.heartbeats.two(now, |_| false))
    }
}

#[cfg(test)]
mod tests;
