//! Contradictions that cannot be carried into the log at once: the budget is spent, or the disk is full.

use watchfire_journal::{Journal, JournalOptions};
use watchfire_types::body::EpochHead;
use watchfire_types::{Epoch, EventHash};

use super::*;
use crate::world::sending;

/// Two witnesses' lines under two checkpoints of one size.
fn contradiction(author: &Author, size: u64, ms: u64) -> [Bytes; 2] {
    [(1, 3), (2, 4)].map(|(root, by)| line(author, &author.state(size, [root; 32]), by, ms))
}

/// So many invented epochs of the first member, each with such a contradiction.
fn inventions(from: u8, count: u8) -> Vec<Bytes> {
    let invented = (from..from + count).map(|number| Author::new(0, [number; 16], at(0)));
    invented.flat_map(|liar| contradiction(&liar, 7, 1_000)).collect()
}

fn cut<S: Storage>(driver: &Driver<S, TestKeys>, author: &Author) -> Option<Seq> {
    driver.machine().cut(author.key(), author.epoch)
}

/// A liar spends the budget on invented epochs, goes on inventing more, and then shows a real fork: by a checkpoint against its events, or by two
/// of one size. It is not forgotten, and it is the first to be carried in once there is room for one more.
#[test]
fn a_fork_after_the_budget_waits() {
    for by_events in [true, false] {
        let mut b = driver(1, 2);
        hear(&mut b, 1_000, &inventions(1, 26));
        let invented = |b: &Driver<MemoryStorage, TestKeys>| {
            (1..=60_u8).filter(|number| cut(b, &Author::new(0, [*number; 16], at(0))).is_some()).count()
        };
        assert_eq!(invented(&b), 16);
        let mut real = Author::new(0, [0xf0; 16], at(0));
        let events = vec![real.say(started(Vec::new())), real.say(note("one")), real.say(note("two"))];
        hear(&mut b, 2_000, &messages(&events));
        let shown = if by_events {
            vec![line(&real, &real.state(2, [9; 32]), 3, 3_000)]
        } else {
            contradiction(&real, 9, 3_000).to_vec()
        };
        hear(&mut b, 3_000, &shown);
        hear(&mut b, 300_000, &inventions(30, 26));
        tick(&mut b, 600_000);
        assert_eq!((invented(&b), cut(&b, &real)), (16, None), "the budget is spent");
        tick(&mut b, 601_100);
        assert_eq!((invented(&b), cut(&b, &real)), (16, Some(Seq::new(if by_events { 2 } else { 0 }))));
        let later: Vec<usize> = (2..5)
            .map(|round| {
                tick(&mut b, 600_000 * round + 1_200);
                invented(&b)
            })
            .collect();
        assert_eq!(later, [17, 18, 19], "then what waited longest without events");
    }
}

/// Of more real forks than may wait the one beyond stays unjudged: it is not told as lost, and in the end it is convicted like all others.
#[test]
fn forks_beyond_what_may_wait_stay_unjudged() {
    let mut b = driver(1, 2);
    hear(&mut b, 1_000, &inventions(1, 16));
    let mut forks: Vec<Author> = (100..117).map(|number| Author::new(0, [number; 16], at(0))).collect();
    let (seq, hash) = (Seq::new(0), EventHash::from_bytes([7; 32]));
    let named = forks.iter().map(|fork| EpochHead { epoch: fork.epoch, seq, hash, checkpoint: None });
    let naming = Author::new(0, [200; 16], at(1_000)).say(started(named.collect()));
    hear(&mut b, 1_100, &messages(&[naming]));
    for (number, fork) in forks.iter_mut().enumerate() {
        hear(&mut b, 1_200, &messages(&[fork.say(started(Vec::new()))]));
        // What this node cosigned of a chain that it does not hold any more it would tell.
        let by = if number == 16 { 1 } else { 3 };
        hear(&mut b, 1_300, &[line(fork, &fork.state(1, [9; 32]), by, 1_300)]);
    }
    tick(&mut b, 3_000);
    assert_eq!((forks.iter().filter(|fork| cut(&b, fork).is_some()).count(), b.forgotten().count()), (0, 0));
    for round in 1..=17 {
        tick(&mut b, 600_000 * round + 2_000);
        assert_eq!(forks.iter().filter(|fork| cut(&b, fork).is_some()).count() as u64, round);
    }
}

/// On a full disk nothing is carried in, and nothing of the budget is spent on that: it is all done once there is room.
#[test]
fn a_full_disk_costs_no_conviction() {
    let disk = FaultyStorage::new();
    let options = JournalOptions { segment_bytes: 16 << 20, chunk_bytes: 16 << 10, reserve_bytes: 64 << 10 };
    disk.set_capacity(Some(200 << 10));
    let journal = Journal::open(disk.clone(), options).unwrap();
    let (charter, keys) = (crate::world::charter(), TestKeys::of(1));
    let (mut b, _) =
        Driver::open(journal, keys, charter, network(), name(1), Epoch::from_bytes([2; 16]), at(0)).unwrap();
    b.set_witness(witness([FaultyStorage::new(), FaultyStorage::new()], 1));
    let mut words = (0..=u8::MAX).cycle().take(4_000);
    let full = words.find(|word| {
        let output = b.handle(at(1_000), vec![Door::Input(sending(*word))]).unwrap();
        output.answers[0].result.is_err()
    });
    assert!(full.is_some());
    let forks = [3, 4, 5].map(|epoch| Author::new(0, [epoch; 16], at(0)));
    let lines: Vec<Bytes> = forks.iter().flat_map(|fork| contradiction(fork, 7, 1_000)).collect();
    hear(&mut b, 2_000, &lines);
    for seconds in 3..60 {
        tick(&mut b, 1_000 * seconds);
    }
    assert_eq!(forks.each_ref().map(|fork| cut(&b, fork)), [None; 3]);
    disk.set_capacity(None);
    let convicted = (600..900).any(|tenths| {
        tick(&mut b, 100 * tenths);
        forks.iter().all(|fork| cut(&b, fork) == Some(Seq::new(0)))
    });
    assert!(convicted);
}
