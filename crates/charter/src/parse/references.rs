//! Which names the document declares, scanned first so that any section may refer to any other, in any order, and so that
//! a fault inside an entry does not make references to it look unknown.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::str::FromStr;

use watchfire_types::{AssetId, ChainId, DetectorId, MemberId, OrganisationId, PlaybookId, SafeId};

pub(crate) use crate::reader::address;
use crate::reader::{Place, Section, Value};

/// First place of every declared name.
#[derive(Debug)]
pub(crate) struct Declared {
    pub(crate) organisations: BTreeMap<OrganisationId, Place>,
    pub(crate) members: BTreeMap<MemberId, Place>,
    pub(crate) chains: BTreeMap<ChainId, Place>,
    pub(crate) safes: BTreeMap<SafeId, Place>,
    pub(crate) assets: BTreeMap<AssetId, Place>,
    pub(crate) playbooks: BTreeMap<PlaybookId, Place>,
    pub(crate) detectors: BTreeMap<DetectorId, Place>,
}

impl Declared {
    /// Scans the document's tables for their ids, silently: what is wrong with one is told where it is read.
    pub(crate) fn scan(root: &Section<'_>) -> Self {
        Self {
            organisations: names(root, "organisation"),
            members: names(root, "member"),
            chains: ids(root, "chain", |value| value.peek_number().map(ChainId::new)),
            safes: names(root, "safe"),
            assets: names(root, "asset"),
            playbooks: names(root, "playbook"),
            detectors: names(root, "detector"),
        }
    }
}

impl Declared {
    /// Takes every asset that a detector names, its own or another, as declared, for a text that has no assets of its own.
    pub(crate) fn assume_assets(&mut self, root: &Section<'_>) {
        for key in ["asset", "elsewhere"] {
            self.assets.extend(keyed(root, "detector", key, |value| value.peek_text()?.parse().ok()));
        }
    }
}

fn names<T: FromStr + Ord>(root: &Section<'_>, key: &str) -> BTreeMap<T, Place> {
    ids(root, key, |value| value.peek_text()?.parse().ok())
}

fn ids<T: Ord>(root: &Section<'_>, key: &str, read: impl Fn(&Value<'_>) -> Option<T>) -> BTreeMap<T, Place> {
    keyed(root, key, "id", read)
}

fn keyed<T: Ord>(
    root: &Section<'_>,
    key: &str,
    inner: &'static str,
    read: impl Fn(&Value<'_>) -> Option<T>,
) -> BTreeMap<T, Place> {
    let mut found = BTreeMap::new();
    for value in root.peek_each(key, inner) {
        if let Some(id) = read(&value) {
            found.entry(id).or_insert(value.at);
        }
    }
    found
}

/// Reports a name that was declared before.
pub(crate) fn unique<T: Ord + Display>(section: &Section<'_>, id: &T, declared: &BTreeMap<T, Place>) {
    let at = section.place_of("id");
    if let Some(first) = declared.get(id).filter(|first| **first != at) {
        let message = format!("{id} is declared twice, first at line {}", first.line);
        section.log.fault(&at, "duplicate-id", message, "rename or remove one");
    }
}

/// A name that must have been declared.
pub(crate) fn refer<T>(value: &Value<'_>, declared: &BTreeMap<T, Place>, what: &str) -> Option<T>
where
    T: FromStr<Err: Display> + Ord + Display,
{
    let id: T = value.parsed(&format!("the id of a declared {what}"))?;
    known(value, &id, declared, what).then_some(id)
}

/// A chain id that must have been declared.
pub(crate) fn refer_chain(value: &Value<'_>, declared: &Declared) -> Option<ChainId> {
    let id = ChainId::new(value.number(1..=u64::MAX)?);
    known(value, &id, &declared.chains, "chain").then_some(id)
}

fn known<T: Ord + Display>(value: &Value<'_>, id: &T, declared: &BTreeMap<T, Place>, what: &str) -> bool {
    let known = declared.contains_key(id);
    if !known {
        let names = declared.keys().take(12).map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let message = format!("no {what} {id} is declared");
        value.fault("unknown-reference", message, format!("declare it or use one of: {names}"));
    }
    known
}
