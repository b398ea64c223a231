//! The model chain: blocks on branches, a mempool with fees, and reorgs. Everything that was ever canonical stays readable by hash.

pub(crate) mod contracts;
pub(crate) mod state;

use std::collections::BTreeMap;
use std::rc::Rc;

use alloy_primitives::{Address, B256, keccak256};
use watchfire_types::{BlockRef, BlockTime, Bytes, Log, Read, ReadOutcome, SafeTransaction};

use super::cast::{CHAIN, Cast};
use state::{Reason, Signers, State, Touch};

/// The first block's time, seconds since the Unix epoch.
pub(crate) const BIRTH_S: u64 = 1_700_000_000;
/// Base fee that the chain comes back to, wei per gas.
const BASE_FEE: u128 = 1_000_000_000;
/// Blocks before the nodes start.
const HISTORY: u64 = 3;

/// What a transaction asks for.
#[derive(Debug, Clone)]
pub(crate) enum Call {
    /// `execTransaction` of the Safe.
    Execute { transaction: Rc<SafeTransaction>, signatures: Bytes },
    /// Something past the Safe.
    Touch(Touch),
}

/// A transaction on its way.
#[derive(Debug, Clone)]
pub(crate) struct Transaction {
    pub(crate) hash: B256,
    pub(crate) from: Address,
    /// Transactions of one slot replace each other; the highest bid is in the mempool.
    pub(crate) slot: B256,
    pub(crate) call: Call,
    pub(crate) max_fee: u128,
    pub(crate) tip: u128,
}

/// What became of a transaction in a block.
#[derive(Debug, Clone)]
pub(crate) struct Included {
    pub(crate) transaction: Transaction,
    pub(crate) result: Result<(), Reason>,
}

/// One block.
#[derive(Debug, Clone)]
pub(crate) struct Block {
    pub(crate) at: BlockRef,
    pub(crate) parent: B256,
    pub(crate) base_fee: u128,
    pub(crate) state: Rc<State>,
    /// What an honest operator answers to everything that nodes ask of every block.
    pub(crate) answers: Rc<BTreeMap<Read, ReadOutcome>>,
    pub(crate) logs: Rc<Vec<Log>>,
    pub(crate) included: Rc<Vec<Included>>,
}

/// The chain.
#[derive(Debug)]
pub(crate) struct Chain {
    blocks: BTreeMap<B256, Block>,
    canonical: Vec<B256>,
    /// By slot, each with its place in the order of arrival.
    mempool: BTreeMap<B256, (u64, Transaction)>,
    arrivals: u64,
    pub(crate) signers: Signers,
    base_fee: u128,
    /// What the base fee comes back to.
    least_fee: u128,
    forks: u64,
}

impl Chain {
    /// With a few empty blocks.
    pub(crate) fn new(cast: &Cast) -> Self {
        let mut chain = Self {
            blocks: BTreeMap::new(),
            canonical: Vec::new(),
            mempool: BTreeMap::new(),
            arrivals: 0,
            signers: Signers::default(),
            base_fee: BASE_FEE,
            least_fee: BASE_FEE,
            forks: 0,
        };
        let genesis = Rc::new(State::genesis(cast));
        chain.push(cast, 0, B256::ZERO, genesis, Vec::new(), Vec::new());
        for _ in 0..HISTORY {
            chain.mine(cast);
        }
        chain
    }

    pub(crate) fn head(&self) -> &Block {
        // Never empty: the first block is made with the chain.
        &self.blocks[&self.canonical[self.canonical.len() - 1]]
    }

    pub(crate) fn block(&self, hash: &B256) -> Option<&Block> {
        self.blocks.get(hash)
    }

    /// The canonical block at a height.
    pub(crate) fn at(&self, number: u64) -> Option<&Block> {
        self.blocks.get(self.canonical.get(usize::try_from(number).ok()?)?)
    }

    pub(crate) fn is_canonical(&self, at: &BlockRef) -> bool {
        self.at(at.number).is_some_and(|block| block.at.hash == at.hash)
    }

    fn time_of(cast: &Cast, number: u64) -> BlockTime {
        BlockTime::from_secs(BIRTH_S + number * cast.scenario.chain.block_time_ms / 1_000)
    }

