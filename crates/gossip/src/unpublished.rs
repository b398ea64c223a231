//! Own messages that wait for somebody to hear them.

use std::collections::VecDeque;

use bytes::Bytes;

use crate::config::limits::{UNPUBLISHED_BYTES_MAX, UNPUBLISHED_MAX};

/// First in, first out, at most [`UNPUBLISHED_MAX`] messages and [`UNPUBLISHED_BYTES_MAX`] bytes. The oldest goes when one more comes:
/// it is the likeliest to have been overtaken, it is in the log, and catch-up carries it.
#[derive(Debug, Default)]
pub(crate) struct Unpublished {
    waiting: VecDeque<Bytes>,
    bytes: usize,
}

impl Unpublished {
    /// Adds a message; answers how many old ones were let go.
    pub(crate) fn push(&mut self, message: Bytes) -> usize {
        self.bytes += message.len();
        self.waiting.push_back(message);
        let mut dropped = 0;
        while self.waiting.len() > UNPUBLISHED_MAX || self.bytes > UNPUBLISHED_BYTES_MAX {
            if self.pop().is_none() {
                break;
            }
            dropped += 1;
        }
        dropped
    }

    /// Puts a message back as the next one.
    pub(crate) fn push_front(&mut self, message: Bytes) {
        self.bytes += message.len();
        self.waiting.push_front(message);
    }

    /// Takes the oldest.
    pub(crate) fn pop(&mut self) -> Option<Bytes> {
        let message = self.waiting.pop_front()?;
        self.bytes -= message.len();
        Some(message)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }
}

#[cfg(test)]
#[path = "unpublished_tests.rs"]
mod tests;
