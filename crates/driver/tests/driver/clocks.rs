//! Clocks that are wrong: what is said of them, and what is heard all the same.

use watchfire_driver::{Door, Driver, HeartbeatFacts, Refusal};
use watchfire_journal::MemoryStorage;
use watchfire_protocol::Rejection;
use watchfire_types::input::Input;
use watchfire_types::{Bytes, Event, Seq, Timestamp, Verdict, Verified};

use crate::chain::{Chain, finding};
use crate::forge::{Author, note, started};
use crate::world::{TestKeys, charter, gossip, open};

type MemoryDriver = Driver<MemoryStorage, TestKeys>;

/// The model chain's beginning.
const NOW: Timestamp = Timestamp::from_millis(1_700_000_098_000);
const HOUR_MS: u64 = 3_600_000;

fn say(driver: &mut MemoryDriver, now: Timestamp, bytes: Bytes) -> (Verdict, Option<Refusal>) {
    let output = driver.handle(now, vec![Door::Gossip { id: 1, bytes }]).unwrap();
    let (_, verdict, refusal) = output.verdicts.into_iter().next().unwrap();
    (verdict, refusal)
}

fn alarm(driver: &MemoryDriver, now: Timestamp, kind: &str) -> bool {
    driver.clock_alarms(now).iter().any(|line| line.starts_with(kind))
}

/// A clock that was an hour ahead when the node started and is set back: the node says so at once, its own time still rises by a
/// millisecond an event, and after a restart it is heard again though others hold later words of it.
#[test]
fn an_own_clock_set_back_is_said_and_mended_by_a_restart() {
    let storage = MemoryStorage::new();
    let wrong = NOW.plus_millis(HOUR_MS);
    let (mut driver, opened) = open(&charter(), 1, storage.clone(), 0x71, wrong);
    assert!(driver.clock_alarms(wrong).is_empty());
    let chain = Chain::new(98);
    let view = chain.view(&charter());
    let standing = vec![finding("vault-outflow", view.block)];
    let seen = [Input::Block(Box::new(view.clone())), Input::Detected { block: view.block, standing }];
    let output = driver.handle(NOW, seen.into_iter().map(Door::Input).collect()).unwrap();
    let times: Vec<Timestamp> = opened.appended.iter().chain(&output.appended).map(|event| event.time).collect();
    assert!(times.len() > 1 && times.windows(2).all(|pair| pair[1] == pair[0].plus_millis(1)), "{times:?}");
    assert!(alarm(&driver, NOW, "clock-behind: this node's clock is 3600 s behind"), "{:?}", driver.clock_alarms(NOW));
    let (mut peer, _) = open(&charter(), 0, MemoryStorage::new(), 0x70, NOW);
    for bytes in opened.publish.iter().chain(&output.publish) {
        let (_, refusal) = say(&mut peer, NOW, bytes.clone());
        assert!(matches!(refusal, Some(Refusal::Protocol(Rejection::Future { .. }))), "{refusal:?}");
    }
    drop(driver);
    let (restarted, reopened) = open(&charter(), 1, storage, 0x72, NOW);
    assert!(restarted.clock_alarms(NOW).is_empty());
    let (verdict, refusal) = say(&mut peer, NOW, reopened.publish[0].clone());
    assert_eq!((verdict, refusal), (Verdict::Accept, None), "heard at once");
}

/// Heartbeats rise like events, so that a clock set back mutes none; a new process is heard though an old one's words
/// bear a later time, and those are not taken again.
#[test]
fn heartbeats_are_ordered_by_process_before_time() {
    let storage = MemoryStorage::new();
    let (mut peer, _) = open(&charter(), 0, MemoryStorage::new(), 0x70, NOW);
    let ahead = NOW.plus_millis(50_000);
    let (driver, opened) = open(&charter(), 1, storage.clone(), 0x71, ahead);
    let first = driver.heartbeat(ahead, HeartbeatFacts::default()).unwrap();
    let second = driver.heartbeat(NOW, HeartbeatFacts::default()).unwrap();
    say(&mut peer, NOW, opened.publish[0].clone());
    for beat in [&first, &second] {
        assert_eq!(say(&mut peer, NOW, beat.clone()).0, Verdict::Accept);
    }
    drop(driver);
    let (restarted, reopened) = open(&charter(), 1, storage, 0x72, NOW);
    say(&mut peer, NOW, reopened.publish[0].clone());
    let third = restarted.heartbeat(NOW, HeartbeatFacts::default()).unwrap();
    assert_eq!(say(&mut peer, NOW, third), (Verdict::Accept, None));
    let replayed = say(&mut peer, NOW, second);
    assert!(matches!(replayed, (Verdict::Ignore, Some(Refusal::StaleHeartbeat { .. }))), "{replayed:?}");
}

/// What comes from too far ahead waits and is said; when its time has come it is taken and nothing is said any more. When as many
/// organisations as can contain are ahead it is the own clock that is wrong.
#[test]
fn a_clock_ahead_is_said_until_it_is_not() {
    let (mut here, _) = open(&charter(), 0, MemoryStorage::new(), 0x70, NOW);
    let mut ahead: Vec<Author> = (1..4).map(|index| Author::new(index, [5; 16], NOW.plus_millis(120_000))).collect();
    let events: Vec<Bytes> = ahead.iter_mut().map(|author| gossip(author.say(started(Vec::new())).outer())).collect();
    for (at, event) in events.iter().enumerate() {
        let (verdict, refusal) = say(&mut here, NOW, event.clone());
        assert!(matches!(refusal, Some(Refusal::Protocol(Rejection::Future { ahead_ms: 120_000 }))));
        assert_eq!(verdict, Verdict::Ignore);
        assert!(alarm(&here, NOW, "clock-ahead: "));
        assert_eq!(alarm(&here, NOW, "clock-behind: the clocks of 3 organisations"), at == 2);
    }
    let later = NOW.plus_millis(60_000);
    assert!(here.clock_alarms(later).is_empty());
    for event in events {
        assert_eq!(say(&mut here, later, event), (Verdict::Accept, None));
    }
}

/// An event dated no later than the one before is told of its author and is taken like any other: in every order of arrival the
/// set, and so the digest, is the same.
#[test]
fn a_clock_that_does_not_rise_is_told_in_every_order() {
    let mut author = Author::new(1, [5; 16], NOW);
    let mut chain = vec![author.say(started(Vec::new())), author.say(note("one"))];
    author.time = NOW;
    chain.extend([author.say(note("two")), author.say(note("three"))]);
    let told = |order: &[usize]| {
        let (mut here, _) = open(&charter(), 0, MemoryStorage::new(), 0x70, NOW);
        let events: Vec<&Verified<Event>> = order.iter().map(|at| &chain[*at]).collect();
        for event in events {
            assert_eq!(say(&mut here, NOW, gossip(event.outer())), (Verdict::Accept, None));
        }
        let heads = here.machine().heads();
        assert_eq!(heads[&(author.key(), author.epoch)].0, Seq::new(3));
        let members = here.machine().members();
        assert_eq!(members.iter().filter(|member| member.clock_slipped).count(), 1);
        assert!(here.machine().alarms().iter().any(|line| line.starts_with("clock-slipped: ")));
        here.machine().state_digest()
    };
    let digest = told(&[0, 1, 2, 3]);
    for order in [[3, 2, 1, 0], [0, 2, 1, 3], [1, 3, 0, 2]] {
        assert_eq!(told(&order), digest);
    }
}
