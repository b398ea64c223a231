//! Pruning a log of two honest members and a liar: what goes, what stays, what is refused, and the way back.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;

use ed25519_dalek::{Signer as _, SigningKey};
use tempfile::TempDir;
use watchfire_journal::{Journal, JournalOptions};
use watchfire_transparency::{Checkpoint, Frontier, Origin, SignedCheckpoint, Statement};
use watchfire_types::body::{self, EpochHead, HumanStatement, Started};
use watchfire_types::{BlockRef, BlockTime, Body, ChainId, IncidentId, Severity};
use watchfire_wire::seal;

use super::*;
use crate::archive::{ImportError, export, import};
use crate::run::fixture;
use crate::trees::Chain;

mod beside;
mod coverage;
mod damaged;
mod driven;
mod kinds;

const LONG_AGO: u64 = 1_600_000_000_000;
const NOW: u64 = 1_800_000_000_000;
const SMALL: JournalOptions = JournalOptions { segment_bytes: 4096, chunk_bytes: 4096, reserve_bytes: 0 };

fn charter() -> Arc<Charter> {
    Arc::new(watchfire_charter::parse(&fixture::charter_text(None)).unwrap().0)
}

fn member(name: &str) -> MemberId {
    name.parse().unwrap()
}

/// One member's one epoch.
struct Author {
    name: &'static str,
    key: SigningKey,
    epoch: Epoch,
    seq: u64,
    prev: EventHash,
    time: u64,
    tree: Frontier,
}

impl Author {
    fn new(name: &'static str, number: u8, epoch: u8, time: u64) -> Self {
        let (epoch, prev) = (Epoch::from_bytes([epoch; 16]), EventHash::from_bytes([0; 32]));
        let key = SigningKey::from_bytes(&[number; 32]);
        Self { name, key, epoch, seq: 0, prev, time, tree: Frontier::new() }
    }

    fn member_key(&self) -> MemberKey {
        MemberKey::from_bytes(self.key.verifying_key().to_bytes())
    }

    fn sealed(&self, body: Body) -> watchfire_types::Unverified {
        let event = Event {
            network: charter().network_id(),
            author: self.member_key(),
            epoch: self.epoch,
            seq: Seq::new(self.seq),
            prev: self.prev,
            time: Timestamp::from_millis(self.time),
            body,
        };
        seal(&event, |input| self.key.sign(input).to_bytes()).unwrap()
    }

    fn say(&mut self, body: Body) -> Vec<u8> {
        let leaf = !matches!(body, Body::Checkpoint(_));
        let sealed = self.sealed(body);
        self.seq += 1;
        self.time += 1_000;
        self.prev = sealed.hash();
        if leaf {
            self.tree.push(sealed.outer());
        }
        sealed.outer().to_vec()
    }

    fn start(&mut self, earlier: &[&Author]) -> Vec<u8> {
        let charter = charter();
        let head = |author: &&Author| EpochHead {
            epoch: author.epoch,
            seq: Seq::new(author.seq - 1),
            hash: author.prev,
            checkpoint: None,
        };
        self.say(Body::Started(Started {
            earlier: earlier.iter().map(head).collect(),
            charter_version: charter.version,
            charter_digest: charter.digest(),
            software: "test".into(),
        }))
    }

    fn note(&mut self, number: usize) -> Vec<u8> {
        let human = body::Human { person: "p-1".into(), role: "lead".into(), reason: format!("note {number}") };
        self.say(Body::Note(HumanStatement { incident: IncidentId::from_bytes([7; 32]), human }))
    }

    fn stated(&self) -> Checkpoint {
        let origin = Origin { network: charter().network_id(), member: member(self.name), epoch: self.epoch };
        Checkpoint { origin, size: self.tree.size(), root: self.tree.root() }
    }

    fn checkpoint(&mut self) -> (Vec<u8>, Checkpoint, [u8; 64]) {
        let stated = self.stated();
        let signature = self.key.sign(Statement::Checkpoint(&stated).text().as_bytes()).to_bytes();
        let body =
            body::Checkpoint { member: member(self.name), size: stated.size, root: B256::from(stated.root), signature };
        (self.say(Body::Checkpoint(body)), stated, signature)
    }

