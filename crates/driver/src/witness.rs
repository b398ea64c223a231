//! Witnesses: this node cosigns the checkpoints of others whose events it holds, and keeps what other witnesses say.
//!
//! A cosignature leaves only once three things are durable: the events that it covers, the tree that it was given for, and itself. That tree
//! is grown from the one last cosigned for the origin by the events that follow it, so that what is cosigned extends it by construction;
//! a crash at any point leaves a state from which nothing inconsistent follows.
//!
//! On a full disk others' lines are not kept, and then nothing is cosigned; both go on by themselves once there is room.
//!
//! Bounds: four lines of each witness for each origin, 65,536 altogether; of one witness about one author at most 1,024 new lines at once and
//! four a second, so that no author uses up what a witness may say about others.
//! Every kept checkpoint is held against the log: those whose events are not there are remembered, as many as lines are kept, until they are.

mod carried;
mod convict;
mod judge;
mod log;
mod message;
mod store;

use std::collections::{BTreeMap, BTreeSet};

use watchfire_charter::Charter;
use watchfire_journal::{JournalError, SegmentRepair, Space, Storage};
use watchfire_transparency::{Checkpoint, Frontier, Origin, SignedCheckpoint, Statement, Witnessed, verify};
use watchfire_types::body::{self, CheckpointFault, Inconsistency};
use watchfire_types::{B256, Body, Bytes, MemberId, Seq, Timestamp, Verdict};
use watchfire_wire::Envelope;

pub use self::message::WitnessRefusal;

use self::convict::Convictions;
use self::log::{Entry, WitnessLog};
use self::message::{check_signatures, parse};
use self::store::{Line, Store, Taken};
use crate::driver::Driver;
use crate::guard::Violation;
use crate::index::ChainKey;
use crate::keys::Keys;
use crate::output::{Notice, Output};

/// How far a witness's clock may be ahead of this node's, s.
const AHEAD_S_MAX: u64 = 60;
/// New lines of one witness about one author at once, and how many more a second.
const LINES_AT_ONCE: u64 = 1_024;
const LINES_PER_S: u64 = 4;
/// Others' lines are durable this long after they came, ms.
const SYNC_MS: u64 = 5_000;
/// Records beside which the state is not worth rewriting, and beyond which it is rewritten while the node runs.
const REWRITE_MIN: usize = 1_024;
const REWRITE_MAX: usize = 131_072;
/// Checkpoints that are cosigned in one turn; the rest goes on in the next.
const PER_TURN: usize = 64;

/// The witness's memory, on disk and here.
#[derive(Debug)]
pub struct Witness<S: Storage> {
    log: WitnessLog<S>,
    store: Store,
    /// Chains with a checkpoint that is not cosigned yet, and its position.
    behind: BTreeMap<ChainKey, Seq>,
    /// Kept checkpoints that the own log could not be held against yet, and those that were driven out since and had no turn.
    unjudged: BTreeSet<(Origin, u64)>,
    /// Those of them whose events this log has held: of the own events, or cosigned here. It has lost them since.
    forgotten: BTreeSet<(Origin, u64)>,
    /// When they were last looked at, and the last one.
    judged: Option<Timestamp>,
    judged_through: Option<(Origin, u64)>,
    /// Lines that are left, by witness and author.
    paces: BTreeMap<(MemberId, MemberId), (Timestamp, u64)>,
    convictions: Convictions,
    /// When the first line came that is not durable.
    since: Option<Timestamp>,
}

impl<S: Storage> Witness<S> {
    /// Opens the state that two directories hold, of which one is in use, and rewrites it where that makes it much shorter. `own` is this
    /// member; what the charter no longer has is forgotten.
    ///
    /// # Errors
    /// [`JournalError`]: neither directory can be read, or the disk refuses.
    pub fn open(storages: [S; 2], charter: &Charter, own: &MemberId) -> Result<Self, JournalError> {
        let (log, entries) = WitnessLog::open(storages)?;
        let mut witness = Self {
            log,
            store: Store::default(),
            behind: BTreeMap::new(),
            unjudged: BTreeSet::new(),
            forgotten: BTreeSet::new(),
            judged: None,
            judged_through: None,
            paces: BTreeMap::new(),
            convictions: Convictions::default(),
            since: None,
        };
        for entry in entries {
            let (subtrees, text) = match entry {
                Entry::Own { subtrees, text } => (Some(subtrees), text),
                Entry::Line(text) => (None, text),
            };
            let Ok(line) = parse(charter, &text) else { continue };
            let (origin, size) = (line.checkpoint.origin.clone(), line.checkpoint.size);
            if let Some(tree) = subtrees.and_then(|subtrees| Frontier::from_parts(size, subtrees)) {
                witness.store.signed(origin.clone(), tree);
            }
            witness.unjudged.insert((origin, size));
            witness.store.take(line);
        }
        let entries = witness.store.entries(own);
        if witness.log.records_beyond(REWRITE_MIN).is_some_and(|records| records > 2 * entries.len()) {
            witness.log.rewrite(&entries)?;
        }
        Ok(witness)
    }

