//! What is asked of each operator about one block, and how an answer is judged.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;
use watchfire_evm::evidence::{self, BlockFacts, EvidenceFault, Touched};
use watchfire_evm::{RawFault, RawRequest};
use watchfire_types::body::{EvidenceCheck, EvidenceKind, MissCause};
use watchfire_types::{Address, B256, BlockRef, Bytes};

use super::{ACCOUNTS_MAX, SLOTS_MAX};

/// Accounts and the slots of each that the evidence is about, within [`ACCOUNTS_MAX`] and [`SLOTS_MAX`], and what these leave out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Watched {
    accounts: BTreeMap<Address, BTreeSet<B256>>,
    /// Accounts, and slots of those within the bound, that are beyond it.
    left_out: (BTreeSet<Address>, BTreeSet<(Address, B256)>),
}

impl Watched {
    /// The first ones, up to the bounds.
    pub fn new(accounts: impl IntoIterator<Item = Address>, slots: impl IntoIterator<Item = (Address, B256)>) -> Self {
        let mut watched = Self::default();
        for account in accounts {
            if watched.accounts.len() < ACCOUNTS_MAX || watched.accounts.contains_key(&account) {
                watched.accounts.entry(account).or_default();
            } else {
                watched.left_out.0.insert(account);
            }
        }
        for (account, slot) in slots {
            let Some(held) = watched.accounts.get_mut(&account) else { continue };
            if held.len() < SLOTS_MAX || held.contains(&slot) {
                held.insert(slot);
            } else {
                watched.left_out.1.insert((account, slot));
            }
        }
        watched
    }

    /// What the bounds leave out, in words; `None` where that is nothing.
    #[must_use]
    pub fn left_out(&self) -> Option<String> {
        let (accounts, slots) = (self.left_out.0.len(), self.left_out.1.len());
        (accounts + slots > 0).then(|| {
            format!(
                "evidence is about {ACCOUNTS_MAX} accounts and {SLOTS_MAX} slots of each: {accounts} accounts and {slots} slots of this asset are left out"
            )
        })
    }

    /// The accounts.
    #[must_use]
    pub fn touched(&self) -> Touched {
        self.accounts.keys().copied().collect()
    }
}

/// One thing to have from two operators.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Want {
    /// What.
    pub kind: EvidenceKind,
    /// The call.
    pub request: RawRequest,
    /// The same by the block's number, for who takes no hash: it may answer about another block, so that what does not hold of this one says nothing
    /// about who gave it.
    pub by_number: Option<RawRequest>,
    account: Option<(Address, Vec<B256>)>,
}

/// What is known of the block so far: an answer is held against it.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// From a header that holds.
    pub facts: Option<BlockFacts>,
    /// Receipts that lead to the root.
    pub receipts: Option<Bytes>,
    /// Nobody is asked for the header any more, or for the receipts.
    over: (bool, bool),
}

impl Known {
    /// Nobody is asked for this any more.
    pub fn over(&mut self, kind: EvidenceKind) {
        self.over.0 |= kind == EvidenceKind::Block;
        self.over.1 |= kind == EvidenceKind::Receipts;
    }
}

impl Want {
    /// Header and transactions: everything else is held against them.
    #[must_use]
    pub fn block(block: &BlockRef) -> Self {
        Self::new(EvidenceKind::Block, RawRequest::new("eth_getBlockByHash", &json!([block.hash, true])))
    }

    /// Every receipt.
    #[must_use]
    pub fn receipts(block: &BlockRef) -> Self {
        Self::new(EvidenceKind::Receipts, RawRequest::new("eth_getBlockReceipts", &json!([block.hash])))
    }

