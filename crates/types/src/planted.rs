//! Planted mistakes: lines of the rules, the driver and the journal that do the wrong thing when a simulation asks for it, so that it is known
//! whether its checkers can see.
//!
//! Only the feature `mutants` has them, and nothing but the simulator's own tests turns it on: in every other build [`planted`] is constantly
//! false, and what it guards is not there.

macro_rules! mutations {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {
        /// One planted mistake.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Mutation {
            $($(#[$doc])* $name),*
        }

        impl Mutation {
            /// Every one.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];
        }
    };
}

mutations! {
    /// Votes are counted by node and not by organisation.
    CountsNodes,
    /// Votes of organisations that all ask one operator are enough.
    OneOperatorIsEnough,
    /// A certificate may hold fewer votes than its rule asks for.
    SkipsQuorum,
    /// A certificate may hold several votes of one organisation, in any order.
    SkipsOrder,
    /// The signatures of the votes in a certificate are not checked.
    SkipsVoteSignatures,
    /// Votes for a narrow step certify a wide one.
    SkipsVoteSteps,
    /// Votes further apart than one lives make a certificate.
    SkipsSpread,
    /// A step is owed without a certificate.
    OwesUncertified,
    /// Evidence from before a recovery counts.
    CountsBeforeRecovery,
    /// A cancel certificate changes nothing.
    IgnoresCancel,
    /// Another member's word on a recovery makes evidence stale.
    BelievesRecovery,
    /// Evidence need not be a block of the own view.
    CountsAnyEvidence,
    /// Certificates never expire.
    NeverExpires,
    /// One veto keeps every certificate from authorising.
    VetoKills,
    /// A step is owed though a wider one holds.
    IgnoresWider,
    /// The narrower steps that a certificate covers are owed beside the widest.
    OwesNarrower,
    /// While a wide step is refuted, no narrower one is owed.
    RefutedBlocks,
    /// Calls whose condition holds are not left out.
    OmitsNothing,
    /// What a simulation refutes is signed.
    SignsRefuted,
    /// Windows of detectors do not start anew after a recovery.
    KeepsWindows,
    /// A step is certified once and for ever.
    CertifiesOnce,
    /// Certificates are made of votes that no longer count.
    PicksStale,
    /// A certificate waits for a vote of every organisation.
    WaitsForEveryone,
    /// One signature per nonce.
    SignsOncePerNonce,
    /// An asset is recovered through a Safe by which another one's containment is owed.
    RecoversBeside,
    /// Who signed at one nonce signs at no other.
    NeverRetargets,
    /// Nothing is consumed after a cancel.
    NeverRejects,
    /// Nothing is consumed after a stranger's recovery.
    LeavesOpen,
    /// What was signed at a nonce that is past has the present one consumed.
    RejectsLater,
    /// The nonce that a recovery is to take is consumed before it.
    RejectsRecovery,
    /// A call carries a byte more than the charter's.
    CallsMore,
    /// Some guardians set a gas limit after what is to be signed was checked.
    AddsGas,
    /// Nothing is sent any more once another member says that it executed.
    BelievesExecuted,
    /// Everyone sends at once.
    DropsRanks,
    /// Only the first in rank sends.
    OnlyFirstSends,
    /// One signature less than the threshold is sent.
    OneSignatureShort,
    /// Signatures are packed as they came.
    PacksUnsorted,
    /// A Safe asks for three signatures, whatever it says.
    KeepsThreshold,
    /// A key that gives no signature is not spoken of.
    HushesKey,
    /// A vote leaves before the finding that it rests on is in the log.
    VotesUnfounded,
    /// A vote that lapsed is not cast again.
    NeverRevotes,
    /// A playbook that asks people votes by itself.
    AsksNobody,
    /// A rule whose pause was a false alarm votes by itself all the same.
    TrustsDemoted,
    /// What others decide is counted against a node's own budget.
    SharesBudget,
    /// A veto does not stop its organisation's automatic votes.
    VetoMutesNobody,
    /// The status says that a pause would succeed, whatever is known.
    SaysItCan,
    /// No step is ever widened.
    NeverEscalates,
    /// An old outflow in the window widens the step.
    EscalatesOnOld,
    /// Observations that a reorg took stand.
    ForgetsRetraction,
    /// Those that a reorg took while the process was down stand.
    ForgetsUnseen,
    /// A new process finds again what an earlier one found.
    FindsAgain,
    /// A certificate goes when a fault of its carrier is known, and nobody publishes it again.
    DropsWithCarrier,
    /// Two events at one position are no fork.
    BlindToForks,
    /// The digest holds what stands at a cut.
    DigestsTheCut,
    /// A flag that anybody may flip makes the evidence for wider steps stale.
    EveryFlipCounts,
    /// An author may say as much as it likes.
    SkipsQuota,
    /// What is held is taken again.
    TakesTwice,
    /// Signatures of events are not checked.
    SkipsSignatures,
    /// Keys for which anybody can sign are members' keys.
    TakesWeakKeys,
    /// A checkpoint leaves out the newest event below it.
    CheckpointsLess,
    /// The journal says that it synced.
    SkipsSync,
    /// A failed sync is passed over.
    SurvivesFailedSync,
    /// A restarted process goes on in its old epoch.
    RepeatsEpoch,
    /// The author's clock is written down as it is.
    ClockAsItIs,
    /// A catch-up answer leaves out an event of each chain.
    CatchUpSkips,
    /// A replay leaves out what others said.
    ReplayForgets,
    /// Messages need not be in their canonical form.
    TakesAnyForm,
}

/// Whether this mistake is planted.
#[cfg(not(feature = "mutants"))]
#[inline(always)]
#[must_use]
pub const fn planted(_: Mutation) -> bool {
    false
}

#[cfg(feature = "mutants")]
pub use with::{Planted, plant, planted};

#[cfg(feature = "mutants")]
mod with {
    use std::cell::Cell;

    use super::Mutation;

    thread_local! {
        static PLANTED: Cell<Option<Mutation>> = const { Cell::new(None) };
    }

    /// Whether this mistake is planted in this thread.
    #[must_use]
    pub fn planted(what: Mutation) -> bool {
        PLANTED.get() == Some(what)
    }

    /// Plants one mistake in this thread for as long as the answer lives.
    #[must_use]
    pub fn plant(what: Option<Mutation>) -> Planted {
        Planted { before: PLANTED.replace(what) }
    }

    /// Digs it up again when it is dropped.
    #[derive(Debug)]
    pub struct Planted {
        before: Option<Mutation>,
    }

    impl Drop for Planted {
        fn drop(&mut self) {
            PLANTED.set(self.before);
        }
    }
}
