//! Protobuf to types, every bound checked.

use std::collections::BTreeMap;

use bytes::Bytes;
use watchfire_types::body::{
    Basis, Body, Cause, Certificate, Classified, CloseVote, EpochCheckpoint, EpochHead, Executed, FaultProof, Finding,
    HumanStatement, NotContained, PostconditionChecked, Purpose, Retracted, Started, Submitted, Veto, Vote,
};
use watchfire_types::{BlockTime, ChainId, CharterDigest, CharterVersion, Epoch, EventHash, IncidentId, Seq};

use super::change::{counted_in, supported_in, withdrawn_in};
use super::checkpoint::{checkpoint_fault_in, checkpoint_in};
use super::evidence::{self, accessed_in, collected_in, missed_in};
use super::promotion;
use super::sealed::sealed_in;
use super::signature::{attested_in, co_signature_in};
use super::snooze::snoozed_in;
use crate::bounds::{MAX_EARLIER_EPOCHS, MAX_FIGURE_VALUE, MAX_FIGURES, MAX_LABEL, MAX_LINE, MAX_VOTES};
use crate::common::{block_in, decision_in, human_in, out_of_enum, severity_in};
use crate::error::WireError;
use crate::event::decode_nested;
use crate::field::{address, check_ascending, check_count, fixed, half_word, hash, name, present, step, text};
use crate::proto::event::Body as In;
use crate::proto::{self, certificate, vote};

/// Where an event stands: bodies that hold events are opened at the top only, which bounds the nesting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Nesting {
    /// An event of its own.
    Top,
    /// An event inside a certificate or fault proof.
    Inside,
}

/// Whether a body that only informs holds an enum value of a later version: it is kept whole and inert, as a body of a later version is.
/// Zero, which no version gives a meaning, is refused by [`decode`].
pub(crate) fn from_later_version(body: &In) -> bool {
    let severity = |number| proto::Severity::try_from(number).is_err();
    match body {
        In::Finding(finding) => severity(finding.severity),
        In::Classified(classified) => severity(classified.severity),
        In::CloseVote(vote) => proto::Outcome::try_from(vote.outcome).is_err(),
        In::NotContained(not_contained) => proto::Cause::try_from(not_contained.cause).is_err(),
        other => evidence::from_later_version(other),
    }
}

pub(crate) fn decode(body: In) -> Result<Body, WireError> {
    Ok(match body {
        In::Started(started) => Body::Started(started_in(started)?),
        In::Finding(finding) => Body::Finding(finding_in(finding)?),
        In::Vote(vote) => Body::Vote(vote_in(vote)?),
        In::Veto(veto) => Body::Veto(veto_in(veto)?),
        In::Certificate(certificate) => Body::Certificate(certificate_in(certificate)?),
        In::CoSignature(signature) => Body::CoSignature(co_signature_in(signature)?),
        In::Submitted(submitted) => Body::Submitted(submitted_in(&submitted)?),
        In::Executed(executed) => Body::Executed(executed_in(executed)?),
        In::PostconditionChecked(checked) => Body::PostconditionChecked(postcondition_in(checked)?),
        In::Retracted(retracted) => Body::Retracted(retracted_in(retracted)?),
        In::Classified(classified) => Body::Classified(classified_in(classified)?),
        In::Acknowledged(statement) => Body::Acknowledged(statement_in(statement)?),
        In::Rejected(statement) => Body::Rejected(statement_in(statement)?),
        In::Note(statement) => Body::Note(statement_in(statement)?),
        In::CloseVote(vote) => Body::CloseVote(close_vote_in(vote)?),
        In::NotContained(not_contained) => Body::NotContained(not_contained_in(not_contained)?),
        In::Attested(attested) => Body::Attested(attested_in(attested)?),
        In::FaultProof(proof) => Body::FaultProof(fault_proof_in(proof)?),
        In::Checkpoint(checkpoint) => Body::Checkpoint(checkpoint_in(&checkpoint)?),
        In::CheckpointFault(fault) => Body::CheckpointFault(checkpoint_fault_in(fault)?),
        In::EvidenceCollected(collected) => Body::EvidenceCollected(collected_in(collected)?),
        In::EvidenceAccessed(accessed) => Body::EvidenceAccessed(accessed_in(accessed)?),
        In::EvidenceMissed(missed) => Body::EvidenceMissed(missed_in(missed)?),
        In::Sealed(sealed) => Body::Sealed(sealed_in(sealed)?),
        In::ChangeSupported(supported) => Body::ChangeSupported(supported_in(supported)?),
        In::ChangeWithdrawn(withdrawn) => Body::ChangeWithdrawn(withdrawn_in(withdrawn)?),
        In::ChangeCounted(counted) => Body::ChangeCounted(counted_in(counted)?),
        In::PromotionSupported(supported) => Body::PromotionSupported(promotion::supported_in(supported)?),
        In::Snoozed(snoozed) => Body::Snoozed(snoozed_in(snoozed)?),
    })
}

