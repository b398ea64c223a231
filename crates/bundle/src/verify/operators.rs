//! Section 12: whose answers the evidence rests on. A root proves one operator's answer; where no root does, only a second operator can.

use std::collections::{BTreeMap, BTreeSet};

use alloy_primitives::B256;
use serde::Deserialize;
use watchfire_types::body::{EvidenceCheck, EvidenceItem, EvidenceKind};
use watchfire_types::{BlockRef, Body, Bytes, OperatorId, sha256};

use super::Opened;
use crate::report::Checks;

/// Operators whose word is wanted.
const OPERATORS: usize = 2;

/// One question about one block.
type Question = (BlockRef, EvidenceKind, B256);

/// What manifests say came back.
#[derive(Default)]
struct Answers<'a> {
    method: &'a str,
    /// Who gave which object, of those that are not said to contradict the block.
    given: BTreeSet<(&'a OperatorId, B256)>,
    contradict: BTreeSet<&'a OperatorId>,
    /// Whether a manifest says that two are the same.
    said_same: bool,
}

/// An answer's content, whatever its form.
#[derive(Deserialize)]
struct Answer {
    result: serde_json::Value,
}

pub(super) fn check(opened: &Opened<'_>, checks: &mut Checks) {
    let objects: BTreeMap<B256, &Bytes> =
        opened.bundle.objects.iter().map(|object| (object.digest, &object.content)).collect();
    let mut results = Results { objects: &objects, read: BTreeMap::new() };
    for ((block, _, _), answers) in asked(opened) {
        let subject = format!("{} of chain {} block {}", answers.method, block.chain, block.number);
        for operator in &answers.contradict {
            checks.open(
                "operators",
                &subject,
                format!("{operator} answered what contradicts the block, as its collector says"),
            );
        }
        let here = || answers.given.iter().filter(|(_, object)| objects.contains_key(object));
        let operators: BTreeSet<&str> = here().map(|(operator, _)| operator.as_str()).collect();
        let count = operators.len();
        let names = operators.into_iter().collect::<Vec<_>>().join(", ");
        if count < OPERATORS {
            let detail = format!("answers of {count} operator(s) are here, {OPERATORS} should be: {names}");
            checks.open("operators", &subject, detail);
        } else if answers.said_same && !results.agree(here()) {
            let detail = format!("a manifest says that two operators answered the same; here all differ: {names}");
            checks.open("operators", &subject, detail);
        } else {
            checks.holds("operators", &subject, names);
        }
    }
}

/// Every question of the incident's manifests. What is derived of an answer was asked of nobody.
fn asked<'a>(opened: &'a Opened<'_>) -> BTreeMap<Question, Answers<'a>> {
    let mut asked: BTreeMap<Question, Answers<'a>> = BTreeMap::new();
    let manifests = opened.told().filter_map(|(_, event)| match &event.event().body {
        Body::EvidenceCollected(collected) => Some(collected),
        _ => None,
    });
    let items = manifests.flat_map(|collected| &collected.items);
    for item in items.filter(|item| item.kind != EvidenceKind::ReceiptProofs) {
        let EvidenceItem { kind, block, operator, method, request, object, check, .. } = item;
        let answers = asked.entry((*block, *kind, *request)).or_default();
        answers.method = method;
        if *check == EvidenceCheck::Contradicts {
            answers.contradict.insert(operator);
        } else {
            answers.given.insert((operator, *object));
        }
        answers.said_same |= *check == EvidenceCheck::TwoOperators;
    }
    asked
}

/// Each object is read once, however many questions a liar names it for.
struct Results<'a> {
    objects: &'a BTreeMap<B256, &'a Bytes>,
    /// Digest of the canonical form (RFC 8785) of its result; `None` where it has none.
    read: BTreeMap<B256, Option<[u8; 32]>>,
}

impl Results<'_> {
    /// Whether two operators gave one result.
    fn agree<'b>(&mut self, given: impl Iterator<Item = &'b (&'b OperatorId, B256)>) -> bool {
        let mut seen = BTreeMap::new();
        given
            .filter_map(|(operator, object)| Some((*operator, self.result(object)?)))
            .any(|(operator, result)| *seen.entry(result).or_insert(operator) != operator)
    }

    fn result(&mut self, object: &B256) -> Option<[u8; 32]> {
        let objects = self.objects;
        *self.read.entry(*object).or_insert_with(|| {
            let Answer { result } = serde_json::from_slice(objects.get(object)?).ok()?;
            Some(sha256(&[&serde_json_canonicalizer::to_vec(&result).ok()?]))
        })
    }
}
