//! Fault objects: made from what a node holds, judged by anyone from the bytes and the members' keys.

use std::sync::Arc;

use thiserror::Error;
use watchfire_charter::Charter;
use watchfire_transparency::Frontier;
use watchfire_types::body::{self, Body, CheckpointFault, FaultProof};
use watchfire_types::fault::{FalseHistory, FaultKind, FaultObject};
use watchfire_types::{Epoch, Event, MemberId, MemberKey, NetworkId, Seq, Unverified, Verified, VerifyError};

use crate::fault::{CheckpointClaim, checkpoint_claim, contradict};
use crate::machine::Machine;
use crate::shared::ChainKey;
use crate::shared::chain::AuthorChain;

/// Most events of one object.
const EVENTS_MAX: usize = 65_536;
/// Most outer bytes of one object's events: its file has at most 16 MiB.
const BYTES_MAX: usize = 15 << 20;

/// Who is convicted, of what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conviction {
    /// Author, as the charter names it.
    pub member: MemberId,
    /// Its key.
    pub author: MemberKey,
    /// In which epoch.
    pub epoch: Epoch,
    /// From which position on nothing of that epoch counts.
    pub cut: Seq,
    /// What was checked and holds, a line each, in order.
    pub checks: Vec<String>,
    /// One line for people.
    pub verdict: String,
}

/// Why a fault object convicts nobody.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Acquittal {
    /// Of another network.
    #[error("it is of network {found}, the charter's is {expected}")]
    ForeignNetwork {
        /// The charter's.
        expected: NetworkId,
        /// The object's.
        found: NetworkId,
    },
    /// Nobody whom the charter knows.
    #[error("the charter has no member with key {author}")]
    UnknownAuthor {
        /// Accused.
        author: MemberKey,
    },
    /// An event's signature does not hold.
    #[error("event {seq}: {source}")]
    Signature {
        /// Position it claims.
        seq: Seq,
        /// Why.
        source: VerifyError,
    },
    /// Two events that an honest author may have signed both.
    #[error("the two events do not contradict each other")]
    NoContradiction,
    /// Two checkpoints that do not prove anything.
    #[error("the two checkpoints do not contradict each other, or one is not signed by the author")]
    NoInconsistency,
    /// The run of events is not one.
    #[error("event {seq} {why}")]
    BrokenRun {
        /// Position it claims.
        seq: Seq,
        /// Why.
        why: &'static str,
    },
    /// What the run starts from is no checkpoint of the author with that tree.
    #[error("the run does not start from the author's checkpoint: {why}")]
    BadBase {
        /// Why.
        why: &'static str,
    },
    /// The events are just what the checkpoint says.
    #[error("the checkpoint is of these very events, it convicts nobody")]
    Agrees,
    /// The checkpoint is not the author's, or of another size.
    #[error("the checkpoint beside the run {why}")]
    BadNote {
        /// Why.
        why: &'static str,
    },
}

/// Judges a fault object: the same answer wherever the same charter is known.
///
/// # Errors
/// [`Acquittal`]: the first check that does not hold.
pub fn judge(object: &FaultObject, charter: &Charter) -> Result<Conviction, Acquittal> {
    let expected = charter.network_id();
    if object.network != expected {
        return Err(Acquittal::ForeignNetwork { expected, found: object.network });
    }
    let (author, epoch) = accused(object)?;
    let (member, _) = charter.member_by_key(&author).ok_or(Acquittal::UnknownAuthor { author })?;
    let mut checks = vec![format!("the accused key {} is {member} of the charter", author.short())];
    let (cut, verdict) = match &object.kind {
        FaultKind::Events(proof) => events(proof, expected, &mut checks)?,
        FaultKind::Checkpoints(fault) => checkpoints(fault, expected, &mut checks)?,
        FaultKind::History(history) => history_of(history, (author, epoch), expected, &mut checks)?,
    };
    let verdict = format!("{member} signed {verdict} in its epoch {}", epoch.short());
    Ok(Conviction { member: member.clone(), author, epoch, cut, checks, verdict })
}

fn accused(object: &FaultObject) -> Result<ChainKey, Acquittal> {
    Ok(match &object.kind {
        FaultKind::Events(proof) => (proof.first.event().author, proof.first.event().epoch),
        FaultKind::Checkpoints(fault) => (fault.author, fault.epoch),
        FaultKind::History(history) => {
            let first = history.events.first().ok_or(Acquittal::NoContradiction)?.event();
            (first.author, first.epoch)
        }
    })
}

