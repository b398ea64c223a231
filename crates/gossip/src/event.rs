//! What the network tells the node.

use bytes::Bytes;
use libp2p::request_response::{InboundRequestId, ResponseChannel};
use watchfire_types::MemberKey;

use crate::codec::Response;
use crate::error::{CatchUpError, DialCause};

/// Something that happened. The receiver holds [`EVENTS_MAX`](crate::config::limits::EVENTS_MAX); while it is full the network is not read.
#[derive(Debug)]
pub enum GossipEvent {
    /// This node listens here; one event per address, with the port that the system chose.
    Listening(String),
    /// A listener ended after it had worked. The node is reachable at fewer addresses, or only by its own dialling.
    ListenerLost {
        /// What it listened on.
        addresses: Vec<String>,
        /// Why it ended.
        problem: String,
    },
    /// A member joined the topic: what is published from now on reaches it. Ask it for what was missed.
    Connected(MemberKey),
    /// The last connection with a connected member ended. It is dialled again by itself.
    Disconnected(MemberKey),
    /// A member could not be reached; told when the cause changes. It is dialled again by itself.
    DialFailed {
        /// Who.
        member: MemberKey,
        /// Why.
        cause: DialCause,
    },
    /// Addresses of a member cannot be used and are left out; the others are dialled. Told once, at the start.
    Undialable {
        /// Who.
        member: MemberKey,
        /// Each address with what is wrong with it.
        problems: Vec<String>,
    },
    /// A message not seen in the last [`DUPLICATE_CACHE`](crate::config::limits::DUPLICATE_CACHE). Give its verdict by `id`: until then it is not forwarded.
    Message {
        /// This process's number for the message.
        id: u64,
        /// Who handed it over; not who wrote it.
        from: MemberKey,
        /// At most [`MESSAGE_BYTES_MAX`](crate::config::limits::MESSAGE_BYTES_MAX) bytes, unread.
        bytes: Bytes,
    },
    /// A member asks what it missed. At most one per member is under way.
    CatchUpRequest {
        /// Who asks.
        from: MemberKey,
        /// The question, unread, at most [`CATCH_UP_REQUEST_BYTES_MAX`](crate::config::limits::CATCH_UP_REQUEST_BYTES_MAX).
        bytes: Bytes,
        /// What [`Handle::reply`](crate::Handle::reply) needs. Dropped without a reply, the asker is told at once that there is none.
        reply: ReplyToken,
    },
    /// The answer to [`Handle::request_catch_up`](crate::Handle::request_catch_up): exactly one per question that was not merged into one under way.
    CatchUpResponse {
        /// Who was asked.
        from: MemberKey,
        /// The answer, unread, at most [`CATCH_UP_RESPONSE_BYTES_MAX`](crate::config::limits::CATCH_UP_RESPONSE_BYTES_MAX); or why there is none.
        result: Result<Bytes, CatchUpError>,
    },
    /// A member asks for a stretch of an evidence object. At most one per member is under way; bounded as catch-up is.
    EvidenceRequest {
        /// Who asks.
        from: MemberKey,
        /// The question, unread.
        bytes: Bytes,
        /// What [`Handle::reply`](crate::Handle::reply) needs. Dropped without a reply, the asker is told at once that there is none.
        reply: ReplyToken,
    },
    /// The answer to [`Handle::request_evidence`](crate::Handle::request_evidence): exactly one per question that was not merged into one under way.
    EvidenceResponse {
        /// Who was asked.
        from: MemberKey,
        /// The answer, unread: whether it is what was asked for only its digest tells; or why there is none.
        result: Result<Bytes, CatchUpError>,
    },
}

/// Which of the two question-and-answer protocols.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lane {
    CatchUp,
    Evidence,
}

/// The right to answer one request, once.
#[derive(Debug)]
pub struct ReplyToken {
    pub(crate) lane: Lane,
    pub(crate) request: InboundRequestId,
    pub(crate) channel: ResponseChannel<Response>,
}
