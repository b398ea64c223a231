//! Types to protobuf. Bounds are checked where the bytes are decoded again, before anything is signed.

use bytes::Bytes;
use watchfire_types::body::{
    Basis, Body, Cause, Certificate, Classified, CloseVote, Executed, FaultProof, Finding, HumanStatement,
    NotContained, PostconditionChecked, Purpose, Retracted, Started, Submitted, Veto, Vote,
};

use super::change::{counted_out, supported_out, withdrawn_out};
use super::checkpoint::{checkpoint_fault_out, checkpoint_out};
use super::evidence::{accessed_out, collected_out, missed_out};
use super::promotion;
use super::sealed::sealed_out;
use super::signature::{attested_out, co_signature_out};
use super::snooze::snoozed_out;
use crate::common::{block_out, decision_out, human_out, severity_out};
use crate::field::raw;
use crate::proto::event::Body as Out;
use crate::proto::{self, certificate, vote};

/// The body as protobuf, or `None` for an unknown one, whose bytes are their own encoding.
pub(crate) fn encode(body: &Body) -> Option<Out> {
    Some(match body {
        Body::Started(started) => Out::Started(started_out(started)),
        Body::Finding(finding) => Out::Finding(finding_out(finding)),
        Body::Vote(vote) => Out::Vote(vote_out(vote)),
        Body::Veto(veto) => Out::Veto(veto_out(veto)),
        Body::Certificate(certificate) => Out::Certificate(certificate_out(certificate)),
        Body::CoSignature(signature) => Out::CoSignature(co_signature_out(signature)),
        Body::Submitted(submitted) => Out::Submitted(submitted_out(submitted)),
        Body::Executed(executed) => Out::Executed(executed_out(executed)),
        Body::PostconditionChecked(checked) => Out::PostconditionChecked(postcondition_out(checked)),
        Body::Retracted(retracted) => Out::Retracted(retracted_out(retracted)),
        Body::Classified(classified) => Out::Classified(classified_out(classified)),
        Body::Acknowledged(statement) => Out::Acknowledged(statement_out(statement)),
        Body::Rejected(statement) => Out::Rejected(statement_out(statement)),
        Body::Note(statement) => Out::Note(statement_out(statement)),
        Body::CloseVote(vote) => Out::CloseVote(close_vote_out(vote)),
        Body::NotContained(not_contained) => Out::NotContained(not_contained_out(not_contained)),
        Body::Attested(attested) => Out::Attested(attested_out(attested)),
        Body::FaultProof(proof) => Out::FaultProof(fault_proof_out(proof)),
        Body::Checkpoint(checkpoint) => Out::Checkpoint(checkpoint_out(checkpoint)),
        Body::CheckpointFault(fault) => Out::CheckpointFault(checkpoint_fault_out(fault)),
        Body::EvidenceCollected(collected) => Out::EvidenceCollected(collected_out(collected)),
        Body::EvidenceAccessed(accessed) => Out::EvidenceAccessed(accessed_out(accessed)),
        Body::EvidenceMissed(missed) => Out::EvidenceMissed(missed_out(missed)),
        Body::Sealed(sealed) => Out::Sealed(sealed_out(sealed)),
        Body::ChangeSupported(supported) => Out::ChangeSupported(supported_out(supported)),
        Body::ChangeWithdrawn(withdrawn) => Out::ChangeWithdrawn(withdrawn_out(withdrawn)),
        Body::ChangeCounted(counted) => Out::ChangeCounted(counted_out(counted)),
        Body::PromotionSupported(supported) => Out::PromotionSupported(promotion::supported_out(supported)),
        Body::Snoozed(snoozed) => Out::Snoozed(snoozed_out(snoozed)),
        Body::Unknown(..) => return None,
    })
}

fn started_out(started: &Started) -> proto::Started {
    let earlier = started.earlier.iter().map(|head| proto::EpochHead {
        epoch: raw(head.epoch.as_bytes()),
        seq: head.seq.get(),
        hash: raw(head.hash.as_bytes()),
        checkpoint_size: head.checkpoint.map_or(0, |checkpoint| checkpoint.size),
        checkpoint_root: head.checkpoint.map(|checkpoint| raw(&checkpoint.root.0)).unwrap_or_default(),
    });
    proto::Started {
        earlier: earlier.collect(),
        charter_version: started.charter_version.get(),
        charter_digest: raw(started.charter_digest.as_bytes()),
        software: started.software.clone(),
    }
}

fn finding_out(finding: &Finding) -> proto::Finding {
    let figures = finding.figures.iter();
    proto::Finding {
        asset: finding.asset.to_string(),
        detector: finding.detector.to_string(),
        kind: finding.kind.clone(),
        severity: severity_out(finding.severity),
        first: Some(block_out(&finding.first)),
        block: Some(block_out(&finding.block)),
        explanation: finding.explanation.clone(),
        figures: figures.map(|(name, value)| proto::Figure { name: name.clone(), value: value.clone() }).collect(),
    }
}

