//! Hostile writers: what someone who writes a bundle can make of true words, and what a member can sign with its own key, each so that the
//! file's digest, and all that needs no key of others, is right again. Each is seen under a name.

mod said;

use alloy_primitives::{B256, U256};
use ed25519_dalek::{Signer as _, SigningKey};
use sha2::{Digest as _, Sha256};
use watchfire_bundle::{Outcome, verify};
use watchfire_protocol::{content_digest, incident_id};
use watchfire_transparency::{SignedCheckpoint, Tree, Witnessed};
use watchfire_types::body::{
    Authority, Basis, Certificate, CoSignature, Decision, EpochHead, FaultProof, HumanStatement, Purpose, Retracted,
    Vote,
};
use watchfire_types::{
    Body, Bytes, CharterVersion, Epoch, Event, EventHash, MemberKey, NetworkId, Seq, StepIndex, Unverified, Verified,
    domain, sha256,
};
use watchfire_wire::bundle::{Bundle, BundledCharter, BundledTree, Inclusion, Segment};

use crate::fixture::{Author, CHARTER, Story, block, charter, decision, framed, human, whole};
use crate::mutations::{body, content, instead};

/// How a mutation is seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Seen {
    /// The first check that fails.
    Fails(&'static str),
    /// Nothing fails, and this stays open that was not open before.
    Open(&'static str),
    /// What [`watchfire_bundle::Report::not_proved`] says is not proved: an older state of a log is no lie.
    Limit,
}

use Seen::{Fails, Limit, Open};

/// One mutation.
pub(crate) struct Mutation {
    pub(crate) what: &'static str,
    pub(crate) seen: Seen,
    pub(crate) file: Bytes,
}

fn edited(what: &'static str, seen: Seen, edit: impl FnOnce(&mut Bundle)) -> Mutation {
    let mut bundle = Bundle::decode(&whole()).unwrap();
    edit(&mut bundle);
    Mutation { what, seen, file: bundle.encode().unwrap() }
}

fn told(what: &'static str, seen: Seen, tell: impl FnOnce(&mut Story)) -> Mutation {
    let mut story = Story::whole();
    tell(&mut story);
    Mutation { what, seen, file: story.bundle() }
}

fn raw(what: &'static str, seen: Seen, edit: impl FnOnce(Vec<u8>) -> Vec<u8>) -> Mutation {
    Mutation { what, seen, file: framed(&edit(body(&whole()).to_vec())) }
}

fn key(index: usize) -> MemberKey {
    Story::whole().authors[index].key()
}

fn segment(bundle: &mut Bundle, index: usize) -> &mut Segment {
    let author = key(index);
    bundle.segments.iter_mut().find(|segment| segment.author == author).unwrap()
}

fn tree(bundle: &mut Bundle, index: usize) -> &mut BundledTree {
    let author = key(index);
    bundle.trees.iter_mut().find(|tree| tree.author == author).unwrap()
}

/// Drops a segment's last events with their proofs.
fn cut(bundle: &mut Bundle, index: usize, count: usize) {
    for _ in 0..count {
        segment(bundle, index).events.pop();
        tree(bundle, index).inclusions.pop();
    }
}

/// Drops all that is of one author.
fn silence(bundle: &mut Bundle, index: usize) {
    let author = key(index);
    bundle.segments.retain(|segment| segment.author != author);
    bundle.trees.retain(|tree| tree.author != author);
    bundle.further.retain(|outer| opened(outer).event().author != author);
}

fn opened(outer: &Bytes) -> Unverified {
    watchfire_wire::decode_signed(outer.clone()).unwrap()
}

/// The note of an author's tree with these witnesses.
fn note(author: &Author, size: u64, witnesses: &[&Author]) -> Bytes {
    let stated = author.states(size, author.tree.root_at(size).unwrap());
    let checkpoint = watchfire_transparency::Checkpoint::stated(author.network, author.epoch, &stated);
    let lines = witnesses.iter().map(|witness| (witness.witness(&checkpoint), witness.key()));
    let mut signed = SignedCheckpoint::new(checkpoint.clone(), &author.key(), &stated.signature);
    lines.for_each(|(line, key)| signed.witnessed(&line, &key));
    signed.to_string().into()
}

/// An older checkpoint of the fourth author with proofs of the first `leaves` of its segment.
fn older(bundle: &mut Bundle, size: u64, leaves: u64) {
    let story = Story::whole();
    let author = &story.authors[3];
    let witnesses: Vec<&Author> = story.authors[..3].iter().collect();
    let proof = |index| Inclusion { index, path: author.tree.inclusion(index, size).unwrap().path };
    let tree = tree(bundle, 3);
    tree.note = note(author, size, &witnesses);
    tree.inclusions = (1..=leaves).map(proof).collect();
}

/// A note with one more line.
fn with_line(bundle: &mut Bundle, index: usize, line: &str) {
    let tree = tree(bundle, index);
    tree.note = [&tree.note, line.as_bytes()].concat().into();
}

/// A witness's line about an author's checkpoint, under this name and by this key.
fn line(bundle: &mut Bundle, index: usize, name: &str, key: &SigningKey) -> String {
    let text = String::from_utf8(tree(bundle, index).note.to_vec()).unwrap();
    let checkpoint = SignedCheckpoint::parse(&text).unwrap().checkpoint().clone();
    let (time_s, public) = (1_700_000_100, MemberKey::from_bytes(key.verifying_key().to_bytes()));
    let signature = key.sign(checkpoint.cosigned_text(time_s).as_bytes()).to_bytes();
    let mut note = SignedCheckpoint::new(checkpoint, &public, &[0; 64]);
    note.witnessed(&Witnessed { witness: name.parse().unwrap(), time_s, signature }, &public);
    format!("{}\n", note.to_string().lines().last().unwrap())
}

/// A charter's text and canonical form in other words.
fn charter_text(change: impl Fn(&str) -> String) -> BundledCharter {
    let toml = change(CHARTER);
    let parsed = watchfire_charter::parse(&toml).unwrap().0;
    BundledCharter { version: parsed.version, canonical: parsed.canonical_json().unwrap().into(), toml: toml.into() }
}

/// Replaces an event's outer bytes wherever they stand.
fn replaced(bundle: &mut Bundle, outer: &Bytes, by: &Bytes) {
    let all = bundle.segments.iter_mut().flat_map(|segment| &mut segment.events);
    all.filter(|held| *held == outer).for_each(|held| *held = by.clone());
}

fn object(content: &'static [u8]) -> (B256, Bytes) {
    (B256::from_slice(&Sha256::digest(content)), Bytes::from_static(content))
}

/// What is left out of the events.
fn dropped() -> Vec<Mutation> {
    vec![
        edited("a chain's last event dropped with its proof", Open("outside"), |b| cut(b, 3, 1)),
        edited("a chain's first event dropped with its proof", Open("outside"), |b| {
            segment(b, 3).events.remove(0);
            tree(b, 3).inclusions.remove(0);
        }),
        edited("a member dropped", Open("outside"), |b| silence(b, 4)),
        edited("the start of an epoch dropped", Open("outside"), |b| drop(b.further.remove(0))),
        edited("an event dropped behind a stated gap", Open("chain"), |b| {
            segment(b, 0).events.remove(3);
            segment(b, 0).missing = 1;
            tree(b, 0).inclusions.remove(3);
        }),
        edited("an event dropped with its proof", Fails("chain"), |b| {
            segment(b, 0).events.remove(3);
            tree(b, 0).inclusions.remove(3);
        }),
        edited("events in another order", Fails("chain"), |b| segment(b, 0).events.swap(2, 4)),
        edited("an event twice", Fails("chain"), |b| {
            let twice = segment(b, 0).events[2].clone();
            segment(b, 0).events.insert(2, twice);
        }),
        edited("an event told anew", Fails("chain"), |b| {
            let story = Story::whole();
            let (author, said) = (&story.authors[3], &story.authors[3].log[1]);
            replaced(b, said.outer(), author.forks(1, story.authors[0].log[1].body.clone()).outer());
        }),
        told("an earlier epoch dropped", Open("outside"), |story| {
            let mut author = Author::new(&story.charter, 4, 0xe0);
            let Body::Started(mut started) = author.log.remove(0).body.clone() else { panic!("no start") };
            author.tree = Tree::new();
            let head = EpochHead {
                epoch: Epoch::from_bytes([1; 16]),
                seq: Seq::new(3),
                hash: story.authors[0].log[1].hash(),
                checkpoint: None,
            };
            started.earlier.push(head);
            let word = story.authors[4].log[1].body.clone();
            author.says(Body::Started(started));
            author.says(word);
            let checkpoint = author.checkpoint();
            let lines = story.authors[..4].iter().map(|other| other.witness(&checkpoint)).collect();
            story.authors[4] = author;
            story.witnessed.insert(checkpoint, lines);
        }),
        edited("an event in another's chain", Fails("chain"), |b| {
            let other = segment(b, 1).events[1].clone();
            segment(b, 0).events[1] = other;
        }),
        edited("proofs dropped as if pruned", Open("inclusion"), |b| {
            segment(b, 0).pruned = u64::MAX;
            tree(b, 0).inclusions.clear();
        }),
        edited("all chains of one member but the manifest's", Open("custody"), |b| {
            cut(b, 1, 1);
            cut(b, 2, 1);
        }),
        edited("the manifest dropped", Fails("receipt"), |b| cut(b, 0, 1)),
        edited("the manifest dropped with its blocks", Fails("object"), |b| {
            cut(b, 0, 1);
            b.blocks.clear();
        }),
        edited("the manifest dropped with all that it names", Open("custody"), |b| {
            cut(b, 0, 1);
            b.objects.clear();
            b.blocks.clear();
        }),
    ]
}

/// Trees, checkpoints, witnesses, proofs.
fn trees() -> Vec<Mutation> {
    let named = |index: usize| Story::whole().authors[index].member.to_string();
    vec![
        edited("a shorter tree as the latest", Open("inclusion"), |b| older(b, 3, 2)),
        edited("a shorter tree that has all proofs", Fails("inclusion"), |b| {
            let all = tree(b, 3).inclusions.clone();
            older(b, 3, 2);
            tree(b, 3).inclusions = all;
        }),
        edited("an older state of a log", Limit, |b| {
            older(b, 3, 2);
            segment(b, 3).events.truncate(2);
        }),
        told("another history, told anew", Open("witness"), |story| {
            let (epochs, words) = (0xe0, story.authors[3].log.clone());
            let mut author = Author::new(&story.charter, 3, epochs);
            for word in &words[1..4] {
                author.says(word.body.clone());
            }
            author.checkpoint();
            story.authors[3] = author;
        }),
        edited("a line of nobody in the charter", Fails("witness"), |b| {
            let nobody = line(b, 0, "nobody-1", &SigningKey::from_bytes(&[9; 32]));
            with_line(b, 0, &nobody);
        }),
        edited("a member's line by another key", Fails("witness"), |b| {
            let forged = line(b, 0, &named(1), &SigningKey::from_bytes(&[9; 32]));
            with_line(b, 0, &forged);
        }),
        edited("a witness's line twice", Fails("witness"), |b| {
            let twice = line(b, 0, &named(1), &Story::whole().authors[1].key);
            with_line(b, 0, &twice);
        }),
        edited("the author as its own witness", Fails("witness"), |b| {
            let own = line(b, 0, &named(0), &Story::whole().authors[0].key);
            with_line(b, 0, &own);
        }),
        edited("a line about another tree", Fails("witness"), |b| {
            let other = line(b, 1, &named(2), &Story::whole().authors[2].key);
            let size = tree(b, 0).note.len();
            with_line(b, 0, &other);
            assert!(tree(b, 0).note.len() > size);
        }),
        edited("no witness", Open("witness"), |b| {
            tree(b, 0).note = note(&Story::whole().authors[0], 8, &[]);
        }),
        edited("proofs of each other's leaves", Fails("inclusion"), |b| {
            let inclusions = &mut tree(b, 0).inclusions;
            let (first, second) = (inclusions[0].path.clone(), inclusions[1].path.clone());
            (inclusions[0].path, inclusions[1].path) = (second, first);
        }),
        edited("a proof one leaf further", Fails("inclusion"), |b| {
            tree(b, 3).inclusions.last_mut().unwrap().index += 1;
        }),
        edited("a longer proof", Fails("inclusion"), |b| tree(b, 0).inclusions[0].path.push([0; 32])),
        edited("a shorter proof", Fails("inclusion"), |b| {
            tree(b, 0).inclusions[0].path.pop();
        }),
    ]
}

/// What stands beside the segments.
fn beside() -> Vec<Mutation> {
    let said = |index: usize, body: Body| Story::whole().authors[index].says(body).outer().clone();
    let add = |b: &mut Bundle, outer: Bytes| {
        b.further.push(outer);
        b.further.sort_by_key(|outer| Sha256::digest(outer));
    };
    vec![
        edited("a start that is no first event", Fails("further"), |b| {
            let start = Story::whole().authors[4].log[0].body.clone();
            add(b, said(4, start));
        }),
        edited("a fault of a member that says nothing here", Fails("further"), |b| {
            let story = Story::whole();
            let (first, second) = (
                story.authors[4].log[1].to_unverified(),
                story.authors[4].forks(1, story.authors[0].log[1].body.clone()),
            );
            let (first, second) = if first.hash() < second.hash() { (first, second) } else { (second, first) };
            silence(b, 4);
            add(b, said(0, Body::FaultProof(FaultProof { first: Box::new(first), second: Box::new(second) })));
        }),
        edited("a tree with an invented leaf", Fails("inclusion"), |b| {
            let author = &Story::whole().authors[3];
            let mut invented = Tree::new();
            invented.push(b"invented");
            author.log[..5].iter().for_each(|event| invented.push(event.outer()));
            let stated = author.states(6, invented.root_at(6).unwrap());
            let checkpoint = watchfire_transparency::Checkpoint::stated(author.network, author.epoch, &stated);
            let tree = tree(b, 3);
            tree.note = SignedCheckpoint::new(checkpoint, &author.key(), &stated.signature).to_string().into();
            let proof = |index| Inclusion { index, path: invented.inclusion(index, 6).unwrap().path };
            tree.inclusions = (2..6).map(proof).collect();
        }),
    ]
}

/// Objects, blocks, receipts, state.
fn evidence() -> Vec<Mutation> {
    let other = || Bundle::decode(&Story::other().bundle()).unwrap();
    vec![
        edited("an object under another's digest", Fails("object"), |b| b.objects[0].content = object(b"made up").1),
        edited("an object that nobody collected in its place", Fails("object"), |b| {
            (b.objects[0].digest, b.objects[0].content) = object(b"made up");
            b.objects.sort_by_key(|object| object.digest);
        }),
        edited("the objects dropped", Open("custody"), |b| b.objects.clear()),
        edited("the block dropped", Open("header"), |b| b.blocks.clear()),
        edited("another block with its proofs", Fails("header"), |b| b.blocks = other().blocks),
        edited("another block's header", Fails("header"), |b| b.blocks[0].header = other().blocks[0].header.clone()),
        edited("a block of another chain", Fails("header"), |b| b.blocks[0].chain = watchfire_types::ChainId::new(1)),
        edited("the receipt dropped", Open("receipts-left-out"), |b| b.blocks[0].receipts.clear()),
        edited("another transaction's index", Fails("receipt"), |b| b.blocks[0].receipts[0].index = 0),
        edited("another receipt", Fails("receipt"), |b| {
            let mut receipt = b.blocks[0].receipts[0].receipt.to_vec();
            let last = receipt.len() - 40;
            receipt[last] ^= 1;
            b.blocks[0].receipts[0].receipt = receipt.into();
        }),
        edited("a receipt's proof with a node more", Fails("receipt"), |b| {
            let node = b.blocks[0].receipts[0].proof[0].clone();
            b.blocks[0].receipts[0].proof.push(node);
        }),
        edited("the account dropped", Open("state-left-out"), |b| b.blocks[0].accounts.clear()),
        edited("a slot dropped", Open("state-left-out"), |b| drop(b.blocks[0].accounts[0].slots.remove(0))),
        edited("a slot's proof with a node more", Fails("slot"), |b| {
            let slots = &mut b.blocks[0].accounts[0].slots;
            let node = slots[0].proof[0].clone();
            slots.iter_mut().for_each(|slot| slot.proof.push(node.clone()));
        }),
        edited("an account said to be absent", Fails("account"), |b| {
            let account = &mut b.blocks[0].accounts[0];
            account.value = Bytes::new();
            account.slots.clear();
        }),
    ]
}

/// Charters and the incident's name.
fn charters() -> Vec<Mutation> {
    let others = |text: &str| {
        text.replace(&key(0).to_string(), &hex::encode(SigningKey::from_bytes(&[9; 32]).verifying_key().to_bytes()))
    };
    vec![
        edited("a next charter of other members", Fails("charter-trusted"), |b| {
            let network = b.network;
            let header = format!("version = 2\nnetwork = \"{network}\"\n");
            b.charters.push(charter_text(|text| others(&text.replace("version = 1\n", &header))));
        }),
        edited("a first charter of other members", Fails("charter-digest"), |b| b.charters[0] = charter_text(others)),
        edited("a network of other members", Fails("charter-trusted"), |b| {
            b.charters[0] = charter_text(others);
            b.network = NetworkId::from_bytes(sha256(&[domain::CHARTER, &b.charters[0].canonical]));
            b.incident.id = incident_id(b.network, &b.incident.asset, 0);
        }),
        edited("a charter in other words", Fails("charter-text"), |b| {
            b.charters[0].toml = charter_text(|text| text.replace("vault-core guardians", "other guardians")).toml;
        }),
        edited("another asset", Fails("incident-id"), |b| {
            b.incident.asset = "vault-cord".parse().unwrap();
            b.incident.id = incident_id(b.network, &b.incident.asset, 0);
        }),
        edited("a later incident", Fails("incident-id"), |b| {
            b.incident.generation = 1;
            b.incident.id = incident_id(b.network, &b.incident.asset, 1);
        }),
    ]
}

/// Logs as they were at an earlier time.
fn as_they_were() -> Vec<Mutation> {
    vec![
        told("older states of logs, beside what another said an hour later", Open("as-of"), |story| {
            let incident = story.incident();
            let word = HumanStatement { incident, human: human() };
            story.authors[2].says_at(3_600, Body::Note(word));
        }),
        told("an epoch cut off before the end that the next one names", Open("outside"), |story| {
            let author = &story.authors[3];
            let last = author.log.last().unwrap();
            let head = EpochHead {
                epoch: author.epoch,
                seq: Seq::new(last.seq.get() + 2),
                hash: last.hash(),
                checkpoint: None,
            };
            let mut next = Author::new(&story.charter, 3, 0xf0);
            let Body::Started(mut started) = next.log.remove(0).body.clone() else { panic!("no start") };
            next.tree = Tree::new();
            started.earlier.push(head);
            next.says(Body::Started(started));
            let word = HumanStatement { incident: story.incident(), human: human() };
            next.says(Body::Note(word));
            let checkpoint = next.checkpoint();
            let lines = story.authors[..3].iter().map(|other| other.witness(&checkpoint)).collect();
            story.witnessed.insert(checkpoint, lines);
            story.authors.push(next);
        }),
    ]
}

/// All of them.
pub(crate) fn mutations() -> Vec<Mutation> {
    let written = [dropped(), trees(), as_they_were(), beside(), evidence(), charters()];
    written.into_iter().flatten().chain(said::mutations()).collect()
}

/// Each is seen under its name; what is open is not open in the whole story.
#[test]
fn every_mutation_is_seen() {
    let mut wrong = Vec::new();
    for Mutation { what, seen, file } in mutations() {
        let report = verify(&file, Some(&charter()));
        let open = |name| report.checks.iter().any(|check| check.name == name && check.outcome == Outcome::Open);
        let right = match seen {
            Fails(name) => report.first_failure.as_ref().is_some_and(|failure| failure.name == name),
            Open(name) => report.holds && open(name),
            Limit => report.holds && report.count(Outcome::Open) == 0 && !report.not_proved.is_empty(),
        };
        if !right {
            let open: Vec<_> = report.checks.iter().filter(|check| check.outcome == Outcome::Open).collect();
            wrong.push(format!("{what}: {seen:?}, found {:?} and open {open:?}", report.first_failure));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
