//! What is remembered is what would be worked out, and nothing is remembered by a thread that was not told to.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use ed25519_dalek::{Signer, SigningKey};

use super::*;
use crate::{Body, Epoch, Event, EventHash, MemberKey, NetworkId, Seq, Timestamp};

/// Of a signature, its input and its key each decide, asked about once or twice, remembering or not.
#[test]
fn every_byte_decides() {
    let keys = [SigningKey::from_bytes(&[1; 32]), SigningKey::from_bytes(&[2; 32])];
    let points = keys.each_ref().map(SigningKey::verifying_key);
    let signature = keys[0].sign(b"one").to_bytes();
    let mut other = signature;
    other[5] ^= 1;
    let answers = || {
        let asked = [
            (&points[0], &b"one"[..], &signature),
            (&points[1], &b"one"[..], &signature),
            (&points[0], &b"two"[..], &signature),
            (&points[0], &b"one"[..], &other),
        ];
        [asked, asked].concat().into_iter().map(|(key, input, signature)| holds_strictly(key, input, signature))
    };
    let wanted = [true, false, false, false, true, false, false, false];
    assert!(answers().eq(wanted));
    {
        let _memory = Remembering::begin();
        assert!(answers().eq(wanted));
    }
    let _told = Remembering::begin();
    signed(&points[0], b"one", &signature);
    assert!(answers().eq(wanted), "who signed says of these very bytes that they hold");
}

/// The second time nobody works; in another thread, or once it is over, everybody does.
#[test]
fn one_thread_remembers() {
    let asked = || {
        let mut worked = false;
        let _ = owner(&[1; 32], &[2; 65], || {
            worked = true;
            None
        });
        worked
    };
    assert!(asked() && asked());
    let memory = Remembering::begin();
    assert!(asked() && !asked());
    assert!(std::thread::spawn(asked).join().unwrap());
    drop(memory);
    assert!(asked());
}

/// One inside another neither forgets nor ends what the outer one remembers.
#[test]
fn one_inside_another_changes_nothing() {
    let asked = |number: u8| {
        let mut worked = false;
        let _ = owner(&[number; 32], &[2; 65], || {
            worked = true;
            None
        });
        worked
    };
    let outer = Remembering::begin();
    assert!(asked(1));
    let inner = Remembering::begin();
    assert!(!asked(1) && asked(2));
    drop(inner);
    assert!(!asked(1) && !asked(2));
    drop(outer);
    assert!(asked(1) && asked(2));
}

/// What is remembered is bounded; what goes is the oldest half, never what was asked about last.
#[test]
fn memory_is_bounded() {
    let asked = |number: usize| {
        let mut hash = [0; 32];
        hash[..8].copy_from_slice(&(number as u64).to_be_bytes());
        let mut worked = false;
        let _ = owner(&hash, &[0; 65], || {
            worked = true;
            None
        });
        worked
    };
    let _memory = Remembering::begin();
    assert!((0..MAX).all(asked));
    assert!(!asked(0) && !asked(MAX - 1));
    assert!(asked(MAX));
    let kept = MEMORY.with_borrow(|memory| {
        let owners = &memory.as_ref().unwrap().owners;
        owners.younger.len() + owners.older.len()
    });
    assert_eq!(kept, MAX / 2 + 1);
    assert!(!asked(MAX / 2) && !asked(MAX - 1) && !asked(MAX) && asked(0));
}

/// What decodes is decoded once, whoever asks, under all of its bytes; what does not is asked about again.
#[test]
fn decodes_once() {
    let event = |number: u64| Event {
        network: NetworkId::from_bytes([1; 32]),
        author: MemberKey::from_bytes([2; 32]),
        epoch: Epoch::from_bytes([3; 16]),
        seq: Seq::new(number),
        prev: EventHash::from_bytes([4; 32]),
        time: Timestamp::from_millis(5),
        body: Body::Unknown(99, Bytes::new()),
    };
    let asked = |bytes: &'static [u8], number: u64| {
        let mut worked = false;
        let answer: Result<Unverified, ()> = decoded(Bytes::from_static(bytes), |outer| {
            worked = true;
            if number == 0 { Err(()) } else { Ok(Unverified::from_wire(event(number), outer.clone(), [0; 64], outer)) }
        });
        (answer.map(|decoded| decoded.event().seq.get()), worked)
    };
    assert_eq!((asked(b"one", 1), asked(b"one", 1)), ((Ok(1), true), (Ok(1), true)));
    let _memory = Remembering::begin();
    assert_eq!((asked(b"one", 1), asked(b"one", 2)), ((Ok(1), true), (Ok(1), false)));
    assert_eq!((asked(b"two", 2), asked(b"two", 1)), ((Ok(2), true), (Ok(2), false)));
    assert_eq!((asked(b"none", 0), asked(b"none", 3)), ((Err(()), true), (Ok(3), true)));
}
