//! Who copies, and what is believed of a copy.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use watchfire_types::B256;

use super::{Arrived, Incoming, answer, asked, question};
use crate::evidence::store::digest;

/// A question survives its encoding; anything else is none.
#[test]
fn questions_round_trip() {
    let object = B256::repeat_byte(7);
    assert_eq!(asked(&question(&object, 1 << 40)), Some((object, 1 << 40)));
    assert_eq!(asked(b"short"), None);
    assert_eq!(asked(&[0; 41]), None);
}

/// An object comes in stretches and is whole only with its digest.
#[test]
fn stretches_make_the_object_or_are_wrong() {
    let bytes = b"the raw answer of an operator";
    let mut incoming = Incoming::new(digest(bytes));
    assert_eq!(incoming.take(&answer(29, &bytes[..10])), Arrived::More(10));
    assert_eq!(incoming.take(&answer(29, &bytes[10..])), Arrived::Whole(bytes.to_vec()));
    for wrong in
        [answer(29, b"the raw answer of nobody's own"), answer(29, &[]), answer(u64::MAX, b"x"), b"".as_slice().into()]
    {
        assert!(matches!(Incoming::new(digest(bytes)).take(&wrong), Arrived::Wrong(_)));
    }
    let other = answer(4, b"else");
    assert_eq!(Incoming::new(digest(bytes)).take(&other), Arrived::Wrong("its bytes have another digest"));
}
