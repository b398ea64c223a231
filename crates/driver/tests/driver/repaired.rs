//! A log damaged in the middle, repaired, and made whole again by a peer, with nothing of the own history changed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use watchfire_driver::{Door, Driver, Keys};
use watchfire_journal::{FileStorage, Journal, JournalError, repair, verify_log};
use watchfire_types::{Bytes, Epoch, EventHash, MemberKey, Seq, Timestamp};
use watchfire_wire::decode_signed;

use crate::load::{Load, OPTIONS};
use crate::world::{TestKeys, charter, member};

type Held = BTreeMap<(MemberKey, Epoch, Seq), (EventHash, Bytes)>;

/// Every event in a directory's journal.
fn held(directory: &Path) -> Held {
    let mut held = Held::new();
    verify_log(&FileStorage::read_only(directory), None, |record| {
        let signed = decode_signed(record.bytes.clone()).unwrap();
        let event = signed.event();
        held.insert((event.author, event.epoch, event.seq), (signed.hash(), record.bytes.clone()));
        Ok(())
    })
    .unwrap();
    held
}

fn open(index: usize, directory: &Path, epoch: u8, now: Timestamp) -> Driver<FileStorage, TestKeys> {
    let (charter, keys) = (charter(), TestKeys::of(index));
    let journal = Journal::open(FileStorage::open(directory).unwrap(), OPTIONS).unwrap();
    let (network, member) = (charter.network_id(), member(&charter, &keys));
    Driver::open(journal, keys, charter, network, member, Epoch::from_bytes([epoch; 16]), now).unwrap().0
}

/// Lets `to` ask `from` until it lacks nothing.
fn catch_up(
    to: &mut Driver<FileStorage, TestKeys>,
    from: &Driver<FileStorage, TestKeys>,
    author: MemberKey,
    now: Timestamp,
) {
    for turn in 0..100 {
        let answer = from.answer_catch_up(&to.catch_up_request(), |error| panic!("{error}"));
        let complete = answer.complete;
        let door = vec![Door::CaughtUp { from: author, events: answer.events }];
        let output = to.handle(now.plus_millis(turn * 20), door).unwrap();
        assert_eq!(output.caught_up[0].refused, 0, "{:?}", output.caught_up[0].reason);
        if complete {
            // Others' events are synced a little later.
            to.handle(now.plus_millis(turn * 20 + 20), Vec::new()).unwrap();
            return;
        }
    }
    panic!("never complete");
}

/// A byte in the middle rots. The start names the place; the repair keeps what is sound; a peer gives back what was lost, the own
/// events of the closed epoch included, byte by byte; the digests are equal again.
#[test]
fn a_damaged_log_is_made_whole_by_a_peer() {
    let (own, peer) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (mut load, _) = Load::open(FileStorage::open(own.path()).unwrap(), 1);
    (0..160).for_each(|_| drop(load.turn()));
    let now = load.now();
    let mut node = load.into_driver();
    let mut other = open(2, peer.path(), 0x51, now);
    let key = |index| TestKeys::of(index).author();
    catch_up(&mut other, &node, key(0), now);
    catch_up(&mut node, &other, key(2), now);
    assert_eq!(node.machine().state_digest(), other.machine().state_digest());
    drop(node);
    let before = held(own.path());

    let damaged = own.path().join("00000001.log");
    let mut bytes = std::fs::read(&damaged).unwrap();
    bytes[5_000] ^= 0x10;
    bytes[9_000] ^= 0x10;
    std::fs::write(&damaged, &bytes).unwrap();
    match Journal::open(FileStorage::open(own.path()).unwrap(), OPTIONS).map(drop) {
        Err(error @ JournalError::Damaged { .. }) => assert!(error.to_string().contains("00000001.log"), "{error}"),
        other => panic!("{other:?}"),
    }
    let network = charter().network_id();
    let sound =
        |record: &[u8]| decode_signed(Bytes::copy_from_slice(record)).is_ok_and(|event| event.verify(network).is_ok());
    let done = repair(&FileStorage::open(own.path()).unwrap(), sound).unwrap();
    assert_eq!((done.len(), done[0].lost, done[0].ranges.len()), (1, 2, 2), "{done:?}");
    let aside = own.path().join(done[0].set_aside.as_ref().unwrap());
    assert_eq!(std::fs::read(aside).unwrap(), bytes, "set aside as it was");
    let kept = held(own.path());
    assert_eq!(kept.len() + 2, before.len());
    assert!(kept.iter().all(|(place, event)| before[place] == *event));
    let lost: BTreeSet<_> = before.keys().filter(|place| !kept.contains_key(place)).map(|place| place.0).collect();
    assert!(lost.contains(&key(0)), "the test is about own events too");

    let later = now.plus_millis(60_000);
    let mut node = open(0, own.path(), 0x61, later);
    catch_up(&mut node, &other, key(2), later);
    catch_up(&mut other, &node, key(0), later.plus_millis(5_000));
    assert_eq!(node.machine().state_digest(), other.machine().state_digest());
    drop(node);
    let after = held(own.path());
    assert!(before.iter().all(|(place, event)| after.get(place) == Some(event)), "the history is what it was");
    let new: Vec<_> = after.keys().filter(|place| !before.contains_key(place)).collect();
    assert!(
        new.iter().all(|(author, epoch, _)| *author == key(0) && *epoch == Epoch::from_bytes([0x61; 16])),
        "{new:?}"
    );
}
