//! The shape of the multiaddresses at which members are dialled and listen, judged alike wherever one is written down.

// Values alone: nothing here opens a socket.
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use thiserror::Error;

use crate::reader::short;

/// Most bytes of a multiaddress.
pub const MULTIADDRESS_MAX: usize = 256;

/// Why a text is no multiaddress of a member.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum MultiaddressError {
    /// Not `/host kind/host/transport/port`, something after it, or too long.
    #[error("{text:?} is no multiaddress: expected a host, /tcp/PORT or /udp/PORT/quic-v1, and nothing after it")]
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
        /// `ip4`, `ip6`, `dns`, `dns4` or `dns6`.
        kind: &'static str,
    },
    /// UDP alone is no stream.
    #[error("{text:?} is no multiaddress of a node: udp is followed by /quic-v1")]
    NotQuic {
        /// What was written, shortened.
        text: String,
    },
    /// Port 0 is a wish of a listener, and nothing that anybody could dial.
    #[error("{text:?} cannot be dialled: port 0 is no port")]
    PortZero {
        /// What was written.
        text: String,
    },
    /// `0.0.0.0` and `::` mean every interface of the machine on which they are written.
    #[error("{text:?} cannot be dialled: {host} means every interface of one's own machine, not a host")]
    Unspecified {
        /// What was written.
        text: String,
        /// Its host.
        host: IpAddr,
    },
    /// A name where an interface is needed.
    #[error("cannot listen on {text:?}: give the IP address of an interface, not a name")]
    Name {
        /// What was written, shortened.
        text: String,
    },
}

/// A multiaddress taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Parts {
    /// The host, where it is no name.
    ip: Option<IpAddr>,
    port: u16,
}

/// Checks an address at which others reach a node, as `/ip4/192.0.2.1/tcp/9001` or `/dns4/node.example.org/udp/9001/quic-v1`:
/// what this accepts, the network can dial.
///
/// # Errors
/// What does not fit.
pub fn check_dial(text: &str) -> Result<(), MultiaddressError> {
    match parts(text)? {
        Parts { ip: Some(host), .. } if host.is_unspecified() => {
            Err(MultiaddressError::Unspecified { text: text.to_owned(), host })
        }
        Parts { port: 0, .. } => Err(MultiaddressError::PortZero { text: text.to_owned() }),
        Parts { .. } => Ok(()),
    }
}

/// Checks an address to listen on, as `/ip4/0.0.0.0/tcp/9001`: an IP address, all interfaces included; port 0 where the
/// system chooses it.
///
/// # Errors
/// What does not fit.
pub fn check_listen(text: &str) -> Result<(), MultiaddressError> {
    match parts(text)?.ip {
        Some(_) => Ok(()),
        None => Err(MultiaddressError::Name { text: short(text) }),
    }
}

/// Whether it leads back to the machine that dials it. A name may too: that only its resolver knows.
#[must_use]
pub fn is_loopback(text: &str) -> bool {
    let host = text.split('/').nth(2).unwrap_or_default();
    parts(text).is_ok_and(|parts| parts.ip.is_some_and(|ip| ip.is_loopback()))
        || host.trim_end_matches('.').eq_ignore_ascii_case("localhost")
}

fn parts(text: &str) -> Result<Parts, MultiaddressError> {
    let shape = || MultiaddressError::Shape { text: short(text) };
    if text.len() > MULTIADDRESS_MAX || text.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Err(shape());
    }
    let mut parts = text.split('/');
    let (start, kind, host) = (parts.next(), parts.next(), parts.next());
    let (transport, port, rest) = (parts.next(), parts.next(), parts.collect::<Vec<_>>());
    // Digits alone: a sign, which `parse` would take, is no part of a port.
    let port = port.filter(|port| port.bytes().all(|byte| byte.is_ascii_digit())).and_then(|port| port.parse().ok());
    let (Some(""), Some(kind), Some(host), Some(port)) = (start, kind, host, port) else { return Err(shape()) };
    let ip4 = || host.parse::<Ipv4Addr>().ok().map(|ip| Some(IpAddr::V4(ip)));
    let ip6 = || host.parse::<Ipv6Addr>().ok().map(|ip| Some(IpAddr::V6(ip)));
    let name = || is_name(host).then_some(None);
    let (kind, ip) = match kind {
        "ip4" => ("ip4", ip4()),
        "ip6" => ("ip6", ip6()),
        "dns" => ("dns", name()),
        "dns4" => ("dns4", name()),
        "dns6" => ("dns6", name()),
        _ => return Err(shape()),
    };
    let Some(ip) = ip else {
        return Err(MultiaddressError::Host { text: short(text), host: short(host), kind });
    };
    match (transport, rest.as_slice()) {
        (Some("tcp"), []) | (Some("udp"), ["quic-v1"]) => Ok(Parts { ip, port }),
        (Some("udp"), []) => Err(MultiaddressError::NotQuic { text: short(text) }),
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
