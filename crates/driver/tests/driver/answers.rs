//! The bounds of questions and answers: which chains, from which position on, and how much.

use std::collections::BTreeSet;

use watchfire_driver::{Driver, ReadAnswer};
use watchfire_journal::{Journal, JournalOptions, MemoryStorage, prunable, prune};
use watchfire_types::{B256, Body, Bytes, Epoch, EventHash, MemberKey, PrunedInto, PrunedLog, Seq};
use watchfire_wire::bounds::{MAX_CATCH_UP_RESPONSE, MAX_POSITIONS, MAX_PRUNED_CHAINS, MAX_RESPONSE_EVENTS};
use watchfire_wire::{CatchUpRequest, CatchUpResponse, ChainBound, EpochPosition, decode_signed, encode_pruned};

use crate::catch_up::{NOW, author, give, history, node};
use crate::forge::{Author, note, started};
use crate::world::TestKeys;

const SMALL: JournalOptions = JournalOptions { segment_bytes: 4096, chunk_bytes: 4096, reserve_bytes: 0 };

fn answer(peer: &Driver<MemoryStorage, TestKeys>, request: &CatchUpRequest) -> CatchUpResponse {
    let encoded = peer.answer_catch_up(request, |error| panic!("{error}")).encode();
    assert!(encoded.len() <= MAX_CATCH_UP_RESPONSE, "{} bytes", encoded.len());
    CatchUpResponse::decode(encoded).unwrap()
}

/// Asks of one chain what follows a position.
fn after(of: &Author, seq: u64, hash: EventHash) -> CatchUpRequest {
    let position = EpochPosition { author: of.key(), epoch: of.epoch, seq: Seq::new(seq), hash };
    CatchUpRequest { vector: vec![position], ..Default::default() }
}

/// The positions that an answer holds of one chain.
fn seqs(answer: &CatchUpResponse, of: &Author) -> Vec<u64> {
    let events = answer.events.iter().map(|event| decode_signed(event.clone()).unwrap());
    let of = events.filter(|event| (event.event().author, event.event().epoch) == (of.key(), of.epoch));
    of.map(|event| event.event().seq.get()).collect()
}

fn hash(event: &Bytes) -> EventHash {
    decode_signed(event.clone()).unwrap().hash()
}

/// A log that holds these events and nothing else, however many chains they are.
fn log(events: impl IntoIterator<Item = Bytes>, options: JournalOptions) -> MemoryStorage {
    let storage = MemoryStorage::new();
    let mut journal = Journal::open(storage.clone(), options).unwrap();
    for event in events {
        journal.append(&event).unwrap();
        journal.sync().unwrap();
    }
    storage
}

/// A node over a log of which these chains were pruned before a position, but for the events that are kept there.
pub(crate) fn pruned(
    events: Vec<Bytes>,
    chains: &BTreeSet<(MemberKey, Epoch)>,
    next: u64,
    kept: &[u64],
) -> Driver<MemoryStorage, TestKeys> {
    let storage = log(events, SMALL);
    let whole = node(1, MemoryStorage::with_files(storage.files()));
    let base = |(author, epoch): &_| whole.machine().base_at(*author, *epoch, Seq::new(next)).unwrap().0;
    let (sha256, at) = (B256::repeat_byte(1), NOW);
    let archive = PrunedInto { sha256, events: 1, pruned: 1, through: at, at };
    let note = encode_pruned(&PrunedLog { chains: chains.iter().map(base).collect(), archives: vec![archive] });
    let through = *prunable(&storage).unwrap().last().unwrap();
    prune(&storage, through, &note, |record| {
        let event = decode_signed(record.bytes.clone()).unwrap();
        let (event, seq) = (event.event(), event.event().seq.get());
        !chains.contains(&(event.author, event.epoch)) || seq >= next || kept.contains(&seq)
    })
    .unwrap();
    node(1, storage)
}

/// A stretch of chains begins with its first one and ends before its end.
#[test]
fn a_stretch_of_chains_has_its_ends() {
    let mut peer = node(1, MemoryStorage::new());
    let mut authors = [4, 5, 6].map(|epoch| author(2, epoch));
    let said = authors.each_mut().map(|author| history(author, 2));
    give(&mut peer, &said.concat());
    let [_, from, until] = authors.map(|of| Some(ChainBound { author: of.key(), epoch: of.epoch }));
    assert_eq!(answer(&peer, &CatchUpRequest { from, until, ..Default::default() }).events, said[1]);
}

/// More chains than a question has room for are asked about in turn, each once in as few questions as there can be.
#[test]
fn questions_about_many_chains_take_turns() {
    let epochs = (0..MAX_POSITIONS as u128 + 50).map(|number| (number + 1).to_be_bytes());
    let begun = epochs.map(|epoch| Author::new(2, epoch, NOW).say(started(Vec::new())).outer().clone());
    let mut here = node(0, log(begun, JournalOptions::default()));
    let [first, second, third] = [(); 3].map(|()| here.catch_up_request());
    assert_eq!((first.from, first.vector.len()), (None, MAX_POSITIONS));
    assert!(first.until.is_some() && first.until == second.from && second.until.is_none());
    let asked: Vec<_> = first.vector.iter().chain(&second.vector).map(|at| (at.author, at.epoch)).collect();
    assert_eq!(asked, here.machine().heads().into_keys().collect::<Vec<_>>());
    assert_eq!(third, first, "and again");
}

