//! The control socket: how a person, the drill launcher and the other commands talk to the running node beside them.
//!
//! `DIR/control.sock` is 0600: who may open it may act as the node's human. One JSON request a line of at most 64 KiB in, one
//! reply a line out; `follow` answers with record lines until hang-up. At most [`CONNECTIONS_MAX`] connections at once.

pub mod client;
pub mod records;
pub mod server;

use std::path::{Path, PathBuf};

/// Connections served at once; a further one is closed unanswered.
pub const CONNECTIONS_MAX: usize = 64;
/// Longest request line, bytes.
pub const REQUEST_BYTES_MAX: usize = 64 * 1024;
/// Longest reply line that the client reads, bytes.
pub const REPLY_BYTES_MAX: usize = 64 << 20;

/// The socket of a node directory.
#[must_use]
pub fn socket_path(directory: &Path) -> PathBuf {
    directory.join("control.sock")
}
