//! Why a text is no block that proves itself.

use alloy_primitives::B256;
use serde::de::IgnoredAny;
use thiserror::Error;

use crate::rpc::cut;

/// What differs; where the text stands is the caller's to say.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum BlockFault {
    /// It ends before it is whole.
    #[error("the text ends inside the block, after {bytes} bytes; the file is cut off, fetch it again")]
    CutOff {
        /// How much of it is there.
        bytes: usize,
    },
    /// It is no JSON, or not of the shape.
    #[error(
        "{cause}; a line is {{\"block\": .., \"receipts\": [..]}} as eth_getBlockByNumber and eth_getBlockReceipts answer"
    )]
    Shape {
        /// What was met or missed.
        cause: String,
    },
    /// A node's error stands where its answer should.
    #[error("the node's answer is an error: {cause}; ask it again")]
    Reply {
        /// What the node said.
        cause: String,
    },
    /// The header is not the one that its hash names.
    #[error(
        "block {number}: its header hashes to {computed}, not to {stated}; one of its fields was changed or is missing"
    )]
    HeaderHash {
        /// Height.
        number: u64,
        /// Hash beside the header.
        stated: B256,
        /// Hash of the header.
        computed: B256,
    },
    /// As many receipts as transactions it should have.
    #[error("block {number}: {transactions} transactions and {receipts} receipts; fetch its receipts again")]
    Count {
        /// Height.
        number: u64,
        /// Transactions.
        transactions: usize,
        /// Receipts.
        receipts: usize,
    },
    /// A receipt of another transaction.
    #[error(
        "block {number}: receipt {index} is of {receipt}, and transaction {index} is {transaction}; fetch its receipts again"
    )]
    Order {
        /// Height.
        number: u64,
        /// Place in the block.
        index: usize,
        /// Transaction there.
        transaction: B256,
        /// Whose receipt stands there.
        receipt: B256,
    },
    /// The receipts are not those of the header.
    #[error(
        "block {number}: its receipts have root {computed}, its header says {stated}; a receipt was changed, or is of another block"
    )]
    ReceiptsRoot {
        /// Height.
        number: u64,
        /// The header's.
        stated: B256,
        /// The receipts'.
        computed: B256,
    },
    /// The logs are not those of the header's bloom.
    #[error("block {number}: its logs have another bloom than its header; a log was changed, or is of another block")]
    Bloom {
        /// Height.
        number: u64,
    },
    /// A log that no EVM makes.
    #[error("block {number}: a log has more than four topics; fetch its receipts again")]
    Topics {
        /// Height.
        number: u64,
    },
    /// It is of two chains at once.
    #[error(
        "block {number}: it is of chain {one} and of chain {other}; correct its `chainId`, or fetch its transactions again"
    )]
    Chains {
        /// Height.
        number: u64,
        /// One.
        one: u64,
        /// The other.
        other: u64,
    },
    /// What was read at it cannot be taken.
    #[error("block {number}: read {index}: {cause}; ask it again at this block's hash")]
    Read {
        /// Height.
        number: u64,
        /// Place in the list.
        index: usize,
        /// Why.
        cause: String,
    },
}

impl BlockFault {
    pub(super) fn shape(text: &[u8], error: &serde_json::Error) -> Self {
        // An error with the part's name before it no longer tells that the text ended.
        match serde_json::from_slice::<IgnoredAny>(text) {
            Err(end) if end.is_eof() => Self::CutOff { bytes: text.len() },
            _ => Self::Shape { cause: cut(&error.to_string()) },
        }
    }

    /// Its stable name.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::CutOff { .. } => "block-cut-off",
            Self::Shape { .. } => "not-a-block",
            Self::Reply { .. } => "rpc-error",
            Self::HeaderHash { .. } => "header-mismatch",
            Self::Count { .. } | Self::Order { .. } | Self::ReceiptsRoot { .. } => "receipts-mismatch",
            Self::Bloom { .. } | Self::Topics { .. } => "logs-mismatch",
            Self::Chains { .. } => "mixed-chains",
            Self::Read { .. } => "read-malformed",
        }
    }
}
