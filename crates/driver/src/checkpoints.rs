//! Own checkpoints: when one is due, and what must hold before it is signed.
//!
//! One is due ten minutes after the last one (or the start) once there are own events that it would cover, and half a minute after events
//! of an incident, at most once a minute. What is signed is held against a tree of its own, grown from what this process authored and
//! nothing else: a checkpoint that would not extend the last one is never signed (S8).

use watchfire_journal::{JournalError, Storage};
use watchfire_protocol::Draft;
use watchfire_transparency::{Checkpoint, Frontier, Hash, Origin, Statement, verify};
use watchfire_types::planted::{Mutation, planted};
use watchfire_types::{B256, Body, Event, EventHash, Timestamp, Verified, body};

use crate::driver::Driver;
use crate::guard::Violation;
use crate::keys::Keys;
use crate::output::Output;

/// Least time between two checkpoints while nothing happens, ms.
const EVERY_MS: u64 = 600_000;
/// How long after an incident's event a checkpoint covers it, ms: its signatures are out by then.
const INCIDENT_MS: u64 = 30_000;
/// Least time between two checkpoints during an incident, ms.
const INCIDENT_EVERY_MS: u64 = 60_000;

/// What this process authored, as far as its next checkpoint is concerned.
#[derive(Debug, Default)]
pub(crate) struct Checkpoints {
    /// The tree at the last checkpoint; empty before the first.
    signed: Frontier,
    /// Leaves authored since, by hash. As many as the own quota allows between two checkpoints.
    since: Vec<Hash>,
    /// When the last checkpoint was authored, or the epoch began.
    last: Option<Timestamp>,
    /// Whether this process ever made one.
    any: bool,
    /// When the first event of an incident was authored that no checkpoint covers.
    incident: Option<Timestamp>,
}

impl Checkpoints {
    /// Takes an own event that was appended.
    pub(crate) fn took(&mut self, now: Timestamp, event: &Verified<Event>) {
        self.last.get_or_insert(now);
        if matches!(event.body, Body::Checkpoint(_)) {
            self.signed = self.tree();
            self.since.clear();
            self.last = Some(now);
            self.any = true;
            self.incident = None;
            return;
        }
        self.since.push(watchfire_transparency::leaf_hash(event.outer()));
        if is_of_incident(&event.body) {
            self.incident.get_or_insert(now);
        }
    }

    /// When the next checkpoint is due; `None` when it would cover nothing new.
    pub(crate) fn due(&self) -> Option<Timestamp> {
        if self.since.is_empty() {
            return None;
        }
        let last = self.last?;
        let incident = self.incident.map(|since| {
            let spaced = if self.any { last.plus_millis(INCIDENT_EVERY_MS) } else { since };
            since.plus_millis(INCIDENT_MS).max(spaced)
        });
        incident.into_iter().chain([last.plus_millis(EVERY_MS)]).min()
    }

    /// The tree over everything authored.
    fn tree(&self) -> Frontier {
        let mut tree = self.signed.clone();
        self.since.iter().for_each(|leaf| tree.push_hash(*leaf));
        tree
    }

    /// The tree without the newest event: stated by nothing but a planted mistake.
    fn less(&self) -> (u64, Hash) {
        let mut tree = self.signed.clone();
        self.since.iter().rev().skip(1).rev().for_each(|leaf| tree.push_hash(*leaf));
        (tree.size(), tree.root())
    }

    /// Whether a checkpoint extends the last one by exactly what was authored since.
    fn extends(&self, size: u64, root: Hash) -> bool {
        let tree = self.tree();
        size > self.signed.size() && (size, root) == (tree.size(), tree.root())
    }
}

/// Whether a person will want this event in a bundle soon.
fn is_of_incident(body: &Body) -> bool {
    !matches!(
        body,
        Body::Started(_)
            | Body::Submitted(_)
            | Body::PostconditionChecked(_)
            | Body::Retracted(_)
            | Body::Attested(_)
            | Body::Checkpoint(_)
            | Body::Unknown(..)
    )
}

impl<S: Storage, K: Keys> Driver<S, K> {
    /// Makes a checkpoint over the own events now, if there are any that the last one does not cover, and ends a turn. Answers its event.
    /// For people who want a proof at once, and before a graceful stop.
    ///
    /// # Errors
    /// As [`Driver::handle`].
    pub fn checkpoint(&mut self, now: Timestamp) -> Result<(Option<EventHash>, Output), crate::error::Halted> {
        let mut made = None;
        let output = self.guarded(|driver, output| {
            made = driver.make_checkpoint(now, output)?;
            driver.finish(now, output)
        })?;
        Ok((made, output))
    }

    /// Before a graceful stop: a last checkpoint, and everything that witnesses said made durable.
    ///
    /// # Errors
    /// As [`Driver::handle`].
    pub fn close(&mut self, now: Timestamp) -> Result<Output, crate::error::Halted> {
        self.guarded(|driver, output| {
            driver.make_checkpoint(now, output)?;
            driver.finish(now, output)?;
            driver.witness.as_mut().map_or(Ok(()), crate::witness::Witness::sync)
        })
    }

    /// Makes a checkpoint if one is due.
    pub(crate) fn checkpoint_if_due(&mut self, now: Timestamp, output: &mut Output) -> Result<(), JournalError> {
        if self.checkpoint_at().is_some_and(|due| due <= now) {
            self.make_checkpoint(now, output)?;
        }
        Ok(())
    }

    /// When the next checkpoint is due. A node whose own log is in doubt makes none.
    pub(crate) fn checkpoint_at(&self) -> Option<Timestamp> {
        if self.violation.is_some() { None } else { self.checkpoints.due() }
    }

    fn make_checkpoint(&mut self, now: Timestamp, output: &mut Output) -> Result<Option<EventHash>, JournalError> {
        if self.violation.is_some() || self.checkpoints.since.is_empty() {
            return Ok(None);
        }
        let (network, author, epoch) = (self.own.network(), self.own.author(), self.own.epoch());
        let Some((size, root)) = self.machine.tree(author, epoch).map(|tree| (tree.size(), tree.root())) else {
            return Ok(None);
        };
        let less = planted(Mutation::CheckpointsLess);
        let (size, root) = if less { self.checkpoints.less() } else { (size, root) };
        if !self.checkpoints.extends(size, root) && !less {
            self.stop_signing(Violation::CheckpointDiffers { size }, output);
            return Ok(None);
        }
        let member = self.machine.member().clone();
        let checkpoint = Checkpoint { origin: Origin { network, member: member.clone(), epoch }, size, root };
        let signature = self.keys.sign_statement(Statement::Checkpoint(&checkpoint));
        if !verify::signed(&checkpoint, &author, &signature) {
            self.stop_signing(Violation::OwnStatement, output);
            return Ok(None);
        }
        let body = body::Checkpoint { member, size, root: B256::new(root), signature };
        self.author(now, Draft::Body(Body::Checkpoint(body)), output)
    }
}

#[cfg(test)]
mod tests;
