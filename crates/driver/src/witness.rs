//! Witnesses: this node cosigns the checkpoints of others whose events it holds, and keeps what other witnesses say.
//!
//! A cosignature leaves only once three things are durable: the events that it covers, the tree that it was given for, and itself. That tree
//! is grown from the one last cosigned for the origin by the events that follow it, so that what is cosigned extends it by construction;
//! a crash at any point leaves a state from which nothing inconsistent follows.
//!
//! Bounds: four lines of each witness for each origin, 65,536 altogether; of one witness at most 1,024 new lines at once and four a second.

mod log;
mod store;

use std::collections::{BTreeMap, BTreeSet};

use thiserror::Error;
use watchfire_charter::Charter;
use watchfire_journal::{JournalError, Storage};
use watchfire_protocol::Draft;
use watchfire_transparency::{
    Checkpoint, Frontier, Hash, NoteError, Origin, SignedCheckpoint, Statement, Witnessed, cosigner_key_id, verify,
    witness_name,
};
use watchfire_types::body::{self, CheckpointFault, Inconsistency};
use watchfire_types::{B256, Body, Bytes, MemberId, NetworkId, Seq, Timestamp, Verdict};
use watchfire_wire::Envelope;

use self::log::{Entry, WitnessLog};
use self::store::{Line, Store, Taken};
use crate::driver::Driver;
use crate::guard::Violation;
use crate::index::ChainKey;
use crate::keys::Keys;
use crate::output::{Notice, Output};

/// How far a witness's clock may be ahead of this node's, s.
const AHEAD_S_MAX: u64 = 60;
/// New lines of one witness at once, and how many more a second.
const LINES_AT_ONCE: u64 = 1_024;
const LINES_PER_S: u64 = 4;
/// Others' lines are durable this long after they came, ms.
const SYNC_MS: u64 = 5_000;
/// Records beside which the state is not worth rewriting, and beyond which it is rewritten while the node runs.
const REWRITE_MIN: usize = 1_024;
const REWRITE_MAX: usize = 131_072;
/// Checkpoints that are cosigned in one turn; the rest goes on in the next.
const PER_TURN: usize = 64;
/// Checkpoints whose events are not held yet.
const UNJUDGED_MAX: usize = 4_096;

/// Why a witness message changes nothing.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum WitnessRefusal {
    /// No note, or a line that does not verify.
    #[error("witness message: {0}")]
    Note(#[from] NoteError),
    /// Not UTF-8, or other lines than the author's and one witness's.
    #[error("witness message has not exactly an author's line and a witness's")]
    Shape,
    /// Another network's.
    #[error("witness message of network {found}")]
    ForeignNetwork {
        /// Its network.
        found: NetworkId,
    },
    /// A member that the charter does not have, or not under that key.
    #[error("witness message of {member}, whom the charter does not have under that key")]
    UnknownMember {
        /// Name.
        member: String,
    },
    /// The witness's clock is more than 60 s ahead.
    #[error("witness message is {ahead_s} s ahead of this node's clock")]
    Future {
        /// Seconds ahead.
        ahead_s: u64,
    },
    /// As much, or something newer, is held.
    #[error("witness message is held, or a newer one is")]
    Held,
    /// More of one witness than it can have to say.
    #[error("witness {witness} says more than 4 lines a second")]
    OverQuota {
        /// Witness.
        witness: MemberId,
    },
    /// This node keeps no witness state.
    #[error("this node keeps no witness messages")]
    NotKept,
}

impl WitnessRefusal {
    /// What it means for the peer that forwarded the message.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        match self {
            Self::Note(NoteError::NotSigned { .. }) => Verdict::Ignore,
            Self::Note(_) | Self::Shape | Self::ForeignNetwork { .. } => Verdict::Reject,
            Self::UnknownMember { .. } | Self::Future { .. } | Self::Held | Self::OverQuota { .. } | Self::NotKept => {
                Verdict::Ignore
            }
        }
    }
}

