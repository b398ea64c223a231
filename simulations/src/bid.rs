//! What a transaction bids, and when one bid is a bump of another: the same judgement for the live drill and the simulator.

use alloy_primitives::B256;

/// A bid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bid {
    /// Transaction.
    pub(crate) hash: B256,
    /// Fee cap, wei per gas.
    pub(crate) max_fee: u128,
    /// Tip, wei per gas.
    pub(crate) tip: u128,
}

impl Bid {
    /// At least 12.5 % more on both fields.
    fn tops(&self, before: &Self) -> bool {
        let more = |new: u128, old: u128| new.saturating_mul(8) >= old.saturating_mul(9);
        more(self.max_fee, before.max_fee) && more(self.tip, before.tip)
    }
}

/// Whether `included` replaced an earlier bid and every bid up to it topped the one before; `bids` are those of one account and nonce,
/// each once, in the order in which they were sent.
pub(crate) fn bumped(bids: &[Bid], included: B256) -> bool {
    let Some(last) = bids.iter().position(|bid| bid.hash == included) else { return false };
    last > 0 && bids[..=last].windows(2).all(|pair| pair[1].tops(&pair[0]))
}

#[cfg(test)]
mod tests;
