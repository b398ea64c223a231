//! Archives: round trips, and every line cut or altered.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::io::Cursor;
use std::path::Path;
use std::sync::{Arc, LazyLock};

use ed25519_dalek::{Signer as _, SigningKey};
use proptest::prelude::*;
use tempfile::TempDir;
use watchfire_journal::{FileStorage, Journal, JournalOptions};
use watchfire_types::body::{self, HumanStatement, Started};
use watchfire_types::{IncidentId, Timestamp, Unverified};

use super::*;
use crate::kept::look;
use crate::run::fixture;

pub(super) fn charter() -> Charter {
    watchfire_charter::parse(&fixture::charter_text(None)).unwrap().0
}

/// One author's chain.
pub(super) struct Author {
    pub(super) key: SigningKey,
    pub(super) epoch: u8,
    pub(super) seq: u64,
    prev: EventHash,
}

impl Author {
    pub(super) fn new(number: u8, epoch: u8) -> Self {
        Self { key: SigningKey::from_bytes(&[number; 32]), epoch, seq: 0, prev: EventHash::from_bytes([0; 32]) }
    }

    pub(super) fn sealed(&self, body: Body) -> Unverified {
        let event = Event {
            network: charter().network_id(),
            author: MemberKey::from_bytes(self.key.verifying_key().to_bytes()),
            epoch: Epoch::from_bytes([self.epoch; 16]),
            seq: Seq::new(self.seq),
            prev: self.prev,
            time: Timestamp::from_millis(1_800_000_000_000 + self.seq),
            body,
        };
        watchfire_wire::seal(&event, |input| self.key.sign(input).to_bytes()).unwrap()
    }

    pub(super) fn say(&mut self, body: Body) -> Vec<u8> {
        let sealed = self.sealed(body);
        self.seq += 1;
        self.prev = sealed.hash();
        sealed.outer().to_vec()
    }
}

pub(super) fn started() -> Body {
    let charter = charter();
    Body::Started(Started {
        earlier: Vec::new(),
        charter_version: charter.version,
        charter_digest: charter.digest(),
        software: "test".into(),
    })
}

pub(super) fn note(text: &str) -> Body {
    let human = body::Human { person: "p-1".into(), role: "lead".into(), reason: text.to_owned() };
    Body::Note(HumanStatement { incident: IncidentId::from_bytes([7; 32]), human })
}

fn checkpoint() -> Body {
    let member = "birch-1".parse().unwrap();
    Body::Checkpoint(body::Checkpoint { member, size: 2, root: B256::repeat_byte(6), signature: [5; 64] })
}

/// A log of two members: a checkpoint, a hole, and events that came out of order.
fn records() -> Vec<Vec<u8>> {
    let (mut alder, mut birch) = (Author::new(1, 0xa1), Author::new(2, 0xb1));
    let mut records = vec![alder.say(started()), birch.say(started())];
    let (first, second) = (birch.say(note("\"first\" \u{1f525}")), birch.say(note("second")));
    records.extend([second, first, birch.say(checkpoint()), alder.say(note("third"))]);
    birch.say(note("never came"));
    records.push(birch.say(note("after a hole")));
    records
}

pub(super) fn directory(records: &[Vec<u8>]) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    let storage = FileStorage::open(&directory.path().join("journal")).unwrap();
    let mut journal = Journal::open(storage, JournalOptions::default()).unwrap();
    for record in records {
        journal.append(record).unwrap();
    }
    journal.sync().unwrap();
    directory
}

pub(super) fn exported(directory: &Path) -> Vec<u8> {
    let mut bytes = Vec::new();
    export(directory, (&charter(), &fixture::charter_text(None)), &mut bytes, |_| {}).unwrap();
    bytes
}

pub(super) fn imported(directory: &Path, archive: &[u8]) -> Result<Imported, ImportError> {
    let own = MemberKey::from_bytes(SigningKey::from_bytes(&[1; 32]).verifying_key().to_bytes());
    import(directory, &charter(), &own, [Cursor::new(archive)], |_| {})
}

