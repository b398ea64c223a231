//! Signed events.

use bytes::{BufMut, Bytes, BytesMut};
use prost::Message;
use watchfire_types::event::Event;
use watchfire_types::planted::{Mutation, planted};
use watchfire_types::{Body, Epoch, EventHash, MemberKey, NetworkId, Seq, Timestamp, Unverified, domain, memory};

use crate::body::{self, Nesting};
use crate::bounds::{MAX_EVENT, MAX_PLAIN_EVENT};
use crate::error::WireError;
use crate::field::{check_size, fixed, present, raw};
use crate::proto;
use crate::scan::{self, FIRST_BODY};

/// Whether a body of this number is in proto/watchfire/v1/event.proto.
const fn is_known(number: u32) -> bool {
    matches!(number, FIRST_BODY..=44)
}

const CERTIFICATE: u32 = 20;
const FAULT_PROOF: u32 = 33;

/// Encodes an event, has its signing input (`domain::EVENT`, network, event bytes) signed, and returns the outer bytes
/// decoded again: so a value that breaks a bound is never published. `sign` is called at most once.
///
/// # Errors
/// The [`WireError`] with which every other node would refuse it; `sign` may have been called by then, but its signature
/// goes nowhere.
pub fn seal(event: &Event, sign: impl FnOnce(&[u8]) -> [u8; 64]) -> Result<Unverified, WireError> {
    let event_bytes = encode_event(event)?;
    // Bounds first: what cannot be sent is not signed.
    decode_event(&event_bytes, Nesting::Top)?;
    let signature = sign(&domain::signing_input(domain::EVENT, event.network, &event_bytes));
    let outer = proto::SignedEvent { event: event_bytes, signature: raw(&signature) }.encode_to_vec();
    decode_signed(outer.into())
}

/// Decodes outer bytes from anyone. The signature is not checked: see [`Unverified::verify`].
///
/// Bounded: [`MAX_EVENT`] bytes ([`MAX_PLAIN_EVENT`] unless a fault proof), and events inside a certificate or fault proof
/// are decoded one level deep: a certificate or fault proof *inside* another is kept as [`Body::Unknown`].
/// So are findings, classifications and statements of a severity or cause that only a later version knows.
///
/// # Errors
/// [`WireError`]: every honest node refuses these bytes.
pub fn decode_signed(outer: Bytes) -> Result<Unverified, WireError> {
    memory::decoded(outer, |outer| decode_at(outer, Nesting::Top))
}

pub(crate) fn decode_nested(outer: Bytes) -> Result<Unverified, WireError> {
    decode_at(outer, Nesting::Inside)
}

fn decode_at(outer: Bytes, nesting: Nesting) -> Result<Unverified, WireError> {
    let message = "signed event";
    check_size(message, outer.len(), MAX_EVENT)?;
    let signed =
        proto::SignedEvent::decode(outer.clone()).map_err(|source| WireError::Malformed { message, source })?;
    let canonical = signed.encoded_len() == outer.len() && signed.encode_to_vec() == outer;
    if !canonical && !planted(Mutation::TakesAnyForm) {
        return Err(WireError::NotCanonical { message });
    }
    let signature = fixed("signed_event.signature", &signed.signature)?;
    let (event, number) = decode_event(&signed.event, nesting)?;
    if number != FAULT_PROOF {
        check_size("signed event that is no fault proof", outer.len(), MAX_PLAIN_EVENT)?;
    }
    Ok(Unverified::from_wire(event, signed.event, signature, outer))
}

/// The event and the field number of its body.
fn decode_event(bytes: &Bytes, nesting: Nesting) -> Result<(Event, u32), WireError> {
    let (number, content) = scan::body(bytes)?;
    let opaque = nesting == Nesting::Inside && (number == CERTIFICATE || number == FAULT_PROOF);
    let source = |source| WireError::Malformed { message: "event", source };
    let event = proto::Event::decode(bytes.clone()).map_err(source)?;
    let body = if opaque || !is_known(number) {
        Body::Unknown(number, content)
    } else {
        let body = present("event.body", event.body)?;
        if body::from_later_version(&body) { Body::Unknown(number, content) } else { body::decode(body)? }
    };
    let event = Event {
        network: NetworkId::from_bytes(fixed("event.network_id", &event.network_id)?),
        author: MemberKey::from_bytes(fixed("event.author", &event.author)?),
        epoch: Epoch::from_bytes(fixed("event.epoch", &event.epoch)?),
        seq: Seq::new(event.seq),
        prev: EventHash::from_bytes(fixed("event.prev", &event.prev)?),
        time: Timestamp::from_millis(event.time_ms),
        body,
    };
    Ok((event, number))
}

fn encode_event(event: &Event) -> Result<Bytes, WireError> {
    let message = proto::Event {
        network_id: raw(event.network.as_bytes()),
        author: raw(event.author.as_bytes()),
        epoch: raw(event.epoch.as_bytes()),
        seq: event.seq.get(),
        prev: raw(event.prev.as_bytes()),
        time_ms: event.time.as_millis(),
        body: body::encode(&event.body),
    };
    let mut bytes = BytesMut::from(message.encode_to_vec().as_slice());
    if let Body::Unknown(number, content) = &event.body {
        if *number < FIRST_BODY || is_known(*number) || *number >= 1 << 29 {
            return Err(WireError::NotUnknown { number: *number });
        }
        let length = content.len() as u64;
        put_varint(&mut bytes, u64::from(*number) << 3 | 2);
        put_varint(&mut bytes, length);
        bytes.put_slice(content);
    }
    Ok(bytes.freeze())
}

fn put_varint(bytes: &mut BytesMut, mut value: u64) {
    while value >= 0x80 {
        bytes.put_u8((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    bytes.put_u8((value & 0x7f) as u8);
}
