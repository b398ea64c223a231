//! The other commands' side of the control socket.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use thiserror::Error;
use watchfire_types::control::{Reply, Request};

use super::{REPLY_BYTES_MAX, socket_path};

/// How long the node has to answer.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Why a running node gave no answer.
#[derive(Debug, Error)]
pub enum ClientError {
    /// Nobody listens there.
    #[error("no node runs at {}; start it with `watchfire run --config {}/config.toml`", directory.display(), directory.display())]
    NotRunning {
        /// The node directory.
        directory: PathBuf,
    },
    /// The socket cannot be opened.
    #[error("cannot open {}: {source}; run this as the user that the node runs as", path.display())]
    Open {
        /// The socket.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The connection broke.
    #[error("the node at {} gave no answer: {source}; it may be busy or stopping: try again, and see its log", path.display())]
    Broken {
        /// The socket.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The answer is not a reply.
    #[error("the node at {} answered something else: {reason}; do both run the same version?", path.display())]
    Garbage {
        /// The socket.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The node refused.
    #[error("the node refused: {error}")]
    Refused {
        /// Its words.
        error: String,
    },
}

/// Asks the node of this directory.
///
/// # Errors
/// [`ClientError`]; a refusal of the node is one.
pub fn ask(directory: &Path, request: &Request) -> Result<Reply, ClientError> {
    let path = socket_path(directory);
    let mut stream = UnixStream::connect(&path).map_err(|source| match source.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => {
            ClientError::NotRunning { directory: directory.to_owned() }
        }
        _ => ClientError::Open { path: path.clone(), source },
    })?;
    let broken = |source| ClientError::Broken { path: path.clone(), source };
    stream.set_read_timeout(Some(TIMEOUT)).map_err(broken)?;
    stream.set_write_timeout(Some(TIMEOUT)).map_err(broken)?;
    let mut line = serde_json::to_vec(request).map_err(io::Error::from).map_err(broken)?;
    line.push(b'\n');
    stream.write_all(&line).map_err(broken)?;
    let mut answer = Vec::new();
    BufReader::new(stream).take(REPLY_BYTES_MAX as u64).read_until(b'\n', &mut answer).map_err(broken)?;
    if answer.is_empty() {
        return Err(broken(io::ErrorKind::UnexpectedEof.into()));
    }
    match serde_json::from_slice(&answer) {
        Ok(Reply::Error { error }) => Err(ClientError::Refused { error }),
        Ok(reply) => Ok(reply),
        Err(error) => Err(ClientError::Garbage { path, reason: error.to_string() }),
    }
}
