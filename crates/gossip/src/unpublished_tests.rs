//! The queue of unheard messages keeps its bounds and its order.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;

/// One more than the count lets the oldest go.
#[test]
fn count_bound_drops_oldest() {
    let mut queue = Unpublished::default();
    for i in 0..UNPUBLISHED_MAX {
        assert_eq!(queue.push(Bytes::from(i.to_be_bytes().to_vec())), 0);
    }
    assert_eq!(queue.push(Bytes::from_static(b"newest")), 1);
    assert_eq!(queue.pop(), Some(Bytes::from(1usize.to_be_bytes().to_vec())));
}

/// Large messages run into the bound on bytes first.
#[test]
fn byte_bound_drops_oldest() {
    let mut queue = Unpublished::default();
    let large = Bytes::from(vec![7; UNPUBLISHED_BYTES_MAX / 4]);
    assert_eq!((0..6).map(|_| queue.push(large.clone())).sum::<usize>(), 2);
    assert_eq!(queue.bytes, UNPUBLISHED_BYTES_MAX);
    while queue.pop().is_some() {}
    assert!(queue.is_empty() && queue.bytes == 0);
}

/// What is put back comes first again.
#[test]
fn put_back_keeps_order() {
    let mut queue = Unpublished::default();
    queue.push(Bytes::from_static(b"a"));
    queue.push(Bytes::from_static(b"b"));
    let first = queue.pop().unwrap();
    queue.push_front(first);
    assert_eq!(queue.pop(), Some(Bytes::from_static(b"a")));
}
