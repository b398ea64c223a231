//! The shape of the multiaddresses at which members are dialled and listen, judged alike wherever one is written down.

// Values alone: nothing here opens a socket.
use core::net::{Ipv4Addr, Ipv6Addr};

use thiserror::Error;

use crate::reader::short;

/// Most bytes of a multiaddress.
pub const MULTIADDRESS_MAX: usize = 256;

/// Why a text is no multiaddress of a member.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum MultiaddressError {
    /// Not `/host kind/host/transport/port`, or too long.
    #[error("{text:?} is no multiaddress: it has no host, transport and port")]
    Shape {
        /// What was written, shortened.
        text: String,
    },
    /// A host that is not of the kind it is said to be.
    #[error("{text:?} is no multiaddress: {host:?} is no {kind} host")]
    Host {
        /// What was written, shortened.
        text: String,
        /// Its host.
        host: String,
        /// `ip4`, `ip6`, `dns`, `dns4`, `dns6` or `dnsaddr`.
        kind: &'static str,
    },
    /// UDP alone is no stream.
    #[error("{text:?} is no multiaddress of a node: udp is followed by /quic-v1")]
    NotQuic {
        /// What was written, shortened.
        text: String,
    },
}

/// Checks the shape alone, as `/ip4/192.0.2.1/tcp/9001` or `/dns4/node.example.org/udp/9001/quic-v1`: a host that fits its
/// kind, TCP or QUIC, a port of 16 bits (0 where the system chooses it). What follows is for the transport to judge.
///
/// # Errors
/// What does not fit.
pub fn check(text: &str) -> Result<(), MultiaddressError> {
    let shape = || MultiaddressError::Shape { text: short(text) };
    if text.len() > MULTIADDRESS_MAX || text.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Err(shape());
    }
    let mut parts = text.split('/');
    let (start, kind, host) = (parts.next(), parts.next(), parts.next());
    let (transport, port) = (parts.next(), parts.next());
    let sound = start == Some("") && port.is_some_and(|port| port.parse::<u16>().is_ok());
    let (Some(kind), Some(host), true) = (kind, host, sound) else { return Err(shape()) };
    let (kind, fits) = match kind {
        "ip4" => ("ip4", host.parse::<Ipv4Addr>().is_ok()),
        "ip6" => ("ip6", host.parse::<Ipv6Addr>().is_ok()),
        "dns" => ("dns", is_name(host)),
        "dns4" => ("dns4", is_name(host)),
        "dns6" => ("dns6", is_name(host)),
        "dnsaddr" => ("dnsaddr", is_name(host)),
        _ => return Err(shape()),
    };
    if !fits {
        return Err(MultiaddressError::Host { text: short(text), host: short(host), kind });
    }
    match transport {
        Some("tcp") => Ok(()),
        Some("udp") if parts.next() == Some("quic-v1") => Ok(()),
        Some("udp") => Err(MultiaddressError::NotQuic { text: short(text) }),
        _ => Err(shape()),
    }
}

/// A host name: labels of 1 to 63 letters, digits, hyphens or underscores (RFC 1123, and what DNS carries besides).
fn is_name(host: &str) -> bool {
    let letter = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let name = host.strip_suffix('.').unwrap_or(host);
    name.split('.').all(|label| (1..=63).contains(&label.len()) && label.bytes().all(letter))
}

#[cfg(test)]
#[path = "multiaddress_tests.rs"]
mod tests;
