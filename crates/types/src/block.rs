//! What a node read from its chain: one block, pinned by hash and agreed by k operators.

use std::collections::{BTreeMap, BTreeSet};

use alloy_primitives::{Address, B256, U256};
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::id::{ChainId, OperatorId};
use crate::time::BlockTime;

/// One block of one chain. The evidence that votes, findings and observations are bound to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct BlockRef {
    /// The chain.
    pub chain: ChainId,
    /// Height.
    pub number: u64,
    /// Header hash.
    pub hash: B256,
    /// Header time.
    pub time: BlockTime,
}

/// One question to the chain's state, answered at a block hash.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Read {
    /// `eth_call` with these bytes; answers the return data.
    Call {
        /// Contract called.
        to: Address,
        /// Call data.
        data: Bytes,
    },
    /// Native balance; answers 32 big-endian bytes in wei.
    Balance {
        /// Account.
        account: Address,
    },
    /// Storage slot; answers 32 bytes.
    Storage {
        /// Account.
        account: Address,
        /// Slot.
        slot: B256,
    },
    /// Code; answers its keccak-256 (32 bytes; the empty code's hash for an account without code).
    CodeHash {
        /// Account.
        account: Address,
    },
    /// Whom an account delegates to (EIP-7702: its code is `0xef0100` and 20 bytes of an address): the address as a word of 32
    /// bytes, zero where it does not. Such an account still signs with its key. Never asked of a simulation.
    Delegation {
        /// Account.
        account: Address,
    },
}

/// The answer to a [`Read`] at one block.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ReadOutcome {
    /// Equal from k operators.
    Value(Bytes),
    /// The call reverted with these bytes, equal from k operators.
    Reverted(Bytes),
    /// Not enough operators gave the same answer; says why in one line.
    Unavailable(String),
}

impl ReadOutcome {
    /// The answer as one 256-bit word: exactly 32 bytes, else `None`.
    #[must_use]
    pub fn word(&self) -> Option<U256> {
        match self {
            Self::Value(bytes) if bytes.len() == 32 => Some(U256::from_be_slice(bytes)),
            Self::Value(_) | Self::Reverted(_) | Self::Unavailable(_) => None,
        }
    }
}

/// One log entry of a receipt whose root is the header's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Log {
    /// Emitting contract.
    pub address: Address,
    /// Up to four topics.
    pub topics: Vec<B256>,
    /// Data.
    pub data: Bytes,
    /// Transaction hash.
    pub transaction: B256,
    /// Index within the block.
    pub index: u64,
}

/// One transaction of a block, of whatever type: what every type has. The word of who gave it: neither the receipts root nor the bloom covers it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transaction {
    /// Hash.
    pub hash: B256,
    /// EIP-2718 type, 0 to 4 or one that is not known here.
    pub kind: u64,
    /// Sender.
    pub from: Address,
    /// Called account; `None` where it creates a contract.
    pub to: Option<Address>,
    /// Wei sent along.
    pub value: U256,
    /// Call data, or the code that creates.
    pub input: Bytes,
    /// Whether it succeeded, where its receipt says so.
    #[serde(default)]
    pub succeeded: Option<bool>,
}

/// Everything a node knows of one canonical block: detectors and the protocol's view are fed from this alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockView {
    /// The block.
    pub block: BlockRef,
    /// Its parent's hash. A view whose parent is not the previous view's block is a reorg to a common ancestor.
    pub parent: B256,
    /// EIP-1559 base fee in wei per gas, if the chain has one.
    pub base_fee: Option<u128>,
    /// Transactions in block order; empty where nobody asked for them, as a running node does without rules about them.
    pub transactions: Vec<Transaction>,
    /// Logs in block order.
    pub logs: Vec<Log>,
    /// Answers to the reads that were asked for, each at this block's hash.
    pub reads: BTreeMap<Read, ReadOutcome>,
    /// Operators that gave every one of these answers themselves: whose word a vote on this block rests on.
    pub agreed: BTreeSet<OperatorId>,
    /// Whether the header's receipts root does not prove the logs, as where a receipt is of a type that is not known: they are what as many operators
    /// state alike as have to agree, or what a file has and the bloom allows.
    #[serde(default)]
    pub unproved: bool,
}

impl BlockView {
    /// Whether every read that was asked for has an answer.
    #[must_use]
    pub fn is_read(&self) -> bool {
        !self.reads.values().any(|outcome| matches!(outcome, ReadOutcome::Unavailable(_)))
    }
}
