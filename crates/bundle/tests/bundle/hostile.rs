//! What one member can sign that a log keeps, and what a log no longer holds: the bundle is made all the same, what others said holds, and
//! what is not so or not there is told.

use std::collections::BTreeSet;

use alloy_consensus::Header;
use alloy_primitives::B256;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use watchfire_bundle::{Outcome, Report, build, build_within, verify};
use watchfire_transparency::{Frontier, Tree};
use watchfire_types::body::{
    self, Body, CheckpointFault, EvidenceCollected, EvidenceItem, EvidenceKind, Executed, FaultProof, HumanStatement,
    Inconsistency,
};
use watchfire_types::{Bytes, ChainBase, CharterVersion, IncidentId, Seq};
use watchfire_wire::bundle::Bundle;

use crate::fixture::{Story, block, charter, empty_slots, human, whole};

/// Room that a single author can fill quickly.
const LITTLE: u64 = 4 << 20;

fn judged(file: &Bytes) -> Report {
    let report = verify(file, Some(&charter()));
    assert!(report.holds, "{:?}", report.first_failure);
    report
}

/// Names and details of what is open.
fn open(report: &Report) -> Vec<(&'static str, &str)> {
    let open = report.checks.iter().filter(|check| check.outcome == Outcome::Open);
    open.map(|check| (check.name, check.detail.as_str())).collect()
}

fn note(incident: IncidentId) -> Body {
    let human = body::Human { reason: "x".repeat(1_000), ..human() };
    Body::Note(HumanStatement { incident, human })
}

/// A certificate and a co-signature of a charter version that nobody adopted, and a clock that goes back.
pub(crate) fn liar() -> Story {
    let mut story = Story::whole();
    let incident = story.incident();
    let of = |wanted: fn(&Body) -> bool| story.authors[0].log.iter().find(|event| wanted(&event.body)).unwrap().clone();
    let certificate = of(|body| matches!(body, Body::Certificate(_)));
    let signature = of(|body| matches!(body, Body::CoSignature(_)));
    let (Body::Certificate(certificate), Body::CoSignature(signature)) = (&certificate.body, &signature.body) else {
        panic!("{certificate:?}")
    };
    let (mut certificate, mut signature) = (certificate.clone(), signature.clone());
    certificate.decision.version = CharterVersion::new(7);
    signature.version = CharterVersion::new(7);
    let liar = &mut story.authors[4];
    liar.says(Body::Certificate(certificate));
    liar.says(Body::CoSignature(signature));
    liar.says_at(1, note(incident));
    liar.says_at(0, note(incident));
    story
}

/// What names a charter version that is not here, and a clock that slips, is its author's falsehood and fails nothing.
#[test]
fn foreign_versions_and_clocks_are_statements() {
    let report = judged(&liar().bundle());
    let statements: Vec<_> = open(&report).into_iter().filter(|(name, _)| *name == "statement").collect();
    assert_eq!(statements.len(), 3, "{statements:?}");
    let text = format!("{statements:?}");
    assert!(text.contains("charter version 7") && text.contains("clock does not grow at 2 place(s)"), "{text}");
    let liar = story_member(4);
    let named = |check: &&watchfire_bundle::Check| check.name == "statement" && !check.subject.contains(&liar);
    assert_eq!(report.checks.iter().find(named), None);
}

fn story_member(index: usize) -> String {
    Story::whole().authors[index].member.to_string()
}

pub(crate) fn manifest(story: &Story) -> EvidenceCollected {
    let found = story.authors[0].log.iter().find_map(|event| match &event.body {
        Body::EvidenceCollected(collected) => Some(collected.clone()),
        _ => None,
    });
    found.unwrap()
}

/// An object of which only a liar's manifest speaks, with another size.
pub(crate) fn sizes() -> Story {
    let mut story = Story::whole();
    let content = Bytes::from_static(b"{}");
    let object = B256::from_slice(&Sha256::digest(&content));
    let mut lie = manifest(&story);
    lie.items.truncate(1);
    lie.items[0] = EvidenceItem { kind: EvidenceKind::Logs, object, size: 9, ..lie.items[0].clone() };
    story.objects.insert(object, content);
    story.authors[4].says(Body::EvidenceCollected(lie));
    story
}

