//! The bytes that guardians sign, pinned.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeSet;

use alloy_primitives::{Address, U256, hex};
use watchfire_charter::{Charter, PinnedCode};
use watchfire_types::{Operation, PlaybookId, SafeId};

use super::{EffectFault, build, calls, rejection};
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
    let effect = build(&charter, &playbook.steps[1], &safe(), U256::from(7), &BTreeSet::new()).expect("one call");
    assert_eq!(hex::encode(&effect.transaction.data), "8456cb59");
    assert_eq!(effect.transaction.operation, Operation::Call);
    assert_eq!((effect.transaction.value, effect.transaction.safe_tx_gas), (U256::ZERO, U256::ZERO));
    let none = build(&charter, &playbook.steps[1], &safe(), U256::from(7), &BTreeSet::from([0]));
    assert_eq!(none, Err(EffectFault::NothingLeft));
    let rejected = rejection(&charter, &safe(), U256::from(7)).expect("a safe");
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
    let unpinned = build(&charter, &step, &safe(), U256::ZERO, &BTreeSet::new());
    assert!(matches!(unpinned, Err(EffectFault::NoMultiSend { calls: 2, .. })));
    let pinned = PinnedCode { address: Address::repeat_byte(9), code_hash: alloy_primitives::B256::ZERO };
    for chain in charter.chains.values_mut() {
        chain.multi_send_call_only = Some(pinned);
    }
    let effect = build(&charter, &step, &safe(), U256::ZERO, &BTreeSet::new()).expect("packs");
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
        let hash = alloy_primitives::B256::repeat_byte(hash);
        guardians.iter().map(|own| rank(hash, &guardians, *own).expect("a guardian")).collect::<Vec<_>>()
    };
    let orders: BTreeSet<Vec<u16>> = (0..40).map(order).collect();
    assert!(orders.len() > 20, "no guardian is always first");
    for order in orders {
        assert_eq!(order.iter().copied().collect::<BTreeSet<_>>(), (0..5).collect());
    }
    assert_eq!(rank(alloy_primitives::B256::ZERO, &guardians, Address::ZERO), None);
}
