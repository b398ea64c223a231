//! What an announcement excuses: acts of the one change that it names, in blocks of its window that were made after it counted.
//!
//! A transaction straight to the target is excused by its call data: the very bytes, or the selector, that were announced. Of what an inner call caused
//! (a multisig's, a timelock's) a block tells the event or the state alone: there the contract and the window are what is compared. So while a
//! change is announced, whoever may make it can make another one of the same contract through a contract in between; a short window
//! leaves little room for that. Where a block comes without its transactions every act is taken for such a one.

use alloy_primitives::{Address, keccak256};
use watchfire_types::body::{Announced, ChangeCall};
use watchfire_types::{AssetId, BlockView, Log, Transaction};

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

    /// Whether this very transaction is announced.
    pub(crate) fn call(&self, asset: &AssetId, transaction: &Transaction) -> bool {
        let Some(to) = &transaction.to else { return false };
        self.for_contract(asset, to).any(|call| match call {
            ChangeCall::Data(hash) => keccak256(&transaction.input) == *hash,
            ChangeCall::Selector(selector) => transaction.input.starts_with(&selector.0),
        })
    }

    /// Whether what this event tells of is announced.
    pub(crate) fn log(&self, asset: &AssetId, log: &Log, view: &BlockView) -> bool {
        if !self.contract(asset, &log.address) {
            return false;
        }
        match caused(log, view) {
            Some(transaction) if transaction.to == Some(log.address) => self.call(asset, transaction),
            Some(_) | None => true,
        }
    }
}

/// The transaction that a log is of, where the block tells it.
pub(crate) fn caused<'a>(log: &Log, view: &'a BlockView) -> Option<&'a Transaction> {
    view.transactions.iter().find(|transaction| transaction.hash == log.transaction)
}
