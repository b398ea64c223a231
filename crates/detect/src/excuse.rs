//! What an announcement excuses: acts of the one change that it names, in blocks of its window that were made after it counted.
//!
//! A call of the target is excused by its data: the very bytes, or the selector, that were announced. It is read from the transaction, which calls the
//! target itself or through wrappers that are known (a multisig's, a timelock's, a batch). Of what calls within calls caused that cannot be read there a
//! block tells the event or the state alone: the contract and the window are what is compared then. So while a change is announced, whoever may make it
//! can make another one of the same contract through such a contract in between; a short window leaves little room for that. Where a block comes
//! without its transactions every act is taken for such a one.

use alloy_primitives::Address;
use watchfire_types::body::{Announced, ChangeCall};
use watchfire_types::{AssetId, BlockView, Log, Transaction};

use crate::nested::{Call, Nested};

/// The announcements that cover one block.
#[derive(Debug, Default)]
pub(crate) struct Excuses<'a> {
    covering: Vec<&'a Announced>,
}

impl<'a> Excuses<'a> {
    pub(crate) fn of(announced: &'a [Announced], view: &BlockView) -> Self {
        Self { covering: announced.iter().filter(|announced| announced.covers(&view.block)).collect() }
    }

    fn for_contract(&self, asset: &AssetId, contract: &Address) -> impl Iterator<Item = &ChangeCall> {
        let named =
            move |announced: &&&Announced| announced.change.asset == *asset && announced.change.target == *contract;
        self.covering.iter().filter(named).map(|announced| &announced.change.call)
    }

    /// Whether a change of this contract is announced.
    pub(crate) fn contract(&self, asset: &AssetId, contract: &Address) -> bool {
        self.for_contract(asset, contract).next().is_some()
    }

    /// Whether this very call is announced.
    pub(crate) fn call(&self, asset: &AssetId, call: &Call<'_>) -> bool {
        self.for_contract(asset, &call.target).any(|announced| match announced {
            ChangeCall::Data(hash) => call.hash() == *hash,
            ChangeCall::Selector(selector) => call.selector == Some(*selector),
        })
    }

    /// Whether what this event tells of is announced.
    pub(crate) fn log(&self, asset: &AssetId, log: &Log, view: &BlockView) -> bool {
        if !self.contract(asset, &log.address) {
            return false;
        }
        let called = caused(log, view).and_then(called);
        called.and_then(|call| self.within(asset, &log.address, &call.open(false))).unwrap_or(true)
    }

    /// Whether the calls of a contract that can be read are all announced; `None` where none can be.
    fn within(&self, asset: &AssetId, contract: &Address, nested: &Nested<'_>) -> Option<bool> {
        let own = nested.call.target == *contract;
        if own && self.call(asset, &nested.call) {
            // With all that it makes.
            return Some(true);
        }
        let inner = nested.inner.iter().filter_map(|inner| self.within(asset, contract, inner));
        inner.reduce(|one, other| one && other).or(own.then_some(false))
    }
}

/// What a transaction calls.
pub(crate) fn called(transaction: &Transaction) -> Option<Call<'_>> {
    transaction.to.map(|to| Call::of(to, &transaction.input))
}

/// The transaction that a log is of, where the block tells it.
pub(crate) fn caused<'a>(log: &Log, view: &'a BlockView) -> Option<&'a Transaction> {
    view.transactions.iter().find(|transaction| transaction.hash == log.transaction)
}
