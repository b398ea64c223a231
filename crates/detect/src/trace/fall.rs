//! What accounts that belong together lose in one transaction.

use std::collections::{BTreeMap, BTreeSet};

use alloy_primitives::{Address, U256};

use super::flow::{Balance, flows, wrapped};
use super::tree::CallTree;
use super::value::NATIVE;

/// Losses by coin, base units; wrapped native coin counts as native.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Falls {
    wrapped: BTreeSet<Address>,
    lost: BTreeMap<Address, U256>,
}

impl Falls {
    /// What these accounts give beyond what they get from others; nothing, where the transaction failed.
    #[must_use]
    pub fn of(tree: &CallTree, accounts: &BTreeSet<Address>) -> Self {
        let wrapped = wrapped(tree);
        let mut balances: BTreeMap<Address, Balance> = BTreeMap::new();
        for flow in flows(tree, &wrapped) {
            let balance = balances.entry(flow.token).or_default();
            match (accounts.contains(&flow.from), accounts.contains(&flow.to)) {
                (true, false) => balance.out = balance.out.saturating_add(flow.amount),
                (false, true) => balance.into = balance.into.saturating_add(flow.amount),
                (true, true) | (false, false) => {}
            }
        }
        let lost = balances.into_iter().map(|(coin, balance)| (coin, balance.loss()));
        Self { wrapped, lost: lost.filter(|(_, lost)| !lost.is_zero()).collect() }
    }

    /// What is lost of a coin, the zero address for the native one.
    #[must_use]
    pub fn coin(&self, coin: Address) -> U256 {
        let coin = if self.wrapped.contains(&coin) { NATIVE } else { coin };
        self.lost.get(&coin).copied().unwrap_or_default()
    }
}
