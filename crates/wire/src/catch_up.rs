//! Catch-up: what one member holds, and the events that it lacks.

use bytes::Bytes;
use prost::Message;
use watchfire_types::{Epoch, EventHash, MemberKey, Seq};

use crate::bounds::{
    MAX_CATCH_UP_REQUEST, MAX_CATCH_UP_RESPONSE, MAX_EVENT, MAX_POSITIONS, MAX_PRUNED_CHAINS, MAX_RESPONSE_EVENTS,
    MAX_VOTES, MAX_WITNESS, MAX_WITNESS_LINES, MAX_WITNESS_WANTED,
};
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
    /// Checkpoints of which the sender lacks witnesses; at most [`MAX_WITNESS_WANTED`].
    pub wanted: Vec<WitnessWanted>,
}

/// First bytes of a witness's key.
pub type WitnessTag = [u8; 8];

/// The newest checkpoint held of a chain, and who is known to have witnessed it or a later one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WitnessWanted {
    /// Author.
    pub author: MemberKey,
    /// Epoch.
    pub epoch: Epoch,
    /// Its size.
    pub size: u64,
    /// Whose lines are held; at most 64.
    pub held: Vec<WitnessTag>,
}

/// A chain whose beginning is not held any more by who answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct PrunedChain {
    /// Author.
    pub author: MemberKey,
    /// Epoch.
    pub epoch: Epoch,
    /// What is held without gaps begins here.
    pub before: Seq,
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CatchUpResponse {
    /// Outer bytes, each chain in ascending order; at most [`MAX_RESPONSE_EVENTS`] of at most [`MAX_EVENT`] bytes, and
    /// [`MAX_CATCH_UP_RESPONSE`] bytes altogether. Not decoded yet.
    pub events: Vec<Bytes>,
    /// Nothing further to send for this request.
    pub complete: bool,
    /// Chains whose beginning the asker lacks and the answerer pruned; at most [`MAX_PRUNED_CHAINS`].
    pub pruned: Vec<PrunedChain>,
    /// Witness messages; at most [`MAX_WITNESS_LINES`] of at most [`MAX_WITNESS`] bytes. Not looked at yet.
    pub witnesses: Vec<Bytes>,
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
        let wanted = self.wanted.iter().map(|wanted| proto::WitnessWanted {
            author: raw(wanted.author.as_bytes()),
            epoch: raw(wanted.epoch.as_bytes()),
            size: wanted.size,
            held: Bytes::copy_from_slice(wanted.held.as_flattened()),
        });
        let wanted = wanted.collect();
        proto::CatchUpRequest { vector, from: self.from.map(bound), until: self.until.map(bound), wanted }
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
        check_count("catch_up_request.wanted", request.wanted.len(), 0, MAX_WITNESS_WANTED)?;
        let wanted = request.wanted.iter().map(wanted_in).collect::<Result<_, WireError>>()?;
        Ok(Self { vector, from: bound(request.from)?, until: bound(request.until)?, wanted })
    }
}

fn wanted_in(wanted: &proto::WitnessWanted) -> Result<WitnessWanted, WireError> {
    let (held, rest) = wanted.held.as_chunks::<8>();
    if !rest.is_empty() {
        let found = wanted.held.len();
        return Err(WireError::Length { field: "witness_wanted.held", expected: found - rest.len(), found });
    }
    check_count("witness_wanted.held", held.len(), 0, MAX_VOTES)?;
    Ok(WitnessWanted {
        author: MemberKey::from_bytes(fixed("witness_wanted.author", &wanted.author)?),
        epoch: Epoch::from_bytes(fixed("witness_wanted.epoch", &wanted.epoch)?),
        size: wanted.size,
        held: held.to_vec(),
    })
}

fn pruned_in(pruned: &proto::PrunedChain) -> Result<PrunedChain, WireError> {
    if pruned.before == 0 {
        return Err(WireError::Range { field: "pruned_chain.before", found: 0 });
    }
    Ok(PrunedChain {
        author: MemberKey::from_bytes(fixed("pruned_chain.author", &pruned.author)?),
        epoch: Epoch::from_bytes(fixed("pruned_chain.epoch", &pruned.epoch)?),
        before: Seq::new(pruned.before),
    })
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
        let pruned = self.pruned.iter().map(|chain| proto::PrunedChain {
            author: raw(chain.author.as_bytes()),
            epoch: raw(chain.epoch.as_bytes()),
            before: chain.before.get(),
        });
        let response = proto::CatchUpResponse {
            events: self.events.clone(),
            complete: self.complete,
            pruned: pruned.collect(),
            witnesses: self.witnesses.clone(),
        };
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
        check_count("catch_up_response.pruned", response.pruned.len(), 0, MAX_PRUNED_CHAINS)?;
        check_count("catch_up_response.witnesses", response.witnesses.len(), 0, MAX_WITNESS_LINES)?;
        for message in &response.witnesses {
            check_size("witness message in a catch-up response", message.len(), MAX_WITNESS)?;
        }
        let pruned = response.pruned.iter().map(pruned_in).collect::<Result<_, WireError>>()?;
        Ok(Self { events: response.events, complete: response.complete, pruned, witnesses: response.witnesses })
    }
}
