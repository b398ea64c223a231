//! Fee arithmetic of the outer transaction (EIP-1559). Pure; saturating, since a bid above 2^128 wei is refused by balance.

use watchfire_types::Severity;

#[cfg(test)]
mod tests;

/// Least tip ever bid: below it the +12.5 % of a bump round to nothing and nodes answer "already imported".
pub const TIP_WEI_MIN: u128 = 1_000_000_000;
/// Highest tip of a first bid, whatever an endpoint reports: bumps go on from here.
const FIRST_TIP_WEI_MAX: u128 = 500_000_000_000;
/// First bid's fee cap in base fees.
const BASE_FEE_FACTOR: u128 = 3;
/// Below SEV1 a bid never exceeds this many base fees above the tip.
const CAP_BASE_FEES: u128 = 30;

/// What one transaction bids, wei per gas.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bid {
    /// Fee cap.
    pub max_fee: u128,
    /// Tip.
    pub tip: u128,
}

impl Bid {
    /// The first bid: already high, because a lost block costs more than gas.
    #[must_use]
    pub fn first(base_fee: u128, reported_tip: u128) -> Self {
        let tip = reported_tip.clamp(TIP_WEI_MIN, FIRST_TIP_WEI_MAX);
        Self { max_fee: base_fee.saturating_mul(BASE_FEE_FACTOR).saturating_add(tip), tip }
    }

    /// The next bid at the same nonce: both fields up by 12.5 %, rounded up, and never below a fresh first bid.
    #[must_use]
    pub fn bumped(self, base_fee: u128, reported_tip: u128) -> Self {
        let fresh = Self::first(base_fee, reported_tip);
        Self { max_fee: raise(self.max_fee).max(fresh.max_fee), tip: raise(self.tip).max(fresh.tip) }
    }

    /// Whether a block with this base fee could have included it at the least tip.
    #[must_use]
    pub fn suffices(self, base_fee: u128) -> bool {
        self.max_fee >= base_fee.saturating_add(1)
    }

    /// Whether any node takes it in place of `other` at the same nonce: 12.5 % more on both fields, and geth wants 10.
    #[must_use]
    pub fn replaces(self, other: Self) -> bool {
        self.max_fee >= raise(other.max_fee) && self.tip >= raise(other.tip)
    }

    /// Held to what may be spent: the balance, and below SEV1 a multiple of the base fee. `None` if not even the base fee
    /// is affordable.
    #[must_use]
    pub fn within(self, gas: u64, balance: u128, base_fee: u128, severity: Severity) -> Option<Self> {
        let affordable = balance / u128::from(gas.max(1));
        let cap = match severity {
            Severity::Sev1 => u128::MAX,
            Severity::Sev2 | Severity::Sev3 | Severity::Sev4 | Severity::Sev5 => {
                base_fee.saturating_mul(CAP_BASE_FEES).saturating_add(FIRST_TIP_WEI_MAX)
            }
        };
        let max_fee = self.max_fee.min(affordable).min(cap);
        (max_fee > base_fee).then(|| Self { max_fee, tip: self.tip.min(max_fee) })
    }
}

fn raise(value: u128) -> u128 {
    value.saturating_add(value.div_ceil(8).max(1))
}

/// Gas limit: the estimate times 1.5 under the chain's cap.
#[must_use]
pub fn gas_limit(estimate: u64, cap: u64) -> u64 {
    estimate.saturating_add(estimate / 2).min(cap)
}