    /// This member's line under another's checkpoint.
    fn witnessed(&self, author: &Author, stated: &Checkpoint, signature: &[u8; 64]) -> String {
        let time_s = LONG_AGO / 1_000;
        let by = self.key.sign(Statement::Witnessed(stated, time_s).text().as_bytes()).to_bytes();
        let line = watchfire_transparency::Witnessed { witness: member(self.name), time_s, signature: by };
        let mut note = SignedCheckpoint::new(stated.clone(), &author.member_key(), signature);
        note.witnessed(&line, &self.member_key());
        note.to_string()
    }
}

fn finding(time_s: u64) -> Body {
    let block = BlockRef {
        chain: ChainId::new(31_337),
        number: 100,
        hash: B256::repeat_byte(1),
        time: BlockTime::from_secs(time_s),
    };
    Body::Finding(body::Finding {
        asset: "vault-core".parse().unwrap(),
        detector: "vault-outflow".parse().unwrap(),
        kind: "outflow".into(),
        severity: Severity::Sev1,
        first: block,
        block,
        explanation: "far too much".into(),
        figures: BTreeMap::new(),
    })
}

/// A node directory of alder-1, whose log has one old and one newer own epoch, an honest other and a liar.
struct Place {
    directory: TempDir,
    archive: PathBuf,
}

/// `witnessed`: which of the own epochs' checkpoints birch witnessed.
fn place(witnessed: [bool; 2]) -> Place {
    let directory = tempfile::tempdir().unwrap();
    let (mut first, mut birch) = (Author::new("alder-1", 1, 0xa1, LONG_AGO), Author::new("birch-1", 2, 0xb1, LONG_AGO));
    let mut elm = Author::new("elm-1", 5, 0xe1, LONG_AGO);
    let mut records = vec![first.start(&[]), birch.start(&[]), elm.start(&[])];
    for number in 0..30 {
        records.extend([first.note(number), birch.note(number)]);
        if number == 10 {
            // An incident that nobody ever closed.
            records.push(birch.say(finding(LONG_AGO / 1_000)));
            // A fork: everything of its author stays.
            records.push(elm.sealed(finding(1)).outer().to_vec());
            records.push(elm.note(1));
        }
    }
    let (record, of_first, signature) = first.checkpoint();
    records.push(record);
    let mut lines = Vec::new();
    if witnessed[0] {
        lines.push(birch.witnessed(&first, &of_first, &signature));
    }
    records.push(birch.checkpoint().0);
    for number in 30..35 {
        records.extend([first.note(number), birch.note(number)]);
    }
    // The first epoch ends without a checkpoint over its last words; the second one names them.
    let mut second = Author::new("alder-1", 1, 0xa2, LONG_AGO + 1_000_000);
    records.push(second.start(&[&first]));
    for number in 0..20 {
        records.extend([second.note(number), birch.note(100 + number)]);
    }
    let (record, of_second, signature) = second.checkpoint();
    records.push(record);
    if witnessed[1] {
        lines.push(birch.witnessed(&second, &of_second, &signature));
    }
    // Neither epoch reaches into the segment where what is young begins.
    records.extend((0..80).map(|number| birch.note(200 + number)));
    // What is young fills the segments that stay. Where a segment ends is nobody's to say: all that is old is covered, whatever goes of it.
    birch.time = NOW - 1_000_000;
    let (record, of_birch, signature) = birch.checkpoint();
    records.push(record);
    lines.push(second.witnessed(&birch, &of_birch, &signature));
    records.extend((0..40).map(|number| birch.note(1_000 + number)));
    let mut journal = Journal::open(FileStorage::open(&directory.path().join("journal")).unwrap(), SMALL).unwrap();
    for record in &records {
        journal.append(record).unwrap();
        journal.sync().unwrap();
    }
    drop(journal);
    // As a node keeps them: a generation that is complete, and a line in each record.
    let witness = FileStorage::open(&directory.path().join("witness/0")).unwrap();
    let mut witness = Journal::open(witness, JournalOptions::default()).unwrap();
    witness.append(&[&[1][..], &1_u64.to_be_bytes()].concat()).unwrap();
    witness.append(&[2]).unwrap();
    for line in lines {
        witness.append(&[&[4], line.as_bytes()].concat()).unwrap();
    }
    witness.sync().unwrap();
    let archive = directory.path().join("archive.jsonl");
    let place = Place { directory, archive };
    fs::write(&place.archive, place.exported()).unwrap();
    place
}

