//! Whose answers the evidence rests on: two operators', one's, several that differ, some that contradict the block.

use alloy_primitives::B256;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use watchfire_bundle::{Outcome, verify};
use watchfire_types::body::{EvidenceCheck, EvidenceItem, EvidenceKind};
use watchfire_types::{Body, Bytes};
use watchfire_wire::bundle::Bundle;

use crate::fixture::{Story, charter};
use crate::hostile::manifest;

pub(crate) const SAME: EvidenceCheck = EvidenceCheck::TwoOperators;
pub(crate) const ONE: EvidenceCheck = EvidenceCheck::OneOperator;
pub(crate) const FALSE: EvidenceCheck = EvidenceCheck::Contradicts;

/// An operator, what it answered, and what its collector says of that.
type Answer<'a> = (&'a str, &'static str, EvidenceCheck);

/// A story with a question for logs that has these answers.
pub(crate) fn answered(answers: &[Answer<'_>]) -> Story {
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
    story
}

fn told(answers: &[Answer<'_>]) -> Vec<(Outcome, String)> {
    let report = verify(&answered(answers).bundle(), Some(&charter()));
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

/// A story in which another slot's proof came by block hash from one operator, and by number, in another form, from a second one.
pub(crate) fn by_number(damage: impl Fn(&mut Value)) -> Story {
    let mut story = Story::whole();
    let mut more = manifest(&story);
    let state = more.items.iter().find(|item| item.kind == EvidenceKind::StateProof).unwrap().clone();
    let mut answer: Value = serde_json::from_slice(&story.objects[&state.object]).unwrap();
    answer["result"]["storageProof"].as_array_mut().unwrap().truncate(1);
    let mut second = answer.clone();
    second["id"] = json!(2);
    damage(&mut second["result"]);
    let asked = [("op-alder", 3, answer), ("op-birch", 4, second)];
    more.items = asked
        .map(|(operator, request, answer)| {
            let content = Bytes::from(answer.to_string());
            let (object, size) = (B256::from_slice(&Sha256::digest(&content)), content.len() as u64);
            story.objects.insert(object, content);
            let (operator, request) = (operator.parse().unwrap(), B256::repeat_byte(request));
            EvidenceItem { operator, request, object, size, check: EvidenceCheck::StateRoot, ..state.clone() }
        })
        .into();
    story.authors[4].says(Body::EvidenceCollected(more));
    story
}

/// What is done to an answer.
type Damage = fn(&mut Value);

/// Answers of which nothing says that they are of this block, or that are about something else.
pub(crate) const APART: [(&str, Damage); 3] = [
    ("another state", |state| state["accountProof"][0] = json!("0xc0")),
    ("other slots", |state| state["storageProof"][0]["key"] = json!("0x5")),
    ("no slots at all", |state| state["storageProof"] = json!([])),
];

/// Who takes no block hash is asked by number: both have answered one question if what they say is of this block's state.
#[test]
fn a_number_and_a_hash_may_ask_the_same() {
    let told = |story: &Story, change: fn(&mut Bundle)| {
        let mut bundle = Bundle::decode(&story.bundle()).unwrap();
        change(&mut bundle);
        let report = verify(&bundle.encode().unwrap(), Some(&charter()));
        let of =
            |check: &watchfire_bundle::Check| check.name == "operators" && check.subject.starts_with("eth_getProof");
        let told: Vec<_> = report.checks.into_iter().filter(of).map(|check| (check.outcome, check.detail)).collect();
        (report.first_failure.map(|check| check.name), told)
    };
    let both = (Outcome::Holds, "op-alder, op-birch".to_owned());
    let lone = |name| (Outcome::Open, format!("answers of 1 operator(s) are here, 2 should be: {name}"));
    let same = by_number(|_| {});
    assert_eq!(told(&same, |_| {}), (None, vec![both.clone(), both.clone()]), "and the story's own");
    let spelt = by_number(|state| state["storageProof"][0]["key"] = json!("0x3"));
    assert_eq!(told(&spelt, |_| {}).1, [both.clone(), both.clone()], "a slot in fewer digits");
    for (what, damage) in APART {
        let (failure, mut checks) = told(&by_number(damage), |_| {});
        checks.sort_by_key(|(_, detail)| detail.clone());
        assert_eq!((failure, checks), (None, vec![lone("op-alder"), lone("op-birch"), both.clone()]), "{what}");
    }
    // Without its header nothing says of which block's state an answer is.
    let (_, unproved) = told(&same, |bundle| bundle.blocks.clear());
    assert_eq!(unproved, [both, lone("op-alder"), lone("op-birch")]);
    let (failure, _) = told(&same, |bundle| {
        let object = bundle.objects.iter_mut().find(|object| object.content.starts_with(b"{\"id\":2")).unwrap();
        object.content = [&object.content[..object.content.len() - 1], b" "].concat().into();
    });
    assert_eq!(failure, Some("object"));
}
