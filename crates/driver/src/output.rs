//! What one turn releases.

use std::collections::{BTreeMap, BTreeSet};

use watchfire_protocol::Rejection;
use watchfire_types::body::{Announced, Submitted};
use watchfire_types::duty::{Duty, Page};
use watchfire_types::{
    Address, AssetId, BlockRef, Bytes, ChainId, Event, EventHash, MemberId, MemberKey, Verdict, Verified,
};
use watchfire_wire::{VerifiedHeartbeat, WireError};

use crate::door::Refusal;
use crate::guard::Violation;
use crate::keys::KeyError;

/// Everything that may leave the node after one turn. Own events, and all that rests on them, are covered by a sync; others'
/// events may be counted before theirs, since a node that forgets them asks for them again.
#[derive(Debug, Default)]
pub struct Output {
    /// Gossip messages to publish, ready to send (encoded envelopes around the own new events).
    pub publish: Vec<Bytes>,
    /// One verdict for each [`crate::Door::Gossip`], in order, with the reason where nothing changed.
    pub verdicts: Vec<(u64, Verdict, Option<Refusal>)>,
    /// The whole current set of duties.
    pub duties: BTreeSet<Duty>,
    /// Pages that did not stand after the turn before.
    pub pages: Vec<Page>,
    /// Where the windows of each asset's detectors start at the earliest.
    pub window_floors: BTreeMap<AssetId, BlockRef>,
    /// Planned changes about which this node's detectors are quiet.
    pub announced: Vec<Announced>,
    /// Submissions announced as `Sending` that are now durable: these may leave, and no others.
    pub released: Vec<Submitted>,
    /// Own and others' events that a sync made durable in this turn, in log order; applied by this turn or one shortly before.
    pub appended: Vec<Verified<Event>>,
    /// Heartbeats that this turn took: newer than the one held of the same author. Outside the log.
    pub heartbeats: Vec<VerifiedHeartbeat>,
    /// One answer for each [`crate::Door::Input`], in order.
    pub answers: Vec<Answer>,
    /// One for each [`crate::Door::CaughtUp`], [`crate::Door::Checked`] and [`crate::Door::Witnesses`], in order.
    pub caught_up: Vec<CaughtUp>,
    /// What people should hear about.
    pub notices: Vec<Notice>,
}

/// What an input itself led to; what it made owed is in the rest of the output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Index of the input among everything at the door of this turn.
    pub door: usize,
    /// Own events that it authored (a human's act, an announced submission), or why it was refused.
    pub result: Result<Vec<EventHash>, Rejection>,
}

/// What a catch-up response led to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaughtUp {
    /// Who answered.
    pub from: MemberKey,
    /// Events taken.
    pub taken: usize,
    /// Events held already.
    pub held: usize,
    /// Events refused.
    pub refused: usize,
    /// Why: the first reason that speaks against the answering member, if one does, else the last one.
    pub reason: Option<Refusal>,
}

impl CaughtUp {
    /// Whether the answer held what every honest node refuses from the bytes alone: an honest member never serves that.
    #[must_use]
    pub fn is_garbage(&self) -> bool {
        self.reason.as_ref().is_some_and(|reason| reason.verdict() == Verdict::Reject)
    }

    pub(crate) fn note(&mut self, refusal: Refusal) {
        if !self.is_garbage() {
            self.reason = Some(refusal);
        }
    }
}

/// Something that did not go as it should, without stopping the node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// The guardian key gave no signature; it is asked again at the next change.
    KeyRefused {
        /// Chain.
        chain: ChainId,
        /// Safe.
        safe: Address,
        /// Why.
        cause: KeyError,
    },
    /// An own event breaks a bound of the wire format and was not made.
    Unsealable {
        /// Its body's kind.
        kind: &'static str,
        /// Why.
        cause: WireError,
    },
    /// A fact about the own log does not hold: no vote and no signature is made until the node is restarted and looked at.
    SigningStopped {
        /// Which.
        violation: Violation,
    },
    /// A checkpoint of another member does not extend what this node cosigned of it, and was not cosigned.
    NotWitnessed {
        /// Whose.
        member: MemberId,
        /// Its leaves.
        size: u64,
    },
    /// Somebody signs with this node's key what its log does not say: the key is out.
    OwnKeyElsewhere {
        /// Leaves of the checkpoint that was signed.
        size: u64,
    },
    /// The protocol still had something to author after the bound of rounds; it goes on at the next turn.
    Unsettled {
        /// Rounds made.
        rounds: usize,
    },
}