/// A size that is not so fails no object, though nobody else names it.
#[test]
fn only_a_liar_names_the_size() {
    let report = judged(&sizes().bundle());
    assert!(open(&report).contains(&("statement", "a manifest says it has 9 bytes, which it has not")), "{report:#?}");
}

/// A liar that says the same objects are of another kind hides nothing of what they prove.
#[test]
fn another_kind_hides_nothing() {
    let mut story = Story::whole();
    let mut lie = manifest(&story);
    lie.items.iter_mut().for_each(|item| item.kind = EvidenceKind::Logs);
    story.authors[4].says(Body::EvidenceCollected(lie));
    let bundle = Bundle::decode(&story.bundle()).unwrap();
    assert_eq!(bundle.blocks, Bundle::decode(&Story::whole().bundle()).unwrap().blocks);
}

/// What an operator answered about an account that is nobody's in the charter says nothing about the incident, and is not asked for.
#[test]
fn a_strangers_state_is_not_missed() {
    let mut story = Story::whole();
    let content = Bytes::from_static(
        br#"{"result":{"address":"0x0000000000000000000000000000000000000002","storageProof":[{"key":"0x3"}]}}"#,
    );
    let object = B256::from_slice(&Sha256::digest(&content));
    let mut more = manifest(&story);
    more.items.truncate(1);
    let (kind, size) = (EvidenceKind::StateProof, content.len() as u64);
    more.items[0] = EvidenceItem { kind, object, size, ..more.items[0].clone() };
    story.objects.insert(object, content);
    story.authors[4].says(Body::EvidenceCollected(more));
    let report = judged(&story.bundle());
    assert!(!open(&report).iter().any(|(name, _)| *name == "state-left-out"), "{:?}", open(&report));
}

/// Words about something else between two of this incident, more than the liar's part of the room; or words of this incident alone.
pub(crate) fn filler(of_incident: bool) -> Story {
    let mut story = Story::whole();
    story.room = LITTLE;
    let incident = story.incident();
    let filler = if of_incident { incident } else { IncidentId::from_bytes([7; 32]) };
    story.authors[4].says(note(incident));
    for _ in 0..700 {
        story.authors[4].says(note(filler));
    }
    story.authors[4].says(note(incident));
    story
}

/// Filler between two words is left out, counted, and takes nobody's room.
#[test]
fn filler_is_left_out() {
    let story = filler(false);
    let file = story.bundle();
    assert!(file.len() as u64 <= LITTLE, "{}", file.len());
    let report = judged(&file);
    let gap =
        |(name, detail): &(&str, &str)| *name == "chain" && detail.contains("701 position(s) between are not here");
    assert!(open(&report).iter().any(gap), "{:?}", open(&report));
    let before = Bundle::decode(&Story::whole().bundle()).unwrap();
    let after = Bundle::decode(&file).unwrap();
    let liar = story.authors[4].key();
    let others = |bundle: &Bundle| -> Vec<_> {
        bundle.segments.iter().filter(|segment| segment.author != liar).cloned().collect()
    };
    assert_eq!(others(&after), others(&before));
    assert!(after.left_out.is_empty(), "{:?}", after.left_out);
    let words = |segment: &&watchfire_wire::bundle::Segment| segment.author == liar;
    // Its word in the story and these two; its checkpoint between is no word of the incident.
    assert_eq!(after.segments.iter().find(words).unwrap().events.len(), 3);
}

/// What belongs and has no room is counted.
#[test]
fn what_has_no_room_is_counted() {
    let story = filler(true);
    let file = story.bundle();
    assert!(file.len() as u64 <= LITTLE, "{}", file.len());
    let report = judged(&file);
    let bundle = Bundle::decode(&file).unwrap();
    let [left] = bundle.left_out.as_slice() else { panic!("{:?}", bundle.left_out) };
    let liar = bundle.segments.iter().find(|segment| segment.author == left.author).unwrap();
    assert_eq!(left.author, story.authors[4].key());
    assert_eq!((liar.events.len() as u64 + left.no_room, left.pruned, liar.missing), (703, 0, 1));
    assert!(left.no_room > 0 && open(&report).iter().any(|(name, _)| *name == "left-out"));
}

