//! A block's receipts from an operator that gives them one at a time only.

use alloy_primitives::B256;
use bytes::Bytes;
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;
use watchfire_types::BlockRef;

use super::check::opened;
use super::{RawFault, RawRequest};

/// Most transactions of a block whose receipts are asked for one by one.
pub const SINGLE_RECEIPTS_MAX: usize = crate::receipts::TRANSACTIONS_MAX;
/// How a receipt is asked for alone.
pub const SINGLE_RECEIPT: &str = "eth_getTransactionReceipt";

#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(borrow)]
    result: &'a RawValue,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Place {
    block_hash: B256,
}

/// The question for one receipt.
#[must_use]
pub fn single_receipt(transaction: &B256) -> RawRequest {
    RawRequest::new(SINGLE_RECEIPT, &json!([transaction]))
}

/// The result of an answer, byte for byte.
///
/// # Errors
/// [`RawFault::Refused`] where there is none.
pub fn result(answer: &[u8]) -> Result<Bytes, RawFault> {
    let unreadable = |error: serde_json::Error| RawFault::Refused(crate::rpc::cut(&error.to_string()));
    let Answer { result } = serde_json::from_slice(answer).map_err(unreadable)?;
    Ok(Bytes::copy_from_slice(result.get().as_bytes()))
}

/// These results as the one of a whole block: `{"result":[..]}` with each as it came, a comma between two and nothing else.
#[must_use]
pub fn together(results: &[Bytes]) -> Bytes {
    [br#"{"result":["#, results.join(&b',').as_slice(), b"]}"].concat().into()
}

/// Whether every receipt says that it is of this block: a transaction may have come into another one meanwhile.
#[must_use]
pub fn are_of(receipts: &[u8], block: &BlockRef) -> bool {
    opened::<Vec<Place>>(receipts).is_ok_and(|places| places.iter().all(|place| place.block_hash == block.hash))
}
