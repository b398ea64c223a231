//! Findings of one incident folded: a rule that fires again and again, at every member, is one line.

use std::collections::BTreeMap;

use watchfire_types::body::Finding;
use watchfire_types::control::Firings;
use watchfire_types::{DetectorId, OrganisationId};

/// A finding, who said it, and when that came here, ms.
pub(super) type Said<'a> = (u64, Option<&'a OrganisationId>, &'a Finding);

/// One line a rule and kind, by when the first came; what the last says is said. Linear in the findings, and remembers as much as there are rules.
pub(super) fn fold<'a>(findings: impl Iterator<Item = Said<'a>>) -> Vec<Firings> {
    let mut folded: BTreeMap<(&DetectorId, &str), Firings> = BTreeMap::new();
    for (at_ms, organisation, finding) in findings {
        let Finding { detector, kind, severity, first, block, explanation, .. } = finding;
        let firings = folded.entry((detector, kind)).or_insert_with(|| Firings {
            rule: detector.clone(),
            kind: kind.clone(),
            severity: *severity,
            count: 0,
            organisations: Default::default(),
            first: *first,
            last: *block,
            at_ms,
            text: explanation.clone(),
        });
        firings.count += 1;
        firings.severity = firings.severity.max(*severity);
        firings.organisations.extend(organisation.cloned());
        firings.at_ms = firings.at_ms.min(at_ms);
        if (first.time, first.number) < (firings.first.time, firings.first.number) {
            firings.first = *first;
        }
        if (block.time, block.number) > (firings.last.time, firings.last.number) {
            firings.last = *block;
            firings.text.clone_from(explanation);
        }
    }
    let mut folded: Vec<Firings> = folded.into_values().collect();
    folded.sort_by_key(|firings| firings.at_ms);
    folded
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;
    use watchfire_types::{B256, BlockRef, BlockTime, ChainId, Severity};

    use super::*;

    fn finding(rule: &str, number: u64) -> Finding {
        let block = |number| {
            let (chain, hash) = (ChainId::new(31337), B256::with_last_byte(1));
            BlockRef { chain, number, hash, time: BlockTime::from_secs(1_000 + number) }
        };
        let severity = if number == 7 { Severity::Sev1 } else { Severity::Sev3 };
        Finding {
            asset: "vault-core".parse().unwrap(),
            detector: rule.parse().unwrap(),
            kind: "event".to_owned(),
            severity,
            first: block(number),
            block: block(number + 1),
            explanation: format!("at {number}"),
            figures: BTreeMap::new(),
        }
    }

    proptest! {
        /// Whatever comes in whichever order: no finding is lost, first and last are the earliest and the latest, and the last is what is said.
        #[test]
        fn a_fold_loses_nothing(said in prop::collection::vec((0..3_usize, 0..20_u64, 0..3_usize), 1..40)) {
            let organisations: Vec<OrganisationId> = ["alder", "birch", "cedar"].map(|name| name.parse().unwrap()).into();
            let rules = ["one", "two", "three"];
            let findings: Vec<_> = said.iter().map(|(rule, number, by)| (finding(rules[*rule], *number), &organisations[*by])).collect();
            let folded = fold(findings.iter().zip(0..).map(|((finding, by), at)| (at, Some(*by), finding)));
            prop_assert_eq!(folded.iter().map(|one| one.count).sum::<u64>(), said.len() as u64);
            for one in &folded {
                let of = || findings.iter().filter(|(finding, _)| finding.detector == one.rule);
                let numbers = || of().map(|(finding, _)| finding.first.number);
                prop_assert_eq!(one.first.number, numbers().min().unwrap());
                prop_assert_eq!(one.last.number, numbers().max().unwrap() + 1);
                prop_assert_eq!(&one.text, &format!("at {}", numbers().max().unwrap()));
                prop_assert_eq!(one.severity == Severity::Sev1, numbers().any(|number| number == 7));
                prop_assert_eq!(&one.organisations, &of().map(|(_, by)| (*by).clone()).collect());
            }
            prop_assert!(folded.is_sorted_by_key(|one| one.at_ms));
        }
    }
}