/// An event that belongs only by one that had no room does not stand at an end without it.
#[test]
fn what_rests_on_the_missing_goes_with_it() {
    let mut story = filler(true);
    let signature = story.authors[0].log.iter().find_map(|event| match &event.body {
        Body::CoSignature(signature) => Some(signature.clone()),
        _ => None,
    });
    let mut signature = signature.unwrap();
    signature.transaction.nonce += alloy_primitives::U256::from(1);
    let safe = story.charter.safes.values().next().unwrap().clone();
    let hash = signature.transaction.hashes(safe.version, signature.chain.get(), safe.address).safe_tx_hash;
    story.authors[4].says(Body::CoSignature(signature));
    let executed = Executed { block: block(130), safe: safe.address, safe_transaction: hash, transaction: hash };
    let executed = story.authors[3].says(Body::Executed(executed));
    let bundle = story.bundle();
    judged(&bundle);
    let events: Vec<_> = Bundle::decode(&bundle).unwrap().segments.into_iter().flat_map(|s| s.events).collect();
    assert!(!events.contains(executed.outer()));
}

/// Many copies of one certificate, many proofs of one fault: one of each is enough.
#[test]
fn what_says_the_same_stands_once() {
    let mut story = Story::whole();
    let incident = story.incident();
    story.authors[4].says(note(incident));
    let first = story.authors[4].log[1].to_unverified();
    let said: Vec<_> = (0..40_u8).map(|n| note(IncidentId::from_bytes([n; 32]))).collect();
    for said in said {
        let (a, b) = (first.clone(), story.authors[4].forks(1, said));
        let (first, second) = if a.hash() < b.hash() { (a, b) } else { (b, a) };
        let proof = FaultProof { first: Box::new(first), second: Box::new(second) };
        story.authors[4].says(Body::FaultProof(proof));
    }
    let bundle = story.bundle();
    let report = judged(&bundle);
    assert_eq!(report.checks.iter().filter(|check| check.name == "fault-proof").count(), 1);
}

/// Objects that take more than their collector's part of the room, and a header beyond the format's bound: the others' evidence stays.
#[test]
fn big_objects_take_nobodys_room() {
    let mut story = Story::whole();
    story.room = LITTLE;
    let mut lie = manifest(&story);
    let honest: Vec<B256> = lie.items.iter().map(|item| item.object).collect();
    let template = lie.items[0].clone();
    lie.items.clear();
    for n in 0..3 {
        let content = Bytes::from(vec![n; 1_500_000]);
        let object = B256::from_slice(&Sha256::digest(&content));
        lie.items.push(EvidenceItem { kind: EvidenceKind::Logs, object, size: 1_500_000, ..template.clone() });
        story.objects.insert(object, content);
    }
    let header =
        Header { number: 140, timestamp: 1_700_000_140, extra_data: vec![1; 5_000].into(), ..Header::default() };
    let mut answer = serde_json::to_value(&header).unwrap();
    answer["hash"] = json!(header.hash_slow());
    let content = Bytes::from(serde_json::to_vec(&json!({ "result": answer })).unwrap());
    let object = B256::from_slice(&Sha256::digest(&content));
    let block = watchfire_types::BlockRef { hash: header.hash_slow(), ..block(140) };
    lie.items.push(EvidenceItem { block, object, size: content.len() as u64, ..template });
    story.objects.insert(object, content);
    story.authors[4].says(Body::EvidenceCollected(lie));
    let file = story.bundle();
    assert!(file.len() as u64 <= LITTLE, "{}", file.len());
    let report = judged(&file);
    let bundle = Bundle::decode(&file).unwrap();
    for object in honest {
        assert!(bundle.objects.iter().any(|held| held.digest == object), "{object}");
    }
    assert_eq!(bundle.blocks, Bundle::decode(&Story::whole().bundle()).unwrap().blocks);
    let away = open(&report)
        .iter()
        .filter(|(name, detail)| *name == "custody" && detail.contains("not in the bundle"))
        .count();
    assert!(away >= 2, "{:?}", open(&report));
}

/// The story of a node that does not hold one event of the first author's: what comes after it is not dropped.
pub(crate) fn gap() -> Bytes {
    let story = Story::whole();
    let mut parts = story.parts();
    let author = story.authors[0].key();
    parts.events.retain(|event| event.author != author || event.seq != Seq::new(3));
    build(&parts).unwrap()
}

