//! Detector rules: what each watches, and whether what it finds may carry a vote.

use std::collections::{BTreeMap, BTreeSet};

use alloy_primitives::{Address, B256, U256, keccak256};
use serde::Serialize;
use watchfire_types::body::Selector;
use watchfire_types::{AssetId, Read, Severity};

use crate::context::{Calls, FreshCode, Rate, Rated};
use crate::elsewhere::{CrossChain, Release, Sister};
use crate::expectation::StateExpectation;
use crate::expression::{Expression, Subject};
use crate::governance::{BorrowedVotes, Governance, ThinMarket};

/// One detector rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Detector {
    /// Asset whose windows and findings it feeds.
    pub asset: AssetId,
    /// Severity of its findings, as the matrix ([`crate::severity`]) settles it.
    pub severity: Severity,
    /// Whether its findings may carry a vote. Absent from the canonical form where they may: charters from before there were classes
    /// keep their digest.
    #[serde(skip_serializing_if = "Class::is_decisive")]
    pub class: Class,
    /// What it watches.
    pub watch: Watch,
}

/// What a finding is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Class {
    /// It may choose a playbook's step and carry a vote.
    #[default]
    Decisive,
    /// It raises attention and never votes.
    Context,
}

impl Class {
    /// Name, as charters write it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Decisive => "decisive",
            Self::Context => "context",
        }
    }

    fn is_decisive(&self) -> bool {
        *self == Self::Decisive
    }
}

