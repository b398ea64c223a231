//! What holds, what stays open, and what fails under which name.

use sha2::{Digest as _, Sha256};
use watchfire_bundle::{Outcome, Report, verify};
use watchfire_types::Bytes;
use watchfire_types::body::{Body, Custody};
use watchfire_wire::bundle::{BUNDLE_MAGIC, Bundle, BundledCharter};

use crate::fixture::{CHARTER, Story, charter, stranger, whole};

pub(crate) fn names(report: &Report, outcome: Outcome) -> Vec<&'static str> {
    let mut names: Vec<_> =
        report.checks.iter().filter(|check| check.outcome == outcome).map(|check| check.name).collect();
    names.dedup();
    names
}

/// The whole story holds, and nothing stays open once a charter is given.
#[test]
fn whole_story_holds() {
    let report = verify(&whole(), Some(&charter()));
    assert!(report.holds, "{:#?}", report.first_failure);
    assert_eq!(names(&report, Outcome::Open), Vec::<&str>::new(), "{:#?}", report.checks);
    let expected = [
        "format",
        "charter-digest",
        "charter-text",
        "charter-trusted",
        "incident-id",
        "signature",
        "chain",
        "outside",
        "checkpoint",
        "witness",
        "inclusion",
        "as-of",
        "reference",
        "certificate",
        "co-signature",
        "threshold",
        "header",
        "receipt",
        "account",
        "slot",
        "execution",
        "object",
        "custody",
        "operators",
    ];
    let found = names(&report, Outcome::Holds);
    for name in expected {
        assert!(found.contains(&name), "no check {name}: {found:?}");
    }
}

/// Equal parts in any order make equal bytes.
#[test]
fn order_of_parts_does_not_matter() {
    let story = Story::whole();
    let mut parts = story.parts();
    let bytes = watchfire_bundle::build(&parts).unwrap();
    parts.events.reverse();
    for lines in parts.witnessed.values_mut() {
        lines.reverse();
    }
    assert_eq!(watchfire_bundle::build(&parts).unwrap(), bytes);
}

/// Without a charter of one's own the keys are the bundle's word; with another one the bundle fails.
#[test]
fn trust_comes_from_outside() {
    let file = whole();
    let report = verify(&file, None);
    assert!(report.holds);
    assert_eq!(names(&report, Outcome::Open), ["charter-trusted"]);
    let other = CHARTER.replace("vault-core guardians", "other guardians");
    let report = verify(&file, Some(&watchfire_charter::parse(&other).unwrap().0));
    assert_eq!(names(&report, Outcome::Fails), ["charter-trusted"]);
}

/// A bundle with this change, its frame and digest made good again.
pub(crate) fn changed(change: impl FnOnce(&mut Bundle)) -> Bytes {
    let mut bundle = Bundle::decode(&whole()).unwrap();
    change(&mut bundle);
    bundle.encode().unwrap()
}

/// A change to a bundle.
pub(crate) type Change = fn(&mut Bundle);

