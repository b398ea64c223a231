//! Rules about governance: what is planned, with whose votes, and what a market begins with.

use std::collections::{BTreeMap, BTreeSet};

use alloy_primitives::{Address, B256, U256};
use serde::Serialize;
use watchfire_types::body::Selector;

use crate::expression::Subject;

/// Governors and timelocks, and whose authority is theirs to change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Governance {
    /// Contracts whose proposals and operations are read; watched themselves too.
    pub from: BTreeSet<Address>,
    /// Watched contracts; all of the asset's where there is none.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub targets: BTreeSet<Address>,
    /// Functions beyond [`crate::privileged::functions::FUNCTIONS`]: selector and canonical signature.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub functions: BTreeMap<Selector, String>,
    /// How long the finding stands, seconds of block time.
    pub stands_s: u64,
}

/// Votes that were lent and given back in the transaction that used them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BorrowedVotes {
    /// Governors and timelocks in which something is done with them.
    pub from: BTreeSet<Address>,
    /// Events of theirs beyond [`crate::privileged::GOVERNING`]: first topic and canonical signature.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub events: BTreeMap<B256, String>,
    /// The ERC-20 contract that votes are counted by.
    pub token: Address,
    /// Fires where somebody lent so many base units or more.
    pub least: U256,
    /// How long the finding stands, seconds of block time.
    pub stands_s: u64,
}

/// A market that begins with little in it: whoever owns nearly all of a market's token sets what one is worth.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ThinMarket {
    /// The contract that lists markets.
    pub address: Address,
    /// Its event, as declared.
    pub event: Subject,
    /// The parameter that names the market's token.
    pub market: String,
    /// Fires where fewer base units of it are made in the block that lists it.
    pub floor: U256,
    /// How long the finding stands, seconds of block time.
    pub stands_s: u64,
}
