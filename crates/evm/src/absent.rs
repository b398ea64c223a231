//! A method that an endpoint was found not to have. What answers behind an address changes, so it is tried again: after a word in JSON-RPC
//! late, after a plain HTTP status soon, for that may be a load balancer's and not the node's.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::error::RpcError;

const SAID: Duration = Duration::from_secs(600);
const REFUSED: Duration = Duration::from_secs(15);

/// Until when a method is not asked for.
#[derive(Debug, Default)]
pub(crate) struct Absent(Mutex<Option<Instant>>);

impl Absent {
    pub(crate) fn at(&self, now: Instant) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_some_and(|until| now < until)
    }

    /// Takes note of what the endpoint answered in place of the method; whether that was never so before.
    pub(crate) fn note(&self, error: &RpcError, now: Instant) -> bool {
        let rests = if matches!(error, RpcError::Node { .. }) { SAID } else { REFUSED };
        let mut until = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        until.replace(now + rests).is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_method_is_tried_again() {
        let (absent, start) = (Absent::default(), Instant::now());
        assert!(!absent.at(start));
        assert!(absent.note(&RpcError::Http(404), start));
        assert!(absent.at(start + REFUSED - Duration::from_millis(1)));
        assert!(!absent.at(start + REFUSED));
        let said = RpcError::Node { code: -32601, message: "method not found".to_owned(), data: None };
        assert!(!absent.note(&said, start), "told once");
        assert!(absent.at(start + REFUSED));
        assert!(!absent.at(start + SAID));
    }
}