fn vote_out(vote: &Vote) -> proto::Vote {
    proto::Vote {
        decision: Some(decision_out(&vote.decision)),
        step: vote.step.get().into(),
        basis: Some(match &vote.basis {
            Basis::Finding(hash) => vote::Basis::Finding(raw(hash.as_bytes())),
            Basis::Human(human) => vote::Basis::Human(human_out(human)),
        }),
        operator: vote.operator.to_string(),
        evidence: Some(block_out(&vote.evidence)),
    }
}

fn veto_out(veto: &Veto) -> proto::Veto {
    proto::Veto {
        decision: Some(decision_out(&veto.decision)),
        head: Some(block_out(&veto.head)),
        act: Some(block_out(&veto.act)),
        human: Some(human_out(&veto.human)),
    }
}

fn certificate_out(certificate: &Certificate) -> proto::Certificate {
    proto::Certificate {
        decision: Some(decision_out(&certificate.decision)),
        purpose: Some(match &certificate.purpose {
            Purpose::Step(step) => certificate::Purpose::Step(step.get().into()),
            Purpose::Cancel => certificate::Purpose::Cancel(proto::Cancel {}),
            Purpose::Close(at) => certificate::Purpose::Close(proto::Close { closed_at_s: at.as_secs() }),
        }),
        votes: certificate.votes.iter().map(|vote| vote.outer().clone()).collect(),
    }
}

fn submitted_out(submitted: &Submitted) -> proto::Submitted {
    proto::Submitted {
        chain_id: submitted.chain.get(),
        safe: raw(&submitted.safe.0.0),
        safe_transaction: raw(&submitted.safe_transaction.0),
        transaction: raw(&submitted.transaction.0),
        submitter: raw(&submitted.submitter.0.0),
        max_fee_per_gas: Bytes::copy_from_slice(&submitted.max_fee_per_gas.to_be_bytes()),
        max_priority_fee_per_gas: Bytes::copy_from_slice(&submitted.max_priority_fee_per_gas.to_be_bytes()),
        attempt: submitted.attempt,
    }
}

fn executed_out(executed: &Executed) -> proto::Executed {
    proto::Executed {
        block: Some(block_out(&executed.block)),
        safe: raw(&executed.safe.0.0),
        safe_transaction: raw(&executed.safe_transaction.0),
        transaction: raw(&executed.transaction.0),
    }
}

fn postcondition_out(checked: &PostconditionChecked) -> proto::PostconditionChecked {
    proto::PostconditionChecked {
        asset: checked.asset.to_string(),
        playbook: checked.playbook.to_string(),
        step: checked.step.get().into(),
        holds: checked.holds,
        block: Some(block_out(&checked.block)),
    }
}

fn retracted_out(retracted: &Retracted) -> proto::Retracted {
    proto::Retracted { event: raw(retracted.event.as_bytes()), orphaned: Some(block_out(&retracted.orphaned)) }
}

fn classified_out(classified: &Classified) -> proto::Classified {
    proto::Classified {
        incident: raw(classified.incident.as_bytes()),
        severity: severity_out(classified.severity),
        human: Some(human_out(&classified.human)),
    }
}

fn statement_out(statement: &HumanStatement) -> proto::HumanStatement {
    proto::HumanStatement { incident: raw(statement.incident.as_bytes()), human: Some(human_out(&statement.human)) }
}

fn close_vote_out(vote: &CloseVote) -> proto::CloseVote {
    proto::CloseVote {
        decision: Some(decision_out(&vote.decision)),
        closed_at: Some(block_out(&vote.closed_at)),
        human: Some(human_out(&vote.human)),
        outcome: promotion::outcome_out(vote.outcome),
    }
}

fn not_contained_out(not_contained: &NotContained) -> proto::NotContained {
    let cause = match not_contained.cause {
        Cause::NoFinding => proto::Cause::NoFinding,
        Cause::QuorumNotReached => proto::Cause::QuorumNotReached,
        Cause::AwaitingHumans => proto::Cause::AwaitingHumans,
        Cause::Cancelled => proto::Cause::Cancelled,
        Cause::Expired => proto::Cause::Expired,
        Cause::GuardBlocks => proto::Cause::GuardBlocks,
        Cause::PreflightRefuted => proto::Cause::PreflightRefuted,
        Cause::ThresholdNotReached => proto::Cause::ThresholdNotReached,
        Cause::NotIncluded => proto::Cause::NotIncluded,
        Cause::SubmitterUnfunded => proto::Cause::SubmitterUnfunded,
        Cause::NonceTaken => proto::Cause::NonceTaken,
        Cause::Delayed => proto::Cause::Delayed,
        Cause::ChainUnavailable => proto::Cause::ChainUnavailable,
        Cause::PostconditionFailed => proto::Cause::PostconditionFailed,
    };
    proto::NotContained {
        decision: Some(decision_out(&not_contained.decision)),
        step: not_contained.step.get().into(),
        cause: cause.into(),
        detail: not_contained.detail.clone(),
        head: Some(block_out(&not_contained.head)),
    }
}

pub(crate) fn fault_proof_out(proof: &FaultProof) -> proto::FaultProof {
    proto::FaultProof { first: proof.first.outer().clone(), second: proof.second.outer().clone() }
}