/// Falsehoods, each with the check that sees it.
pub(crate) fn falsehoods() -> Vec<(&'static str, &'static str, Change)> {
    vec![
        ("another network", "charter-digest", |b| b.network = watchfire_types::NetworkId::from_bytes([9; 32])),
        ("a charter with another word", "charter-text", |b| {
            let text = String::from_utf8(b.charters[0].toml.to_vec()).unwrap();
            b.charters[0].toml = text.replace("alder-1", "alder-9").into();
        }),
        ("another generation", "incident-id", |b| b.incident.generation = 1),
        ("another incident", "incident-id", |b| b.incident.id = watchfire_types::IncidentId::from_bytes([1; 32])),
        ("an event left out", "chain", |b| drop(b.segments[1].events.remove(2))),
        ("two events swapped", "chain", |b| b.segments[1].events.swap(1, 2)),
        ("an end that does not belong", "chain", |b| {
            let started = b.further.iter().position(|outer| author(outer) == b.segments[1].author).unwrap();
            let started = b.further.remove(started);
            b.segments[1].events.insert(0, started);
        }),
        ("an event's byte changed", "signature", |b| flip(&mut b.segments[1].events[0], 200)),
        ("a root that is not signed", "checkpoint", |b| {
            let note = String::from_utf8(b.trees[1].note.to_vec()).unwrap();
            let root = note.lines().nth(2).unwrap().to_owned();
            let other = String::from_utf8(b.trees[2].note.to_vec()).unwrap().lines().nth(2).unwrap().to_owned();
            b.trees[1].note = note.replace(&root, &other).into();
        }),
        ("another author's tree", "checkpoint", |b| b.trees[1].note = b.trees[2].note.clone()),
        ("a witness line of another checkpoint", "witness", |b| {
            let lines =
                |note: &Bytes| String::from_utf8(note.to_vec()).unwrap().lines().map(str::to_owned).collect::<Vec<_>>();
            let (mut own, other) = (lines(&b.trees[1].note), lines(&b.trees[2].note));
            let line = other.iter().rposition(|line| line.starts_with('\u{2014}')).unwrap();
            let name = other[line].split(' ').nth(1).unwrap().to_owned();
            let at = own.iter().position(|line| line.split(' ').nth(1) == Some(&name)).unwrap();
            own[at] = other[line].clone();
            b.trees[1].note = format!("{}\n", own.join("\n")).into();
        }),
        ("a proof of another leaf", "inclusion", |b| b.trees[1].inclusions[1].path[0][5] ^= 1),
        ("a proof left out", "inclusion", |b| drop(b.trees[1].inclusions.pop())),
        ("another header", "header", |b| flip(&mut b.blocks[0].header, 40)),
        ("another receipt", "receipt", |b| flip(&mut b.blocks[0].receipts[0].receipt, 20)),
        ("another account", "account", |b| flip(&mut b.blocks[0].accounts[0].value, 4)),
        ("an account that is nobody's", "account", |b| {
            b.blocks[0].accounts.push(stranger());
            b.blocks[0].accounts.sort_by_key(|account| account.address);
        }),
        ("an event beside its segment", "further", |b| add(b, |b| b.segments[1].events[1].clone())),
        ("an event outside any chain", "further", |b| {
            let gone = b.segments.iter().position(holds_note).unwrap();
            let segment = b.segments.remove(gone);
            b.trees.retain(|tree| tree.author != segment.author);
            b.further.retain(|outer| author(outer) != segment.author);
            add(b, |_| segment.events.last().unwrap().clone());
        }),
        ("the start of nobody's segment", "further", lone_start),
        ("the start of another epoch", "further", |b| add(b, |_| Story::other().authors[0].log[0].outer().clone())),
        ("an event of the author's other epoch", "further", |b| {
            add(b, |_| Story::other().authors[0].log[1].outer().clone());
        }),
        ("a slot said to be zero", "slot", |b| {
            let set = b.blocks[0].accounts[0].slots.iter_mut().find(|slot| !slot.value.is_empty()).unwrap();
            set.value = Bytes::new();
        }),
        ("an object's byte changed", "object", |b| flip(&mut b.objects[0].content, 10)),
        ("an object from nowhere", "object", make_up),
        ("a gap that is none", "chain", |b| b.segments[1].missing = 1),
        ("a tree without a segment", "checkpoint", lone_tree),
        ("no event", "chain", |b| {
            b.segments.clear();
            b.trees.clear();
            b.objects.clear();
        }),
    ]
}

/// Adds a tree of an epoch that has no segment.
fn lone_tree(bundle: &mut Bundle) {
    let epoch = watchfire_types::Epoch::from_bytes([0xff; 16]);
    let tree = watchfire_wire::bundle::BundledTree { epoch, ..bundle.trees[3].clone() };
    bundle.trees.push(tree);
    bundle.trees.sort_by_key(|tree| (tree.author, tree.epoch));
}

/// Drops a segment and its tree, and not the start of its epoch.
fn lone_start(bundle: &mut Bundle) {
    let silent = bundle.segments.remove(0).author;
    bundle.trees.retain(|tree| tree.author != silent);
}

/// Adds an object that no event speaks of.
fn make_up(bundle: &mut Bundle) {
    let content = Bytes::from_static(b"made up");
    let digest = alloy_primitives::B256::from_slice(&Sha256::digest(&content));
    bundle.objects.push(watchfire_wire::bundle::BundledObject { digest, content });
    bundle.objects.sort_by_key(|object| object.digest);
}

