//! What the chain must say for a charter to hold there, and the judgement of what it said. Pure: the caller reads.
//!
//! [`reads`] lists the questions, all for one block; [`judge`] turns the answers into [`Fact`]s; [`changes`] says what became
//! different between two blocks among facts that no charter pins. An empty judgement means that nothing is known to be
//! wrong, not that a step would succeed: that is for a simulation.

mod contracts;
mod remedies;
mod safes;

use std::collections::{BTreeMap, BTreeSet};

use alloy_primitives::{Address, B256, KECCAK256_EMPTY, U256};
use serde::Serialize;
use watchfire_types::{AssetId, Bytes, ChainId, Read, ReadOutcome, SafeId};

use crate::call::selector;
use crate::model::Charter;

pub use safes::{FALLBACK_HANDLER_SLOT, GUARD_SLOT, MODULE_GUARD_SLOT, SINGLETON_SLOT};

/// How bad a fact is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum FactSeverity {
    /// A pause may fail, or others hold power that the charter does not give them.
    Fault,
    /// It works, and is worse than it should be; or it could not be read.
    Warning,
}

/// One thing that is not as the charter says or as it should be.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Fact {
    /// How bad.
    pub severity: FactSeverity,
    /// Stable name in kebab-case: `guard-not-named`.
    pub kind: &'static str,
    /// One line that explains itself.
    pub text: String,
    /// Chain it was read on.
    pub chain: ChainId,
    /// Safe concerned.
    pub safe: Option<SafeId>,
    /// Assets concerned: for a Safe, those whose playbooks act through it.
    pub assets: BTreeSet<AssetId>,
}

/// Every question whose answer [`judge`] looks at, on one chain.
#[must_use]
pub fn reads(charter: &Charter, chain: ChainId) -> BTreeSet<Read> {
    let mut reads = BTreeSet::new();
    safes::reads(charter, chain, &mut reads);
    contracts::reads(charter, chain, &mut reads);
    reads
}

/// Kind of the fact that a question has no answer.
pub const NOT_READ: &str = "not-read";

/// What is wrong, faults first. A question without an answer yields a warning that it is not known.
#[must_use]
pub fn judge(charter: &Charter, chain: ChainId, answers: &BTreeMap<Read, ReadOutcome>) -> Vec<Fact> {
    let mut facts = Facts { chain, found: BTreeSet::new() };
    let answers = Answers { answers };
    safes::judge(charter, chain, answers, &mut facts);
    contracts::judge(charter, chain, answers, &mut facts);
    let unknown = reads(charter, chain).iter().filter(|read| answers.is_unknown(read)).count();
    if unknown > 0 {
        let text = format!("{unknown} facts of chain {chain} could not be read and are not known");
        facts.warn("not-read", text, &Concern::default());
    }
    facts.found.into_iter().collect()
}

/// What no charter pins and yet must not change unnoticed between two blocks: singleton, fallback handler, and code of the
/// guard, of modules, of owners and of called contracts.
#[must_use]
pub fn changes(
    charter: &Charter,
    chain: ChainId,
    before: &BTreeMap<Read, ReadOutcome>,
    after: &BTreeMap<Read, ReadOutcome>,
) -> Vec<Fact> {
    let mut facts = Facts { chain, found: BTreeSet::new() };
    safes::changes(charter, chain, (Answers { answers: before }, Answers { answers: after }), &mut facts);
    contracts::changes(charter, chain, (Answers { answers: before }, Answers { answers: after }), &mut facts);
    facts.found.into_iter().collect()
}

/// What a fact is about.
#[derive(Debug, Clone, Default)]
struct Concern {
    safe: Option<SafeId>,
    assets: BTreeSet<AssetId>,
}

impl Concern {
    fn safe(charter: &Charter, id: &SafeId) -> Self {
        let acts = |playbook: &&crate::model::Playbook| playbook.actions().any(|action| action.safe == *id);
        let assets = charter.playbooks.values().filter(acts).map(|playbook| playbook.asset.clone()).collect();
        Self { safe: Some(id.clone()), assets }
    }

    fn asset(id: &AssetId) -> Self {
        Self { safe: None, assets: BTreeSet::from([id.clone()]) }
    }
}

/// Collects facts of one chain, each once, faults first.
struct Facts {
    chain: ChainId,
    found: BTreeSet<Fact>,
}

impl Facts {
    fn fault(&mut self, kind: &'static str, text: String, about: &Concern) {
        self.add(FactSeverity::Fault, kind, text, about);
    }

    fn warn(&mut self, kind: &'static str, text: String, about: &Concern) {
        self.add(FactSeverity::Warning, kind, text, about);
    }

    fn add(&mut self, severity: FactSeverity, kind: &'static str, text: String, about: &Concern) {
        let (safe, assets) = (about.safe.clone(), about.assets.clone());
        self.found.insert(Fact { severity, kind, text, chain: self.chain, safe, assets });
    }
}

/// Answers by question; a missing one reads like an unavailable one.
#[derive(Debug, Clone, Copy)]
struct Answers<'a> {
    answers: &'a BTreeMap<Read, ReadOutcome>,
}

impl<'a> Answers<'a> {
    fn is_unknown(&self, read: &Read) -> bool {
        matches!(self.answers.get(read), None | Some(ReadOutcome::Unavailable(_)))
    }

    fn outcome(&self, read: &Read) -> Option<&'a ReadOutcome> {
        self.answers.get(read).filter(|outcome| !matches!(outcome, ReadOutcome::Unavailable(_)))
    }

    fn value(&self, read: &Read) -> Option<&'a Bytes> {
        match self.answers.get(read) {
            Some(ReadOutcome::Value(bytes)) => Some(bytes),
            Some(ReadOutcome::Reverted(_) | ReadOutcome::Unavailable(_)) | None => None,
        }
    }

    fn word(&self, read: &Read) -> Option<U256> {
        self.answers.get(read).and_then(ReadOutcome::word)
    }

    /// A word that holds an address: its upper 12 bytes are zero.
    fn address(&self, read: &Read) -> Option<Address> {
        let word = B256::from(self.word(read)?);
        word[..12].iter().all(|byte| *byte == 0).then(|| Address::from_word(word))
    }

    /// Whether an account has code, as far as it is known.
    fn has_code(&self, account: Address) -> Option<bool> {
        let hash = self.word(&Read::CodeHash { account })?;
        Some(hash != U256::from_be_bytes(KECCAK256_EMPTY.0) && hash != U256::ZERO)
    }
}

/// A call without arguments, or with these words.
fn call(to: Address, signature: &str, words: &[B256]) -> Read {
    let mut data = selector(signature).to_vec();
    for word in words {
        data.extend_from_slice(word.as_slice());
    }
    Read::Call { to, data: data.into() }
}

#[cfg(test)]
mod tests;
