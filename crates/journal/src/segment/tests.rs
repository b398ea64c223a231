//! Names and headers of segments.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::{Header, list, name};
use crate::storage::MemoryStorage;

/// Golden bytes of the header.
#[test]
fn golden_bytes() {
    let bytes = Header { number: 2, previous_end: 0x0010_0040, first_record: 77, base: None }.encode();
    let text: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(
        text.concat(),
        concat!(
            "57464a524e4c3031",
            "00000002",
            "00100040",
            "000000000000004d",
            "000000000000000000000000000000000000000000000000000000000000000000000000",
            "7a6ae9ce"
        )
    );
}

/// Every bit of the header counts.
#[test]
fn any_flip_fails() {
    let header = Header { number: 2, previous_end: 4096, first_record: 77, base: None };
    let bytes = header.encode();
    assert_eq!(Header::decode(&bytes), Some(header));
    for bit in 0..bytes.len() * 8 {
        let mut flipped = bytes;
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(Header::decode(&flipped), None, "bit {bit}");
    }
}

/// Only exact names are segments; they come in order of number.
#[test]
fn lists_segments_only() {
    let others = ["lock", "next.tmp", "1.log", "0000000A.log", "00000000.log.bak", "000000000.log"];
    let names = others.into_iter().map(str::to_owned).chain([name(16), name(2)]);
    let storage = MemoryStorage::with_files(names.map(|name| (name, Vec::new())));
    assert_eq!(list(&storage).unwrap(), [2, 16]);
}
