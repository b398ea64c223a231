//! Blocks and answers that the tests of the rules are made of.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet};

use alloy_primitives::{Address, B256, I256, U256};
use proptest::prelude::*;
use watchfire_charter::Quantity;
use watchfire_types::{BlockRef, BlockTime, BlockView, Bytes, ChainId, Read, ReadOutcome};

use crate::detectors::Evaluation;
use crate::measure::Measure;

pub(crate) const CHAIN: ChainId = ChainId::new(31337);
pub(crate) const VAULT: Address = Address::repeat_byte(0xaa);

/// Block `number` at 1,000 s + 12 s a block.
pub(crate) fn block(number: u64) -> BlockRef {
    BlockRef {
        chain: CHAIN,
        number,
        hash: B256::from(U256::from(number + 1)),
        time: BlockTime::from_secs(1_000 + number * 12),
    }
}

pub(crate) fn word(value: U256) -> ReadOutcome {
    ReadOutcome::Value(Bytes::copy_from_slice(&value.to_be_bytes::<32>()))
}

pub(crate) fn signed(number: i64) -> U256 {
    I256::try_from(number).unwrap().into_raw()
}

/// A read of its own for each name.
pub(crate) fn read(name: &'static str) -> Read {
    Read::Call { to: VAULT, data: name.as_bytes().into() }
}

pub(crate) fn view(number: u64, reads: impl IntoIterator<Item = (Read, ReadOutcome)>) -> BlockView {
    BlockView {
        block: block(number),
        parent: block(number.saturating_sub(1)).hash,
        base_fee: None,
        transactions: vec![],
        logs: vec![],
        reads: reads.into_iter().collect(),
        agreed: BTreeSet::new(),
        unproved: false,
    }
}

/// The first word of the answer to [`read`] of this name.
pub(crate) fn measure(name: &'static str, is_signed: bool) -> Measure {
    let quantity = Quantity::Call { text: name.into(), read: read(name), word: 0, signed: is_signed };
    Measure::new(&quantity, &BTreeSet::new())
}

pub(crate) fn figures(evaluation: &Evaluation) -> (&str, &BTreeMap<String, String>) {
    match evaluation {
        Evaluation::Fires { explanation, figures } => {
            assert!(explanation.len() <= 512, "{explanation}");
            assert!(figures.len() <= 32 && figures.values().all(|value| value.len() <= 128), "{figures:?}");
            (explanation, figures)
        }
        Evaluation::Quiet | Evaluation::Unknown => panic!("{evaluation:?}"),
    }
}

/// Whether it fires; `None` where it cannot be judged.
pub(crate) fn fires(evaluation: &Evaluation) -> Option<bool> {
    match evaluation {
        Evaluation::Fires { .. } => Some(true),
        Evaluation::Quiet => Some(false),
        Evaluation::Unknown => None,
    }
}

/// A trunk, a stale branch no longer than the kept depth, and the branch that replaces it.
pub(crate) fn branches<T: std::fmt::Debug>(
    one: impl Strategy<Value = T> + Clone,
) -> impl Strategy<Value = (Vec<T>, Vec<T>, Vec<T>)> {
    let many = |most| prop::collection::vec(one.clone(), 1..most);
    (many(120), many(65), many(40))
}

/// S7: after any reorg within the kept depth a rule says what one says that only ever saw the new branch.
pub(crate) fn rollback_is_a_straight_run<R, T>(
    make: impl Fn() -> R,
    observe: impl Fn(&mut R, u64, &T) -> Evaluation,
    rollback: impl Fn(&mut R, &BlockRef),
    (trunk, stale, branch): &(Vec<T>, Vec<T>, Vec<T>),
) {
    let run = |rule: &mut R, from: usize, items: &[T]| -> Vec<Evaluation> {
        items.iter().enumerate().map(|(at, item)| observe(rule, (from + at) as u64, item)).collect()
    };
    let (mut reorged, mut straight) = (make(), make());
    run(&mut reorged, 0, trunk);
    run(&mut reorged, trunk.len(), stale);
    rollback(&mut reorged, &block(trunk.len() as u64 - 1));
    run(&mut straight, 0, trunk);
    assert_eq!(run(&mut reorged, trunk.len(), branch), run(&mut straight, trunk.len(), branch));
}
