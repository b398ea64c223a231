//! Rules count distinct organisations, labels and roles: more votes never hurt, repeated ones never help.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use proptest::prelude::*;
use watchfire_types::{ChainId, OperatorId, OrganisationId, Severity, StepIndex};

use crate::model::{Charter, PlaybookPurpose, Rule};
use crate::parse;
use crate::parse::tests::DRILL;
use crate::query::Quorum;

const ORGANISATIONS: [&str; 6] = ["alder", "birch", "cedar", "dogwood", "elm", "stranger"];

type Votes = Vec<(OrganisationId, OperatorId)>;

fn votes() -> impl Strategy<Value = Votes> {
    let vote = (0..ORGANISATIONS.len(), 0..5_u8)
        .prop_map(|(org, op)| (ORGANISATIONS[org].parse().unwrap(), format!("op-{op}").parse().unwrap()));
    prop::collection::vec(vote, 0..12)
}

fn rules() -> impl Strategy<Value = Rule> {
    let roles = prop::collection::btree_map(
        prop::sample::select(vec!["security".to_owned(), "dao".to_owned()]),
        0..3_u16,
        0..2,
    );
    (0..6_u16, 0..6_u16, roles).prop_map(|(organisations, operators, roles)| Rule { organisations, operators, roles })
}

fn met(rule: &Rule, votes: &Votes) -> Quorum {
    static CHARTER: LazyLock<Charter> = LazyLock::new(|| parse(DRILL).unwrap().0);
    rule.met_by(&CHARTER, votes.iter().map(|(organisation, operator)| (organisation, operator)))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn more_votes_never_hurt(rule in rules(), votes in votes(), more in votes()) {
        if met(&rule, &votes).is_reached() {
            let all = [votes, more].concat();
            prop_assert!(met(&rule, &all).is_reached());
        }
    }

    #[test]
    fn repetition_and_order_never_matter(rule in rules(), votes in votes()) {
        let mut twice = [votes.clone(), votes.clone()].concat();
        twice.reverse();
        prop_assert_eq!(met(&rule, &votes), met(&rule, &twice));
    }

    #[test]
    fn a_reached_rule_has_its_distinct_counts(rule in rules(), votes in votes()) {
        let known: Vec<_> = votes.iter().filter(|(org, _)| org.as_str() != "stranger").collect();
        let organisations = known.iter().map(|(org, _)| org).collect::<BTreeSet<_>>().len();
        let operators = known.iter().map(|(_, op)| op).collect::<BTreeSet<_>>().len();
        let enough = organisations >= usize::from(rule.organisations) && operators >= usize::from(rule.operators);
        if met(&rule, &votes).is_reached() {
            prop_assert!(enough);
        } else if rule.roles.is_empty() {
            prop_assert!(!enough);
        }
    }

    #[test]
    fn whoever_meets_a_wider_rule_meets_the_narrower(narrow in rules(), wide in rules(), votes in votes()) {
        if narrow.is_within(&wide) && met(&wide, &votes).is_reached() {
            prop_assert!(met(&narrow, &votes).is_reached());
        }
    }
}

#[test]
fn a_shortfall_names_what_is_missing() {
    let rule = Rule { organisations: 3, operators: 2, roles: BTreeMap::from([("security".to_owned(), 1)]) };
    let votes =
        vec![("dogwood".parse().unwrap(), "op-x".parse().unwrap()), ("elm".parse().unwrap(), "op-x".parse().unwrap())];
    let Quorum::Unreached(shortfall) = met(&rule, &votes) else { panic!("two of three is not enough") };
    assert_eq!((shortfall.organisations, shortfall.operators), (1, 1));
    assert_eq!(shortfall.roles, BTreeMap::from([("security".to_owned(), 1)]));
}

#[test]
fn lookups_find_what_the_charter_says() {
    let (charter, _) = parse(DRILL).unwrap();
    let (id, alder) = charter.members.first_key_value().unwrap();
    assert_eq!(charter.member_by_key(&alder.node_key).unwrap().0, id);
    assert_eq!(charter.organisation_of(&alder.node_key).unwrap().as_str(), "alder");
    assert_eq!(charter.member_by_guardian(&alder.guardian.unwrap()).unwrap().0, id);
    let (safe_id, safe) = charter.safes.first_key_value().unwrap();
    assert_eq!(charter.safe_at(ChainId::new(31337), &safe.address).unwrap().0, safe_id);
    assert_eq!(charter.safe_at(ChainId::new(1337), &safe.address), None);
    assert_eq!(charter.guardians_of(safe).len(), 5);
    assert_eq!(charter.owners_of(safe).len(), 5);
    assert_eq!(charter.voting_organisations().len(), 5);
    assert_eq!(charter.operators_of(&alder.organisation).len(), 1);
    let asset = charter.assets.keys().next().unwrap();
    assert_eq!(charter.playbooks_of(asset).count(), 2);
    assert_eq!(charter.safes_acting_for(asset, PlaybookPurpose::Contain).len(), 1);
    assert_eq!(charter.condition_reads(ChainId::new(31337)).len(), 2);
    let playbook = &charter.playbooks[&"contain-vault".parse().unwrap()];
    assert_eq!(playbook.widest(), StepIndex::new(2));
    assert_eq!(playbook.step(StepIndex::new(2)).unwrap().name, "pause");
    assert!(playbook.step(StepIndex::new(0)).is_none() && playbook.step(StepIndex::new(3)).is_none());
    assert_eq!(playbook.steps_indexed().map(|(index, _)| index.get()).collect::<Vec<_>>(), [1, 2]);
    let trigger = &playbook.triggers[1];
    let outflow = "vault-outflow".parse().unwrap();
    assert!(trigger.matches_finding(&outflow, "outflow", Severity::Sev1));
    assert!(!trigger.matches_finding(&outflow, "outflow", Severity::Sev2));
    assert!(!trigger.matches_finding(&outflow, "event", Severity::Sev1));
}
