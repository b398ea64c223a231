//! What is on record of objects that leave the store: an event of the running node, else a note from which the next start makes one.

use std::collections::{BTreeMap, BTreeSet};

use watchfire_types::body::{AccessAction, Custodian};
use watchfire_types::control::Request;
use watchfire_types::{B256, Bytes};

use super::output::CliError;
use crate::config::Config;
use crate::control::client::{ClientError, ask};
use crate::evidence::owed::Owed;
use crate::evidence::store::{Store, StoreError};
use crate::run::now;

/// Objects named in one access.
const ACCESS_MAX: usize = 256;

/// Whether it is on record that objects are handed out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Recorded {
    /// There are none, or nobody is named and the directory cannot be written to.
    Nothing,
    /// A running node said so.
    Said,
    /// The next start says so.
    Owed,
}

/// Records, and knows of what.
pub(super) struct Recorder<'a> {
    config: &'a Config,
    by: Custodian,
    /// What may be read.
    pub(super) taken: BTreeSet<B256>,
    /// As of the last time.
    pub(super) recorded: Recorded,
}

impl<'a> Recorder<'a> {
    pub(super) fn new(config: &'a Config, by: Custodian) -> Self {
        Self { config, by, taken: BTreeSet::new(), recorded: Recorded::Nothing }
    }

    /// Has it recorded that those of these objects are read that are here and were not taken before. They may be read then.
    pub(super) fn take(&mut self, named: BTreeSet<B256>, detail: &str) -> Result<(), CliError> {
        let store = Store::look(&self.config.directory);
        let new: BTreeSet<B256> =
            named.into_iter().filter(|object| !self.taken.contains(object) && store.has(object)).collect();
        self.record(&new, AccessAction::Read, detail)?;
        // Damaged ones are moved aside when they are looked at.
        self.taken.extend(new.into_iter().filter(|object| store.has(object)));
        Ok(())
    }

    /// What may be read, as far as it is here and whole; nothing else in the store is looked at.
    pub(super) fn read(&self) -> Result<BTreeMap<B256, Bytes>, CliError> {
        let store = Store::look(&self.config.directory);
        let mut objects = BTreeMap::new();
        for object in &self.taken {
            match store.get(object) {
                Ok(content) => drop(objects.insert(*object, content)),
                Err(StoreError::Absent { .. } | StoreError::Damaged { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(objects)
    }

    /// Has something done with objects recorded.
    pub(super) fn record(
        &mut self,
        objects: &BTreeSet<B256>,
        action: AccessAction,
        detail: &str,
    ) -> Result<(), CliError> {
        let store = Store::look(&self.config.directory);
        let objects: Vec<B256> = objects.iter().copied().collect();
        for objects in objects.chunks(ACCESS_MAX) {
            let objects: BTreeSet<B256> = objects.iter().copied().collect();
            match self.say(objects.clone(), action, detail) {
                Ok(()) => self.recorded = Recorded::Said,
                Err(ClientError::NotRunning { .. }) => self.owe(objects, action, detail)?,
                Err(refused) => {
                    // The others are handed out without the damaged ones.
                    let whole: BTreeSet<B256> = objects.iter().copied().filter(|object| store.has(object)).collect();
                    if whole.is_empty() || whole.len() == objects.len() {
                        return Err(refused.into());
                    }
                    self.say(whole, action, detail)?;
                    self.recorded = Recorded::Said;
                }
            }
        }
        Ok(())
    }

    fn say(&self, objects: BTreeSet<B256>, action: AccessAction, detail: &str) -> Result<(), ClientError> {
        let (by, detail) = (self.by.clone(), detail.to_owned());
        ask(&self.config.directory, &Request::AccessEvidence { objects, action, by, detail }).map(drop)
    }

    /// Who is named must be on record; a directory that was kept where nobody can write to it is read all the same.
    fn owe(&mut self, objects: BTreeSet<B256>, action: AccessAction, detail: &str) -> Result<(), CliError> {
        let (by, detail) = (self.by.clone(), detail.to_owned());
        match (Owed { at: now(), objects, action, by, detail }.keep(&self.config.directory), &self.by) {
            (Ok(()), _) => self.recorded = Recorded::Owed,
            (Err(_), Custodian::Node(_)) => {}
            (Err((path, error)), Custodian::Human(_)) => return Err(CliError::unwritten(&path, &error)),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
