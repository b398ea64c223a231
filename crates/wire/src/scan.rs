//! Finds the body of an event among its top-level protobuf fields, known or not (prost drops fields it does not know).

use bytes::Bytes;

use crate::error::WireError;

/// Fields from this number on are bodies.
pub(crate) const FIRST_BODY: u32 = 16;
/// Largest field number of protobuf.
const MAX_FIELD: u64 = (1 << 29) - 1;

/// The one body field of an encoded `Event`: its number and content.
///
/// # Errors
/// [`WireError::BrokenField`] for anything that is no sequence of fields (groups included), [`WireError::Bodies`] unless
/// exactly one body occurs exactly once.
pub(crate) fn body(event: &Bytes) -> Result<(u32, Bytes), WireError> {
    let mut at = 0;
    let mut body = None;
    while at < event.len() {
        let broken = WireError::BrokenField { offset: at };
        let Some((number, content, next)) = field(event, at) else { return Err(broken) };
        at = next;
        if number < FIRST_BODY {
            continue;
        }
        let Some((from, to)) = content else { return Err(broken) };
        if body.is_some() {
            return Err(WireError::Bodies { found: 2 });
        }
        body = Some((number, event.slice(from..to)));
    }
    body.ok_or(WireError::Bodies { found: 0 })
}

/// Number, content range if length-delimited, and where the next field begins.
type Field = (u32, Option<(usize, usize)>, usize);

fn field(bytes: &[u8], at: usize) -> Option<Field> {
    let (key, at) = varint(bytes, at)?;
    let number = key >> 3;
    if number == 0 || number > MAX_FIELD {
        return None;
    }
    let number = u32::try_from(number).ok()?;
    let (content, next) = match key & 7 {
        0 => (None, varint(bytes, at)?.1),
        1 => (None, at.checked_add(8)?),
        2 => {
            let (length, from) = varint(bytes, at)?;
            let to = from.checked_add(usize::try_from(length).ok()?)?;
            (Some((from, to)), to)
        }
        5 => (None, at.checked_add(4)?),
        _ => return None,
    };
    (next <= bytes.len()).then_some((number, content, next))
}

fn varint(bytes: &[u8], mut at: usize) -> Option<(u64, usize)> {
    let mut value = 0_u64;
    for shift in (0..70).step_by(7) {
        let byte = *bytes.get(at)?;
        at += 1;
        // The tenth byte has room for one bit.
        if shift == 63 && byte > 1 {
            return None;
        }
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some((value, at));
        }
    }
    None
}
