//! A request budget with four priorities.
//!
//! A token bucket of one second's requests. What decides an incident (preflight, submission, the reads before a signature)
//! may draw it empty; the feed leaves a quarter, the watch of standing facts and evidence a half, so that a busy chain never delays a pause
//! by more than one refill.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

#[cfg(test)]
mod tests;

/// Who is asking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Priority {
    /// Preflight, submission and the reads a signature rests on.
    Decision,
    /// Feed, backfill, watchdog.
    Feed,
    /// What must hold on the chain before any attack, in portions that the bucket always has: it has seconds.
    Watch,
    /// Evidence: what is kept for later never delays what is decided now. It has a pace of its own besides.
    Evidence,
}

#[derive(Debug)]
pub(crate) struct Budget {
    per_second: f64,
    /// Calls of one portion that leave no debt behind.
    portion: usize,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    tokens: f64,
    at: Instant,
}

impl Budget {
    pub(crate) fn new(per_second: u32, now: Instant) -> Self {
        let portion = usize::try_from(per_second / 2).unwrap_or(usize::MAX).max(1);
        let per_second = f64::from(per_second.max(1));
        Self { per_second, portion, state: Mutex::new(State { tokens: per_second, at: now }) }
    }

    /// Takes `calls` tokens, or says how long to wait before asking again. More calls than the caller may ever hold are let
    /// through once the bucket is full, and leave a debt behind.
    pub(crate) fn take(&self, calls: usize, priority: Priority, now: Instant) -> Result<(), Duration> {
        let calls = f64::from(u32::try_from(calls).unwrap_or(u32::MAX));
        let reserve = match priority {
            Priority::Decision => 0.0,
            Priority::Feed => self.per_second / 4.0,
            Priority::Watch | Priority::Evidence => self.per_second / 2.0,
        };
        let wanted = calls.min(self.per_second - reserve);
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let elapsed = now.saturating_duration_since(state.at).as_secs_f64();
        state.tokens = (state.tokens + elapsed * self.per_second).min(self.per_second);
        state.at = now;
        let short = wanted + reserve - state.tokens;
        // Rounding of the refill may leave a hair's breadth missing.
        if short <= 1e-6 {
            state.tokens -= calls;
            Ok(())
        } else {
            Err(Duration::from_secs_f64(short / self.per_second).max(Duration::from_millis(1)))
        }
    }

    /// Calls of one portion that leave no debt behind.
    pub(crate) fn portion(&self) -> usize {
        self.portion
    }

    /// Waits for `calls` tokens.
    pub(crate) async fn acquire(&self, calls: usize, priority: Priority) {
        while let Err(wait) = self.take(calls, priority, Instant::now()) {
            tokio::time::sleep(wait).await;
        }
    }
}
