//! Account nonces in use and every transaction sent at each: one of them, and only one, can be included. Pure.

use std::collections::BTreeMap;

use alloy_primitives::{B256, Bytes};

use crate::fees::Bid;

/// Transactions watched per nonce. Whichever of them is included ends it, so none that can be is forgotten: each tops those before it by an
/// eighth, and from one gwei 577 such steps lead to 2^128 wei. Those that everybody refused go first.
const SENT_MAX: usize = 640;
/// Receipts asked for at once: of the newest with every block, of the others once the nonce is used.
pub(super) const ASKED_MAX: usize = 40;

/// One nonce of the gas payer.
#[derive(Debug)]
pub(super) struct Slot {
    /// Whose transaction was sent last.
    pub(super) safe_tx_hash: B256,
    /// Every transaction of the nonce, oldest first.
    pub(super) sent: Vec<Sent>,
    /// Bids made at the nonce by this submission.
    pub(super) attempts: u32,
    /// Head when the first of them left.
    pub(super) first_head: u64,
    /// Blocks since then whose base fee the bid of the time covered.
    pub(super) missed: u32,
    /// Block that included one of them.
    pub(super) included: Option<B256>,
    /// Rounds in which the nonce was used and nobody could be sure by whom.
    pub(super) unsure: u32,
}

/// One transaction.
#[derive(Debug, Clone)]
pub(super) struct Sent {
    pub(super) safe_tx_hash: B256,
    pub(super) hash: B256,
    pub(super) raw: Bytes,
    pub(super) bid: Bid,
    /// Head when it left.
    pub(super) at_head: u64,
    /// Nobody took it: watched like the others, but no bid has to top it.
    pub(super) void: bool,
}

impl Slot {
    /// Hashes of every transaction that can be included: the newest [`ASKED_MAX`], and those before them, newest first.
    pub(super) fn watched(&self) -> (Vec<B256>, Vec<B256>) {
        let mut newest: Vec<B256> = self.sent.iter().rev().map(|sent| sent.hash).collect();
        let older = newest.split_off(newest.len().min(ASKED_MAX));
        (newest, older)
    }
}

#[derive(Debug, Default)]
pub(super) struct Slots {
    slots: BTreeMap<u64, Slot>,
}

impl Slots {
    pub(super) fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    pub(super) fn holds(&self, safe_tx_hash: &B256) -> bool {
        self.slots.values().any(|slot| slot.safe_tx_hash == *safe_tx_hash)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (u64, &Slot)> {
        self.slots.iter().map(|(nonce, slot)| (*nonce, slot))
    }

    pub(super) fn get_mut(&mut self, nonce: u64) -> Option<&mut Slot> {
        self.slots.get_mut(&nonce)
    }

    /// Counts one more round in which nobody could be sure of a used nonce; answers how many there were.
    pub(super) fn count_unsure(&mut self, nonce: u64) -> u32 {
        self.slots.get_mut(&nonce).map_or(0, |slot| {
            slot.unsure = slot.unsure.saturating_add(1);
            slot.unsure
        })
    }

    pub(super) fn remove(&mut self, nonce: u64) -> Option<Slot> {
        self.slots.remove(&nonce)
    }

    /// Forgets nonces above a gap: an endpoint lied about the account's nonce, and no block can take them before the gap is
    /// filled.
    pub(super) fn drop_unreachable(&mut self, account_nonce: u64) {
        let reachable = (account_nonce..).find(|nonce| !self.slots.contains_key(nonce)).unwrap_or(u64::MAX);
        self.slots.retain(|nonce, _| *nonce < reachable);
    }

    /// The nonce for a new submission: one whose transaction is no longer owed and not included, else the next free one.
    pub(super) fn choose(&self, account_nonce: u64, is_owed: impl Fn(&B256) -> bool) -> u64 {
        let abandoned = self
            .slots
            .iter()
            .find(|(nonce, slot)| **nonce >= account_nonce && slot.included.is_none() && !is_owed(&slot.safe_tx_hash));
        let next = (account_nonce..).find(|nonce| !self.slots.contains_key(nonce));
        abandoned.map(|(nonce, _)| *nonce).or(next).unwrap_or(account_nonce)
    }

    /// The highest bid made at a nonce: a replacement must top both of its fields.
    pub(super) fn highest(&self, nonce: u64) -> Option<Bid> {
        let standing = || self.slots.get(&nonce).into_iter().flat_map(|slot| &slot.sent).filter(|sent| !sent.void);
        let max_fee = standing().map(|sent| sent.bid.max_fee).max()?;
        Some(Bid { max_fee, tip: standing().map(|sent| sent.bid.tip).max()? })
    }

    /// The newest transaction of this submission at a nonce, unless everybody refused it or another submission's stands above it.
    pub(super) fn standing(&self, nonce: u64, safe_tx_hash: &B256) -> Option<Bytes> {
        let last = self.slots.get(&nonce)?.sent.iter().rev().find(|sent| !sent.void)?;
        (last.safe_tx_hash == *safe_tx_hash).then(|| last.raw.clone())
    }

    /// This transaction was refused by everybody.
    pub(super) fn void(&mut self, nonce: u64, hash: B256) {
        let sent = self.slots.get_mut(&nonce).into_iter().flat_map(|slot| &mut slot.sent);
        sent.filter(|sent| sent.hash == hash).for_each(|sent| sent.void = true);
    }

    pub(super) fn attempts(&self, nonce: u64, safe_tx_hash: &B256) -> u32 {
        self.slots.get(&nonce).filter(|slot| slot.safe_tx_hash == *safe_tx_hash).map_or(0, |slot| slot.attempts)
    }

    pub(super) fn record(&mut self, nonce: u64, sent: Sent) {
        let slot = self.slots.entry(nonce).or_insert_with(|| Slot {
            safe_tx_hash: sent.safe_tx_hash,
            sent: Vec::new(),
            attempts: 0,
            first_head: sent.at_head,
            missed: 0,
            included: None,
            unsure: 0,
        });
        if slot.safe_tx_hash != sent.safe_tx_hash {
            slot.safe_tx_hash = sent.safe_tx_hash;
            slot.attempts = 0;
            slot.first_head = sent.at_head;
            slot.missed = 0;
        }
        slot.attempts = slot.attempts.saturating_add(1);
        if slot.sent.len() == SENT_MAX {
            let refused = slot.sent.iter().position(|sent| sent.void);
            slot.sent.remove(refused.unwrap_or_default());
        }
        slot.sent.push(sent);
    }
}

#[cfg(test)]
mod tests;
