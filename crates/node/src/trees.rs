//! Trees looked at from outside: which checkpoint covers what, proofs made from a kept log, texts checked with a charter's keys.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;
use watchfire_charter::Charter;
use watchfire_driver::read_witness_messages;
use watchfire_journal::{FileStorage, JournalError};
use watchfire_protocol::Machine;
use watchfire_transparency::text::{CONSISTENCY, INCLUSION};
use watchfire_transparency::{
    Checkpoint, ConsistencyText, InclusionText, NoteError, Origin, SignedCheckpoint, Tree, Witnessed,
    cosigner_verifier_key, leaf_hash, log_verifier_key, verify, witness_name,
};
use watchfire_types::{Body, Epoch, EventHash, MemberId, MemberKey, body};
use watchfire_wire::decode_signed;

use crate::kept::witness_directories;

/// Every verified line of a witness that a node directory keeps, by the checkpoint it is under. Works beside a running node.
///
/// # Errors
/// [`JournalError`] when a directory that is there cannot be read.
pub fn witnessed(directory: &Path, charter: &Charter) -> Result<BTreeMap<Checkpoint, Vec<Witnessed>>, JournalError> {
    let storages = witness_directories(directory).map(|directory| FileStorage::read_only(&directory));
    let keys = keys(charter);
    let mut found: BTreeMap<Checkpoint, Vec<Witnessed>> = BTreeMap::new();
    for text in read_witness_messages(&storages)? {
        let Ok(note) = SignedCheckpoint::parse(&text) else { continue };
        let Some(author) = keys.get(&note.checkpoint().origin.member) else { continue };
        let Ok(lines) = note.verify(author, &keys) else { continue };
        found.entry(note.checkpoint().clone()).or_default().extend(lines);
    }
    Ok(found)
}

/// Every member's key.
pub(crate) fn keys(charter: &Charter) -> BTreeMap<MemberId, MemberKey> {
    charter.members.iter().map(|(id, member)| (id.clone(), member.node_key)).collect()
}

/// The keys under which C2SP tools check checkpoints.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct VerifierKeys {
    /// Of the log that a text is of, whose name is its origin.
    pub log: Option<String>,
    /// Of every member as a witness.
    pub witnesses: BTreeMap<MemberId, String>,
}

impl VerifierKeys {
    /// Of a charter's members, and of the log of a checkpoint, an inclusion or a consistency proof.
    ///
    /// # Errors
    /// One line: it is no such text, or of no member of this charter.
    pub fn of(charter: &Charter, text: Option<&str>) -> Result<Self, String> {
        let (network, keys) = (charter.network_id(), keys(charter));
        let log = |text: &str| {
            let origin = origin(text).map_err(|error| error.to_string())?;
            let key = keys.get(&origin.member).filter(|_| origin.network == network);
            key.map(|key| log_verifier_key(&origin.to_string(), key))
                .ok_or_else(|| format!("{origin} is of no member of this charter"))
        };
        let log = text.map(log).transpose()?;
        let witness =
            |(id, key): (&MemberId, &MemberKey)| (id.clone(), cosigner_verifier_key(&witness_name(&network, id), key));
        Ok(Self { log, witnesses: keys.iter().map(witness).collect() })
    }
}

/// Whose tree a checkpoint or a proof is of.
fn origin(text: &str) -> Result<Origin, NoteError> {
    let note = match text.split('\n').next() {
        Some(INCLUSION) => InclusionText::parse(text)?.checkpoint,
        Some(CONSISTENCY) => ConsistencyText::parse(text)?.checkpoint,
        _ => SignedCheckpoint::parse(text)?,
    };
    Ok(note.checkpoint().origin.clone())
}

/// One author's one epoch in a kept log.
#[derive(Debug, Clone)]
pub struct Chain {
    /// Whose.
    pub origin: Origin,
    /// The author's key.
    pub key: MemberKey,
}

impl Chain {
    /// The epoch of a member whose id begins like this, or its newest one.
    ///
    /// # Errors
    /// One line that says what is missing.
    pub fn find(machine: &Machine, member: &MemberId, epoch: Option<&str>) -> Result<Self, String> {
        let charter = machine.charter();
        let key = charter.members.get(member).ok_or(format!("the charter has no member {member}"))?.node_key;
        let of =
            |epoch: Epoch| Self { origin: Origin { network: machine.network(), member: member.clone(), epoch }, key };
        let mut epochs: Vec<Epoch> =
            machine.epochs().filter(|(author, _)| *author == key).map(|(_, epoch)| epoch).collect();
        let Some(wanted) = epoch else {
            let newest = epochs.into_iter().max_by_key(|epoch| machine.started(key, *epoch));
            return newest.map(of).ok_or(format!("the log holds no event of {member}"));
        };
        epochs.retain(|epoch| epoch.to_string().starts_with(&wanted.to_ascii_lowercase()));
        match epochs.as_slice() {
            [epoch] => Ok(of(*epoch)),
            [] => Err(format!("the log holds no epoch of {member} that begins with {wanted:?}")),
            _ => Err(format!("several epochs of {member} begin with {wanted:?}; give more digits")),
        }
    }

