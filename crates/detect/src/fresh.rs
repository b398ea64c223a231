//! A contract that is made with money of a listed source and has the asset's address in its code: what an attacker deploys before the attack.
//!
//! An account is *funded* by a transaction of a source that brings it native coin, or by a source's `Withdrawal(address,bytes32,address,uint256)` that
//! names it (Tornado Cash's form, where the money itself moves in an inner call). It fires where a source or a funded account makes a contract by a
//! transaction without recipient whose code, arguments included, holds the address of one of the asset's contracts in its 20 bytes. Seen from the block
//! alone, so that every node finds the same; a deployer funded through a third account, and contracts that a factory makes, are not seen.
//!
//! Memory: the newest [`FUNDED_MAX`] fundings and those of 64 blocks, each 80 bytes, and 65 blocks with such a contract.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use alloy_primitives::{Address, B256, b256};
use watchfire_charter::FreshCode;
use watchfire_types::{BlockRef, BlockView, Log, Transaction};

use crate::detectors::Evaluation;
use crate::is_settled;
use crate::sightings::Sightings;

/// Fundings that are remembered.
pub(crate) const FUNDED_MAX: usize = 4_096;
/// `Withdrawal(address,bytes32,address,uint256)`.
const WITHDRAWAL: B256 = b256!("e9e508bad6d4c3227e881ca19068f099da81b5164dd6d62b2eaf1e8bc6c34931");

/// A contract that was made.
struct Made {
    transaction: B256,
    by: Address,
    /// The block at which its maker was funded; none, where a source made it itself.
    funded: Option<BlockRef>,
    /// The asset's contract whose address it holds.
    holds: Address,
}

struct Seen {
    first: Made,
    count: u64,
}

/// One rule about fresh code.
pub(crate) struct FreshWatch {
    rule: FreshCode,
    /// The asset's contracts.
    group: BTreeSet<Address>,
    /// In the order of their blocks.
    funded: VecDeque<(BlockRef, Address)>,
    seen: Sightings<Seen>,
}

impl FreshWatch {
    pub(crate) fn new(rule: FreshCode, group: BTreeSet<Address>) -> Self {
        let seen = Sightings::new(rule.stands_s);
        Self { rule, group, funded: VecDeque::new(), seen }
    }

    /// How far it looks back, seconds of block time.
    pub(crate) fn span_s(&self) -> u64 {
        self.rule.funded_s.saturating_add(self.rule.stands_s)
    }

    /// The sources' withdrawals.
    pub(crate) fn keys(&self) -> impl Iterator<Item = (Address, B256)> {
        self.rule.sources.iter().map(|source| (*source, WITHDRAWAL))
    }

    /// Takes a block with those of its logs that have one of [`Self::keys`]; others among them do no harm. Who is funded anywhere in a block may make
    /// something anywhere in it.
    pub(crate) fn observe<'a>(
        &mut self,
        view: &BlockView,
        logs: impl Iterator<Item = &'a Log>,
        floor: Option<&BlockRef>,
    ) -> Evaluation {
        let paid = view.transactions.iter().filter(|one| self.is_source(&one.from) && !one.value.is_zero());
        let paid = paid.filter(|one| one.succeeded != Some(false)).filter_map(|one| one.to);
        let withdrawn = logs.filter(|log| self.is_source(&log.address)).filter_map(withdrawn);
        let funded: BTreeSet<Address> = paid.chain(withdrawn).collect();
        self.funded.extend(funded.into_iter().map(|account| (view.block, account)));
        self.forget(&view.block);
        let mut made = view.transactions.iter().filter_map(|one| self.made(view, one));
        let seen = made.next().map(|first| Seen { first, count: 1 + made.map(|_| 1).sum::<u64>() });
        self.seen.take(&view.block, seen);
        match self.seen.standing(&view.block, floor) {
            Some((block, seen)) => tell(block, seen),
            None => Evaluation::Quiet,
        }
    }

    pub(crate) fn rollback(&mut self, to: &BlockRef) {
        self.seen.rollback(to);
        self.funded.retain(|(block, _)| block.number <= to.number);
    }

    fn is_source(&self, account: &Address) -> bool {
        self.rule.sources.contains(account)
    }

    /// What no reorg takes back is dropped once it is too old at the newest funding of which that is true, or older than the newest that are
    /// remembered: a rolled-back node judges no block before that one.
    fn forget(&mut self, head: &BlockRef) {
        let settled = self.funded.partition_point(|(block, _)| is_settled(block, head));
        let Some((newest, _)) = settled.checked_sub(1).and_then(|last| self.funded.get(last)) else { return };
        let newest = newest.time;
        let old = self.funded.partition_point(|(block, _)| newest.secs_since(block.time) > self.rule.funded_s);
        self.funded.drain(..settled.saturating_sub(FUNDED_MAX).max(old));
    }

    fn made(&self, view: &BlockView, one: &Transaction) -> Option<Made> {
        if one.to.is_some() || one.succeeded == Some(false) {
            return None;
        }
        let funding = || {
            let young = |block: &BlockRef| view.block.time.secs_since(block.time) <= self.rule.funded_s;
            let mut newest = self.funded.iter().rev().take(FUNDED_MAX);
            newest.find(|(block, account)| *account == one.from && young(block)).map(|(block, _)| *block)
        };
        let funded = if self.is_source(&one.from) { None } else { Some(funding()?) };
        let holds = one.input.windows(20).map(Address::from_slice).find(|held| self.group.contains(held))?;
        Some(Made { transaction: one.hash, by: one.from, funded, holds })
    }
}

/// Whom a withdrawal pays.
fn withdrawn(log: &Log) -> Option<Address> {
    if log.topics.first() != Some(&WITHDRAWAL) {
        return None;
    }
    let word: [u8; 32] = *log.data.first_chunk()?;
    word.starts_with(&[0; 12]).then(|| Address::from_word(B256::from(word)))
}

fn tell(block: &BlockRef, seen: &Seen) -> Evaluation {
    let Seen { first: Made { transaction, by, funded, holds }, count } = seen;
    let money = match funded {
        Some(funded) => format!("funded by a listed source at block {}", funded.number),
        None => "a listed source".to_owned(),
    };
    let explanation = format!(
        "{by}, {money}, made {count} contract(s) at block {} whose code holds {holds}, first in transaction {transaction}",
        block.number
    );
    let mut figures = BTreeMap::from([
        ("event_block".to_owned(), block.number.to_string()),
        ("count".to_owned(), count.to_string()),
        ("transaction".to_owned(), transaction.to_string()),
        ("deployer".to_owned(), by.to_string()),
        ("holds".to_owned(), holds.to_string()),
    ]);
    figures.extend(funded.map(|funded| ("funded_block".to_owned(), funded.number.to_string())));
    Evaluation::Fires { explanation, figures }
}

#[cfg(test)]
mod tests;
