//! When a member may dispose of an object: after the retention, of a closed incident, handed out before, by a human who says why.

use thiserror::Error;
use watchfire_types::body::Custodian;
use watchfire_types::{B256, Timestamp};

/// Default retention, days: three years, one of which may be a leap year.
pub const RETENTION_DAYS: u32 = 1_096;
const DAY_MS: u64 = 86_400_000;

/// What the guard looks at.
#[derive(Debug, Clone, Copy)]
pub struct Kept<'a> {
    /// The object.
    pub object: B256,
    /// When it was collected.
    pub at: Timestamp,
    /// Whether this member handed it out, to an archive for one.
    pub exported: bool,
    /// Whether every incident that it belongs to is closed.
    pub closed: bool,
    /// Who wants it.
    pub by: &'a Custodian,
}

/// Why it stays.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Stays {
    /// No human stands for it.
    #[error("evidence is disposed of by a human who gives a reason: name --person and --reason")]
    NoHuman,
    /// An incident is still worked on.
    #[error("object {object} belongs to an incident that is not closed; dispose of it after that")]
    Open {
        /// The object.
        object: B256,
    },
    /// Too early.
    #[error(
        "object {object} is to be kept for {left} more day(s), retention_days in config.toml is {days}; dispose of it then"
    )]
    Young {
        /// The object.
        object: B256,
        /// Days left, begun ones included.
        left: u64,
        /// Retention.
        days: u32,
    },
    /// Nobody has it outside.
    #[error(
        "object {object} was never exported from this node; export it into your archive first, with `watchfire evidence export`"
    )]
    NotExported {
        /// The object.
        object: B256,
    },
}

/// Whether an object may go.
///
/// # Errors
/// [`Stays`].
pub fn may_go(kept: Kept<'_>, days: u32, now: Timestamp) -> Result<(), Stays> {
    let Kept { object, at, exported, closed, by } = kept;
    if !matches!(by, Custodian::Human(_)) {
        return Err(Stays::NoHuman);
    }
    if !closed {
        return Err(Stays::Open { object });
    }
    let until = at.plus_millis(u64::from(days).saturating_mul(DAY_MS));
    let left = until.millis_since(now).div_ceil(DAY_MS);
    if left > 0 {
        return Err(Stays::Young { object, left, days });
    }
    if exported { Ok(()) } else { Err(Stays::NotExported { object }) }
}

#[cfg(test)]
mod tests;
