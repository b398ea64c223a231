//! One attack has one window however often it is found, a further attack its own, and all together a bound.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use proptest::prelude::*;
use watchfire_types::body::{Body, Executed, Finding, PostconditionChecked};
use watchfire_types::{Address, B256, BlockRef, Event, StepIndex, Verified};

use super::*;
use crate::evidence::fixture::{block, finding, key, said};

fn scene(events: &[Verified<Event>]) -> Option<Scene> {
    Scene::of(&events.iter().collect::<Vec<_>>(), key(1))
}

fn stretches(events: &[Verified<Event>]) -> Vec<(u64, u64)> {
    scene(events).unwrap().windows.iter().map(|window| (window.first, window.last)).collect()
}

fn executed(member: u8, block: BlockRef) -> Verified<Event> {
    let (safe, hash) = (Address::repeat_byte(1), B256::repeat_byte(2));
    said(member, Body::Executed(Executed { block, safe, safe_transaction: hash, transaction: hash }))
}

fn holds(block: BlockRef, holds: bool) -> Verified<Event> {
    let (asset, playbook) = ("vault-core".parse().unwrap(), "contain-vault".parse().unwrap());
    let step = StepIndex::new(1);
    said(1, Body::PostconditionChecked(PostconditionChecked { asset, playbook, step, holds, block }))
}

/// Goal: an attack over thirty blocks that is found at every one of them asks for sixteen blocks; a pause ends the window; an attack after
/// it has a window of its own.
#[test]
fn an_attack_has_one_window() {
    let mut events: Vec<_> = (0..30).map(|n| finding(1, 100, 100 + n)).collect();
    events.extend((1..15).map(|n| finding(1, 100 + n, 100 + n)));
    assert_eq!(stretches(&events), [(100, 115)]);
    events.extend([
        executed(1, block(103)),
        holds(block(103), true),
        holds(block(102), false),
        executed(2, block(105)),
    ]);
    assert_eq!(stretches(&events)[0], (100, 103));
    let two = [finding(1, 100, 100), executed(1, block(103)), finding(1, 140, 141)];
    assert_eq!(stretches(&two), [(100, 103), (140, 155)]);
    assert_eq!(scene(&two).unwrap().pauses.len(), 1);
    assert_eq!(scene(&two).unwrap().windows[1].basis, two[2].hash());
}

/// Goal: others' findings alone move nothing; what nobody found has no scene.
#[test]
fn others_words_alone_are_no_occasion() {
    assert_eq!(scene(&[]), None);
    assert_eq!(scene(&[finding(2, 100, 100), finding(3, 100, 100)]), None);
}

/// Goal: what is reported from outside names no block, so that nobody can have evidence looked for where nothing happened, or windows taken from an attack.
#[test]
fn a_report_is_no_occasion() {
    let report = |number| match finding(1, number, number).body.clone() {
        Body::Finding(finding) => said(1, Body::Finding(Finding { kind: "report".to_owned(), ..finding })),
        _ => panic!("a finding"),
    };
    assert_eq!(scene(&[report(100)]), None);
    let reports: Vec<_> = (0..40).map(|n| report(n * 100)).chain([finding(1, 5_000, 5_000)]).collect();
    assert_eq!(stretches(&reports), [(5_000, 5_015)]);
}

/// Goal: a rule that tells of an act later than it happened has the act's blocks looked at, as well as those where it told.
#[test]
fn the_act_has_a_window_wherever_it_is_told() {
    let told = |acted: &str, first| match finding(1, first, first).body.clone() {
        Body::Finding(mut finding) => {
            finding.figures.insert("event_block".to_owned(), acted.to_owned());
            said(1, Body::Finding(finding))
        }
        _ => panic!("a finding"),
    };
    assert_eq!(stretches(&[told("100", 101)]), [(100, 115)], "one window covers both");
    assert_eq!(stretches(&[told("100", 225)]), [(100, 115), (225, 240)]);
    for odd in ["101", "102", "", "-1", "1e2"] {
        assert_eq!(stretches(&[told(odd, 101)]), [(101, 116)], "{odd}");
    }
}

proptest! {
    /// Goal: whatever is found and executed, there are never more blocks than the bound says, and windows do not overlap.
    #[test]
    fn blocks_are_bounded(found in proptest::collection::vec((0u64..4_000, 0u64..40), 1..40), paused in proptest::collection::vec(0u64..4_000, 0..20)) {
        let mut events: Vec<_> = found.iter().map(|(first, after)| finding(1, *first, first + after)).collect();
        events.extend(paused.iter().map(|number| executed(1, block(*number))));
        let scene = scene(&events).unwrap();
        let blocks: u64 = scene.windows.iter().map(|window| window.last + 2 - window.first).sum();
        prop_assert!(blocks + scene.pauses.len() as u64 <= WINDOWS_MAX as u64 * (BLOCKS_MAX + 1) + PAUSES_MAX as u64);
        prop_assert!(scene.windows.windows(2).all(|pair| pair[0].last < pair[1].first));
    }
}
