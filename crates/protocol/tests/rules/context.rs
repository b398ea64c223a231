//! Findings that give context only: everybody hears of them, and nothing is decided by them.

use watchfire_types::body::Body;

use crate::cluster::{Cluster, charter};

/// The outflow rule as one that gives context only.
fn of_context(source: &str) -> String {
    source.replacen("id = \"vault-outflow\"\n", "id = \"vault-outflow\"\nclass = \"context\"\n", 1)
}

/// A finding of class context is said by everybody that made it, chooses no step and carries no vote; one that may vote decides beside it.
#[test]
fn context_is_said_and_never_votes() {
    let mut c = Cluster::new(charter(of_context), 98);
    c.mine(&[]);
    c.all_find("vault-outflow");
    c.mine(&[]);
    c.mine(&[]);
    for index in 0..5 {
        assert!(c.count(index, |body| matches!(body, Body::Finding(_))) >= 1, "it is said");
        assert_eq!(c.votes(index, 1), 0, "and nobody votes on it");
        assert!(c.owed_steps(index).is_empty());
    }
    c.all_find("vault-outflow-early");
    c.mine(&[]);
    assert!(c.votes(0, 1) >= 1);
    assert_eq!(c.votes(0, 2), 0, "the step is what the other finding triggers");
}

/// A contained asset's outflow that a context rule goes on seeing says of no containment that it failed.
#[test]
fn context_says_of_no_containment_that_it_failed() {
    for (edit, failed) in [(of_context as fn(&str) -> String, false), (str::to_owned, true)] {
        let mut c = Cluster::new(charter(edit), 98);
        c.mine(&[]);
        c.all_find("vault-outflow-early");
        c.mine(&[]);
        assert_eq!(c.execute(), 1);
        c.clear();
        c.mine(&[]);
        c.all_find("vault-outflow");
        c.mine(&[]);
        c.mine(&[]);
        let said = c.count(0, |body| matches!(body, Body::Finding(finding) if finding.kind == "containment-failed"));
        assert_eq!(said > 0, failed);
    }
}
