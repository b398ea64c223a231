//! What a score may do, whatever the weights.

use alloy_primitives::U256;
use proptest::prelude::*;

use super::writing::{account, any_tree, call, input, word};
use crate::trace::{CallTree, FEATURES, Model, ModelFault, Seen, Verdict, features};

fn shipped() -> Model {
    Model::shipped().unwrap()
}

/// Every feature has a name of its own, a meaning, and bounds that do not change sign.
#[test]
fn the_table_of_features_is_sound() {
    let names: std::collections::BTreeSet<_> = FEATURES.iter().map(|feature| feature.name).collect();
    assert_eq!(names.len(), FEATURES.len());
    for feature in FEATURES {
        assert!(feature.meaning.len() > 10 && feature.levels > 0, "{}", feature.name);
        assert!(
            feature.least <= feature.most && feature.least.signum() * feature.most.signum() >= 0,
            "{}",
            feature.name
        );
    }
}

/// Weights that leave a feature out, name one twice or one that there is not, or leave its bounds are refused by name.
#[test]
fn wrong_weights_are_refused() {
    let text = include_str!("../weights.txt");
    let parse = |text: &str| Model::parse(text).unwrap_err();
    assert!(matches!(parse(&text.replace("free-gain", "# ")), ModelFault::Missing { name: "free-gain" }));
    assert!(matches!(parse(&format!("{text}\nfree-gain 50")), ModelFault::Name { .. }));
    assert!(matches!(parse(&format!("{text}\nno-such 50")), ModelFault::Name { .. }));
    assert!(matches!(parse(&format!("{text}\nbase")), ModelFault::Line { .. }));
    let changed: String = text
        .lines()
        .map(|line| if line.starts_with("re-entry ") { "re-entry 9999\n".into() } else { format!("{line}\n") })
        .collect();
    assert!(matches!(parse(&changed), ModelFault::Bounds { name: "re-entry", points: 9999, .. }));
}

/// A transfer of coin or tokens, an approval, a failed transaction: nothing is said about them.
#[test]
fn everyday_transactions_are_benign() {
    let words = [word(account(9)), U256::from(10).pow(U256::from(24))];
    let mut coin = call(0, 1, 2, Vec::new());
    coin.value = U256::from(10).pow(U256::from(24));
    let mut failed = call(0, 1, 2, vec![1, 2, 3, 4]);
    failed.failed = true;
    for frame in [
        coin,
        failed,
        call(0, 1, 2, input("transfer(address,uint256)", &words)),
        call(0, 1, 2, input("approve(address,uint256)", &words)),
    ] {
        let score = shipped().score(&CallTree::new(vec![frame]).unwrap());
        assert_eq!(score.verdict, Verdict::Benign, "{score:?}");
        assert!(score.score < 100, "{score:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// The contributions add up to the score, the score stays within its bounds, every feature within its levels, and each is told once.
    #[test]
    fn a_score_is_the_sum_of_its_reasons(tree in any_tree()) {
        let seen = features(&tree);
        for one in &seen {
            let feature = FEATURES.iter().find(|feature| feature.name == one.name).unwrap();
            prop_assert!((1..=feature.levels).contains(&one.level), "{one:?}");
            prop_assert!(!one.detail.is_empty() && one.detail.chars().count() <= 400, "{one:?}");
        }
        let names: std::collections::BTreeSet<_> = seen.iter().map(|one| one.name).collect();
        prop_assert_eq!(names.len(), seen.len());
        let score = shipped().score(&tree);
        let sum: i32 = score.reasons.iter().map(|reason| reason.contribution).sum();
        prop_assert_eq!(i32::from(score.score), sum.clamp(0, 1000));
        prop_assert_eq!(&shipped().score(&tree), &score);
    }

    /// More of a feature never moves the score against the feature's sign.
    #[test]
    fn a_score_is_monotone(tree in any_tree(), chosen in any::<prop::sample::Index>()) {
        let feature = &FEATURES[chosen.index(FEATURES.len())];
        let mut seen: Vec<Seen> = features(&tree);
        seen.retain(|one| one.name != feature.name);
        let mut last = i32::from(shipped().judge(seen.clone()).score);
        for level in 1..=feature.levels {
            let more = Seen { name: feature.name, level, detail: "drawn".to_owned() };
            let now = i32::from(shipped().judge([seen.clone(), vec![more]].concat()).score);
            prop_assert!(now == last || (feature.most > 0) == (now > last), "{} {level}: {last} to {now}", feature.name);
            last = now;
        }
    }
}
