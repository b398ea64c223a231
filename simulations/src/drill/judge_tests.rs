//! The one cause is one only where all who should name it do, and nobody another.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;

fn member(name: &str) -> MemberId {
    name.parse().unwrap()
}

/// Which causes each of these nodes names.
fn named(by: &[(&str, &[&str])]) -> Causes {
    by.iter().map(|(name, causes)| (member(name), causes.iter().map(|cause| (*cause).to_owned()).collect())).collect()
}

/// A majority does not decide: one node that names another cause, or found something and names none, is told.
#[test]
fn every_finder_names_the_same_cause() {
    const NONE: &[&str] = &[];
    const GUARD: &[&str] = &["guard-blocks"];
    let (alder, birch) = (member("alder-1"), member("birch-1"));
    let both = BTreeSet::from([&alder, &birch]);
    let cases: [(&BTreeSet<&MemberId>, Causes, &str); 7] = [
        (&both, named(&[("alder-1", GUARD), ("birch-1", GUARD), ("cedar-1", GUARD)]), "guard-blocks"),
        (&both, named(&[("alder-1", GUARD), ("birch-1", GUARD), ("cedar-1", NONE)]), "guard-blocks"),
        (
            &both,
            named(&[("alder-1", GUARD), ("birch-1", GUARD), ("cedar-1", &["quorum-not-reached"])]),
            "guard-blocks, quorum-not-reached",
        ),
        (
            &both,
            named(&[("alder-1", GUARD), ("birch-1", NONE), ("cedar-1", GUARD)]),
            "guard-blocks, nothing by birch-1",
        ),
        (&both, named(&[("alder-1", GUARD), ("cedar-1", GUARD)]), "guard-blocks, nothing by birch-1"),
        (&both, named(&[("cedar-1", NONE)]), "nothing by alder-1, nothing by birch-1"),
        (&BTreeSet::new(), named(&[("alder-1", NONE)]), "no-finding"),
    ];
    for (finders, causes, expected) in cases {
        assert_eq!(the_cause(finders, &causes).as_deref(), Some(expected), "{causes:?}");
    }
}
