//! Heartbeats: the newest of each member, outside the log and never counted.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use watchfire_journal::Storage;
use watchfire_protocol::Machine;
use watchfire_types::body::{Attested, Heartbeat};
use watchfire_types::{BlockRef, Bytes, ChainId, MemberKey, Timestamp};
use watchfire_wire::{Envelope, SignedHeartbeat, VerifiedHeartbeat, WireError};

use crate::clocks::{AHEAD_MS_MAX, Clocks};
use crate::door::Refusal;
use crate::driver::Driver;
use crate::keys::Keys;
use crate::verifier::Verifier;

/// What the node knows and the protocol does not.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HeartbeatFacts {
    /// Agreed head per chain; at most 32.
    pub heads: Vec<BlockRef>,
    /// Per asset: can this node pause now; at most 64.
    pub pausable: Vec<Attested>,
    /// What no longer holds, a line each; at most 32 of at most 256 bytes.
    pub alarms: Vec<String>,
    /// Wei of the submitter per chain; at most 32.
    pub submitter_balance: Vec<(ChainId, u128)>,
}

/// Newest heartbeat of each member of the charter, so at most one a member.
#[derive(Debug, Default)]
pub(crate) struct Heartbeats {
    newest: BTreeMap<MemberKey, VerifiedHeartbeat>,
    /// Time of the newest own one, ms: the next is later, whatever the clock does.
    own: AtomicU64,
}

impl Heartbeats {
    /// Takes a heartbeat if it is newer than the one held: of the same process by time, of another one by which of them
    /// began knowing the other, so that a restart with a clock set back is heard at once. Signatures are checked last.
    pub(crate) fn take(
        &mut self,
        now: Timestamp,
        machine: &mut Machine,
        clocks: &mut Clocks,
        verifier: &Verifier,
        bytes: Bytes,
    ) -> Result<VerifiedHeartbeat, Refusal> {
        let signed = SignedHeartbeat::decode(bytes)?;
        let author = signed.author();
        let stale = |why| Err(Refusal::StaleHeartbeat { author, why });
        let time_ms = signed.heartbeat().time_ms;
        match machine.charter().member_by_key(&author) {
            None => return stale("no member of the charter has this key"),
            Some((member, _)) if *member != signed.heartbeat().member => return stale("it names another member"),
            Some(_) => {}
        }
        if time_ms > now.plus_millis(AHEAD_MS_MAX).as_millis() {
            verifier.heartbeat(signed)?;
            clocks.ahead(author, Timestamp::from_millis(time_ms));
            return stale("its clock is more than 60 s ahead");
        }
        if let Some(held) = self.newest.get(&author) {
            let (held, epoch) = (held.heartbeat(), signed.heartbeat().epoch);
            let anew = epoch != held.epoch;
            let later = anew && machine.follows(author, epoch, held.epoch);
            let earlier = anew && machine.follows(author, held.epoch, epoch);
            if earlier && held.time_ms < time_ms {
                // The process that another one took over from sends heartbeats still, or its last one was on its way.
                verifier.heartbeat(signed)?;
                machine.lives(now, author, epoch);
                return stale("a process that began later is heard");
            }
            if earlier || (!later && held.time_ms >= time_ms) {
                return stale("a newer one is held");
            }
        }
        let verified = verifier.heartbeat(signed)?;
        machine.beats(now, author, verified.heartbeat().epoch);
        self.newest.insert(author, verified.clone());
        Ok(verified)
    }

    /// Time of the next own one, at least a millisecond after the one before.
    fn next(&self, now: Timestamp) -> u64 {
        let after = |last: u64| now.as_millis().max(last.saturating_add(1));
        let last = self.own.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| Some(after(last)));
        after(last.unwrap_or_else(|last| last))
    }

    pub(crate) fn newest(&self) -> &BTreeMap<MemberKey, VerifiedHeartbeat> {
        &self.newest
    }
}

impl<S: Storage, K: Keys> Driver<S, K> {
    /// An own heartbeat, ready for gossip (an encoded envelope). What it states of the own chain is durable; its digest may cover
    /// events of others that are about to be.
    ///
    /// # Errors
    /// [`WireError`] when `facts` break a bound.
    pub fn heartbeat(&self, now: Timestamp, facts: HeartbeatFacts) -> Result<Bytes, WireError> {
        let own = self.own();
        let heartbeat = Heartbeat {
            member: self.machine().member().clone(),
            epoch: own.epoch(),
            seq: own.newest(),
            time_ms: self.heartbeats.next(now),
            state_digest: self.machine().state_digest(),
            heads: facts.heads,
            pausable: facts.pausable,
            alarms: facts.alarms,
            submitter_balance: facts.submitter_balance,
        };
        let sign = |input: &[u8]| self.keys().sign(input);
        let sealed = SignedHeartbeat::seal(own.author(), own.network(), &heartbeat, sign)?;
        Ok(Envelope::Heartbeat(sealed.bytes().clone()).encode())
    }
}
