//! A Safe that executed what no playbook asks of it, or whose nonce moved without an execution.
//!
//! What it may execute unnoticed follows from charter and nonce alone, so that every node says the same: each step of each playbook at that nonce,
//! whole or without calls whose conditions held already, and the nonce's rejection, which does nothing. Anything else fires, failed ones too, unless
//! a change of the Safe is announced. Nobody executes without the signatures of as many owners as the threshold; but the owners of a Safe that has other
//! work do it every day, and signatures that were given outside this network may be sent by whoever has them.
//!
//! Memory: the nonces of 65 blocks, and 65 blocks with such an execution.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use alloy_primitives::{Address, B256, U256};
use watchfire_charter::Charter;
use watchfire_types::safe_execution::{EXECUTION_FAILURE, EXECUTION_SUCCESS, executed};
use watchfire_types::{
    AssetId, BlockRef, BlockView, Bytes, ChainId, Log, Read, ReadOutcome, SafeTransaction, SafeVersion,
};

use crate::detectors::Evaluation;
use crate::excuse::Excuses;
use crate::is_settled;
use crate::sightings::Sightings;

/// `nonce()`.
const NONCE: [u8; 4] = [0xaf, 0xfe, 0xd0, 0xe0];
/// Calls of a step of which any may be left out; of more, two at the most.
const SUBSETS_MAX: usize = 10;

/// What the playbooks make of a Safe.
struct Known {
    chain: ChainId,
    safe: Address,
    version: SafeVersion,
    packer: Option<Address>,
    /// The calls of each step through it.
    steps: BTreeSet<Vec<(Address, Bytes)>>,
}

impl Known {
    fn of(charter: &Charter, chain: ChainId, address: Address) -> Self {
        let here = |safe: &watchfire_charter::Safe| safe.chain == chain && safe.address == address;
        let steps = charter.playbooks.values().flat_map(|playbook| &playbook.steps).map(|step| {
            let own = step.actions.iter().filter(|action| charter.safes.get(&action.safe).is_some_and(here));
            own.map(|action| (action.target, action.calldata.clone())).collect::<Vec<_>>()
        });
        Self {
            chain,
            safe: address,
            version: charter.safes.values().find(|safe| here(safe)).map_or(SafeVersion::LATEST, |safe| safe.version),
            packer: charter.chains.get(&chain).and_then(|chain| chain.multi_send_call_only).map(|code| code.address),
            steps: steps.filter(|calls| !calls.is_empty()).collect(),
        }
    }

    fn knows(&self, nonce: U256, hash: B256) -> bool {
        let is = |transaction: SafeTransaction| {
            transaction.hashes(self.version, self.chain.get(), self.safe).safe_tx_hash == hash
        };
        is(SafeTransaction::rejection(self.safe, nonce))
            || self
                .steps
                .iter()
                .any(|calls| left(calls.len()).any(|left| self.transaction(calls, left, nonce).is_some_and(is)))
    }

    /// The calls of a step whose bits are set, as a guardian signs them.
    fn transaction(&self, calls: &[(Address, Bytes)], left: u32, nonce: U256) -> Option<SafeTransaction> {
        let mut calls = calls.iter().zip(0_u32..).filter(|(_, at)| left >> at & 1 == 1).map(|(call, _)| call);
        let first = calls.next()?;
        let Some(second) = calls.next() else {
            return Some(SafeTransaction::call(first.0, first.1.clone(), nonce));
        };
        let all = [first, second].into_iter().chain(calls).map(|(target, data)| (*target, &data[..]));
        Some(SafeTransaction::packed(self.packer?, all, nonce))
    }
}

/// Which of so many calls may be what is left of a step, as bits.
fn left(calls: usize) -> impl Iterator<Item = u32> {
    let (small, most) = (calls.min(SUBSETS_MAX), u32::try_from(calls).unwrap_or(u32::MAX).min(31));
    let whole = (1_u32 << most) - 1;
    let subsets = (1..=(1_u32 << small) - 1).filter(move |_| calls <= SUBSETS_MAX);
    let nearly = (0..most).flat_map(move |one| (0..=one).map(move |other| whole & !(1 << one) & !(1 << other)));
    let nearly = std::iter::once(whole).chain(nearly).filter(move |_| calls > SUBSETS_MAX);
    subsets.chain(nearly)
}

/// What moved the nonce.
enum Moved {
    Executed { nonce: U256, hash: B256, transaction: B256, succeeded: bool },
    Unexplained { from: U256, to: U256, executions: u64 },
}

struct Seen {
    first: Moved,
    count: u64,
}

/// One rule about a Safe's nonce.
pub(crate) struct NonceWatch {
    known: Known,
    /// The nonce after each of the newest blocks.
    nonces: VecDeque<(BlockRef, U256)>,
    seen: Sightings<Seen>,
}

