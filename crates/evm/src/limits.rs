//! How long operators are waited for.

use std::time::Duration;

/// The waits of one [`crate::ChainClient`]. The default is what a node decides with: an operator that takes longer does not count for this
/// block. Where nothing is decided in haste, or a machine is not to judge by its speed, all of them may be longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// A connection, and the word of an endpoint on which chain it serves: 3 s.
    pub connect: Duration,
    /// The answer to one question: 2 s.
    pub request: Duration,
    /// A new block's data; `None` = one block time, within half a second and two.
    pub block: Option<Duration>,
    /// A preflight, after which its outcome is unknown: 500 ms.
    pub preflight: Duration,
    /// The questions before a transaction is sent, and the send itself: 1 s.
    pub send: Duration,
    /// The first k operators, before the next is asked as well: 150 ms.
    pub hedge: Duration,
    /// An operator that vouches for this member, once k others agree: 150 ms.
    pub vouch: Duration,
    /// A new head, before the submitter goes by the clock; `None` = two block times.
    pub head: Option<Duration>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(3),
            request: Duration::from_secs(2),
            block: None,
            preflight: Duration::from_millis(500),
            send: Duration::from_secs(1),
            hedge: Duration::from_millis(150),
            vouch: Duration::from_millis(150),
            head: None,
        }
    }
}

impl Limits {
    /// Waits that are so many times as long on a chain of this pace; but for who is asked next, which costs no answer.
    #[must_use]
    pub fn times(&self, factor: u32, block_time_ms: u64) -> Self {
        Self {
            connect: self.connect * factor,
            request: self.request * factor,
            block: Some(self.block(block_time_ms) * factor),
            preflight: self.preflight * factor,
            send: self.send * factor,
            hedge: self.hedge,
            vouch: self.vouch * factor,
            head: self.head,
        }
    }

    /// How long a new block's data may take on a chain of this pace.
    pub(crate) fn block(&self, block_time_ms: u64) -> Duration {
        self.block.unwrap_or(Duration::from_millis(block_time_ms.clamp(500, 2_000)))
    }

    /// How long the submitter waits for a head on a chain of this pace.
    pub(crate) fn head(&self, block_time_ms: u64) -> Duration {
        self.head.unwrap_or(Duration::from_millis(block_time_ms.max(100).saturating_mul(2)))
    }
}
