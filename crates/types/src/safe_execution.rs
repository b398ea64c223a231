//! What a Safe logs of each execution.

use alloy_primitives::{B256, b256};

/// keccak-256 of `ExecutionSuccess(bytes32,uint256)`.
pub const EXECUTION_SUCCESS: B256 = b256!("442e715f626346e8c54381002da614f62bee8d27386535b2521ec8540898556e");
/// keccak-256 of `ExecutionFailure(bytes32,uint256)`.
pub const EXECUTION_FAILURE: B256 = b256!("23428b18acfb3ea64b08dc0c1d296ea9c09702c09083ca5272e64d115b687d23");

/// The safeTxHash of the execution that a Safe's log tells of, and whether it succeeded; `None` of any other log. The hash is the first data word up to
/// 1.3.0 and 1.4.1, the first indexed topic from 1.5.0 on (and in some builds of 1.4).
#[must_use]
pub fn executed(topics: &[B256], data: &[u8]) -> Option<(B256, bool)> {
    let (topic, rest) = topics.split_first()?;
    let succeeded = *topic == EXECUTION_SUCCESS;
    let hash = match rest {
        _ if !succeeded && *topic != EXECUTION_FAILURE => None,
        [indexed] => Some(*indexed),
        [] => data.get(..32).map(B256::from_slice),
        _ => None,
    };
    hash.map(|hash| (hash, succeeded))
}
