//! The frame's bytes and what its checksums notice.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::{ALIGNMENT, Content, decode, encode, hole, size};

fn frame() -> Vec<u8> {
    let mut bytes = Vec::new();
    encode(&mut bytes, 3, 640, 64, b"watchfire");
    bytes
}

/// Golden bytes: a stored log must stay readable, so a change here needs a new magic in the segment header.
#[test]
fn golden_bytes() {
    let bytes = frame();
    let text: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(text.concat(), "00000009000000409a232f943ee813d9776174636866697265a5a5a5a5a5a5a5");
}

/// Golden bytes of a hole: what a repair leaves must stay readable too.
#[test]
fn golden_hole() {
    let bytes = hole(3, 640, 48, 2);
    let text: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(
        text.concat(),
        concat!("8000002000000002e8bc05d1a3670245", "a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5")
    );
    let (header, content) = decode(&bytes, 3, 640).unwrap();
    assert_eq!((header.size(), header.commit, content), (48, 640, Content::Hole(2)));
    for bit in 0..bytes.len() * 8 {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(decode(&flipped, 3, 640).is_none(), "bit {bit}");
    }
}

/// A record comes back as it went in, and its frame ends where the next may begin.
#[test]
fn round_trip() {
    for length in 1..70 {
        let record = vec![0; length];
        let mut bytes = Vec::new();
        encode(&mut bytes, 0, 64, 64, &record);
        assert_eq!(bytes.len(), size(length));
        assert_eq!(bytes.len() % ALIGNMENT, 0);
        assert_ne!(bytes.last(), Some(&0), "a frame never ends in zero");
        let (header, read) = decode(&bytes, 0, 64).unwrap();
        assert_eq!((header.size(), header.commit, read), (bytes.len(), 64, Content::Record(&record)));
    }
}

/// Every bit counts, trailer included, and so does the place.
#[test]
fn any_flip_and_any_other_place_fail() {
    let bytes = frame();
    assert!(decode(&bytes, 3, 640).is_some());
    assert!(decode(&bytes, 3, 656).is_none(), "another offset");
    assert!(decode(&bytes, 2, 640).is_none(), "another segment");
    for bit in 0..bytes.len() * 8 {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(decode(&flipped, 3, 640).is_none(), "bit {bit}");
    }
    for length in 0..bytes.len() {
        assert!(decode(&bytes[..length], 3, 640).is_none(), "cut to {length}");
    }
}
