//! Co-signatures of others, collected: what several adversaries do something with.

use std::collections::BTreeMap;
use std::rc::Rc;

use alloy_primitives::{Address, B256, U256, keccak256};
use watchfire_types::{Body, SafeTransaction};

use super::{Scene, event_in};
use crate::simulate::cast::{CHAIN, SAFE_VERSION};
use crate::simulate::chain::{Call, Transaction};
use crate::simulate::world::Message;

/// Transactions with the signatures known of each, by hash.
#[derive(Debug, Default)]
pub(super) struct Hoard(BTreeMap<B256, (SafeTransaction, BTreeMap<Address, [u8; 65]>)>);

impl Hoard {
    /// Keeps a co-signature, if this is one.
    pub(super) fn take(&mut self, scene: &Scene<'_>, message: &Rc<Message>) {
        let Some(event) = event_in(&message.bytes) else { return };
        let Body::CoSignature(signed) = event.body else { return };
        let hash = signed.transaction.hashes(SAFE_VERSION, CHAIN.get(), scene.cast.safe).safe_tx_hash;
        let Some(place) = scene.cast.place_of(&event.author) else { return };
        let known = self.0.entry(hash).or_insert_with(|| (signed.transaction.clone(), BTreeMap::new()));
        known.1.insert(scene.cast.players[place].guardian, signed.signature);
    }

    /// What somebody signed at the Safe's present nonce.
    pub(super) fn transactions_at(&self, scene: &Scene<'_>) -> impl Iterator<Item = &SafeTransaction> {
        let nonce = U256::from(scene.chain.head().state.nonce);
        self.0.values().map(|(transaction, _)| transaction).filter(move |transaction| transaction.nonce == nonce)
    }

    /// Those of the Safe's present nonce that its own signature, if still needed, completes.
    pub(super) fn complete(&self, scene: &Scene<'_>, tip: u128) -> Vec<(SafeTransaction, Transaction)> {
        let state = &scene.chain.head().state;
        let player = &scene.cast.players[scene.place];
        let mut complete = Vec::new();
        for (hash, (transaction, signatures)) in &self.0 {
            if transaction.nonce != U256::from(state.nonce) {
                continue;
            }
            let mut all = signatures.clone();
            all.extend(player.secrets.sign_safe(*hash).map(|own| (player.guardian, own)));
            if all.len() < state.threshold {
                continue;
            }
            let packed: Vec<u8> = all.values().take(state.threshold).flatten().copied().collect();
            let slot = keccak256([b"withheld".as_slice(), hash.as_slice()].concat());
            let call = Call::Execute { transaction: Rc::new(transaction.clone()), signatures: packed.into() };
            let sent = Transaction { hash: slot, from: player.submitter, slot, call, max_fee: u128::MAX, tip };
            complete.push((transaction.clone(), sent));
        }
        complete
    }
}
