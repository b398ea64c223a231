//! Catch-up: what one member holds, and the events that it lacks.

use bytes::Bytes;
use prost::Message;
use watchfire_types::{Epoch, EventHash, MemberKey, Seq};

use crate::bounds::{MAX_CATCH_UP_REQUEST, MAX_CATCH_UP_RESPONSE, MAX_EVENT, MAX_POSITIONS, MAX_RESPONSE_EVENTS};
use crate::error::WireError;
use crate::field::{check_ascending, check_count, check_size, fixed, raw};
use crate::proto;

/// Newest event held without gaps of one (author, epoch).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct EpochPosition {
    /// Author.
    pub author: MemberKey,
    /// Epoch.
    pub epoch: Epoch,
    /// Position.
    pub seq: Seq,
    /// Hash of the event there.
    pub hash: EventHash,
}

/// An edge between chains, in their order by (author, epoch).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ChainBound {
    /// Author.
    pub author: MemberKey,
    /// Epoch.
    pub epoch: Epoch,
}

/// Asks for every event within a stretch of chains that the sender does not hold; chains of the stretch that are not listed
/// are wanted from their start.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CatchUpRequest {
    /// At most [`MAX_POSITIONS`], strictly ascending by (author, epoch).
    pub vector: Vec<EpochPosition>,
    /// The stretch begins with this chain; `None` = with the first.
    pub from: Option<ChainBound>,
    /// The stretch ends before this chain; `None` = with the last.
    pub until: Option<ChainBound>,
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CatchUpResponse {
    /// Outer bytes, each chain in ascending order; at most [`MAX_RESPONSE_EVENTS`] of at most [`MAX_EVENT`] bytes, and
    /// [`MAX_CATCH_UP_RESPONSE`] bytes altogether. Not decoded yet.
    pub events: Vec<Bytes>,
    /// Nothing further to send for this request.
    pub complete: bool,
}

impl CatchUpRequest {
    /// The encoded request.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let position = |position: &EpochPosition| proto::EpochPosition {
            author: raw(position.author.as_bytes()),
            epoch: raw(position.epoch.as_bytes()),
            seq: position.seq.get(),
            hash: raw(position.hash.as_bytes()),
        };
        let bound = |bound: ChainBound| proto::ChainBound {
            author: raw(bound.author.as_bytes()),
            epoch: raw(bound.epoch.as_bytes()),
        };
        let vector = self.vector.iter().map(position).collect();
        proto::CatchUpRequest { vector, from: self.from.map(bound), until: self.until.map(bound) }
            .encode_to_vec()
            .into()
    }

    /// Decodes a request.
    ///
    /// # Errors
    /// [`WireError`] when it is malformed, over a bound or not ascending.
    pub fn decode(bytes: Bytes) -> Result<Self, WireError> {
        let message = "catch-up request";
        check_size(message, bytes.len(), MAX_CATCH_UP_REQUEST)?;
        let request =
            proto::CatchUpRequest::decode(bytes).map_err(|source| WireError::Malformed { message, source })?;
        check_count("catch_up_request.vector", request.vector.len(), 0, MAX_POSITIONS)?;
        let position = |position: &proto::EpochPosition| {
            Ok(EpochPosition {
                author: MemberKey::from_bytes(fixed("catch_up_request.author", &position.author)?),
                epoch: Epoch::from_bytes(fixed("catch_up_request.epoch", &position.epoch)?),
                seq: Seq::new(position.seq),
                hash: EventHash::from_bytes(fixed("catch_up_request.hash", &position.hash)?),
            })
        };
        let vector: Vec<EpochPosition> = request.vector.iter().map(position).collect::<Result<_, WireError>>()?;
        let chains: Vec<_> = vector.iter().map(|position| (position.author, position.epoch)).collect();
        check_ascending("catch_up_request.vector", &chains)?;
        let bound = |bound: Option<proto::ChainBound>| bound.as_ref().map(bound_in).transpose();
        Ok(Self { vector, from: bound(request.from)?, until: bound(request.until)? })
    }
}

fn bound_in(bound: &proto::ChainBound) -> Result<ChainBound, WireError> {
    Ok(ChainBound {
        author: MemberKey::from_bytes(fixed("catch_up_request.bound.author", &bound.author)?),
        epoch: Epoch::from_bytes(fixed("catch_up_request.bound.epoch", &bound.epoch)?),
    })
}

impl CatchUpResponse {
    /// The encoded response.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let response = proto::CatchUpResponse { events: self.events.clone(), complete: self.complete };
        response.encode_to_vec().into()
    }

    /// Bytes that one event adds to an encoded response, so that a sender can stay within [`MAX_CATCH_UP_RESPONSE`].
    #[must_use]
    pub fn cost(event: &Bytes) -> usize {
        // Key and length take at most 1 + 3 bytes within MAX_EVENT.
        event.len() + 4
    }

    /// Decodes a response; its events are not looked at.
    ///
    /// # Errors
    /// [`WireError`] when it is malformed or over a bound.
    pub fn decode(bytes: Bytes) -> Result<Self, WireError> {
        let message = "catch-up response";
        check_size(message, bytes.len(), MAX_CATCH_UP_RESPONSE)?;
        let response =
            proto::CatchUpResponse::decode(bytes).map_err(|source| WireError::Malformed { message, source })?;
        check_count("catch_up_response.events", response.events.len(), 0, MAX_RESPONSE_EVENTS)?;
        for event in &response.events {
            check_size("event in a catch-up response", event.len(), MAX_EVENT)?;
        }
        Ok(Self { events: response.events, complete: response.complete })
    }
}
