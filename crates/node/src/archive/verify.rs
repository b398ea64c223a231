//! Checking an archive offline, as `watchfire verify` does: every check with its result, as for a bundle.
//!
//! What makes the file another one than an export wrote fails, and so does what no node keeps. What one member signed and what is not so (two
//! histories, a false checkpoint) is that member's falsehood and spoils nothing that others signed: it is told and stays open. Open is also
//! what rests on events that the archive does not hold.
//!
//! Memory: some 200 bytes an event.

use std::collections::{BTreeMap, BTreeSet};
use std::io::BufRead;

use serde::Serialize;
use watchfire_bundle::{Check, Outcome};
use watchfire_charter::Charter;
use watchfire_journal::{ChainFault, ChainLink, HashChains};
use watchfire_protocol::check_certificate;
use watchfire_transparency::{Checkpoint, Frontier, Hash, Witnessed, leaf_hash, verify as signatures};
use watchfire_types::{B256, Body, CharterDigest, Epoch, Event, MemberId, MemberKey, NetworkId, Seq, Verified, body};

use super::read::{Contents, ReadError, read};

/// Faults of one chain that are told one by one; the rest is counted.
const TOLD_MAX: usize = 16;

/// What no archive proves, whatever its checks say.
const LIMITS: &[&str] = &[
    "that an author said nothing after its last event here: compare other organisations' archives",
    "that no witness saw another history: what contradicts this one convicts its author (`watchfire log faults`)",
    "that a statement by one member is true, that a key was used by its owner alone, or a clock was right",
];

/// The whole result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ArchiveReport {
    /// `archive`.
    pub kind: &'static str,
    /// Whether no check fails.
    pub holds: bool,
    /// Network.
    pub network: NetworkId,
    /// The charter whose keys were used.
    pub charter: CharterDigest,
    /// SHA-256 of the whole file, if it could be read to its end.
    pub sha256: Option<B256>,
    /// Signed events.
    pub events: u64,
    /// (author, epoch) chains.
    pub chains: usize,
    /// Every check, in order.
    pub checks: Vec<Check>,
    /// The first that fails.
    pub first_failure: Option<Check>,
    /// What no archive proves.
    pub not_proved: Vec<&'static str>,
}

impl ArchiveReport {
    /// How many checks ended like this.
    #[must_use]
    pub fn count(&self, outcome: Outcome) -> usize {
        self.checks.iter().filter(|check| check.outcome == outcome).count()
    }
}

/// Where the charter comes from whose keys are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeysOf {
    /// Known from elsewhere.
    Known,
    /// The archive's own ([`super::charter_in`]).
    Archive,
}

/// Checks a whole archive with this charter's keys. Ends in a report for any bytes.
///
/// # Errors
/// [`ReadError::Io`]: the system refuses.
pub fn verify(archive: impl BufRead, charter: &Charter, keys: KeysOf) -> Result<ArchiveReport, ReadError> {
    let mut opened = Opened::default();
    let read = read(archive, charter, |event, _| {
        opened.take(&event, charter);
        Ok::<(), ReadError>(())
    });
    let mut checks = Checks::default();
    let mut report = ArchiveReport {
        kind: "archive",
        holds: false,
        network: charter.network_id(),
        charter: charter.digest(),
        sha256: None,
        events: opened.events,
        chains: opened.chains.len(),
        checks: Vec::new(),
        first_failure: None,
        not_proved: LIMITS.to_vec(),
    };
    match read {
        Ok(contents) => {
            report.sha256 = Some(contents.sha256);
            opened.judge(&contents, (charter, keys), &mut checks);
        }
        Err(ReadError::Line { line, fault }) => checks.add(Outcome::Fails, "format", &format!("line {line}"), &fault),
        Err(error @ ReadError::Io { .. }) => return Err(error),
    }
    report.first_failure = checks.0.iter().find(|check| !check.passed).cloned();
    report.holds = report.first_failure.is_none();
    report.checks = checks.0;
    Ok(report)
}

#[derive(Default)]
struct Checks(Vec<Check>);

impl Checks {
    fn add(&mut self, outcome: Outcome, name: &'static str, subject: &str, detail: &dyn std::fmt::Display) {
        let (passed, subject) = (outcome != Outcome::Fails, subject.to_owned());
        self.0.push(Check { name, subject, outcome, passed, detail: detail.to_string() });
    }
}

type ChainKey = (MemberKey, Epoch);

/// What a chain holds at one seq; of a forked one what came first.
enum At {
    Leaf(Hash),
    Checkpoint(Box<body::Checkpoint>),
}

