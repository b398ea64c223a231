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
