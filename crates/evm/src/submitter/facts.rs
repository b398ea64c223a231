//! What a bid is made from, out of what several operators say: no one of them can stop or spoil it while k tell the truth.
//! Pure.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use watchfire_types::OperatorId;

#[cfg(test)]
mod tests;

/// What is needed to make a bid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Facts {
    /// Next nonce of the gas payer, mined transactions only: the highest that k operators have reached.
    pub(super) account_nonce: u64,
    /// Its balance, wei, saturated: the most that k operators vouch for.
    pub(super) balance: u128,
    /// High percentile of recent tips, wei per gas: the median of what the operators report.
    pub(super) tip: u128,
    /// Gas estimate, or what it reverted with.
    pub(super) gas: Estimate,
    /// The lowest estimate of any operator: one that sees it fit under the chain's cap is worth a try, which costs gas and no more.
    pub(super) gas_least: Option<u64>,
}

/// The gas estimate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Estimate {
    /// The highest that k operators do not exceed alone: a low one would run out of gas, a high one out of funds.
    Gas(u64),
    /// k operators, and more than can estimate it, say that it reverts with this.
    Reverts(Bytes),
    /// Too few could estimate; sent with a round figure, because an estimate is not worth a block.
    Unknown,
}

/// What one endpoint answered; `None` where it did not.
#[derive(Debug, Clone, Default)]
pub(super) struct Said {
    pub(super) nonce: Option<u64>,
    pub(super) balance: Option<u128>,
    pub(super) tip: Option<u128>,
    pub(super) gas: Option<Result<u64, Bytes>>,
}

/// Whether waiting for more answers changes little: k operators say the same nonce, and k estimate or agree on a revert.
pub(super) fn settled(heard: &[(OperatorId, Said)], agree: usize) -> bool {
    let mut nonces: BTreeMap<u64, BTreeSet<&OperatorId>> = BTreeMap::new();
    for (operator, said) in heard {
        if let Some(nonce) = said.nonce {
            nonces.entry(nonce).or_default().insert(operator);
        }
    }
    nonces.values().any(|operators| operators.len() >= agree) && estimate(heard, agree) != Estimate::Unknown
}

/// The facts, or `None` if nobody knows the account's nonce.
pub(super) fn weigh(heard: &[(OperatorId, Said)], agree: usize) -> Option<Facts> {
    let account_nonce = vouched(&claims(heard, |said| said.nonce), agree)?;
    let balance = vouched(&claims(heard, |said| said.balance), agree).unwrap_or_default();
    let tips = claims(heard, |said| said.tip);
    let tip = tips.get(tips.len() / 2).copied().unwrap_or_default();
    let gas_least = claims(heard, |said| said.gas.as_ref()?.as_ref().ok().copied()).last().copied();
    Some(Facts { account_nonce, balance, tip, gas: estimate(heard, agree), gas_least })
}

fn estimate(heard: &[(OperatorId, Said)], agree: usize) -> Estimate {
    let estimates = claims(heard, |said| said.gas.as_ref()?.as_ref().ok().copied());
    let mut reverts: BTreeMap<&Bytes, BTreeSet<&OperatorId>> = BTreeMap::new();
    for (operator, said) in heard {
        if let Some(Err(data)) = &said.gas {
            reverts.entry(data).or_default().insert(operator);
        }
    }
    let reverts = reverts.into_iter().max_by_key(|(_, operators)| operators.len());
    // Where operators stand at different blocks both can be true: then it is sent, a revert costs gas and no more.
    if let Some((data, operators)) = reverts
        && operators.len() >= agree
        && operators.len() > estimates.len()
    {
        return Estimate::Reverts(data.clone());
    }
    estimates.get(agree.saturating_sub(1)).map_or(Estimate::Unknown, |gas| Estimate::Gas(*gas))
}

/// One claim per operator, the highest of its endpoints', highest first.
fn claims<T: Ord + Copy>(heard: &[(OperatorId, Said)], of: impl Fn(&Said) -> Option<T>) -> Vec<T> {
    let mut claims: BTreeMap<&OperatorId, T> = BTreeMap::new();
    for (operator, said) in heard {
        if let Some(value) = of(said) {
            claims.entry(operator).and_modify(|known| *known = value.max(*known)).or_insert(value);
        }
    }
    let mut claims: Vec<T> = claims.into_values().collect();
    claims.sort_unstable_by(|a, b| b.cmp(a));
    claims
}

/// The highest value that k operators claim or exceed; the lowest claim where fewer answered.
fn vouched<T: Copy>(claims: &[T], agree: usize) -> Option<T> {
    claims.get(agree.saturating_sub(1)).or(claims.last()).copied()
}
