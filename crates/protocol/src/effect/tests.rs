//! The bytes that guardians sign, pinned.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeSet;

use alloy_primitives::{Address, B256, U256, hex, keccak256};
use proptest::prelude::*;
use watchfire_charter::{Charter, PinnedCode, Step};
use watchfire_types::{Operation, PlaybookId, SafeId};

use super::{EffectFault, Hashes, build, calls, rejection};
use crate::rank::rank;

fn charter() -> Charter {
    let text = include_str!("../../../charter/tests-data/drill.charter.toml");
    watchfire_charter::parse(text).expect("fixture parses").0
}

fn safe() -> SafeId {
    "guardian-safe".parse().expect("a name")
}

/// One call is a plain call with no value, no refund and no inner gas limit; a rejection is empty and to the Safe itself.
#[test]
fn one_call_is_plain() {
    let charter = charter();
    let playbook = &charter.playbooks[&"contain-vault".parse::<PlaybookId>().expect("a name")];
    let effect = build(&charter, &Hashes::default(), &playbook.steps[1], &safe(), U256::from(7), &BTreeSet::new())
        .expect("one call");
    assert_eq!(hex::encode(&effect.transaction.data), "8456cb59");
    assert_eq!(effect.transaction.operation, Operation::Call);
    assert_eq!((effect.transaction.value, effect.transaction.safe_tx_gas), (U256::ZERO, U256::ZERO));
    let none = build(&charter, &Hashes::default(), &playbook.steps[1], &safe(), U256::from(7), &BTreeSet::from([0]));
    assert_eq!(none, Err(EffectFault::NothingLeft));
    let rejected = rejection(&charter, &Hashes::default(), &safe(), U256::from(7)).expect("a safe");
    assert_eq!((rejected.transaction.to, rejected.transaction.data.len()), (rejected.address, 0));
    assert_ne!(rejected.safe_tx_hash, effect.safe_tx_hash);
}

/// Several calls are packed as MultiSendCallOnly takes them, in charter order, and only through the pinned contract.
#[test]
fn several_calls_are_packed() {
    let mut charter = charter();
    let playbook = &charter.playbooks[&"contain-vault".parse::<PlaybookId>().expect("a name")];
    let mut step = playbook.steps[0].clone();
    step.actions.extend(playbook.steps[1].actions.clone());
    assert_eq!(calls(&step, &safe()).count(), 2);
    let unpinned = build(&charter, &Hashes::default(), &step, &safe(), U256::ZERO, &BTreeSet::new());
    assert!(matches!(unpinned, Err(EffectFault::NoMultiSend { calls: 2, .. })));
    let pinned = PinnedCode { address: Address::repeat_byte(9), code_hash: B256::ZERO };
    for chain in charter.chains.values_mut() {
        chain.multi_send_call_only = Some(pinned);
    }
    let effect = build(&charter, &Hashes::default(), &step, &safe(), U256::ZERO, &BTreeSet::new()).expect("packs");
    assert_eq!((effect.transaction.to, effect.transaction.operation), (pinned.address, Operation::DelegateCall));
    let data = hex::encode(&effect.transaction.data);
    let (flag, pause) = (&step.actions[0].calldata, &step.actions[1].calldata);
    let inner = [flag, pause].map(|call| {
        format!("00{}{:064x}{:064x}{}", "10".to_owned() + &"00".repeat(18) + "01", 0, call.len(), hex::encode(call))
    });
    let length = inner.concat().len() / 2;
    assert!(data.starts_with(&format!("8d80ff0a{:064x}{length:064x}{}", 32, inner.concat())));
    assert_eq!((effect.transaction.data.len() - 4) % 32, 0, "padded");
}

/// Ranks are a permutation, the same for everyone, and change with the digest.
#[test]
fn ranks_are_a_permutation() {
    let guardians: Vec<Address> = (1..=5).map(Address::repeat_byte).collect();
    let order = |hash: u8| {
        let hash = B256::repeat_byte(hash);
        guardians.iter().map(|own| rank(hash, &guardians, *own).expect("a guardian")).collect::<Vec<_>>()
    };
    let orders: BTreeSet<Vec<u16>> = (0..40).map(order).collect();
    assert!(orders.len() > 20, "no guardian is always first");
    for order in orders {
        assert_eq!(order.iter().copied().collect::<BTreeSet<_>>(), (0..5).collect());
    }
    assert_eq!(rank(B256::ZERO, &guardians, Address::ZERO), None);
}