fn events(proof: &FaultProof, network: NetworkId, checks: &mut Vec<String>) -> Result<(Seq, String), Acquittal> {
    for event in [&proof.first, &proof.second] {
        genuine(event, network)?;
    }
    checks.push("both events are signed by it".to_owned());
    if !contradict(&proof.first, &proof.second) {
        return Err(Acquittal::NoContradiction);
    }
    let (first, second) = (proof.first.event().seq, proof.second.event().seq);
    let verdict = if first == second {
        checks.push(format!("both stand at position {first}, with different bytes"));
        format!("two events at position {first}")
    } else {
        checks.push(format!("the event at {second} does not follow the one at {first}"));
        format!("events at {first} and {second} of two histories")
    };
    Ok((first, verdict))
}

fn checkpoints(
    fault: &CheckpointFault,
    network: NetworkId,
    checks: &mut Vec<String>,
) -> Result<(Seq, String), Acquittal> {
    let against = fault.against.as_ref().ok_or(Acquittal::NoInconsistency)?;
    if checkpoint_claim(fault, network) != Some(CheckpointClaim::Inconsistent) {
        return Err(Acquittal::NoInconsistency);
    }
    let (small, large) = (fault.checkpoint.size, against.checkpoint.size);
    checks.push(format!("both checkpoints, over {small} and {large} events, are signed by it"));
    checks.push(format!("the first {small} events of the larger have another root than the smaller"));
    Ok((Seq::new(0), format!("checkpoints over {small} and {large} events that are not of one log")))
}

fn genuine(event: &Unverified, network: NetworkId) -> Result<(), Acquittal> {
    event.check(network).map_err(|source| Acquittal::Signature { seq: event.event().seq, source })
}

fn history_of(
    history: &FalseHistory,
    key: ChainKey,
    network: NetworkId,
    checks: &mut Vec<String>,
) -> Result<(Seq, String), Acquittal> {
    let mut tree = base(history, key, network, checks)?;
    let mut previous = history.base.as_deref();
    for event in &history.events {
        follows(event, previous, key)?;
        genuine(event, network)?;
        previous = Some(event);
    }
    checks.push(format!("{} events follow each other and are signed by it", history.events.len()));
    let (stated, covered, at) = match &history.note {
        None => {
            let (last, below) = history.events.split_last().ok_or(Acquittal::NoContradiction)?;
            let Body::Checkpoint(stated) = &last.event().body else {
                return Err(Acquittal::BrokenRun { seq: last.event().seq, why: "is the last and no checkpoint" });
            };
            (stated, below, last.event().seq)
        }
        Some(note) => {
            if note.against.is_some() || (note.author, note.epoch) != key {
                return Err(Acquittal::BadNote { why: "is of another author or epoch" });
            }
            if checkpoint_claim(note, network) != Some(CheckpointClaim::Single) {
                return Err(Acquittal::BadNote { why: "is not signed by the author" });
            }
            let last = history.events.last().ok_or(Acquittal::NoContradiction)?;
            (&note.checkpoint, history.events.as_slice(), last.event().seq.next())
        }
    };
    checks.push(format!("its checkpoint over {} events, root {}, is signed by it", stated.size, stated.root));
    covered.iter().filter(|event| !is_checkpoint(event.event())).for_each(|event| tree.push(event.outer()));
    if history.note.is_some() && tree.size() != stated.size {
        return Err(Acquittal::BadNote { why: "is of another size than the run's events make" });
    }
    let found = body_root(&tree);
    if (tree.size(), found) == (stated.size, stated.root) {
        return Err(Acquittal::Agrees);
    }
    checks.push(format!("the events make a tree of {}, root {found}", tree.size()));
    Ok((at, format!("a checkpoint over {} events that is not of its own events", stated.size)))
}

/// The tree that the run continues.
fn base(
    history: &FalseHistory,
    key: ChainKey,
    network: NetworkId,
    checks: &mut Vec<String>,
) -> Result<Frontier, Acquittal> {
    let Some(base) = &history.base else {
        let empty = history.subtrees.is_empty();
        return empty.then(Frontier::new).ok_or(Acquittal::BadBase { why: "there is none, but a tree of it" });
    };
    genuine(base, network)?;
    let event = base.event();
    let Body::Checkpoint(stated) = &event.body else { return Err(Acquittal::BadBase { why: "it is none" }) };
    if (event.author, event.epoch) != key {
        return Err(Acquittal::BadBase { why: "it is of another author or epoch" });
    }
    let tree = Frontier::from_parts(stated.size, history.subtrees.clone());
    let tree = tree.filter(|tree| body_root(tree) == stated.root);
    checks.push(format!("its checkpoint over {} events at position {} is the start", stated.size, event.seq));
    tree.ok_or(Acquittal::BadBase { why: "the tree beside it has another root" })
}

