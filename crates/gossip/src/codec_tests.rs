//! Frames: what is written reads back, and nothing else is ever taken for a frame.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use futures::executor::block_on;
use futures::io::Cursor;
use libp2p::StreamProtocol;
use libp2p::request_response::Codec as _;
use proptest::prelude::*;

use super::*;

const P: StreamProtocol = StreamProtocol::new("/test");

fn response_of(bytes: &[u8]) -> Result<Response, Option<FrameFault>> {
    block_on(CatchUpCodec.read_response(&P, &mut Cursor::new(bytes))).map_err(fault)
}

fn request_of(bytes: &[u8]) -> Result<Request, Option<FrameFault>> {
    block_on(CatchUpCodec.read_request(&P, &mut Cursor::new(bytes))).map_err(fault)
}

fn fault(error: io::Error) -> Option<FrameFault> {
    error.into_inner().and_then(|e| e.downcast::<FrameFault>().ok()).map(|f| *f)
}

fn written(response: Response) -> Vec<u8> {
    let mut out = Cursor::new(Vec::new());
    block_on(CatchUpCodec.write_response(&P, &mut out, response)).unwrap();
    out.into_inner()
}

/// The frame's bytes are fixed: members of different builds must understand each other.
#[test]
fn golden_frames() {
    let mut out = Cursor::new(Vec::new());
    block_on(CatchUpCodec.write_request(&P, &mut out, Request::Ask(Bytes::from_static(b"ab")))).unwrap();
    assert_eq!(out.into_inner(), [1, 0, 0, 0, 2, b'a', b'b']);
    assert_eq!(written(Response::Answer(Bytes::from_static(b"c"))), [2, 0, 0, 0, 1, b'c']);
    assert_eq!(written(Response::Busy), [3, 0, 0, 0, 0]);
    assert_eq!(written(Response::Refused), [4, 0, 0, 0, 0]);
}

/// An empty stream is not an empty answer, and a cut frame is not a shorter one.
#[test]
fn every_prefix_of_a_frame_is_closed_early() {
    let whole = written(Response::Answer(Bytes::from_static(b"the answer")));
    for cut in 0..whole.len() {
        assert_eq!(response_of(&whole[..cut]), Err(Some(FrameFault::ClosedEarly)), "cut at {cut}");
    }
    assert_eq!(response_of(&[2, 0, 0, 0, 0]), Ok(Response::Answer(Bytes::new())));
    assert_eq!(request_of(&[]), Err(Some(FrameFault::ClosedEarly)));
}

/// A length over the bound is refused from the head alone.
#[test]
fn oversize_is_refused_unread() {
    let max = CATCH_UP_RESPONSE_BYTES_MAX as u64;
    assert_eq!(
        response_of(&[2, 255, 255, 255, 255]),
        Err(Some(FrameFault::TooLarge { announced: u64::from(u32::MAX), max }))
    );
    assert_eq!(request_of(&[1, 255, 255, 255, 255]), Ok(Request::Oversized));
    let large = Bytes::from(vec![0; CATCH_UP_RESPONSE_BYTES_MAX + 1]);
    let mut out = Cursor::new(Vec::new());
    let error = block_on(CatchUpCodec.write_response(&P, &mut out, Response::Answer(large))).unwrap_err();
    assert!(matches!(fault(error), Some(FrameFault::TooLarge { .. })));
    assert!(out.into_inner().is_empty(), "nothing was written");
}

/// Other kinds are garbage, and a refusal has no body.
#[test]
fn garbage_is_named() {
    for kind in (0..=255u8).filter(|k| ![2, 3, 4].contains(k)) {
        assert_eq!(response_of(&[kind, 0, 0, 0, 0]), Err(Some(FrameFault::Garbage { found: kind })));
    }
    assert_eq!(response_of(&[3, 0, 0, 0, 1, 9]), Err(Some(FrameFault::Garbage { found: 3 })));
    assert_eq!(request_of(b"GET / HTTP/1.1"), Err(Some(FrameFault::Garbage { found: b'G' })));
}

proptest! {
    /// Any bytes either read as exactly what writing gives, or are an error; never a panic.
    #[test]
    fn reading_inverts_writing(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
        if let Ok(response) = response_of(&bytes) {
            let again = written(response);
            prop_assert_eq!(&bytes[..again.len()], &again[..]);
        }
        prop_assert_eq!(response_of(&written(Response::Answer(bytes.clone().into()))), Ok(Response::Answer(bytes.into())));
    }
}
