//! Checked conversions of single fields.

use std::str::FromStr;

use alloy_primitives::{Address, B256, U256};
use bytes::Bytes;
use watchfire_types::StepIndex;
use watchfire_types::id::IdError;

use crate::error::WireError;

pub(crate) fn fixed<const N: usize>(field: &'static str, bytes: &[u8]) -> Result<[u8; N], WireError> {
    bytes.try_into().map_err(|_| WireError::Length { field, expected: N, found: bytes.len() })
}

pub(crate) fn hash(field: &'static str, bytes: &[u8]) -> Result<B256, WireError> {
    fixed(field, bytes).map(B256::new)
}

pub(crate) fn address(field: &'static str, bytes: &[u8]) -> Result<Address, WireError> {
    fixed(field, bytes).map(Address::new)
}

pub(crate) fn word(field: &'static str, bytes: &[u8]) -> Result<U256, WireError> {
    fixed::<32>(field, bytes).map(U256::from_be_bytes)
}

pub(crate) fn half_word(field: &'static str, bytes: &[u8]) -> Result<u128, WireError> {
    fixed(field, bytes).map(u128::from_be_bytes)
}

pub(crate) fn name<T: FromStr<Err = IdError>>(field: &'static str, text: &str) -> Result<T, WireError> {
    text.parse().map_err(|source| WireError::Name { field, source })
}

pub(crate) fn text(field: &'static str, text: String, limit: usize) -> Result<String, WireError> {
    check_length(field, text.len(), limit)?;
    Ok(text)
}

pub(crate) fn step(field: &'static str, number: u32) -> Result<StepIndex, WireError> {
    match u8::try_from(number) {
        Ok(step) if step > 0 => Ok(StepIndex::new(step)),
        Ok(_) | Err(_) => Err(WireError::Range { field, found: number.into() }),
    }
}

pub(crate) fn present<T>(field: &'static str, value: Option<T>) -> Result<T, WireError> {
    value.ok_or(WireError::Missing { field })
}

pub(crate) fn check_length(field: &'static str, found: usize, limit: usize) -> Result<(), WireError> {
    if found <= limit { Ok(()) } else { Err(WireError::TooLong { field, found, limit }) }
}

pub(crate) fn check_count(field: &'static str, found: usize, least: usize, limit: usize) -> Result<(), WireError> {
    if (least..=limit).contains(&found) { Ok(()) } else { Err(WireError::Count { field, found, least, limit }) }
}

pub(crate) fn check_ascending<T: PartialOrd>(field: &'static str, values: &[T]) -> Result<(), WireError> {
    if values.windows(2).all(|pair| pair[0] < pair[1]) { Ok(()) } else { Err(WireError::NotAscending { field }) }
}

pub(crate) fn check_size(message: &'static str, found: usize, limit: usize) -> Result<(), WireError> {
    if found <= limit { Ok(()) } else { Err(WireError::TooLarge { message, found, limit }) }
}

pub(crate) fn raw<const N: usize>(bytes: &[u8; N]) -> Bytes {
    Bytes::copy_from_slice(bytes)
}
