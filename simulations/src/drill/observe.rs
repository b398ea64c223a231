//! What the launcher sees: the chain with its own eyes, and every node's records.

use std::collections::BTreeSet;
use std::time::{SystemTime, UNIX_EPOCH};

use alloy_primitives::{Address, B256, U256};
use watchfire_types::OrganisationId;
use watchfire_types::control::Record;

use super::stage::Stage;
use crate::charter::PAUSE_STEP;
use crate::rpc::{Rpc, RpcError};
use crate::vault;

/// Milliseconds since the Unix epoch.
pub(super) fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// One block as the launcher saw it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BlockSeen {
    pub(super) number: u64,
    pub(super) at_ms: u64,
    pub(super) vault_wei: U256,
    /// In the attacker's contract, or account where it has none.
    pub(super) attacker_wei: U256,
    pub(super) paused: bool,
}

/// Everything seen so far.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// Records with the place of the node that told them.
    pub(super) records: Vec<(usize, Record)>,
    pub(super) blocks: Vec<BlockSeen>,
    /// Transaction that paused the vault, and who sent it.
    pub(super) pause: Option<(B256, Address)>,
}

impl Seen {
    /// Reads the chain up to its head; answers whether there was a new block.
    pub(super) async fn look(&mut self, stage: &Stage) -> Result<bool, RpcError> {
        let (rpc, vault) = (&stage.rpc, stage.vault);
        let head = rpc.head().await?;
        let next = self.blocks.last().map_or(head.number, |last| last.number + 1);
        for number in next..=head.number {
            let vault_wei = rpc.balance_at(vault, Some(number)).await?;
            let attacker_wei = rpc.balance_at(stage.contract, Some(number)).await?;
            let paused = vault::paused(rpc, vault, Some(number)).await?;
            if paused && !self.blocks.last().is_some_and(|last| last.paused) {
                self.pause = find_pause(rpc, number, stage.safe.address).await?;
            }
            self.blocks.push(BlockSeen { number, at_ms: now_ms(), vault_wei, attacker_wei, paused });
        }
        Ok(next <= head.number)
    }

    /// Records of one kind.
    pub(super) fn of_kind<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Record> {
        self.records.iter().map(|(_, record)| record).filter(move |record| record.kind == kind)
    }

    /// Nodes that told a record of a kind.
    pub(super) fn places(&self, kind: &str) -> BTreeSet<usize> {
        self.records.iter().filter(|(_, record)| record.kind == kind).map(|(place, _)| *place).collect()
    }

    /// When the first record of a kind happened anywhere.
    pub(super) fn first(&self, kind: &str) -> Option<u64> {
        self.of_kind(kind).map(|record| record.at_ms).min()
    }

    /// Organisations that authored an event of a kind.
    pub(super) fn authors<'a>(&'a self, kind: &'a str) -> BTreeSet<&'a OrganisationId> {
        self.of_kind(kind).filter_map(|record| record.organisation.as_ref()).collect()
    }

    /// Certificates for a step of the ladder: those for cancel and close name none.
    pub(super) fn certificates(&self) -> impl Iterator<Item = &Record> {
        self.of_kind("certificate").filter(|record| record.step.is_some())
    }

    /// Whether a cancel certificate was made.
    pub(super) fn cancelled(&self) -> bool {
        self.of_kind("certificate").any(|record| record.step.is_none() && record.text.contains("cancel"))
    }

    /// First block after which the vault was paused.
    pub(super) fn included(&self) -> Option<&BlockSeen> {
        self.blocks.iter().find(|block| block.paused)
    }

    /// When a block arrived at the first node; as the launcher saw it, if no node told.
    pub(super) fn arrival(&self, number: u64) -> Option<u64> {
        let told = self.of_kind("block").filter(|record| record.block.is_some_and(|block| block.number == number));
        let seen = self.blocks.iter().find(|block| block.number == number).map(|block| block.at_ms);
        told.map(|record| record.at_ms).min().or(seen)
    }

    /// When the first node saw the pause hold.
    pub(super) fn postcondition(&self) -> Option<u64> {
        self.of_kind("postcondition-checked")
            .filter(|record| record.step == Some(PAUSE_STEP) && !record.text.contains("does not hold"))
            .map(|record| record.at_ms)
            .min()
    }
}

/// The transaction to the Safe that succeeded in the block that paused: looked up, not believed.
async fn find_pause(rpc: &Rpc, block: u64, safe: Address) -> Result<Option<(B256, Address)>, RpcError> {
    for transaction in rpc.transactions_to(block, safe).await? {
        if let Some(receipt) = rpc.receipt(transaction).await?.filter(|receipt| receipt.succeeded) {
            return Ok(Some((transaction, receipt.from)));
        }
    }
    Ok(None)
}