impl Place {
    fn path(&self) -> &Path {
        self.directory.path()
    }

    fn exported(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        export(self.path(), (&charter(), &fixture::charter_text(None)), &mut bytes, |_| {}).unwrap();
        bytes
    }

    fn look(&self) -> Kept {
        look(self.path(), &charter(), &member("alder-1"), |_| {}).unwrap()
    }

    fn prune(&self, archives: &[PathBuf], keep_days: u64, dry_run: bool) -> Result<Outcome, PruneError> {
        let options = Options { keep_days, now: Timestamp::from_millis(NOW), dry_run };
        prune(self.path(), &charter(), &member("alder-1"), archives, options, |_| {})
    }

    fn pruned(&self) -> Outcome {
        self.prune(std::slice::from_ref(&self.archive), KEEP_DAYS, false).unwrap()
    }

    fn import(&self, archives: &[&Path]) -> Result<crate::archive::Imported, ImportError> {
        let archives = archives.iter().map(|path| BufReader::new(File::open(path).unwrap()));
        import(self.path(), &charter(), &charter().members[&member("alder-1")].node_key, archives, |_| {})
    }

    fn records(&self) -> Vec<Vec<u8>> {
        let storage = FileStorage::read_only(&self.path().join("journal"));
        let mut records = Vec::new();
        scan(&storage, Position::START, |record| records.push(record.bytes.to_vec())).unwrap();
        records
    }

    fn files(&self) -> BTreeMap<String, Vec<u8>> {
        let journal = fs::read_dir(self.path().join("journal")).unwrap().map(Result::unwrap);
        journal.map(|file| (file.file_name().into_string().unwrap(), fs::read(file.path()).unwrap())).collect()
    }
}

/// A chain that goes on after its beginning was pruned is proved from there on as before, and nothing is proved of what went.
#[test]
fn what_follows_a_pruning_is_proved_as_before() {
    let place = place([true, true]);
    let before = place.look().machine;
    place.pruned();
    let after = place.look().machine;
    let chain = Chain::find(&after, &member("birch-1"), None).unwrap();
    let (whole, rest) = (chain.tree(&before), chain.tree(&after));
    let (pruned, size) = (chain.pruned(&after), whole.size());
    assert!(pruned > 60 && pruned < size && chain.pruned(&before) == 0, "{pruned} of {size}");
    assert_eq!((rest.size(), rest.root_at(size)), (size, whole.root_at(size)));
    for index in pruned..size {
        assert_eq!(rest.inclusion(index, size), whole.inclusion(index, size), "{index}");
    }
    assert_eq!(rest.consistency(pruned, size), whole.consistency(pruned, size));
    assert!(rest.inclusion(0, size).is_err() && rest.root_at(1).is_none());
}

