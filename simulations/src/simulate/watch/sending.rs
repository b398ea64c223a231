//! L3: who sends what a threshold signed, and when.

use std::collections::BTreeMap;

use alloy_primitives::{B256, U256};

use super::{Kind, Watch};
use crate::simulate::agenda::{MILLI, Micros};
use crate::simulate::cast::{CHAIN, Cast};

/// How long a member waits after the last signature before it sends, ms: by the order that everybody can compute.
pub(super) fn turn_ms(cast: &Cast, place: usize, safe_tx_hash: B256) -> u64 {
    let guardians: Vec<_> = cast.guardians().map(|player| player.guardian).collect();
    let rank = watchfire_protocol::rank(safe_tx_hash, &guardians, cast.players[place].guardian);
    let block = cast.scenario.chain.block_time_ms;
    let stagger = cast.charter.chains.get(&CHAIN).map_or(0, |chain| chain.stagger_ms_min);
    match rank {
        Some(0) | None => 0,
        Some(1 | 2) => (block / 2).max(stagger),
        Some(_) => block.max(2 * stagger),
    }
}

impl Watch {
    /// The most steps and rejections that a threshold signed at one nonce.
    pub(super) fn signed_at_one_nonce(&self) -> u64 {
        let mut at: BTreeMap<U256, u64> = BTreeMap::new();
        for one in self.signers.values().filter(|one| one.complete.is_some()) {
            *at.entry(one.transaction.nonce).or_default() += 1;
        }
        at.into_values().max().unwrap_or(0)
    }

    /// L3, the half that saves gas: nobody sends a first bid before its turn.
    pub(crate) fn sends(&mut self, cast: &Cast, place: usize, safe_tx_hash: B256, now: Micros) {
        let turn = turn_ms(cast, place, safe_tx_hash);
        let complete = self.signers.get(&safe_tx_hash).and_then(|one| one.complete);
        let since = complete.map_or(0, |at| now.saturating_sub(at));
        // A node counts in whole milliseconds.
        self.unsafe_if(cast.honest(place) && since + MILLI <= turn * MILLI, "L3", || {
            format!(
                "{} sends {} ms after the last signature, {turn} too soon",
                cast.players[place].member,
                since / MILLI
            )
        });
    }

    /// L3, the other half: what an honest node packs, the Safe takes. `refused` says why it would not, at the nonce that it was made for.
    pub(crate) fn packed(&mut self, cast: &Cast, place: usize, safe_tx_hash: B256, refused: &str) {
        if cast.honest(place) {
            let member = &cast.players[place].member;
            self.breach(
                "L3",
                Kind::Liveness,
                format!("{member} would send {safe_tx_hash}, which the Safe refuses: {refused}"),
            );
        }
    }

    /// When a threshold first completed a Safe transaction after a time.
    pub(crate) fn completed_after(&self, time: Micros) -> Option<Micros> {
        self.signers.values().filter_map(|one| one.complete).filter(|at| *at > time).min()
    }
}