    fn push(
        &mut self,
        cast: &Cast,
        number: u64,
        parent: B256,
        state: Rc<State>,
        mut logs: Vec<Log>,
        included: Vec<Included>,
    ) {
        let content = included.iter().fold(Vec::new(), |mut bytes: Vec<u8>, one| {
            bytes.extend_from_slice(one.transaction.hash.as_slice());
            bytes
        });
        let hash = keccak256(
            [parent.as_slice(), &number.to_be_bytes(), &self.forks.to_be_bytes(), content.as_slice()].concat(),
        );
        for (index, log) in (0..).zip(&mut logs) {
            log.index = index;
        }
        let at = BlockRef { chain: CHAIN, number, hash, time: Self::time_of(cast, number) };
        let base_fee = self.base_fee;
        let unchanged = self.blocks.get(&parent).filter(|before| Rc::ptr_eq(&before.state, &state));
        let answers = unchanged
            .map(|before| Rc::clone(&before.answers))
            .unwrap_or_else(|| Rc::new(cast.reads.iter().map(|read| (read.clone(), state.read(cast, read))).collect()));
        let (logs, included) = (Rc::new(logs), Rc::new(included));
        let block = Block { at, parent, base_fee, state, answers, logs, included };
        self.blocks.insert(hash, block);
        self.canonical.push(hash);
        self.base_fee = (base_fee - base_fee / 8).max(self.least_fee);
    }

    /// Makes the next block of everything in the mempool that pays the base fee, highest tip first, of equal ones what came first.
    pub(crate) fn mine(&mut self, cast: &Cast) {
        let head = self.head();
        let (parent, number, mut state) = (head.at.hash, head.at.number + 1, Rc::clone(&head.state));
        let base_fee = self.base_fee;
        let mut due: Vec<B256> =
            self.mempool.iter().filter(|(_, (_, one))| one.max_fee >= base_fee).map(|(slot, _)| *slot).collect();
        due.sort_by_key(|slot| {
            let (arrived, transaction) = &self.mempool[slot];
            (std::cmp::Reverse(transaction.tip), *arrived)
        });
        let (mut logs, mut included) = (Vec::new(), Vec::new());
        for slot in due {
            let Some((_, transaction)) = self.mempool.remove(&slot) else { continue };
            let mut after = State::clone(&state);
            let result = match &transaction.call {
                Call::Execute { transaction, signatures } => {
                    after.execute(cast, &mut self.signers, transaction, signatures)
                }
                Call::Touch(touch) => after.touch(cast, *touch),
            };
            let result = result.map(|made: Vec<Log>| {
                logs.extend(made.into_iter().map(|log| Log { transaction: transaction.hash, ..log }));
                state = Rc::new(after);
            });
            included.push(Included { transaction, result });
        }
        self.push(cast, number, parent, state, logs, included);
    }

    /// Puts a transaction into the mempool; a lower bid for the same slot changes nothing.
    pub(crate) fn send(&mut self, transaction: Transaction) {
        let standing = self.mempool.get(&transaction.slot);
        if standing.is_none_or(|(_, standing)| standing.max_fee < transaction.max_fee) {
            self.arrivals += 1;
            self.mempool.insert(transaction.slot, (self.arrivals, transaction));
        }
    }

    /// Replaces the newest `depth` blocks by as many and one more. Their transactions wait again, unless they are dropped; then the new
    /// branch is empty.
    pub(crate) fn reorganise(&mut self, cast: &Cast, depth: u64, drops: bool) {
        let keep = self.canonical.len().saturating_sub(usize::try_from(depth).unwrap_or(usize::MAX)).max(1);
        let taken: Vec<B256> = self.canonical.drain(keep..).collect();
        let count = taken.len();
        self.forks += 1;
        let lost = taken.iter().filter_map(|hash| self.blocks.get(hash)).flat_map(|block| block.included.iter());
        let lost: Vec<Transaction> = lost.map(|one| one.transaction.clone()).collect();
        let waiting = if drops { std::mem::take(&mut self.mempool) } else { BTreeMap::new() };
        if !drops {
            for transaction in lost {
                self.send(transaction);
            }
        }
        for _ in 0..=count {
            self.mine(cast);
        }
        if drops {
            self.mempool = waiting;
        }
    }

    /// Multiplies the base fee for good.
    pub(crate) fn floor(&mut self, factor: u64) {
        self.least_fee = self.least_fee.saturating_mul(u128::from(factor));
        self.base_fee = self.base_fee.max(self.least_fee);
    }

    /// Multiplies the next block's base fee.
    pub(crate) fn spike(&mut self, factor: u64) {
        self.base_fee = self.base_fee.saturating_mul(u128::from(factor));
    }
}
