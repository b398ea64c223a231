//! Triggers that ask for several kinds of findings at once: one kind alone, however often it is found, votes for nothing.

use std::collections::BTreeSet;

use proptest::prelude::*;
use watchfire_protocol::triggered;
use watchfire_types::body::Finding;
use watchfire_types::*;

use crate::cluster::*;

/// The drill's charter where the widest step takes two kinds within 60 s, and nothing takes the narrow one.
pub(crate) fn edited(source: &str) -> String {
    let sole = source.replacen(
        "[[playbook.trigger]]\nkinds = [\"outflow\", \"event\"]\nseverity = \"SEV2\"\nstep = 1\n",
        "",
        1,
    );
    let kinds = "kinds = [\"outflow\", \"event\", \"state\", \"containment-failed\"]\ntogether = 2\nwithin_s = 60";
    let both = sole.replacen(
        "kinds = [\"outflow\", \"state\", \"containment-failed\"]\nseverity = \"SEV1\"",
        &format!("{kinds}\nseverity = \"SEV2\""),
        1,
    );
    assert_ne!(both, sole);
    both
}

pub(crate) fn of_kind(kind: &str, detector: &str, first: BlockRef) -> Finding {
    Finding { kind: kind.into(), ..finding(detector, first) }
}

/// An outflow that everybody finds votes for nothing, until each also finds another kind; then all is as ever.
#[test]
fn two_kinds_pause_and_one_does_not() {
    let mut c = Cluster::new(charter(edited), 98);
    c.mine(&[]);
    c.all_find("vault-outflow");
    c.all_find("vault-outflow-early");
    c.mine(&[]);
    assert_eq!((0..5).map(|index| c.votes(index, 1)).sum::<usize>(), 0, "two rules of one kind");
    assert_eq!(c.execute(), 0);
    let first = block(c.chain.head().at.number + 1, 0);
    for index in [0, 1] {
        c.nodes[index].standing.push(of_kind("event", "vault-unpaused", first));
    }
    c.mine(&[]);
    assert_eq!(
        (0..5).map(|index| c.votes(index, 2)).collect::<Vec<_>>(),
        [1, 1, 0, 0, 0],
        "each by what it found itself"
    );
    c.nodes[2].standing.push(of_kind("event", "vault-unpaused", first));
    c.mine(&[]);
    assert_eq!(c.execute(), 1);
    assert!(c.chain.head().paused);
}

/// What began longer before than the trigger allows does not stand together with it.
#[test]
fn kinds_stand_together_within_their_time() {
    let charter = charter(edited);
    let playbook = &charter.playbooks[&name::<PlaybookId>("contain-vault")];
    let event = of_kind("event", "vault-unpaused", block(100, 0));
    let steps = |first: u64| {
        let outflow = of_kind("outflow", "vault-outflow", block(first, 0));
        let all = [&outflow, &event];
        [&outflow, &event].map(|finding| triggered(&charter, playbook, finding, &all).map(StepIndex::get))
    };
    assert_eq!(steps(160), [Some(2), Some(2)]);
    assert_eq!(steps(161), [None, None]);
    assert_eq!(steps(40), [Some(2), Some(2)]);
    assert_eq!(steps(39), [None, None]);
    let failed = of_kind("containment-failed", "vault-outflow", block(100, 0));
    let outflow = of_kind("outflow", "vault-outflow", block(100, 0));
    assert_eq!(
        triggered(&charter, playbook, &failed, &[&outflow, &failed]),
        None,
        "the same outflow is no second kind"
    );
    assert_eq!(triggered(&charter, playbook, &outflow, &[&outflow, &failed]), None);
    let elsewhere = Finding { asset: name("other"), ..event.clone() };
    assert_eq!(triggered(&charter, playbook, &outflow, &[&elsewhere]), None);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    /// It triggers where some stretch of that length that holds its beginning has two kinds, whatever the order; more findings never take it back.
    #[test]
    fn together_is_what_a_search_of_every_stretch_says(
        found in proptest::collection::vec((0_usize..3, 0_u64..200), 1..8),
        order in any::<prop::sample::Index>(),
    ) {
        let charter = charter(edited);
        let playbook = &charter.playbooks[&name::<PlaybookId>("contain-vault")];
        let kinds = [("outflow", "vault-outflow"), ("event", "vault-unpaused"), ("state", "vault-owner")];
        let all: Vec<Finding> =
            found.iter().map(|(kind, at)| of_kind(kinds[*kind].0, kinds[*kind].1, block(100 + at, 0))).collect();
        let mut standing: Vec<&Finding> = all.iter().collect();
        standing.rotate_left(order.index(all.len()));
        for (finding, (_, at)) in all.iter().zip(&found) {
            let searched = (at.saturating_sub(60)..=*at).any(|start| {
                let within = found.iter().filter(|(_, other)| (start..=start + 60).contains(other));
                within.map(|(kind, _)| kind).collect::<BTreeSet<_>>().len() >= 2
            });
            prop_assert_eq!(triggered(&charter, playbook, finding, &standing).is_some(), searched);
            if triggered(&charter, playbook, finding, &standing[1..]).is_some() {
                prop_assert!(triggered(&charter, playbook, finding, &standing).is_some());
            }
        }
    }
}
