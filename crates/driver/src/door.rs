//! What reaches a node between two turns, and why it is turned away.

use thiserror::Error;
use watchfire_protocol::Rejection;
use watchfire_types::input::Input;
use watchfire_types::{Bytes, MemberKey, Verdict, VerifyError};
use watchfire_wire::{HeartbeatError, WireError};

use crate::witness::WitnessRefusal;

use crate::verifier::CheckedAnswer;

/// One thing at the door.
#[derive(Debug, Clone)]
pub enum Door {
    /// A gossip message (an encoded envelope); answered by a verdict under the same id.
    Gossip {
        /// The message's id at the gossip side.
        id: u64,
        /// The whole message.
        bytes: Bytes,
    },
    /// Events that a member answered to a catch-up request; each is verified on its own, here, on all cores. Answered by
    /// [`crate::CaughtUp`].
    CaughtUp {
        /// Who answered.
        from: MemberKey,
        /// Outer bytes.
        events: Vec<Bytes>,
    },
    /// The same, verified beside the driver by a [`crate::Verifier`]. Answered by [`crate::CaughtUp`].
    Checked(CheckedAnswer),
    /// Witness messages that came beside such an answer; each is checked on its own. Answered by [`crate::CaughtUp`] too.
    Witnesses {
        /// Who answered.
        from: MemberKey,
        /// Signed checkpoints with one witness's line each.
        messages: Vec<Bytes>,
    },
    /// The node's own view, humans and clock; answered by [`crate::Answer`]. `Input::Received` is not for callers: it is
    /// refused, since received events come as bytes.
    Input(Input),
}

/// Why something at the door changed nothing.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Refusal {
    /// No message of this protocol.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// The event's signature does not hold here.
    #[error(transparent)]
    Signature(#[from] VerifyError),
    /// The heartbeat's signature does not hold here.
    #[error(transparent)]
    Heartbeat(#[from] HeartbeatError),
    /// A heartbeat of nobody in the charter, under another member's name, older than the one held, or from more than 60 s ahead.
    #[error("heartbeat of {author}: {why}")]
    StaleHeartbeat {
        /// Author.
        author: MemberKey,
        /// Which.
        why: &'static str,
    },
    /// What a witness message breaks.
    #[error(transparent)]
    Witness(#[from] WitnessRefusal),
    /// More than half of an answer of 64 events or more says again what it said.
    #[error("more than half of the answer repeats itself")]
    Repeats,
    /// The disk is full, and what room is left is for what this node says itself. It comes again by catch-up.
    #[error("the log has no room: the disk is full; free space on it")]
    NoRoom,
    /// The protocol's reason.
    #[error(transparent)]
    Protocol(#[from] Rejection),
}

impl Refusal {
    /// What it means for the peer that forwarded the message. `Reject` only where every honest node refuses the bytes alone.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        match self {
            Self::Wire(_) | Self::Signature(_) | Self::Heartbeat(_) | Self::Repeats => Verdict::Reject,
            Self::Protocol(rejection) => rejection.verdict(),
            Self::Witness(refusal) => refusal.verdict(),
            Self::StaleHeartbeat { .. } | Self::NoRoom => Verdict::Ignore,
        }
    }
}
