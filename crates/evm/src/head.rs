//! A block header as a node sent it, believed only if it hashes to the hash it came with.

use alloy::rpc::types::Header;
use alloy_primitives::{B256, Bloom};
use watchfire_types::{BlockRef, BlockTime, ChainId};

use crate::error::RpcError;

/// A header that recomputes to its hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) block: BlockRef,
    pub(crate) parent: B256,
    pub(crate) base_fee: Option<u128>,
    pub(crate) receipts_root: B256,
    pub(crate) bloom: Bloom,
}

impl Head {
    /// The header, checked: `header.hash_slow()` is the hash that the node states.
    pub(crate) fn check(chain: ChainId, header: &Header) -> Result<Self, RpcError> {
        let computed = header.inner.hash_slow();
        if computed != header.hash {
            let text = format!("header of block {} hashes to {computed}, not to {}", header.inner.number, header.hash);
            return Err(RpcError::Garbage(text));
        }
        Ok(Self {
            block: BlockRef {
                chain,
                number: header.inner.number,
                hash: computed,
                time: BlockTime::from_secs(header.inner.timestamp),
            },
            parent: header.inner.parent_hash,
            base_fee: header.inner.base_fee_per_gas.map(u128::from),
            receipts_root: header.inner.receipts_root,
            bloom: header.inner.logs_bloom,
        })
    }
}