/// Where and what an import stumbles over; nothing may be left of it.
pub(super) fn refused(archive: &[u8]) -> (u64, LineFault) {
    let directory = tempfile::tempdir().unwrap();
    let error = imported(directory.path(), archive).unwrap_err();
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0, "nothing is kept: {error}");
    match error {
        ImportError::Line { line, fault, .. } => (line, fault),
        other => panic!("{other}"),
    }
}

/// Export, import and export again give equal bytes; the first line names the charter, the last one counts, roots leave checkpoints out.
#[test]
fn a_round_trip_gives_equal_bytes() {
    let archive = exported(directory(&records()).path());
    let fresh = tempfile::tempdir().unwrap();
    assert_eq!(imported(fresh.path(), &archive).unwrap(), Imported { events: 7, missing: 1, ..Imported::default() });
    assert_eq!(exported(fresh.path()), archive);
    let lines: Vec<&str> = std::str::from_utf8(&archive).unwrap().lines().collect();
    assert_eq!(lines.len(), 9);
    assert!(lines[0].contains(&charter().digest().to_string()));
    let foot: Foot = serde_json::from_str(lines[8]).unwrap();
    assert_eq!(foot.events, 7);
    let sizes: Vec<u64> = foot.trees.iter().map(|tree| tree.size).collect();
    assert_eq!(sizes.iter().sum::<u64>(), 5, "two of alder, three of birch before its hole, no checkpoint: {sizes:?}");
    let again = imported(fresh.path(), &archive).unwrap_err();
    assert!(matches!(again, ImportError::NotEmpty { .. }), "{again}");
    assert_eq!(exported(fresh.path()), archive, "what was there stays");
}

/// An index that is there followed another journal: it is built anew after an import, never believed.
#[test]
fn an_import_distrusts_the_index() {
    let (archive, fresh) = (exported(directory(&records()).path()), tempfile::tempdir().unwrap());
    let index = fresh.path().join("sled");
    std::fs::create_dir(&index).unwrap();
    imported(fresh.path(), &archive).unwrap();
    assert!(watchfire_journal::index::is_distrusted(&index));
}

/// An archive that ends anywhere before its end is cut, wherever that is.
#[test]
fn every_cut_is_found() {
    let archive = exported(directory(&records()).path());
    let line_ends: Vec<usize> = (0..archive.len() - 1).filter(|at| archive[*at] == b'\n').map(|at| at + 1).collect();
    let inside = (1..archive.len()).step_by(211);
    for length in line_ends.into_iter().chain(inside).chain([0, archive.len() - 1]) {
        let (line, fault) = refused(&archive[..length]);
        let expected = 1 + archive[..length].iter().filter(|byte| **byte == b'\n').count() as u64;
        assert_eq!((line, fault), (expected, LineFault::Truncated), "cut at {length}");
    }
}

/// Lines that are missing, doubled, swapped, or put in after the last are named by their number.
#[test]
fn moved_lines_are_found() {
    let archive = String::from_utf8(exported(directory(&records()).path())).unwrap();
    let lines: Vec<&str> = archive.split_inclusive('\n').collect();
    let with = |change: &dyn Fn(&mut Vec<&str>)| {
        let mut lines = lines.clone();
        change(&mut lines);
        refused(lines.concat().as_bytes())
    };
    assert_eq!(
        with(&|lines| {
            lines.remove(3);
        }),
        (4, LineFault::Position { expected: 2, found: 3 })
    );
    assert_eq!(with(&|lines| lines.insert(3, lines[3])).0, 5);
    assert_eq!(with(&|lines| lines.swap(2, 3)), (3, LineFault::Position { expected: 1, found: 2 }));
    assert_eq!(
        with(&|lines| {
            lines.remove(7);
        }),
        (8, LineFault::Sum { field: "count" })
    );
    assert_eq!(with(&|lines| lines.push(lines[1])), (10, LineFault::AfterTheEnd));
    assert!(matches!(
        with(&|lines| {
            lines.remove(0);
        }),
        (1, LineFault::Malformed { .. })
    ));
}

