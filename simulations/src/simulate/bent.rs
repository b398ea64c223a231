//! Mistakes planted at the seams of simulated nodes, to see that the checkers can see. Only tests can plant one: in every other build
//! [`World::bends`] is constantly false.

use super::world::World;

/// One planted mistake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bent {
    /// The disk acknowledges what it has not written.
    DiskLies,
    /// Messages are encoded anew when they are passed on, and come out with other bytes.
    Reencodes,
    /// Nodes trust the first of their operators though two are to agree.
    TrustsOneOperator,
    /// Nodes send nothing once another member says that it executed.
    BelievesExecuted,
    /// Nodes send nothing again that was included once, whatever a reorg takes.
    ForgetsOrphans,
    /// Everybody sends a block later than its turn.
    SendsLate,
    /// Detectors keep the old windows after a recovery.
    ForgetsFloors,
    /// Guardian keys sign a pause that nothing makes owed.
    SignsUnasked,
    /// What a person says carries a secret key.
    LeaksKey,
    /// Heartbeats, which stand in no log, carry a secret key.
    LeaksUnlogged,
    /// Nothing is ever asked for that gossip lost.
    NeverCatchesUp,
    /// A node asks whom it meets again for nothing, until their turn comes.
    WaitsForItsTurn,
    /// Nobody but the first submitter sends.
    OnlyFirstSends,
    /// What was once to be sent stays so, whatever came of it.
    OwesStill,
    /// A bid that a block passed over is left as it is.
    NeverBumps,
    /// Every simulation of a transaction is said to pass.
    SimulatesNothing,
    /// The Safe's nonce is read once and for all.
    StaleNonce,
    /// The Safe's nonce is that of two blocks before.
    LateNonce,
    /// Findings get lost between the detectors and the driver.
    LosesFindings,
}

impl World<'_> {
    /// Whether this mistake is planted.
    pub(crate) fn bends(&self, what: Bent) -> bool {
        #[cfg(test)]
        return self.bent == Some(what);
        #[cfg(not(test))]
        {
            let _ = what;
            false
        }
    }
}
