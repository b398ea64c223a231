//! Signature checks of others' events: one at a time for gossip, a whole catch-up answer on all cores.
//!
//! A [`CheckedAnswer`] is made here only, so whoever holds one holds nothing that was not checked strictly, one by one. Checking needs no
//! state but the members' keys and what the log holds: it may run beside the single writer. Its threads end before it returns and their results are
//! joined in the order of the answer, so what a driver does with it is the same on any number of cores.
//!
//! What the log holds, and what an answer repeats, is not checked: it changes nothing, whoever signed it.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::{iter, thread};

use ed25519_dalek::VerifyingKey;
use watchfire_charter::Charter;
use watchfire_protocol::Rejection;
use watchfire_types::planted::{Mutation, planted};
use watchfire_types::signed::verifying_key;
use watchfire_types::{Bytes, Event, EventHash, MemberKey, NetworkId, Unverified, Verified};
use watchfire_wire::{HeartbeatError, SignedHeartbeat, VerifiedHeartbeat, decode_signed};

use crate::door::Refusal;
use crate::index::Positions;

/// A thread is not begun for fewer events than this: about a millisecond of work.
const SHARE_MIN: usize = 32;

/// Events that a thread takes at once: less than half a millisecond of work, so that all end together.
const TURN: usize = 8;

/// An answer of fewer events may repeat itself as it likes.
pub(crate) const JUDGED_MIN: usize = 64;

/// Checks signatures for one network. Cloning is cheap.
#[derive(Debug, Clone)]
pub struct Verifier {
    network: NetworkId,
    /// Curve points of the charter's members, decompressed once.
    members: Arc<BTreeMap<MemberKey, VerifyingKey>>,
    held: Positions,
    threads: usize,
}

/// A member's answer to a catch-up request with each event decoded, or the reason against it. No signature is checked yet: it says what the
/// member claims, which is enough to ask it on.
#[derive(Debug, Clone)]
pub struct ReadAnswer {
    pub(crate) from: MemberKey,
    pub(crate) events: Vec<Result<Unverified, Refusal>>,
}

impl ReadAnswer {
    /// Decodes what a member sent. Bounded by the wire's bounds on an answer.
    #[must_use]
    pub fn read(from: MemberKey, events: &[Bytes]) -> Self {
        Self::read_part(from, events, &mut Said::new(events.len()))
    }

    /// Decodes a part of an answer, of which this was said before.
    pub(crate) fn read_part(from: MemberKey, events: &[Bytes], said: &mut Said) -> Self {
        Self { from, events: events.iter().map(|outer| said.first(decode_signed(outer.clone())?)).collect() }
    }

    /// Who answered.
    #[must_use]
    pub fn from(&self) -> MemberKey {
        self.from
    }
}

/// What an answer said so far.
#[derive(Debug)]
pub(crate) struct Said {
    events: BTreeSet<EventHash>,
    /// How often an honest member could still repeat itself.
    repeats_left: usize,
}

impl Said {
    /// Nothing of an answer of so many events.
    pub(crate) fn new(events: usize) -> Self {
        let repeats_left = if events < JUDGED_MIN { events } else { events / 2 };
        Self { events: BTreeSet::new(), repeats_left }
    }

    /// The event, where it is no repeat.
    fn first(&mut self, event: Unverified) -> Result<Unverified, Refusal> {
        if self.events.insert(event.hash()) || planted(Mutation::TakesTwice) {
            return Ok(event);
        }
        self.repeats_left = self.repeats_left.checked_sub(1).ok_or(Refusal::Repeats)?;
        Err(Rejection::Duplicate.into())
    }
}

/// A member's answer to a catch-up request with each event decoded and its signature checked, or the reason against it.
#[derive(Debug, Clone)]
pub struct CheckedAnswer {
    pub(crate) from: MemberKey,
    pub(crate) events: Vec<Result<Verified<Event>, Refusal>>,
}

impl CheckedAnswer {
    /// Who answered.
    #[must_use]
    pub fn from(&self) -> MemberKey {
        self.from
    }

    /// Events in the order of the answer, refused ones included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.events.len()
    }

    /// Whether the answer was empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.events.is_empty()
    }
}

impl Verifier {
    pub(crate) fn new(network: NetworkId, charter: &Charter, held: Positions) -> Self {
        let point = |key: MemberKey| Some((key, verifying_key(key)?));
        let members = charter.members.values().filter_map(|member| point(member.node_key)).collect();
        // Where the system does not tell, one core is right, only slower.
        let threads = thread::available_parallelism().map_or(1, NonZeroUsize::get);
        Self { network, members: Arc::new(members), held, threads }
    }

    /// Checks a whole answer, on all cores when it is long.
    ///
    /// The cores take a few events at a time: whoever takes up the answer before works on one of them meanwhile, and with equal shares
    /// the others would wait for that one.
    #[must_use]
    pub fn check(&self, answer: &ReadAnswer) -> CheckedAnswer {
        let ReadAnswer { from, events } = answer;
        let next = AtomicUsize::new(0);
        let one = |event: &Result<Unverified, Refusal>| self.verify_new(event.clone()?);
        let work = || {
            let turns = iter::from_fn(|| Some(next.fetch_add(1, Ordering::Relaxed)));
            let some = turns.map_while(|turn| Some((turn, events.chunks(TURN).nth(turn)?.iter().map(one).collect())));
            some.collect::<Vec<(usize, Vec<_>)>>()
        };
        let mut checked = thread::scope(|scope| {
            let others = 1..self.threads.min(events.len().div_ceil(SHARE_MIN));
            // Where the system has no thread to give, those that there are do its work.
            let begin = |_| thread::Builder::new().name("verify".into()).spawn_scoped(scope, work).ok();
            let begun: Vec<_> = others.filter_map(begin).collect();
            let mut checked = work();
            for worker in begun {
                match worker.join() {
                    Ok(turns) => checked.extend(turns),
                    Err(panic) => std::panic::resume_unwind(panic),
                }
            }
            checked
        });
        checked.sort_unstable_by_key(|(turn, _)| *turn);
        CheckedAnswer { from: *from, events: checked.into_iter().flat_map(|(_, turn)| turn).collect() }
    }

    /// From now on answers are checked on so many cores at the most; on all of the machine's unless told otherwise.
    pub(crate) fn set_threads(&mut self, threads: NonZeroUsize) {
        self.threads = threads.get();
    }

    /// Known bytes are dropped before anything is checked, strangers before the signature is.
    pub(crate) fn verify_new(&self, unverified: Unverified) -> Result<Verified<Event>, Refusal> {
        if self.held.contains(&unverified.hash()) && !planted(Mutation::TakesTwice) {
            return Err(Rejection::Duplicate.into());
        }
        self.verify(unverified)
    }

    fn verify(&self, unverified: Unverified) -> Result<Verified<Event>, Refusal> {
        let Event { network, author, .. } = *unverified.event();
        match self.members.get(&author) {
            Some(key) => Ok(unverified.verify_by(self.network, key)?),
            // Another network's event is refused as that; nobody's signature is worth checking.
            None if network != self.network => Ok(unverified.verify(self.network)?),
            None => Err(Rejection::UnknownAuthor { author }.into()),
        }
    }

    /// Checks a heartbeat of whoever it names.
    pub(crate) fn heartbeat(&self, signed: SignedHeartbeat) -> Result<VerifiedHeartbeat, HeartbeatError> {
        match self.members.get(&signed.author()) {
            Some(key) => signed.verify_by(self.network, key),
            None => signed.verify(self.network),
        }
    }
}
