//! What the background's failures mean, whichever segment they are of.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::io;

use super::*;
use crate::storage::MemoryStorage;

/// Goal: a disk that fails under a segment which the writer has left by then ends the log like any other failure; want of room there says nothing.
#[test]
fn a_failure_in_a_left_segment_ends_the_log() {
    let extend = |number, kind| {
        let mut ahead = Ahead::new(MemoryStorage::new(), JournalOptions::default(), 1, 4_096, None);
        let job = Job::Extend { number, from: 64, to: 128 };
        ahead.take(Done { job, result: Err(io::Error::from(kind)) }).map(|()| ahead.full)
    };
    for number in [0, 1] {
        let failed = extend(number, io::ErrorKind::Other).unwrap_err();
        assert!(matches!(failed, JournalError::Io { doing: "extend", .. }), "{failed}");
    }
    assert!(!extend(0, io::ErrorKind::StorageFull).unwrap());
    assert!(extend(1, io::ErrorKind::StorageFull).unwrap());
}
