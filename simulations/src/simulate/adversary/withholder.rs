//! Signs and keeps it; completes what others signed when it suits it.

use std::collections::BTreeMap;
use std::rc::Rc;

use alloy_primitives::{Address, B256, U256, keccak256};
use watchfire_types::{Body, Bytes, SafeTransaction};

use super::{Adversary, Scene, event_in};
use crate::simulate::cast::{CHAIN, SAFE_VERSION};
use crate::simulate::chain::{Call, Transaction};
use crate::simulate::world::Message;

/// Publishes no co-signature of its own. It collects those of others, adds its own to any transaction that lacks one, and sends that
/// whenever its nonce is the Safe's and the vault is not paused: years later, if need be.
#[derive(Debug, Default)]
pub(super) struct Withholder {
    signed: BTreeMap<B256, (SafeTransaction, BTreeMap<Address, [u8; 65]>)>,
}

impl Adversary for Withholder {
    fn publishes(&mut self, scene: &mut Scene<'_>, bytes: &Bytes) {
        let own_signature = event_in(bytes).is_some_and(|event| matches!(event.body, Body::CoSignature(_)));
        if !own_signature {
            scene.tell_all(bytes);
        }
    }

    fn hears(&mut self, scene: &mut Scene<'_>, _from: usize, message: &Rc<Message>) {
        let Some(event) = event_in(&message.bytes) else { return };
        let Body::CoSignature(signed) = event.body else { return };
        let hash = signed.transaction.hashes(SAFE_VERSION, CHAIN.get(), scene.cast.safe).safe_tx_hash;
        let Some(place) = scene.cast.place_of(&event.author) else { return };
        let known = self.signed.entry(hash).or_insert_with(|| (signed.transaction.clone(), BTreeMap::new()));
        known.1.insert(scene.cast.players[place].guardian, signed.signature);
    }

    fn sees(&mut self, scene: &mut Scene<'_>) {
        let state = &scene.chain.head().state;
        if state.paused {
            return;
        }
        let player = &scene.cast.players[scene.place];
        for (hash, (transaction, signatures)) in &self.signed {
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
            let max_fee = u128::MAX;
            scene.transactions.push(Transaction { hash: slot, from: player.submitter, slot, call, max_fee, tip: 1 });
        }
    }
}
