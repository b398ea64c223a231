//! Checkpoints that their author cannot have signed honestly, carried into the log.
//!
//! Each costs an event of the own quota, and a liar makes them as fast as it likes: so many of one author at once, then one every ten minutes. What
//! cannot be carried in, for that or since the disk is full, waits: of each chain the contradiction that cuts it lowest, of so many chains of an
//! author. Once a second, and whenever one more comes, those that wait are tried, chains of which events are held before the others: no number of
//! inventions keeps a fork waiting. They wait in memory; after a restart what was kept is judged anew.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use watchfire_journal::{JournalError, Storage};
use watchfire_protocol::Draft;
use watchfire_types::body::CheckpointFault;
use watchfire_types::{Body, MemberKey, Seq, Timestamp};

use super::take;
use crate::driver::Driver;
use crate::index::ChainKey;
use crate::keys::Keys;
use crate::output::{Notice, Output};

/// Checkpoints of one author that this node carries into the log at once, and how long until one more, ms.
const AT_ONCE: u64 = 16;
const ONE_MORE_MS: u64 = 600_000;
/// Chains of one author whose contradictions wait at the most.
const WAITING_MAX: usize = 16;

/// What was carried in, and what waits for it.
#[derive(Debug, Default)]
pub(super) struct Convictions {
    /// What is left of each author's.
    left: BTreeMap<MemberKey, (Timestamp, u64)>,
    /// Contradictions that are not in the log, and from which position on each cuts.
    waiting: BTreeMap<ChainKey, (Seq, CheckpointFault)>,
}

impl Convictions {
    pub(super) fn none_waits(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Keeps a contradiction until it is carried in; whether there is room. `held` says of which chains events are held.
    fn wait(&mut self, fault: CheckpointFault, at: Seq, held: impl Fn(&ChainKey) -> bool) -> bool {
        let chain = (fault.author, fault.epoch);
        let of_author: Vec<ChainKey> = self.waiting.keys().filter(|key| key.0 == chain.0).copied().collect();
        match self.waiting.entry(chain) {
            Entry::Occupied(mut kept) => {
                if at < kept.get().0 {
                    kept.insert((at, fault));
                }
            }
            Entry::Vacant(_) if of_author.len() >= WAITING_MAX => {
                let invented = of_author.iter().rfind(|key| !held(key)).filter(|_| held(&chain));
                let Some(invented) = invented else { return false };
                self.waiting.remove(invented);
                self.waiting.insert(chain, (at, fault));
            }
            Entry::Vacant(free) => {
                free.insert((at, fault));
            }
        }
        true
    }
}

impl<S: Storage, K: Keys> Driver<S, K> {
    /// A checkpoint that its author cannot have signed honestly: carried into the log, now or later, unless it is convicted there already.
    /// Answers whether it will be; else there is no room for one more to wait. The own key is never accused: who signs with it elsewhere is for
    /// people to find.
    pub(super) fn accuse(
        &mut self,
        now: Timestamp,
        fault: CheckpointFault,
        at: Seq,
        output: &mut Output,
    ) -> Result<bool, JournalError> {
        if fault.author == self.own.author() {
            output.notices.push(Notice::OwnKeyElsewhere { size: fault.checkpoint.size });
            return Ok(true);
        }
        if self.is_cut((fault.author, fault.epoch), at) {
            return Ok(true);
        }
        let Some(witness) = &mut self.witness else { return Ok(false) };
        let index = self.log.index();
        let waits = witness.convictions.wait(fault, at, |chain| index.chain(chain).is_some());
        self.convict_waiting(now, output)?;
        Ok(waits)
    }

    fn is_cut(&self, (author, epoch): ChainKey, at: Seq) -> bool {
        self.machine.cut(author, epoch).is_some_and(|cut| cut <= at)
    }

    /// Carries in what waits and can be carried in.
    pub(super) fn convict_waiting(&mut self, now: Timestamp, output: &mut Output) -> Result<(), JournalError> {
        let Some(witness) = &self.witness else { return Ok(()) };
        let mut waiting: Vec<ChainKey> = witness.convictions.waiting.keys().copied().collect();
        waiting.sort_by_key(|chain| self.log.index().chain(chain).is_none());
        for chain in waiting {
            let convicted = self.convict(now, chain, output)?;
            let Some(witness) = &mut self.witness else { return Ok(()) };
            if convicted {
                witness.convictions.waiting.remove(&chain);
            }
        }
        Ok(())
    }

    /// Whether a chain is convicted by what waits of it, or as low by something else.
    fn convict(&mut self, now: Timestamp, chain: ChainKey, output: &mut Output) -> Result<bool, JournalError> {
        let waiting = self.witness.as_ref().and_then(|witness| witness.convictions.waiting.get(&chain));
        let Some((at, fault)) = waiting.cloned() else { return Ok(true) };
        if self.is_cut(chain, at) {
            return Ok(true);
        }
        let Some(Convictions { left, .. }) = self.witness.as_mut().map(|witness| &mut witness.convictions) else {
            return Ok(false);
        };
        if !take(left.entry(chain.0).or_insert((now, AT_ONCE)), now, AT_ONCE, ONE_MORE_MS) {
            return Ok(false);
        }
        let draft = Draft::Body(Body::CheckpointFault(fault));
        let convicted = self.author(now, draft, output)?.is_some();
        let Some(witness) = &mut self.witness else { return Ok(convicted) };
        if let Some((_, left)) = witness.convictions.left.get_mut(&chain.0).filter(|_| !convicted) {
            *left += 1;
        }
        Ok(convicted)
    }
}

#[cfg(test)]
mod tests;