/// A gap in what is held is stated, and what stands behind it is shown.
#[test]
fn a_gap_is_told() {
    let file = gap();
    let report = judged(&file);
    let open = open(&report);
    assert!(open.iter().any(|(name, detail)| *name == "chain" && detail.contains("1 position(s)")), "{open:?}");
    let author = Story::whole().authors[0].key();
    let mut bundle = Bundle::decode(&file).unwrap();
    let segment = bundle.segments.iter_mut().find(|segment| segment.author == author).unwrap();
    assert_eq!((segment.events.len(), segment.missing), (6, 1));
    for missing in [0, 2] {
        let segment = bundle.segments.iter_mut().find(|segment| segment.author == author).unwrap();
        segment.missing = missing;
        let failure = verify(&bundle.encode().unwrap(), Some(&charter())).first_failure.unwrap();
        assert_eq!(failure.name, "chain", "{failure:?}");
    }
}

/// The story of a node that pruned the first author's first events, but for those that it keeps.
pub(crate) fn pruned(kept: &[u64]) -> Bytes {
    let mut story = Story::whole();
    let chain = &story.authors[0].log;
    let (next, last) = (Seq::new(3), &chain[2]);
    let mut tree = Frontier::new();
    chain[..3].iter().for_each(|event| tree.push(event.outer()));
    story.pruned.push(ChainBase {
        author: last.author,
        epoch: last.epoch,
        next,
        head: last.hash(),
        clock: last.time,
        slipped: false,
        digest: [0; 32],
        digested: 0,
        leaves: tree.size(),
        subtrees: tree.subtrees().to_vec(),
    });
    let author = last.author;
    let mut parts = story.parts();
    parts.events.retain(|event| event.author != author || event.seq >= next || kept.contains(&event.seq.get()));
    build_within(&parts, story.bounds()).unwrap()
}

/// After a pruning the rest of the chain is proved from the subtrees of what went; what was kept from before is shown without a proof, and
/// what went is told.
#[test]
fn a_pruned_chain_is_proved() {
    let report = judged(&pruned(&[]));
    let names: Vec<_> = open(&report).into_iter().map(|(name, _)| name).collect();
    assert!(names.contains(&"left-out") && !names.contains(&"inclusion") && !names.contains(&"chain"), "{names:?}");
    let left = Bundle::decode(&pruned(&[])).unwrap().left_out;
    assert_eq!(left.iter().map(|left| (left.no_room, left.pruned)).collect::<Vec<_>>(), [(0, 3)]);

    let file = pruned(&[0, 1]);
    let report = judged(&file);
    let inclusion = open(&report).into_iter().find(|(name, _)| *name == "inclusion").unwrap().1.to_owned();
    assert!(inclusion.contains("5 events; 1 beside which its maker had pruned"), "{inclusion}");
    let mut bundle = Bundle::decode(&file).unwrap();
    assert_eq!(bundle.left_out.iter().map(|left| left.pruned).collect::<Vec<_>>(), [1]);
    bundle.segments.iter_mut().for_each(|segment| segment.pruned = 0);
    assert_eq!(verify(&bundle.encode().unwrap(), None).first_failure.unwrap().name, "inclusion");
}

/// A checkpoint fault of each sort: two trees, one checkpoint, and one of which the path is not so.
pub(crate) fn checkpoint_fault(against: bool, forged: bool) -> Story {
    let mut story = Story::whole();
    let accused = &story.authors[2];
    let (author, epoch) = (accused.key(), accused.log[0].epoch);
    let of = accused.log.iter().find_map(|event| match &event.body {
        Body::Checkpoint(checkpoint) => Some(checkpoint.clone()),
        _ => None,
    });
    let checkpoint = of.unwrap();
    let (size, larger) = (checkpoint.size, checkpoint.size + 3);
    let tree: Tree = (0..larger).map(u64::to_be_bytes).collect();
    let mut path: Vec<B256> = tree.consistency(size, larger).unwrap().path.into_iter().map(B256::from).collect();
    if forged {
        path[0] = B256::ZERO;
    }
    let prefix_root = B256::from(tree.root_at(size).unwrap());
    let large = accused.states(larger, tree.root_at(larger).unwrap());
    let against = against.then_some(Inconsistency { checkpoint: large, prefix_root, path });
    story.authors[1].says(Body::CheckpointFault(CheckpointFault { author, epoch, checkpoint, against }));
    let incident = story.incident();
    story.authors[1].says(note(incident));
    story
}