fn event_hash(field: &'static str, bytes: &Bytes) -> Result<EventHash, WireError> {
    fixed(field, bytes).map(EventHash::from_bytes)
}

fn incident(bytes: &Bytes) -> Result<IncidentId, WireError> {
    fixed("incident", bytes).map(IncidentId::from_bytes)
}

fn started_in(started: proto::Started) -> Result<Started, WireError> {
    check_count("started.earlier", started.earlier.len(), 0, MAX_EARLIER_EPOCHS)?;
    let earlier: Vec<EpochHead> = started.earlier.iter().map(epoch_head_in).collect::<Result<_, _>>()?;
    let epochs: Vec<Epoch> = earlier.iter().map(|head| head.epoch).collect();
    check_ascending("started.earlier", &epochs)?;
    Ok(Started {
        earlier,
        charter_version: CharterVersion::new(started.charter_version),
        charter_digest: CharterDigest::from_bytes(fixed("started.charter_digest", &started.charter_digest)?),
        software: text("started.software", started.software, MAX_LABEL)?,
    })
}

fn epoch_head_in(head: &proto::EpochHead) -> Result<EpochHead, WireError> {
    Ok(EpochHead {
        epoch: Epoch::from_bytes(fixed("started.earlier.epoch", &head.epoch)?),
        seq: Seq::new(head.seq),
        hash: event_hash("started.earlier.hash", &head.hash)?,
        checkpoint: match (head.checkpoint_size, head.checkpoint_root.is_empty()) {
            (0, true) => None,
            (0, false) => return Err(WireError::Range { field: "started.earlier.checkpoint_size", found: 0 }),
            (size, _) => {
                let root = hash("started.earlier.checkpoint_root", &head.checkpoint_root)?;
                Some(EpochCheckpoint { size, root })
            }
        },
    })
}

fn finding_in(finding: proto::Finding) -> Result<Finding, WireError> {
    Ok(Finding {
        asset: name("finding.asset", &finding.asset)?,
        detector: name("finding.detector", &finding.detector)?,
        kind: text("finding.kind", finding.kind, MAX_LABEL)?,
        severity: severity_in(finding.severity)?,
        first: block_in("finding.first", finding.first)?,
        block: block_in("finding.block", finding.block)?,
        explanation: text("finding.explanation", finding.explanation, MAX_LINE)?,
        figures: figures_in(finding.figures)?,
    })
}

fn figures_in(figures: Vec<proto::Figure>) -> Result<BTreeMap<String, String>, WireError> {
    check_count("finding.figures", figures.len(), 0, MAX_FIGURES)?;
    let names: Vec<&str> = figures.iter().map(|figure| figure.name.as_str()).collect();
    check_ascending("finding.figures", &names)?;
    let pair = |figure: proto::Figure| {
        let name = text("finding.figures.name", figure.name, MAX_LABEL)?;
        Ok((name, text("finding.figures.value", figure.value, MAX_FIGURE_VALUE)?))
    };
    figures.into_iter().map(pair).collect()
}

fn vote_in(vote: proto::Vote) -> Result<Vote, WireError> {
    Ok(Vote {
        decision: decision_in(vote.decision)?,
        step: step("vote.step", vote.step)?,
        basis: match present("vote.basis", vote.basis)? {
            vote::Basis::Finding(hash) => Basis::Finding(event_hash("vote.finding", &hash)?),
            vote::Basis::Human(human) => Basis::Human(human_in(Some(human))?),
        },
        operator: name("vote.operator", &vote.operator)?,
        evidence: block_in("vote.evidence", vote.evidence)?,
    })
}

fn veto_in(veto: proto::Veto) -> Result<Veto, WireError> {
    Ok(Veto {
        decision: decision_in(veto.decision)?,
        head: block_in("veto.head", veto.head)?,
        act: block_in("veto.act", veto.act)?,
        human: human_in(veto.human)?,
    })
}

fn certificate_in(certificate: proto::Certificate) -> Result<Certificate, WireError> {
    check_count("certificate.votes", certificate.votes.len(), 1, MAX_VOTES)?;
    let votes = certificate.votes.into_iter().map(|vote| {
        let vote = decode_nested(vote)?;
        match vote.event().body {
            Body::Vote(_) | Body::Veto(_) | Body::CloseVote(_) => Ok(vote),
            _ => Err(WireError::NotAVote),
        }
    });
    Ok(Certificate {
        decision: decision_in(certificate.decision)?,
        purpose: match present("certificate.purpose", certificate.purpose)? {
            certificate::Purpose::Step(number) => Purpose::Step(step("certificate.step", number)?),
            certificate::Purpose::Cancel(proto::Cancel {}) => Purpose::Cancel,
            certificate::Purpose::Close(close) => Purpose::Close(BlockTime::from_secs(close.closed_at_s)),
        },
        votes: votes.collect::<Result<_, _>>()?,
    })
}