fn follows(event: &Unverified, previous: Option<&Unverified>, key: ChainKey) -> Result<(), Acquittal> {
    let inner = event.event();
    let broken = |why| Err(Acquittal::BrokenRun { seq: inner.seq, why });
    if (inner.author, inner.epoch) != key {
        return broken("is of another author or epoch");
    }
    match previous {
        None if inner.seq != Seq::new(0) => broken("is not the epoch's first"),
        Some(before) if inner.seq != before.event().seq.next() || inner.prev != before.hash() => {
            broken("does not follow the one before")
        }
        None | Some(_) => Ok(()),
    }
}

fn is_checkpoint(event: &Event) -> bool {
    matches!(event.body, Body::Checkpoint(_))
}

fn body_root(tree: &Frontier) -> watchfire_types::B256 {
    tree.root().into()
}

impl Machine {
    /// One object against every author and epoch that is cut here, as far as what is held makes one; at most 16 MiB each.
    #[must_use]
    pub fn convictions(&self) -> Vec<FaultObject> {
        let cut = self.shared.all().filter(|(_, chain)| chain.cut().is_some());
        let kinds = cut.filter_map(|(key, chain)| self.conviction(key, chain));
        kinds.map(|kind| FaultObject { network: self.network, kind }).collect()
    }

    /// Every author and epoch that is cut here, and from which position on.
    pub fn cuts(&self) -> impl Iterator<Item = (MemberKey, Epoch, Seq)> {
        self.shared.all().filter_map(|((author, epoch), chain)| Some((*author, *epoch, chain.cut()?)))
    }

    fn conviction(&self, key: &ChainKey, chain: &AuthorChain) -> Option<FaultKind> {
        if let Some((first, second)) = chain.proof() {
            let pair = FaultProof { first: Box::new(first.clone()), second: Box::new(second.clone()) };
            return Some(FaultKind::Events(pair));
        }
        let told = self.shared.events().filter_map(|event| match &event.body {
            Body::CheckpointFault(fault) if (fault.author, fault.epoch) == *key => Some(fault),
            _ => None,
        });
        let told: Vec<&CheckpointFault> = told.collect();
        if let Some(fault) = told.iter().find(|fault| fault.against.is_some()) {
            return Some(FaultKind::Checkpoints(CheckpointFault::clone(fault)));
        }
        if let Some(last) = chain.false_checkpoint() {
            let mut history = run(chain, chain.tree().size(), None)?;
            history.events.push(last.to_unverified());
            return Some(FaultKind::History(history));
        }
        let contradicted = told.into_iter().find(|fault| {
            chain.root_at(fault.checkpoint.size).is_some_and(|(_, root)| root != fault.checkpoint.root.0)
        })?;
        run(chain, contradicted.checkpoint.size, Some(contradicted)).map(FaultKind::History)
    }
}

/// The events up to the `size`th leaf, from the last checkpoint on that leaves at least one of them.
fn run(chain: &AuthorChain, size: u64, note: Option<&CheckpointFault>) -> Option<FalseHistory> {
    let (end, _) = chain.tree_at(size)?;
    let held: Vec<&Arc<Verified<Event>>> =
        chain.chained().take_while(|event| event.seq < end || note.is_none()).collect();
    let base = held.iter().rposition(|event| stated(event).is_some_and(|stated| stated.size < size || note.is_none()));
    // Of a pruned chain the run has to start from a checkpoint that is held.
    if base.is_none() && chain.base().is_some() {
        return None;
    }
    let after = base.map_or(0, |base| base + 1);
    let events: Vec<Unverified> = held.get(after..)?.iter().map(|event| event.to_unverified()).collect();
    let bytes: usize = events.iter().map(|event| event.outer().len()).sum();
    if events.len() >= EVENTS_MAX || bytes > BYTES_MAX {
        return None;
    }
    let base = base.and_then(|base| held.get(base));
    let subtrees = match base.and_then(|event| stated(event)) {
        Some(stated) => chain.tree_at(stated.size)?.1.subtrees().to_vec(),
        None => Vec::new(),
    };
    Some(FalseHistory {
        base: base.map(|event| Box::new(event.to_unverified())),
        subtrees,
        events,
        note: note.cloned(),
    })
}

fn stated(event: &Event) -> Option<&body::Checkpoint> {
    match &event.body {
        Body::Checkpoint(stated) => Some(stated),
        _ => None,
    }
}
