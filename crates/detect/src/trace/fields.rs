//! Fields of a call as the tracers write them: hex with 0x, absent, null, or a plain number.

use alloy_primitives::{Address, B256, U256};

use super::fault::{Places, TraceFault};
use super::tree::DATA_BYTES_MAX;
use crate::json::{Kind, Value};

/// Reads fields, and says where one is wrong.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fields<'a> {
    /// Of the whole text.
    pub(super) places: &'a Places<'a>,
}

impl Fields<'_> {
    /// The fault of a field.
    pub(super) fn fault(self, value: Value<'_>, field: &'static str, wants: &'static str) -> TraceFault {
        let (line, column) = self.places.at(value.at());
        TraceFault::Field { line, column, field, wants }
    }

    /// The fault of a shape.
    pub(super) fn shape(self, value: Value<'_>, found: &'static str) -> TraceFault {
        let (line, column) = self.places.at(value.at());
        TraceFault::Shape { line, column, found }
    }

    /// The account of a field; zero when absent or null.
    pub(super) fn address(
        self,
        object: Option<Value<'_>>,
        names: &[&str],
        field: &'static str,
    ) -> Result<Address, TraceFault> {
        let Some(value) = object.and_then(|object| object.any(names)) else { return Ok(Address::ZERO) };
        let parsed = value.text().filter(|text| text.len() <= 42).map(str::parse);
        match parsed {
            Some(Ok(address)) => Ok(address),
            _ => Err(self.fault(value, field, "0x and 40 hex digits")),
        }
    }

    /// The number of a field; zero when absent or null.
    pub(super) fn number(self, object: Option<Value<'_>>, field: &'static str) -> Result<U256, TraceFault> {
        let Some(value) = object.and_then(|object| object.get(field)) else { return Ok(U256::ZERO) };
        let wants = "a number below 2^256, hex with 0x or decimal";
        let text = std::str::from_utf8(value.bytes()).unwrap_or_default();
        let parsed = match (value.kind(), text.strip_prefix("0x")) {
            (Kind::Text, Some("")) => Some(U256::ZERO),
            (Kind::Text, Some(hex)) if hex.bytes().all(|byte| byte.is_ascii_hexdigit()) => {
                U256::from_str_radix(hex, 16).ok()
            }
            (Kind::Text | Kind::Number, None) if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) => {
                U256::from_str_radix(text, 10).ok()
            }
            _ => None,
        };
        parsed.ok_or_else(|| self.fault(value, field, wants))
    }

    /// The first bytes of a field; none when absent or null.
    pub(super) fn data(
        self,
        object: Option<Value<'_>>,
        names: &[&str],
        field: &'static str,
    ) -> Result<Vec<u8>, TraceFault> {
        let Some(value) = object.and_then(|object| object.any(names)) else { return Ok(Vec::new()) };
        self.bytes(value).ok_or_else(|| self.fault(value, field, "0x and hex digits"))
    }

    fn bytes(self, value: Value<'_>) -> Option<Vec<u8>> {
        if value.kind() != Kind::Text {
            return None;
        }
        let digits = value.bytes();
        let digits = digits.strip_prefix(b"0x").unwrap_or(digits);
        if !digits.len().is_multiple_of(2) {
            return None;
        }
        let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        let pair = |pair: &[u8]| Some(digit(pair[0])? << 4 | digit(pair[1])?);
        digits.chunks_exact(2).take(DATA_BYTES_MAX).map(pair).collect()
    }

    /// The 32 bytes of a value, if they are that.
    pub(super) fn hash(self, value: Value<'_>) -> Option<B256> {
        let text = value.text().filter(|text| text.len() == 66)?;
        text.parse().ok()
    }
}