    /// What follows from header and receipts, what operators forget first in front; logs come last, since the receipts hold them. Of the
    /// block before an attack (`full` = false) only the state.
    #[must_use]
    pub fn rest(block: &BlockRef, watched: &Watched, full: bool) -> Vec<Self> {
        let proofs = watched.accounts.iter().map(|(account, slots)| {
            let slots: Vec<B256> = slots.iter().copied().collect();
            let of = |block: serde_json::Value| RawRequest::new("eth_getProof", &json!([account, slots, block]));
            // By hash (EIP-1898): who follows another branch by then has no such block.
            let request = of(json!({ "blockHash": block.hash }));
            let by_number = Some(of(json!(format!("{:#x}", block.number))));
            Self { kind: EvidenceKind::StateProof, request, by_number, account: Some((*account, slots.clone())) }
        });
        let mut wants: Vec<Self> = proofs.collect();
        if full {
            let tracer = json!([block.hash, { "tracer": "prestateTracer", "tracerConfig": { "diffMode": true } }]);
            wants.push(Self::new(EvidenceKind::StateDiff, RawRequest::new("debug_traceBlockByHash", &tracer)));
            let filter = json!([{ "address": watched.touched(), "blockHash": block.hash }]);
            wants.push(Self::new(EvidenceKind::Logs, RawRequest::new("eth_getLogs", &filter)));
        }
        wants
    }

    /// Whether what it is held against is there, or never will be.
    #[must_use]
    pub fn is_judgeable(&self, known: &Known) -> bool {
        let header = known.facts.is_some() || known.over.0;
        match self.kind {
            EvidenceKind::Block => true,
            EvidenceKind::Logs => header && (known.receipts.is_some() || known.over.1),
            _ => header,
        }
    }

    /// The transactions whose receipts make up this, where each can be asked for alone.
    #[must_use]
    pub fn singly(&self, known: &Known) -> Option<Vec<B256>> {
        let facts = known.facts.as_ref().filter(|_| self.kind == EvidenceKind::Receipts)?;
        let few = (1..=evidence::SINGLE_RECEIPTS_MAX).contains(&facts.transactions.len());
        few.then(|| facts.transactions.clone())
    }

    /// Whether the header says that there is nothing to have: a block without transactions has no receipts.
    #[must_use]
    pub fn is_nothing(&self, known: &Known) -> bool {
        let facts = known.facts.as_ref().filter(|_| self.kind == EvidenceKind::Receipts);
        facts.is_some_and(|facts| facts.transactions_proved && facts.transactions.is_empty())
    }

    fn new(kind: EvidenceKind, request: RawRequest) -> Self {
        Self { kind, request, by_number: None, account: None }
    }

    /// What proves the answer; `None` where nothing here can, and a second operator must.
    ///
    /// # Errors
    /// One line: the answer contradicts the block.
    pub fn judge(
        &self,
        answer: &[u8],
        block: &BlockRef,
        known: &Known,
        of: &Touched,
    ) -> Result<Option<EvidenceCheck>, String> {
        let judged = match (self.kind, &known.facts) {
            (EvidenceKind::Block, _) => evidence::block(answer, block).map(|_| EvidenceCheck::BlockHash),
            (EvidenceKind::Receipts, Some(facts)) => {
                evidence::receipts(answer, facts).map(|()| EvidenceCheck::ReceiptsRoot)
            }
            (EvidenceKind::StateProof, Some(facts)) => {
                let Some((account, slots)) = &self.account else { return Ok(None) };
                evidence::state_proof(answer, facts, *account, slots).map(|()| EvidenceCheck::StateRoot)
            }
            (EvidenceKind::Logs, _) => {
                let Some(receipts) = &known.receipts else { return Ok(None) };
                evidence::logs(answer, receipts, of).map(|()| EvidenceCheck::ReceiptsRoot)
            }
            _ => return Ok(None),
        };
        match judged {
            Ok(check) => Ok(Some(check)),
            Err(EvidenceFault::Unknown(_)) => Ok(None),
            Err(EvidenceFault::Contradicts(why)) => Err(why),
        }
    }
}

/// The cause under which a fault is recorded.
#[must_use]
pub fn cause(fault: &RawFault) -> MissCause {
    match fault {
        RawFault::Pruned(_) => MissCause::Pruned,
        RawFault::RateLimited { .. } => MissCause::RateLimited,
        RawFault::Timeout(_) => MissCause::Timeout,
        RawFault::Unreachable(_) => MissCause::Unreachable,
        RawFault::Unsupported(_) => MissCause::Unsupported,
        RawFault::UnknownBlock => MissCause::UnknownBlock,
        RawFault::TooLong(_) => MissCause::OverBound,
        RawFault::Refused(_) => MissCause::Refused,
    }
}
