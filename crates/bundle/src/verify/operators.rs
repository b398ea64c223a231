//! Section 12: whose answers the evidence rests on. A root proves one operator's answer; where no root does, only a second operator can.

use std::collections::{BTreeMap, BTreeSet};

use alloy_primitives::{Address, B256, Bytes as AlloyBytes, U256, keccak256};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use watchfire_types::body::{EvidenceCheck, EvidenceItem, EvidenceKind};
use watchfire_types::{BlockRef, Body, Bytes, ChainId, OperatorId, sha256};

use super::Opened;
use crate::report::Checks;
use crate::trie;

/// Operators whose word is wanted.
const OPERATORS: usize = 2;

/// One question about one block.
type Question = (BlockRef, EvidenceKind, About);

/// What a question is about: who takes no block hash is asked the same by another request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum About {
    /// Whatever this request asks for.
    Request(B256),
    /// The account and slots with this digest, as answers show.
    State([u8; 32]),
}

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
struct Answer<T> {
    result: T,
}

/// What an answer about state shows by itself.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Shown {
    address: Address,
    account_proof: Vec<AlloyBytes>,
    storage_proof: Vec<ShownSlot>,
}

#[derive(Deserialize)]
struct ShownSlot {
    key: U256,
}

impl Shown {
    /// The root of the state that it is of.
    fn root(&self) -> B256 {
        self.account_proof.first().map_or(alloy_trie::EMPTY_ROOT_HASH, keccak256)
    }

    fn about(&self) -> About {
        let slots: BTreeSet<B256> = self.storage_proof.iter().map(|slot| B256::from(slot.key)).collect();
        let slots = slots.iter().map(B256::as_slice);
        About::State(sha256(&[self.address.as_slice()].into_iter().chain(slots).collect::<Vec<_>>()))
    }
}

pub(super) fn check(opened: &Opened<'_>, checks: &mut Checks) {
    let objects: BTreeMap<B256, &Bytes> =
        opened.bundle.objects.iter().map(|object| (object.digest, &object.content)).collect();
    let mut results = Results { objects: &objects, read: BTreeMap::new(), shown: BTreeMap::new() };
    for ((block, _, _), answers) in asked(opened, &mut results) {
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
fn asked<'a>(opened: &'a Opened<'_>, results: &mut Results<'_>) -> BTreeMap<Question, Answers<'a>> {
    let blocks = opened.bundle.blocks.iter();
    let roots: BTreeMap<(ChainId, B256), B256> = blocks
        .filter_map(|block| {
            let facts = trie::header(&block.header, block.hash).ok()?;
            Some(((block.chain, block.hash), facts.state_root))
        })
        .collect();
    let mut asked: BTreeMap<Question, Answers<'a>> = BTreeMap::new();
    let manifests = opened.told().filter_map(|(_, event)| match &event.event().body {
        Body::EvidenceCollected(collected) => Some(collected),
        _ => None,
    });
    let items = manifests.flat_map(|collected| &collected.items);
    for item in items.filter(|item| item.kind != EvidenceKind::ReceiptProofs) {
        let EvidenceItem { kind, block, operator, method, request, object, check, .. } = item;
        let root = roots.get(&(block.chain, block.hash)).filter(|_| *kind == EvidenceKind::StateProof);
        let about = root.and_then(|root| results.state(object, root)).unwrap_or(About::Request(*request));
        let answers = asked.entry((*block, *kind, about)).or_default();
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
    /// Of which state it is, and about what; `None` where it is no answer about state.
    shown: BTreeMap<B256, Option<(B256, About)>>,
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
            let result: serde_json::Value = result(objects.get(object)?)?;
            Some(sha256(&[&serde_json_canonicalizer::to_vec(&result).ok()?]))
        })
    }

    /// What an answer about the state of this root is about.
    fn state(&mut self, object: &B256, root: &B256) -> Option<About> {
        let objects = self.objects;
        let shown = self.shown.entry(*object).or_insert_with(|| {
            let shown: Shown = result(objects.get(object)?)?;
            Some((shown.root(), shown.about()))
        });
        shown.filter(|(of, _)| of == root).map(|(_, about)| about)
    }
}

fn result<T: DeserializeOwned>(content: &Bytes) -> Option<T> {
    serde_json::from_slice::<Answer<T>>(content).ok().map(|answer| answer.result)
}
