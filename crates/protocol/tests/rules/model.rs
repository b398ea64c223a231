//! The model chain: one vault that can be limited and paused, one Safe nonce, blocks that can be dropped.

use std::collections::BTreeSet;

use alloy_primitives::{Address, B256, U256, keccak256};
use watchfire_charter::Charter;
use watchfire_protocol::reads;
use watchfire_types::duty::Submission;
use watchfire_types::*;

use crate::cluster::CHAIN;

/// What every byte of the hash is that charters of these tests pin code by.
pub(crate) const PINNED_CODE: u8 = 0x11;

/// State of the model chain at one block.
#[derive(Debug, Clone)]
pub(crate) struct Block {
    pub(crate) at: BlockRef,
    pub(crate) parent: B256,
    pub(crate) limited: bool,
    pub(crate) paused: bool,
    pub(crate) nonce: u64,
    /// A pause is only scheduled.
    pub(crate) delays: bool,
    /// Owners that the Safe has no more.
    removed: BTreeSet<Address>,
    /// The call that nobody answers, by its signature.
    hidden: Option<&'static str>,
    /// What the hash of any code is made of; `None` where nobody tells it.
    code: Option<u8>,
    logs: Vec<Log>,
}

/// What happens in a block.
#[derive(Debug, Clone)]
pub(crate) enum Tx {
    Safe(Box<Submission>),
    StrangerLimits(bool),
    StrangerPauses(bool),
    TakesNonce,
    RemovesOwner(Address),
    Hides(Option<&'static str>),
    /// What [`Block::code`] becomes.
    Code(Option<u8>),
}

#[derive(Debug, Clone)]
pub(crate) struct Chain {
    pub(crate) blocks: Vec<Block>,
    pub(crate) branch: u64,
}

impl Chain {
    pub(crate) fn new(first: u64) -> Self {
        let at = block(first, 0);
        let genesis = Block {
            at,
            parent: B256::ZERO,
            limited: false,
            paused: false,
            nonce: 7,
            delays: false,
            removed: BTreeSet::new(),
            hidden: None,
            code: Some(PINNED_CODE),
            logs: Vec::new(),
        };
        Self { blocks: vec![genesis], branch: 0 }
    }

    pub(crate) fn head(&self) -> &Block {
        self.blocks.last().expect("a head")
    }

    /// Mines one block; a Safe transaction at a stale nonce does nothing.
    pub(crate) fn mine(&mut self, txs: &[Tx]) -> &Block {
        let parent = self.head().clone();
        let mut next =
            Block { at: block(parent.at.number + 1, self.branch), parent: parent.at.hash, logs: Vec::new(), ..parent };
        for tx in txs {
            match tx {
                Tx::StrangerLimits(to) => next.limited = *to,
                Tx::StrangerPauses(to) => next.paused = *to,
                Tx::TakesNonce => next.nonce += 1,
                Tx::RemovesOwner(owner) => drop(next.removed.insert(*owner)),
                Tx::Hides(call) => next.hidden = *call,
                Tx::Code(code) => next.code = *code,
                Tx::Safe(submission) => execute(&mut next, submission),
            }
        }
        self.blocks.push(next);
        self.head()
    }

    /// Drops the newest blocks; what is mined next differs from them.
    pub(crate) fn drop_newest(&mut self, count: usize) -> Vec<BlockRef> {
        self.branch += 1;
        let keep = self.blocks.len() - count;
        self.blocks.split_off(keep).iter().rev().map(|block| block.at).collect()
    }
}

pub(crate) fn block(number: u64, branch: u64) -> BlockRef {
    let hash = keccak256([number.to_be_bytes(), branch.to_be_bytes()].concat());
    BlockRef { chain: CHAIN, number, hash, time: BlockTime::from_secs(1_700_000_000 + number) }
}

fn execute(block: &mut Block, submission: &Submission) {
    if submission.transaction.nonce != U256::from(block.nonce) {
        return;
    }
    assert!(submission.signatures.len() >= 3 * 65, "threshold signatures");
    let selector = |text: &str| keccak256(text.as_bytes())[..4].to_vec();
    let data = submission.transaction.data.to_vec();
    if data.starts_with(&selector("pause()")) {
        block.paused = !block.delays;
    } else if data.starts_with(&selector("unpause()")) {
        block.paused = false;
    } else if data.starts_with(&selector("setWithdrawalsLimited(bool)")) {
        block.limited = data.last() == Some(&1);
    } else if data.starts_with(&selector("multiSend(bytes)")) {
        let calls = |text: &str| data.windows(4).any(|part| part == selector(text));
        let pauses = !calls("unpause()");
        assert_ne!(block.limited, pauses, "all or nothing: the batch would revert");
        (block.limited, block.paused) = (pauses, pauses);
    } else {
        assert!(data.is_empty(), "unknown call");
    }
    block.nonce += 1;
    block.logs.push(Log {
        address: submission.safe,
        topics: vec![keccak256(b"ExecutionSuccess(bytes32,uint256)"), submission.safe_tx_hash],
        data: vec![0; 32].into(),
        transaction: keccak256(submission.safe_tx_hash),
        index: block.logs.len() as u64,
    });
}

/// What a node reads of a block.
pub(crate) fn view(charter: &Charter, block: &Block) -> BlockView {
    let word = |value: u64| Bytes::copy_from_slice(&U256::from(value).to_be_bytes::<32>());
    let selector = |text: &str| keccak256(text.as_bytes())[..4].to_vec();
    let guardians = charter.members.values().filter_map(|member| member.guardian);
    let guardians: Vec<_> = guardians.filter(|guardian| !block.removed.contains(guardian)).collect();
    let mut owners = vec![U256::from(32), U256::from(guardians.len())];
    owners.extend(guardians.iter().map(|guardian| U256::from_be_slice(guardian.as_slice())));
    let owners: Vec<u8> = owners.iter().flat_map(|word| word.to_be_bytes::<32>()).collect();
    let threshold = charter.safes.values().next().map_or(0, |safe| u64::from(safe.threshold));
    let answer = |read: &Read| match read {
        Read::Call { data, .. } if data.starts_with(&selector("nonce()")) => word(block.nonce),
        Read::Call { data, .. } if data.starts_with(&selector("getThreshold()")) => word(threshold),
        Read::Call { data, .. } if data.starts_with(&selector("getOwners()")) => Bytes::from(owners.clone()),
        Read::Call { data, .. } if data.starts_with(&selector("paused()")) => word(u64::from(block.paused)),
        Read::Call { data, .. } if data.starts_with(&selector("withdrawalsLimited()")) => {
            word(u64::from(block.limited))
        }
        Read::CodeHash { .. } => Bytes::from(vec![block.code.unwrap_or_default(); 32]),
        _ => word(0),
    };
    let answered = reads(charter, CHAIN).into_iter().filter(|read| match (read, block.hidden) {
        (Read::Call { data, .. }, Some(hidden)) => !data.starts_with(&selector(hidden)),
        (Read::CodeHash { .. }, _) => block.code.is_some(),
        _ => true,
    });
    let reads = answered.map(|read| (read.clone(), ReadOutcome::Value(answer(&read)))).collect();
    BlockView {
        block: block.at,
        parent: block.parent,
        base_fee: Some(1),
        transactions: Vec::new(),
        logs: block.logs.clone(),
        reads,
        agreed: operators(charter),
        unproved: false,
    }
}

/// Every operator of a charter.
fn operators(charter: &Charter) -> BTreeSet<OperatorId> {
    charter.members.values().flat_map(|member| member.operators.iter().cloned()).collect()
}