impl NonceWatch {
    pub(crate) fn new(charter: &Charter, chain: ChainId, safe: Address, stands_s: u64) -> Self {
        Self { known: Known::of(charter, chain, safe), nonces: VecDeque::new(), seen: Sightings::new(stands_s) }
    }

    pub(crate) fn stands_s(&self) -> u64 {
        self.seen.stands_s()
    }

    pub(crate) fn read(&self) -> Read {
        Read::Call { to: self.known.safe, data: Bytes::from_static(&NONCE) }
    }

    /// The Safe, and the first topics of what it says of an execution.
    pub(crate) fn keys(&self) -> [(Address, B256); 2] {
        [EXECUTION_SUCCESS, EXECUTION_FAILURE].map(|topic| (self.known.safe, topic))
    }

    /// Whether this block says what the nonce is.
    pub(crate) fn answered(&self, view: &BlockView) -> bool {
        self.nonce(view).is_some()
    }

    fn nonce(&self, view: &BlockView) -> Option<U256> {
        view.reads.get(&self.read()).and_then(ReadOutcome::word)
    }

    /// Takes a block with those of its logs that have one of [`Self::keys`], in order; others among them do no harm.
    pub(crate) fn observe<'a>(
        &mut self,
        view: &BlockView,
        logs: impl Iterator<Item = &'a Log>,
        floor: Option<&BlockRef>,
        asset: &AssetId,
        excuses: &Excuses<'_>,
    ) -> Evaluation {
        let executed: Vec<_> =
            logs.filter_map(|log| self.executed(log).map(|(hash, good)| (log, hash, good))).collect();
        let count = U256::from(executed.len());
        let next = |(block, _): &&(BlockRef, U256)| block.number.checked_add(1) == Some(view.block.number);
        let before = self.nonces.back().filter(next).map(|(_, nonce)| *nonce);
        let after = self.nonce(view).or(before.map(|before| before.saturating_add(count)));
        let Some(after) = after else { return Evaluation::Unknown };
        let mut moved = Vec::new();
        for ((log, hash, succeeded), back) in executed.iter().zip((1..=executed.len()).rev()) {
            let nonce = after.saturating_sub(U256::from(back));
            if !self.known.knows(nonce, *hash) && !excuses.log(asset, log, view) {
                let (hash, transaction, succeeded) = (*hash, log.transaction, *succeeded);
                moved.push(Moved::Executed { nonce, hash, transaction, succeeded });
            }
        }
        if let Some(from) = before.filter(|before| before.saturating_add(count) != after)
            && !excuses.contract(asset, &self.known.safe)
        {
            moved.push(Moved::Unexplained { from, to: after, executions: executed.len() as u64 });
        }
        let count = moved.len() as u64;
        self.seen.take(&view.block, moved.into_iter().next().map(|first| Seen { first, count }));
        self.nonces.push_back((view.block, after));
        while self.nonces.get(1).is_some_and(|(second, _)| is_settled(second, &view.block)) {
            self.nonces.pop_front();
        }
        match self.seen.standing(&view.block, floor) {
            Some((block, seen)) => self.fires(block, seen),
            None => Evaluation::Quiet,
        }
    }

    pub(crate) fn rollback(&mut self, to: &BlockRef) {
        self.seen.rollback(to);
        while self.nonces.back().is_some_and(|(block, _)| block.number > to.number) {
            self.nonces.pop_back();
        }
    }

    /// The hash that the Safe executed, and whether it succeeded.
    fn executed(&self, log: &Log) -> Option<(B256, bool)> {
        executed(&log.topics, &log.data).filter(|_| log.address == self.known.safe)
    }

    fn fires(&self, block: &BlockRef, Seen { first, count }: &Seen) -> Evaluation {
        let safe = self.known.safe;
        let mut figures = BTreeMap::from([
            ("safe".to_owned(), safe.to_string()),
            ("event_block".to_owned(), block.number.to_string()),
            ("count".to_owned(), count.to_string()),
        ]);
        let number = block.number;
        let explanation = match first {
            Moved::Executed { nonce, hash, transaction, succeeded } => {
                let more = [("nonce", nonce.to_string()), ("safe_tx_hash", hash.to_string())];
                figures.extend(more.map(|(name, value)| (name.to_owned(), value)));
                figures.insert("transaction".to_owned(), transaction.to_string());
                let how = if *succeeded { "executed" } else { "executed, and failed at," };
                format!(
                    "Safe {safe} {how} {hash} with nonce {nonce} at block {number} in transaction {transaction}: no step of a playbook, no rejection"
                )
            }
            Moved::Unexplained { from, to, executions } => {
                let more = [("nonce", to.to_string()), ("nonce_before", from.to_string())];
                figures.extend(more.map(|(name, value)| (name.to_owned(), value)));
                format!(
                    "the nonce of Safe {safe} went from {from} to {to} at block {number} with {executions} execution(s)"
                )
            }
        };
        Evaluation::Fires { explanation, figures }
    }
}

#[cfg(test)]
mod tests;
