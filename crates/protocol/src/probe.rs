//! Counts what a turn looks at: bounds on work are tested by counting, never by timing. Outside unit tests nothing is counted.

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Look {
    /// A held certificate.
    Certificate,
    /// A vote or a veto.
    Support,
    /// What evidence for one step must be later than.
    Floors,
    /// The owner behind a co-signature, from the curve.
    Recovery,
    /// An own observation.
    Observation,
    /// One author's one epoch.
    Chain,
    /// An event folded into the state, or taken back.
    Fold,
    /// A step over one event of a chain.
    Walk,
}

/// Counts one look.
pub(crate) fn count(look: Look) {
    #[cfg(test)]
    tests::count(look);
    let _ = look;
}

#[cfg(test)]
mod tests;