#[derive(Default)]
struct Opened {
    events: u64,
    links: HashChains,
    chains: BTreeMap<ChainKey, BTreeMap<Seq, At>>,
    certificates: u64,
    /// Certificates that their votes do not make.
    false_certificates: Vec<String>,
}

impl Opened {
    fn take(&mut self, event: &Verified<Event>, charter: &Charter) {
        let Event { author, epoch, seq, prev, .. } = **event;
        self.events += 1;
        self.links.push(ChainLink { author, epoch, seq, prev, hash: event.hash() });
        let at = match &event.body {
            Body::Checkpoint(stated) => At::Checkpoint(Box::new(stated.clone())),
            _ => At::Leaf(leaf_hash(event.outer())),
        };
        self.chains.entry((author, epoch)).or_default().entry(seq).or_insert(at);
        if let Body::Certificate(certificate) = &event.body {
            match check_certificate(charter, charter.network_id(), certificate) {
                Ok(_) => self.certificates += 1,
                Err(error) => self.false_certificates.push(format!("{} #{seq}: {error}", event.hash().short())),
            }
        }
    }

    fn judge(mut self, contents: &Contents, (charter, keys): (&Charter, KeysOf), checks: &mut Checks) {
        let events = self.events;
        checks.add(
            Outcome::Holds,
            "format",
            "file",
            &format!("{events} events, as an export writes them, SHA-256 {:x}", contents.sha256),
        );
        let digest = charter.digest();
        let subject = format!("version {}", charter.version);
        match keys {
            KeysOf::Known => checks.add(Outcome::Holds, "charter-trusted", &subject, &digest),
            KeysOf::Archive => {
                let detail = format!(
                    "no charter given: the members' keys are what the archive says; compare its digest {digest} with one you know, or give --charter"
                );
                checks.add(Outcome::Open, "charter-trusted", &subject, &detail);
            }
        }
        let authors: BTreeSet<MemberKey> = self.chains.keys().map(|(author, _)| *author).collect();
        let detail = format!("{events} events of {} members, each signed by its author", authors.len());
        checks.add(Outcome::Holds, "signature", "file", &detail);
        for into in &contents.pruned_into {
            let detail = "part of this log had been pruned into it before; verify it as well";
            checks.add(Outcome::Open, "pruned", &format!("archive {into:x}"), &detail);
        }
        if self.certificates > 0 {
            checks.add(
                Outcome::Holds,
                "certificate",
                "file",
                &format!("{} certificates are what their votes make them", self.certificates),
            );
        }
        for detail in &self.false_certificates {
            checks.add(Outcome::Open, "statement", "certificate", &format!("its votes do not make it: {detail}"));
        }
        let mut faults: BTreeMap<ChainKey, Vec<ChainFault>> = BTreeMap::new();
        for fault in std::mem::take(&mut self.links).faults() {
            faults.entry((fault.link.author, fault.link.epoch)).or_default().push(fault);
        }
        let mut lines: BTreeMap<(MemberId, Epoch), Vec<&(Checkpoint, Witnessed)>> = BTreeMap::new();
        for line in &contents.witnessed {
            let origin = &line.0.origin;
            lines.entry((origin.member.clone(), origin.epoch)).or_default().push(line);
        }
        for ((author, epoch), events) in &self.chains {
            // Whoever is not of the charter was refused as such.
            let Some((member, _)) = charter.member_by_key(author) else { continue };
            let subject = format!("{member} epoch {}", epoch.short());
            chain(&subject, events, faults.get(&(*author, *epoch)).map(Vec::as_slice).unwrap_or_default(), checks);
            let tree = Tree::of(events, |stated| {
                let checkpoint = Checkpoint::stated(charter.network_id(), *epoch, stated);
                checkpoint.origin.member == *member && signatures::signed(&checkpoint, author, &stated.signature)
            });
            tree.told(&subject, checks);
            let lines = lines.get(&(member.clone(), *epoch)).map(Vec::as_slice).unwrap_or_default();
            witnesses(&subject, &tree, lines, member, charter, checks);
        }
    }
}

/// The hash chain of one author's one epoch.
fn chain(subject: &str, events: &BTreeMap<Seq, At>, faults: &[ChainFault], checks: &mut Checks) {
    for ChainFault { link, kind } in faults.iter().take(TOLD_MAX) {
        let outcome = if kind.is_fork() { Outcome::Open } else { Outcome::Fails };
        let name = if kind.is_fork() { "statement" } else { "chain" };
        let detail = format!("#{} {}: {kind}", link.seq, link.hash.short());
        checks.add(outcome, name, subject, &detail);
    }
    if faults.len() > TOLD_MAX {
        checks.add(Outcome::Open, "statement", subject, &format!("and {} more like these", faults.len() - TOLD_MAX));
    }
    let (Some((first, _)), Some((last, _))) = (events.first_key_value(), events.last_key_value()) else { return };
    let missing = last.get().saturating_add(1).saturating_sub(events.len() as u64);
    if !faults.is_empty() {
        // What links up and what does not was said.
    } else if missing == 0 {
        checks.add(Outcome::Holds, "chain", subject, &format!("#{first} to #{last}, each names the one before"));
    } else {
        let detail = format!(
            "{} events up to #{last}, which link up where they are neighbours; {missing} before or between them are not here",
            events.len()
        );
        checks.add(Outcome::Open, "chain", subject, &detail);
    }
}

