//! Reorgs as deep as the kept depth, with windows longer than it: what was forgotten at the orphaned head is not missed below it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet};

use alloy_primitives::{B256, U256};
use proptest::prelude::*;
use watchfire_charter::StateExpectation;
use watchfire_charter::expression::{Expression, Subject};
use watchfire_types::{Bytes, Log, Read};

use crate::event::EventWatch;
use crate::expression::ExpressionWatch;
use crate::fixture::*;
use crate::outflow::OutflowWatch;
use crate::state::StateWatch;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn outflow(balances in branches(0_u64..200), window_s in prop::sample::select(vec![60_u64, 900])) {
        rollback_is_a_straight_run(
            || OutflowWatch::new(BTreeSet::from([VAULT]), None, window_s, Some(U256::from(150)), None),
            |rule, number, balance| {
                let view = view(number, [(Read::Balance { account: VAULT }, word(U256::from(*balance)))]);
                rule.observe(&view, view.logs.iter(), None)
            },
            OutflowWatch::rollback,
            &balances,
        );
    }

    #[test]
    fn event(seen in branches(prop::bool::weighted(0.03))) {
        let topic = B256::repeat_byte(1);
        let log = Log { address: VAULT, topics: vec![topic], data: Bytes::new(), transaction: B256::ZERO, index: 0 };
        rollback_is_a_straight_run(
            || EventWatch::new(VAULT, "Seen()".into(), topic, BTreeMap::new(), 300),
            |rule, number, seen| {
                let logs = if *seen { vec![log.clone()] } else { vec![] };
                rule.observe(&view(number, []), logs.iter(), None)
            },
            EventWatch::rollback,
            &seen,
        );
    }

    #[test]
    fn expression(seen in branches(prop::sample::select(vec![0_u64, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3, 9]))) {
        let over = Subject::event("Seen(uint256 n)").unwrap();
        let held = Expression::compile("9 / n > 1", &over).unwrap();
        let Subject::Event { topic, .. } = &over else { panic!("no event") };
        let log = |n: u64| Log {
            address: VAULT,
            topics: vec![*topic],
            data: U256::from(n).to_be_bytes_vec().into(),
            transaction: B256::ZERO,
            index: 0,
        };
        rollback_is_a_straight_run(
            || ExpressionWatch::new(over.clone(), VAULT, held.clone(), 300),
            |rule, number, n| rule.observe(&view(number, []), [log(*n)].iter(), std::iter::empty(), None),
            ExpressionWatch::rollback,
            &seen,
        );
    }

    #[test]
    fn state(owners in branches(prop::sample::select(vec![1_u64, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2]))) {
        rollback_is_a_straight_run(
            || StateWatch::new("owner".into(), read("owner"), StateExpectation::Unchanged, 300),
            |rule, number, owner| rule.observe(&view(number, [(read("owner"), word(U256::from(*owner)))]), None, false),
            StateWatch::rollback,
            &owners,
        );
    }
}