/// Where the asker holds another event, the answer shows where to within a factor of two the branches parted, and nothing beyond that place.
#[test]
fn a_parted_branch_is_sampled() {
    let mut peer = node(1, MemoryStorage::new());
    let mut said = author(2, 5);
    give(&mut peer, &history(&mut said, 12));
    let answer = answer(&peer, &after(&said, 9, EventHash::from_bytes([9; 32])));
    assert_eq!(seqs(&answer, &said), [0, 1, 5, 7, 8, 9]);
}

/// Of an author's epochs the newest leads, whatever its number.
#[test]
fn the_newest_epoch_leads() {
    for (older, newer) in [(5, 6), (6, 5)] {
        let mut peer = node(1, MemoryStorage::new());
        let mut epochs = [older, newer].map(|epoch| author(2, epoch));
        epochs[1].time = epochs[1].time.plus_millis(60_000);
        let [older, newer] = epochs.each_mut().map(|author| history(author, 2));
        give(&mut peer, &[older.as_slice(), &newer].concat());
        let of = CatchUpRequest {
            from: Some(ChainBound { author: epochs[0].key(), epoch: Epoch::from_bytes([5; 16]) }),
            ..Default::default()
        };
        let events = answer(&peer, &of).events;
        let both = [&newer[0], &older[0], &newer[1], &older[1]].map(Clone::clone);
        let led: Vec<_> = events.into_iter().filter(|event| both.contains(event)).collect();
        assert_eq!(led, both);
    }
}

/// Only what chains on to what is held leads to a further question: neither another branch nor the middle of a chain does.
#[test]
fn a_claim_that_does_not_follow_leads_nowhere() {
    let mut here = node(0, MemoryStorage::new());
    let mut said = author(2, 5);
    give(&mut here, &history(&mut said, 3));
    let mut twin = said.clone();
    twin.prev = EventHash::from_bytes([9; 32]);
    let mut stranger = Author { next: Seq::new(3), ..author(3, 5) };
    let mut ahead = |of: &mut Author| {
        let events = [of.say(note("a word")).outer().clone()];
        here.catch_up_request_ahead(&[&ReadAnswer::read(of.key(), &events)]).is_some()
    };
    assert_eq!([&mut said, &mut twin, &mut stranger].map(&mut ahead), [true, false, false]);
}

/// Of a chain whose beginning was pruned the asker is told where it lacks what went, is given what is kept of it once, and then what follows.
#[test]
fn a_pruned_chain_is_told_where_it_is_lacking() {
    let mut said = author(2, 5);
    let events = history(&mut said, 60);
    let peer = pruned(events.clone(), &[(said.key(), said.epoch)].into(), 20, &[0, 7]);
    let rest: Vec<u64> = (20..60).collect();
    let other = EventHash::from_bytes([9; 32]);
    let told = |request: &CatchUpRequest| {
        let answer = answer(&peer, request);
        let before: Vec<u64> = answer.pruned.iter().map(|chain| chain.before.get()).collect();
        (before, seqs(&answer, &said))
    };
    assert_eq!(told(&CatchUpRequest::default()), (vec![20], [&[0, 7], rest.as_slice()].concat()));
    assert_eq!(told(&after(&said, 0, hash(&events[0]))), (vec![20], rest.clone()));
    assert_eq!(told(&after(&said, 7, other)), (vec![20], rest.clone()), "nor where it parted below");
    assert_eq!(told(&after(&said, 18, hash(&events[18]))), (vec![20], rest.clone()));
    assert_eq!(told(&after(&said, 19, hash(&events[19]))), (vec![], rest), "it lacks nothing that went");
}

/// However many chains were pruned, an answer tells of as many as it may, and its events leave them room.
#[test]
fn pruned_chains_have_their_room() {
    let epochs = 1..=MAX_PRUNED_CHAINS as u128 + 2;
    let mut authors: Vec<_> = epochs.map(|epoch| Author::new(2, epoch.to_be_bytes(), NOW)).collect();
    let mut events: Vec<Bytes> = authors.iter_mut().flat_map(|author| history(author, 2)).collect();
    events.extend(history(&mut author(3, 5), 1_100));
    events.extend(authors.iter_mut().map(|author| author.say(note("a word")).outer().clone()));
    let chains: BTreeSet<_> = authors.iter().map(|author| (author.key(), author.epoch)).collect();
    let answer = answer(&pruned(events, &chains, 2, &[0]), &CatchUpRequest::default());
    assert_eq!((answer.pruned.len(), answer.complete), (MAX_PRUNED_CHAINS, false));
}

/// However small they are, an answer holds no more events than it may.
#[test]
fn small_events_are_counted() {
    let mut said = author(2, 5);
    let small = |n| if n == 0 { started(Vec::new()) } else { Body::Unknown(4_000, Bytes::new()) };
    let storage = MemoryStorage::new();
    let mut journal = Journal::open(storage.clone(), JournalOptions::default()).unwrap();
    for n in 0..MAX_RESPONSE_EVENTS + 2 {
        journal.append(said.say(small(n)).outer()).unwrap();
    }
    journal.sync().unwrap();
    drop(journal);
    let answer = answer(&node(1, storage), &CatchUpRequest::default());
    assert_eq!((answer.events.len(), answer.complete), (MAX_RESPONSE_EVENTS, false));
}
