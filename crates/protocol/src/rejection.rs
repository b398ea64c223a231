//! Why an input is refused, and what that says about the peer that forwarded it. The one place where causes become verdicts.

use alloy_primitives::Address;
use thiserror::Error;
use watchfire_types::{
    AssetId, DetectorId, Epoch, EventHash, IncidentId, MemberKey, NetworkId, PlaybookId, Seq, StepIndex, Verdict,
};

use crate::certificate::CertificateFault;

/// Why an input changes nothing.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Rejection {
    /// Already held.
    #[error("event is already held")]
    Duplicate,
    /// Belongs to another network. Every honest node refuses it from the bytes.
    #[error("event of network {found}")]
    ForeignNetwork {
        /// The event's network.
        found: NetworkId,
    },
    /// The author is in no charter version known here; another node may know it.
    #[error("author {author} is in no known charter version")]
    UnknownAuthor {
        /// Author.
        author: MemberKey,
    },
    /// The bytes break a rule that needs no knowledge beyond the charter version they name.
    #[error("malformed event: {why}")]
    Malformed {
        /// Which rule.
        why: &'static str,
    },
    /// The certificate is not valid under the version it names.
    #[error("certificate is not valid: {0}")]
    InvalidCertificate(#[from] CertificateFault),
    /// The author's clock is more than 60 s ahead of this node's: it waits for catch-up.
    #[error("event is {ahead_ms} ms ahead of this node's clock")]
    Future {
        /// Milliseconds ahead.
        ahead_ms: u64,
    },
    /// The author's chain is longer than its quota allows, by its own clock or by this node's: the latter passes.
    #[error("event {seq} is over its author's quota of {allowed}")]
    OverQuota {
        /// Position.
        seq: Seq,
        /// Positions allowed at the event's time.
        allowed: u64,
    },
    /// More new epochs of one author than are taken at once, named by it or not.
    #[error("author {author} starts epochs faster than they are taken")]
    TooManyEpochs {
        /// Author.
        author: MemberKey,
    },
    /// Too many events of this (author, epoch) wait for a predecessor.
    #[error("epoch {epoch} already has {waiting} events that wait for a predecessor")]
    TooManyWaiting {
        /// Epoch.
        epoch: Epoch,
        /// Waiting events.
        waiting: usize,
    },
    /// At or above the cut of a proven fork, and it carries nothing that would count.
    #[error("event {seq} is at or above its author's cut {cut}")]
    AboveCut {
        /// Position.
        seq: Seq,
        /// Cut.
        cut: Seq,
    },
    /// Stands where this node has pruned its author's chain, and carries nothing that would count.
    #[error("event {seq} is before position {base}, from where on its author's chain is held")]
    Pruned {
        /// Position.
        seq: Seq,
        /// From where on the chain is held.
        base: Seq,
    },
    /// Claims this process's own epoch and was not made by it: the identity is in use twice.
    #[error("event {seq} claims this node's own running epoch")]
    OwnEpoch {
        /// Position.
        seq: Seq,
    },
    /// A human's act names an asset or playbook that the charter has not, or not together.
    #[error("charter has no playbook {playbook} for asset {asset}; see `watchfire status` for both names")]
    UnknownPlaybook {
        /// Asset.
        asset: AssetId,
        /// Playbook.
        playbook: PlaybookId,
    },
    /// A human's act names a step that the playbook has not.
    #[error("playbook {playbook} has no step {step}, its widest is {widest}")]
    UnknownStep {
        /// Playbook.
        playbook: PlaybookId,
        /// Step.
        step: StepIndex,
        /// Widest step.
        widest: StepIndex,
    },
    /// No such incident.
    #[error("no incident {incident}; see `watchfire incident list`")]
    UnknownIncident {
        /// Incident.
        incident: IncidentId,
    },
    /// No such planned change.
    #[error("no planned change {change}; see `watchfire change list`")]
    UnknownChange {
        /// Its name.
        change: watchfire_types::ChangeId,
    },
    /// A human's word on a planned change that could not count.
    #[error("the change is not taken: {why}")]
    ChangeRefused {
        /// Why, and what to do.
        why: &'static str,
    },
    /// No such rule.
    #[error("the charter has no rule {rule}; see `watchfire rules stats`")]
    UnknownRule {
        /// Its name.
        rule: DetectorId,
    },
    /// A human's word on a rule that could not count.
    #[error("the promotion is not taken: {why}")]
    PromotionRefused {
        /// Why, and what to do.
        why: &'static str,
    },
    /// A snooze that would not be one.
    #[error("the snooze is not taken: {why}")]
    SnoozeRefused {
        /// Why, and what to do.
        why: &'static str,
    },
    /// A report that is none of a source's.
    #[error("the report is not taken: {why}")]
    ReportRefused {
        /// Why, and what to do.
        why: &'static str,
    },
    /// A report that this organisation's log holds.
    #[error("the report is in the log already, as event {event}")]
    ReportHeld {
        /// The event.
        event: EventHash,
    },
    /// This node said so much of late that the rest of its quota is left to decisions.
    #[error(
        "this node says no more for now that decides nothing: what is left of its own quota is kept for decisions; try again in a minute"
    )]
    QuotaSpent,
    /// A human's word on a close that would say nothing.
    #[error("the close is not taken: {why}")]
    CloseRefused {
        /// Why, and what to do.
        why: &'static str,
    },
    /// No such asset.
    #[error("the charter has no asset {asset}; see `watchfire status` for their names")]
    UnknownAsset {
        /// Asset.
        asset: AssetId,
    },
    /// This node's charter entry neither votes nor vetoes.
    #[error("this member is a watcher: it reports, it neither votes nor vetoes")]
    NotVoting,
    /// The charter gives this member no operator label, so its votes could not be counted.
    #[error("the charter names no operator for this member; a vote carries one")]
    NoOperator,
    /// None of this member's operators in the charter gave what this node knows of its head: a vote would name nobody's word.
    #[error(
        "none of the operators that the charter gives this member agreed on block {number}; try again after the next block, or see the endpoints in `watchfire status`"
    )]
    NotVouched {
        /// Own head's height.
        number: u64,
    },
    /// No agreed block of the asset's chain has been seen yet.
    #[error("no agreed head of chain {chain} yet; try again once the node is ready")]
    NoHead {
        /// Chain.
        chain: watchfire_types::ChainId,
    },
    /// The veto would be older than the evidence it should stop.
    #[error(
        "own head {head} is older than the evidence at block {evidence} that the veto should stop; try again after the next block"
    )]
    VetoTooOld {
        /// Own head's height.
        head: u64,
        /// Newest evidence's height.
        evidence: u64,
    },
    /// What the input led to could not be written or signed: nothing was said, and nothing will be by itself.
    #[error("nothing was said: {why}")]
    Unsaid {
        /// Why.
        why: &'static str,
    },
    /// A text is longer than its bound.
    #[error("{field} has {found} bytes, at most {bound} are kept")]
    TextTooLong {
        /// Field.
        field: &'static str,
        /// Bytes given.
        found: usize,
        /// Bound.
        bound: usize,
    },
    /// A human vote whose words would keep as many votes as the rule takes from fitting into one certificate.
    #[error(
        "name, role and reason take {found} bytes together, and where {votes} such votes make a certificate each has room for {bound}; say it \
         shorter here, and the rest in a note"
    )]
    WordsTooLong {
        /// Bytes given.
        found: usize,
        /// Bytes that there are.
        bound: usize,
        /// Votes of a certificate.
        votes: usize,
    },
    /// A co-signature whose owner is none that the charter names for the Safe.
    #[error("signature recovers to {owner}, no owner of the safe")]
    NotAnOwner {
        /// Recovered address.
        owner: Address,
    },
}

