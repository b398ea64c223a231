//! What a gossip message's sender deserves.

/// Verdict on one gossip message, in gossipsub's sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// Forward it.
    Accept,
    /// Neither forward nor blame: something this node cannot judge yet, or already has.
    Ignore,
    /// Every honest node refuses these bytes: the peer that forwarded them is blamed.
    Reject,
}
