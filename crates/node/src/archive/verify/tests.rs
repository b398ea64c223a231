//! Archives checked offline: a whole one, lies of its authors, lines of witnesses, and every cut and altered byte.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::io::Cursor;
use std::path::Path;
use std::sync::LazyLock;

use ed25519_dalek::Signer as _;
use proptest::prelude::*;
use sha2::{Digest as _, Sha256};
use watchfire_journal::FileStorage;
use watchfire_transparency::{Origin, SignedCheckpoint, Statement};

use super::*;
use crate::archive::tests::{Author, charter, directory, exported, imported, note, refused, started};
use crate::archive::{LineFault, charter_in};
use crate::kept::witness_directories;

const TIME_S: u64 = 1_800_000_000;

fn verified(archive: &[u8]) -> ArchiveReport {
    verify(Cursor::new(archive), &charter(), KeysOf::Known).unwrap()
}

fn member(number: u8) -> MemberId {
    let key = MemberKey::from_bytes(Author::new(number, 0).key.verifying_key().to_bytes());
    charter().member_by_key(&key).unwrap().0.clone()
}

/// What an author of this number states of a tree, signed.
fn stated(author: u8, epoch: u8, tree: &Frontier) -> (Checkpoint, body::Checkpoint) {
    let origin =
        Origin { network: charter().network_id(), member: member(author), epoch: Epoch::from_bytes([epoch; 16]) };
    let checkpoint = Checkpoint { origin, size: tree.size(), root: tree.root() };
    let signature = Author::new(author, 0).key.sign(Statement::Checkpoint(&checkpoint).text().as_bytes()).to_bytes();
    let body = body::Checkpoint { member: member(author), size: tree.size(), root: B256::from(tree.root()), signature };
    (checkpoint, body)
}

/// A witness's message about it.
fn line(author: u8, (checkpoint, body): &(Checkpoint, body::Checkpoint), witness: u8) -> String {
    let by = Author::new(witness, 0).key;
    let signature = by.sign(Statement::Witnessed(checkpoint, TIME_S).text().as_bytes()).to_bytes();
    let witnessed = Witnessed { witness: member(witness), time_s: TIME_S, signature };
    let key = |number| MemberKey::from_bytes(Author::new(number, 0).key.verifying_key().to_bytes());
    let mut note = SignedCheckpoint::new(checkpoint.clone(), &key(author), &body.signature);
    note.witnessed(&witnessed, &key(witness));
    note.to_string()
}

fn with_lines(directory: &Path, lines: &[String]) {
    let storages = witness_directories(directory).map(|side| FileStorage::open(&side).unwrap());
    let kept = watchfire_driver::keep_witness_messages(storages, &charter(), &member(1), lines).unwrap();
    assert_eq!(kept, lines.len() as u64);
}

/// Birch's chain with a checkpoint that two witnessed and an event after it, and a word of alder's.
fn whole() -> Vec<u8> {
    let (mut alder, mut birch, mut tree) = (Author::new(1, 0xa1), Author::new(2, 0xb1), Frontier::new());
    let mut records = vec![birch.say(started()), birch.say(note("first"))];
    records.iter().for_each(|record| tree.push(record));
    let stated = stated(2, 0xb1, &tree);
    records.extend([birch.say(Body::Checkpoint(stated.1.clone())), birch.say(note("second")), alder.say(started())]);
    let directory = directory(&records);
    with_lines(directory.path(), &[line(2, &stated, 3), line(2, &stated, 4)]);
    exported(directory.path())
}

static ARCHIVE: LazyLock<Vec<u8>> = LazyLock::new(whole);

fn found<'a>(report: &'a ArchiveReport, name: &str, subject: &str) -> Option<(Outcome, &'a str)> {
    let mut checks = report.checks.iter();
    let check = checks.find(|check| check.name == name && check.subject.starts_with(subject))?;
    Some((check.outcome, &check.detail))
}

/// The whole with its last line made anew, as who alters an archive would make it.
fn resummed(lines: &[String]) -> Vec<u8> {
    let mut bytes = lines[..lines.len() - 1].concat().into_bytes();
    let mut foot: serde_json::Value = serde_json::from_str(lines.last().unwrap()).unwrap();
    foot["sha256"] = format!("0x{}", hex::encode(Sha256::digest(&bytes))).into();
    let foot: crate::archive::Foot = serde_json::from_value(foot).unwrap();
    bytes.extend(serde_json::to_vec(&foot).unwrap());
    bytes.push(b'\n');
    bytes
}

fn lines() -> Vec<String> {
    std::str::from_utf8(&ARCHIVE).unwrap().split_inclusive('\n').map(str::to_owned).collect()
}

