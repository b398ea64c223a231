//! The stack's errors, translated into causes with names.

use std::error::Error;
use std::io;

use libp2p::multiaddr::Protocol;
use libp2p::request_response::OutboundFailure;
use libp2p::swarm::DialError;
use libp2p::{Multiaddr, TransportError};

use crate::codec::FrameFault;
use crate::config::limits::CATCH_UP_TIMEOUT;
use crate::error::{CatchUpError, DialCause, Tried};
use crate::identity::member_of;

/// The address as the charter has it: without the peer id that the stack appends.
pub(super) fn plain(address: &Multiaddr) -> Multiaddr {
    address.iter().filter(|part| !matches!(part, Protocol::P2p(_))).collect()
}

fn text(address: &Multiaddr) -> String {
    plain(address).to_string()
}

/// `None` for what is no failure to reach the member: a dial that was not needed, or that this node gave up.
pub(super) fn of_dial(error: DialError) -> Option<DialCause> {
    Some(match error {
        DialError::WrongPeerId { obtained, address } => {
            DialCause::WrongKey { address: text(&address), obtained: member_of(&obtained) }
        }
        DialError::LocalPeerId { address } => DialCause::Ourselves { address: text(&address) },
        DialError::Denied { cause } => DialCause::Limit { limit: innermost(&cause) },
        DialError::NoAddresses => DialCause::Unreachable { tried: Vec::new() },
        DialError::Transport(tried) => {
            let mut tried: Vec<Tried> =
                tried.iter().map(|(a, e)| Tried { address: text(a), problem: problem(e) }).collect();
            // They were tried at once, and fail in any order.
            tried.sort();
            DialCause::Unreachable { tried }
        }
        DialError::DialPeerConditionFalse(_) | DialError::Aborted => return None,
    })
}

fn problem(error: &TransportError<io::Error>) -> String {
    match error {
        TransportError::MultiaddrNotSupported(_) => "address not supported".to_owned(),
        TransportError::Other(error) => innermost(error),
    }
}

/// The last error of the chain: the ones around it only say "transport error".
fn innermost(error: &(dyn Error + 'static)) -> String {
    let mut error = error;
    for _ in 0..16 {
        // A wrapping io::Error hides what it wraps from `source`.
        let wrapped = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        match wrapped.map(|inner| inner as &(dyn Error + 'static)).or_else(|| error.source()) {
            Some(inner) => error = inner,
            None => break,
        }
    }
    error.to_string()
}

/// Why a question has no answer.
pub(super) fn of_question(failure: OutboundFailure) -> CatchUpError {
    match failure {
        OutboundFailure::DialFailure => CatchUpError::NotConnected,
        OutboundFailure::Timeout => CatchUpError::Timeout { seconds: CATCH_UP_TIMEOUT.as_secs() },
        OutboundFailure::ConnectionClosed => CatchUpError::Disconnected,
        OutboundFailure::UnsupportedProtocols => CatchUpError::Unsupported,
        OutboundFailure::Io(error) => match error.get_ref().and_then(|e| e.downcast_ref::<FrameFault>()) {
            Some(FrameFault::ClosedEarly) => CatchUpError::ClosedEarly,
            Some(FrameFault::TooLarge { announced, max }) => {
                CatchUpError::TooLarge { announced: *announced, max: *max }
            }
            Some(FrameFault::Garbage { found }) => CatchUpError::Garbage { found: *found },
            None => match error.kind() {
                // What a stream says when its connection goes first depends on the transport.
                io::ErrorKind::NotConnected
                | io::ErrorKind::ConnectionReset
                | io::ErrorKind::ConnectionAborted
                | io::ErrorKind::BrokenPipe
                | io::ErrorKind::WriteZero => CatchUpError::Disconnected,
                _ => CatchUpError::Transport { problem: innermost(&error) },
            },
        },
    }
}