/// What goes is in the archive and nothing that decides: digest, chains and open incidents stay, the log holds and names what was pruned; archive
/// and pruned log together are the whole again.
#[test]
fn pruned_and_made_whole_again() {
    let place = place([true, true]);
    let (before, whole) = (place.look(), place.exported());
    let rehearsed = place.prune(std::slice::from_ref(&place.archive), KEEP_DAYS, true).unwrap();
    assert!(rehearsed.pruned > 60 && rehearsed.reason.is_none(), "{rehearsed:?}");
    assert_eq!(place.exported(), whole, "a dry run changes nothing");
    let outcome = place.pruned();
    assert_eq!((outcome.pruned, outcome.kept), (rehearsed.pruned, rehearsed.kept));
    assert!(outcome.segments > 1 && outcome.bytes > 0, "{outcome:?}");

    let after = place.look();
    assert!(after.report.is_sound() && after.report.pruned == outcome.pruned, "{:?}", after.report);
    assert_eq!(after.report.records + outcome.pruned, before.report.records);
    assert_eq!(after.machine.state_digest(), before.machine.state_digest());
    assert_eq!(after.machine.heads(), before.machine.heads());
    assert_eq!((after.epoch, after.log_root), (before.epoch, before.log_root));
    assert_eq!(after.machine.incidents(), before.machine.incidents(), "one that is not closed stays whole");
    assert_eq!(after.machine.convictions().len(), 1, "so does what convicts");
    let named = after.pruned.unwrap();
    let file: [u8; 32] = <sha2::Sha256 as sha2::Digest>::digest(fs::read(&place.archive).unwrap()).into();
    assert_eq!(named.archives.len(), 1);
    assert_eq!((named.archives[0].sha256, named.archives[0].pruned), (B256::from(file), outcome.pruned));
    assert!(named.archives[0].through.as_millis() < NOW - KEEP_DAYS * DAY_MS);
    assert!(place.prune(std::slice::from_ref(&place.archive), KEEP_DAYS, false).unwrap().pruned == 0, "nothing more");

    // What is exported now says that it is not whole.
    let rest = place.path().join("rest.jsonl");
    fs::write(&rest, place.exported()).unwrap();
    let new = tempfile::tempdir().unwrap();
    let elsewhere = Place { archive: rest.clone(), directory: new };
    assert!(
        matches!(elsewhere.import(&[&rest]), Err(ImportError::Incomplete { missing }) if missing == B256::from(file))
    );
    let imported = elsewhere.import(&[&place.archive, &rest]).unwrap();
    assert_eq!(imported.events, before.report.records);
    assert_eq!(elsewhere.look().machine.state_digest(), before.machine.state_digest());

    assert!(matches!(place.import(&[&rest]), Err(ImportError::NotCovered { .. })));
    assert_eq!(place.look().report.pruned, outcome.pruned, "a refused import changes nothing");
    let imported = place.import(&[&place.archive]).unwrap();
    assert_eq!((imported.events, imported.kept), (before.report.records, 0));
    assert_eq!(place.exported(), whole);
    assert!(!place.path().join("journal.importing").exists());
}

/// Own events that no witnessed checkpoint covers stay; the first event of a covered epoch covers what it names.
#[test]
fn own_events_go_only_where_a_witness_covers_them() {
    let own_gone = |witnessed| {
        let place = place(witnessed);
        let outcome = place.pruned();
        let kept = place.look();
        let own = charter().members[&member("alder-1")].node_key;
        let base = |epoch: u8| kept.machine.base(own, Epoch::from_bytes([epoch; 16])).map_or(0, Seq::get);
        assert_eq!(kept.machine.state_digest(), outcome.state_digest);
        (base(0xa1), base(0xa2), outcome.not_witnessed)
    };
    // 31 leaves, a checkpoint and five more notes; then 21 leaves and a checkpoint.
    assert_eq!(own_gone([true, true]), (37, 21, 1), "the checkpoint that is witnessed is no leaf");
    assert_eq!(own_gone([true, false]), (31, 0, 28));
    assert_eq!(own_gone([false, true]), (37, 21, 1));
    assert_eq!(own_gone([false, false]), (0, 0, 59));
}

/// What archives prove counts, not what the node could: one that was made before the witnesses' lines came covers no own event.
#[test]
fn an_archive_made_before_the_witnesses_proves_nothing() {
    let (early, late) = (place([false, false]), place([true, true]));
    let outcome = late.prune(std::slice::from_ref(&early.archive), KEEP_DAYS, true).unwrap();
    assert_eq!(outcome.not_witnessed, 59);
    assert!(outcome.pruned > 0, "birch's were witnessed by then: {outcome:?}");
    let both = [early.archive.clone(), late.archive.clone()];
    assert_eq!(late.prune(&both, KEEP_DAYS, true).unwrap().not_witnessed, 1);
}

/// Where no witness said anything nothing goes, be it of this node or of another.
#[test]
fn without_witnesses_nothing_goes() {
    let place = place([true, true]);
    fs::remove_dir_all(place.path().join("witness")).unwrap();
    fs::write(&place.archive, place.exported()).unwrap();
    let outcome = place.pruned();
    assert!(outcome.pruned == 0 && outcome.not_witnessed > 59, "{outcome:?}");
    assert!(outcome.reason.unwrap().contains("no checkpoint in the archives that another organisation witnessed"));
}