/// What a detector watches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Watch {
    /// Largest net outflow from the asset's contracts over any span of a sliding window of block time that ends now, as balance difference at block hashes.
    Outflow {
        /// ERC-20 contract, or `None` for the native coin.
        token: Option<Address>,
        /// Window, seconds of block time.
        window_s: u64,
        /// Fires above this many base units.
        limit: Option<U256>,
        /// Fires above this share of the balance at the span's start, basis points.
        share_bps: Option<u16>,
    },
    /// An event of a contract.
    Event {
        /// Emitting contract.
        address: Address,
        /// Canonical signature: `OwnershipTransferred(address,address)`.
        event: String,
        /// topic0.
        topic: B256,
        /// Topic values that must match, by topic position 1 to 3.
        topics: BTreeMap<u8, B256>,
        /// How long the finding stands, seconds of block time.
        stands_s: u64,
    },
    /// State that must not change, or must stay within bounds.
    State {
        /// Name for people: `owner`, `implementation`, or the call's text.
        what: String,
        /// The read.
        read: Read,
        /// What is out of order.
        expect: StateExpectation,
        /// For a change: how long the finding stands, seconds of block time; a bound stands while it is broken.
        stands_s: u64,
    },
    /// A number that moves too far at once: against the block before, or against its extremes in a sliding window of block time.
    Leap {
        /// The number.
        of: Quantity,
        /// Fires when it is more than this many basis points above its least.
        rise_bps: Option<u32>,
        /// Fires when it is more than this many basis points below its most.
        fall_bps: Option<u32>,
        /// Window, seconds of block time; 0 = the block before.
        window_s: u64,
        /// How long the finding stands after the last block at which it was so, seconds of block time.
        stands_s: u64,
    },
    /// Two numbers of which `left * scale_left compare right * scale_right` holds, give or take the tolerance. Stands while it does not.
    Invariant {
        /// Left of the comparison.
        left: Quantity,
        /// What it is multiplied with.
        scale_left: U256,
        /// The comparison.
        compare: Comparison,
        /// Right of the comparison.
        right: Quantity,
        /// What it is multiplied with.
        scale_right: U256,
        /// By how much the comparison may be missed, basis points of the right side.
        tolerance_bps: u16,
    },
    /// A time that a call answers, in seconds since 1970, and how old it may be. Stands while it is older.
    Stale {
        /// The number.
        of: Quantity,
        /// Fires when the block's time is more than this many seconds after it.
        age_s: u64,
    },
    /// Somebody with authority over contracts used it though nobody announced it: an event of [`crate::privileged::EVENTS`], a call of a listed
    /// function, a mint, or an act of an account that was long silent.
    Authority {
        /// Watched contracts; all of the asset's where there is none.
        #[serde(skip_serializing_if = "BTreeSet::is_empty")]
        targets: BTreeSet<Address>,
        /// Further events of theirs that only authority can cause: first topic and canonical signature.
        #[serde(skip_serializing_if = "BTreeMap::is_empty")]
        events: BTreeMap<B256, String>,
        /// Functions that may not be called: selector and canonical signature.
        #[serde(skip_serializing_if = "BTreeMap::is_empty")]
        functions: BTreeMap<Selector, String>,
        /// Contracts through which they may be called, beside a transaction straight to their own: multisigs, timelocks, governors.
        #[serde(skip_serializing_if = "BTreeSet::is_empty")]
        through: BTreeSet<Address>,
        /// Whether a token transfer from nobody, where a watched contract emits it, is a mint that takes authority.
        mints: bool,
        /// Accounts that may act, and seldom do.
        #[serde(skip_serializing_if = "BTreeSet::is_empty")]
        admins: BTreeSet<Address>,
        /// How long one was silent when it is told, seconds of block time; 0 without accounts.
        dormant_s: u64,
        /// How long the finding stands, seconds of block time.
        stands_s: u64,
    },
    /// A Safe that executes what no playbook asks of it, or whose nonce moves without an execution.
    SafeNonce {
        /// The Safe.
        safe: Address,
        /// How long the finding stands, seconds of block time.
        stands_s: u64,
    },
    /// A token that leaves many accounts for one, or through one spender, as when allowances given to one spender are drained.
    ApprovalDrain {
        /// ERC-20 contract.
        token: Address,
        /// Fires at this many distinct senders.
        victims: u16,
        /// Window, seconds of block time.
        window_s: u64,
        /// Least amount of a transfer that counts, base units; never 0, for anybody can send nothing in another's name.
        least: U256,
        /// Recipients, senders and called contracts that do not count: exchanges, settlement contracts; nor do the asset's own.
        exclude: BTreeSet<Address>,
    },
    /// An event, a call or a transaction of which an expression holds.
    Expression {
        /// What it is about.
        #[serde(flatten)]
        over: Subject,
        /// The contract that emits or is called; of transactions the account that sends or is sent to.
        address: Address,
        /// What has to hold.
        expression: Expression,
        /// How long the finding stands, seconds of block time.
        stands_s: u64,
    },
    /// More of something in a window of block time than in those before it. Stands for the rest of the window.
    Rate(Rate),
    /// What a transaction that touches the asset looks like from inside.
    Calls(Calls),
    /// What governors and timelocks are about to do to watched contracts.
    Governance(Governance),
    /// What governance does with votes that were lent for it.
    BorrowedVotes(BorrowedVotes),
    /// A market that begins with little in it.
    ThinMarket(ThinMarket),
    /// Contracts that are made with money of listed sources and hold the asset's address.
    FreshCode(FreshCode),
    /// What is found where the same code runs.
    Sister(Sister),
    /// Numbers of two chains whose comparison must hold.
    CrossChain(CrossChain),
    /// A release that another chain knows nothing of.
    Release(Release),
}

/// A number on a chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "of")]
pub enum Quantity {
    /// One word of a call's answer.
    Call {
        /// Canonical call with its results.
        text: String,
        /// The read.
        read: Read,
        /// The word, 0 first, as in [`StateExpectation::Number`].
        word: u16,
        /// Whether it is two's complement.
        signed: bool,
    },
    /// What the asset's contracts and internal addresses hold together.
    Held {
        /// ERC-20 contract, or `None` for the native coin.
        token: Option<Address>,
    },
}

