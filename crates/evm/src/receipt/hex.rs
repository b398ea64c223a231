//! Bytes that stay the hex digits of the text they stand in: what most logs carry is hashed once and wanted by nobody.

use std::borrow::Cow;
use std::fmt;

use alloy_primitives::{Bytes, hex};
use alloy_rlp::{BufMut, Encodable, Header};
use serde::de::{Deserialize, Deserializer, Error, Visitor};

use super::Data;

/// Bytes decoded at a time.
const AT_ONCE: usize = 256;

/// An even number of hex digits, without their `0x`.
#[derive(Debug)]
pub(crate) struct Hex<'a>(Cow<'a, str>);

struct Digits;

fn digits<E: Error>(text: &str) -> Result<&str, E> {
    hex::check(text).map_err(E::custom)?;
    Ok(text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")).unwrap_or(text))
}

impl<'de> Visitor<'de> for Digits {
    type Value = Hex<'de>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("bytes as hex digits")
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Hex<'de>, E> {
        Ok(Hex(Cow::Borrowed(digits(text)?)))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Hex<'de>, E> {
        Ok(Hex(Cow::Owned(digits::<E>(text)?.to_owned())))
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Hex<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(Digits)
    }
}

impl Hex<'_> {
    /// Gives the bytes in parts of at most [`AT_ONCE`].
    fn parts(&self, mut take: impl FnMut(&[u8])) {
        for digits in self.0.as_bytes().chunks(2 * AT_ONCE) {
            let mut bytes = [0; AT_ONCE];
            let bytes = &mut bytes[..digits.len() / 2];
            // They were checked when the text was read.
            if hex::decode_to_slice(digits, bytes).is_ok() {
                take(bytes);
            }
        }
    }

    /// Whether it is a single byte that is its own encoding: one below 0x80.
    fn is_itself(&self) -> bool {
        self.0.len() == 2 && self.0.as_bytes()[0] < b'8'
    }
}

impl Encodable for Hex<'_> {
    fn encode(&self, out: &mut dyn BufMut) {
        if !self.is_itself() {
            Header { list: false, payload_length: self.0.len() / 2 }.encode(out);
        }
        self.parts(|bytes| out.put_slice(bytes));
    }

    fn length(&self) -> usize {
        let payload_length = self.0.len() / 2;
        let header = if self.is_itself() { 0 } else { Header { list: false, payload_length }.length() };
        header + payload_length
    }
}

impl Data for Hex<'_> {
    fn decoded(self) -> Bytes {
        let mut all = Vec::with_capacity(self.0.len() / 2);
        self.parts(|bytes| all.extend_from_slice(bytes));
        all.into()
    }
}

#[cfg(test)]
mod tests;
