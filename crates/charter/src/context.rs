//! Rules that raise attention and never vote: how often something happens, and what transactions look like from inside.

use std::collections::{BTreeMap, BTreeSet};

use alloy_primitives::{Address, B256, U256};
use serde::Serialize;

use crate::expression::Subject;

/// What happened in a window of block time, against the windows before it. Windows begin at whole multiples of their length since 1970, so
/// that every node has the same ones.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Rate {
    /// What is counted or summed.
    #[serde(flatten)]
    pub of: Rated,
    /// Length of a window, seconds of block time.
    pub window_s: u64,
    /// How many windows before it are compared with.
    pub windows: u16,
    /// Nothing fires up to this count, or this many base units.
    pub floor: U256,
    /// Fires above their median and this many median absolute deviations.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deviations: Option<u16>,
    /// Fires above so much of their average; where both are given both must be exceeded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ewma: Option<Ewma>,
}

/// What a rate counts or sums.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "of")]
pub enum Rated {
    /// Events of a contract.
    Events {
        /// Emitting contract.
        address: Address,
        /// Canonical signature.
        event: String,
        /// topic0.
        topic: B256,
    },
    /// Transactions to an account, whether or not they succeed.
    Transactions {
        /// The account.
        address: Address,
    },
    /// A number in an event of a contract.
    Value {
        /// Emitting contract.
        address: Address,
        /// The event, as declared.
        event: Subject,
        /// Its parameter.
        field: String,
    },
    /// What leaves the asset's contracts: of a token by each block's transfers, of the native coin by balances.
    Outflow {
        /// ERC-20 contract, or `None` for the native coin.
        token: Option<Address>,
    },
}

/// An exponentially weighted average, in whole numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Ewma {
    /// Weight of each newer window, basis points.
    pub weight_bps: u16,
    /// Fires above this many basis points of the average: 50,000 is five times.
    pub limit_bps: u32,
}

impl Rate {
    /// How far it looks back, seconds of block time.
    #[must_use]
    pub fn span_s(&self) -> u64 {
        self.window_s.saturating_mul(u64::from(self.windows).saturating_add(1))
    }
}

impl Rated {
    /// What it is, for people.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::Events { address, event, .. } => format!("{event} of {address}"),
            Self::Transactions { address } => format!("transactions to {address}"),
            Self::Value { address, event, field } => format!("{field} of {} of {address}", event.name()),
            Self::Outflow { token: None } => "wei that left the asset".to_owned(),
            Self::Outflow { token: Some(token) } => format!("base units of {token} that left the asset"),
        }
    }
}

/// What a transaction that touches the asset looks like from inside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Calls {
    /// What is looked for.
    pub patterns: BTreeSet<Pattern>,
    /// Base units of each coin that the asset may lose in one transaction, the zero address for the native one: nothing fires unless it loses more
    /// of one of them, but for foreign code.
    pub limits: BTreeMap<Address, U256>,
    /// A contract is fresh in its own transaction and for so many blocks after it.
    pub fresh_blocks: u16,
    /// Code that the asset's contracts may run as their own, beside each other's.
    pub known: BTreeSet<Address>,
    /// How long the finding stands, seconds of block time.
    pub stands_s: u64,
}

/// One thing that is looked for in a trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pattern {
    /// One of the asset's contracts is called again while it calls somebody else.
    ReEntry,
    /// The sender's side borrows and returns within the transaction, and ends with a gain.
    FlashLoanProfit,
    /// A contract that is younger than so many blocks calls the asset.
    FreshContract,
    /// One of the asset's contracts runs code that the charter does not name.
    ForeignCode,
    /// A price is asked twice and answered differently, or asked where the sender has just traded.
    PriceMoved,
    /// The sender's side ends with a gain, in a transaction that scores as suspicious.
    SenderProfit,
}

impl Pattern {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::ReEntry,
        Self::FlashLoanProfit,
        Self::FreshContract,
        Self::ForeignCode,
        Self::PriceMoved,
        Self::SenderProfit,
    ];

    /// As charters write it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::ReEntry => "re-entry",
            Self::FlashLoanProfit => "flash-loan-profit",
            Self::FreshContract => "fresh-contract",
            Self::ForeignCode => "foreign-code",
            Self::PriceMoved => "price-moved",
            Self::SenderProfit => "sender-profit",
        }
    }
}

/// Contracts that are made with money of listed sources and hold the asset's address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FreshCode {
    /// Accounts whose money is of interest: mixers, bridges, exchanges.
    pub sources: BTreeSet<Address>,
    /// How long whom they pay counts as funded, seconds of block time.
    pub funded_s: u64,
    /// How long the finding stands, seconds of block time.
    pub stands_s: u64,
}
