//! The launcher's side of a node's control socket.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::sync::mpsc;
use watchfire_types::control::{Record, Reply, Request, Status};

/// How long a node has to answer.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Longest line read from a node.
const LINE_BYTES_MAX: u64 = 64 << 20;

/// The socket of a node's directory.
pub(super) fn socket(directory: &Path) -> PathBuf {
    directory.join("control.sock")
}

async fn open(socket: &Path, request: &Request) -> std::io::Result<BufReader<UnixStream>> {
    let mut stream = UnixStream::connect(socket).await?;
    let mut line = serde_json::to_vec(request).map_err(std::io::Error::other)?;
    line.push(b'\n');
    stream.write_all(&line).await?;
    Ok(BufReader::new(stream))
}

/// Asks once.
pub(super) async fn ask(socket: &Path, request: &Request) -> std::io::Result<Reply> {
    let exchange = async {
        let mut line = String::new();
        open(socket, request).await?.take(LINE_BYTES_MAX).read_line(&mut line).await?;
        serde_json::from_str(&line).map_err(std::io::Error::other)
    };
    tokio::time::timeout(TIMEOUT, exchange).await.unwrap_or_else(|_| Err(std::io::ErrorKind::TimedOut.into()))
}

/// Asks for the status; `None` while the node does not answer.
pub(super) async fn status(socket: &Path) -> Option<Status> {
    match ask(socket, &Request::Status).await {
        Ok(Reply::Status(status)) => Some(*status),
        _ => None,
    }
}

/// Follows a node's records, each told with the node's place in the scenario; waits for its socket to appear and
/// ends when the node does.
pub(super) async fn follow(node: usize, socket: PathBuf, records: mpsc::Sender<(usize, Record)>) {
    let mut stream = loop {
        match open(&socket, &Request::Follow).await {
            Ok(stream) => break stream,
            Err(_) if records.is_closed() => return,
            // Not up yet.
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    };
    let mut line = String::new();
    while matches!(stream.read_line(&mut line).await, Ok(read) if read > 0) {
        if let Ok(record) = serde_json::from_str(&line)
            && records.send((node, record)).await.is_err()
        {
            return;
        }
        line.clear();
    }
}
