//! How a catch-up question and its answer stand on a stream.
//!
//! One byte says what it is, four bytes (big endian) how long, then the bytes. So an empty stream is never an empty
//! answer: a stream that ends before its first byte, or inside a frame, is an error on both sides. The announced length
//! is compared with the bound before anything is read, and memory grows only with what really arrives.

use std::io;

use bytes::Bytes;
use futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use libp2p::request_response;
use thiserror::Error;

use crate::config::limits::{CATCH_UP_REQUEST_BYTES_MAX, CATCH_UP_RESPONSE_BYTES_MAX};

const REQUEST: u8 = 1;
const ANSWER: u8 = 2;
const BUSY: u8 = 3;
const REFUSED: u8 = 4;

/// What was wrong with a frame; travels inside an [`io::Error`] because the stack's codec trait asks for one.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(crate) enum FrameFault {
    #[error("the stream ended before the frame was complete")]
    ClosedEarly,
    #[error("the frame announces {announced} bytes, more than the {max} allowed")]
    TooLarge { announced: u64, max: u64 },
    #[error("unknown kind of frame {found:#04x}")]
    Garbage { found: u8 },
}

impl From<FrameFault> for io::Error {
    fn from(fault: FrameFault) -> Self {
        Self::new(io::ErrorKind::InvalidData, fault)
    }
}

/// A question as it came in. `Oversized` is a value and not an error because the stack drops a stream whose request
/// fails to read without a word, and the asker would wait.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Request {
    Ask(Bytes),
    Oversized,
}

/// An answer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Response {
    Answer(Bytes),
    Busy,
    Refused,
}

/// The codec; it has no state.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct CatchUpCodec;

async fn read_head<T: AsyncRead + Unpin + Send>(io: &mut T) -> io::Result<(u8, u64)> {
    let mut head = [0; 5];
    io.read_exact(&mut head).await.map_err(early)?;
    let [kind, a, b, c, d] = head;
    Ok((kind, u64::from(u32::from_be_bytes([a, b, c, d]))))
}

async fn read_body<T: AsyncRead + Unpin + Send>(io: &mut T, announced: u64) -> io::Result<Bytes> {
    let mut body = Vec::new();
    io.take(announced).read_to_end(&mut body).await.map_err(early)?;
    if u64::try_from(body.len()).is_ok_and(|read| read == announced) {
        Ok(body.into())
    } else {
        Err(FrameFault::ClosedEarly.into())
    }
}

fn early(error: io::Error) -> io::Error {
    if error.kind() == io::ErrorKind::UnexpectedEof { FrameFault::ClosedEarly.into() } else { error }
}

async fn write<T: AsyncWrite + Unpin + Send>(io: &mut T, kind: u8, body: &[u8], max: usize) -> io::Result<()> {
    let too_large = || io::Error::from(FrameFault::TooLarge { announced: body.len() as u64, max: max as u64 });
    let length = u32::try_from(body.len()).ok().filter(|_| body.len() <= max).ok_or_else(too_large)?;
    let mut head = [kind, 0, 0, 0, 0];
    head[1..].copy_from_slice(&length.to_be_bytes());
    io.write_all(&head).await?;
    io.write_all(body).await
}

impl request_response::Codec for CatchUpCodec {
    type Protocol = libp2p::StreamProtocol;
    type Request = Request;
    type Response = Response;

    async fn read_request<T>(&mut self, _: &Self::Protocol, io: &mut T) -> io::Result<Request>
    where
        T: AsyncRead + Unpin + Send,
    {
        match read_head(io).await? {
            (REQUEST, length) if length > CATCH_UP_REQUEST_BYTES_MAX as u64 => Ok(Request::Oversized),
            (REQUEST, length) => Ok(Request::Ask(read_body(io, length).await?)),
            (found, _) => Err(FrameFault::Garbage { found }.into()),
        }
    }

    async fn read_response<T>(&mut self, _: &Self::Protocol, io: &mut T) -> io::Result<Response>
    where
        T: AsyncRead + Unpin + Send,
    {
        let max = CATCH_UP_RESPONSE_BYTES_MAX as u64;
        match read_head(io).await? {
            (ANSWER, announced) if announced > max => Err(FrameFault::TooLarge { announced, max }.into()),
            (ANSWER, length) => Ok(Response::Answer(read_body(io, length).await?)),
            (BUSY, 0) => Ok(Response::Busy),
            (REFUSED, 0) => Ok(Response::Refused),
            (found, _) => Err(FrameFault::Garbage { found }.into()),
        }
    }

    async fn write_request<T>(&mut self, _: &Self::Protocol, io: &mut T, request: Request) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        match request {
            Request::Ask(bytes) => write(io, REQUEST, &bytes, CATCH_UP_REQUEST_BYTES_MAX).await,
            Request::Oversized => Err(io::ErrorKind::InvalidInput.into()),
        }
    }

    async fn write_response<T>(&mut self, _: &Self::Protocol, io: &mut T, response: Response) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        match response {
            Response::Answer(bytes) => write(io, ANSWER, &bytes, CATCH_UP_RESPONSE_BYTES_MAX).await,
            Response::Busy => write(io, BUSY, &[], 0).await,
            Response::Refused => write(io, REFUSED, &[], 0).await,
        }
    }
}

#[cfg(test)]
#[path = "codec_tests.rs"]
mod tests;
