//! The arithmetic of quorums against counting by hand.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use watchfire_types::{OperatorId, OrganisationId};

use super::{Electorate, certifiable, distinct_labels};
use crate::model::Rule;
use crate::parse;
use crate::parse::tests::DRILL;
use crate::reader::{Log, Place};

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

fn rule(organisations: u16, operators: u16, roles: &[u16]) -> Rule {
    let roles = roles.iter().enumerate().map(|(at, least)| (format!("role-{at}"), *least)).collect();
    Rule { organisations, operators, roles }
}

/// Whether voters with these labels and roles meet the rule.
fn met(rule: &Rule, voters: &[(u8, BTreeSet<usize>)]) -> bool {
    let labels: BTreeSet<u8> = voters.iter().map(|(label, _)| *label).collect();
    let holders = |at: usize| voters.iter().filter(|(_, roles)| roles.contains(&at)).count();
    voters.len() >= usize::from(rule.organisations)
        && labels.len() >= usize::from(rule.operators)
        && rule.roles.values().enumerate().all(|(at, least)| holders(at) >= usize::from(*least))
}

proptest! {
    /// What a certificate names when nobody in it can be left out is never more than the bound says.
    #[test]
    fn nobody_can_be_left_out_of_more_than_the_bound(
        all in prop::collection::vec((0..6_u8, prop::collection::btree_set(0..3_usize, 0..3)), 0..12),
        organisations in 1..6_u16,
        operators in 1..5_u16,
        roles in prop::collection::vec(1..3_u16, 0..3),
    ) {
        let rule = rule(organisations, operators, &roles);
        prop_assume!(met(&rule, &all));
        let mut chosen = all;
        let mut at = 0;
        while at < chosen.len() {
            let gone = chosen.remove(at);
            if !met(&rule, &chosen) {
                chosen.insert(at, gone);
                at += 1;
            }
        }
        prop_assert!(chosen.len() <= rule.votes_max(), "{} of {:?}", chosen.len(), rule);
    }
}

/// A rule whose votes can be more than a certificate holds would be met and never certified.
#[test]
fn a_rule_fits_a_certificate() {
    let kinds = |rule: &str| {
        let source = DRILL.replace("expiry_s = 120", &format!("expiry_s = 120\nrule = {rule}"));
        let faults = parse(&source).err().unwrap_or_default();
        faults.into_iter().filter(|f| f.kind == "certificate-too-large").map(|f| f.key.clone()).collect::<Vec<_>>()
    };
    assert_eq!(kinds("{ organisations = 53, operators = 3 }"), [""; 0]);
    assert_eq!(kinds("{ organisations = 54, operators = 3 }"), ["playbook[0].rule"]);
    assert_eq!(kinds("{ organisations = 3, operators = 50, roles = { security = 3 } }"), [""; 0]);
    assert_eq!(kinds("{ organisations = 3, operators = 50, roles = { security = 4 } }"), ["playbook[0].rule"]);
    let all = parse(&DRILL.replace("operators = 3", "operators = 54")).unwrap_err();
    let told: Vec<_> = all.iter().filter(|f| f.kind == "certificate-too-large").map(|f| f.key.clone()).collect();
    assert_eq!(told, ["rules.contain", "rules.extend", "rules.recover"]);
}

/// Where so many must vote that people can hardly say why, that is said.
#[test]
fn few_words_are_worth_a_warning() {
    let warned = |organisations: u16| {
        let log = Log::new("charter", "");
        let rule = rule(organisations, 1, &[]);
        certifiable(&log, &rule, &Place { line: 1, key: "rules.contain".to_owned() });
        log.into_parts().1.into_iter().map(|warning| (warning.0.kind, warning.0.message)).collect::<Vec<_>>()
    };
    assert_eq!(warned(44), []);
    let told = "a certificate of 45 votes leaves each person 125 bytes for name, role and reason together";
    assert_eq!(warned(45), [("words-short", told.to_owned())]);
}
