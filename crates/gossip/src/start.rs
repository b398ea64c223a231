//! From a configuration to a running task, or to the name of what is wrong with it.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener, UdpSocket};
use std::sync::Arc;

use libp2p::multiaddr::Protocol;
use libp2p::{Multiaddr, TransportError};
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::behaviour;
use crate::config::{GossipConfig, limits};
use crate::dialer::{Dialer, Member};
use crate::error::GossipError;
use crate::event::GossipEvent;
use crate::handle::{Counters, Handle};
use crate::identity::{pair_of, peer_of};
use crate::task::Task;

/// Listens, and starts the network as one task on the current tokio runtime. It ends on [`Handle::shutdown`], or when all
/// handles or the receiver are dropped.
///
/// # Errors
/// Everything in the configuration that cannot work, by name; in particular [`GossipError::PortInUse`] with the address.
///
/// # Panics
/// Outside a tokio runtime.
pub fn spawn(config: &GossipConfig) -> Result<(Handle, mpsc::Receiver<GossipEvent>), GossipError> {
    let (pair, own_key) = pair_of(&config.identity).ok_or(GossipError::Identity)?;
    let (members, undialable) = members(config)?;
    let own = members.iter().find(|m| m.key == own_key).ok_or(GossipError::NotAMember { key: own_key })?;
    let listen = listen_addresses(&config.listen)?;
    let peers: Vec<_> = members.iter().filter(|m| m.key != own_key).map(|m| m.peer).collect();
    let names = members.iter().flat_map(|m| &m.addresses).any(|a| a.iter().any(|part| is_name(&part)));
    let mut swarm = behaviour::swarm(pair, config.network, &peers, names)?;
    for (text, address, socket) in listen {
        probe(&text, socket)?;
        swarm.listen_on(address).map_err(|error| match error {
            TransportError::MultiaddrNotSupported(_) => {
                GossipError::Address { address: text.clone(), problem: "not supported for listening".to_owned() }
            }
            TransportError::Other(source) => GossipError::Listen { address: text.clone(), source },
        })?;
    }
    let (commands_in, commands) = mpsc::channel(limits::COMMANDS_MAX);
    let (events, events_out) = mpsc::channel(limits::EVENTS_MAX);
    // Said first, and not waited for: the receiver is empty and holds more than there are members.
    for event in undialable {
        let _ = events.try_send(event);
    }
    let counters = Arc::new(Counters::default());
    let dialer = Dialer::new(own, &members, Instant::now());
    let by_peer: BTreeMap<_, _> = members.iter().map(|m| (m.peer, m.key)).collect();
    let task =
        Task::new(swarm, behaviour::topic(config.network), by_peer, dialer, commands, events, Arc::clone(&counters));
    tokio::spawn(task.run());
    Ok((Handle::new(commands_in, counters), events_out))
}

/// Everything that [`spawn`] refuses and that can be known beforehand: no port is touched.
///
/// # Errors
/// As [`spawn`].
pub fn check(config: &GossipConfig) -> Result<(), GossipError> {
    let (_, own_key) = pair_of(&config.identity).ok_or(GossipError::Identity)?;
    let (members, _) = members(config)?;
    if !members.iter().any(|member| member.key == own_key) {
        return Err(GossipError::NotAMember { key: own_key });
    }
    listen_addresses(&config.listen).map(drop)
}

/// Whether these addresses can be listened on, as far as their text tells.
///
/// # Errors
/// [`GossipError::NoListenAddress`], [`GossipError::Address`].
pub fn check_listen(listen: &[String]) -> Result<(), GossipError> {
    listen_addresses(listen).map(drop)
}

