//! What operators tell of a block that is run again, and what is read in it: who moved what.

use std::collections::{BTreeMap, BTreeSet};

use alloy::primitives::keccak256;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use watchfire_charter::Condition;
use watchfire_types::{Address, B256, Bytes, U256};

/// `Transfer(address,address,uint256)`.
pub(super) const TRANSFER: B256 = watchfire_charter::privileged::TRANSFER;
/// What native coin that moves is said to be emitted by, where a simulation traces transfers.
pub(super) const NATIVE: Address = Address::repeat_byte(0xee);

/// Base units by coin; the zero address is the native one.
pub(super) type Coins = BTreeMap<Address, U256>;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Body {
    pub(super) number: Value,
    pub(super) timestamp: Value,
    pub(super) gas_limit: U256,
    #[serde(default)]
    pub(super) miner: Option<Value>,
    #[serde(default)]
    pub(super) mix_hash: Option<Value>,
    pub(super) transactions: Vec<Sent>,
}

/// A transaction, as it is sent again.
#[derive(Deserialize, Serialize)]
pub(super) struct Sent {
    #[serde(skip_serializing)]
    pub(super) hash: B256,
    pub(super) from: Address,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) to: Option<Address>,
    #[serde(default)]
    pub(super) value: U256,
    #[serde(default)]
    pub(super) input: Value,
    pub(super) gas: Value,
}

#[derive(Deserialize)]
pub(super) struct Outcome {
    #[serde(default)]
    pub(super) status: Option<U256>,
    #[serde(default)]
    pub(super) logs: Vec<Moved>,
}

impl Outcome {
    pub(super) fn is_done(&self) -> bool {
        self.status.is_some_and(|status| !status.is_zero())
    }

    /// Whether it tells of these accounts.
    pub(super) fn concerns(&self, accounts: &BTreeSet<Address>) -> bool {
        self.logs.iter().any(|log| accounts.contains(&log.address) || log.takes_from(accounts))
    }
}

#[derive(Deserialize)]
pub(super) struct Simulated {
    pub(super) calls: Vec<Called>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Called {
    pub(super) status: U256,
    #[serde(default)]
    pub(super) return_data: Value,
    #[serde(default)]
    pub(super) logs: Vec<Moved>,
}

#[derive(Deserialize)]
pub(super) struct Moved {
    pub(super) address: Address,
    pub(super) topics: Vec<B256>,
    #[serde(default)]
    pub(super) data: Value,
}

impl Moved {
    /// Whether it is a transfer out of these accounts.
    pub(super) fn takes_from(&self, accounts: &BTreeSet<Address>) -> bool {
        matches!(self.topics[..], [TRANSFER, from, _] if accounts.contains(&Address::from_word(from)))
    }
}

/// A call in front of the block's transactions.
#[derive(Clone)]
pub(super) struct Made {
    /// The Safe that makes it; nobody in particular where something is only asked.
    pub(super) from: Option<Address>,
    pub(super) to: Address,
    pub(super) data: Bytes,
}

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ran {
    pub(super) done: bool,
    /// Hash of what it answered.
    pub(super) answer: B256,
}

impl Ran {
    /// A call that answered these bytes.
    pub(super) fn answered(done: bool, answer: &[u8]) -> Self {
        Self { done, answer: keccak256(answer) }
    }

    /// Whether it answered just this.
    pub(super) fn says(self, condition: &Condition) -> bool {
        self.done && self.answer == keccak256(&condition.equals)
    }
}

#[derive(Deserialize)]
pub(super) struct Reply<T> {
    pub(super) result: T,
}

impl Called {
    pub(super) fn is_done(&self) -> bool {
        !self.status.is_zero()
    }

    pub(super) fn ran(&self) -> Ran {
        Ran::answered(self.is_done(), &bytes(&self.return_data).unwrap_or_default())
    }

    /// What these accounts lose by it; a call that fails moves nothing, whatever it is said to log.
    pub(super) fn lost(&self, accounts: &BTreeSet<Address>) -> Coins {
        let mut flows: BTreeMap<Address, (U256, U256)> = BTreeMap::new();
        for log in self.logs.iter().filter(|_| self.is_done()) {
            let [TRANSFER, from, to] = log.topics[..] else { continue };
            let amount = bytes(&log.data).filter(|data| data.len() == 32).map(|data| U256::from_be_slice(&data));
            let coin = if log.address == NATIVE { Address::ZERO } else { log.address };
            let (from, to) = (Address::from_word(from), Address::from_word(to));
            let (out, into) = flows.entry(coin).or_default();
            let amount = amount.unwrap_or_default();
            match (accounts.contains(&from), accounts.contains(&to)) {
                (true, false) => *out = out.saturating_add(amount),
                (false, true) => *into = into.saturating_add(amount),
                (true, true) | (false, false) => {}
            }
        }
        let lost = flows.into_iter().map(|(coin, (out, into))| (coin, out.saturating_sub(into)));
        lost.filter(|(_, lost)| !lost.is_zero()).collect()
    }
}

pub(super) fn bytes(value: &Value) -> Option<Vec<u8>> {
    hex::decode(value.as_str()?.strip_prefix("0x")?).ok()
}

pub(super) fn digits(bytes: &[u8]) -> String {
    format!("0x{}", hex::encode(bytes))
}

pub(super) fn summed(all: impl Iterator<Item = Coins>) -> Coins {
    let mut sum = Coins::new();
    for (coin, lost) in all.flatten() {
        let of = sum.entry(coin).or_default();
        *of = of.saturating_add(lost);
    }
    sum
}
