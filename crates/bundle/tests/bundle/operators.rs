//! Whose answers the evidence rests on: two operators', one's, several that differ, some that contradict the block.

use alloy_primitives::B256;
use sha2::{Digest as _, Sha256};
use watchfire_bundle::{Outcome, verify};
use watchfire_types::body::{EvidenceCheck, EvidenceItem, EvidenceKind};
use watchfire_types::{Body, Bytes};

use crate::fixture::{Story, charter};
use crate::hostile::manifest;

const SAME: EvidenceCheck = EvidenceCheck::TwoOperators;
const ONE: EvidenceCheck = EvidenceCheck::OneOperator;
const FALSE: EvidenceCheck = EvidenceCheck::Contradicts;

/// What is told of a question for logs with these answers: an operator, what it answered, and what its collector says of that.
fn told(answers: &[(&str, &'static str, EvidenceCheck)]) -> Vec<(Outcome, String)> {
    let mut story = Story::whole();
    let mut more = manifest(&story);
    let template = more.items.remove(0);
    more.items.clear();
    for (operator, content, check) in answers {
        let content = Bytes::from_static(content.as_bytes());
        let (object, size) = (B256::from_slice(&Sha256::digest(&content)), content.len() as u64);
        let (kind, request, check) = (EvidenceKind::Logs, B256::repeat_byte(9), *check);
        let (operator, method) = (operator.parse().unwrap(), "eth_getLogs".to_owned());
        more.items.push(EvidenceItem { kind, request, object, size, check, operator, method, ..template.clone() });
        story.objects.insert(object, content);
    }
    story.authors[4].says(Body::EvidenceCollected(more));
    let report = verify(&story.bundle(), Some(&charter()));
    assert!(report.holds, "{:?}", report.first_failure);
    let checks = report.checks.into_iter().filter(|check| check.name == "operators");
    checks
        .filter(|check| check.subject.starts_with("eth_getLogs of chain"))
        .map(|check| (check.outcome, check.detail))
        .collect()
}

#[test]
fn two_operators_are_counted_and_compared() {
    let same =
        [("op-alder", r#"{"id":1,"result":{"a":1,"b":2}}"#, SAME), ("op-birch", r#"{"result":{"b":2, "a":1}}"#, SAME)];
    assert_eq!(told(&same), [(Outcome::Holds, "op-alder, op-birch".to_owned())], "in another form");
    let lone = |answers: &[_]| {
        let told = told(answers);
        assert!(told.len() == 1 && told[0].0 == Outcome::Open, "{told:?}");
        told[0].1.clone()
    };
    assert_eq!(lone(&same[..1]), "answers of 1 operator(s) are here, 2 should be: op-alder");
    let twice = [same[0], ("op-alder", same[1].1, SAME)];
    assert_eq!(lone(&twice), lone(&same[..1]), "one operator twice is one");
    let other = ("op-birch", r#"{"result":{"a":2,"b":1}}"#, SAME);
    assert!(lone(&[same[0], other]).contains("here all differ: op-alder, op-birch"));
    assert!(lone(&[twice[0], twice[1], other]).contains("here all differ"), "one operator does not agree with itself");
    assert!(lone(&[("op-alder", "{}", SAME), ("op-birch", "{ }", SAME)]).contains("here all differ"));
    let differ = [(same[0].0, same[0].1, ONE), (other.0, other.1, ONE)];
    assert_eq!(told(&differ)[0].0, Outcome::Holds, "nobody says that they are the same");
}

/// An answer that is said to contradict the block counts for nothing, and is told.
#[test]
fn who_contradicts_the_block_is_told() {
    let told = told(&[("op-alder", r#"{"result":1}"#, ONE), ("op-birch", r#"{"result":2}"#, FALSE)]);
    let details: Vec<&str> = told.iter().map(|(_, detail)| detail.as_str()).collect();
    assert!(told.iter().all(|(outcome, _)| *outcome == Outcome::Open), "{told:?}");
    assert_eq!(
        details,
        [
            "op-birch answered what contradicts the block, as its collector says",
            "answers of 1 operator(s) are here, 2 should be: op-alder"
        ]
    );
}