/// The members with the addresses at which they can be dialled, and an event for each member that has an address at
/// which it cannot: what one member wrote must not keep another from starting.
fn members(config: &GossipConfig) -> Result<(Vec<Member>, Vec<GossipEvent>), GossipError> {
    let bounded = |what, count, max| if count > max { Err(GossipError::TooMany { what, count, max }) } else { Ok(()) };
    bounded("members", config.members.len(), limits::MEMBERS_MAX)?;
    let mut seen = BTreeMap::new();
    let mut members = Vec::with_capacity(config.members.len());
    let mut undialable = Vec::new();
    for entry in &config.members {
        if seen.insert(entry.key, ()).is_some() {
            return Err(GossipError::DuplicateMember { key: entry.key });
        }
        bounded("addresses of one member", entry.addresses.len(), limits::ADDRESSES_MAX)?;
        let (mut addresses, mut problems) = (Vec::new(), Vec::new());
        for text in &entry.addresses {
            match dial_address(text) {
                Ok(address) => addresses.push(address),
                Err(error) => problems.push(error.to_string()),
            }
        }
        if !problems.is_empty() {
            undialable.push(GossipEvent::Undialable { member: entry.key, problems });
        }
        let peer = peer_of(&entry.key).ok_or(GossipError::MemberKey { key: entry.key })?;
        members.push(Member { key: entry.key, peer, kind: entry.kind, addresses });
    }
    Ok((members, undialable))
}

fn refuse(address: &str, problem: &(impl ToString + ?Sized)) -> GossipError {
    GossipError::Address { address: address.chars().take(200).collect(), problem: problem.to_string() }
}

/// A host, then `/tcp/N` or `/udp/N/quic-v1`, and nothing after it.
fn shape(text: &str) -> Result<(Multiaddr, Protocol<'static>, u16, bool), GossipError> {
    let address: Multiaddr = text.parse().map_err(|error| refuse(text, &error))?;
    let parts: Vec<Protocol<'static>> = address.iter().map(|p| p.acquire()).collect();
    let (host, port, quic) = match parts.as_slice() {
        [host, Protocol::Tcp(port)] => (host.clone(), *port, false),
        [host, Protocol::Udp(port), Protocol::QuicV1] => (host.clone(), *port, true),
        _ => return Err(refuse(text, "expected a host followed by /tcp/PORT or /udp/PORT/quic-v1 and nothing else")),
    };
    Ok((address, host, port, quic))
}

fn is_name(part: &Protocol<'_>) -> bool {
    matches!(part, Protocol::Dns(_) | Protocol::Dns4(_) | Protocol::Dns6(_))
}

fn dial_address(text: &str) -> Result<Multiaddr, GossipError> {
    match shape(text)? {
        (_, _, 0, _) => Err(refuse(text, "port 0 cannot be dialled")),
        (_, Protocol::Ip4(ip), _, _) if ip.is_unspecified() => Err(refuse(text, "no host has this address")),
        (_, Protocol::Ip6(ip), _, _) if ip.is_unspecified() => Err(refuse(text, "no host has this address")),
        (address, Protocol::Ip4(_) | Protocol::Ip6(_), _, _) => Ok(address),
        (address, host, _, _) if is_name(&host) => Ok(address),
        (_, host, _, _) => Err(refuse(text, &format!("unknown kind of host {host}"))),
    }
}

type Listen = (String, Multiaddr, (SocketAddr, bool));

fn listen_addresses(texts: &[String]) -> Result<Vec<Listen>, GossipError> {
    if texts.is_empty() {
        return Err(GossipError::NoListenAddress);
    }
    let mut listen = Vec::with_capacity(texts.len());
    for text in texts {
        let (address, host, port, quic) = shape(text)?;
        let ip = match host {
            Protocol::Ip4(ip) => IpAddr::V4(ip),
            Protocol::Ip6(ip) => IpAddr::V6(ip),
            other => return Err(refuse(text, &format!("cannot listen on {other}: give an IP address"))),
        };
        listen.push((text.clone(), address, (SocketAddr::new(ip, port), quic)));
    }
    Ok(listen)
}

/// Binds and lets go. The stack's TCP listeners share their port with any other process that asks for it (SO_REUSEPORT):
/// a second node of the same user would start without an error and take half of the first one's connections.
fn probe(text: &str, (socket, quic): (SocketAddr, bool)) -> Result<(), GossipError> {
    let bound = if quic { UdpSocket::bind(socket).map(drop) } else { TcpListener::bind(socket).map(drop) };
    bound.map_err(|source| match source.kind() {
        io::ErrorKind::AddrInUse => GossipError::PortInUse { address: text.to_owned() },
        _ => GossipError::Listen { address: text.to_owned(), source },
    })
}

#[cfg(test)]
#[path = "start_tests.rs"]
mod tests;
