//! Whom to dial and when.
//!
//! The schedule is a function of what happened and when, without chance: of each pair the lower peer id dials at once
//! and the other a quarter of a second later, so that a pair that starts together makes one connection; after each failure
//! the pause doubles, up to five seconds. A watcher keeps at most four guardians, chosen by a hash of both keys so that
//! watchers spread over the guardians, and moves on when one does not answer.

use std::collections::BTreeMap;
use std::time::Duration;

use libp2p::{Multiaddr, PeerId};
use tokio::time::Instant;
use watchfire_types::{MemberKey, sha256};

use crate::config::Kind;
use crate::config::limits::{REDIAL_MAX, REDIAL_MIN, SECOND_SIDE, WATCHER_GUARDIANS};

/// A member with everything parsed.
#[derive(Debug, Clone)]
pub(crate) struct Member {
    pub(crate) key: MemberKey,
    pub(crate) peer: PeerId,
    pub(crate) kind: Kind,
    pub(crate) addresses: Vec<Multiaddr>,
}

/// One dial to make now.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Dial {
    pub(crate) member: MemberKey,
    pub(crate) peer: PeerId,
    pub(crate) addresses: Vec<Multiaddr>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Not connected; dial at this instant.
    Due(Instant),
    Dialling,
    Connected,
}

#[derive(Debug)]
struct Target {
    member: Member,
    state: State,
    failures: u32,
    /// Waits longer than the other side before each dial.
    second_side: bool,
    /// An address where somebody else answered: left out of the next dial if there is another.
    skip: Option<Multiaddr>,
    /// Barred until then.
    not_before: Option<Instant>,
}

impl Target {
    fn due_after(&mut self, now: Instant) {
        let handicap = if self.second_side { SECOND_SIDE } else { Duration::ZERO };
        let due = now + pause(self.failures) + handicap;
        self.state = State::Due(self.not_before.map_or(due, |bar| bar.max(due)));
    }
}

/// Pause before the dial that follows this many failures in a row.
fn pause(failures: u32) -> Duration {
    match failures {
        0 => Duration::ZERO,
        n => REDIAL_MIN.saturating_mul(1 << (n - 1).min(16)).min(REDIAL_MAX),
    }
}

/// The members that this node dials, with where each stands.
#[derive(Debug)]
pub(crate) struct Dialer {
    /// In order of preference.
    targets: Vec<Target>,
    by_key: BTreeMap<MemberKey, usize>,
    /// How many to be connected with or dialling at a time.
    wanted: usize,
}

impl Dialer {
    /// Takes all members, `own` among them or not.
    pub(crate) fn new(own: &Member, members: &[Member], now: Instant) -> Self {
        let watcher = own.kind == Kind::Watcher;
        let dials = |m: &&Member| {
            m.key != own.key
                && !m.addresses.is_empty()
                && if watcher { m.kind == Kind::Guardian } else { m.kind != Kind::Watcher }
        };
        let mut chosen: Vec<&Member> = members.iter().filter(dials).collect();
        if watcher {
            chosen.sort_by_key(|m| sha256(&[own.key.as_bytes(), m.key.as_bytes()]));
        }
        let mut targets: Vec<Target> = Vec::with_capacity(chosen.len());
        for member in chosen {
            // Who cannot be dialled itself, or never is, has to begin.
            let second_side = !watcher && !own.addresses.is_empty() && member.peer < own.peer;
            let mut target = Target {
                member: member.clone(),
                state: State::Connected,
                failures: 0,
                second_side,
                skip: None,
                not_before: None,
            };
            target.due_after(now);
            targets.push(target);
        }
        let by_key = targets.iter().enumerate().map(|(i, t)| (t.member.key, i)).collect();
        Self { targets, by_key, wanted: if watcher { WATCHER_GUARDIANS } else { usize::MAX } }
    }

    fn active(&self) -> usize {
        self.targets.iter().filter(|t| !matches!(t.state, State::Due(_))).count()
    }

    /// The dials to make now; each counts as under way from here on.
    pub(crate) fn take_due(&mut self, now: Instant) -> Vec<Dial> {
        let mut free = self.wanted.saturating_sub(self.active());
        let mut dials = Vec::new();
        for target in &mut self.targets {
            if free == 0 {
                break;
            }
            if matches!(target.state, State::Due(at) if at <= now) {
                target.state = State::Dialling;
                free -= 1;
                let rest: Vec<Multiaddr> =
                    target.member.addresses.iter().filter(|a| Some(*a) != target.skip.as_ref()).cloned().collect();
                let addresses = if rest.is_empty() { target.member.addresses.clone() } else { rest };
                dials.push(Dial { member: target.member.key, peer: target.member.peer, addresses });
            }
        }
        dials
    }

    /// When [`Self::take_due`] will have something next.
    pub(crate) fn next_due(&self) -> Option<Instant> {
        if self.active() >= self.wanted {
            return None;
        }
        self.targets.iter().filter_map(|t| if let State::Due(at) = t.state { Some(at) } else { None }).min()
    }

    fn with(&mut self, member: &MemberKey, change: impl FnOnce(&mut Target)) {
        if let Some(target) = self.by_key.get(member).and_then(|i| self.targets.get_mut(*i)) {
            change(target);
        }
    }

    /// A connection stands, whoever dialled.
    pub(crate) fn on_established(&mut self, member: &MemberKey) {
        self.with(member, |t| t.state = State::Connected);
    }

    /// The member joined the topic: what failed before is forgotten.
    pub(crate) fn on_joined(&mut self, member: &MemberKey) {
        self.with(member, |t| {
            t.failures = 0;
            t.skip = None;
        });
    }

    /// The last connection ended. Unless the member had joined, that counts as a failure, so that a
    /// member that hangs up at once is not dialled in a tight circle.
    pub(crate) fn on_lost(&mut self, member: &MemberKey, had_joined: bool, now: Instant) {
        self.with(member, |t| {
            t.failures = if had_joined { 0 } else { t.failures.saturating_add(1) };
            t.due_after(now);
        });
    }

    /// The member is not to be dialled before this instant.
    pub(crate) fn on_barred(&mut self, member: &MemberKey, until: Instant) {
        self.with(member, |t| {
            t.not_before = Some(until);
            if let State::Due(at) = t.state {
                t.state = State::Due(at.max(until));
            }
        });
    }

    /// A dial failed; `wrong` is an address where another key answered.
    pub(crate) fn on_failed(&mut self, member: &MemberKey, wrong: Option<Multiaddr>, now: Instant) {
        self.with(member, |t| {
            // The other side's dial may have succeeded meanwhile.
            if t.state != State::Connected {
                t.failures = t.failures.saturating_add(1);
                t.skip = wrong;
                t.due_after(now);
            }
        });
    }
}

#[cfg(test)]
#[path = "dialer_tests.rs"]
mod tests;
