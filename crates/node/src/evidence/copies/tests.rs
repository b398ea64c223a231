//! Who copies, and what is believed of a copy.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use watchfire_types::B256;

use super::{Arrived, Incoming, STRETCH_BYTES_MAX, answer, asked, question};
use crate::evidence::store::digest;

/// A question survives its encoding; anything else is none.
#[test]
fn questions_round_trip() {
    let object = B256::repeat_byte(7);
    assert_eq!(asked(&question(&object, 1 << 40)), Some((object, 1 << 40)));
    assert_eq!(asked(b"short"), None);
    assert_eq!(asked(&[0; 41]), None);
}

/// An object comes in stretches, each as long as may be; anything else is wrong, and its digest is looked at when it is whole.
#[test]
fn stretches_make_the_object_or_are_wrong() {
    let bytes: Vec<u8> = (0..STRETCH_BYTES_MAX + 10).map(|byte| u8::try_from(byte % 251).unwrap()).collect();
    let (object, size) = (digest(&bytes), bytes.len() as u64);
    let (first, second) = bytes.split_at(STRETCH_BYTES_MAX);
    let mut incoming = Incoming::new(object, [size].into());
    assert_eq!(incoming.take(&answer(size, first)), Arrived::More(STRETCH_BYTES_MAX as u64));
    assert_eq!(incoming.take(&answer(size, second)), Arrived::Whole(bytes.clone()));
    let wrong = [answer(size, &first[..10]), answer(size, &[]), answer(size, &bytes), b"\0\0\0".as_slice().into()];
    for wrong in wrong {
        assert!(
            matches!(Incoming::new(object, [size].into()).take(&wrong), Arrived::Wrong(_)),
            "{} bytes",
            wrong.len()
        );
    }
    assert_eq!(Incoming::new(object, [size].into()).take(b""), Arrived::Absent);
    for (sizes, said) in [([size, size + 1], size - 1), ([size, u64::MAX], u64::MAX)] {
        assert_eq!(Incoming::new(object, sizes.into()).take(&answer(said, first)), Arrived::OtherSize);
    }
    let mut changing = Incoming::new(object, [size, size + 1].into());
    assert_eq!(changing.take(&answer(size, first)), Arrived::More(STRETCH_BYTES_MAX as u64));
    assert_eq!(changing.take(&answer(size + 1, second)), Arrived::OtherSize);
}
