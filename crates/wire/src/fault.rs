//! Fault objects (proto/watchfire/v1/fault.proto): one file that convicts an author before anyone.

use bytes::Bytes;
use prost::Message;
use watchfire_types::NetworkId;
use watchfire_types::fault::{FalseHistory, FaultKind, FaultObject};

use crate::body::{checkpoint_fault_in, checkpoint_fault_out, fault_proof_in, fault_proof_out};
use crate::bounds::{MAX_FAULT_EVENTS, MAX_FAULT_FILE, MAX_SUBTREES};
use crate::error::WireError;
use crate::event::decode_nested;
use crate::field::{check_count, check_size, fixed, present, raw};
use crate::proto::{self, fault};

/// First line of a fault object's file.
pub const FAULT_HEADER: &[u8] = b"watchfire-fault/v1\n";

/// The whole file of a fault object.
#[must_use]
pub fn encode_fault(object: &FaultObject) -> Bytes {
    let kind = match &object.kind {
        FaultKind::Events(proof) => fault::Kind::Events(fault_proof_out(proof)),
        FaultKind::Checkpoints(checkpoints) => fault::Kind::Checkpoints(checkpoint_fault_out(checkpoints)),
        FaultKind::History(history) => fault::Kind::History(history_out(history)),
    };
    let message = proto::Fault { network_id: raw(object.network.as_bytes()), kind: Some(kind) };
    [FAULT_HEADER, &message.encode_to_vec()].concat().into()
}

/// Reads the whole file of a fault object. Decoded means well formed: whether it convicts is for the rules to say.
///
/// # Errors
/// [`WireError`]: no fault object, not canonical, or over a bound.
pub fn decode_fault(file: &Bytes) -> Result<FaultObject, WireError> {
    let message = "fault object";
    check_size(message, file.len(), MAX_FAULT_FILE)?;
    if !file.starts_with(FAULT_HEADER) {
        return Err(WireError::Missing { field: "first line of a fault object" });
    }
    let bytes = file.slice(FAULT_HEADER.len()..);
    let fault = proto::Fault::decode(bytes.clone()).map_err(|source| WireError::Malformed { message, source })?;
    if fault.encoded_len() != bytes.len() || fault.encode_to_vec() != bytes {
        return Err(WireError::NotCanonical { message });
    }
    Ok(FaultObject {
        network: NetworkId::from_bytes(fixed("fault.network_id", &fault.network_id)?),
        kind: match present("fault.kind", fault.kind)? {
            fault::Kind::Events(proof) => FaultKind::Events(fault_proof_in(proof)?),
            fault::Kind::Checkpoints(checkpoints) => FaultKind::Checkpoints(checkpoint_fault_in(checkpoints)?),
            fault::Kind::History(history) => FaultKind::History(history_in(history)?),
        },
    })
}

fn history_out(history: &FalseHistory) -> proto::FalseHistory {
    proto::FalseHistory {
        base: history.base.as_ref().map(|base| base.outer().clone()).unwrap_or_default(),
        subtrees: history.subtrees.iter().map(raw).collect(),
        events: history.events.iter().map(|event| event.outer().clone()).collect(),
        note: history.note.as_ref().map(checkpoint_fault_out),
    }
}

fn history_in(history: proto::FalseHistory) -> Result<FalseHistory, WireError> {
    check_count("false_history.subtrees", history.subtrees.len(), 0, MAX_SUBTREES)?;
    check_count("false_history.events", history.events.len(), 1, MAX_FAULT_EVENTS)?;
    let subtrees = history.subtrees.iter().map(|node| fixed("false_history.subtrees", node));
    Ok(FalseHistory {
        base: if history.base.is_empty() { None } else { Some(Box::new(decode_nested(history.base)?)) },
        subtrees: subtrees.collect::<Result<_, _>>()?,
        events: history.events.into_iter().map(decode_nested).collect::<Result<_, _>>()?,
        note: history.note.map(checkpoint_fault_in).transpose()?,
    })
}
