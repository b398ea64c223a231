//! Protobuf (proto/watchfire/v1) to types and back.
//!
//! Promise: decoding any bytes ends in a value or a named [`WireError`], never in a panic; every size and count is bounded
//! ([`bounds`]); what is accepted as a signed event or envelope has exactly one encoding; signed bytes are kept verbatim
//! and never encoded again; nothing here can sign.
//!
//! Terms: *outer bytes* = an encoded `SignedEvent`, what is hashed, stored and forwarded; *event bytes* = its `event` field,
//! what is signed.

mod body;
pub mod bounds;
pub mod bundle;
mod catch_up;
mod common;
mod envelope;
mod error;
mod event;
mod fault;
mod field;
mod heartbeat;
mod proto;
mod pruned;
mod scan;

pub use bounds::{MAX_ENVELOPE, MAX_EVENT, MAX_PLAIN_EVENT};
pub use catch_up::{
    CatchUpRequest, CatchUpResponse, ChainBound, EpochPosition, PrunedChain, WitnessTag, WitnessWanted,
};
pub use envelope::Envelope;
pub use error::WireError;
pub use event::{decode_signed, seal};
pub use fault::{FAULT_HEADER, decode_fault, encode_fault};
pub use heartbeat::{HeartbeatError, SignedHeartbeat, VerifiedHeartbeat};
pub use pruned::{decode_pruned, encode_pruned};

#[cfg(test)]
mod tests;
