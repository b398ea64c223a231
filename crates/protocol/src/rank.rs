//! Who sends first: an order over the guardians that nobody can choose and everybody can compute.

use alloy_primitives::{Address, B256};
use watchfire_types::{domain, sha256};

/// Position of `own` among `guardians`, by SHA-256(domain, Safe transaction hash, guardian address); `None` for a stranger.
/// A new nonce gives a new digest, so a dead submitter is not first twice in a row but by chance.
#[must_use]
pub fn rank<'a>(safe_tx_hash: B256, guardians: impl IntoIterator<Item = &'a Address>, own: Address) -> Option<u16> {
    let mut order: Vec<([u8; 32], Address)> =
        guardians.into_iter().map(|guardian| (key(safe_tx_hash, *guardian), *guardian)).collect();
    order.sort_unstable();
    order.dedup();
    let position = order.iter().position(|(_, guardian)| *guardian == own)?;
    u16::try_from(position).ok()
}

fn key(safe_tx_hash: B256, guardian: Address) -> [u8; 32] {
    sha256(&[domain::RANK, safe_tx_hash.as_slice(), guardian.as_slice()])
}