/// The witness's memory, on disk and here.
#[derive(Debug)]
pub struct Witness<S: Storage> {
    log: WitnessLog<S>,
    store: Store,
    /// Chains with a checkpoint that is not cosigned yet, and its position.
    behind: BTreeMap<ChainKey, Seq>,
    /// Kept checkpoints that the own log could not be held against yet.
    unjudged: BTreeSet<(Origin, u64)>,
    paces: BTreeMap<MemberId, (Timestamp, u64)>,
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
            paces: BTreeMap::new(),
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
        if witness.log.records() > REWRITE_MIN && witness.log.records() > 2 * entries.len() {
            witness.log.rewrite(&entries)?;
        }
        Ok(witness)
    }

    /// The checkpoints that are kept of an origin with their witnesses' lines, largest first.
    pub fn checkpoints(&self, origin: &Origin) -> impl Iterator<Item = SignedCheckpoint> {
        self.store.of(origin)
    }

    /// Makes what others said durable as well.
    pub(crate) fn sync(&mut self) -> Result<(), JournalError> {
        self.since = None;
        self.log.sync()
    }

    fn allows(&mut self, now: Timestamp, witness: &MemberId) -> bool {
        let (at, left) = self.paces.entry(witness.clone()).or_insert((now, LINES_AT_ONCE));
        let earned = now.millis_since(*at) / 1_000 * LINES_PER_S;
        if earned > 0 {
            *left = left.saturating_add(earned).min(LINES_AT_ONCE);
            *at = now;
        }
        let allowed = *left > 0;
        *left = left.saturating_sub(1);
        allowed
    }

    /// What the own log makes of kept checkpoints that it now holds.
    fn judged(&mut self, root_at: impl Fn(&Origin, u64) -> Option<(Seq, Hash)>) -> Vec<(Origin, u64, (Seq, Hash))> {
        let ready: Vec<_> = self
            .unjudged
            .iter()
            .filter_map(|(origin, size)| Some((origin.clone(), *size, root_at(origin, *size)?)))
            .collect();
        for (origin, size, _) in &ready {
            self.unjudged.remove(&(origin.clone(), *size));
        }
        ready
    }
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

/// A witness message's content; no signature is checked.
fn parse(charter: &Charter, text: &str) -> Result<Line, WitnessRefusal> {
    let note = SignedCheckpoint::parse(text)?;
    let checkpoint = note.checkpoint().clone();
    let [author_line, witness_line] = note.signatures() else { return Err(WitnessRefusal::Shape) };
    if checkpoint.origin.network != charter.network_id() {
        return Err(WitnessRefusal::ForeignNetwork { found: checkpoint.origin.network });
    }
    let unknown = |member: &str| WitnessRefusal::UnknownMember { member: member.to_owned() };
    let author = &checkpoint.origin.member;
    let author_key = charter.members.get(author).ok_or_else(|| unknown(author.as_str()))?.node_key;
    let own = SignedCheckpoint::new(checkpoint.clone(), &author_key, &[0; 64]);
    let expected = own.signatures().first().ok_or(WitnessRefusal::Shape)?;
    if (&author_line.name, author_line.key_id) != (&expected.name, expected.key_id) {
        return Err(WitnessRefusal::Shape);
    }
    let signature = author_line.signature.as_slice().try_into().map_err(|_| WitnessRefusal::Shape)?;
    let network = charter.network_id();
    let named = charter.members.iter().find(|(id, _)| witness_name(&network, id) == witness_line.name);
    let (witness, member) = named.ok_or_else(|| unknown(&witness_line.name))?;
    if witness_line.key_id != cosigner_key_id(&witness_line.name, &member.node_key) {
        return Err(unknown(witness.as_str()));
    }
    let (time, by) = witness_line.signature.split_first_chunk::<8>().ok_or(WitnessRefusal::Shape)?;
    let by = by.try_into().map_err(|_| WitnessRefusal::Shape)?;
    if member.node_key == author_key {
        return Err(WitnessRefusal::Shape);
    }
    let witnessed = Witnessed { witness: witness.clone(), time_s: u64::from_be_bytes(*time), signature: by };
    Ok(Line { checkpoint, author: author_key, signature, witness: member.node_key, witnessed })
}

