//! A model chain with one vault and one Safe, as nodes read it.

use alloy_primitives::{B256, U256, keccak256};
use watchfire_charter::Charter;
use watchfire_protocol::reads;
use watchfire_types::body::Finding;
use watchfire_types::duty::Submission;
use watchfire_types::{BlockRef, BlockTime, BlockView, Bytes, ChainId, Log, Read, ReadOutcome, Severity};

/// The drill charter's chain.
pub(crate) const CHAIN: ChainId = ChainId::new(31_337);
const START_S: u64 = 1_700_000_000;

/// State at one block.
#[derive(Debug, Clone)]
pub(crate) struct Block {
    pub(crate) at: BlockRef,
    parent: B256,
    limited: bool,
    pub(crate) paused: bool,
    pub(crate) nonce: u64,
    logs: Vec<Log>,
}

/// The head of the model chain.
#[derive(Debug, Clone)]
pub(crate) struct Chain {
    head: Block,
}

fn block_ref(number: u64) -> BlockRef {
    BlockRef {
        chain: CHAIN,
        number,
        hash: keccak256(number.to_be_bytes()),
        time: BlockTime::from_secs(START_S + number),
    }
}

impl Chain {
    pub(crate) fn new(first: u64) -> Self {
        let at = block_ref(first);
        Self { head: Block { at, parent: B256::ZERO, limited: false, paused: false, nonce: 7, logs: Vec::new() } }
    }

    pub(crate) fn head(&self) -> &Block {
        &self.head
    }

    /// Mines a block with these Safe transactions; one at a stale nonce does nothing.
    pub(crate) fn mine(&mut self, submissions: &[Submission]) {
        let parent = self.head.clone();
        let at = block_ref(parent.at.number + 1);
        self.head = Block { at, parent: parent.at.hash, logs: Vec::new(), ..parent };
        for submission in submissions {
            self.execute(submission);
        }
    }

    fn execute(&mut self, submission: &Submission) {
        let head = &mut self.head;
        if submission.transaction.nonce != U256::from(head.nonce) {
            return;
        }
        assert_eq!(submission.signatures.len(), 3 * 65, "threshold signatures");
        let called = |text: &str| submission.transaction.data.starts_with(&keccak256(text.as_bytes())[..4]);
        head.paused |= called("pause()");
        head.limited |= called("setWithdrawalsLimited(bool)");
        head.nonce += 1;
        head.logs.push(Log {
            address: submission.safe,
            topics: vec![keccak256(b"ExecutionSuccess(bytes32,uint256)"), submission.safe_tx_hash],
            data: vec![0; 32].into(),
            transaction: keccak256(submission.safe_tx_hash),
            index: head.logs.len() as u64,
        });
    }

    /// What a node reads of the head.
    pub(crate) fn view(&self, charter: &Charter) -> BlockView {
        let block = &self.head;
        let word = |value: u64| Bytes::copy_from_slice(&U256::from(value).to_be_bytes::<32>());
        let mut owners = vec![U256::from(32), U256::from(charter.members.len())];
        owners.extend(charter.members.values().filter_map(|m| m.guardian).map(|g| U256::from_be_slice(g.as_slice())));
        let owners: Vec<u8> = owners.iter().flat_map(U256::to_be_bytes::<32>).collect();
        let answer = |read: &Read| {
            let Read::Call { data, .. } = read else { return word(0) };
            let called = |text: &str| data.starts_with(&keccak256(text.as_bytes())[..4]);
            match () {
                () if called("nonce()") => word(block.nonce),
                () if called("getThreshold()") => word(3),
                () if called("getOwners()") => Bytes::from(owners.clone()),
                () if called("paused()") => word(block.paused.into()),
                () if called("withdrawalsLimited()") => word(block.limited.into()),
                () => word(0),
            }
        };
        let reads = reads(charter, CHAIN).into_iter();
        let reads = reads.map(|read| (read.clone(), ReadOutcome::Value(answer(&read)))).collect();
        let agreed = charter.members.values().flat_map(|member| member.operators.iter().cloned()).collect();
        BlockView {
            block: block.at,
            parent: block.parent,
            base_fee: Some(1),
            transactions: Vec::new(),
            logs: block.logs.clone(),
            reads,
            agreed,
            unproved: false,
        }
    }
}

/// A finding of the drill charter's outflow detectors, standing at `block` since then.
pub(crate) fn finding(detector: &str, block: BlockRef) -> Finding {
    Finding {
        asset: "vault-core".parse().unwrap(),
        detector: detector.parse().unwrap(),
        kind: "outflow".into(),
        severity: if detector == "vault-outflow" { Severity::Sev1 } else { Severity::Sev2 },
        first: block,
        block,
        explanation: "net outflow over the limit".into(),
        figures: std::collections::BTreeMap::new(),
    }
}