    /// The tree of what is held. Of a chain whose beginning was pruned it goes on from there, and proves what came after.
    #[must_use]
    pub fn tree(&self, machine: &Machine) -> Tree {
        let base = machine.base_tree(self.key, self.origin.epoch).unwrap_or_default();
        let mut tree = Tree::continuing(&base);
        machine.leaves_from(self.key, self.origin.epoch, base.size()).for_each(|event| tree.push(event.outer()));
        tree
    }

    /// How many of the tree's first events were pruned.
    #[must_use]
    pub fn pruned(&self, machine: &Machine) -> u64 {
        machine.base_tree(self.key, self.origin.epoch).map_or(0, |base| base.size())
    }

    /// Every checkpoint of it that is held, by size: those since it begins here, and the last one before.
    #[must_use]
    pub fn checkpoints(
        &self,
        machine: &Machine,
        witnessed: &BTreeMap<Checkpoint, Vec<Witnessed>>,
    ) -> BTreeMap<u64, SignedCheckpoint> {
        let (key, epoch) = (self.key, self.origin.epoch);
        let held = machine.chained(key, epoch).chain(machine.checkpoint(key, epoch));
        let stated = held.filter_map(|event| match &event.body {
            Body::Checkpoint(stated) => Some((stated.size, self.signed(stated, machine.charter(), witnessed))),
            _ => None,
        });
        stated.collect()
    }

    fn signed(
        &self,
        stated: &body::Checkpoint,
        charter: &Charter,
        witnessed: &BTreeMap<Checkpoint, Vec<Witnessed>>,
    ) -> SignedCheckpoint {
        let checkpoint = Checkpoint::stated(self.origin.network, self.origin.epoch, stated);
        let lines = witnessed.get(&checkpoint).map(Vec::as_slice).unwrap_or_default();
        let newest: BTreeMap<&MemberId, &Witnessed> = lines.iter().map(|line| (&line.witness, line)).collect();
        let mut note = SignedCheckpoint::new(checkpoint, &self.key, &stated.signature);
        for (witness, line) in newest {
            if let Some(member) = charter.members.get(witness) {
                note.witnessed(line, &member.node_key);
            }
        }
        note
    }
}

/// One thing that was checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Checked {
    /// What.
    pub check: &'static str,
    /// Whether it holds.
    pub holds: bool,
    /// One line.
    pub detail: String,
}

/// What became of checking a text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TextReport {
    /// `checkpoint`, `inclusion` or `consistency`.
    pub kind: &'static str,
    /// Whether everything holds.
    pub holds: bool,
    /// Every check, in order; none follows one that does not hold.
    pub checks: Vec<Checked>,
    /// Whose tree.
    pub origin: Option<String>,
    /// Leaves of the checkpoint.
    pub size: Option<u64>,
    /// Members that witnessed it.
    pub witnesses: Vec<MemberId>,
    /// The event that is included.
    pub event: Option<EventHash>,
}

impl TextReport {
    fn new(kind: &'static str) -> Self {
        let (checks, witnesses) = (Vec::new(), Vec::new());
        Self { kind, holds: true, checks, origin: None, size: None, witnesses, event: None }
    }

    /// Notes a check; answers what it found if it holds.
    fn check<T, E: ToString>(&mut self, check: &'static str, result: Result<(T, String), E>) -> Option<T> {
        let (value, holds, detail) = match result {
            Ok((value, detail)) => (Some(value), true, detail),
            Err(error) => (None, false, error.to_string()),
        };
        self.holds &= holds;
        self.checks.push(Checked { check, holds, detail });
        value
    }

    /// For people: every check, then the verdict.
    #[must_use]
    pub fn text(&self) -> String {
        let line = |checked: &Checked| {
            let outcome = if checked.holds { "holds" } else { "FAILS" };
            format!("{outcome}  {:<12}  {}\n", checked.check, checked.detail)
        };
        let mut text: String = self.checks.iter().map(line).collect();
        text.push_str(if self.holds { "it holds" } else { "IT DOES NOT HOLD" });
        text
    }
}

