//! What the process tells the service manager that started it: sd_notify(3), one datagram a message to `$NOTIFY_SOCKET`.
//!
//! Ready means that the log is open and the loop turns, not that a chain answers: an endpoint that is down is a degraded node that says
//! so, and one that is killed for it would not even vote. A lost message is no error of the node.

use std::ffi::OsString;
use std::io;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};

/// The service manager, if there is one.
#[derive(Debug, Default)]
pub(super) struct Supervisor(Option<UnixDatagram>);

impl Supervisor {
    /// The one that the environment names: a path, or an abstract name after `@`.
    pub(super) fn of_environment() -> Self {
        Self::at(std::env::var_os("NOTIFY_SOCKET"))
    }

    fn at(name: Option<OsString>) -> Self {
        let Some(name) = name.filter(|name| !name.is_empty()) else { return Self(None) };
        match connect(name.as_bytes()) {
            Ok(socket) => Self(Some(socket)),
            Err(error) => {
                tracing::warn!(cause = %error, "NOTIFY_SOCKET cannot be used; the service manager is told nothing");
                Self(None)
            }
        }
    }

    /// The loop turns.
    pub(super) fn ready(&self) {
        self.say("READY=1\n");
    }

    /// The loop still turns: for `WatchdogSec=`, at least 10 s.
    pub(super) fn alive(&self) {
        self.say("WATCHDOG=1\n");
    }

    /// The node stops by itself.
    pub(super) fn stopping(&self) {
        self.say("STOPPING=1\n");
    }

    fn say(&self, message: &str) {
        if let Some(socket) = &self.0
            && let Err(error) = socket.send(message.as_bytes())
        {
            tracing::debug!(cause = %error, "the service manager took no message");
        }
    }
}

fn connect(name: &[u8]) -> io::Result<UnixDatagram> {
    let address = match name.split_first() {
        Some((b'@', rest)) => SocketAddr::from_abstract_name(rest)?,
        _ => SocketAddr::from_pathname(std::path::Path::new(std::ffi::OsStr::from_bytes(name)))?,
    };
    let socket = UnixDatagram::unbound()?;
    // A manager that does not read must not hold up the loop.
    socket.set_nonblocking(true)?;
    socket.connect_addr(&address)?;
    Ok(socket)
}

#[cfg(test)]
mod tests;