/// Every check of a sound archive is told: form, charter, signatures, and of each chain links, checkpoints and witnesses.
#[test]
fn a_sound_archive_holds_check_by_check() {
    let report = verified(&ARCHIVE);
    assert!(report.holds && report.first_failure.is_none(), "{report:#?}");
    assert_eq!((report.events, report.chains), (5, 2));
    for (name, subject) in [("format", "file"), ("charter-trusted", "version 1"), ("signature", "file")] {
        assert_eq!(found(&report, name, subject).unwrap().0, Outcome::Holds);
    }
    assert_eq!(found(&report, "chain", "birch-1").unwrap(), (Outcome::Holds, "#0 to #3, each names the one before"));
    let checkpoint = (Outcome::Holds, "1 of them, signed; the last is over 2 of 3 events");
    assert_eq!(found(&report, "checkpoint", "birch-1").unwrap(), checkpoint);
    let witness = (Outcome::Holds, "cedar, dogwood saw its first 2 events; 1 are newer");
    assert_eq!(found(&report, "witness", "birch-1").unwrap(), witness);
    assert_eq!(found(&report, "checkpoint", "alder-1").unwrap().0, Outcome::Open, "it made none");
    assert_eq!(report.sha256, Some(B256::from_slice(&Sha256::digest(&*ARCHIVE))));
}

/// What the witnesses said travels: an empty node that imports the archive exports the same bytes.
#[test]
fn witnesses_travel_with_the_log() {
    let fresh = tempfile::tempdir().unwrap();
    let done = imported(fresh.path(), &ARCHIVE).unwrap();
    assert_eq!((done.events, done.witnesses), (5, 2));
    assert_eq!(exported(fresh.path()), *ARCHIVE);
}

/// What members signed and is not so is theirs: a fork, a checkpoint of another tree, one with another's signature. What is not here is open.
#[test]
fn lies_are_told_and_spoil_nothing() {
    let (mut alder, mut birch, mut cedar) = (Author::new(1, 0xa1), Author::new(2, 0xb1), Author::new(3, 0xc1));
    let mut records = vec![birch.say(started()), alder.say(started()), cedar.say(started())];
    records.extend([birch.sealed(note("one")).outer().to_vec(), birch.sealed(note("another")).outer().to_vec()]);
    let mut other = Frontier::new();
    other.push(b"something else");
    records.push(cedar.say(Body::Checkpoint(stated(3, 0xc1, &other).1)));
    let mut own = Frontier::new();
    own.push(&records[1]);
    let mut unsigned = stated(1, 0xa1, &own).1;
    unsigned.signature[0] ^= 1;
    records.push(alder.say(Body::Checkpoint(unsigned)));
    alder.say(note("never came"));
    records.push(alder.say(note("after a hole")));
    let report = verified(&exported(directory(&records).path()));
    assert!(report.holds, "{report:#?}");
    for (subject, says) in
        [("birch-1", "stands at the same place"), ("cedar-1", "not that of"), ("alder-1", "not that of")]
    {
        let (outcome, detail) = found(&report, "statement", subject).unwrap();
        assert!(outcome == Outcome::Open && detail.contains(says), "{detail}");
        assert!(found(&report, "checkpoint", subject).is_none_or(|(outcome, _)| outcome == Outcome::Open));
    }
    let (outcome, detail) = found(&report, "chain", "alder-1").unwrap();
    assert!(outcome == Outcome::Open && detail.contains("1 before or between"), "{detail}");
}

/// A line of a witness counts for the very checkpoint that an event before it states, signed by a member that is not its author; in one order.
#[test]
fn false_witnesses_are_refused() {
    let whole = lines();
    let (at, text) = (6, &whole[6]);
    assert!(text.starts_with("{\"witness\"") && whole.len() == 9, "{whole:#?}");
    let refused = |change: &dyn Fn(&mut Vec<String>)| {
        let mut changed = whole.clone();
        change(&mut changed);
        let bytes = resummed(&changed);
        let report = verified(&bytes);
        assert!(!report.holds, "{report:#?}");
        match refused(&bytes) {
            (line, LineFault::Witness { reason }) => (line, reason),
            other => panic!("{other:?}"),
        }
    };
    let of = |stated: &(Checkpoint, body::Checkpoint), author, witness| {
        let line = crate::archive::WitnessLine { witness: line(author, stated, witness) };
        format!("{}\n", serde_json::to_string(&line).unwrap())
    };
    let mut other = Frontier::new();
    other.push(b"something else");
    let never = of(&stated(2, 0xb1, &other), 2, 3);
    assert!(refused(&|lines| lines[at] = never.clone()).1.contains("no event before it states"));
    let mut tree = Frontier::new();
    let outers = whole[1..3].iter().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    outers.for_each(|line| tree.push(&hex::decode(line["outer"].as_str().unwrap()).unwrap()));
    let itself = of(&stated(2, 0xb1, &tree), 2, 2);
    assert!(refused(&|lines| lines[at] = itself.clone()).1.contains("not exactly"));
    assert!(refused(&|lines| lines.swap(6, 7)).1.contains("after the one before"));
    assert!(refused(&|lines| lines.insert(7, text.clone())).1.contains("after the one before"));
    // Another's signature under the name.
    let forged = of(&stated(2, 0xb1, &tree), 2, 3);
    let note: serde_json::Value = serde_json::from_str(&forged).unwrap();
    let last = note["witness"].as_str().unwrap().trim_end().rsplit(' ').next().unwrap().to_owned();
    let middle = last.len() / 2;
    let turned =
        format!("{}{}{}", &last[..middle], if &last[middle..=middle] == "A" { "B" } else { "A" }, &last[middle + 1..]);
    assert!(!refused(&|lines| lines[at] = forged.replace(&last, &turned)).1.is_empty());
}

