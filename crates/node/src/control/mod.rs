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

/// Longest path of a socket, bytes: what `sockaddr_un` holds beside its terminating zero (108 on Linux, 104 elsewhere).
const SOCKET_PATH_MAX: usize = if cfg!(target_os = "linux") { 107 } else { 103 };

/// What is wrong with the place of the control socket, if anything is.
#[must_use]
pub fn socket_fault(directory: &Path) -> Option<String> {
    let path = socket_path(directory);
    let length = path.as_os_str().len();
    (length > SOCKET_PATH_MAX).then(|| {
        format!(
            "{}: a socket's path has at most {SOCKET_PATH_MAX} bytes, this one {length}; move the node directory to a shorter path",
            path.display()
        )
    })
}

/// The socket of a node directory.
#[must_use]
pub fn socket_path(directory: &Path) -> PathBuf {
    directory.join("control.sock")
}