fn submitted_in(submitted: &proto::Submitted) -> Result<Submitted, WireError> {
    Ok(Submitted {
        chain: ChainId::new(submitted.chain_id),
        safe: address("submitted.safe", &submitted.safe)?,
        safe_transaction: hash("submitted.safe_transaction", &submitted.safe_transaction)?,
        transaction: hash("submitted.transaction", &submitted.transaction)?,
        submitter: address("submitted.submitter", &submitted.submitter)?,
        max_fee_per_gas: half_word("submitted.max_fee_per_gas", &submitted.max_fee_per_gas)?,
        max_priority_fee_per_gas: half_word("submitted.max_priority_fee_per_gas", &submitted.max_priority_fee_per_gas)?,
        attempt: submitted.attempt,
    })
}

fn executed_in(executed: proto::Executed) -> Result<Executed, WireError> {
    Ok(Executed {
        block: block_in("executed.block", executed.block)?,
        safe: address("executed.safe", &executed.safe)?,
        safe_transaction: hash("executed.safe_transaction", &executed.safe_transaction)?,
        transaction: hash("executed.transaction", &executed.transaction)?,
    })
}

fn postcondition_in(checked: proto::PostconditionChecked) -> Result<PostconditionChecked, WireError> {
    Ok(PostconditionChecked {
        asset: name("postcondition_checked.asset", &checked.asset)?,
        playbook: name("postcondition_checked.playbook", &checked.playbook)?,
        step: step("postcondition_checked.step", checked.step)?,
        holds: checked.holds,
        block: block_in("postcondition_checked.block", checked.block)?,
    })
}

fn retracted_in(retracted: proto::Retracted) -> Result<Retracted, WireError> {
    Ok(Retracted {
        event: event_hash("retracted.event", &retracted.event)?,
        orphaned: block_in("retracted.orphaned", retracted.orphaned)?,
    })
}

fn classified_in(classified: proto::Classified) -> Result<Classified, WireError> {
    Ok(Classified {
        incident: incident(&classified.incident)?,
        severity: severity_in(classified.severity)?,
        human: human_in(classified.human)?,
    })
}

fn statement_in(statement: proto::HumanStatement) -> Result<HumanStatement, WireError> {
    Ok(HumanStatement { incident: incident(&statement.incident)?, human: human_in(statement.human)? })
}

fn close_vote_in(vote: proto::CloseVote) -> Result<CloseVote, WireError> {
    Ok(CloseVote {
        decision: decision_in(vote.decision)?,
        closed_at: block_in("close_vote.closed_at", vote.closed_at)?,
        outcome: promotion::outcome_in(vote.outcome)?,
        human: human_in(vote.human)?,
    })
}

fn not_contained_in(not_contained: proto::NotContained) -> Result<NotContained, WireError> {
    Ok(NotContained {
        decision: decision_in(not_contained.decision)?,
        step: step("not_contained.step", not_contained.step)?,
        cause: cause_in(not_contained.cause)?,
        detail: text("not_contained.detail", not_contained.detail, MAX_LINE)?,
        head: block_in("not_contained.head", not_contained.head)?,
    })
}

fn cause_in(number: i32) -> Result<Cause, WireError> {
    let unknown = out_of_enum("not_contained.cause", number);
    Ok(match proto::Cause::try_from(number).map_err(|_| unknown.clone())? {
        proto::Cause::Unspecified => return Err(unknown),
        proto::Cause::NoFinding => Cause::NoFinding,
        proto::Cause::QuorumNotReached => Cause::QuorumNotReached,
        proto::Cause::AwaitingHumans => Cause::AwaitingHumans,
        proto::Cause::Cancelled => Cause::Cancelled,
        proto::Cause::Expired => Cause::Expired,
        proto::Cause::GuardBlocks => Cause::GuardBlocks,
        proto::Cause::PreflightRefuted => Cause::PreflightRefuted,
        proto::Cause::ThresholdNotReached => Cause::ThresholdNotReached,
        proto::Cause::NotIncluded => Cause::NotIncluded,
        proto::Cause::SubmitterUnfunded => Cause::SubmitterUnfunded,
        proto::Cause::NonceTaken => Cause::NonceTaken,
        proto::Cause::Delayed => Cause::Delayed,
        proto::Cause::ChainUnavailable => Cause::ChainUnavailable,
        proto::Cause::PostconditionFailed => Cause::PostconditionFailed,
    })
}

pub(crate) fn fault_proof_in(proof: proto::FaultProof) -> Result<FaultProof, WireError> {
    Ok(FaultProof { first: Box::new(decode_nested(proof.first)?), second: Box::new(decode_nested(proof.second)?) })
}
