//! The redial schedule, on a clock that the test moves.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use proptest::prelude::*;

use super::*;
use crate::identity::{pair_of, peer_of};

fn member(n: u8, kind: Kind, addresses: &[&str]) -> Member {
    let key = pair_of(&[n; 32]).unwrap().1;
    Member {
        key,
        peer: peer_of(&key).unwrap(),
        kind,
        addresses: addresses.iter().map(|a| a.parse().unwrap()).collect(),
    }
}

fn guardian(n: u8) -> Member {
    member(n, Kind::Guardian, &["/ip4/192.0.2.1/tcp/9001", "/ip4/192.0.2.1/udp/9001/quic-v1"])
}

/// Two guardians, the one with the lower peer id first.
fn ordered() -> (Member, Member) {
    let (a, b) = (guardian(1), guardian(2));
    if a.peer < b.peer { (a, b) } else { (b, a) }
}

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// The lower peer id dials at once, the other a quarter of a second later, and not at all once the first has come through.
#[test]
fn one_side_dials_first() {
    let start = Instant::now();
    let (low, high) = ordered();
    let both = [low.clone(), high.clone()];
    let mut first = Dialer::new(&low, &both, start);
    let mut second = Dialer::new(&high, &both, start);
    assert_eq!(first.take_due(start).len(), 1);
    assert!(second.take_due(start + ms(249)).is_empty());
    assert_eq!(second.next_due(), Some(start + SECOND_SIDE));
    second.on_established(&low.key);
    assert!(second.take_due(start + ms(60_000)).is_empty());
    assert_eq!(second.next_due(), None);
}

/// Pauses double from 250 ms to 5 s, always the same ones; joining forgets them, hanging up at once does not.
#[test]
fn back_off_is_fixed() {
    let mut now = Instant::now();
    let (low, high) = ordered();
    let mut dialer = Dialer::new(&low, &[low.clone(), high.clone()], now);
    for expected in [250, 500, 1_000, 2_000, 4_000, 5_000, 5_000] {
        assert_eq!(dialer.take_due(now).len(), 1);
        assert_eq!(dialer.next_due(), None, "one dial at a time");
        dialer.on_failed(&high.key, None, now);
        assert_eq!(dialer.next_due(), Some(now + ms(expected)));
        now += ms(expected);
    }
    dialer.take_due(now);
    dialer.on_established(&high.key);
    dialer.on_lost(&high.key, false, now);
    assert_eq!(dialer.next_due(), Some(now + ms(5_000)), "it hung up at once");
    dialer.on_established(&high.key);
    dialer.on_joined(&high.key);
    dialer.on_lost(&high.key, true, now);
    assert_eq!(dialer.next_due(), Some(now), "at once after a real connection");
}

/// Whoever cannot be dialled begins, whatever its peer id; nobody dials a watcher or a member without addresses.
#[test]
fn who_cannot_be_dialled_begins() {
    let now = Instant::now();
    let (low, high) = ordered();
    let hidden = Member { addresses: Vec::new(), ..high };
    let watcher = member(9, Kind::Watcher, &["/ip4/192.0.2.9/tcp/9001"]);
    let all = [low.clone(), hidden.clone(), watcher.clone()];
    assert_eq!(Dialer::new(&hidden, &all, now).take_due(now).len(), 1);
    assert!(Dialer::new(&low, &all, now).take_due(now + ms(60_000)).is_empty());
}

/// An address where another key answered is left out of the next dial, unless it is the only one.
#[test]
fn a_wrong_address_is_skipped_once() {
    let now = Instant::now();
    let (low, high) = ordered();
    let mut dialer = Dialer::new(&low, &[low.clone(), high.clone()], now);
    let wrong = high.addresses[0].clone();
    dialer.take_due(now);
    dialer.on_failed(&high.key, Some(wrong), now);
    assert_eq!(dialer.take_due(now + ms(9_000))[0].addresses, [high.addresses[1].clone()]);
    dialer.on_failed(&high.key, None, now);
    assert_eq!(dialer.take_due(now + ms(9_000))[0].addresses, high.addresses);

    let single = Member { addresses: vec![high.addresses[0].clone()], ..high };
    let mut dialer = Dialer::new(&low, &[low.clone(), single.clone()], now);
    dialer.take_due(now);
    dialer.on_failed(&single.key, Some(single.addresses[0].clone()), now);
    assert_eq!(dialer.take_due(now + ms(9_000))[0].addresses, single.addresses);
}

/// A barred member is left alone until its time is over, whatever happens meanwhile.
#[test]
fn a_barred_member_is_not_dialled() {
    let now = Instant::now();
    let (low, high) = ordered();
    let mut dialer = Dialer::new(&low, &[low.clone(), high.clone()], now);
    let until = now + ms(60_000);
    dialer.on_barred(&high.key, until);
    assert_eq!(dialer.next_due(), Some(until));
    dialer.on_established(&high.key);
    dialer.on_lost(&high.key, true, now);
    assert_eq!(dialer.next_due(), Some(until));
    assert!(dialer.take_due(until - ms(1)).is_empty());
    assert_eq!(dialer.take_due(until).len(), 1);
}

/// A failed dial beside a connection that the other side made changes nothing.
#[test]
fn a_failed_dial_beside_a_connection_is_nothing() {
    let now = Instant::now();
    let (low, high) = ordered();
    let mut dialer = Dialer::new(&low, &[low.clone(), high.clone()], now);
    dialer.take_due(now);
    dialer.on_established(&high.key);
    dialer.on_failed(&high.key, None, now);
    assert_eq!(dialer.next_due(), None);
}

proptest! {
    /// A watcher never has more than four dials and connections together, and never rests with fewer while a guardian is due.
    #[test]
    fn a_watcher_holds_four(guardians in 1u8..12, steps in proptest::collection::vec((any::<u8>(), 0u8..4), 0..80)) {
        let start = Instant::now();
        let watcher = member(99, Kind::Watcher, &[]);
        let mut members: Vec<Member> = (1..=guardians).map(guardian).collect();
        members.push(member(98, Kind::Voter, &["/ip4/192.0.2.1/tcp/9001"]));
        members.push(watcher.clone());
        let mut dialer = Dialer::new(&watcher, &members, start);
        let mut now = start;
        for (who, what) in steps {
            let key = members[usize::from(who % guardians)].key;
            match what {
                0 => dialer.on_failed(&key, None, now),
                1 if dialer.targets[dialer.by_key[&key]].state == State::Dialling => dialer.on_established(&key),
                2 if dialer.targets[dialer.by_key[&key]].state == State::Connected => dialer.on_lost(&key, who % 2 == 0, now),
                _ => now += ms(u64::from(who) * 40),
            }
            let dials = dialer.take_due(now);
            prop_assert!(dials.iter().all(|d| members.iter().any(|m| m.key == d.member && m.kind == Kind::Guardian)));
            prop_assert!(dialer.active() <= WATCHER_GUARDIANS);
            prop_assert!(dialer.active() == WATCHER_GUARDIANS.min(usize::from(guardians)) || dialer.next_due().is_some_and(|at| at > now));
        }
    }
}
