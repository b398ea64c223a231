//! The arithmetic of quorums against counting by hand.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use watchfire_types::{OperatorId, OrganisationId};

use super::{Electorate, distinct_labels};

/// The most distinct labels over every way to give each organisation one of its labels.
fn by_hand(choices: &[Vec<u8>], carried: &BTreeSet<u8>) -> usize {
    let Some((first, rest)) = choices.split_first() else { return carried.len() };
    let with = |label: &u8| {
        let mut carried = carried.clone();
        carried.insert(*label);
        by_hand(rest, &carried)
    };
    first.iter().map(with).max().unwrap_or_else(|| by_hand(rest, carried))
}

proptest! {
    #[test]
    fn the_most_distinct_labels(choices in prop::collection::vec(prop::collection::vec(0..5_u8, 0..4), 0..6)) {
        let operators: BTreeMap<u8, OperatorId> = (0..5).map(|n| (n, format!("op-{n}").parse().unwrap())).collect();
        let ids: Vec<OrganisationId> = (0..choices.len()).map(|n| format!("org-{n}").parse().unwrap()).collect();
        let electorate: Electorate<'_> =
            ids.iter().zip(&choices).map(|(id, labels)| (id, labels.iter().map(|n| &operators[n]).collect())).collect();
        prop_assert_eq!(distinct_labels(&electorate), by_hand(&choices, &BTreeSet::new()));
    }
}