/// Each kind of falsehood fails under the name of the check that sees it, though the file's own digest is right.
#[test]
fn falsehoods_fail_by_name() {
    let wrong = falsehoods().into_iter().filter_map(|(what, name, change)| {
        let failure = verify(&changed(change), None).first_failure;
        let right = failure.as_ref().is_some_and(|failure| failure.name == name);
        (!right).then(|| format!("{what}: {failure:?}"))
    });
    let wrong: Vec<String> = wrong.collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Things left out that refute nothing.
pub(crate) fn omissions() -> Vec<(&'static str, Change)> {
    vec![
        ("no block", |b| b.blocks.clear()),
        ("no receipt", |b| b.blocks[0].receipts.clear()),
        ("no object", |b| drop(b.objects.remove(0))),
        ("no tree", |b| drop(b.trees.remove(0))),
        // Its vote and finding, its signature, its copy: nothing that would refute.
        ("no second author", |b| {
            let copier =
                b.segments.iter().position(|segment| segment.events.len() == 5 && !holds_note(segment)).unwrap();
            let author = b.segments.remove(copier).author;
            b.trees.retain(|tree| tree.author != author);
            b.further.retain(|outer| self::author(outer) != author);
        }),
    ]
}

/// What is left out and refutes nothing stays open, under its name.
#[test]
fn what_is_missing_stays_open() {
    let expected: [&[&str]; 5] = [
        &["execution", "header", "receipts-left-out", "state-left-out"],
        &["execution", "receipts-left-out"],
        &["custody", "operators"],
        &["inclusion"],
        &["outside", "reference", "threshold", "custody"],
    ];
    for ((what, change), expected) in omissions().into_iter().zip(expected) {
        let report = verify(&changed(change), Some(&charter()));
        assert!(report.holds, "{what}: {:?}", report.first_failure);
        assert_eq!(names(&report, Outcome::Open), expected, "{what}");
    }
}

fn holds_note(segment: &watchfire_wire::bundle::Segment) -> bool {
    let last = watchfire_wire::decode_signed(segment.events.last().unwrap().clone()).unwrap();
    matches!(last.event().body, Body::Note(_))
}

fn author(outer: &Bytes) -> watchfire_types::MemberKey {
    watchfire_wire::decode_signed(outer.clone()).unwrap().event().author
}

/// Puts one more event where those outside the segments are, in their order.
fn add(bundle: &mut Bundle, event: impl FnOnce(&Bundle) -> Bytes) {
    let event = event(bundle);
    bundle.further.push(event);
    bundle.further.sort_by_key(|outer| Sha256::digest(outer));
}

/// A member's falsehood about a block or an object spoils nothing that others say: it is named and stays open.
#[test]
fn one_members_falsehood_spoils_nothing() {
    let mut story = Story::whole();
    let incident = story.incident();
    let custody = Custody { tool: "liar".into(), clock: "its own".into() };
    let truth = story.authors[0].log.iter().find_map(|event| match &event.body {
        Body::EvidenceCollected(collected) => Some(collected.clone()),
        _ => None,
    });
    let mut manifest = truth.unwrap();
    manifest.custody = custody;
    manifest.incident = incident;
    for item in &mut manifest.items {
        item.size += 1;
        item.block.number += 7;
    }
    story.authors[4].says(Body::EvidenceCollected(manifest));
    let report = verify(&story.bundle(), Some(&charter()));
    assert!(report.holds, "{:?}", report.first_failure);
    let statements = report.checks.iter().filter(|check| check.name == "statement").count();
    assert_eq!(statements, 6, "one about the block, one about each item: {:#?}", report.checks);
    assert!(!names(&report, Outcome::Open).contains(&"execution"));
}

/// A charter between the first and the one that is known binds nobody: its members could be anyone.
#[test]
fn a_charter_between_is_bound_by_nothing() {
    let version = |number: u32| {
        let network = charter().network_id();
        let text = CHARTER.replace("version = 1\n", &format!("version = {number}\nnetwork = \"{network}\"\n"));
        let charter = watchfire_charter::parse(&text).unwrap().0;
        let canonical = charter.canonical_json().unwrap().into();
        let version = charter.version;
        (charter, BundledCharter { version, canonical, toml: text.into() })
    };
    let (known, third) = version(3);
    let with = |more: Vec<BundledCharter>| {
        let mut bundle = Bundle::decode(&whole()).unwrap();
        bundle.charters.extend(more);
        verify(&bundle.encode().unwrap(), Some(&known))
    };
    let report = with(vec![third.clone()]);
    assert!(report.holds, "{:?}", report.first_failure);
    let failure = with(vec![version(2).1, third]).first_failure.unwrap();
    assert_eq!((failure.name, failure.subject.as_str()), ("charter-trusted", "version 2"));
}

fn flip(bytes: &mut Bytes, at: usize) {
    let mut changed = bytes.to_vec();
    changed[at] ^= 1;
    *bytes = changed.into();
}

/// Bytes of any kind end in a report that says what they are not.
#[test]
fn other_files_are_named() {
    let first = |bytes: &[u8]| verify(&Bytes::copy_from_slice(bytes), None).first_failure.unwrap().detail;
    assert!(first(b"").contains("no evidence bundle"));
    assert!(first(b"{\"json\":1}").contains("no evidence bundle"));
    assert!(first(BUNDLE_MAGIC).contains("cut off"));
}