/// What the checkpoints of one chain are worth.
struct Tree {
    /// Sizes and roots that the events here have, by what the author stated and signed.
    true_ones: BTreeMap<u64, Hash>,
    /// Checkpoints beyond the first event that is not here.
    beyond: u64,
    /// Where the author states what its events are not.
    false_ones: Vec<Seq>,
    /// Leaves without a gap from the first.
    leaves: u64,
}

impl Tree {
    fn of(events: &BTreeMap<Seq, At>, is_signed: impl Fn(&body::Checkpoint) -> bool) -> Self {
        let mut tree = Self { true_ones: BTreeMap::new(), beyond: 0, false_ones: Vec::new(), leaves: 0 };
        let mut grown = Frontier::new();
        for (count, (seq, at)) in (0_u64..).zip(events) {
            let gapless = seq.get() == count;
            match at {
                At::Leaf(leaf) if gapless => grown.push_hash(*leaf),
                At::Leaf(_) => {}
                At::Checkpoint(stated) if !is_signed(stated) => tree.false_ones.push(*seq),
                At::Checkpoint(_) if !gapless => tree.beyond += 1,
                At::Checkpoint(stated) if (stated.size, stated.root.0) == (grown.size(), grown.root()) => {
                    tree.true_ones.insert(stated.size, stated.root.0);
                }
                At::Checkpoint(_) => tree.false_ones.push(*seq),
            }
        }
        tree.leaves = grown.size();
        tree
    }

    fn told(&self, subject: &str, checks: &mut Checks) {
        for seq in self.false_ones.iter().take(TOLD_MAX) {
            let detail = format!(
                "its checkpoint #{seq} is not that of the events before it, or not signed: nothing of it counts from there on"
            );
            checks.add(Outcome::Open, "statement", subject, &detail);
        }
        if let Some(size) = self.true_ones.keys().next_back() {
            let detail =
                format!("{} of them, signed; the last is over {size} of {} events", self.true_ones.len(), self.leaves);
            checks.add(Outcome::Holds, "checkpoint", subject, &detail);
        }
        if self.beyond > 0 {
            let detail = format!("{} are signed, and rest on events that are not here", self.beyond);
            checks.add(Outcome::Open, "checkpoint", subject, &detail);
        } else if self.true_ones.is_empty() && self.false_ones.is_empty() {
            checks.add(Outcome::Open, "checkpoint", subject, &"none; signature and hash chain bind its events");
        }
    }
}

/// Who else saw that tree.
fn witnesses(
    subject: &str,
    tree: &Tree,
    lines: &[&(Checkpoint, Witnessed)],
    author: &MemberId,
    charter: &Charter,
    checks: &mut Checks,
) {
    let organisation = |member: &MemberId| charter.members.get(member).map(|member| &member.organisation);
    let mut by_size: BTreeMap<u64, BTreeSet<_>> = BTreeMap::new();
    let mut unfounded = 0;
    for (checkpoint, line) in lines.iter().copied() {
        if tree.true_ones.get(&checkpoint.size) == Some(&checkpoint.root) {
            let other = organisation(&line.witness).filter(|of| Some(*of) != organisation(author));
            by_size.entry(checkpoint.size).or_default().extend(other);
        } else {
            unfounded += 1;
        }
    }
    by_size.retain(|_, organisations| !organisations.is_empty());
    if let Some((size, organisations)) = by_size.last_key_value() {
        let names: Vec<String> = organisations.iter().map(ToString::to_string).collect();
        let detail = format!("{} saw its first {size} events; {} are newer", names.join(", "), tree.leaves - size);
        checks.add(Outcome::Holds, "witness", subject, &detail);
    } else if !tree.true_ones.is_empty() {
        checks.add(Outcome::Open, "witness", subject, &"no other organisation's line about its checkpoints is here");
    }
    if unfounded > 0 {
        let detail = format!("{unfounded} lines are about checkpoints that the events here do not confirm");
        checks.add(Outcome::Open, "witness", subject, &detail);
    }
}

#[cfg(test)]
mod tests;
