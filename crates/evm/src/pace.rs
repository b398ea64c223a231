//! How fast one endpoint is asked for evidence: slowly at first, faster while it answers, half as fast as soon as it limits anyone.
//!
//! Evidence can wait and whatever decides cannot, so evidence finds out what an operator really allows without ever being what
//! exhausts it: [`START_PER_SECOND`] questions a second, one more for each second of answers up to a quarter of the configured budget,
//! half after every "too many requests" of the endpoint to any caller, with a rest of [`REST`] at least. Questions are evenly spaced, and
//! none leaves while a decision waits for this endpoint's answer.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

#[cfg(test)]
mod tests;

/// Questions a second at the start, where the configured budget allows as many.
const START_PER_SECOND: f64 = 4.0;
/// Never slower than this.
const LEAST_PER_SECOND: f64 = 0.5;
/// No question for at least this long after the endpoint limited anyone.
const REST: Duration = Duration::from_secs(1);

/// The pace of one endpoint.
#[derive(Debug)]
pub(crate) struct Pace {
    most_per_second: f64,
    state: Mutex<State>,
    /// Decisions that wait for an answer of this endpoint.
    deciding: watch::Sender<usize>,
}

#[derive(Debug)]
struct State {
    per_second: f64,
    /// Earliest time of the next question.
    next: Instant,
}

/// A decision under way; over when dropped, also when its future is.
#[derive(Debug)]
pub(crate) struct Deciding<'a>(&'a Pace);

impl Drop for Deciding<'_> {
    fn drop(&mut self) {
        self.0.deciding.send_modify(|count| *count = count.saturating_sub(1));
    }
}

impl Pace {
    pub(crate) fn new(requests_per_second: u32, now: Instant) -> Self {
        let most_per_second = (f64::from(requests_per_second) / 4.0).max(LEAST_PER_SECOND);
        let state = State { per_second: START_PER_SECOND.min(most_per_second), next: now };
        Self { most_per_second, state: Mutex::new(state), deciding: watch::Sender::new(0) }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Holds evidence back until the guard is dropped.
    pub(crate) fn decide(&self) -> Deciding<'_> {
        self.deciding.send_modify(|count| *count = count.saturating_add(1));
        Deciding(self)
    }

    /// Takes the next question's place, or says how long to wait before asking again.
    pub(crate) fn take(&self, now: Instant) -> Result<(), Duration> {
        let mut state = self.lock();
        if state.next > now {
            return Err(state.next - now);
        }
        state.next = now + Duration::from_secs_f64(1.0 / state.per_second);
        Ok(())
    }

    /// Waits until no decision is under way and a place is free.
    pub(crate) async fn turn(&self) {
        let mut deciding = self.deciding.subscribe();
        loop {
            // The sender lives as long as `self`.
            let _ = deciding.wait_for(|count| *count == 0).await;
            match self.take(Instant::now()) {
                Ok(()) => return,
                Err(wait) => tokio::time::sleep(wait).await,
            }
        }
    }

    /// A question was answered: one more a second for each second's worth of them.
    pub(crate) fn answered(&self) {
        let mut state = self.lock();
        state.per_second = (state.per_second + 1.0 / state.per_second).min(self.most_per_second);
    }

    /// The endpoint limited someone, and asked to be left alone this long.
    pub(crate) fn limited(&self, retry_after: Duration, now: Instant) {
        let mut state = self.lock();
        // Many callers are refused by one limit: it slows the pace once.
        if state.next < now + REST / 2 {
            state.per_second = (state.per_second / 2.0).max(LEAST_PER_SECOND);
        }
        state.next = state.next.max(now + REST.max(retry_after));
    }
}