impl Rejection {
    /// What the rejection means for the peer that forwarded the message: `Reject` only where every honest node refuses from
    /// the bytes (and the charter version they name) alone, `Ignore` for what this node cannot judge or does not need.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        match self {
            Self::ForeignNetwork { .. }
            | Self::Malformed { .. }
            | Self::InvalidCertificate(_)
            | Self::NotAnOwner { .. } => Verdict::Reject,
            Self::Duplicate
            | Self::UnknownAuthor { .. }
            | Self::Future { .. }
            | Self::OverQuota { .. }
            | Self::TooManyEpochs { .. }
            | Self::TooManyWaiting { .. }
            | Self::AboveCut { .. }
            | Self::Pruned { .. }
            | Self::OwnEpoch { .. }
            | Self::UnknownPlaybook { .. }
            | Self::UnknownStep { .. }
            | Self::UnknownIncident { .. }
            | Self::UnknownAsset { .. }
            | Self::UnknownChange { .. }
            | Self::ChangeRefused { .. }
            | Self::UnknownRule { .. }
            | Self::PromotionRefused { .. }
            | Self::SnoozeRefused { .. }
            | Self::ReportRefused { .. }
            | Self::ReportHeld { .. }
            | Self::QuotaSpent
            | Self::CloseRefused { .. }
            | Self::NotVoting
            | Self::NoOperator
            | Self::NotVouched { .. }
            | Self::NoHead { .. }
            | Self::VetoTooOld { .. }
            | Self::Unsaid { .. }
            | Self::WordsTooLong { .. }
            | Self::TextTooLong { .. } => Verdict::Ignore,
        }
    }
}
