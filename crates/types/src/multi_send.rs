//! The call data of Safe's `multiSend(bytes)`: several calls in one transaction.
//!
//! Source: Safe `MultiSendCallOnly.sol`. Charters are measured by it and effects are made with it, so that what was measured is what is signed.

use alloy_primitives::{Address, U256};

use crate::Bytes;

/// `multiSend(bytes)`.
pub const MULTI_SEND: [u8; 4] = [0x8d, 0x80, 0xff, 0x0a];

/// `multiSend(bytes)` over `operation (0) || to || value (0) || length || data` for each (to, data) of `calls`.
pub fn pack<'a>(calls: impl IntoIterator<Item = (Address, &'a [u8])>) -> Bytes {
    let mut inner = Vec::new();
    for (to, data) in calls {
        inner.push(0);
        inner.extend_from_slice(to.as_slice());
        inner.extend_from_slice(&[0; 32]);
        inner.extend_from_slice(&U256::from(data.len()).to_be_bytes::<32>());
        inner.extend_from_slice(data);
    }
    let mut data = MULTI_SEND.to_vec();
    data.extend_from_slice(&U256::from(32).to_be_bytes::<32>());
    data.extend_from_slice(&U256::from(inner.len()).to_be_bytes::<32>());
    data.extend_from_slice(&inner);
    data.resize(data.len() + (32 - inner.len() % 32) % 32, 0);
    data.into()
}

/// One call in a packed batch, as it stands there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// 0 call, 1 delegate call; MultiSend takes both, MultiSendCallOnly reverts at any but 0.
    pub operation: u8,
    /// Target.
    pub to: Address,
    /// Wei.
    pub value: U256,
    /// Call data.
    pub data: Bytes,
}

/// The calls of a batch, whoever packed it; `None` for call data that is none. What stands behind the batch is not looked at, as the contract does not.
#[must_use]
pub fn parts(data: &[u8]) -> Option<Vec<Part>> {
    let rest = data.strip_prefix(&MULTI_SEND)?;
    // The batch is the only argument, wherever its head says that it begins.
    let at = usize::try_from(U256::from_be_slice(rest.get(..32)?)).ok()?;
    let (length, rest) = rest.get(at..)?.split_at_checked(32)?;
    let length = usize::try_from(U256::from_be_slice(length)).ok()?;
    let mut inner = rest.get(..length)?;
    let mut parts = Vec::new();
    while !inner.is_empty() {
        let (call, rest) = inner.split_at_checked(85)?;
        let (to, value) = (Address::from_slice(call.get(1..21)?), U256::from_be_slice(call.get(21..53)?));
        let length = usize::try_from(U256::from_be_slice(call.get(53..85)?)).ok()?;
        let (data, rest) = rest.split_at_checked(length)?;
        parts.push(Part { operation: *call.first()?, to, value, data: Bytes::copy_from_slice(data) });
        inner = rest;
    }
    Some(parts)
}

/// The (to, data) of each call, of call data as [`pack`] makes it; `None` for any other.
#[must_use]
pub fn unpack(data: &[u8]) -> Option<Vec<(Address, Bytes)>> {
    let calls: Vec<_> = parts(data)?.into_iter().map(|part| (part.to, part.data)).collect();
    let packed = pack(calls.iter().map(|(to, data)| (*to, data.as_ref())));
    (packed == data).then_some(calls)
}
