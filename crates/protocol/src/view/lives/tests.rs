//! Who is heard in turn lives, and for as long as it is heard.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;

const AUTHOR: MemberKey = MemberKey::from_bytes([1; 32]);

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_millis(1_700_000_000_000 + seconds * 1_000)
}

fn epoch(index: u8) -> Epoch {
    Epoch::from_bytes([index; 16])
}

fn said(signs: &[(u8, u64)]) -> Lives {
    let mut lives = Lives::default();
    for (index, second) in signs {
        lives.said(AUTHOR, epoch(*index), at(*second), |_| false);
    }
    lives
}

fn beaten(signs: &[(u8, u64)]) -> Lives {
    let mut lives = Lives::default();
    for (index, second) in signs {
        lives.beat(AUTHOR, epoch(*index), at(*second));
    }
    lives
}

/// A restart is one change of voice, and the last words of the one before may come late.
#[test]
fn one_change_of_voice_is_a_restart() {
    let signs = [(1, 0), (1, 50), (2, 60), (1, 70), (2, 80), (1, 120), (2, 400)];
    for lives in [said(&signs), beaten(&signs)] {
        assert!(!lives.twice(&AUTHOR, at(400), |_| false));
    }
    // The past may as well be heard after the present.
    let signs = [(2, 0), (1, 30), (2, 60), (1, 90), (2, 400)];
    assert!(!said(&signs).twice(&AUTHOR, at(400), |_| false));
}

/// Two that go on for more than a minute live, until one of them falls silent.
#[test]
fn two_that_go_on_live_until_one_is_silent() {
    let signs = [(1, 0), (2, 10), (1, 20), (2, 71), (1, 80)];
    for lives in [said(&signs), beaten(&signs)] {
        assert!(lives.twice(&AUTHOR, at(80), |_| false));
        assert!(lives.twice(&AUTHOR, at(671), |_| false));
        assert!(!lives.twice(&AUTHOR, at(672), |_| false));
        assert!(!lives.twice(&MemberKey::from_bytes([2; 32]), at(80), |_| false));
    }
}

/// Who goes on alone is one, however long the other one went on before.
#[test]
fn one_that_goes_on_alone_is_one() {
    let mut signs = vec![(1, 0), (2, 10), (1, 90), (2, 95)];
    signs.extend((10..80).map(|at| (2, at * 10)));
    for lives in [said(&signs), beaten(&signs)] {
        assert!(lives.twice(&AUTHOR, at(690), |_| false));
        assert!(!lives.twice(&AUTHOR, at(700), |_| false));
    }
}

/// Events of an epoch that is over are the past, whenever they come; its heartbeats are not.
#[test]
fn what_is_over_is_over() {
    let over = |of: &Epoch| *of == epoch(1);
    let signs = [(1, 0), (2, 10), (1, 80), (2, 90), (1, 100)];
    assert!(!said(&signs).twice(&AUTHOR, at(100), over));
    assert!(beaten(&signs).twice(&AUTHOR, at(100), over));
    let mut told = Lives::default();
    for (index, second) in signs {
        told.said(AUTHOR, epoch(index), at(second), over);
    }
    assert!(!told.twice(&AUTHOR, at(100), |_| false));
}

/// However many epochs a liar draws, few are listened to.
#[test]
fn few_epochs_are_listened_to() {
    let mut lives = Lives::default();
    for index in 0..200 {
        lives.said(AUTHOR, epoch(index), at(u64::from(index)), |_| false);
    }
    assert_eq!(lives.0[&AUTHOR].events.spans.len(), LIVES_MAX);
    lives.said(AUTHOR, epoch(0), at(10_000), |_| false);
    assert_eq!(lives.0[&AUTHOR].events.spans.len(), 1);
}
