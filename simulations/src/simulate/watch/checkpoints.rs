//! S8: every checkpoint of an epoch states the tree over all that its author had said in it, and so extends the one before.

use std::collections::BTreeMap;

use alloy_primitives::B256;
use sha2::{Digest, Sha256};
use watchfire_types::{Body, Event, Verified};

use super::{Kind, Watch};
use crate::simulate::cast::Cast;

type Hash = [u8; 32];

/// What honest authors said in each epoch, in order, as leaves (RFC 6962, section 2.1).
#[derive(Debug, Default)]
pub(super) struct Trees(BTreeMap<Vec<u8>, Vec<Hash>>);

/// The root over these leaves, by the RFC's own recursion.
fn root(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => Sha256::digest([]).into(),
        [leaf] => *leaf,
        _ => {
            let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
            Sha256::new().chain_update([1]).chain_update(root(left)).chain_update(root(right)).finalize().into()
        }
    }
}

impl Watch {
    /// What an honest member's own process said just now.
    pub(super) fn grows(&mut self, cast: &Cast, place: usize, event: &Verified<Event>) {
        let epoch = [&event.author.as_bytes()[..], &event.epoch.as_bytes()[..]].concat();
        let leaves = self.trees.0.entry(epoch).or_default();
        let Body::Checkpoint(stated) = &event.body else {
            leaves.push(Sha256::new().chain_update([0]).chain_update(event.outer()).finalize().into());
            return;
        };
        let (size, tree) = (leaves.len() as u64, B256::new(root(leaves)));
        if (stated.size, stated.root) != (size, tree) {
            let member = &cast.players[place].member;
            let detail = format!(
                "{member} states a tree of {} with root {}; it said {size}, which make {tree}",
                stated.size, stated.root
            );
            self.breach("S8", Kind::Safety, detail);
        }
    }
}
