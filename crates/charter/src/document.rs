//! A charter's text as it was read, sound or not: `charter check` tells everything at once, what the world says included.

use std::collections::{BTreeMap, BTreeSet};

use watchfire_types::{ChainId, MemberId, Read, ReadOutcome};

use crate::fault::{Fault, Warning};
use crate::live::{self, Fact};
use crate::model::{Charter, Member};

/// What became of a text. Only a sound one yields a [`Charter`]; of another, what could be read may be compared with the chain and with
/// members' entries, and nothing else.
#[derive(Debug)]
pub struct Document {
    /// Without the parts that have faults; `None` where the text is no TOML.
    pub(crate) read: Option<Charter>,
    pub(crate) faults: Vec<Fault>,
    pub(crate) warnings: Vec<Warning>,
}

impl Document {
    /// A text of which nothing could be read.
    #[must_use]
    pub fn refused(faults: Vec<Fault>) -> Self {
        Self { read: None, faults, warnings: Vec::new() }
    }

    /// Why it does not load, in line order; empty for a sound one.
    #[must_use]
    pub fn faults(&self) -> &[Fault] {
        &self.faults
    }

    /// What its partners should know, in line order.
    #[must_use]
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// The charter, if the text is sound.
    #[must_use]
    pub fn charter(&self) -> Option<&Charter> {
        self.read.as_ref().filter(|_| self.faults.is_empty())
    }

    /// The charter and what its partners should know, or why there is none.
    ///
    /// # Errors
    /// Every fault, in line order.
    pub fn into_charter(self) -> Result<(Charter, Vec<Warning>), Vec<Fault>> {
        match self.read {
            Some(charter) if self.faults.is_empty() => Ok((charter, self.warnings)),
            _ => Err(self.faults),
        }
    }

    /// Chains whose sections could be read.
    #[must_use]
    pub fn chains(&self) -> BTreeSet<ChainId> {
        self.read.iter().flat_map(|read| read.chains.keys().copied()).collect()
    }

    /// A member whose section could be read.
    #[must_use]
    pub fn member(&self, id: &MemberId) -> Option<&Member> {
        self.read.as_ref().and_then(|read| read.members.get(id))
    }

    /// As [`live::reads`], of what could be read.
    #[must_use]
    pub fn reads(&self, chain: ChainId) -> BTreeSet<Read> {
        self.read.as_ref().map(|read| live::reads(read, chain)).unwrap_or_default()
    }

    /// As [`live::judge`], of what could be read.
    #[must_use]
    pub fn judge(&self, chain: ChainId, answers: &BTreeMap<Read, ReadOutcome>) -> Vec<Fact> {
        self.read.as_ref().map(|read| live::judge(read, chain, answers)).unwrap_or_default()
    }
}