    /// The checkpoints that are kept of an origin with their witnesses' lines, largest first.
    pub fn checkpoints(&self, origin: &Origin) -> impl Iterator<Item = SignedCheckpoint> {
        self.store.of(origin)
    }

    /// Whether the disk still gives room.
    #[must_use]
    pub fn space(&self) -> Space {
        self.log.space()
    }

    /// Makes what others said durable as well.
    pub(crate) fn sync(&mut self) -> Result<(), JournalError> {
        self.since = None;
        self.log.sync()
    }

    fn allows(&mut self, now: Timestamp, witness: &MemberId, author: &MemberId) -> bool {
        let bucket = self.paces.entry((witness.clone(), author.clone())).or_insert((now, LINES_AT_ONCE));
        take(bucket, now, LINES_AT_ONCE, 1_000 / LINES_PER_S)
    }
}

/// Takes one out of a bucket that holds `most` and gets one back every `every_ms`.
fn take((at, left): &mut (Timestamp, u64), now: Timestamp, most: u64, every_ms: u64) -> bool {
    let earned = now.millis_since(*at) / every_ms;
    if earned > 0 {
        *left = left.saturating_add(earned).min(most);
        *at = now;
    }
    let allowed = *left > 0;
    *left = left.saturating_sub(1);
    allowed
}

/// Repairs one of the two directories that hold a witness state, which nobody has open. What is lost is lost: the node's own log then guards
/// alone against signing two histories, and what other members kept of this node's cosignatures, once it comes back by catch-up.
///
/// # Errors
/// [`JournalError`] for what cannot be repaired; the directory is as it was or repaired.
pub fn repair_witness<S: Storage>(storage: &S) -> Result<Vec<SegmentRepair>, JournalError> {
    log::repair(storage)
}

/// The witness messages that a node directory keeps, oldest first, read beside a running node too.
///
/// # Errors
/// [`JournalError`] when a directory that is there cannot be read.
pub fn read_witness_messages<S: Storage>(storages: &[S; 2]) -> Result<Vec<String>, JournalError> {
    let entries = log::read(storages)?;
    Ok(entries
        .into_iter()
        .map(|entry| match entry {
            Entry::Own { text, .. } | Entry::Line(text) => text,
        })
        .collect())
}

/// Adds witness messages to the state in these directories, of which nobody has one open; those that are no better than what is held, or do
/// not verify, change nothing. Durable when it returns; answers how many were added.
///
/// # Errors
/// [`JournalError`]: the state cannot be read, or the disk refuses.
pub fn keep_witness_messages<S: Storage>(
    storages: [S; 2],
    charter: &Charter,
    own: &MemberId,
    messages: &[String],
) -> Result<u64, JournalError> {
    let mut witness = Witness::open(storages, charter, own)?;
    let mut added = 0;
    for message in messages {
        let Ok(line) = parse(charter, message) else { continue };
        let Witnessed { witness: name, time_s, .. } = &line.witnessed;
        let wanted = witness.store.wants(&line.checkpoint.origin, line.checkpoint.size, name, *time_s);
        if !wanted || check_signatures(&line).is_err() {
            continue;
        }
        if !witness.log.append(&Entry::Line(line.note().to_string()))? {
            break;
        }
        added += u64::from(witness.store.take(line) == Taken::New);
    }
    witness.sync()?;
    Ok(added)
}

impl<S: Storage, K: Keys> Driver<S, K> {
    /// Gives the driver its witness memory: from now on it cosigns and keeps what others cosign.
    pub fn set_witness(&mut self, mut witness: Witness<S>) {
        for (author, epoch) in self.machine.epochs() {
            if let Some(event) = self.machine.checkpoint(author, epoch) {
                witness.behind.insert((author, epoch), event.seq);
            }
        }
        self.witness = Some(witness);
    }

    /// The witness memory, if it was given.
    #[must_use]
    pub fn witness(&self) -> Option<&Witness<S>> {
        self.witness.as_ref()
    }