/// Events stand before the lines of witnesses, so that a log has one archive.
#[test]
fn an_event_after_a_witness_is_refused() {
    let mut moved = lines();
    assert!(verified(&resummed(&moved)).holds);
    moved.swap(5, 6);
    let report = verified(&resummed(&moved));
    assert!(report.first_failure.unwrap().detail.contains("after a witness's line"));
}

/// The whole as of another format, with the charter's document as this makes it.
fn of_format(format: u32, document: impl FnOnce(String) -> Option<String>) -> Vec<String> {
    let mut lines = lines();
    let mut head: crate::archive::Head = serde_json::from_str(&lines[0]).unwrap();
    head.watchfire_log = format;
    head.charters[0].toml = document(head.charters[0].toml.take().unwrap());
    lines[0] = format!("{}\n", serde_json::to_string(&head).unwrap());
    lines
}

/// Archives of the first format, which have no witnesses, and of the second, which have no charter's document, are read as they ever were; one
/// that claims to be of it and has more is not.
#[test]
fn earlier_formats_are_read() {
    let first = |with: bool| {
        let mut lines = of_format(1, |_| None);
        lines.retain(|line| with || !line.starts_with("{\"witness\""));
        resummed(&lines)
    };
    let second = resummed(&of_format(2, |_| None));
    for (archive, witness) in [(&first(false), Outcome::Open), (&second, Outcome::Holds)] {
        let report = verified(archive);
        assert!(report.holds, "{report:#?}");
        assert_eq!(found(&report, "witness", "birch-1").unwrap().0, witness);
        assert!(imported(tempfile::tempdir().unwrap().path(), archive).is_ok());
        let Err(ReadError::Line { line: 1, fault: LineFault::NoCharter { .. } }) = charter_in(archive.as_slice())
        else {
            panic!("no charter is in it")
        };
    }
    assert!(matches!(refused(&first(true)), (7, LineFault::Witness { .. })));
    assert!(matches!(refused(&resummed(&of_format(2, Some))), (1, LineFault::CharterText { .. })));
}

/// An archive alone is enough to check it by: with its own charter's keys, which is said and stays open. A document of another charter is none.
#[test]
fn an_archive_brings_its_charter() {
    let own = charter_in(ARCHIVE.as_slice()).unwrap();
    assert_eq!(own.digest(), charter().digest());
    let report = verify(ARCHIVE.as_slice(), &own, KeysOf::Archive).unwrap();
    assert!(report.holds, "{report:#?}");
    let (outcome, detail) = found(&report, "charter-trusted", "version 1").unwrap();
    assert!(outcome == Outcome::Open && detail.contains(&own.digest().to_string()), "{detail}");
    let other = |text: String| Some(text.replacen("name = \"five\"", "name = \"six\"", 1));
    for document in [&other as &dyn Fn(String) -> Option<String>, &|_| None, &|_| Some("version = 1".to_owned())] {
        let archive = resummed(&of_format(3, document));
        assert!(matches!(refused(&archive), (1, LineFault::CharterText { .. })));
        assert!(matches!(charter_in(archive.as_slice()), Err(ReadError::Line { line: 1, .. })));
    }
}

/// Wherever the file is cut, it does not hold.
#[test]
fn no_cut_holds() {
    let line_ends = (1..ARCHIVE.len()).filter(|at| ARCHIVE[at - 1] == b'\n');
    for length in (0..ARCHIVE.len()).step_by(13).chain(line_ends).chain([ARCHIVE.len() - 1]) {
        let report = verified(&ARCHIVE[..length]);
        assert!(!report.holds && report.first_failure.is_some(), "cut at {length}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Whatever byte is altered, it does not hold.
    #[test]
    fn no_altered_byte_holds(at in any::<prop::sample::Index>(), flip in 1_u8..=255) {
        let mut archive = ARCHIVE.clone();
        let at = at.index(archive.len());
        archive[at] ^= flip;
        prop_assert!(!verified(&archive).holds, "byte {}", at);
    }
}
