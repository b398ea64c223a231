//! Checkpoints that came before the events they are about.

use super::*;
use crate::world::sending;

/// However many checkpoints of invented epochs a liar has witnessed, one whose events come later is held against them: its author is convicted.
#[test]
fn no_number_of_inventions_hides_a_fork() {
    // Its origin stands behind all inventions.
    let [first, second] = two_histories_of(3);
    assert!(name(0) < name(3));
    let mut b = driver(1, 2);
    // Beyond what is judged at once; a witness may say 1,024 lines at once, and as many again after 256 s.
    let mut epochs = 0_u32..;
    for ms in [1_000, 301_000] {
        let mut door = Vec::new();
        for by in [2, 3, 4] {
            for number in epochs.by_ref().take(1_024) {
                let mut epoch = [0xee; 16];
                epoch[..4].copy_from_slice(&number.to_be_bytes());
                let liar = Author::new(0, epoch, at(0));
                let bytes = line(&liar, &liar.state(7, [7; 32]), by, ms);
                door.push(Door::Gossip { id: number.into(), bytes });
            }
        }
        let output = b.handle(at(ms), door).unwrap();
        assert!(output.verdicts.iter().all(|(_, verdict, _)| *verdict == Verdict::Accept));
    }
    let a = Author::new(3, [1; 16], at(0));
    let other = line(&a, &a.state(3, root(&second)), 2, 400_000);
    hear(&mut b, 601_000, &[other]);
    assert!(b.machine().convictions().is_empty(), "nothing is known of it yet");
    hear(&mut b, 602_000, &messages(&first[..3]));
    let convicted = (603..613).any(|second| {
        tick(&mut b, second * 1_000);
        !b.machine().convictions().is_empty()
    });
    assert!(convicted, "the other history is not forgotten");
}

/// However often events come, what is kept is held against them once a second.
#[test]
fn judging_has_its_pace() {
    let [first, second] = two_histories_of(3);
    let a = Author::new(3, [1; 16], at(0));
    let mut b = driver(1, 2);
    hear(&mut b, 1_000, &[line(&a, &a.state(3, root(&second)), 2, 1_000)]);
    hear(&mut b, 1_500, &messages(&first[..3]));
    let mut convicted = |ms| {
        tick(&mut b, ms);
        !b.machine().convictions().is_empty()
    };
    assert_eq!([1_999, 2_000].map(&mut convicted), [false, true]);
}

/// What was held against the log is not looked at again: that somebody signs with the own key is told once.
#[test]
fn each_is_judged_once() {
    let own = Author::new(1, [2; 16], at(0));
    let mut b = driver(1, 2);
    hear(&mut b, 1_000, &[line(&own, &own.state(2, [9; 32]), 2, 1_000)]);
    let mut told = |ms, word: Option<u8>| {
        let input = word.map_or(Input::Tick, sending);
        let notices = b.handle(at(ms), vec![Door::Input(input)]).unwrap().notices;
        notices.into_iter().filter(|notice| *notice == Notice::OwnKeyElsewhere { size: 2 }).count()
    };
    assert_eq!([told(3_000, None), told(5_000, Some(1)), told(7_000, None)], [0, 1, 0]);
}
