//! Kept checkpoints held against the log's own events: what contradicts them convicts, and what they cover and the log has lost is told.

use std::ops::Bound;

use watchfire_journal::{JournalError, Storage};
use watchfire_transparency::Origin;
use watchfire_types::body::{self, CheckpointFault};
use watchfire_types::{B256, Timestamp};

use super::Witness;
use crate::driver::Driver;
use crate::keys::Keys;
use crate::output::Output;

/// How often kept checkpoints whose events were not there are held against the log, ms.
const JUDGE_MS: u64 = 1_000;
/// Of them so many at once: with more, each has its turn.
const JUDGED_AT_ONCE: usize = 4_096;

impl<S: Storage> Witness<S> {
    /// Those whose turn it is to be held against the log.
    fn next_unjudged(&mut self) -> Vec<(Origin, u64)> {
        let after = |last: &(Origin, u64)| (Bound::Excluded(last.clone()), Bound::Unbounded);
        let from = self.judged_through.as_ref().map_or((Bound::Unbounded, Bound::Unbounded), after);
        let next: Vec<(Origin, u64)> = self.unjudged.range(from).take(JUDGED_AT_ONCE).cloned().collect();
        // Past the last one it begins anew.
        self.judged_through = next.last().filter(|_| next.len() == JUDGED_AT_ONCE).cloned();
        next
    }
}

impl<S: Storage, K: Keys> Driver<S, K> {
    /// Before the sync of a turn, once a second: holds kept checkpoints against the events that are there by now.
    pub(crate) fn judge_checkpoints(&mut self, now: Timestamp, output: &mut Output) -> Result<(), JournalError> {
        let Some(witness) = &mut self.witness else { return Ok(()) };
        let due = witness.judged.is_none_or(|judged| now.millis_since(judged) >= JUDGE_MS);
        if (witness.unjudged.is_empty() && witness.convictions.none_waits()) || !due {
            return Ok(());
        }
        witness.judged = Some(now);
        let next = witness.next_unjudged();
        self.convict_waiting(now, output)?;
        for (origin, size) in next {
            let judged = self.judge_checkpoint(now, &origin, size, output)?;
            let forgotten = !judged && self.is_lost(&origin, size);
            let Some(witness) = &mut self.witness else { return Ok(()) };
            if judged {
                witness.unjudged.remove(&(origin.clone(), size));
            }
            if forgotten {
                witness.forgotten.insert((origin, size));
            } else {
                witness.forgotten.remove(&(origin, size));
            }
        }
        Ok(())
    }

    /// Whether all that a kept checkpoint covers was durable in this log once, and is not there any more: its events are own ones, or this node
    /// cosigned it. What a cut took is not missed.
    fn is_lost(&self, origin: &Origin, size: u64) -> bool {
        let Some(witness) = &self.witness else { return false };
        let own = self.own.author();
        let Some((author, ..)) = witness.store.stated(origin, size) else { return false };
        let cosigned = witness.store.signed_by(origin, &own).any(|(signed, _)| signed == size);
        (author == own || cosigned)
            && self.machine.cut(author, origin.epoch).is_none()
            && self.machine.root_at(author, origin.epoch, size).is_none()
    }

    /// What the witness memory shows that this log held once, durably, and does not hold any more: origins, and events of each that there were at
    /// least. Empty again once peers gave them back.
    pub fn forgotten(&self) -> impl Iterator<Item = (&Origin, u64)> {
        self.witness.iter().flat_map(|witness| &witness.forgotten).map(|(origin, size)| (origin, *size))
    }

    /// Holds a kept checkpoint against the author's events; answers whether it is done with: they are all here, and what contradicts them is
    /// carried into the log, or waits for that.
    pub(super) fn judge_checkpoint(
        &mut self,
        now: Timestamp,
        origin: &Origin,
        size: u64,
        output: &mut Output,
    ) -> Result<bool, JournalError> {
        let kept = self.witness.as_ref().and_then(|witness| witness.store.stated(origin, size));
        let Some((author, root, signature)) = kept else { return Ok(true) };
        // What was pruned since was held against the events before they went.
        if self.machine.base_tree(author, origin.epoch).is_some_and(|base| size < base.size()) {
            return Ok(true);
        }
        let Some((at, held)) = self.machine.root_at(author, origin.epoch, size) else { return Ok(false) };
        if held != root {
            let member = origin.member.clone();
            let checkpoint = body::Checkpoint { member, size, root: B256::new(root), signature };
            let fault = CheckpointFault { author, epoch: origin.epoch, checkpoint, against: None };
            return self.accuse(now, fault, at, output);
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests;
