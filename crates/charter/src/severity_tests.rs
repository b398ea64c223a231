//! The matrix is total and never milder where more is at stake.
#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use watchfire_types::Severity;

use super::*;

const FUNDS: [Criticality; 4] = [Criticality::Low, Criticality::Medium, Criticality::High, Criticality::Critical];
const KINDS: [&str; 17] = [
    "outflow",
    "event",
    "state",
    "authority",
    "leap",
    "invariant",
    "stale",
    "approval-drain",
    "expression",
    "rate",
    "calls",
    "governance",
    "fresh-code",
    "sister",
    "cross-chain",
    "release",
    "safe-nonce",
];

fn severities() -> impl Strategy<Value = Severity> {
    prop::sample::select(vec![Severity::Sev1, Severity::Sev2, Severity::Sev3, Severity::Sev4, Severity::Sev5])
}

fn class() -> impl Strategy<Value = Class> {
    prop::sample::select(vec![Class::Decisive, Class::Context])
}

prop_compose! {
    /// A row as the parser lets it through: sorted by what is at stake.
    fn row()(
        kinds in prop::collection::btree_set(prop::sample::select(KINDS.map(str::to_owned).to_vec()), 0..3),
        named in any::<bool>(),
        class in prop::option::of(class()),
        pausable in prop::option::of(any::<bool>()),
        mut levels in prop::collection::vec(severities(), 4),
    ) -> SeverityRow {
        levels.sort_unstable();
        let detectors = named.then(|| "rule".parse().unwrap()).into_iter().collect();
        let severities = ByFunds { low: levels[0], medium: levels[1], high: levels[2], critical: levels[3] };
        SeverityRow { kinds, detectors, class, pausable, severities }
    }
}

fn settle(rows: &[SeverityRow], case: &Case<'_>) -> Severity {
    by_rows(rows, case).unwrap_or_else(|| usual(case))
}

proptest! {
    /// More at stake is never milder, whatever the rows; by what is usual neither is what votes, or an asset that nothing pauses.
    #[test]
    fn severity_is_monotone_in_funds(
        rows in prop::collection::vec(row(), 0..5), kind in prop::sample::select(KINDS.to_vec()), class in class(), pausable: bool, rule: bool,
    ) {
        let detector = if rule { "rule" } else { "another" }.parse().unwrap();
        let case = |criticality| Case { detector: &detector, kind, class, criticality, pausable };
        let by_funds = FUNDS.map(|criticality| settle(&rows, &case(criticality)));
        prop_assert!(by_funds.is_sorted(), "{:?}", by_funds);
        for criticality in FUNDS {
            let case = case(criticality);
            let by_class = [Class::Context, Class::Decisive].map(|class| usual(&Case { class, ..case }));
            let by_pause = [true, false].map(|pausable| usual(&Case { pausable, ..case }));
            prop_assert!(by_class.is_sorted() && by_pause.is_sorted());
        }
    }

    /// A row that is told to be never used is never used.
    #[test]
    fn a_covered_row_changes_nothing(rows in prop::collection::vec(row(), 1..5), last in row(), kind in prop::sample::select(KINDS.to_vec()), class in class(), pausable: bool, rule: bool) {
        let detector = if rule { "rule" } else { "another" }.parse().unwrap();
        let mut all = rows.clone();
        all.push(last.clone());
        if rows.iter().any(|row| row.covers(&last)) {
            for criticality in FUNDS {
                let case = Case { detector: &detector, kind, class, criticality, pausable };
                prop_assert_eq!(by_rows(&rows, &case), by_rows(&all, &case));
            }
        }
    }
}

#[test]
fn what_is_usual_reads_as_documented() {
    let detector = "rule".parse().unwrap();
    let line = |kind, class, pausable| {
        FUNDS.map(|criticality| usual(&Case { detector: &detector, kind, class, criticality, pausable }).to_string())
    };
    assert_eq!(line("outflow", Class::Decisive, true), ["SEV3", "SEV2", "SEV1", "SEV1"]);
    assert_eq!(line("authority", Class::Decisive, true), ["SEV3", "SEV2", "SEV2", "SEV1"]);
    assert_eq!(line("authority", Class::Decisive, false), ["SEV2", "SEV1", "SEV1", "SEV1"]);
    assert_eq!(line("stale", Class::Decisive, true), ["SEV4", "SEV3", "SEV3", "SEV2"]);
    assert_eq!(line("rate", Class::Context, true), ["SEV5", "SEV4", "SEV4", "SEV3"]);
    assert_eq!(line("stale", Class::Context, true), ["SEV5", "SEV5", "SEV5", "SEV4"]);
}