/// A step of this many calls, each with call data that no other holds, on a chain with a pinned MultiSendCallOnly.
fn wide(calls: u16) -> (Charter, Step) {
    let mut charter = charter();
    let pinned = PinnedCode { address: Address::repeat_byte(9), code_hash: B256::ZERO };
    charter.chains.values_mut().for_each(|chain| chain.multi_send_call_only = Some(pinned));
    let mut step = charter.playbooks[&"contain-vault".parse::<PlaybookId>().expect("a name")].steps[1].clone();
    let one = step.actions[0].clone();
    let call = |index: u16| watchfire_charter::Action {
        calldata: keccak256(index.to_be_bytes()).0.to_vec().into(),
        ..one.clone()
    };
    step.actions = (0..calls).map(call).collect();
    (charter, step)
}

/// A memo answers what a new one works out, for more transactions than it holds and in any order.
#[test]
fn remembered_hashes_are_the_transactions_own() {
    let (charter, step) = wide(1);
    let hashes = Hashes::default();
    for nonce in (0..2 * Hashes::MAX as u64).chain([3, 2, 3]).map(U256::from) {
        let effect = build(&charter, &hashes, &step, &safe(), nonce, &BTreeSet::new()).expect("one call");
        let safe = &charter.safes[&safe()];
        let fresh = effect.transaction.hashes(safe.version, safe.chain.get(), safe.address).safe_tx_hash;
        assert_eq!(effect.safe_tx_hash, fresh, "nonce {nonce}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Everybody builds the same transaction, and it holds the calls that are left in charter order, each once, and no other.
    #[test]
    fn effects_hold_what_is_left(calls in 1_u16..8, omitted in proptest::collection::btree_set(0_u16..10, 0..8), nonce: u64) {
        let (charter, step) = wide(calls);
        let nonce = U256::from(nonce);
        let built = build(&charter, &Hashes::default(), &step, &safe(), nonce, &omitted);
        prop_assert_eq!(&built, &build(&charter.clone(), &Hashes::default(), &step.clone(), &safe(), nonce, &omitted.clone()));
        let left: Vec<u16> = (0..calls).filter(|index| !omitted.contains(index)).collect();
        if left.is_empty() {
            prop_assert_eq!(built, Err(EffectFault::NothingLeft));
            return Ok(());
        }
        let effect = built.expect("calls are left");
        prop_assert!(effect.omitted.iter().all(|index| *index < calls), "names only calls of the step");
        prop_assert_eq!(effect.transaction.nonce, nonce);
        let places = |index: u16| {
            let call = keccak256(index.to_be_bytes());
            let data = effect.transaction.data.windows(32).enumerate();
            data.filter(move |(_, part)| *part == call.as_slice()).map(|(at, _)| at).collect::<Vec<_>>()
        };
        for index in (0..calls).filter(|index| omitted.contains(index)) {
            prop_assert!(places(index).is_empty(), "call {index} was left out");
        }
        let found: Vec<Vec<usize>> = left.iter().map(|index| places(*index)).collect();
        prop_assert!(found.iter().all(|at| at.len() == 1), "{found:?}");
        prop_assert!(found.windows(2).all(|pair| pair[0] < pair[1]), "charter order");
    }

    /// Ranks are a permutation of the guardians, however they are listed, and a stranger has none.
    #[test]
    fn ranks_are_one_for_each(
        hash: [u8; 32],
        guardians in proptest::collection::btree_set(any::<[u8; 20]>(), 1..12),
        stranger: [u8; 20],
        listed in any::<proptest::sample::Index>(),
    ) {
        let hash = B256::new(hash);
        let guardians: Vec<Address> = guardians.into_iter().map(Address::new).collect();
        let mut otherwise = guardians.clone();
        otherwise.rotate_left(listed.index(guardians.len()));
        otherwise.push(guardians[0]);
        let ranks: Vec<u16> = guardians.iter().filter_map(|own| rank(hash, &guardians, *own)).collect();
        let again: Vec<u16> = guardians.iter().filter_map(|own| rank(hash, &otherwise, *own)).collect();
        prop_assert_eq!(&ranks, &again, "neither order nor repetition counts");
        prop_assert_eq!(ranks.into_iter().map(usize::from).collect::<BTreeSet<_>>(), (0..guardians.len()).collect());
        let stranger = Address::new(stranger);
        prop_assert_eq!(rank(hash, &guardians, stranger).is_some(), guardians.contains(&stranger));
    }
}