fn check_signatures(line: &Line) -> Result<(), NoteError> {
    let Line { checkpoint, author, signature, witness, witnessed } = line;
    if !verify::signed(checkpoint, author, signature) {
        return Err(NoteError::BadSignature { name: checkpoint.origin.to_string() });
    }
    if !verify::cosigned(checkpoint, witness, witnessed.time_s, &witnessed.signature) {
        let name = witness_name(&checkpoint.origin.network, &witnessed.witness);
        return Err(NoteError::BadSignature { name });
    }
    Ok(())
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
        match witness.store.take(line.clone()) {
            Taken::Held => return Ok(Err(WitnessRefusal::Held)),
            Taken::New => {
                witness.log.append(&Entry::Line(line.note().to_string()))?;
                witness.since.get_or_insert(now);
                if witness.unjudged.len() < UNJUDGED_MAX {
                    witness.unjudged.insert((checkpoint.origin, checkpoint.size));
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
                self.convict(now, fault, Seq::new(0), output)?;
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
        if !witness.allows(now, name) {
            return Err(WitnessRefusal::OverQuota { witness: name.clone() });
        }
        Ok(line)
    }

    /// Carries a checkpoint into the log that its author cannot have signed honestly, unless it is convicted there already. The own key is
    /// never accused: who signs with it elsewhere is for people to find.
    fn convict(
        &mut self,
        now: Timestamp,
        fault: CheckpointFault,
        at: Seq,
        output: &mut Output,
    ) -> Result<(), JournalError> {
        if fault.author == self.own.author() {
            output.notices.push(Notice::OwnKeyElsewhere { size: fault.checkpoint.size });
            return Ok(());
        }
        if self.machine.cut(fault.author, fault.epoch).is_some_and(|cut| cut <= at) {
            return Ok(());
        }
        self.author(now, Draft::Body(Body::CheckpointFault(fault)), output)?;
        Ok(())
    }

    /// Before the sync of a turn: holds kept checkpoints against the events that are there by now.
    pub(crate) fn judge_checkpoints(&mut self, now: Timestamp, output: &mut Output) -> Result<(), JournalError> {
        let Some(witness) = self.witness.as_mut().filter(|witness| !witness.unjudged.is_empty()) else { return Ok(()) };
        let machine = &self.machine;
        let key = |member: &MemberId| machine.charter().members.get(member).map(|member| member.node_key);
        let judged = witness.judged(|origin, size| machine.root_at(key(&origin.member)?, origin.epoch, size));
        let mut faults = Vec::new();
        for (origin, size, (at, root)) in judged {
            let kept =
                witness.store.lines().find(|line| line.checkpoint.origin == origin && line.checkpoint.size == size);
            let Some(line) = kept.filter(|line| line.checkpoint.root != root) else { continue };
            let fault = CheckpointFault {
                author: line.author,
                epoch: origin.epoch,
                checkpoint: body::Checkpoint {
                    member: origin.member,
                    size,
                    root: B256::new(line.checkpoint.root),
                    signature: line.signature,
                },
                against: None,
            };
            faults.push((at, fault));
        }
        for (at, fault) in faults {
            self.convict(now, fault, at, output)?;
        }
        Ok(())
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
        if !self.log.is_durable() || self.violation.is_some() {
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
            witness.log.append(&Entry::Own { subtrees: tree.subtrees().to_vec(), text: text.clone() })?;
            witness.store.signed(line.checkpoint.origin.clone(), tree);
            witness.store.take(line);
            messages.push(Envelope::Witness(text.into()).encode());
        }
        let late = witness.since.is_some_and(|since| now.millis_since(since) >= SYNC_MS);
        if !messages.is_empty() || (late && witness.log.is_unsynced()) {
            witness.log.sync()?;
            witness.since = None;
        }
        if witness.log.records() > REWRITE_MAX {
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
