//! The node's side of the control socket.

use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Serialize;
use thiserror::Error;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, mpsc, oneshot};
use watchfire_types::control::{Reply, Request};

use super::records::Records;
use super::{CONNECTIONS_MAX, REQUEST_BYTES_MAX};

/// Requests that wait for the event loop.
const REQUESTS_MAX: usize = 64;

/// A request with the place for its reply.
#[derive(Debug)]
pub struct Ask {
    /// The request; never `follow`, which is answered here.
    pub request: Request,
    /// Where the reply goes; dropped, the asker is told that the node stops.
    pub reply: oneshot::Sender<Reply>,
}

/// Why the socket cannot be opened.
#[derive(Debug, Error)]
#[error("cannot open control socket {}: {source}; see that the node's user may write that directory, and that its disk takes sockets", path.display())]
pub struct ServerError {
    /// The socket.
    pub path: PathBuf,
    /// Why.
    pub source: io::Error,
}

/// Removes the socket when the node stops.
#[derive(Debug)]
pub struct Guard(PathBuf);

impl Drop for Guard {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Opens the socket. The caller holds the data directory's lock, so that a socket left there belongs to no running node.
///
/// # Errors
/// [`ServerError`].
pub fn spawn(path: &Path, records: Records) -> Result<(Guard, mpsc::Receiver<Ask>), ServerError> {
    let failed = |source| ServerError { path: path.to_owned(), source };
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
        _ => {}
    }
    let listener = UnixListener::bind(path).map_err(failed)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).map_err(failed)?;
    let (asks, receiver) = mpsc::channel(REQUESTS_MAX);
    tokio::spawn(accept(listener, asks, records));
    Ok((Guard(path.to_owned()), receiver))
}

async fn accept(listener: UnixListener, asks: mpsc::Sender<Ask>, records: Records) {
    let connections = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = asks.closed() => return,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(cause = %error, "control socket accepts no connection");
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
                continue;
            }
        };
        let Ok(permit) = Arc::clone(&connections).try_acquire_owned() else { continue };
        let (asks, records) = (asks.clone(), records.clone());
        tokio::spawn(async move {
            // A person who hangs up is no error.
            let _ = serve(stream, asks, records).await;
            drop(permit);
        });
    }
}

async fn serve(stream: UnixStream, asks: mpsc::Sender<Ask>, records: Records) -> io::Result<()> {
    let (read, mut write) = stream.into_split();
    let mut read = BufReader::new(read);
    while let Some(line) = request_line(&mut read).await? {
        let request = match serde_json::from_slice::<Request>(&line) {
            Ok(Request::Follow) => return follow(read, write, &records).await,
            Ok(request) => request,
            Err(error) => {
                let error = format!("request is malformed: {error}");
                send(&mut write, &Reply::Error { error }).await?;
                continue;
            }
        };
        let (reply, answer) = oneshot::channel();
        let stopped = || Reply::Error { error: "the node is stopping; start it again and retry".to_owned() };
        let answer = match asks.send(Ask { request, reply }).await {
            Ok(()) => answer.await.unwrap_or_else(|_| stopped()),
            Err(_) => stopped(),
        };
        send(&mut write, &answer).await?;
    }
    Ok(())
}

/// The next line without its end; `None` at the end of input and for a line over the bound, which ends the connection.
async fn request_line(read: &mut BufReader<OwnedReadHalf>) -> io::Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    let limit = REQUEST_BYTES_MAX as u64 + 1;
    read.take(limit).read_until(b'\n', &mut line).await?;
    Ok((line.last() == Some(&b'\n')).then_some(line))
}

async fn send(write: &mut OwnedWriteHalf, value: &impl Serialize) -> io::Result<()> {
    let mut line = serde_json::to_vec(value)?;
    line.push(b'\n');
    write.write_all(&line).await
}

async fn follow(mut read: BufReader<OwnedReadHalf>, mut write: OwnedWriteHalf, records: &Records) -> io::Result<()> {
    let mut end = records.end();
    let mut next = 0;
    let mut hang_up = [0; 1];
    loop {
        loop {
            let (batch, after) = records.from(next);
            if batch.is_empty() {
                break;
            }
            let mut lines = Vec::new();
            for record in &batch {
                serde_json::to_writer(&mut lines, record.as_ref())?;
                lines.push(b'\n');
            }
            write.write_all(&lines).await?;
            next = after;
        }
        tokio::select! {
            changed = end.changed() => if changed.is_err() { return Ok(()) },
            // A follower says nothing more; its end of file is the hang-up.
            read = read.read(&mut hang_up) => if read? == 0 { return Ok(()) },
        }
    }
}

#[cfg(test)]
mod tests;