/// Another network's or charter's archive, and one of a later format, are refused in their first line.
#[test]
fn foreign_archives_are_refused() {
    let archive = String::from_utf8(exported(directory(&records()).path())).unwrap();
    let network = charter().network_id().to_string();
    let other = "ab".repeat(32);
    let foreign = archive.replacen(&format!("\"network\":\"{network}\""), &format!("\"network\":\"{other}\""), 1);
    assert!(matches!(refused(foreign.as_bytes()), (1, LineFault::ForeignNetwork { .. })));
    let later = archive.replacen("\"watchfire_log\":3", "\"watchfire_log\":4", 1);
    assert_eq!(refused(later.as_bytes()), (1, LineFault::Format { found: 4 }));
    let version = archive.replacen("\"version\":1", "\"version\":2", 1);
    assert_eq!(refused(version.as_bytes()), (1, LineFault::ForeignCharter));
}

/// Two signed histories are evidence and travel, the importing member's own as well.
#[test]
fn forks_are_kept() {
    let mut liar = Author::new(2, 0xb1);
    let mut records = vec![liar.say(started())];
    records.extend([liar.sealed(note("one")).outer().to_vec(), liar.sealed(note("another")).outer().to_vec()]);
    let archive = exported(directory(&records).path());
    let fresh = tempfile::tempdir().unwrap();
    assert_eq!(imported(fresh.path(), &archive).unwrap(), Imported { events: 3, forked: 1, ..Imported::default() });
    assert_eq!(exported(fresh.path()), archive);
    let (charter, me) = (Arc::new(charter()), SigningKey::from_bytes(&[1; 32]).verifying_key().to_bytes());
    let own = charter.members.iter().find(|(_, member)| *member.node_key.as_bytes() == me).unwrap().0;
    let kept = look(fresh.path(), &charter, own, |_| {}).unwrap();
    assert!(kept.is_sound(), "{:?}", kept.chains);
    assert_eq!(kept.convictions.len(), 1);

    let mut own = Author::new(1, 0xa1);
    let mut records = vec![own.say(started())];
    records.extend([own.sealed(note("one")).outer().to_vec(), own.sealed(note("another")).outer().to_vec()]);
    let archive = exported(directory(&records).path());
    let fresh = tempfile::tempdir().unwrap();
    assert_eq!(imported(fresh.path(), &archive).unwrap(), Imported { events: 3, forked: 1, ..Imported::default() });
    assert_eq!(exported(fresh.path()), archive);
}

/// Signed by nobody of the charter, or stored twice: refused.
#[test]
fn strangers_and_duplicates_are_refused() {
    let stranger = Author::new(77, 1).say(started());
    let archive = exported(directory(&[stranger]).path());
    assert!(matches!(refused(&archive), (2, LineFault::UnknownAuthor { .. })));
    let twice = Author::new(2, 1).say(started());
    let archive = exported(directory(&[twice.clone(), twice]).path());
    assert!(matches!(refused(&archive), (3, LineFault::Chain { .. })));
}

/// The last line is covered by no digest: written in any other way than an export writes it, it is refused though it says the same.
#[test]
fn the_last_line_has_one_spelling() {
    let archive = ARCHIVE.clone();
    let last = 1 + archive[..archive.len() - 1].iter().rposition(|byte| *byte == b'\n').unwrap();
    for at in last..archive.len() {
        let mut other = archive.clone();
        if other[at].is_ascii_lowercase() {
            other[at].make_ascii_uppercase();
            assert_eq!(refused(&other).0, 9, "byte {at}");
        }
    }
    let spaced = [&archive[..archive.len() - 1], b" \n"].concat();
    assert!(matches!(refused(&spaced), (9, LineFault::Malformed { .. })));
}

static ARCHIVE: LazyLock<Vec<u8>> = LazyLock::new(|| exported(directory(&records()).path()));

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Whatever byte is changed, the archive is refused, no earlier than its line and no later than the last one.
    #[test]
    fn every_altered_byte_is_found(at in any::<prop::sample::Index>(), flip in 1_u8..=255) {
        let mut archive = ARCHIVE.clone();
        let at = at.index(archive.len());
        archive[at] ^= flip;
        let own = 1 + archive[..at].iter().filter(|byte| **byte == b'\n').count() as u64;
        let (line, _) = refused(&archive);
        prop_assert!(line >= own && line <= 10, "byte {} of line {}, found in line {}", at, own, line);
    }
}