/// Checks a checkpoint, an inclusion or a consistency proof with nothing but a charter's keys.
#[must_use]
pub fn check_text(text: &str, charter: &Charter) -> TextReport {
    match text.split('\n').next() {
        Some(INCLUSION) => inclusion(text, charter),
        Some(CONSISTENCY) => consistency(text, charter),
        _ => {
            let mut report = TextReport::new("checkpoint");
            let parsed = SignedCheckpoint::parse(text).map(|note| (note, "a signed checkpoint".to_owned()));
            if let Some(note) = report.check("form", parsed) {
                checkpoint(&mut report, &note, charter);
            }
            report
        }
    }
}

/// Network, author and witnesses of a checkpoint; the author's key if they hold.
fn checkpoint(report: &mut TextReport, note: &SignedCheckpoint, charter: &Charter) -> Option<MemberKey> {
    let Checkpoint { origin, size, .. } = note.checkpoint();
    report.origin = Some(origin.to_string());
    report.size = Some(*size);
    let (expected, found) = (charter.network_id(), origin.network);
    let network = if expected == found {
        Ok(((), format!("network {}", found.short())))
    } else {
        Err(format!("it is of network {found}, the charter's is {expected}"))
    };
    report.check("network", network)?;
    let keys = keys(charter);
    let key = keys.get(&origin.member).map(|key| (*key, format!("{} has key {}", origin.member, key.short())));
    let key = report.check("member", key.ok_or(format!("the charter has no member {}", origin.member)))?;
    let signed = note
        .author(&key)
        .map(|_| ((), format!("{} signed size {size} of epoch {}", origin.member, origin.epoch.short())));
    report.check("author", signed)?;
    let lines = note.verify(&key, &keys).map(|lines| {
        let names: Vec<String> =
            lines.iter().map(|line| format!("{} at {}", line.witness, moment(line.time_s))).collect();
        let said = if names.is_empty() { "nobody witnessed it".to_owned() } else { names.join(", ") };
        (lines, said)
    });
    let lines = report.check("witnesses", lines)?;
    report.witnesses = lines.into_iter().map(|line| line.witness).collect();
    Some(key)
}

fn moment(time_s: u64) -> String {
    let at = i64::try_from(time_s).ok().and_then(|time_s| jiff::Timestamp::from_second(time_s).ok());
    at.map_or_else(|| format!("{time_s} s"), |at| at.to_string())
}

fn inclusion(text: &str, charter: &Charter) -> TextReport {
    let mut report = TextReport::new("inclusion");
    let parsed = InclusionText::parse(text).map(|text| (text, "an inclusion proof".to_owned()));
    let Some(text) = report.check("form", parsed) else { return report };
    let Some(key) = checkpoint(&mut report, &text.checkpoint, charter) else { return report };
    let Checkpoint { origin, root, size } = text.checkpoint.checkpoint();
    let Some(event) = report.check("event", leaf(&text, key, origin)) else { return report };
    report.event = Some(event);
    let proof = text.proof.verify(&leaf_hash(&text.leaf), root);
    report.check("inclusion", proof.map(|()| ((), format!("it is number {} of the {size}", text.proof.index))));
    report
}

/// The leaf is an event of that author and epoch, signed.
fn leaf(text: &InclusionText, key: MemberKey, origin: &Origin) -> Result<(EventHash, String), String> {
    let event = decode_signed(text.leaf.clone().into()).map_err(|error| error.to_string())?;
    let event = event.verify(origin.network).map_err(|error| error.to_string())?;
    if (event.author, event.epoch) != (key, origin.epoch) {
        return Err("the event is of another author or epoch than the checkpoint".to_owned());
    }
    if matches!(event.body, Body::Checkpoint(_)) {
        return Err("the event is a checkpoint, which no tree holds".to_owned());
    }
    Ok((event.hash(), format!("{} at position {}, signed", event.body.kind(), event.seq)))
}

fn consistency(text: &str, charter: &Charter) -> TextReport {
    let mut report = TextReport::new("consistency");
    let parsed = ConsistencyText::parse(text).map(|text| (text, "a consistency proof".to_owned()));
    let Some(text) = report.check("form", parsed) else { return report };
    let Some(key) = checkpoint(&mut report, &text.checkpoint, charter) else { return report };
    let old = text.old_checkpoint();
    let signed = match &text.old_signature {
        Some(signature) if verify::signed(&old, &key, signature) => {
            Ok(((), format!("size {} is signed too", old.size)))
        }
        Some(_) => Err(NoteError::BadSignature { name: old.origin.to_string() }),
        None => Ok(((), format!("size {} was never signed by itself", old.size))),
    };
    if report.check("old", signed).is_none() {
        return report;
    }
    let proof = text.proof.verify(&old.root, &text.checkpoint.checkpoint().root);
    report.check(
        "consistency",
        proof.map(|()| ((), format!("the first {} of {} are the same", old.size, text.proof.to))),
    );
    report
}