/// Two checkpoints that contradict each other convict, one alone is open, and a path that is not so fails.
#[test]
fn checkpoint_faults() {
    let outcome = |story: Story| {
        let report = verify(&story.bundle(), Some(&charter()));
        let found = report.checks.iter().find(|check| check.name == "fault-proof").map(|check| check.outcome);
        found.unwrap()
    };
    assert_eq!(outcome(checkpoint_fault(true, false)), Outcome::Holds);
    assert_eq!(outcome(checkpoint_fault(false, false)), Outcome::Open);
    assert_eq!(outcome(checkpoint_fault(true, true)), Outcome::Fails);
}

/// Bundles with events that only a program of its own makes: an authority of no kind, and a certificate with a vote that is none.
pub(crate) fn odd() -> Vec<(&'static str, Bytes)> {
    let of = |wanted: fn(&Body) -> bool, path: &[u64], content: &[u8]| {
        let story = Story::whole();
        let event = story.authors[0].log.iter().find(|event| wanted(&event.body)).unwrap();
        let odd = story.authors[0].odd(event.outer(), path, content);
        let mut bundle = Bundle::decode(&story.bundle()).unwrap();
        let place = bundle.segments.iter_mut().flat_map(|segment| &mut segment.events);
        place.filter(|outer| *outer == event.outer()).for_each(|outer| *outer = odd.clone());
        bundle.encode().unwrap()
    };
    vec![
        ("an authority of no kind", of(|body| matches!(body, Body::CoSignature(_)), &[21, 2], b"")),
        ("an odd vote", of(|body| matches!(body, Body::Certificate(_)), &[20, 5], b"odd")),
    ]
}

/// A block that an event of the incident names, with state of it that nobody says to have collected.
pub(crate) fn uncollected() -> Bytes {
    let (mut story, other) = (Story::whole(), Story::other());
    let executed = |story: &Story| {
        let mut bodies = story.authors[0].log.iter().map(|event| &event.body);
        bodies.find_map(|body| if let Body::Executed(executed) = body { Some(executed.clone()) } else { None })
    };
    let block = executed(&other).unwrap().block;
    let stated = Executed { block, ..executed(&story).unwrap() };
    story.authors[4].says(Body::Executed(stated));
    let mut bundle = Bundle::decode(&story.bundle()).unwrap();
    let mut theirs = Bundle::decode(&other.bundle()).unwrap().blocks.remove(0);
    theirs.receipts.clear();
    bundle.blocks.push(theirs);
    bundle.blocks.sort_by_key(|block| (block.chain, block.hash));
    bundle.encode().unwrap()
}

#[test]
fn state_that_nobody_collected_fails() {
    let failure = verify(&uncollected(), Some(&charter())).first_failure.unwrap();
    assert_eq!((failure.name, failure.detail.as_str()), ("account", "no manifest has state of this block"));
}

/// Zero is shown wherever the path of a slot ends.
pub(crate) fn zeros() -> Bytes {
    let mut bundle = Bundle::decode(&whole()).unwrap();
    let slots = &mut bundle.blocks[0].accounts[0].slots;
    slots.extend(empty_slots());
    slots.sort_by_key(|slot| slot.slot);
    bundle.encode().unwrap()
}

#[test]
fn zero_slots_hold() {
    let report = judged(&zeros());
    assert!(report.holds, "{report:#?}");
    let lengths: BTreeSet<usize> = empty_slots().iter().map(|slot| slot.proof.len()).collect();
    assert!(lengths.len() > 1, "some paths end sooner than others");
}

/// What nobody can read is no event: it fails as such.
#[test]
fn odd_events_fail_as_signatures() {
    for (what, file) in odd() {
        let failure = verify(&file, Some(&charter())).first_failure.unwrap();
        assert_eq!(failure.name, "signature", "{what}: {failure:?}");
    }
}
