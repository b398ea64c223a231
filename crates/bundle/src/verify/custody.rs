//! Section 12: objects, who collected them, who holds copies.

use std::collections::{BTreeMap, BTreeSet};

use alloy_primitives::B256;
use watchfire_types::body::{AccessAction, EvidenceItem};
use watchfire_types::{Body, Bytes, MemberKey, OrganisationId, Timestamp, sha256};

use super::{Opened, member};
use crate::report::Checks;

/// Other organisations that should hold a copy of each object.
const COPIES: usize = 2;

/// What the log says about one object.
#[derive(Default)]
struct Custody<'a> {
    items: Vec<&'a EvidenceItem>,
    collectors: BTreeSet<MemberKey>,
    /// Who says to have it, and who to have disposed of it: when they last did, by their own clocks.
    had: BTreeMap<MemberKey, Timestamp>,
    disposed: BTreeMap<MemberKey, Timestamp>,
}

impl Custody<'_> {
    /// Who has it as far as they say.
    fn holders(&self) -> impl Iterator<Item = &MemberKey> {
        let kept = |(member, had): &(&MemberKey, &Timestamp)| self.disposed.get(*member).is_none_or(|gone| gone < *had);
        self.had.iter().filter(kept).map(|(member, _)| member)
    }
}

fn last(when: &mut BTreeMap<MemberKey, Timestamp>, member: MemberKey, at: Timestamp) {
    let known = when.entry(member).or_insert(at);
    *known = at.max(*known);
}

pub(super) fn check(opened: &Opened<'_>, checks: &mut Checks) {
    let mut custody: BTreeMap<B256, Custody<'_>> = BTreeMap::new();
    for (_, event) in opened.told() {
        let (author, at) = (event.event().author, event.event().time);
        match &event.event().body {
            Body::EvidenceCollected(collected) => {
                for item in &collected.items {
                    let entry = custody.entry(item.object).or_default();
                    entry.items.push(item);
                    entry.collectors.insert(author);
                    last(&mut entry.had, author, at);
                }
            }
            Body::EvidenceAccessed(accessed) => {
                for object in &accessed.objects {
                    let entry = custody.entry(*object).or_default();
                    match accessed.action {
                        AccessAction::Copied => last(&mut entry.had, author, at),
                        AccessAction::Disposed => last(&mut entry.disposed, author, at),
                        AccessAction::Read | AccessAction::Exported => {}
                    }
                }
            }
            _ => {}
        }
    }
    let objects: BTreeMap<B256, &Bytes> =
        opened.bundle.objects.iter().map(|object| (object.digest, &object.content)).collect();
    for (digest, content) in &objects {
        let judged = object(digest, content, custody.get(digest));
        checks.judge("object", digest, judged);
    }
    for (digest, entry) in &custody {
        held(opened, digest, entry, objects.contains_key(digest), checks);
        let size = objects.get(digest).map(|content| content.len() as u64);
        for item in entry.items.iter().filter(|item| size.is_some_and(|size| size != item.size)) {
            let detail = format!("a manifest says it has {} bytes, which it has not", item.size);
            checks.open("statement", digest, detail);
        }
    }
    missed(opened, checks);
}

fn object(digest: &B256, content: &Bytes, custody: Option<&Custody<'_>>) -> Result<String, String> {
    let found = B256::new(sha256(&[content]));
    if found != *digest {
        return Err(format!("its content has SHA-256 {found}"));
    }
    let items = custody.map_or(&[][..], |custody| &custody.items);
    // A manifest that says another size is its author's falsehood and spoils nobody else's.
    let size = content.len() as u64;
    let Some(first) = items.iter().find(|item| item.size == size).or(items.first()) else {
        return Err("no manifest names it: nobody says where it came from".to_owned());
    };
    Ok(format!("{} from {} at block {}, {size} bytes", first.method, first.operator, first.block.number))
}

fn organisation<'a>(opened: &'a Opened<'_>, key: &MemberKey) -> Option<&'a OrganisationId> {
    opened.charters.values().rev().find_map(|charter| charter.organisation_of(key))
}

fn held(opened: &Opened<'_>, digest: &B256, entry: &Custody<'_>, present: bool, checks: &mut Checks) {
    if entry.items.is_empty() {
        return checks.open("custody", digest, "it was accessed, and no manifest of this incident names it");
    }
    // Of several collectors each has the others' bytes by its own collection.
    let holders: BTreeSet<_> = entry.holders().filter_map(|key| organisation(opened, key)).collect();
    let others = holders.len().saturating_sub(1);
    let names: Vec<_> = entry.collectors.iter().map(|key| member(opened.charters, key)).collect();
    let detail = format!("collected by {}; {others} other organisation(s) hold it", names.join(", "));
    if !present {
        checks.open("custody", digest, format!("{detail}; it is not in the bundle"));
    } else if others < COPIES {
        checks.open("custody", digest, format!("{detail}, {COPIES} should"));
    } else {
        checks.holds("custody", digest, detail);
    }
}

fn missed(opened: &Opened<'_>, checks: &mut Checks) {
    for (hash, event) in opened.told() {
        if let Body::EvidenceMissed(missed) = &event.event().body {
            let detail = format!("{:?} of block {}: {}", missed.kind, missed.block.number, missed.detail);
            checks.open("evidence-missed", opened.name(event.event(), *hash), detail);
        }
    }
}
