//! On-chain evidence: what was collected, who touched it since, and what could not be had.
//!
//! An *object* is the raw body of one JSON-RPC answer, exactly as it came over HTTP, or something derived from such bodies; it is
//! named by the SHA-256 of its bytes. These bodies are its chain of custody (ISO/IEC 27037, NIST SP 800-86): who (the event's author,
//! a pseudonym where a human acted), what (object digests), when (UTC and the clock's source), with which tool and version, and why.

use alloy_primitives::B256;
use serde::{Deserialize, Serialize};

use super::Human;
use crate::block::BlockRef;
use crate::id::{AssetId, EventHash, IncidentId, MemberKey, OperatorId};
use crate::time::Timestamp;

/// With what an author handled evidence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Custody {
    /// Name and version of the software, at most 64 bytes.
    pub tool: String,
    /// Where the times come from, with what is known of their error; at most 128 bytes. All times are UTC.
    pub clock: String,
}

/// What an object shows of its block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EvidenceKind {
    /// Header and whole transactions: `eth_getBlockByHash`.
    Block,
    /// Every receipt, with its logs: `eth_getBlockReceipts`, or one `eth_getTransactionReceipt` for each transaction.
    Receipts,
    /// Proofs of receipts that concern the asset against the header's receipts root. Derived, not an operator's own bytes.
    ReceiptProofs,
    /// Logs of the asset's contracts: `eth_getLogs` by block hash.
    Logs,
    /// State before and after each transaction: `debug_traceBlockByHash` with `prestateTracer` in diff mode.
    StateDiff,
    /// Accounts and slots of the asset against the state root: `eth_getProof` at the item's block.
    StateProof,
}

/// What became of an object when its collector held it against what else it knew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EvidenceCheck {
    /// The header recomputes to the block's hash and the transactions to its root.
    BlockHash,
    /// The receipts, or their proofs, lead to the header's receipts root.
    ReceiptsRoot,
    /// The proofs lead to the header's state root.
    StateRoot,
    /// The same content from two operators; no root to hold it against.
    TwoOperators,
    /// From one operator only; no root to hold it against.
    OneOperator,
    /// It contradicts the block's hash or root, or another operator: kept for what it says about its operator.
    Contradicts,
}

/// One object in a manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EvidenceItem {
    /// What it shows.
    pub kind: EvidenceKind,
    /// Of which block; for [`EvidenceKind::StateProof`] the block whose state it is.
    pub block: BlockRef,
    /// Who gave it; for derived objects, who gave what it is derived from.
    pub operator: OperatorId,
    /// JSON-RPC method, or what derived it; at most 64 bytes.
    pub method: String,
    /// JSON of the parameters; at most 256 bytes, cut where longer.
    pub params: String,
    /// SHA-256 of the request body `{"jsonrpc":"2.0","id":1,"method":METHOD,"params":PARAMS}` (no blanks); of receipts that came one by
    /// one, of the request for all of them; of [`EvidenceKind::ReceiptProofs`], of the object that they are derived from.
    pub request: B256,
    /// SHA-256 of the object's bytes.
    pub object: B256,
    /// Its size in bytes.
    pub size: u64,
    /// When its last byte was there, by the collector's clock.
    pub at: Timestamp,
    /// What it was held against.
    pub check: EvidenceCheck,
}

/// A manifest of objects that the author took into its store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EvidenceCollected {
    /// Incident.
    pub incident: IncidentId,
    /// Asset.
    pub asset: AssetId,
    /// The finding or certificate that set the collection off.
    pub basis: EventHash,
    /// With what.
    pub custody: Custody,
    /// One to 32 objects.
    pub items: Vec<EvidenceItem>,
}

/// What was done with objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AccessAction {
    /// The author now holds a copy of its own.
    Copied,
    /// Shown to someone at the author.
    Read,
    /// Handed out of the author's store.
    Exported,
    /// Removed from the author's store.
    Disposed,
}

/// Who touched evidence, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Custodian {
    /// The author's node by itself; why, at most 512 bytes.
    Node(String),
    /// A human at the author's node.
    Human(Human),
}

/// One access to objects. Durable before any byte is handed out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EvidenceAccessed {
    /// Incident.
    pub incident: IncidentId,
    /// What was done.
    pub action: AccessAction,
    /// One to 256 objects, strictly ascending.
    pub objects: Vec<B256>,
    /// Who and why.
    pub by: Custodian,
    /// For a copy: from whom.
    pub from: Option<MemberKey>,
    /// Where to, or with what; at most 512 bytes.
    pub detail: String,
    /// With what.
    pub custody: Custody,
}

/// Why evidence could not be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MissCause {
    /// The operator no longer keeps that state.
    Pruned,
    /// The operator limited the rate (429, -32005) until the end.
    RateLimited,
    /// No answer in time.
    Timeout,
    /// The operator could not be reached, or answered no JSON-RPC.
    Unreachable,
    /// The operator does not offer the method.
    Unsupported,
    /// The operator does not know the block.
    UnknownBlock,
    /// The answer contradicts the block's hash or root.
    Contradicts,
    /// Operators gave different answers and nothing tells which is right.
    OperatorsDisagree,
    /// Fewer than two operators are configured for the chain.
    TooFewOperators,
    /// Larger than an object may be, or beyond what one incident may hold.
    OverBound,
    /// The stored object no longer has its digest, and nobody had a whole copy.
    Damaged,
    /// Two other organisations should hold a copy and do not.
    NotCopied,
    /// The operator answered with an error; the detail says which.
    Refused,
}

/// Something that belongs into the evidence and is not there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EvidenceMissed {
    /// Incident.
    pub incident: IncidentId,
    /// Asset.
    pub asset: AssetId,
    /// What is missing.
    pub kind: EvidenceKind,
    /// Of which block.
    pub block: BlockRef,
    /// From which operator; absent where it is about no single one.
    pub operator: Option<OperatorId>,
    /// The object, where it is about a known one.
    pub object: Option<B256>,
    /// Cause.
    pub cause: MissCause,
    /// How often it was tried.
    pub attempts: u32,
    /// One line, at most 512 bytes.
    pub detail: String,
    /// With what.
    pub custody: Custody,
}

/// One of these bodies, on its way from a node's evidence keeper into its log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EvidenceStatement {
    /// Taken into the store.
    Collected(EvidenceCollected),
    /// Touched.
    Accessed(EvidenceAccessed),
    /// Not there.
    Missed(EvidenceMissed),
}

impl EvidenceStatement {
    /// As the body of an event.
    #[must_use]
    pub fn body(&self) -> super::Body {
        match self {
            Self::Collected(collected) => super::Body::EvidenceCollected(collected.clone()),
            Self::Accessed(accessed) => super::Body::EvidenceAccessed(accessed.clone()),
            Self::Missed(missed) => super::Body::EvidenceMissed(missed.clone()),
        }
    }
}