    /// A witness message from the network.
    pub(crate) fn witness_message(
        &mut self,
        now: Timestamp,
        text: &Bytes,
        output: &mut Output,
    ) -> Result<Result<Verdict, WitnessRefusal>, JournalError> {
        let line = match self.admit(now, text) {
            Ok(line) => line,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let Some(witness) = &mut self.witness else { return Ok(Err(WitnessRefusal::NotKept)) };
        let checkpoint = line.checkpoint.clone();
        let (author, signature) = (line.author, line.signature);
        // What contradicts a kept checkpoint convicts, or waits for that, and is no line of the store.
        let kept = witness.store.stated(&checkpoint.origin, checkpoint.size);
        if kept.is_none_or(|(_, root, _)| root == checkpoint.root)
            && !witness.log.append(&Entry::Line(line.note().to_string()))?
        {
            return Ok(Err(WitnessRefusal::NoRoom));
        }
        match witness.store.take(line) {
            Taken::Held => return Ok(Err(WitnessRefusal::Held)),
            Taken::New => {
                witness.since.get_or_insert(now);
                let Checkpoint { origin, size, .. } = checkpoint;
                if !self.judge_checkpoint(now, &origin, size, output)?
                    && let Some(witness) = &mut self.witness
                {
                    witness.unjudged.insert((origin, size));
                }
            }
            Taken::Contradicts(root, first) => {
                let Checkpoint { origin, size, root: other } = checkpoint;
                let stated = |root, signature| body::Checkpoint {
                    member: origin.member.clone(),
                    size,
                    root: B256::new(root),
                    signature,
                };
                let against = Inconsistency {
                    checkpoint: stated(other, signature),
                    prefix_root: B256::new(other),
                    path: Vec::new(),
                };
                let fault = CheckpointFault {
                    author,
                    epoch: origin.epoch,
                    checkpoint: stated(root, first),
                    against: Some(against),
                };
                self.accuse(now, fault, Seq::new(0), output)?;
            }
        }
        Ok(Ok(Verdict::Accept))
    }

    /// Everything that a message must satisfy, the dear checks last.
    fn admit(&mut self, now: Timestamp, text: &Bytes) -> Result<Line, WitnessRefusal> {
        let witness = self.witness.as_mut().ok_or(WitnessRefusal::NotKept)?;
        let text = std::str::from_utf8(text).map_err(|_| WitnessRefusal::Shape)?;
        let line = parse(self.machine.charter(), text)?;
        let Witnessed { witness: name, time_s, .. } = &line.witnessed;
        let ahead_s = time_s.saturating_sub(now.as_millis() / 1_000);
        if ahead_s > AHEAD_S_MAX {
            return Err(WitnessRefusal::Future { ahead_s });
        }
        if !witness.store.wants(&line.checkpoint.origin, line.checkpoint.size, name, *time_s) {
            return Err(WitnessRefusal::Held);
        }
        check_signatures(&line)?;
        let author = &line.checkpoint.origin.member;
        if !witness.allows(now, name, author) {
            return Err(WitnessRefusal::OverQuota { witness: name.clone(), author: author.clone() });
        }
        Ok(line)
    }

    /// After the sync of a turn: cosigns checkpoints whose events are durable here.
    pub(crate) fn witness_turn(&mut self, now: Timestamp, output: &mut Output) -> Result<(), JournalError> {
        let Some(witness) = &mut self.witness else { return Ok(()) };
        for event in output.appended.iter().filter(|event| event.author != self.own.author()) {
            if matches!(event.body, Body::Checkpoint(_)) {
                let seq = witness.behind.entry((event.author, event.epoch)).or_insert(event.seq);
                *seq = event.seq.max(*seq);
            }
        }
        witness.log.tend()?;
        // Without room for the state of one, nothing is cosigned: what is behind stays behind.
        if !self.log.is_durable() || self.violation.is_some() || !witness.log.has_room(true) {
            return Ok(());
        }
        let mut signed: Vec<(Line, Frontier)> = Vec::new();
        let behind: Vec<ChainKey> = self.witness.iter().flat_map(|witness| witness.behind.keys().copied()).collect();
        for key in behind {
            if signed.len() == PER_TURN {
                break;
            }
            signed.extend(self.cosign(now, key, output));
        }
        self.publish_lines(now, signed, output)
    }

    /// A cosignature of a chain's last checkpoint, if it extends what was cosigned of it.
    fn cosign(&mut self, now: Timestamp, key: ChainKey, output: &mut Output) -> Option<(Line, Frontier)> {
        let (author, epoch) = key;
        let witness = self.witness.as_mut()?;
        let wanted = *witness.behind.get(&key)?;
        if author == self.own.author() || self.machine.cut(author, epoch).is_some() {
            witness.behind.remove(&key);
            return None;
        }
        let event = self.machine.checkpoint(author, epoch)?;
        let Body::Checkpoint(stated) = &event.body else { return None };
        if event.seq >= wanted {
            witness.behind.remove(&key);
        }
        let checkpoint = Checkpoint::stated(self.own.network(), epoch, stated);
        let mut tree = witness.store.own(&checkpoint.origin).cloned().unwrap_or_default();
        if tree.size() >= checkpoint.size {
            return None;
        }
        // A tree that was cosigned is not pruned past unless the base grows from it.
        if let Some(base) = self.machine.base_tree(author, epoch).filter(|base| base.size() > tree.size()) {
            tree = base;
        }
        // A witness that lost its state is still bound by what others kept of its cosignatures; what was pruned since was held against them before.
        let own = self.own.author();
        let lines = witness.store.signed_by(&checkpoint.origin, &own);
        let bound: Vec<(u64, [u8; 32])> = lines.filter(|(size, _)| *size > tree.size()).collect();
        let held = |size| self.machine.root_at(author, epoch, size).map(|(_, root)| root);
        let agrees = |&(size, root): &(u64, [u8; 32])| match held(size) {
            Some(held) => held == root,
            None => size > checkpoint.size,
        };
        if !bound.iter().all(agrees) {
            output.notices.push(Notice::NotWitnessed { member: checkpoint.origin.member, size: checkpoint.size });
            return None;
        }
        // Of a larger one whose events are not here nobody can tell whether it extends this one; and it says more.
        if bound.iter().any(|(size, _)| *size > checkpoint.size) {
            return None;
        }
        // Of a chain that was pruned beyond its last checkpoint nothing is left to see that one by.
        if tree.size() > checkpoint.size {
            return None;
        }
        let new = usize::try_from(checkpoint.size - tree.size()).unwrap_or(usize::MAX);
        self.machine.leaves_from(author, epoch, tree.size()).take(new).for_each(|leaf| tree.push(leaf.outer()));
        if (tree.size(), tree.root()) != (checkpoint.size, checkpoint.root) {
            output.notices.push(Notice::NotWitnessed { member: checkpoint.origin.member, size: checkpoint.size });
            return None;
        }
        let time_s = now.as_millis() / 1_000;
        let signature = self.keys.sign_statement(Statement::Witnessed(&checkpoint, time_s));
        let own = self.own.author();
        if !verify::cosigned(&checkpoint, &own, time_s, &signature) {
            self.stop_signing(Violation::OwnStatement, output);
            return None;
        }
        let witnessed = Witnessed { witness: self.machine.member().clone(), time_s, signature };
        let signature = stated.signature;
        Some((Line { checkpoint, author, signature, witness: own, witnessed }, tree))
    }

    /// Makes cosignatures durable, then lets them go. Others' lines become durable with them, or by themselves after a while.
    fn publish_lines(
        &mut self,
        now: Timestamp,
        signed: Vec<(Line, Frontier)>,
        output: &mut Output,
    ) -> Result<(), JournalError> {
        let Some(witness) = &mut self.witness else { return Ok(()) };
        let mut messages = Vec::new();
        for (line, tree) in signed {
            let text = line.note().to_string();
            if !witness.log.append(&Entry::Own { subtrees: tree.subtrees().to_vec(), text: text.clone() })? {
                // It does not leave; it is made again once there is room.
                let key = (line.author, line.checkpoint.origin.epoch);
                let stated = self.machine.checkpoint(line.author, line.checkpoint.origin.epoch);
                witness.behind.extend(stated.map(|event| (key, event.seq)));
                continue;
            }
            witness.store.signed(line.checkpoint.origin.clone(), tree);
            witness.store.take(line);
            messages.push(Envelope::Witness(text.into()).encode());
        }
        let late = witness.since.is_some_and(|since| now.millis_since(since) >= SYNC_MS);
        if !messages.is_empty() || (late && witness.log.is_unsynced()) {
            witness.log.sync()?;
            witness.since = None;
        }
        if witness.log.records_beyond(REWRITE_MAX).is_some() {
            let entries = witness.store.entries(self.machine.member());
            witness.log.rewrite(&entries)?;
        }
        output.publish.extend(messages);
        Ok(())
    }

    /// When the witness has something to do though nothing arrives.
    pub(crate) fn witness_at(&self) -> Option<Timestamp> {
        Some(self.witness.as_ref()?.since?.plus_millis(SYNC_MS))
    }
}
