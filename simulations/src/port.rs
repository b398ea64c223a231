//! Ports of the loopback that stay free until they are used.
//!
//! A port that the system hands out can be handed out again before whoever it is meant for listens on it: to another process, or to any
//! outgoing connection. So these lie where the system takes none from by itself, and no two callers in this process get the same one.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::ops::Range;
use std::sync::atomic::{AtomicU32, Ordering};

/// Where the ports lie unless the system takes its own from there: below the ranges of Linux and macOS, above most services.
pub(crate) const USUAL: Range<u16> = 20_000..32_000;
/// What the system's own range leaves free, and how much of it is worth having.
const LOWEST: u16 = 10_000;
const ENOUGH: u16 = 2_000;

/// The system's own range, where it is known.
fn own_range() -> Option<(u16, u16)> {
    let text = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").ok()?;
    let mut bounds = text.split_whitespace().map(|bound| bound.parse().ok());
    Some((bounds.next()??, bounds.next()??))
}

/// Ports that the system does not hand out; the usual ones where it leaves too few.
pub(crate) fn outside(own: Option<(u16, u16)>) -> Range<u16> {
    let Some((first, last)) = own else { return USUAL };
    let end = USUAL.end.min(first);
    let (below, further_below, above) = (USUAL.start..end, LOWEST..end, last.saturating_add(1)..u16::MAX);
    [below, further_below, above].into_iter().find(|range| range.len() >= usize::from(ENOUGH)).unwrap_or(USUAL)
}

/// A port of the loopback that nobody uses now, for TCP or UDP, and that the system gives to nobody by itself.
///
/// # Errors
/// When every port of the range is in use.
pub(crate) fn free() -> io::Result<SocketAddr> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let range = outside(own_range());
    let count = u32::from(range.end - range.start);
    // Processes begin far apart, whatever their ids.
    let start = std::process::id().wrapping_mul(2_654_435_761);
    for _ in 0..count {
        let n = start.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % count;
        let port = range.start + u16::try_from(n).unwrap_or_default();
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        if TcpListener::bind(address).is_ok() && UdpSocket::bind(address).is_ok() {
            return Ok(address);
        }
    }
    Err(io::ErrorKind::AddrInUse.into())
}
