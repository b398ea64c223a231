//! A disk that is full for the witness's state: nobody stops, nothing leaves that is not on the disk, and all goes on once there is room.

use watchfire_driver::{Refusal, WitnessRefusal};
use watchfire_journal::Space;
use watchfire_journal::storage::FaultRates;

use super::*;

type Full = (Driver<FaultyStorage, TestKeys>, [FaultyStorage; 2]);

/// A driver whose witness state has what the first segment takes and no more.
fn full(index: usize, epoch: u8) -> Full {
    let disks = [FaultyStorage::new(), FaultyStorage::new()];
    let (mut driver, _) = open(&crate::world::charter(), index, FaultyStorage::new(), epoch, at(0));
    driver.set_witness(witness(disks.clone(), index));
    for disk in &disks {
        disk.set_capacity(Some(160 << 10));
    }
    (driver, disks)
}

/// Two members on full disks. Another one cosigns one checkpoint again and again, and an author goes on making checkpoints.
#[test]
fn a_full_disk_stops_no_witness() {
    let mut nodes = [full(1, 2), full(2, 3)];
    let mut a = Author::new(0, [1; 16], at(0));
    let mut events = vec![a.say(started(Vec::new()))];
    for (driver, _) in &mut nodes {
        hear(driver, 500, &messages(&events));
    }
    let again = a.state(1, root(&events));
    let (mut refused, mut silent, mut reserved) = ([0; 2], [0; 2], [0; 2]);
    let mut published: [Vec<SignedCheckpoint>; 2] = [Vec::new(), Vec::new()];
    for round in 1..400_u64 {
        let said = a.say(note(&format!("{round}")));
        events.push(said);
        let size = 1 + round;
        let stated = a.checkpoint(size, root(&events));
        events.push(stated);
        let mut sent = messages(&events[events.len() - 2..]);
        sent.push(line(&a, &again, 3, 1_000 * round));
        let mut lines = Vec::new();
        for (index, (driver, _)) in nodes.iter_mut().enumerate() {
            let door = sent.iter().enumerate().map(|(id, bytes)| Door::Gossip { id: id as u64, bytes: bytes.clone() });
            let output = driver.handle(at(1_000 * round), door.collect()).unwrap();
            let no_room = Some(Refusal::Witness(WitnessRefusal::NoRoom));
            let refuses = output.verdicts.iter().any(|verdict| verdict.2 == no_room);
            refused[index] += usize::from(refuses);
            let mut made = witness_lines(&output);
            made.extend(witness_lines(&tick(driver, 1_000 * round + 20)));
            reserved[index] += usize::from(refuses && !made.is_empty());
            silent[index] = if made.is_empty() { silent[index] + 1 } else { 0 };
            lines.push(made);
        }
        // Each hears what the other cosigned.
        for (index, made) in lines.into_iter().enumerate() {
            let texts = made.iter().map(|note| Envelope::Witness(note.to_string().into()).encode());
            hear(&mut nodes[1 - index].0, 1_000 * round + 100, &texts.collect::<Vec<_>>());
            published[index].extend(made);
        }
    }
    for (index, (driver, disks)) in nodes.iter_mut().enumerate() {
        assert!(matches!(driver.witness().unwrap().space(), Space::Reserve { .. }), "it is told");
        assert!(refused[index] > 50 && silent[index] > 20, "{} refused, {} silent", refused[index], silent[index]);
        assert!(reserved[index] > 5, "{} cosigned in the room that others' lines leave", reserved[index]);
        // What left is what a power cut leaves.
        let left = disks.each_ref().map(|disk| disk.crash(&CrashState::LoseAll));
        let known = watchfire_driver::read_witness_messages(&left).unwrap();
        assert!(published[index].len() > 20, "{}", published[index].len());
        assert!(published[index].iter().all(|note| known.contains(&note.to_string())), "persisted before it left");
        for disk in &*disks {
            disk.set_capacity(None);
        }
    }
    let last = 1 + 399;
    for (driver, _) in &mut nodes {
        let caught_up = (0..200).any(|turn| {
            let lines = witness_lines(&tick(driver, 500_000 + 100 * turn));
            lines.iter().any(|line| line.checkpoint().size == last)
        });
        assert!(caught_up, "it goes on by itself");
        assert_eq!(driver.witness().unwrap().space(), Space::Ample);
    }
}

/// A state that is worth rewriting on a disk without room for two of them stays as it is, and the node starts.
#[test]
fn a_rewrite_that_does_not_fit_leaves_the_state() {
    let disks = [FaultyStorage::new(), FaultyStorage::new()];
    let (mut b, _) = open(&crate::world::charter(), 1, FaultyStorage::new(), 2, at(0));
    b.set_witness(witness(disks.clone(), 1));
    let a = Author::new(0, [1; 16], at(0));
    let stated = a.state(3, [7; 32]);
    for seconds in 0..1_100 {
        hear(&mut b, 2_000 + 1_000 * seconds, &[line(&a, &stated, 2, 1_000 * seconds)]);
    }
    b.close(at(2_000_000)).unwrap();
    drop(b);
    let files = disks[0].crash(&CrashState::KeepAll).files();
    let reopened = |room: Option<u64>| {
        let whole = FaultyStorage::with_files(files.clone(), 0, FaultRates::default());
        let other = FaultyStorage::new();
        other.set_capacity(room);
        drop(witness([whole.clone(), other.clone()], 1));
        [whole, other].map(|disk| disk.crash(&CrashState::LoseAll).files())
    };
    let [stays, begun] = reopened(Some(4 << 10));
    assert_eq!(stays, files);
    assert_eq!(begun.values().map(Vec::len).sum::<usize>(), 0);
    let [old, new] = reopened(None);
    assert!(old.is_empty() && !new.is_empty(), "with room it is rewritten");
}