/// How two numbers are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Comparison {
    /// The left is not below the right.
    #[serde(rename = ">=")]
    AtLeast,
    /// The left is not above the right.
    #[serde(rename = "<=")]
    AtMost,
    /// They are the same.
    #[serde(rename = "=")]
    Equal,
}

/// Whether it asks how much of a coin an account has.
pub(crate) fn is_balance(read: &Read) -> bool {
    match read {
        Read::Balance { .. } => true,
        Read::Call { data, .. } => data.get(..4) == Some(&keccak256("balanceOf(address)")[..4]),
        Read::Storage { .. } | Read::CodeHash { .. } | Read::Delegation { .. } => false,
    }
}

impl Comparison {
    /// As charters write it.
    #[must_use]
    pub fn sign(self) -> &'static str {
        match self {
            Self::AtLeast => ">=",
            Self::AtMost => "<=",
            Self::Equal => "=",
        }
    }

    /// Whether more of a balance breaks it, which anybody can send.
    pub(crate) fn is_broken_by_gift(self, left: &Quantity, right: &Quantity) -> bool {
        let held = |quantity: &Quantity| match quantity {
            Quantity::Held { .. } => true,
            Quantity::Call { read, .. } => is_balance(read),
        };
        match self {
            Self::AtMost => held(left),
            Self::AtLeast => held(right),
            Self::Equal => held(left) || held(right),
        }
    }
}

impl Quantity {
    /// Name for people.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::Call { text, .. } => text.clone(),
            Self::Held { token: None } => "wei held".to_owned(),
            Self::Held { token: Some(token) } => format!("{token} held"),
        }
    }

    pub(crate) fn call(&self) -> Option<(&str, &Read)> {
        match self {
            Self::Call { text, read, .. } => Some((text, read)),
            Self::Held { .. } => None,
        }
    }
}