/// An archive that holds nothing of what goes is not named, so that nobody has to keep it for that.
#[test]
fn only_archives_that_hold_something_are_named() {
    let place = place([true, true]);
    let other = tempfile::tempdir().unwrap();
    let mut journal = Journal::open(FileStorage::open(&other.path().join("journal")).unwrap(), SMALL).unwrap();
    journal.append(&Author::new("birch-1", 2, 0xb7, LONG_AGO).start(&[])).unwrap();
    journal.sync().unwrap();
    drop(journal);
    let mut bytes = Vec::new();
    export(other.path(), (&charter(), &fixture::charter_text(None)), &mut bytes, |_| {}).unwrap();
    let idle = place.path().join("idle.jsonl");
    fs::write(&idle, bytes).unwrap();
    place.prune(&[idle, place.archive.clone()], KEEP_DAYS, false).unwrap();
    assert_eq!(place.look().pruned.unwrap().archives.len(), 1);
    assert_eq!(place.import(&[&place.archive]).unwrap().events, place.look().report.records);
}

/// No days are too many, and where no node ever ran no log is made up.
#[test]
fn odd_questions_have_answers() {
    let place = place([true, true]);
    let outcome = place.prune(std::slice::from_ref(&place.archive), u64::MAX, false).unwrap();
    assert!(outcome.pruned == 0 && outcome.reason.unwrap().contains("younger than the retention"));
    let empty = tempfile::tempdir().unwrap();
    let options = Options { keep_days: KEEP_DAYS, now: Timestamp::from_millis(NOW), dry_run: true };
    let refused = prune(empty.path(), &charter(), &member("alder-1"), &[], options, |_| {}).unwrap_err();
    assert!(matches!(refused, PruneError::Kept(KeptError::Nothing(_))), "{refused:?}");
    assert!(fs::read_dir(empty.path()).unwrap().next().is_none());
}

/// What is too young, not archived, archived with an altered byte, or below the charter's own times is not pruned, and nothing is touched.
#[test]
fn what_is_not_covered_is_not_pruned() {
    let place = place([true, true]);
    let files = place.files();
    let archives = std::slice::from_ref(&place.archive);
    assert_eq!(place.prune(archives, 36_500, false).unwrap().pruned, 0);
    assert!(place.prune(archives, 36_500, false).unwrap().reason.unwrap().contains("younger than the retention"));
    let least = least_days(&charter());
    assert!(matches!(place.prune(archives, least - 1, false), Err(PruneError::TooSoon { .. })));
    assert!(place.prune(archives, least, true).is_ok());
    let mut records = place.records();
    records.remove(1);
    let partial = beside::archived(&place, "partial.jsonl", &records);
    let outcome = place.prune(std::slice::from_ref(&partial), KEEP_DAYS, false).unwrap();
    assert!(outcome.pruned == 0 && outcome.reason.as_ref().unwrap().contains("in none of the archives"), "{outcome:?}");
    // Both together hold everything.
    assert!(place.prune(&[partial, place.archive.clone()], KEEP_DAYS, true).unwrap().pruned > 0);
    let mut altered = fs::read(&place.archive).unwrap();
    let middle = altered.len() / 2;
    altered[middle] ^= 1;
    fs::write(&place.archive, altered).unwrap();
    assert!(matches!(place.prune(archives, KEEP_DAYS, false), Err(PruneError::Archive { .. })));
    assert_eq!(place.files(), files);
}

/// The newest own epoch is the one that no other names as its past, wherever it stands in the log and whatever its clock said.
#[test]
fn the_newest_epoch_is_told_by_what_epochs_name() {
    let mut first = Author::new("alder-1", 1, 0xa1, LONG_AGO);
    let mut records = vec![first.start(&[]), first.note(1)];
    // Its clock had been set back.
    let mut second = Author::new("alder-1", 1, 0xa2, LONG_AGO - 5_000_000);
    records.insert(0, second.start(&[&first]));
    records.insert(1, second.note(2));
    let directory = tempfile::tempdir().unwrap();
    let mut journal = Journal::open(FileStorage::open(&directory.path().join("journal")).unwrap(), SMALL).unwrap();
    for record in &records {
        journal.append(record).unwrap();
    }
    journal.sync().unwrap();
    drop(journal);
    let kept = look(directory.path(), &charter(), &member("alder-1"), |_| {}).unwrap();
    assert_eq!(kept.epoch, Some(second.epoch));
    assert_eq!(kept.log_root, B256::from(second.tree.root()));
}