impl Watch {
    /// The kind of its findings: `outflow`, `event`, `state`, `leap`, `invariant`, `stale`, `authority`, `approval-drain`, `expression`, `rate`, `calls`, `governance`,
    /// `borrowed-votes`, `thin-market`, `fresh-code`, `sister`, `cross-chain`, `release`, `safe-nonce`.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Outflow { .. } => "outflow",
            Self::Event { .. } => "event",
            Self::State { .. } => "state",
            Self::Leap { .. } => "leap",
            Self::Invariant { .. } => "invariant",
            Self::Stale { .. } => "stale",
            Self::Authority { .. } => "authority",
            Self::ApprovalDrain { .. } => "approval-drain",
            Self::Expression { .. } => "expression",
            Self::Rate(_) => "rate",
            Self::Calls(_) => "calls",
            Self::Governance(_) => "governance",
            Self::BorrowedVotes(_) => "borrowed-votes",
            Self::ThinMarket(_) => "thin-market",
            Self::FreshCode(_) => "fresh-code",
            Self::Sister(_) => "sister",
            Self::CrossChain(_) => "cross-chain",
            Self::Release(_) => "release",
            Self::SafeNonce { .. } => "safe-nonce",
        }
    }

    /// How far it looks back, seconds of block time: what a node reads when it starts, so that it stands where the others do.
    #[must_use]
    pub fn span_s(&self) -> u64 {
        match self {
            Self::Outflow { window_s, .. } | Self::ApprovalDrain { window_s, .. } => *window_s,
            Self::Event { stands_s, .. }
            | Self::State { stands_s, .. }
            | Self::Expression { stands_s, .. }
            | Self::SafeNonce { stands_s, .. } => *stands_s,
            Self::Leap { window_s, stands_s, .. } => window_s.saturating_add(*stands_s),
            Self::Authority { dormant_s, stands_s, .. } => dormant_s.saturating_add(*stands_s),
            Self::Rate(rate) => rate.span_s(),
            Self::Calls(calls) => calls.stands_s,
            Self::Governance(governance) => governance.stands_s,
            Self::BorrowedVotes(votes) => votes.stands_s,
            Self::ThinMarket(market) => market.stands_s,
            Self::FreshCode(fresh) => fresh.funded_s.saturating_add(fresh.stands_s),
            Self::Sister(sister) => sister.span_s(),
            Self::CrossChain(cross) => cross.span_s(),
            Self::Release(release) => release.span_s(),
            Self::Invariant { .. } | Self::Stale { .. } => 0,
        }
    }

    /// Whether it raises attention and can be given no vote.
    #[must_use]
    pub fn never_votes(&self) -> bool {
        matches!(self, Self::Rate(_) | Self::Calls(_) | Self::FreshCode(_))
    }

    /// Whether it is about what the asset's contracts hold or lose, so that it has to know them.
    #[must_use]
    pub fn is_of_group(&self) -> bool {
        let of_group = matches!(self, Self::Rate(Rate { of: Rated::Outflow { .. }, .. }) | Self::Calls(_));
        of_group || self.coins().next().is_some()
    }

    /// The calls on the asset's own chain that must be answered, each with its name for people; not the balances of the asset's contracts.
    pub fn calls(&self) -> impl Iterator<Item = (&str, &Read)> {
        let (first, second) = match self {
            Self::Outflow { .. }
            | Self::Event { .. }
            | Self::Authority { .. }
            | Self::ApprovalDrain { .. }
            | Self::Expression { .. }
            | Self::Rate(_)
            | Self::Calls(_)
            | Self::Governance(_)
            | Self::BorrowedVotes(_)
            | Self::ThinMarket(_)
            | Self::FreshCode(_)
            | Self::Sister(_)
            | Self::SafeNonce { .. }
            | Self::Release(_) => (None, None),
            Self::CrossChain(cross) => (cross.left.call(), None),
            Self::State { what, read, .. } => (Some((what.as_str(), read)), None),
            Self::Leap { of, .. } | Self::Stale { of, .. } => (of.call(), None),
            Self::Invariant { left, right, .. } => (left.call(), right.call()),
        };
        first.into_iter().chain(second)
    }

    /// The other asset that it looks at, and the call on that one's chain that must be answered.
    #[must_use]
    pub fn elsewhere(&self) -> Option<(&AssetId, Option<(&str, &Read)>)> {
        match self {
            Self::Sister(sister) => Some((&sister.elsewhere, None)),
            Self::CrossChain(cross) => Some((&cross.elsewhere, cross.right.call())),
            Self::Release(release) => Some((&release.elsewhere, None)),
            _ => None,
        }
    }

    /// The coins of which it measures what the asset holds; `None` is the native one.
    pub fn coins(&self) -> impl Iterator<Item = Option<Address>> {
        let held = |quantity: &Quantity| match quantity {
            Quantity::Held { token } => Some(*token),
            Quantity::Call { .. } => None,
        };
        let (first, second) = match self {
            Self::Outflow { token, .. } => (Some(*token), None),
            // A token's transfers are logged: only the native coin's balance is read.
            Self::Rate(Rate { of: Rated::Outflow { token: None }, .. }) => (Some(None), None),
            Self::Calls(calls) if calls.limits.contains_key(&Address::ZERO) => (Some(None), None),
            Self::Leap { of, .. } => (held(of), None),
            Self::Invariant { left, right, .. } => (held(left), held(right)),
            Self::Event { .. }
            | Self::State { .. }
            | Self::Stale { .. }
            | Self::Authority { .. }
            | Self::ApprovalDrain { .. }
            | Self::Expression { .. }
            | Self::Rate(_)
            | Self::Calls(_)
            | Self::Governance(_)
            | Self::BorrowedVotes(_)
            | Self::ThinMarket(_)
            | Self::FreshCode(_)
            | Self::Sister(_)
            | Self::SafeNonce { .. }
            | Self::Release(_) => (None, None),
            Self::CrossChain(cross) => (held(&cross.left), None),
        };
        first.into_iter().chain(second)
    }
}
